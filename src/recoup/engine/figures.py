"""The figures of a report: what the book held at the end of a business day, counted by the database.

Every figure counts what was booked by that day (`booked_on`) or, of another system, issued by it and known at the
day's cut: the report of a day does not change when later days are closed, and what a late fact adds is seen in the
report of the day on which it became known. Each key is defined in docs/guides/indicators.md.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from recoup.core import realism
from recoup.core.frames import Schema
from recoup.database.bulk import Cursor, read_rows
from recoup.engine import lake
from recoup.engine.freshness import feed_ages, read_watermarks
from recoup.engine.runs import Connection, last_done_on

_I, _S, _D, _B = pl.Int64(), pl.String(), pl.Date(), pl.Boolean()

_DEBTS: Schema = {
    "issued_on": _D,
    "is_charge": _B,
    "is_own": _B,
    "days_overdue": _I,
    "items": _I,
    "amount_minor": _I,
    "received_minor": _I,
    "received_before_minor": _I,
}
_BILLS: Schema = {
    "month_on": _D,
    "bills": _I,
    "amount_minor": _I,
    "energy_wh": _I,
    "corrected": _I,
    "corrected_read_wh": _I,
    "corrected_energy_wh": _I,
}
_MONEY: Schema = {
    "month_on": _D,
    "origin_kind": _S,
    "state": _S,
    "payments": _I,
    "amount_minor": _I,
    "applied_minor": _I,
}
_COUNTED: Schema = {"name": _S, "rows": _I}
_DECISIONS = ("account_no", "reason", "action", "stage_from", "stage_to", "strategy", "accrued_minor")


class NothingClosed(Exception):
    """No business day is closed yet, or not the one that was asked for."""


class ClosedRun(NamedTuple):
    """The run that closed a business day."""

    run_no: int
    business_on: date
    rulebook_hash: str
    code_version: str
    content_hash: str
    snapshot: str
    files: list[str]


class Facts(NamedTuple):
    """Everything a report reads, as frames of sums; amounts in minor units of the book's denom."""

    run: ClosedRun
    first_on: date
    counts: Mapping[str, int]
    debts: pl.DataFrame
    bills: pl.DataFrame
    money: pl.DataFrame
    decisions: pl.DataFrame
    actions: pl.DataFrame
    issues: pl.DataFrame
    quarantined: pl.DataFrame
    feeds: list[dict[str, Any]]


def find_run(connection: Connection, on: date | None) -> ClosedRun:
    """Return the run that closed `on`, by default the last closed day; raise NothingClosed."""
    last = last_done_on(connection)
    if last is None:
        raise NothingClosed("no business day is closed yet: run `recoup cycle --from … --to …` first")
    row = connection.execute(
        """
        SELECT run_no, r.business_on, rulebook_hash, code_version, content_hash, snapshot, ARRAY(
            SELECT file FROM slice s WHERE s.run_no = r.run_no AND file IS NOT NULL ORDER BY slice_no)
        FROM run r JOIN cut USING (cut_no) WHERE r.business_on = %s AND state = 'DONE' AND mode = 'live'
        """,
        [on or last],
    ).fetchone()
    if row is None:
        first = connection.execute("SELECT min(business_on) FROM run WHERE mode = 'live'").fetchone()
        raise NothingClosed(f"{on} is not closed: this book is closed from {first and first[0]} to {last}")
    return ClosedRun(*row)


def read_facts(connection: Connection, on: date | None, denom: str, timezone: str) -> Facts:
    """Read the figures of a closed day in one transaction that sees one state of the book."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    run = find_run(connection, on)
    day, seen = run.business_on, run.snapshot
    with connection.cursor() as cursor:
        first_on = _one(cursor, "SELECT min(business_on) FROM run WHERE mode = 'live'")[0]
        facts = Facts(
            run=run,
            first_on=first_on,
            counts=_count(cursor, day),
            debts=sum_debts(cursor, day, denom, seen),
            bills=read_rows(cursor, _SUM_BILLS, _BILLS, [first_on, day, seen, day, denom]),
            money=read_rows(cursor, _SUM_MONEY, _MONEY, [day, day, seen, day, denom, day, denom]),
            decisions=_read_decisions(run.files),
            actions=read_rows(cursor, _COUNT_ACTIONS, _COUNTED, [day]),
            issues=read_rows(cursor, _COUNT_ISSUES, _COUNTED, [day]),
            quarantined=read_rows(cursor, _COUNT_QUARANTINE, _COUNTED),
            feeds=_read_feeds(connection, day, timezone),
        )
    connection.rollback()
    return facts


# A row of ours counts by the day it was booked; one of another system by its own day, when the cut knew of it.
_KNOWN = """
    CASE WHEN {row}.run_no IS NOT NULL THEN {row}.booked_on <= %s
         ELSE pg_visible_in_snapshot({row}.recorded_tx, %s::pg_snapshot) AND {row}.{day} <= %s END
