"""The sums of a day, prepared once and served fast: per station, class, measure and part, and the day's debtors.

`prepare` sums the book by true days under one snapshot (engine.figures_known) into `figure_sheet`. It runs at the end
of `recoup cycle` for the last closed day and every month end closed, and again for earlier prepared days that late
facts have changed; `recoup cutoff sign` prepares its day, `recoup figures prepare` any closed one.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from threading import Lock
from typing import NamedTuple

import polars as pl

from recoup.core import money
from recoup.core.hashing import content_hash
from recoup.core.indicators import SUMS, share_sums
from recoup.database.bulk import Cursor, read_rows
from recoup.database.connect import database_name
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.measures import FIGURE_KEY, FIGURES, Measure
from recoup.domains.analytics.operations import replace_sheet
from recoup.domains.analytics.queries import Prepared, find_prepared, list_cutoffs, list_prepared, read_figures
from recoup.engine.clock import now
from recoup.engine.debtors import drop_others, keep_debtors, read_debtors
from recoup.engine.figures import ClosedRun, find_run
from recoup.engine.figures_known import View, sum_figures
from recoup.engine.runs import Connection, current_snapshot, first_run_on, last_done_on


class Taken(NamedTuple):
    """The sums of a closed day as known under one snapshot."""

    run: ClosedRun
    view: View
    figures: pl.DataFrame
    content_hash: str


def hold_figures_lock(connection: Connection) -> None:
    """Wait until nobody else prepares or signs; freed at `free_figures_lock` or when the session ends."""
    connection.execute("SELECT pg_advisory_lock(hashtext('recoup_figures'))")
    connection.commit()


def free_figures_lock(connection: Connection) -> None:
    """Let others prepare or sign; what was not committed is given up."""
    connection.rollback()
    connection.execute("SELECT pg_advisory_unlock(hashtext('recoup_figures'))")
    connection.commit()


def take_figures(connection: Connection, on: date, denom: str) -> Taken:
    """Sum a closed day as known now, in a transaction that the caller commits; raise NothingClosed."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    run = find_run(connection, on)
    view = View(run.business_on, denom, current_snapshot(connection))
    with connection.cursor() as cursor:
        figures = sum_figures(cursor, view, run.files, first_run_on(connection))
    return Taken(run, view, figures, hash_figures(figures, run.business_on))


def hash_figures(figures: pl.DataFrame, on: date) -> str:
    """Hash the sums of a day: equal for equal sums, whatever their order."""
    return content_hash(figures.with_columns(business_on=pl.lit(on)), ("business_on", *FIGURE_KEY))


def store_sheet(connection: Connection, taken: Taken) -> Prepared:
    """Put the sums and debtors of a day in the place of those prepared before; the caller commits."""
    with connection.cursor() as cursor:
        debtors = read_debtors(cursor, taken.view)
        file = keep_debtors(debtors, taken.view)
        day = Prepared(
            taken.view.on,
            taken.run.run_no,
            taken.view.snapshot or "",
            now(),
            taken.view.denom,
            taken.content_hash,
            file,
        )
        replace_sheet(cursor, day, taken.figures)
    return day


def prepare(connection: Connection, on: date, denom: str) -> Prepared:
    """Prepare the sums of a closed day as known now and commit them; raise NothingClosed."""
    hold_figures_lock(connection)
    try:
        taken = take_figures(connection, on, denom)
        day = store_sheet(connection, taken)
        connection.commit()
        drop_others(taken.view, day.debtors_file)
        return day
    finally:
        free_figures_lock(connection)


def prepare_after_cycle(
    connection: Connection, start: date, end: date, denom: str, watch: Callable[[date], None] = lambda _: None
) -> list[date]:
    """Prepare the days that a cycle over `[start, end]` has made or changed; return them."""
    last = last_done_on(connection)
    connection.commit()
    if last is None:
        return []
    days = list_days_to_prepare(connection, start, min(end, last))
    for day in days:
        watch(day)
        prepare(connection, day, denom)
    _forget(connection, last)
    return days


def list_days_to_prepare(connection: Connection, start: date, end: date) -> list[date]:
    """Month ends and the last day of `[start, end]` not prepared yet, and prepared days that later facts changed."""
    known = {day.business_on: day for day in list_prepared(connection)}
    ends = [day for day in _days(start, end) if day == end or (day + timedelta(days=1)).day == 1]
    stale = [day.business_on for day in known.values() if _is_stale(connection, day)]
    connection.commit()
    return sorted({day for day in ends if day not in known} | set(stale))


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=offset) for offset in range((end - start).days + 1)]


