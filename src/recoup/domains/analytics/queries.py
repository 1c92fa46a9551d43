"""Reads of prepared sums, signed cut-offs and targets."""

from datetime import date, datetime
from typing import Any, NamedTuple

import polars as pl
import psycopg

from recoup.database.bulk import Cursor, read_rows
from recoup.domains.access.models import WHOLE_BOOK
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.measures import FIGURE_KEY, FIGURES

type Connection = psycopg.Connection[tuple[Any, ...]]


class Prepared(NamedTuple):
    """A business day whose sums are prepared, and what was known when they were."""

    business_on: date
    run_no: int
    snapshot: str
    prepared_at: datetime
    denom: str
    content_hash: str
    debtors_file: str


class Signed(NamedTuple):
    """A signed cut-off: whose signature, and what was known then."""

    business_on: date
    signed_by: str
    signed_at: datetime
    snapshot: str
    closed_to_on: date
    run_no: int
    rulebook_hash: str
    denom: str
    content_hash: str


class TargetSet(NamedTuple):
    """A target in force: the share to be reached from `valid_from` on, and who set it."""

    org_unit: str
    measure: str
    valid_from: date
    version: int
    share_ppm: int
    set_by: str
    set_at: datetime


_PREPARED = f"SELECT {', '.join(Prepared._fields)} FROM figure_day"
_SIGNED = f"SELECT {', '.join(Signed._fields)} FROM cutoff"
_TARGET = f"SELECT DISTINCT ON (org_unit, measure) {', '.join(TargetSet._fields)} FROM target"


def list_prepared(connection: Connection) -> list[Prepared]:
    """List the prepared days, the newest first."""
    return [Prepared(*row) for row in connection.execute(f"{_PREPARED} ORDER BY business_on DESC").fetchall()]


def find_prepared(connection: Connection, on: date | None) -> Prepared | None:
    """Return a prepared day, by default the newest."""
    query = f"{_PREPARED} WHERE %s::date IS NULL OR business_on = %s ORDER BY business_on DESC LIMIT 1"
    row = connection.execute(query, [on, on]).fetchone()
    return Prepared(*row) if row else None


def list_cutoffs(connection: Connection) -> list[Signed]:
    """List the signed cut-offs, the newest first."""
    return [Signed(*row) for row in connection.execute(f"{_SIGNED} ORDER BY business_on DESC").fetchall()]


def find_cutoff(connection: Connection, on: date) -> Signed | None:
    """Return the cut-off of a day, or nothing when it was never signed."""
    row = connection.execute(f"{_SIGNED} WHERE business_on = %s", [on]).fetchone()
    return Signed(*row) if row else None


def read_figures(cursor: Cursor, table: str, on: date, scope: Scope) -> pl.DataFrame:
    """Read the sums of a day from `figure_sheet` or `cutoff_figure`: FIGURES of the units in scope."""
    condition, units = scope.condition("org_unit")
    query = f"""
        SELECT org_unit, class, measure, part, rows, amount_minor FROM {table}
        WHERE business_on = %s AND {condition}
    """
    return read_rows(cursor, query, FIGURES, [on, *units]).sort(FIGURE_KEY)


def list_units_above(connection: Connection, unit: str) -> list[str]:
    """List a unit and the units above it, the nearest first, the whole book last."""
    query = """
        WITH RECURSIVE above AS (
            SELECT code, parent, 0 AS far FROM org_unit WHERE code = %s
            UNION ALL SELECT o.code, o.parent, far + 1 FROM org_unit o JOIN above a ON o.code = a.parent WHERE far < 20)
        SELECT code FROM above ORDER BY far
    """
    return [*(code for (code,) in connection.execute(query, [unit]).fetchall()), WHOLE_BOOK]


def list_targets(connection: Connection, on: date | None = None) -> list[TargetSet]:
    """List the targets in force on a day, one per unit and measure; without a day the whole history."""
    if on is None:
        columns = ", ".join(TargetSet._fields)
        query = f"SELECT {columns} FROM target ORDER BY valid_from DESC, org_unit, measure, version DESC"
        return [TargetSet(*row) for row in connection.execute(query).fetchall()]
    query = f"{_TARGET} WHERE valid_from <= %s ORDER BY org_unit, measure, valid_from DESC, version DESC"
    return [TargetSet(*row) for row in connection.execute(query, [on]).fetchall()]


def find_target(targets: list[TargetSet], units: list[str], measure: str) -> TargetSet | None:
    """Return the target of the nearest of `units` (nearest first) that has one for this measure."""
    known = {(target.org_unit, target.measure): target for target in targets}
    return next((known[unit, measure] for unit in units if (unit, measure) in known), None)