"""

_SUM_DEBTS = f"""
    WITH applied AS (
        SELECT debit_id, sum(amount_minor) AS total,
               coalesce(sum(amount_minor) FILTER (WHERE booked_on < %s), 0) AS before
        FROM allocation WHERE booked_on <= %s GROUP BY debit_id)
    SELECT i.issued_on, i.component = 'LATE_CHARGE' OR i.charge_of IS NOT NULL, i.run_no IS NOT NULL,
           coalesce(greatest(%s - i.overdue_from_on + 1, 0), 0),
           count(*) FILTER (WHERE i.amount_minor > coalesce(a.total, 0)),
           sum(i.amount_minor), coalesce(sum(a.total), 0), coalesce(sum(a.before), 0)
    FROM open_item i LEFT JOIN applied a ON a.debit_id = i.item_id
    WHERE {_KNOWN.format(row="i", day="issued_on")} AND i.amount_minor > 0 AND i.denom = %s
      AND i.origin_kind <> 'PAYMENT_REVERSAL'
    GROUP BY 1, 2, 3, 4
"""


def sum_debts(cursor: Cursor, on: date, denom: str, snapshot: str) -> pl.DataFrame:
    """Sum debts and what was applied to them by the end of `on`, by issue day, kind, origin and days overdue.

    Columns issued_on, is_charge, is_own, days_overdue, items (with something open), amount_minor, received_minor,
    received_before_minor (before 1 January of the year of `on`).
    """
    return read_rows(cursor, _SUM_DEBTS, _DEBTS, [date(on.year, 1, 1), on, on, on, snapshot, on, denom])


_SUM_BILLS = f"""
    SELECT date_trunc('month', issued_on)::date, count(*), sum(amount_minor), coalesce(sum(energy_wh), 0),
           count(*) FILTER (WHERE energy_source = 'CORRECTED'),
           coalesce(sum(read_wh) FILTER (WHERE energy_source = 'CORRECTED'), 0),
           coalesce(sum(energy_wh) FILTER (WHERE energy_source = 'CORRECTED'), 0)
    FROM bill b WHERE issued_on >= %s AND {_KNOWN.format(row="b", day="issued_on")} AND denom = %s
    GROUP BY 1 ORDER BY 1
"""

_CORRECTIONS = """
    SELECT bill_no, account_no, contract_key, issued_on, reading_key, read_wh, energy_wh
    FROM bill JOIN contract USING (contract_id) JOIN account USING (account_id)
    WHERE energy_source = 'CORRECTED' OR read_wh <> energy_wh ORDER BY issued_on, bill_no
"""


def list_corrections(connection: Connection) -> list[dict[str, Any]]:
    """List the bills on a stated total that is not the difference of the indexes, with both figures in kWh."""
    return [
        {
            **dict(zip(("bill_no", "account_no", "contract_key"), row[:3], strict=True)),
            "issued_on": row[3].isoformat(),
            "reading_key": row[4],
            "read_kwh": None if row[5] is None else as_kwh(row[5]),
            "billed_kwh": as_kwh(row[6]),
            "difference_kwh": None if row[5] is None else as_kwh(row[6] - row[5]),
        }
        for row in connection.execute(_CORRECTIONS).fetchall()
    ]


_SUM_MONEY = f"""
    WITH applied AS (
        SELECT credit_id, sum(amount_minor) AS total FROM allocation WHERE booked_on <= %s GROUP BY credit_id)
    SELECT date_trunc('month', i.booked_on)::date, i.origin_kind, coalesce(i.state, ''), count(*),
           sum(-i.amount_minor), coalesce(sum(a.total), 0)
    FROM open_item i LEFT JOIN applied a ON a.credit_id = i.item_id
    WHERE {_KNOWN.format(row="i", day="value_on")} AND i.amount_minor < 0 AND i.denom = %s
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT date_trunc('month', r.booked_on)::date, r.origin_kind, '', count(*), sum(-r.amount_minor),
           sum(-r.amount_minor)
    FROM open_item r WHERE r.origin_kind = 'PAYMENT_REVERSAL' AND r.booked_on <= %s AND r.denom = %s
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

