"""Late facts: derive groups afresh on their true days and book the difference (design: target - booked).

Grain of the difference: a late charge per (principal item, day accrued to), a piece per (credit, debit, value
day). Facts are bills, payments, designations and holds; charges and pieces are derived. History is replayed
with the very `settle` of every day, so a group derived afresh and a group kept from day to day cannot
disagree.

A charge booked with another amount than the replay's is not changed: the delta is an item of its own (`#2`,
...). The items of one (principal, day), debts less credits, stand for the one charge of the replay: their
credits are applied to their debts, and the replay's pieces are dealt over what remains, in key order.
"""

from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from recoup.core import money
from recoup.core.allocation import DESIGNATED, FREE, overlap
from recoup.core.flows.settle import (
    LOWERED_PRINCIPAL,
    Booking,
    OpenState,
    apply_settlement,
    first_key,
    make_booking,
    open_state,
    settle,
)
from recoup.core.frames import ALLOCATIONS, CHARGES_BOOKED, CREDITS, ITEMS, conform, empty
from recoup.core.outcome import Outcome, gather, issue
from recoup.core.rules import Rules

REVERSED = "REVERSED"

# Charges of a replay wear ids below every real one until they are booked.
_REPLAY_ID_FROM = -(2**62)
# A charge: its principal item and the day it is accrued to.
_CHARGE = ["charge_of", "accrued_to_on"]


class _Facts(NamedTuple):
    """History cut at a day: what stays as it is, and the late-charge items booked since, to be derived
    afresh.
    """

    start: OpenState
    charges: pl.DataFrame
    charge_credits: pl.DataFrame


class _Replay(NamedTuple):
    """What should have been booked since the day."""

    charges: pl.DataFrame
    charge_credits: pl.DataFrame
    charges_booked: pl.DataFrame
    pieces: pl.DataFrame
    issues: pl.DataFrame


def rederive(
    items: pl.DataFrame,
    credits: pl.DataFrame,
    allocations_booked: pl.DataFrame,
    charges_booked: pl.DataFrame,
    holds: pl.DataFrame,
    on: date,
    rules: Rules,
    *,
    id_from: int,
    from_on: date | None = None,
) -> Outcome:
    """Derive groups afresh up to and including `on` and return what is to be booked, the same frames as
    `settle`.

    The groups come with their whole history: `items` every debit item ever, late charges included, with the
    true amount (0 for a bill cancelled as of its own day) and true `issued_on`; `credits` every credit item
    ever with full amount, true `value_on` and present state (a bounced payment is not FREE); every piece and
    every charge booked. `open_minor` is ignored. `from_on`: nothing before that day changed, so what was
    booked before it stays and the replay starts there; null replays everything. Raises OverApplied when
    `from_on` is too late.

    After the outcome, per key, booked + delta = replay: `charges`/`charge_credits`/`charges_booked` per
    (principal, accrued to), `allocations` per (credit, debit, value day), where less than booked is negative
    with rule REVERSED. Issues: those of `settle`, and charges booked on a principal item that is not given.
    """
    items = conform(items, ITEMS)
    credits = _with_charge_of(conform(credits, CREDITS), items)
    since = from_on or date.min
    facts = _cut(items, credits, allocations_booked, charges_booked, since)
    replay = _replay(facts, items, holds, on, rules, from_on)
    booked = charges_booked.filter(pl.col("accrued_to_on") >= since)
    deltas, orphans = _charge_deltas(replay, booked, facts, items)
    booking = make_booking(deltas, facts.charges, id_from=id_from)
    wanted = _wanted_pieces(replay, facts, items, booking)
    pieces = _piece_deltas(
        wanted,
        allocations_booked.filter(pl.col("value_on") >= since),
        pl.concat([items, booking.charges]),
        pl.concat([conform(credits, CREDITS), booking.charge_credits]),
    )
    return Outcome({**booking._asdict(), "allocations": pieces}, gather([replay.issues, orphans]))


