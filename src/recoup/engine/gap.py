"""The gap to a target: how much is missing, and the debtors that make it, ranked, with who cares for them.

Gap = target x receivable - received in the rate's own base (current: debts of this year), rounded once. The debtors
with the largest open amounts in that base come first, until their sum reaches the gap; the rest is counted.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

import polars as pl

from recoup.core import money
from recoup.core.indicators import (
    MEASURES,
    gap_minor,
    order_debtors,
    receivable_in,
    received_in,
    run_through,
    share_ppm,
)
from recoup.database.connect import database_name
from recoup.domains.access.models import WHOLE_BOOK
from recoup.domains.access.scope import Scope, scope_of_unit
from recoup.domains.analytics.care import find_care
from recoup.domains.analytics.operations import TargetRefused
from recoup.domains.analytics.queries import TargetSet, find_target, list_targets, list_units_above
from recoup.engine import lake
from recoup.engine.debtors import find_debtors, owed_in, read_debtors
from recoup.engine.figures import as_major, as_share, find_run
from recoup.engine.figures_known import View, sum_debts
from recoup.engine.indicator_sheet import read_sheet, share_by
from recoup.engine.runs import Connection, last_done_on

DEFAULT_MEASURE = "current"
ROWS_SHOWN = 200


class Missing(NamedTuple):
    """A rate against its target, in minor units; the gap is null without a target or anything receivable."""

    measure: str
    target: TargetSet | None
    receivable_minor: int
    received_minor: int
    share_ppm: int | None
    gap_minor: int | None


class Wanted(NamedTuple):
    """Which gap list: of a unit and what lies below it, in the base of a rate, `limit` rows from `offset` on."""

    measure: str = DEFAULT_MEASURE
    unit: str = WHOLE_BOOK
    limit: int | None = ROWS_SHOWN
    offset: int = 0
    needed_only: bool = True


def compare_with_target(bases: pl.DataFrame, measure: str, target: TargetSet | None) -> Missing:
    """Compare one row of bases (core.indicators SUMS) with a target."""
    wanted = pl.lit(target.share_ppm if target else None, pl.Int64)
    row = bases.with_columns(target_ppm=wanted).select(
        receivable_in(measure).alias("receivable"),
        received_in(measure).alias("received"),
        share_ppm(received_in(measure), receivable_in(measure)).alias("share"),
        gap_minor(measure).alias("gap"),
    )
    return Missing(measure, target, *row.row(0))


class Counted(NamedTuple):
    """How many debtors, and what they owe in the base together."""

    contracts: int
    minor: int


class _Ranked(NamedTuple):
    """All debtors, the needed ones, the others, counted; and the rows that are asked for."""

    counted: tuple[Counted, Counted, Counted]
    shown: pl.DataFrame


type Rank = Callable[[Wanted, int], _Ranked]


class GapList(NamedTuple):
    """A gap and the debtors that make it. `rows` are those asked for, amounts in minor units (keys end in `_minor`)."""

    on: date
    known_at: datetime | None
    wanted: Wanted
    missing: Missing
    debtors: Counted
    needed: Counted
    rest: Counted
    rows: list[dict[str, Any]]


def list_gap(
    connection: Connection, scope: Scope, on: date | None, denom: str, wanted: Wanted, *, live: bool = False
) -> GapList:
    """List the debtors that make the gap of a unit within the scope; the caller ends the read.

    The sums and debtors are the day's prepared ones, or (`live`, or when there are none) read from the book as known
    now. Raises NothingClosed for a day never closed, TargetRefused for a measure there is none of.
    """
    if wanted.measure not in MEASURES:
        raise TargetRefused(f"no measure {wanted.measure}: give one of {', '.join(MEASURES)}")
    within = narrow_scope(scope, wanted.unit)
    found = _read(connection, within, on, denom, live=live)
    targets = list_targets(connection, found.on)
    target = find_target(targets, list_units_above(connection, wanted.unit), wanted.measure)
    missing = compare_with_target(found.bases, wanted.measure, target)
    ranked = found.rank(wanted, missing.gap_minor or 0)
    return GapList(
        found.on,
        found.known_at,
        wanted,
        missing,
        *ranked.counted,
        _care_for(connection, within, found.on, ranked.shown),
    )


def narrow_scope(scope: Scope, unit: str) -> Scope:
    """The part of a scope that belongs to a unit and what lies below it."""
    asked = scope_of_unit(unit)
    if scope.units is None or asked.units is None:
        return asked if scope.units is None else scope
    return Scope(scope.units & asked.units)


class _Found(NamedTuple):
    """The day, its bases and how its debtors are ranked, all as known at one and the same moment (null: now)."""

    on: date
    known_at: datetime | None
    bases: pl.DataFrame
    rank: Rank


def _read(connection: Connection, scope: Scope, on: date | None, denom: str, *, live: bool) -> _Found:
    if not live:
        sheet = read_sheet(connection, scope, on, denom)
        day = sheet.prepared
        if day is not None and find_debtors(day.debtors_file, scope) is not None:
            rank = partial(_rank_prepared, database_name(), day.debtors_file, scope)
            return _Found(sheet.on, day.prepared_at, share_by(sheet.figures), rank)
    run = find_run(connection, on)
    view = View(run.business_on, denom, scope=scope)
    with connection.cursor() as cursor:
        debtors = read_debtors(cursor, view).lazy()
        return _Found(run.business_on, None, share_by(sum_debts(cursor, view)), partial(rank_debtors, debtors))


@lru_cache(maxsize=128)
def _rank_prepared(database: str, file: str, scope: Scope, wanted: Wanted, missing_minor: int) -> _Ranked:
    """Rank prepared debtors; a file never changes under its name, so that an answer may be kept."""
    debtors = find_debtors(file, scope)
    assert debtors is not None
    return rank_debtors(debtors, wanted, missing_minor)


def rank_debtors(debtors: pl.LazyFrame, wanted: Wanted, missing_minor: int) -> _Ranked:
    """Rank the debtors by what they owe: the amounts alone of all of them, the rest of those shown."""
    owing = debtors.with_columns(owed_in(wanted.measure)).filter(pl.col("open_minor") > 0)
    amounts = run_through(owing.select("open_minor").sort("open_minor", descending=True).collect(), missing_minor)
    needed = int(amounts["is_needed"].sum())
    last = needed if wanted.needed_only else amounts.height
    end = last if wanted.limit is None else min(last, wanted.offset + wanted.limit)
    running = amounts.slice(wanted.offset, max(0, end - wanted.offset))
    # Below the least amount shown nobody is shown: that leaves few rows to sort and read whole.
    some = owing.filter(pl.col("open_minor") >= running["open_minor"].min()) if running.height else owing.head(0)
    shown = order_debtors(some).slice(wanted.offset, running.height).collect()
    counted = (_count(amounts), _count(amounts.head(needed)), _count(amounts.slice(needed)))
    return _Ranked(counted, pl.concat([shown, running.drop("open_minor")], how="horizontal"))


def _count(debtors: pl.DataFrame) -> Counted:
    return Counted(debtors.height, debtors.select(money.exact_sum("open_minor")).item() or 0)


def _care_for(connection: Connection, scope: Scope, on: date, shown: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows with what the desk knows of them."""
    ids = shown["contract_id"].to_list()
    if not ids:
        return []
    today = (last_done_on(connection) or on) + timedelta(days=1)
    care = find_care(connection, scope, ids, today)
    stages = _read_stages(connection, on, ids)
    return [
        {**row, **care[row["contract_id"]]._asdict(), "stage": stages.get(row["contract_id"])}
        for row in shown.to_dicts()
        if row["contract_id"] in care
    ]