_HISTORY = """
    WITH applied AS (
        SELECT debit_id, sum(amount_minor) AS total, max(value_on) AS last_on
        FROM allocation WHERE booked_on <= %s GROUP BY debit_id)
    SELECT i.contract_id, i.issued_on, i.due_on, CASE WHEN a.total >= i.amount_minor THEN a.last_on END
    FROM open_item i LEFT JOIN applied a ON a.debit_id = i.item_id
    WHERE i.booked_on <= %s AND i.amount_minor > 0 AND i.charge_of IS NULL AND i.due_on IS NOT NULL AND i.denom = %s
"""


def read_history(cursor: Cursor, on: date, denom: str) -> pl.DataFrame:
    """Read when each bill was issued, due and fully paid (null while open) by the end of `on` (realism.HISTORY)."""
    return read_rows(cursor, _HISTORY, realism.HISTORY, [on, on, denom])


_COUNT_ACTIONS = "SELECT channel, count(*) FROM action WHERE decided_on <= %s GROUP BY 1 ORDER BY 1"

_COUNT_ISSUES = """
    SELECT kind, count(*) FROM run_issue JOIN run USING (run_no) WHERE business_on <= %s GROUP BY 1 ORDER BY 1
"""

_COUNT_QUARANTINE = """
    SELECT reason, count(*) FROM (SELECT DISTINCT ON (file_sha256, row_no) reason FROM quarantine
    ORDER BY file_sha256, row_no, quarantine_id) q GROUP BY 1 ORDER BY 1
"""

_COUNTS = """
    SELECT (SELECT count(*) FROM account),
           (SELECT count(*) FROM contract),
           (SELECT count(*) FROM contract WHERE valid_from <= %s AND (valid_to IS NULL OR valid_to > %s)),
           (SELECT count(*) FROM conflict),
           (SELECT count(*) FROM run WHERE state = 'DONE' AND mode = 'live' AND business_on <= %s)
"""


def _count(cursor: Cursor, on: date) -> dict[str, int]:
    names = ("accounts", "contracts", "contracts_in_force", "conflicts", "days_closed")
    return dict(zip(names, _one(cursor, _COUNTS, [on, on, on]), strict=True))


def _one(cursor: Cursor, query: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
    row = cursor.execute(query, parameters).fetchone()
    assert row is not None
    return row


def _read_decisions(files: list[str]) -> pl.DataFrame:
    """The day's decisions, one row per contract: the few columns that are counted."""
    paths = [lake.lake_folder() / name for name in files]
    return pl.scan_parquet(paths).select(_DECISIONS).collect()


def _read_feeds(connection: Connection, on: date, timezone: str) -> list[dict[str, Any]]:
    """Feeds with their watermark and age at the end of `on` (a feed told later than `on` has age 0)."""
    ages = feed_ages(read_watermarks(connection), on, timezone)
    rows = connection.execute("SELECT code, source, simulated, watermark_at FROM feed ORDER BY code").fetchall()
    return [
        {
            "code": code,
            "source": source,
            "simulated": simulated,
            "watermark_at": mark and mark.isoformat(),
            "age_hours": ages.get(code),
        }
        for code, source, simulated, mark in rows
    ]


def as_major(minor: int, digits: int) -> str:
    """Write minor units as a decimal string in major units, exactly: 1234 with 2 digits is "12.34"."""
    sign, figures = ("-" if minor < 0 else ""), str(abs(minor)).rjust(digits + 1, "0")
    return f"{sign}{figures[:-digits]}.{figures[-digits:]}" if digits else f"{sign}{figures}"


def as_share(ppm: int | None) -> str | None:
    """Write ppm as a decimal share: 784000 is "0.784000"."""
    return None if ppm is None else as_major(ppm, 6)


def as_kwh(wh: int) -> str:
    """Write watt-hours as kWh: 1500 is "1.500"."""
    return as_major(wh, 3)
