"""One business day of a book: bill what is due, receive money, settle, charge lateness, then decide.

Pure: `book_money` and `apply_money`, `find_touches` and `apply_decisions` are the twins of what the engine stores and
loads again. A book holds whole settlement groups, so any cutting into slices gives the same outcome.
"""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core import frames, late_charge, money, postings, rollups, strategy
from recoup.core.flows.bill import bill
from recoup.core.flows.book import DayBook
from recoup.core.flows.rederive import rederive
from recoup.core.flows.settle import OpenState, apply_settlement, open_state, settle
from recoup.core.outcome import Outcome, gather, issue
from recoup.core.rules import Rules
from recoup.core.simulation import simulate_payments

# Offsets of a slice's id block: bills and their items, credits, charges, then allocation entries.
CREDIT_IDS = 1 << 32
CHARGE_IDS = 2 << 32
ALLOCATION_IDS = 3 << 32

PAYMENTS: frames.Schema = {
    "contract_id": pl.Int64(),
    "channel": pl.String(),
    "channel_key": pl.String(),
    "value_on": pl.Date(),
    "received_on": pl.Date(),
    "amount_minor": pl.Int64(),
    "denom": pl.String(),
    "designation": pl.String(),
}

CLOSED: frames.Schema = {"contract_id": pl.Int64(), "item_id": pl.Int64(), "days_late": pl.Int64()}

SIMULATOR = "SIMULATOR"


class Book(NamedTuple):
    """Frames of whole settlement groups, resident from day to day."""

    contracts: pl.DataFrame
    determinants: pl.DataFrame
    payments: pl.DataFrame
    holds: pl.DataFrame
    items: pl.DataFrame
    credits: pl.DataFrame
    paid: pl.DataFrame
    booked: pl.DataFrame
    touches: pl.DataFrame
    touch_items: pl.DataFrame
    episodes: pl.DataFrame
    rollups: pl.DataFrame

    def as_day_book(self) -> DayBook:
        """Return the frames that decisions read."""
        return DayBook(
            self.contracts,
            self.items,
            self.credits,
            self.holds,
            self.touches,
            self.touch_items,
            self.episodes,
            self.rollups,
        )


class Late(NamedTuple):
    """The whole history of the groups hit by a late fact: all they ever owed, paid, were applied and charged.

    `since`: the earliest true day among the late facts; what was booked for earlier days stands.
    """

    since: date | None
    items: pl.DataFrame
    credits: pl.DataFrame
    allocations: pl.DataFrame
    booked: pl.DataFrame


class Conduct(NamedTuple):
    """How a day is run: what this book keeps itself, and whether people are simulated."""

    bills: bool
    charges: bool
    simulate: bool
    seed: int


def book_money(book: Book, on: date, rules: Rules, conduct: Conduct, late: Late | None, *, id_from: int) -> Outcome:
    """Derive everything of money that happens on `on`.

    Frames: "bills", "lines", "items" (new debits of bills), "payments" (PAYMENTS received today, simulated ones
    among them), "credits" (one per payment), "charges", "charge_credits", "charges_booked", "allocations",
    "entries", "postings", "determinants" (billed today), "accrued" (item_id, amount_minor not yet booked).
    """
    billed = _bill_due(book, on, rules, conduct, id_from)
    items = pl.concat([book.items, billed.frames["items"]])
    accrued = accrue(items, book, on, rules)
    received, strangers = _receive(book, items, accrued, on, conduct, rules)
    credits = _credit(received, book, items, late, id_from + CREDIT_IDS)
    settled = _settle(book, items, credits, late, on, rules, conduct, id_from + CHARGE_IDS)
    made = {**billed.frames, "payments": received, "credits": credits, **settled.frames, "accrued": accrued}
    posted = _post(made, items, book, late, on, rules, id_from)
    return Outcome({**made, **posted.frames}, gather([billed.issues, strangers, settled.issues, posted.issues]))


