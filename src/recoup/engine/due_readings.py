"""Readings still to be billed at the start of a cycle, and what is to be told of those that cannot be.

A reading that came late is billed, or refused, on the first open day. A bill stands on the version of its reading
that it was made of, and so does the index from which the next bill goes on.
"""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core import metering
from recoup.core.frames import READINGS, Schema
from recoup.core.outcome import ISSUES, issue
from recoup.core.rules import Rules
from recoup.database.bulk import Cursor, read_rows
from recoup.engine import book as loading
from recoup.engine.book import Facts, Known
from recoup.engine.runs import Cut

TOLD_ON: Schema = {**ISSUES, "read_on": pl.Date()}

_REGISTER = ["service_point", "meter", "register"]
_POINTS_AT_ONCE = 20_000


class Due(NamedTuple):
    """DETERMINANTS still to be billed, and issues with the day on which each is to be told (`read_on`)."""

    determinants: pl.DataFrame
    issues: pl.DataFrame


def determine_due(cursor: Cursor, facts: Facts, cut: Cut, rules: Rules) -> Due:
    """Determinants still to be billed from the cut's day on, and the issues of readings not told yet."""
    first = cut.business_on
    corrected = _load_corrected(cursor, cut)
    readings = _stand_on_bills(facts.readings, corrected)
    found = metering.determine(
        pl.concat([readings, _load_before(cursor, readings, cut)]),
        facts.installations,
        facts.services,
        facts.contracts,
        tier_year_starts_month=rules.tier_year_starts_month,
    )
    begun = loading.first_billed_on(cursor) or first
    billed = loading.list_billed_readings(cursor, first)
    due = found.frames["determinants"].filter(pl.col("bill_on") >= begun)
    unbilled = due.join(billed, on="reading_key", how="anti")
    between = metering.refuse_between_billed(unbilled.filter(pl.col("bill_on") < first), readings, billed)
    told = pl.concat([found.issues, between])
    days = readings.select(key="reading_key", read_on="read_on")
    dated = told.join(days, on="key", how="left").filter(pl.col("read_on") >= begun)
    issues = pl.concat([dated, _tell_corrected(corrected, first)]).with_columns(
        read_on=pl.max_horizontal("read_on", pl.lit(first))
    )
    left = unbilled.join(between, left_on="reading_key", right_on="key", how="anti")
    return Due(left.with_columns(bill_on=pl.max_horizontal("bill_on", pl.lit(first))), issues)


def _load_before(cursor: Cursor, readings: pl.DataFrame, cut: Cut) -> pl.DataFrame:
    """Load the last readings before the window of `readings`, for registers that it holds none of before today.

    Only registers whose next reading goes on from the one before it: without it that reading would be an opening.
    """
    is_due = pl.col("read_on") >= cut.business_on
    chained = readings.filter(is_due & pl.col("index_from_e4").is_null())
    alone = chained.join(readings.filter(~is_due), on=_REGISTER, how="anti").select(_REGISTER).unique()
    points = alone["service_point"].unique().sort().to_list()
    query = f"""
        SELECT {loading.READING_COLUMNS} FROM (
            SELECT DISTINCT ON (service_point, meter, register, read_on, part, source) * FROM reading
            WHERE service_point = ANY(%s) AND read_on < %s AND {Known(cut).fact()}
            ORDER BY service_point, meter, register, read_on, part, source, version DESC) latest
    """
    parts = [
        read_rows(cursor, query, READINGS, [points[at : at + _POINTS_AT_ONCE], loading.readings_from(cut.business_on)])
        for at in range(0, len(points), _POINTS_AT_ONCE)
    ]
    earlier = pl.concat([readings.clear(), *parts]).join(alone, on=_REGISTER, how="semi")
    return earlier.filter(pl.col("read_on") == pl.col("read_on").max().over(_REGISTER))


# A newer version of a reading than its bill was made of, beside the version the bill stands on.
_CORRECTED: Schema = {
    **READINGS,
    "contract_id": pl.Int64(),
    "bill_no": pl.String(),
    "version": pl.Int64(),
    "new_index_e4": pl.Int64(),
}


def _load_corrected(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    known = Known(cut).fact
    key = "(service_point, meter, register, read_on, part, source)"
    query = f"""
        WITH newest AS (
            SELECT DISTINCT ON {key} * FROM reading WHERE version > 1 AND read_on >= %s AND {known()}
            ORDER BY service_point, meter, register, read_on, part, source, version DESC),
        keyed AS (
            SELECT n.*, {loading.READING_KEY} AS reading_key FROM newest n),
        stood AS (
            SELECT k.version AS newer, k.index_e4 AS new_index_e4, b.contract_id, b.bill_no, c.snapshot, k.reading_key,
                   k.service_point, k.meter, k.register, k.read_on, k.part, k.source
            FROM keyed k JOIN bill b ON b.reading_key = k.reading_key AND b.booked_on >= k.read_on
            JOIN run r ON r.run_no = b.run_no JOIN cut c USING (cut_no)
            WHERE NOT pg_visible_in_snapshot(k.recorded_tx, c.snapshot::pg_snapshot))
        SELECT DISTINCT ON (s.reading_key) s.reading_key, o.service_point, o.meter, o.register, o.read_on, o.part,
               o.source, o.index_from_e4, o.index_e4, o.multiplier_e4, o.months, o.stated_wh, s.contract_id,
               s.bill_no, s.newer, s.new_index_e4
        FROM stood s JOIN reading o USING (service_point, meter, register, read_on, part, source)
        WHERE pg_visible_in_snapshot(o.recorded_tx, s.snapshot::pg_snapshot)
        ORDER BY s.reading_key, o.version DESC
    """
    return read_rows(cursor, query, _CORRECTED, [loading.readings_from(cut.business_on)])


def _stand_on_bills(readings: pl.DataFrame, corrected: pl.DataFrame) -> pl.DataFrame:
    """Put the versions that bills stand on in place of newer ones."""
    if corrected.is_empty():
        return readings
    others = readings.join(corrected, on="reading_key", how="anti")
    return pl.concat([others, corrected.select(list(READINGS))])


def _tell_corrected(corrected: pl.DataFrame, first: date) -> pl.DataFrame:
    """Say once per version that a bill stands on an older one (TOLD_ON)."""
    said = (
        "bill {} stands on index {}, now said to be {} (x 10^-4): the bill is not changed and the next one goes on "
        "from the index billed; agree the difference with the customer and correct the bill by hand"
    )
    told = issue(
        corrected,
        kind="READING_CORRECTED_AFTER_BILL",
        key=pl.format("{}#{}", "reading_key", "version"),
        field="index_e4",
        detail=pl.format(said, "bill_no", "index_e4", "new_index_e4"),
    )
    return told.with_columns(read_on=pl.lit(first))
