"""The simulator against its targets: delays, lateness by customer and monthly rolls of a history of bills.

Each target is a public figure (docs/guides/demo-city.md) with a tolerance stated beforehand. Late is at least one
day after the due day; arrears are a month (30 days) or more.
"""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core.frames import Schema

HISTORY: Schema = {
    "contract_id": pl.Int64(),
    "issued_on": pl.Date(),
    "due_on": pl.Date(),
    "closed_on": pl.Date(),
}

# One row per target. `measured` is null when the history is too short to say. PPM or DAYS.
REALISM: Schema = {
    "measure": pl.String(),
    "unit": pl.String(),
    "target": pl.Int64(),
    "measured": pl.Int64(),
    "tolerance": pl.Int64(),
    "cases": pl.Int64(),
    "ok": pl.Boolean(),
}


class Target(NamedTuple):
    """A public figure and how far the simulator may be from it, both in `unit`."""

    measure: str
    unit: str
    target: int
    tolerance: int


TARGETS = (
    Target("delay_p05", "DAYS", -24, 3),
    Target("delay_p25", "DAYS", -12, 3),
    Target("delay_p50", "DAYS", -4, 3),
    Target("delay_p75", "DAYS", 5, 3),
    Target("delay_p90", "DAYS", 13, 3),
    Target("delay_p95", "DAYS", 18, 3),
    Target("delay_p99", "DAYS", 26, 3),
    Target("late_share", "PPM", 356_000, 60_000),
    Target("customer_late_share_p25", "PPM", 100_000, 60_000),
    Target("customer_late_share_p50", "PPM", 200_000, 60_000),
    Target("customer_late_share_p75", "PPM", 700_000, 60_000),
    Target("roll_current_to_late", "PPM", 60_000, 20_000),
    Target("roll_two_months_to_current", "PPM", 250_000, 50_000),
    Target("roll_two_months_to_one", "PPM", 100_000, 50_000),
    Target("roll_two_months_stays", "PPM", 580_000, 50_000),
    Target("roll_three_months_to_current", "PPM", 100_000, 50_000),
)

MONTH_DAYS = 30
_CUSTOMER_BILLS = 6
_PPM = 1_000_000
_ROLLS = {
    "roll_two_months_to_current": (2, 0),
    "roll_two_months_to_one": (2, 1),
    "roll_two_months_stays": (2, 2),
    "roll_three_months_to_current": (3, 0),
}

type Measured = dict[str, tuple[int | None, int]]


def measure(history: pl.DataFrame, as_of: date, *, targets: tuple[Target, ...] = TARGETS) -> pl.DataFrame:
    """Measure a history of principal bills (HISTORY; `closed_on` null while open) at the end of a day: REALISM.

    Delays count bills due 30 days ago or longer and paid within 30 days of the due day; late shares count bills past
    due, paid or not, customers with at least six of them; rolls compare the first days of successive months.
    """
    known = history.filter(pl.col("issued_on") <= as_of).with_columns(
        closed_on=pl.when(pl.col("closed_on") <= as_of).then("closed_on")
    )
    measured = _measure_delays(known, as_of) | _measure_lateness(known, as_of) | _measure_rolls(known, as_of)
    return _against(targets, measured)


def _against(targets: tuple[Target, ...], measured: Mapping[str, tuple[int | None, int]]) -> pl.DataFrame:
    rows = [(*t[:3], measured[t.measure][0], t.tolerance, measured[t.measure][1]) for t in targets]
    columns = [name for name in REALISM if name != "ok"]
    frame = pl.DataFrame(rows, schema={name: REALISM[name] for name in columns}, orient="row")
    near = (pl.col("measured") - pl.col("target")).abs() <= pl.col("tolerance")
    return frame.with_columns(ok=near.fill_null(False))


def _measure_delays(known: pl.DataFrame, as_of: date) -> Measured:
    delay = (pl.col("closed_on") - pl.col("due_on")).dt.total_days()
    settled = known.select("due_on", delay=delay).filter(
        (pl.col("due_on") <= pl.lit(as_of).dt.offset_by(f"-{MONTH_DAYS}d")) & (pl.col("delay") < MONTH_DAYS)
    )
    percents = (5, 25, 50, 75, 90, 95, 99)
    return {f"delay_p{p:02}": (_quantile(settled["delay"], p), settled.height) for p in percents}


def _measure_lateness(known: pl.DataFrame, as_of: date) -> Measured:
    due = known.filter(pl.col("due_on") < as_of)
    late = (pl.col("closed_on") > pl.col("due_on")).fill_null(True).cast(pl.Int64)
    customers = due.group_by("contract_id").agg(late=late.sum(), bills=pl.len().cast(pl.Int64))
    seen = customers.filter(pl.col("bills") >= _CUSTOMER_BILLS)
    shares = seen.select(share=pl.col("late") * _PPM // pl.col("bills"))["share"]
    measured: Measured = {"late_share": (_share(int(customers["late"].sum()), due.height), due.height)}
    for percent in (25, 50, 75):
        measured[f"customer_late_share_p{percent}"] = (_quantile(shares, percent), seen.height)
    return measured


def _measure_rolls(known: pl.DataFrame, as_of: date) -> Measured:
    """Count the moves between month starts. Months late: whole 30-day steps of the oldest open bill, at most 3."""
    counts: dict[tuple[int, int], int] = {}
    months = _month_starts(known, as_of)
    before = None
    for on in months:
        states = _months_late(known, on)
        if before is not None:
            moves = before.join(states, on="contract_id", how="inner", suffix="_after")
            tally = moves.group_by("months", "months_after").len()
            for months_from, months_to, count in tally.rows():
                move = (months_from, months_to)
                counts[move] = counts.get(move, 0) + count
        before = states
    return _roll_shares(counts)


def _roll_shares(counts: Mapping[tuple[int, int], int]) -> Measured:
    totals = {m: sum(c for (a, _), c in counts.items() if a == m) for m in range(4)}
    to_late = totals[0] - counts.get((0, 0), 0)
    measured: Measured = {"roll_current_to_late": (_share(to_late, totals[0]), totals[0])}
    for name, move in _ROLLS.items():
        measured[name] = (_share(counts.get(move, 0), totals[move[0]]), totals[move[0]])
    return measured


def _month_starts(known: pl.DataFrame, as_of: date) -> list[date]:
    if known.is_empty():
        return []
    first = known.select(pl.col("issued_on").min().dt.month_start()).item()
    return pl.date_range(first, as_of, "1mo", eager=True).to_list()


def _months_late(known: pl.DataFrame, on: date) -> pl.DataFrame:
    """State at the end of a day of every contract ever billed: contract_id, months (0 when nothing is 30 days late)."""
    is_open = pl.col("closed_on").is_null() | (pl.col("closed_on") > on)
    late_days = (pl.lit(on) - pl.col("due_on")).dt.total_days()
    months = pl.when(is_open).then(late_days // MONTH_DAYS).max().fill_null(0).clip(0, 3)
    billed = known.filter(pl.col("issued_on") <= on)
    return billed.group_by("contract_id").agg(months=months)


def _quantile(values: pl.Series, percent: int) -> int | None:
    """The value at a percentile, the nearest one present."""
    ordered = values.sort()
    return int(ordered[(ordered.len() - 1) * percent // 100]) if ordered.len() else None


def _share(part: int, whole: int) -> int | None:
    return part * _PPM // whole if whole else None
