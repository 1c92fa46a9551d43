"""The figures of a report: what the book held at the end of a business day, counted by the database.

Every figure counts what was booked by that day (`booked_on`), so the report of a day does not change when later
days are closed; what a late fact adds is seen in the report of the day on which it became known. Each key is
defined in docs/guides/indicators.md.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from recoup.core import indicators, money, realism
from recoup.core.frames import Schema
from recoup.database.bulk import Cursor, read_rows
from recoup.engine import lake
from recoup.engine.freshness import feed_ages, read_watermarks
from recoup.engine.runs import Connection, last_done_on

_I, _S, _D, _B = pl.Int64(), pl.String(), pl.Date(), pl.Boolean()

_DEBTS: Schema = {
    "issued_on": _D,
    "is_charge": _B,
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
        SELECT run_no, business_on, rulebook_hash, code_version, content_hash, (
            SELECT array_agg(file ORDER BY slice_no) FROM slice s WHERE s.run_no = r.run_no AND file IS NOT NULL)
        FROM run r WHERE business_on = %s AND state = 'DONE' AND mode = 'live'
        """,
        [on or last],
    ).fetchone()
    if row is None:
        first = connection.execute("SELECT min(business_on) FROM run WHERE mode = 'live'").fetchone()
        raise NothingClosed(f"{on} is not closed: this book is closed from {first and first[0]} to {last}")
    return ClosedRun(*row[:5], row[5] or [])


def read_facts(connection: Connection, on: date | None, denom: str, timezone: str) -> Facts:
    """Read the figures of a closed day in one transaction that sees one state of the book."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    run = find_run(connection, on)
    day = run.business_on
    with connection.cursor() as cursor:
        facts = Facts(
            run=run,
            first_on=_one(cursor, "SELECT min(business_on) FROM run WHERE mode = 'live'")[0],
            counts=_count(cursor, day),
            debts=sum_debts(cursor, day, denom),
            bills=read_rows(cursor, _SUM_BILLS, _BILLS, [day, denom]),
            money=read_rows(cursor, _SUM_MONEY, _MONEY, [day, day, denom]),
            decisions=_read_decisions(run.files),
            actions=read_rows(cursor, _COUNT_ACTIONS, _COUNTED, [day]),
            issues=read_rows(cursor, _COUNT_ISSUES, _COUNTED, [day]),
            quarantined=read_rows(cursor, _COUNT_QUARANTINE, _COUNTED),
            feeds=_read_feeds(connection, day, timezone),
        )
    connection.rollback()
    return facts


_SUM_DEBTS = """
    WITH applied AS (
        SELECT debit_id, sum(amount_minor) AS total,
               coalesce(sum(amount_minor) FILTER (WHERE booked_on < %s), 0) AS before
        FROM allocation WHERE booked_on <= %s GROUP BY debit_id)
    SELECT i.issued_on, i.charge_of IS NOT NULL,
           coalesce(greatest(%s - i.overdue_from_on + 1, 0), 0),
           count(*) FILTER (WHERE i.amount_minor > coalesce(a.total, 0)),
           sum(i.amount_minor), coalesce(sum(a.total), 0), coalesce(sum(a.before), 0)
    FROM open_item i LEFT JOIN applied a ON a.debit_id = i.item_id
    WHERE i.booked_on <= %s AND i.amount_minor > 0 AND i.denom = %s
    GROUP BY 1, 2, 3
"""


def sum_debts(cursor: Cursor, on: date, denom: str) -> pl.DataFrame:
    """Sum debts and what was applied to them by the end of `on`, by issue day, kind and days overdue.

    Columns issued_on, is_charge, days_overdue, items (with something open), amount_minor, received_minor,
    received_before_minor (before 1 January of the year of `on`).
    """
    return read_rows(cursor, _SUM_DEBTS, _DEBTS, [date(on.year, 1, 1), on, on, on, denom])


_SUM_BILLS = """
    SELECT date_trunc('month', issued_on)::date, count(*), sum(amount_minor), coalesce(sum(energy_wh), 0),
           count(*) FILTER (WHERE energy_source = 'CORRECTED'),
           coalesce(sum(read_wh) FILTER (WHERE energy_source = 'CORRECTED'), 0),
           coalesce(sum(energy_wh) FILTER (WHERE energy_source = 'CORRECTED'), 0)
    FROM bill WHERE booked_on <= %s AND denom = %s GROUP BY 1 ORDER BY 1
"""

_SUM_MONEY = """
    WITH applied AS (
        SELECT credit_id, sum(amount_minor) AS total FROM allocation WHERE booked_on <= %s GROUP BY credit_id)
    SELECT date_trunc('month', i.booked_on)::date, i.origin_kind, coalesce(i.state, ''), count(*),
           sum(-i.amount_minor), coalesce(sum(a.total), 0)
    FROM open_item i LEFT JOIN applied a ON a.credit_id = i.item_id
    WHERE i.booked_on <= %s AND i.amount_minor < 0 AND i.denom = %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
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


def summarise(facts: Facts, digits: int) -> dict[str, Any]:
    """Turn the facts of a day into the report's figures: amounts as decimal strings in major units."""
    return {
        **facts.counts,
        **_summarise_bills(facts.bills, digits),
        **_summarise_money(facts.money, digits),
        **_summarise_debts(facts.debts, facts.run.business_on, digits),
        **_summarise_charges(facts, digits),
        **_summarise_decisions(facts),
        "issues_by_kind": _as_counts(facts.issues),
        "quarantined": int(facts.quarantined["rows"].sum()),
        "quarantined_by_reason": _as_counts(facts.quarantined),
        "feeds": facts.feeds,
    }