def _bill_due(book: Book, on: date, rules: Rules, conduct: Conduct, id_from: int) -> Outcome:
    due = book.determinants.filter(pl.col("bill_on") == on)
    if not conduct.bills:
        due = due.clear()
    billed = bill(due, book.contracts, on, rules, id_from=id_from)
    return Outcome({**billed.frames, "determinants": due}, billed.issues)


def accrue(items: pl.DataFrame, book: Book, on: date, rules: Rules) -> pl.DataFrame:
    """Late charge up to `on` less what is booked, per overdue principal item: item_id, amount_minor."""
    overdue = items.filter(pl.col("component").is_in(rules.late_charge_components) & (pl.col("overdue_from_on") <= on))
    target = late_charge.target(overdue, book.paid, rules.late_charge, _late_holds(book.holds), on)
    booked = book.booked.group_by("item_id").agg(booked_minor=money.exact_sum("amount_minor"))
    return (
        target.join(booked, on="item_id", how="left")
        .select("item_id", amount_minor=pl.col("amount_minor") - pl.col("booked_minor").fill_null(0))
        .filter(pl.col("amount_minor") != 0)
    )


def _late_holds(holds: pl.DataFrame) -> pl.DataFrame:
    return holds.filter("stops_late_charge")


def _receive(
    book: Book, items: pl.DataFrame, accrued: pl.DataFrame, on: date, conduct: Conduct, rules: Rules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Payments known by today, loaded and simulated; those of another denom become issues."""
    loaded = book.payments.filter(pl.col("received_on") <= on)
    if conduct.simulate:
        paid = simulate_payments(book.contracts, items, accrued, on, seed=conduct.seed)
        simulated = paid.select(
            "contract_id",
            pl.lit(SIMULATOR).alias("channel"),
            pl.col("key").alias("channel_key"),
            "value_on",
            pl.lit(on).alias("received_on"),
            "amount_minor",
            "denom",
            pl.lit(None, pl.String).alias("designation"),
        )
        loaded = pl.concat([loaded, simulated])
    known = pl.col("denom") == rules.denom
    refused = issue(
        loaded.filter(~known),
        kind="FOREIGN_DENOM",
        key=pl.col("channel") + ":" + pl.col("channel_key"),
        field="denom",
        detail=pl.col("denom"),
    )
    return loaded.filter(known), refused


def _credit(payments: pl.DataFrame, book: Book, items: pl.DataFrame, late: Late | None, id_from: int) -> pl.DataFrame:
    """One credit item per payment, in the order of its natural key."""
    debts = items if late is None else pl.concat([items, late.items]).unique("item_id")
    named = debts.select("contract_id", designation="item_key", named_id="item_id")
    return (
        payments.with_columns(item_key=pl.col("channel") + ":" + pl.col("channel_key"))
        .sort("item_key")
        .with_row_index("row")
        .join(book.contracts.select("contract_id", "group_id"), on="contract_id", how="left")
        .join(named, on=["contract_id", "designation"], how="left")
        .select(
            (pl.col("row").cast(pl.Int64) + id_from).alias("item_id"),
            "item_key",
            "contract_id",
            "group_id",
            pl.lit("UNAPPLIED").alias("subject"),
            "denom",
            "amount_minor",
            pl.col("amount_minor").alias("open_minor"),
            "value_on",
            pl.col("named_id").alias("designation"),
            pl.lit("FREE").alias("state"),
        )
        .sort("item_key")
    )


def _settle(
    book: Book,
    items: pl.DataFrame,
    credits: pl.DataFrame,
    late: Late | None,
    on: date,
    rules: Rules,
    conduct: Conduct,
    id_from: int,
) -> Outcome:
    """Settle today's groups forward, and groups hit by a late fact from their whole history."""
    month_end = is_month_end(on)
    money_in = pl.concat([book.credits, credits])
    ruled = rules if conduct.charges else rules._replace(late_charge_components=())
    if late is None:
        return settle(
            items, money_in, book.paid, book.booked, book.holds, on, ruled, month_end=month_end, id_from=id_from
        )
    hit = late_groups(late)
    apart = pl.col("group_id").is_in(hit)
    forward = settle(
        items.filter(~apart),
        money_in.filter(~apart),
        book.paid,
        book.booked,
        book.holds,
        on,
        ruled,
        month_end=month_end,
        id_from=id_from,
    )
    history = with_today(late, items, credits)
    again = rederive(
        history.items,
        history.credits,
        history.allocations,
        history.booked,
        book.holds,
        on,
        ruled,
        id_from=id_from + (1 << 31),
        from_on=late.since,
    )
    joined = {name: pl.concat([frame, again.frames[name]]) for name, frame in forward.frames.items()}
    return Outcome(joined, gather([forward.issues, again.issues]))


def late_groups(late: Late) -> list[int]:
    """Groups whose history was read."""
    return pl.concat([late.items["group_id"], late.credits["group_id"]]).unique().to_list()


def with_today(late: Late, items: pl.DataFrame, credits: pl.DataFrame) -> Late:
    """Add today's new bills and credits of the groups hit to their history."""
    hit = late_groups(late)
    fresh_items = items.filter(pl.col("group_id").is_in(hit)).join(late.items, on="item_id", how="anti")
    fresh_credits = credits.filter(pl.col("group_id").is_in(hit)).join(late.credits, on="item_id", how="anti")
    return late._replace(items=pl.concat([late.items, fresh_items]), credits=pl.concat([late.credits, fresh_credits]))


def is_month_end(on: date) -> bool:
    """Whether `on` is the last day of its month: late charges accrued so far are booked."""
    return date.fromordinal(on.toordinal() + 1).day == 1


def _post(
    made: dict[str, pl.DataFrame],
    items: pl.DataFrame,
    book: Book,
    late: Late | None,
    on: date,
    rules: Rules,
    id_from: int,
) -> Outcome:
    """Entries and postings of everything that moved today."""
    debits = pl.concat([items, made["charges"], *([late.items] if late else [])]).unique("item_id")
    credits = pl.concat(
        [book.credits, made["credits"], made["charge_credits"], *([late.credits] if late else [])]
    ).unique("item_id")
    steps = [
        postings.post_bills(made["items"], rules.subjects, id_from=id_from),
        postings.post_payments(made["credits"], rules.subjects, id_from=id_from + CREDIT_IDS),
        postings.post_charges(made["charges"], made["charge_credits"], rules.subjects, id_from=id_from + CHARGE_IDS),
        postings.post_allocations(
            made["allocations"], debits, credits, id_from=id_from + ALLOCATION_IDS, batch=on.isoformat()
        ),
    ]
    return Outcome(
        {name: pl.concat([step.frames[name] for step in steps]) for name in ("entries", "postings")},
        gather(step.issues for step in steps),
    )


def apply_money(book: Book, made: Outcome, late: Late | None) -> Book:
    """Return the book after `book_money`: the in-memory twin of store-and-reload."""
    made_frames = made.frames
    items = pl.concat([book.items, made_frames["items"]])
    credits = pl.concat([book.credits, made_frames["credits"]])
    if late is None:
        state = apply_settlement(items, credits, book.paid, book.booked, made)
    else:
        state = _apply_with_late(book, items, credits, made, late)
    received = made_frames["payments"].select("channel", "channel_key")
    return book._replace(
        items=state.items,
        credits=state.credits,
        paid=state.paid,
        booked=state.booked,
        payments=book.payments.join(received, on=["channel", "channel_key"], how="anti"),
    )


def _apply_with_late(book: Book, items: pl.DataFrame, credits: pl.DataFrame, made: Outcome, late: Late) -> OpenState:
    """Groups with a late fact are rebuilt from their history; the others go forward."""
    hit = late_groups(late)
    apart = pl.col("group_id").is_in(hit)
    history = with_today(late, items, credits)
    frames_made = made.frames
    ours = frames_made["allocations"].filter(apart)
    new_booked = frames_made["charges_booked"].join(history.items, on="item_id", how="semi")
    rebuilt = open_state(
        pl.concat([history.items, frames_made["charges"].filter(apart)]),
        pl.concat([history.credits, frames_made["charge_credits"].filter(apart)]),
        pl.concat([history.allocations, ours]),
        pl.concat([history.booked, new_booked]),
    )
    others = {name: frames_made[name].filter(~apart) for name in ("charges", "charge_credits", "allocations")}
    others["charges_booked"] = frames_made["charges_booked"].join(history.items, on="item_id", how="anti")
    not_hit = book.items.filter(apart)
    forward = apply_settlement(
        items.filter(~apart),
        credits.filter(~apart),
        book.paid.join(not_hit, on="item_id", how="anti"),
        book.booked.join(not_hit, on="item_id", how="anti"),
        Outcome(others, made.issues),
    )
    return OpenState(*(pl.concat(pair) for pair in zip(forward, rebuilt, strict=True)))


def rederive_episodes(book: Book, made: Outcome, late: Late, rules: Rules, on: date) -> pl.DataFrame:
    """Episodes of the book with those of the groups hit by a late fact derived again by true days."""
    history = with_today(late, pl.concat([book.items, made.frames["items"]]), book.credits)
    debts = pl.concat([history.items, made.frames["charges"]]).unique("item_id")
    pieces = pl.concat([history.allocations, made.frames["allocations"]]).select(
        "value_on", "amount_minor", item_id="debit_id"
    )
    hit = book.contracts.filter(pl.col("group_id").is_in(late_groups(late)))
    named = strategy.assign_strategies(hit, rules.strategies)
    thresholds = {each.code: each.threshold_minor for each in rules.strategies}
    again = rollups.derive_episodes(debts, pieces, named, thresholds, on)
    others = book.episodes.join(hit, on="contract_id", how="anti")
    return pl.concat([others, again.select(list(frames.EPISODES))])


def find_closed(before: pl.DataFrame, after: pl.DataFrame, allocations: pl.DataFrame) -> pl.DataFrame:
    """Principal items closed today with their days late (negative: early), one row per item (CLOSED)."""
    last = allocations.group_by(pl.col("debit_id").alias("item_id")).agg(paid_on=pl.col("value_on").max())
    gone = before.filter(pl.col("charge_of").is_null()).join(after, on="item_id", how="anti")
    late_days = (pl.col("paid_on") - pl.col("due_on")).dt.total_days().cast(pl.Int64)
    return gone.join(last, on="item_id").select("contract_id", "item_id", days_late=late_days)


def find_touches(decided: Outcome, on: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Touches and touch_items of actions that a demo or evaluation book carries out at once, all delivered."""
    actions = decided.frames["actions"]
    touches = actions.select(
        "contract_id",
        "decided_on",
        "action_code",
        "stage",
        "channel",
        pl.lit(on).alias("sent_on"),
        pl.lit(on).alias("delivered_on"),
        pl.lit(True).alias("proven"),
    )
    return touches, decided.frames["action_items"].select(list(frames.TOUCH_ITEMS))


def apply_decisions(
    book: Book,
    touches: pl.DataFrame,
    touch_items: pl.DataFrame,
    episodes: pl.DataFrame,
    changed_rollups: pl.DataFrame,
) -> Book:
    """Return the book after the decisions of a day."""
    return prune_touches(
        book._replace(
            touches=pl.concat([book.touches, touches]),
            touch_items=pl.concat([book.touch_items, touch_items]),
            episodes=episodes.select(list(frames.EPISODES)),
            rollups=rollups.replace_rollups(book.rollups, changed_rollups),
        )
    )


def prune_touches(book: Book) -> Book:
    """Keep the touches that name an item still open, or that name none (another system's)."""
    key = ["contract_id", "decided_on", "action_code"]
    alive = book.touch_items.join(book.items, on="item_id", how="semi").select(key).unique()
    named = book.touch_items.select(key).unique()
    bare = book.touches.join(named, on=key, how="anti")
    kept = pl.concat([book.touches.join(alive, on=key, how="semi"), bare])
    return book._replace(
        touches=kept,
        touch_items=book.touch_items.join(book.items, on="item_id", how="semi"),
    )