def _with_charge_of(credits: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Add `charge_of` to credits: the principal whose late charge it lowers, read from its key; null for
    money.
    """
    principals = items.filter(pl.col("charge_of").is_null()).select(principal="item_key", charge_of="item_id")
    return credits.with_columns(principal=pl.col("item_key").str.extract(LOWERED_PRINCIPAL, 1)).join(
        principals, on="principal", how="left", maintain_order="left"
    )


def _cut(
    items: pl.DataFrame,
    credits: pl.DataFrame,
    allocations: pl.DataFrame,
    charges_booked: pl.DataFrame,
    since: date,
) -> _Facts:
    """Cut history: the open state before `since`, and the late-charge items since."""
    derived_items = pl.col("charge_of").is_not_null() & (pl.col("due_on") >= since)
    derived_credits = pl.col("charge_of").is_not_null() & (pl.col("value_on") >= since)
    charges = items.filter(derived_items).with_columns(accrued_to_on="due_on")
    kept = credits.filter(~derived_credits)
    start = open_state(
        items.filter(~derived_items),
        conform(_designate_first(kept, charges), CREDITS),
        allocations.filter(pl.col("value_on") < since),
        charges_booked.filter(pl.col("accrued_to_on") < since),
    )
    return _Facts(start, charges, credits.filter(derived_credits).with_columns(accrued_to_on="value_on"))


def _firsts(charges: pl.DataFrame) -> pl.DataFrame:
    """Return for every booked charge item the first item of the same charge, which stands for all in a
    replay.
    """
    first = charges.sort("item_key").group_by(_CHARGE).agg(first_id=pl.col("item_id").first())
    return charges.select("item_id", "item_key", *_CHARGE).join(first, on=_CHARGE)


def _designate_first(credits: pl.DataFrame, charges: pl.DataFrame) -> pl.DataFrame:
    firsts = _firsts(charges).select("first_id", designation="item_id")
    return credits.join(firsts, on="designation", how="left", maintain_order="left").with_columns(
        designation=pl.coalesce("first_id", "designation")
    )


def _replay(
    facts: _Facts, items: pl.DataFrame, holds: pl.DataFrame, on: date, rules: Rules, from_on: date | None
) -> _Replay:
    """Settle every day on which something happens, in order, from the state at the start."""
    state = facts.start
    known_ids = _firsts(facts.charges).select(item_key=first_key("item_key"), item_id="first_id").unique()
    days: list[Outcome] = []
    id_from = _REPLAY_ID_FROM
    for day in _event_days(state, from_on, on):
        law = rules.at(day)
        outcome = settle(*state, holds, day, law, month_end=_is_month_end(day), id_from=id_from, known_ids=known_ids)
        id_from += outcome.frames["charges_booked"].height
        state = apply_settlement(*state, outcome)
        days.append(outcome)
    return _collect(days, items)


def _collect(days: list[Outcome], items: pl.DataFrame) -> _Replay:
    def all_of(name: str, nothing: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([nothing, *(day.frames[name] for day in days)])

    charge_credits = _with_charge_of(all_of("charge_credits", empty(CREDITS)), items)
    return _Replay(
        all_of("charges", empty(ITEMS)).with_columns(accrued_to_on="due_on"),
        charge_credits.with_columns(accrued_to_on="value_on"),
        all_of("charges_booked", empty(CHARGES_BOOKED)),
        all_of("allocations", empty(ALLOCATIONS)),
        gather(day.issues for day in days).unique(maintain_order=True),
    )


def _is_month_end(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def _event_days(state: OpenState, from_on: date | None, on: date) -> list[date]:
    """List the days on which settling can change something: issue, value, month-end days, and the start."""
    free = state.credits.filter(pl.col("state") == FREE)
    happened = pl.concat([state.items["issued_on"], free["value_on"]]).unique()
    days = set(happened.to_list()) | ({from_on} if from_on else set())
    overdue = state.items["overdue_from_on"].min()
    if isinstance(overdue, date) and overdue <= on:
        days |= {end for end in pl.date_range(overdue, on, eager=True).to_list() if _is_month_end(end)}
    return sorted(day for day in days if (from_on or date.min) <= day <= on)


def _charge_deltas(
    replay: _Replay, booked: pl.DataFrame, facts: _Facts, items: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return target - booked per charge as input of `make_booking`, and issues for principals not given."""
    both = pl.concat([replay.charges_booked, booked.with_columns(pl.col("amount_minor") * -1)])
    sums = both.group_by("item_id", "accrued_to_on").agg(delta_minor=money.exact_sum("amount_minor"))
    sums = sums.filter(pl.col("delta_minor") != 0)
    made = pl.concat([facts.charges.select(_CHARGE), facts.charge_credits.select(_CHARGE)])
    made = made.group_by(item_id="charge_of", accrued_to_on="accrued_to_on").agg(made=pl.len().cast(pl.Int64))
    deltas = (
        items.join(sums, on="item_id", maintain_order="left")
        .join(made, on=["item_id", "accrued_to_on"], how="left", maintain_order="left")
        .with_columns(nth=pl.col("made").fill_null(0) + 1)
    )
    lost = sums.join(items, on="item_id", how="anti").sort("item_id", "accrued_to_on")
    detail = pl.format("{} minor units accrued to {}", "delta_minor", "accrued_to_on")
    return deltas, issue(lost, kind="CHARGE_WITHOUT_ITEM", key=pl.col("item_id"), field="item_id", detail=detail)


def _wanted_pieces(replay: _Replay, facts: _Facts, items: pl.DataFrame, booking: Booking) -> pl.DataFrame:
    """Return the replay's pieces on booked and new items: ALLOCATIONS."""
    new_credits = _with_charge_of(booking.charge_credits, items).with_columns(accrued_to_on="value_on")
    debits = _laid(pl.concat([facts.charges, booking.charges.with_columns(accrued_to_on="due_on")]))
    credits = _laid(pl.concat([facts.charge_credits, new_credits]))
    netted = overlap(debits, credits, _CHARGE)
    pieces = _deal(replay.pieces, replay.charges, _less(debits, netted, "left_row"), "debit_id")
    pieces = _deal(pieces, replay.charge_credits, _less(credits, netted, "right_row"), "credit_id")
    return pl.concat([pieces, _netting_pieces(netted, debits, credits)])


def _laid(charges: pl.DataFrame) -> pl.DataFrame:
    return charges.sort(*_CHARGE, "item_key").with_row_index("row")


def _less(slots: pl.DataFrame, netted: pl.DataFrame, side: str) -> pl.DataFrame:
    """Return what is left of the charge items for the replay's pieces."""
    taken = netted.group_by(pl.col(side).alias("row")).agg(taken=money.exact_sum("amount_minor"))
    left = slots.join(taken, on="row", how="left", maintain_order="left").with_columns(
        amount_minor=pl.col("amount_minor") - pl.col("taken").fill_null(0)
    )
    return left.filter(pl.col("amount_minor") > 0).drop("row").with_row_index("row")


def _deal(pieces: pl.DataFrame, replayed: pl.DataFrame, slots: pl.DataFrame, side: str) -> pl.DataFrame:
    """Move the pieces on charges of the replay to the items that stand for them, in their order."""
    charges = replayed.select(*_CHARGE, pl.col("item_id").alias(side))
    moving = pieces.with_row_index("row").join(charges, on=side, maintain_order="left")
    staying = pieces.join(charges, on=side, how="anti", maintain_order="left")
    dealt = overlap(moving, slots, _CHARGE)
    moved = pieces.gather(dealt["left_row"]).with_columns(
        dealt["amount_minor"], slots["item_id"].gather(dealt["right_row"]).alias(side)
    )
    return pl.concat([staying, moved])


def _netting_pieces(netted: pl.DataFrame, debits: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Apply the credits of a charge to its debts on the day accrued to."""
    on_debts = debits.gather(netted["left_row"]).with_columns(
        netted["amount_minor"],
        credits["item_id"].gather(netted["right_row"]).alias("credit_id"),
        debit_id="item_id",
        value_on="accrued_to_on",
        rule=pl.lit(DESIGNATED),
    )
    return conform(on_debts, ALLOCATIONS)


def _piece_deltas(
    wanted: pl.DataFrame, booked: pl.DataFrame, items: pl.DataFrame, credits: pl.DataFrame
) -> pl.DataFrame:
    """Return wanted - booked per (credit, debit, value day), in the order of the day and the natural keys."""
    undo = conform(booked, ALLOCATIONS).with_columns(pl.col("amount_minor") * -1, rule=pl.lit(None, pl.String))
    deltas = (
        pl.concat([undo, wanted])
        .group_by("credit_id", "debit_id", "value_on")
        .agg(
            pl.col("group_id", "contract_id").first(),
            money.exact_sum("amount_minor"),
            pl.col("rule").drop_nulls().first(),
        )
        .filter(pl.col("amount_minor") != 0)
    )
    keyed = deltas.join(items.select(debit_id="item_id", debit_key="item_key"), on="debit_id", how="left").join(
        credits.select(credit_id="item_id", credit_key="item_key"), on="credit_id", how="left"
    )
    rule = pl.when(pl.col("amount_minor") < 0).then(pl.lit(REVERSED)).otherwise("rule")
    order = ["group_id", "value_on", "credit_key", "debit_key", "credit_id", "debit_id"]
    return conform(keyed.sort(order).with_columns(rule=rule), ALLOCATIONS)
