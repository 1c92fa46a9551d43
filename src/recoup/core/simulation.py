"""Seeded people: who pays what today, in a demonstration or an evaluation book, and how well they match real payers.

Nothing is remembered: what a customer does follows from the seed, the party's draw key, the days of the bill and
what is open now, so a killed and resumed cycle goes on as if nothing had happened. Everything made here is marked
as simulated by whoever stores it.

A bill is paid on its intended day (a draw from the customer's latent lateness) or skipped. No bill is paid before
an older one. Who has a bill a month overdue on the first of a month acts once in that month, on a day of their own,
and draws how many months late they will stand on the next first: the steps in which rolls are measured.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from recoup.core import money
from recoup.core.draws import draw_ppm, draw_u64
from recoup.core.frames import Schema

type Knots = Sequence[tuple[int, int]]

PAYMENTS: Schema = {
    "contract_id": pl.Int64(),
    "key": pl.String(),
    "amount_minor": pl.Int64(),
    "value_on": pl.Date(),
    "denom": pl.String(),
}


class Behaviour(NamedTuple):
    """How simulated customers pay: settings of the simulator, not law. Knots are (share in ppm, value) pairs.

    `lateness`: share of customers -> probability (ppm) that they pay a bill late; the jump makes the two humps.
    `early_days`, `late_days`: days after the due day (first day included, last excluded); the early ones for a
    term of `term_days`, scaled to other terms. A bill is skipped with `skip_ppm` (punctual, tardy from
    `tardy_from_ppm`). From `arrears_days` on it is arrears. `rolls`: per months late (1, 2, 3 or more whole steps of
    `month_days`) on the first of a month, the ppm of standing 0, 1 or 2 months late on the next; the rest pays nothing.
    """

    lateness: Knots
    early_days: Knots
    late_days: Knots
    term_days: int
    tardy_from_ppm: int
    skip_ppm: tuple[int, int]
    arrears_days: int
    month_days: int
    rolls: tuple[tuple[int, int, int], ...]


# Fitted to the public figures of docs/guides/demo-city.md as `realism.measure` measures them, and held to them by
# tests/core/test_simulation.py.
BEHAVIOUR = Behaviour(
    lateness=(
        (0, 15_000),
        (250_000, 70_000),
        (500_000, 95_000),
        (655_000, 270_000),
        (655_000, 500_000),
        (750_000, 550_000),
        (1_000_000, 970_000),
    ),
    early_days=((0, -30), (72_000, -24), (360_000, -12), (720_000, -4), (1_000_000, 1)),
    late_days=(
        (0, 1),
        (20_000, 2),
        (60_000, 4),
        (230_000, 6),
        (670_000, 13),
        (835_000, 18),
        (968_000, 26),
        (1_000_000, 28),
    ),
    term_days=30,
    tardy_from_ppm=400_000,
    skip_ppm=(20_000, 158_000),
    arrears_days=28,
    month_days=30,
    rolls=((690_000, 120_000, 0), (208_000, 97_000, 632_000), (62_000, 80_000, 280_000)),
)

_PPM = 1_000_000
_NOTHING = 1_000_000
_ACTING_DAYS = (2, 28)  # after the first, and in every month


class UnknownContract(Exception):
    """An open item belongs to no contract of the frame."""


def from_knots(share_ppm: pl.Expr, knots: Knots) -> pl.Expr:
    """Read a piecewise linear quantile function at `share_ppm` in [0, 10^6), rounded down, Int64."""
    value = pl.lit(knots[-1][1], dtype=pl.Int64)
    for (low, at_low), (high, at_high) in reversed(list(pairwise(knots))):
        if high > low:
            inside = at_low + (share_ppm - low) * (at_high - at_low) // (high - low)
            value = pl.when(share_ppm < high).then(inside).otherwise(value)
    return value


def simulate_payments(
    contracts: pl.DataFrame,
    items: pl.DataFrame,
    accrued: pl.DataFrame | None,
    on: date,
    *,
    seed: int,
    behaviour: Behaviour = BEHAVIOUR,
) -> pl.DataFrame:
    """Decide who pays what on a day: PAYMENTS, one row per paying contract and denom, amounts in minor units.

    `contracts` needs contract_id, contract_key, key64; `items` are open ITEMS before the day's receipts; `accrued`
    (item_id, amount_minor) are late charges asked today but not yet booked. Call it once a day: after settling,
    the same day would be lived twice. Raises UnknownContract.
    """
    open_items = items.lazy().filter(pl.col("open_minor") > 0)
    bills = _know_payers(open_items.filter(pl.col("charge_of").is_null()), contracts, on)
    judged = _judge(bills, seed, behaviour)
    paid = _choose_bills(judged, _choose_targets(bills, on, seed, behaviour), on, behaviour)
    charges = open_items.filter(pl.col("charge_of").is_not_null()).select("contract_id", "charge_of", *_ASKED)
    asked = [paid.lazy().select("contract_id", "denom", "open_minor")]
    asked += _charges_asked(charges.collect(), bills, paid, contracts, on, seed, behaviour)
    if accrued is not None:
        asked.append(_accrued_on(paid, accrued))
    return _as_payments(pl.concat(asked), contracts, on)


_ASKED = ("item_id", "denom", "open_minor", "issued_on", "due_on")


def _know_payers(debts: pl.LazyFrame, contracts: pl.DataFrame, on: date) -> pl.DataFrame:
    """Bring the draw key to each debt and count its days overdue."""
    due = pl.coalesce("due_on", "issued_on")
    known = (
        debts.select(
            "contract_id",
            "item_id",
            "denom",
            "open_minor",
            due_on=due,
            issued_on=pl.coalesce("issued_on", "due_on"),
            overdue_days=(pl.lit(on) - due).dt.total_days(),
        )
        .join(contracts.lazy().select("contract_id", "key64"), on="contract_id", how="left")
        .collect()
    )
    if known["key64"].null_count():
        raise UnknownContract(str(known.filter(pl.col("key64").is_null())["contract_id"][0]))
    return known


def _judge(bills: pl.DataFrame, seed: int, behaviour: Behaviour) -> pl.DataFrame:
    """Add `is_ready`: the intended day has come, and the bill is neither skipped nor arrears."""
    key = pl.col("key64")
    ppm = pl.lit(_PPM, dtype=pl.UInt64)
    parts = {"skip": pl.lit(1, dtype=pl.UInt64), "late": ppm, "day": ppm * ppm}
    drawn = (
        bills.lazy()
        .with_columns(
            customer=draw_ppm(key, seed=seed, purpose="simulation.lateness"),
            bill=draw_u64(key, seed=seed, purpose="simulation.bill", day=pl.col("due_on")),
        )
        .with_columns(
            from_knots(pl.col("customer"), behaviour.lateness).alias("lateness"),
            *(((pl.col("bill") // by) % ppm).cast(pl.Int64).alias(name) for name, by in parts.items()),
        )
    )
    return drawn.select(*bills.columns, is_ready=_is_ready(behaviour)).collect()


def _is_ready(behaviour: Behaviour) -> pl.Expr:
    tardy = pl.col("lateness") >= behaviour.tardy_from_ppm
    skip_ppm = pl.when(tardy).then(behaviour.skip_ppm[1]).otherwise(behaviour.skip_ppm[0])
    term = (pl.col("due_on") - pl.col("issued_on")).dt.total_days()
    early_days = from_knots(pl.col("day"), behaviour.early_days) * term // behaviour.term_days
    late_days = from_knots(pl.col("day"), behaviour.late_days)
    delay = pl.when(pl.col("late") < pl.col("lateness")).then(late_days).otherwise(early_days)
    overdue = pl.col("overdue_days")
    return (overdue >= delay) & (overdue < behaviour.arrears_days) & (pl.col("skip") >= skip_ppm)


def _months_late(on: date, behaviour: Behaviour) -> pl.Expr:
    """Whole months late on the day `on` of a debt due on `due_on`."""
    return (pl.lit(on) - pl.col("due_on")).dt.total_days() // behaviour.month_days


def _choose_targets(bills: pl.DataFrame, on: date, seed: int, behaviour: Behaviour) -> pl.DataFrame:
    """Choose, for contracts acting on their arrears today, the months they will be late next: contract_id, target."""
    month_on = on.replace(day=1)
    target = pl.lit(_NOTHING, dtype=pl.Int64)
    for late, chances in enumerate(behaviour.rolls, start=1):
        is_row = pl.col("months").clip(upper_bound=len(behaviour.rolls)) == late
        target = pl.when(is_row).then(_pick_target(pl.col("draw"), chances)).otherwise(target)
    key = pl.col("key64")
    first, last = _ACTING_DAYS
    acts_on = draw_ppm(key, seed=seed, purpose="simulation.day", day=month_on) * (last - first + 1) // _PPM + first
    return (
        bills.lazy()
        .with_columns(months=_months_late(month_on, behaviour))
        .filter((pl.col("months") >= 1) & (acts_on == on.day))
        .group_by("contract_id")
        .agg(pl.col("months").max(), pl.col("key64").first())
        .with_columns(draw=draw_ppm(key, seed=seed, purpose="simulation.arrears", day=month_on))
        .select("contract_id", target=target)
        .collect()
    )


def _pick_target(draw: pl.Expr, chances: tuple[int, int, int]) -> pl.Expr:
    target = pl.lit(_NOTHING, dtype=pl.Int64)
    for months in reversed(range(len(chances))):
        target = pl.when(draw < sum(chances[: months + 1])).then(months).otherwise(target)
    return target


def _choose_bills(judged: pl.DataFrame, targets: pl.DataFrame, on: date, behaviour: Behaviour) -> pl.DataFrame:
    """Choose the bills paid today; a bill that is due later never goes before one that is not paid.

    `target` is null but for contracts acting on their arrears.
    """
    bills = judged.lazy()
    next_on = (on.replace(day=28) + timedelta(days=4)).replace(day=1)
    acting = bills.join(targets.lazy(), on="contract_id", how="inner")
    chosen = acting.filter(_months_late(next_on, behaviour) > pl.col("target")).collect()
    ready = judged.filter("is_ready").join(chosen, on="item_id", how="anti").join(targets, on="contract_id", how="left")
    payers = pl.concat([chosen.select("contract_id"), ready.select("contract_id")]).lazy()
    blocking = (
        bills.filter(~pl.col("is_ready"))
        .join(payers, on="contract_id", how="semi")
        .join(chosen.lazy(), on="item_id", how="anti")
        .group_by("contract_id")
        .agg(blocked_from=pl.col("due_on").min())
    )
    in_order = pl.col("blocked_from").is_null() | (pl.col("due_on") <= pl.col("blocked_from"))
    free = ready.lazy().join(blocking, on="contract_id", how="left").filter(in_order).drop("blocked_from")
    return pl.concat([chosen.lazy(), free]).collect()


def _charges_asked(
    charges: pl.DataFrame,
    bills: pl.DataFrame,
    paid: pl.DataFrame,
    contracts: pl.DataFrame,
    on: date,
    seed: int,
    behaviour: Behaviour,
) -> list[pl.LazyFrame]:
    """Booked late charges paid today: those of the bills paid, and strays, whose bill is settled.

    A stray rides with a payment that leaves no arrears or, when its contract has no other debt, goes on its own day.
    """
    if charges.is_empty():
        return []
    owed = charges.lazy()
    stray = owed.join(bills.lazy().select(charge_of="item_id"), on="charge_of", how="anti")
    alone = _know_payers(stray.join(bills.lazy(), on="contract_id", how="anti"), contracts, on)
    never_skipped = behaviour._replace(skip_ppm=(0, 15_000), arrears_days=_NOTHING)
    clearing = paid.lazy().filter(pl.col("target").fill_null(0) == 0)
    parts = (
        owed.join(paid.lazy().select(charge_of="item_id"), on="charge_of", how="semi"),
        stray.join(clearing, on="contract_id", how="semi"),
        _judge(alone, seed, never_skipped).lazy().filter("is_ready"),
    )
    return [part.select("contract_id", "denom", "open_minor") for part in parts]


def _accrued_on(paid: pl.DataFrame, accrued: pl.DataFrame) -> pl.LazyFrame:
    """Late charges accrued but not yet booked on the bills paid (inner: the others are not asked today)."""
    asked = paid.lazy().drop("open_minor").join(accrued.lazy(), on="item_id", how="inner")
    return asked.select("contract_id", "denom", open_minor="amount_minor")


def _as_payments(asked: pl.LazyFrame, contracts: pl.DataFrame, on: date) -> pl.DataFrame:
    return (
        asked.group_by("contract_id", "denom")
        .agg(amount_minor=money.exact_sum("open_minor"))
        .filter(pl.col("amount_minor") > 0)
        .join(contracts.lazy().select("contract_id", "contract_key"), on="contract_id", how="left")
        .select(
            "contract_id",
            key=pl.format("SIM-{}-{}-{}", "contract_key", pl.lit(f"{on:%Y%m%d}"), "denom"),
            amount_minor="amount_minor",
            value_on=pl.lit(on),
            denom="denom",
        )
        .sort("key")
        .collect()
    )