def _total(frame: pl.DataFrame, column: str) -> int:
    """Exact sum of a column; nothing is zero."""
    return int(frame.select(money.exact_sum(column)).item() or 0)


def _as_counts(counted: pl.DataFrame) -> dict[str, int]:
    return dict(counted.iter_rows())


def _by_month(frame: pl.DataFrame, column: str, digits: int) -> dict[str, str]:
    sums = frame.group_by("month_on").agg(money.exact_sum(column)).sort("month_on")
    return {f"{month:%Y-%m}": as_major(amount, digits) for month, amount in sums.select("month_on", column).iter_rows()}


def _summarise_bills(bills: pl.DataFrame, digits: int) -> dict[str, Any]:
    read, billed = _total(bills, "corrected_read_wh"), _total(bills, "corrected_energy_wh")
    return {
        "bills": _total(bills, "bills"),
        "billed": as_major(_total(bills, "amount_minor"), digits),
        "billed_kwh": as_kwh(_total(bills, "energy_wh")),
        "billed_by_month": _by_month(bills, "amount_minor", digits),
        "determinants_corrected": {
            "bills": _total(bills, "corrected"),
            "read_kwh": as_kwh(read),
            "billed_kwh": as_kwh(billed),
            "difference_kwh": as_kwh(billed - read),
        },
    }


def _summarise_money(received: pl.DataFrame, digits: int) -> dict[str, Any]:
    payments = received.filter(pl.col("origin_kind") == "PAYMENT")
    idle = received.filter(pl.col("origin_kind") != "CHARGE_CREDIT").with_columns(
        left_minor=pl.col("amount_minor") - pl.col("applied_minor")
    )
    states = idle.group_by("state").agg(money.exact_sum("left_minor")).filter(pl.col("left_minor") != 0).sort("state")
    return {
        "payments": _total(payments, "payments"),
        "collected": as_major(_total(payments, "amount_minor"), digits),
        "collected_by_month": _by_month(payments, "amount_minor", digits),
        "unapplied": as_major(_total(idle, "left_minor"), digits),
        "unapplied_by_state": {state or "FREE": as_major(left, digits) for state, left in states.iter_rows()},
    }


def _summarise_debts(debts: pl.DataFrame, on: date, digits: int) -> dict[str, Any]:
    principal = debts.filter(~pl.col("is_charge")).with_columns(
        open_minor=pl.col("amount_minor") - pl.col("received_minor")
    )
    rates = indicators.collection_rates(principal, on).row(0, named=True)
    overdue = principal.filter(pl.col("days_overdue") > 0)
    is_prior = pl.col("issued_on") < date(on.year, 1, 1)
    parts = {"": overdue, "_prior": overdue.filter(is_prior), "_current": overdue.filter(~is_prior)}
    return {
        **{f"collection_rate_{name}": as_share(rates[f"rate_{name}_ppm"]) for name in _RATES},
        **{name: as_major(rates[f"{name}_minor"] or 0, digits) for name in _BASES},
        "receivable_open": as_major(_total(principal, "open_minor"), digits),
        **{f"arrears{name}": as_major(_total(part, "open_minor"), digits) for name, part in parts.items()},
        "ageing": {
            row["bucket"]: {"items": row["items"], "amount": as_major(row["open_minor"], digits)}
            for row in indicators.sum_ageing(principal).to_dicts()
        },
    }


_RATES = ("current", "cumulative", "prior")
_BASES = ("receivable", "received", "carried", "received_prior")


def _summarise_charges(facts: Facts, digits: int) -> dict[str, Any]:
    """Late charges apart from the receivables: booked net of what was lowered, accrued since, and still open."""
    charges = facts.debts.filter("is_charge")
    lowered = facts.money.filter(pl.col("origin_kind") == "CHARGE_CREDIT")
    booked = _total(charges, "amount_minor") - _total(lowered, "amount_minor")
    idle = _total(lowered, "amount_minor") - _total(lowered, "applied_minor")
    still_open = _total(charges, "amount_minor") - _total(charges, "received_minor") - idle
    return {
        "late_charges_booked": as_major(booked, digits),
        "late_charges_accrued": as_major(_total(facts.decisions, "accrued_minor"), digits),
        "late_charges_open": as_major(still_open, digits),
    }


def _summarise_decisions(facts: Facts) -> dict[str, Any]:
    stage = pl.when(pl.col("action").is_null()).then("stage_from").otherwise("stage_to")
    decisions = facts.decisions.with_columns(pl.col("reason").cast(pl.String), stage=stage)
    reasons = decisions.group_by("reason").agg(rows=pl.len()).sort("rows", "reason", descending=[True, False])
    accounts = decisions.group_by("account_no").agg(pl.col("stage").max()).group_by("stage").agg(rows=pl.len())
    return {
        "decisions": decisions.height,
        "decisions_by_reason": _as_counts(reasons),
        "accounts_by_stage": {str(stage): rows for stage, rows in accounts.sort("stage").iter_rows()},
        "actions": int(facts.actions["rows"].sum()),
        "actions_by_channel": _as_counts(facts.actions),
    }
