"""One business day of money: late charge up to the day, then received money meets debts.

The same flow serves a single payment, a night and the replay of history (`flows.rederive`). The state is what
is open; a late charge is `target(facts) - already booked`, booked when money comes or a month ends, as a debt
of its own. The identity of a charge is (principal item, day accrued to); it is in the item key.
"""

from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from recoup.core import late_charge, money
from recoup.core.allocation import FREE, allocate
from recoup.core.frames import CHARGES_BOOKED, CREDITS, ITEMS, Schema, conform, empty
from recoup.core.outcome import Outcome, issue, no_issues
from recoup.core.rules import Rules

LATE_CHARGE = "LATE_CHARGE"
RECEIVABLE_LATE_CHARGE = "RECEIVABLE_LATE_CHARGE"
UNAPPLIED = "UNAPPLIED"
# The component of a debit item that takes a receipt back: the receipt is designated to it.
REVERSAL = "REVERSAL"

# One row per piece applied to a debit item; the day of payment still bears the charge.
PAID: Schema = {"item_id": pl.Int64(), "value_on": pl.Date(), "amount_minor": pl.Int64()}

_CHUNKS_MAX = 8

# A principal item with the late charge due for booking: `nth` item of its (principal, day); 1 has no suffix.
_DELTA = {"accrued_to_on": pl.Date(), "delta_minor": pl.Int64(), "nth": pl.Int64()}


# The key of a charge credit (see `_charge_key`) tells the key of the principal item.
LOWERED_PRINCIPAL = r"^(.*):LCR:\d{8}(?:#\d+)?$"


class OverApplied(Exception):
    """More was applied to or taken from an item than it had: pieces and items do not belong together."""


class OpenState(NamedTuple):
    """What is open: debit items, credit items, pieces paid on the debits, late charges booked on them."""

    items: pl.DataFrame
    credits: pl.DataFrame
    paid: pl.DataFrame
    booked: pl.DataFrame


class Booking(NamedTuple):
    """Late charges to book: debit items, credit items (a charge lowered), and the row of each in
    CHARGES_BOOKED.
    """

    charges: pl.DataFrame
    charge_credits: pl.DataFrame
    charges_booked: pl.DataFrame


def settle(
    items: pl.DataFrame,
    credits: pl.DataFrame,
    paid: pl.DataFrame,
    booked: pl.DataFrame,
    holds: pl.DataFrame,
    on: date,
    rules: Rules,
    *,
    month_end: bool,
    id_from: int,
    known_ids: pl.DataFrame | None = None,
) -> Outcome:
    """Settle one business day for many groups: book late charges up to `on`, then allocate the money.

    `items` ITEMS open, `credits` CREDITS open, `paid` PAID and `booked` CHARGES_BOOKED of the open items,
    `holds` HOLDS. Late charge is booked for overdue principal items of groups with free money valued by `on`,
    and at a month end for all. Frames: `charges` (ITEMS), `charge_credits` (CREDITS), `charges_booked`,
    `allocations`; new ids are `id_from` + row in key order, but a charge whose key is in `known_ids`
    [item_key, item_id] keeps its id. Issues: an item whose class has no rate in force; it is settled without
    a charge. Money that a reversal takes back is no money: it pays that reversal, and books no charge.
    """
    free = credits.filter((pl.col("state") == FREE) & (pl.col("open_minor") > 0) & (pl.col("value_on") <= on))
    paying = _find_paying(items, free)
    principals = _overdue_principals(items if month_end else paying, on, rules)
    deltas, issues = _charge_deltas(principals, paid, booked, holds, on, rules)
    booking = make_booking(deltas, items, id_from=id_from, known_ids=known_ids)
    if not booking.charge_credits.is_empty():
        free = pl.concat([free, booking.charge_credits])
        paying = _find_paying(items, free)
    allocations = allocate(pl.concat([paying, booking.charges]), free, on, rules.allocation)
    return Outcome({**booking._asdict(), "allocations": allocations}, issues)


def _find_paying(items: pl.DataFrame, free: pl.DataFrame) -> pl.DataFrame:
    """Debts of groups with free money, and reversals: money taken back is not free for anything else."""
    reversals = items.filter(pl.col("component") == REVERSAL)
    if reversals.is_empty():
        return items.join(free, on="group_id", how="semi")
    left = free.join(reversals.select(designation="item_id"), on="designation", how="anti")
    others = items.filter(pl.col("component") != REVERSAL)
    return pl.concat([others.join(left, on="group_id", how="semi"), reversals])