_STALE = """
    SELECT EXISTS (
        SELECT FROM allocation WHERE value_on <= %(on)s AND booked_on > %(on)s
        AND NOT pg_visible_in_snapshot(recorded_tx, %(seen)s::pg_snapshot))
    OR EXISTS (
        SELECT FROM open_item WHERE least(issued_on, value_on) <= %(on)s AND (run_no IS NULL OR booked_on > %(on)s)
        AND NOT pg_visible_in_snapshot(recorded_tx, %(seen)s::pg_snapshot))
"""


def _is_stale(connection: Connection, day: Prepared) -> bool:
    """Whether a fact that is true by the day was told since its sums were taken."""
    row = connection.execute(_STALE, {"on": day.business_on, "seen": day.snapshot}).fetchone()
    return bool(row and row[0])


def _forget(connection: Connection, last: date) -> None:
    """Drop what was prepared for ordinary days of the past: month ends, signed days and the last one stay."""
    signed = {cutoff.business_on for cutoff in list_cutoffs(connection)}
    for day in list_prepared(connection):
        on = day.business_on
        if on < last and (on + timedelta(days=1)).day != 1 and on not in signed:
            connection.execute("DELETE FROM figure_sheet WHERE business_on = %s", [on])
            connection.execute("DELETE FROM figure_day WHERE business_on = %s", [on])
            drop_others(View(on, day.denom), "")
    connection.commit()


class Sheet(NamedTuple):
    """Sums of a day in a scope, and whether they were prepared (null: summed when asked for)."""

    on: date
    prepared: Prepared | None
    figures: pl.DataFrame


def read_sheet(connection: Connection, scope: Scope, on: date | None, denom: str) -> Sheet:
    """Return the sums of a day in scope, by default of the newest prepared one; raise NothingClosed.

    Prepared sums are by station. Within a transformer district, or for a day not prepared, the book is summed.
    """
    day = find_prepared(connection, on)
    with connection.cursor() as cursor:
        if day is not None:
            figures = _within(read_whole(cursor, day), scope)
            if scope.units is None or not figures.is_empty():
                return Sheet(day.business_on, day, figures)
        run = find_run(connection, on or (day and day.business_on))
        view = View(run.business_on, denom, scope=scope)
        return Sheet(run.business_on, None, sum_figures(cursor, view, run.files, first_run_on(connection)))


def _within(figures: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    return figures if scope.units is None else figures.filter(pl.col("org_unit").is_in(sorted(scope.units)))


# Prepared sums do not change under one content hash: a server keeps those of the days it was asked for last.
_KEPT_DAYS = 4
_kept: OrderedDict[tuple[str, date, str], pl.DataFrame] = OrderedDict()
_kept_lock = Lock()


def read_whole(cursor: Cursor, day: Prepared) -> pl.DataFrame:
    """Return all sums of a prepared day; kept in memory while other days are not asked for more lately."""
    key = (database_name(), day.business_on, day.content_hash)
    with _kept_lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    figures = read_figures(cursor, "figure_sheet", day.business_on, Scope.EVERYTHING)
    with _kept_lock:
        _kept[key] = figures
        while len(_kept) > _KEPT_DAYS:
            _kept.popitem(last=False)
    return figures


_BASES = {
    Measure.RECEIVABLE.value: "receivable_minor",
    Measure.RECEIVED.value: "received_minor",
    Measure.CARRIED.value: "carried_minor",
    Measure.RECEIVED_PRIOR.value: "received_prior_minor",
}


def share_by(figures: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Turn FIGURES into the bases and rates of core.indicators: one row, or one per value of `by`, in their order."""
    columns = [
        money.exact_sum(pl.col("amount_minor").filter(pl.col("measure") == measure)).alias(name)
        for measure, name in _BASES.items()
    ]
    sums = figures.group_by(by).agg(columns).sort(by) if by else figures.select(columns)
    return share_sums(sums.select(*by, *SUMS))


def sum_parts(figures: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    """Sum one measure over units and classes: part, rows, amount_minor, in the order of the part."""
    rows = figures.filter(pl.col("measure") == measure.value)
    return rows.group_by("part").agg(money.exact_sum("rows"), money.exact_sum("amount_minor")).sort("part")


def sum_trend(cursor: Cursor, scope: Scope) -> pl.DataFrame:
    """Bases and rates of every prepared day in scope: business_on and the columns of `share_by`, oldest first."""
    condition, units = scope.condition("org_unit")
    query = f"""
        SELECT business_on, '', '', measure, '', 0, sum(amount_minor) FROM figure_sheet
        WHERE measure IN ({", ".join(f"'{measure}'" for measure in _BASES)}) AND {condition} GROUP BY 1, 4
    """
    rows = read_rows(cursor, query, {"business_on": pl.Date(), **FIGURES}, units)
    return share_by(rows, ["business_on"])
