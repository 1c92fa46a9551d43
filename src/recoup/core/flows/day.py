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
from recoup.core.flows.receive import REVERSALS, designate, leave_open, make_credits, receive, take_back
from recoup.core.flows.rederive import rederive
from recoup.core.flows.settle import OpenState, apply_settlement, open_state, settle
from recoup.core.outcome import Outcome, gather, no_issues
from recoup.core.rules import Rules
from recoup.core.simulation import PAYMENTS as SIMULATED
from recoup.core.simulation import simulate_payments

# Offsets of a slice's id block: bills and their items, credits, charges, then allocation entries.
CREDIT_IDS = 1 << 32
REVERSAL_IDS = CREDIT_IDS + (1 << 31)
CHARGE_IDS = 2 << 32
ALLOCATION_IDS = 3 << 32

CLOSED: frames.Schema = {"contract_id": pl.Int64(), "item_id": pl.Int64(), "days_late": pl.Int64()}


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
    among them), "credits" (one per payment), "reversals" (REVERSALS), "charges",
    "charge_credits", "charges_booked", "allocations", "entries", "postings", "determinants" (billed today), "accrued"
    (item_id, amount_minor not yet booked). `late` is given when a payment is late or a reversal due: without the
    history of its group a reversal is left for another day.
    """
    billed = _bill_due(book, on, rules, conduct, id_from)
    items = pl.concat([book.items, billed.frames["items"]])
    accrued = accrue(items, book, on, rules)
    received = receive(book.payments, _simulate(book, items, accrued, on, conduct), on, rules.denom)
    credits = _credit(received.payments, book, items, late, id_from + CREDIT_IDS)
    reversals, unmatched = _take_back(received.reversals, book, credits, late, id_from + REVERSAL_IDS)
    credits, late = designate(credits, reversals), with_reversals(late, reversals)
    settled = _settle(book, items, credits, late, on, rules, conduct, id_from + CHARGE_IDS)
    money_in = {"payments": received.payments, "credits": credits, "reversals": reversals}
    made = {**billed.frames, **money_in, **settled.frames, "accrued": accrued}
    posted = _post(made, items, book, late, on, rules, id_from)
    told = [billed.issues, received.issues, unmatched, settled.issues, posted.issues]
    return Outcome({**made, **posted.frames}, gather(told))


def _bill_due(book: Book, on: date, rules: Rules, conduct: Conduct, id_from: int) -> Outcome:
    due = book.determinants.filter(pl.col("bill_on") == on)
    if not conduct.bills:
        due = due.clear()
    billed = bill(due, book.contracts, on, rules, id_from=id_from)
    return Outcome({**billed.frames, "determinants": due}, billed.issues)


def accrue(items: pl.DataFrame, book: Book, on: date, rules: Rules) -> pl.DataFrame:
    """Late charge up to `on` less what is booked, per overdue principal item: item_id, amount_minor."""
    overdue = items.filter(pl.col("overdue_from_on") <= on)  # most are not: their texts are not looked at
    overdue = overdue.filter(pl.col("component").is_in(rules.late_charge_components))
    target = late_charge.target(overdue, book.paid, rules.late_charge, _late_holds(book.holds), on)
    booked = book.booked.group_by("item_id").agg(booked_minor=money.exact_sum("amount_minor"))
    return (
        target.join(booked, on="item_id", how="left")
        .select("item_id", amount_minor=pl.col("amount_minor") - pl.col("booked_minor").fill_null(0))
        .filter(pl.col("amount_minor") != 0)
    )


def _late_holds(holds: pl.DataFrame) -> pl.DataFrame:
    return holds.filter("stops_late_charge")


def _simulate(book: Book, items: pl.DataFrame, accrued: pl.DataFrame, on: date, conduct: Conduct) -> pl.DataFrame:
    """Payments of simulated people, none where people are real."""
    if not conduct.simulate:
        return pl.DataFrame(schema=dict(SIMULATED))
    return simulate_payments(book.contracts, items, accrued, on, seed=conduct.seed)


def _credit(payments: pl.DataFrame, book: Book, items: pl.DataFrame, late: Late | None, id_from: int) -> pl.DataFrame:
    debts = items if late is None else pl.concat([items, late.items]).unique("item_id")
    return make_credits(payments, book.contracts, debts, id_from=id_from)


def _take_back(
    asked: pl.DataFrame, book: Book, credits: pl.DataFrame, late: Late | None, id_from: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reversals of today (REVERSALS), and issues of those that cannot be booked."""
    if late is None:
        return pl.DataFrame(schema=dict(REVERSALS)), no_issues()
    return take_back(asked, book.contracts, late.items, pl.concat([late.credits, credits]), id_from=id_from)