def apply_settlement(
    items: pl.DataFrame, credits: pl.DataFrame, paid: pl.DataFrame, booked: pl.DataFrame, outcome: Outcome
) -> OpenState:
    """Return the open state after an outcome of `settle`: the in-memory twin of store-and-reload.

    New charges are added, open amounts reduced, items and credits with nothing open dropped together with
    their `paid` and `booked` rows. Raises OverApplied when an open amount would fall below zero.
    """
    pieces = outcome.frames["allocations"]
    items = _reduce(_joined(items, outcome.frames["charges"]), pieces, "debit_id")
    credits = _reduce(_joined(credits, outcome.frames["charge_credits"]), pieces, "credit_id")
    paid = _joined(paid, _as_paid(pieces))
    booked = _joined(booked, outcome.frames["charges_booked"])
    closed = items.filter(pl.col("open_minor") == 0).select("item_id")
    if not closed.is_empty():
        items = _open(items)
        paid, booked = (rows.join(closed, on="item_id", how="anti") for rows in (paid, booked))
    return OpenState(items, _open(credits), paid, booked)


def open_state(
    items: pl.DataFrame, credits: pl.DataFrame, allocations: pl.DataFrame, charges_booked: pl.DataFrame
) -> OpenState:
    """Build the open state from whole history: every item and credit ever, every piece, every charge booked.

    What was open before is ignored: open = amount - pieces. Raises OverApplied as `apply_settlement`.
    """
    unpaid = pl.col("amount_minor").alias("open_minor")
    items = _open(_reduce(items.with_columns(unpaid), allocations, "debit_id"))
    credits = _open(_reduce(credits.with_columns(unpaid), allocations, "credit_id"))
    paid = _as_paid(allocations).join(items, on="item_id", how="semi")
    return OpenState(items, credits, paid, charges_booked.join(items, on="item_id", how="semi"))


def make_booking(
    deltas: pl.DataFrame, items: pl.DataFrame, *, id_from: int, known_ids: pl.DataFrame | None = None
) -> Booking:
    """Turn late-charge deltas per principal item and day into items.

    `deltas`: ITEMS columns of the principal, `accrued_to_on`, `delta_minor` (not zero), `nth`. A positive
    delta is a debt issued and due on the day accrued to; a negative one a free credit of that day, designated
    to the oldest charge in `items` of the same principal and day accrued to, else of the same principal.
    """
    if deltas.is_empty():
        return Booking(empty(ITEMS), empty(CREDITS), empty(CHARGES_BOOKED))
    named = deltas.with_columns(key=_charge_key()).sort("key")
    named = named.with_columns(new_id=id_from + pl.int_range(pl.len(), dtype=pl.Int64))
    if known_ids is not None:
        known = known_ids.select(key="item_key", known_id="item_id")
        named = named.join(known, on="key", how="left", maintain_order="left").with_columns(
            new_id=pl.coalesce("known_id", "new_id")
        )
    return Booking(
        _charges(named.filter(pl.col("delta_minor") > 0)),
        _charge_credits(named.filter(pl.col("delta_minor") < 0), items),
        conform(named.select("item_id", "accrued_to_on", amount_minor="delta_minor"), CHARGES_BOOKED),
    )


def _charge_key() -> pl.Expr:
    """Name a late-charge item: principal, LC (debt) or LCR (credit), day accrued to, `#n` from the second."""
    kind = pl.when(pl.col("delta_minor") > 0).then(pl.lit("LC")).otherwise(pl.lit("LCR"))
    suffix = pl.when(pl.col("nth") > 1).then(pl.format("#{}", pl.col("nth"))).otherwise(pl.lit(""))
    return pl.format("{}:{}:{}{}", "item_key", kind, pl.col("accrued_to_on").dt.strftime("%Y%m%d"), suffix)


def first_key(charge_key: str) -> pl.Expr:
    """Return the key of the first item of a charge, from the key of any of its items."""
    return pl.col(charge_key).str.replace(r"#\d+$", "")


def _overdue_principals(items: pl.DataFrame, on: date, rules: Rules) -> pl.DataFrame:
    return items.filter(
        (pl.col("overdue_from_on") <= on)
        & (pl.col("issued_on") <= on)
        & (pl.col("open_minor") > 0)
        & pl.col("component").is_in(rules.late_charge_components)
        & pl.col("charge_of").is_null()
    )


