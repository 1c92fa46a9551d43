"""Writes of prepared sums, cut-offs and targets, inside the caller's transaction."""

from datetime import date

import polars as pl

from recoup.core.indicators import MEASURES
from recoup.core.money import PPM
from recoup.database.bulk import Cursor, copy_rows
from recoup.domains.access.models import WHOLE_BOOK
from recoup.domains.analytics.measures import FIGURES
from recoup.domains.analytics.queries import Prepared, Signed

_COLUMNS = ["business_on", *FIGURES]


class TargetRefused(Exception):
    """A target of a unit, measure or share that cannot be."""


def replace_sheet(cursor: Cursor, day: Prepared, figures: pl.DataFrame) -> None:
    """Put the sums of a day (FIGURES) in the place of those prepared before."""
    cursor.execute("DELETE FROM figure_sheet WHERE business_on = %s", [day.business_on])
    cursor.execute("DELETE FROM figure_day WHERE business_on = %s", [day.business_on])
    cursor.execute(
        "INSERT INTO figure_day (business_on, run_no, snapshot, prepared_at, denom, content_hash, debtors_file) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        list(day),
    )
    copy_rows(cursor, "figure_sheet", figures.with_columns(business_on=pl.lit(day.business_on)), _COLUMNS)


def append_cutoff(cursor: Cursor, cutoff: Signed, figures: pl.DataFrame) -> None:
    """Append a signed cut-off and its sums (FIGURES); the key refuses a second signature of its day."""
    cursor.execute(
        "INSERT INTO cutoff (business_on, signed_by, signed_at, snapshot, closed_to_on, run_no, rulebook_hash, denom, "
        "content_hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        list(cutoff),
    )
    copy_rows(cursor, "cutoff_figure", figures.with_columns(business_on=pl.lit(cutoff.business_on)), _COLUMNS)


def set_target(cursor: Cursor, *, unit: str, measure: str, share_ppm: int, valid_from: date, by: str) -> None:
    """Set the share (ppm) that a rate of a unit is to reach from a day on; the same again changes nothing.

    `*` is the whole book. Raises TargetRefused for a unit, a measure or a share that cannot be.
    """
    _check_target(cursor, unit, measure, share_ppm, by)
    known = cursor.execute(
        "SELECT version, share_ppm FROM target WHERE org_unit = %s AND measure = %s AND valid_from = %s "
        "ORDER BY version DESC LIMIT 1",
        [unit, measure, valid_from],
    ).fetchone()
    if known and known[1] == share_ppm:
        return
    cursor.execute(
        "INSERT INTO target (org_unit, measure, valid_from, version, share_ppm, set_by, set_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, now())",
        [unit, measure, valid_from, (known[0] if known else 0) + 1, share_ppm, by.strip()],
    )


def _check_target(cursor: Cursor, unit: str, measure: str, share_ppm: int, by: str) -> None:
    if measure not in MEASURES:
        raise TargetRefused(f"no measure {measure}: give one of {', '.join(MEASURES)}")
    if not 0 <= share_ppm <= PPM:
        raise TargetRefused("a target lies between 0 and 100 %: give a share of what is receivable")
    if not by.strip():
        raise TargetRefused("a target needs the name of who sets it")
    known = cursor.execute("SELECT 1 FROM org_unit WHERE code = %s", [unit]).fetchone()
    if unit != WHOLE_BOOK and known is None:
        raise TargetRefused(f"no unit {unit}: give a code of the book's units, or {WHOLE_BOOK} for the whole book")