def with_reversals(late: Late | None, reversals: pl.DataFrame) -> Late | None:
    """The history that today's reversals change: their items are debts, their receipts pay them."""
    if late is None or reversals.is_empty():
        return late
    items = pl.concat([late.items, reversals.select(list(frames.ITEMS))])
    return late._replace(items=items, credits=designate(late.credits, reversals))


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
    ruled = rules if conduct.charges else rules.without_charges()
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
    debits = [items, made["charges"], *([late.items] if late else [])]
    credits = [book.credits, made["credits"], made["charge_credits"], *([late.credits] if late else [])]
    steps = [
        postings.post_bills(made["items"], rules.subjects, id_from=id_from),
        postings.post_payments(made["credits"], rules.subjects, id_from=id_from + CREDIT_IDS),
        postings.post_reversals(made["reversals"], rules.subjects, id_from=id_from + REVERSAL_IDS),
        postings.post_charges(made["charges"], made["charge_credits"], rules.subjects, id_from=id_from + CHARGE_IDS),
        postings.post_allocations(
            made["allocations"],
            _find_named(debits, made["allocations"]["debit_id"]),
            _find_named(credits, made["allocations"]["credit_id"]),
            id_from=id_from + ALLOCATION_IDS,
            batch=on.isoformat(),
        ),
    ]
    return Outcome(
        {name: pl.concat([step.frames[name] for step in steps]) for name in ("entries", "postings")},
        gather(step.issues for step in steps),
    )


def _find_named(parts: list[pl.DataFrame], ids: pl.Series) -> pl.DataFrame:
    """The items of these ids, once each: a day names few of a book's."""
    named = ids.unique().to_frame("item_id")
    return pl.concat([part.join(named, on="item_id", how="semi") for part in parts]).unique("item_id")


def apply_money(book: Book, made: Outcome, late: Late | None) -> Book:
    """Return the book after `book_money`: the in-memory twin of store-and-reload."""
    made_frames = made.frames
    reversals = made_frames["reversals"]
    late = with_reversals(late, reversals)
    items = pl.concat([book.items, made_frames["items"]])
    credits = pl.concat([book.credits, made_frames["credits"]])
    if late is None:
        state = apply_settlement(items, credits, book.paid, book.booked, made)
    else:
        state = _apply_with_late(book, items, credits, made, late)
    return book._replace(
        items=state.items,
        credits=state.credits,
        paid=state.paid,
        booked=state.booked,
        payments=leave_open(book.payments, made_frames["payments"], reversals, made.issues),
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


def recount_late(book: Book, made: Outcome, late: Late) -> pl.DataFrame:
    """Changes of bills paid late (`rollups.subtract_late`) in the groups hit, by true days, today's closings included.

    For those groups it stands in place of `find_closed`.
    """
    history = with_today(late, pl.concat([book.items, made.frames["items"]]), book.credits)
    ours = pl.col("group_id").is_in(late_groups(late))
    before = late.allocations.select("value_on", "amount_minor", item_id="debit_id")
    today = made.frames["allocations"].filter(ours).select("value_on", "amount_minor", item_id="debit_id")
    after = rollups.count_late(history.items, pl.concat([before, today]))
    return rollups.subtract_late(after, rollups.count_late(late.items, before))


def find_closed(before: pl.DataFrame, after: pl.DataFrame, allocations: pl.DataFrame) -> pl.DataFrame:
    """Principal items closed today with their days late (negative: early), one row per item (CLOSED)."""
    last = allocations.group_by(pl.col("debit_id").alias("item_id")).agg(paid_on=pl.col("value_on").max())
    paid = before.filter(pl.col("charge_of").is_null()).join(last, on="item_id", how="inner")
    gone = paid.join(after.join(last, on="item_id", how="semi"), on="item_id", how="anti")
    late_days = (pl.col("paid_on") - pl.col("due_on")).dt.total_days().cast(pl.Int64)
    return gone.select("contract_id", "item_id", days_late=late_days)


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
    """Return the book after the decisions of a day; they close nothing, so no touch need be pruned."""
    return book._replace(
        touches=pl.concat([book.touches, touches]),
        touch_items=pl.concat([book.touch_items, touch_items]),
        episodes=episodes.select(list(frames.EPISODES)),
        rollups=rollups.replace_rollups(book.rollups, changed_rollups),
    )


def prune_touches(book: Book) -> Book:
    """Keep the touches that name an item still open, or that name none (another system's)."""
    key = ["contract_id", "decided_on", "action_code"]
    # Few items are named of all that are open, and few of those close on a day: the small side is looked up.
    open_named = book.items.select("item_id").join(book.touch_items, on="item_id", how="semi")
    closed = book.touch_items.join(open_named, on="item_id", how="anti")
    if closed.is_empty():
        return book
    standing = book.touch_items.join(closed, on="item_id", how="anti")
    ended = closed.select(key).unique().join(standing, on=key, how="anti")
    return book._replace(touches=book.touches.join(ended, on=key, how="anti"), touch_items=standing)