def _charge_deltas(
    principals: pl.DataFrame,
    paid: pl.DataFrame,
    booked: pl.DataFrame,
    holds: pl.DataFrame,
    on: date,
    rules: Rules,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the non-zero deltas target - booked (input of `make_booking`), and issues for items without a
    rate.
    """
    if principals.is_empty():
        return principals.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in _DELTA.items()), no_issues()
    stopping = holds.filter(pl.col("stops_late_charge")).join(principals, on="contract_id", how="semi")
    accrued = late_charge.target(principals, _by_day(paid, principals), rules.late_charge, stopping, on)
    due = principals.join(
        accrued.select("item_id", target_minor="amount_minor"), on="item_id", how="left", maintain_order="left"
    ).join(_booked_so_far(booked, principals, on), on="item_id", how="left", maintain_order="left")
    deltas = due.with_columns(
        accrued_to_on=pl.lit(on),
        delta_minor=money.narrow(money.exact("target_minor") - money.exact("booked_minor").fill_null(0)),
        nth=pl.col("nth").fill_null(1),
    ).filter(pl.col("delta_minor") != 0)
    return deltas.select(*ITEMS, *_DELTA), _without_rate(due.filter(pl.col("target_minor").is_null()))


def _booked_so_far(booked: pl.DataFrame, principals: pl.DataFrame, on: date) -> pl.DataFrame:
    theirs = booked.join(principals, on="item_id", how="semi")
    return theirs.group_by("item_id").agg(
        booked_minor=money.exact_sum("amount_minor"),
        nth=(pl.col("accrued_to_on") == on).sum().cast(pl.Int64) + 1,
    )


def _by_day(paid: pl.DataFrame, principals: pl.DataFrame) -> pl.DataFrame:
    """Net the pieces of each item and day: a piece reversed later was never paid."""
    theirs = paid.join(principals, on="item_id", how="semi")
    return theirs.group_by("item_id", "value_on").agg(money.exact_sum("amount_minor")).sort("item_id", "value_on")


def _without_rate(items: pl.DataFrame) -> pl.DataFrame:
    if items.is_empty():
        return no_issues()
    detail = pl.format("no late-charge rate in force for class {}", pl.col("class").fill_null("(none)"))
    return issue(items, kind="NO_LATE_CHARGE_RATE", key=pl.col("item_key"), field="class", detail=detail)


def _charges(deltas: pl.DataFrame) -> pl.DataFrame:
    """Make debit items; a charge is due at once, overdue the day after, and bears no charge itself."""
    day = pl.col("accrued_to_on")
    rows = deltas.with_columns(
        item_id="new_id",
        item_key="key",
        component=pl.lit(LATE_CHARGE),
        subject=pl.lit(RECEIVABLE_LATE_CHARGE),
        amount_minor="delta_minor",
        open_minor="delta_minor",
        issued_on=day,
        due_on=day,
        overdue_from_on=day + timedelta(days=1),
        charge_of="item_id",
    )
    return conform(rows, ITEMS)


def _charge_credits(deltas: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    if deltas.is_empty():
        return empty(CREDITS)
    lowered = pl.col("delta_minor") * -1
    rows = deltas.join(_oldest_charges(deltas, items), on="key", how="left", maintain_order="left").with_columns(
        item_id="new_id",
        item_key="key",
        subject=pl.lit(UNAPPLIED),
        amount_minor=lowered,
        open_minor=lowered,
        value_on="accrued_to_on",
        state=pl.lit(FREE),
    )
    return conform(rows, CREDITS)


def _oldest_charges(deltas: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Find for each lowered charge the item it names: the same day's charge first, else the oldest."""
    charges = items.select("due_on", charge_key="item_key", designation="item_id", item_id="charge_of")
    return (
        deltas.select("item_id", "key", "accrued_to_on")
        .join(charges, on="item_id")
        .sort(pl.col("due_on") != pl.col("accrued_to_on"), "due_on", "charge_key")
        .unique("key", keep="first", maintain_order=True)
        .select("key", "designation")
    )


def _reduce(items: pl.DataFrame, pieces: pl.DataFrame, side: str) -> pl.DataFrame:
    """Subtract the pieces of a side from the open amounts of its items."""
    if pieces.is_empty():
        return items
    taken = pieces.group_by(pl.col(side).alias("item_id")).agg(taken=money.exact_sum("amount_minor"))
    per_item = items.select("item_id").join(taken, on="item_id", how="left", maintain_order="left")["taken"]
    items = items.with_columns(open_minor=pl.col("open_minor") - per_item.fill_null(0))
    wrong = items.filter((pl.col("open_minor") < 0) | (pl.col("open_minor") > pl.col("amount_minor")))
    if not wrong.is_empty():
        raise OverApplied(f"{side}: {wrong.height} items, first {wrong['item_key'][0]}")
    return items


def _joined(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Append rows; a frame that is appended to every day is made whole again now and then."""
    if new.is_empty():
        return old
    joined = pl.concat([old, new])
    return joined.rechunk() if joined.n_chunks() > _CHUNKS_MAX else joined


def _open(items: pl.DataFrame) -> pl.DataFrame:
    return items.filter(pl.col("open_minor") > 0)


def _as_paid(pieces: pl.DataFrame) -> pl.DataFrame:
    return pieces.select("value_on", "amount_minor", item_id="debit_id").select(list(PAID))