def _read_stages(connection: Connection, on: date, contract_ids: list[int]) -> dict[int, int]:
    """Stage of contracts after the decision of the day."""
    files = [lake.lake_folder() / name for name in find_run(connection, on).files]
    if not all(path.is_file() for path in files):
        return {}
    stage = pl.when(pl.col("action").is_null()).then("stage_from").otherwise("stage_to")
    rows = pl.scan_parquet(files).filter(pl.col("contract_id").is_in(contract_ids)).select("contract_id", stage=stage)
    return dict(rows.collect().iter_rows())


def describe_missing(missing: Missing, digits: int) -> dict[str, Any]:
    """A rate against its target as a document: decimal strings, shares of six digits."""
    target = missing.target
    return {
        "measure": missing.measure,
        "target": as_share(target.share_ppm if target else None),
        "target_of": target and target.org_unit,
        "target_set_by": target and target.set_by,
        "receivable": as_major(missing.receivable_minor, digits),
        "received": as_major(missing.received_minor, digits),
        "rate": as_share(missing.share_ppm),
        "gap": None if missing.gap_minor is None else as_major(missing.gap_minor, digits),
    }


def describe_gap(found: GapList, denom: str, digits: int) -> dict[str, Any]:
    """A gap list as a document: amounts as decimal strings in major units, days as ISO texts."""
    counted = {"debtors": found.debtors, "needed": found.needed, "rest": found.rest}
    return {
        "as_of": found.on.isoformat(),
        "unit": found.wanted.unit,
        "denom": denom,
        **describe_missing(found.missing, digits),
        **{name: {"contracts": n, "amount": as_major(minor, digits)} for name, (n, minor) in counted.items()},
        "rows": [_describe_row(row, digits) for row in found.rows],
    }


_TOLD = (
    *("rank", "account_no", "contract_key", "name", "org_unit", "unit_name", "class", "open_minor", "through_minor"),
    *("is_needed", "oldest_overdue_days", "stage", "owners", "contact_on", "contact_channel", "contact_result"),
    *("promise_on", "promise_minor", "held_for", "held_until"),
)


def _describe_row(row: dict[str, Any], digits: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in _TOLD:
        value = row[name]
        if name.endswith("_minor"):
            told[name.removesuffix("_minor")] = None if value is None else as_major(value, digits)
        else:
            told[name] = value.isoformat() if isinstance(value, date) else value
    return told
