"""What a head of collections sees first: the three rates against their targets, and where the money is.

Everything comes from the prepared sums of one day (engine.indicator_sheet) in the scope of whoever asks; amounts are
minor units.
"""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core.indicators import BUCKETS, MEASURES, NOT_OVERDUE, gap_minor
from recoup.domains.access.models import WHOLE_BOOK
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.measures import Measure
from recoup.domains.analytics.queries import Connection, TargetSet, find_target, list_targets, list_units_above
from recoup.engine.gap import Missing, compare_with_target, narrow_scope
from recoup.engine.indicator_sheet import Sheet, read_sheet, share_by, sum_parts, sum_trend

UNITS_SHOWN = 15


class Dashboard(NamedTuple):
    """A day in a scope. `rates` in the order cumulative, current, prior; frames hold what their names say."""

    sheet: Sheet
    unit: str
    rates: list[Missing]
    units: pl.DataFrame
    months: pl.DataFrame
    ageing: pl.DataFrame
    stages: pl.DataFrame
    channels: pl.DataFrame
    trend: pl.DataFrame
    amounts: dict[str, int]
    counts: dict[str, int]


def read_dashboard(connection: Connection, scope: Scope, on: date | None, denom: str, unit: str) -> Dashboard:
    """Read the sums of a day, by default the newest prepared one, of a unit within the scope.

    `unit` is the person's own one, or one below it. Raises NothingClosed before the first day.
    """
    within = narrow_scope(scope, unit)
    sheet = read_sheet(connection, within, on, denom)
    targets = list_targets(connection, sheet.on)
    above = list_units_above(connection, unit)
    bases = share_by(sheet.figures)
    with connection.cursor() as cursor:
        trend = sum_trend(cursor, within)
    return Dashboard(
        sheet,
        unit,
        [compare_with_target(bases, measure, find_target(targets, above, measure)) for measure in MEASURES],
        _rank_units(connection, sheet, targets),
        _join_months(sheet.figures),
        _order_ages(sheet.figures),
        sum_parts(sheet.figures, Measure.STAGE).sort(pl.col("part").cast(pl.Int64)),
        sum_parts(sheet.figures, Measure.COLLECTED_CHANNEL).sort("amount_minor", descending=True),
        trend.filter(pl.col("business_on") <= sheet.on).tail(13),
        _sum_amounts(sheet.figures),
        {
            name: int(sum_parts(sheet.figures, measure)["rows"].sum())
            for name, measure in (
                ("accounts", Measure.ACCOUNTS),
                ("contracts", Measure.CONTRACTS),
                ("arrears_contracts", Measure.ARREARS_CONTRACTS),
            )
        },
    )


def _sum_amounts(figures: pl.DataFrame) -> dict[str, int]:
    """The balances shown as cards."""
    ages = dict(sum_parts(figures, Measure.OPEN).select("part", "amount_minor").iter_rows())
    idle = dict(sum_parts(figures, Measure.UNAPPLIED).select("part", "amount_minor").iter_rows())
    prior = int(sum_parts(figures, Measure.ARREARS_PRIOR)["amount_minor"].sum())
    overdue = sum(minor for part, minor in ages.items() if part != NOT_OVERDUE)
    return {
        "receivable_open": sum(ages.values()),
        "arrears": overdue,
        "prior_arrears": prior,
        "advance": idle.get("FREE", 0),
        "in_transit": idle.get("IN_TRANSIT", 0),
        "suspense": idle.get("SUSPENSE_MATCH", 0),
        "late_charges_open": int(sum_parts(figures, Measure.LATE_CHARGES_OPEN)["amount_minor"].sum()),
    }


def _rank_units(connection: Connection, sheet: Sheet, targets: list[TargetSet]) -> pl.DataFrame:
    """Bases and rates by station with its name, target of the current rate and gap to it, the largest gap first."""
    by_unit = share_by(sheet.figures, ["org_unit"]).filter(pl.col("receivable_minor") != 0)
    codes = by_unit["org_unit"].to_list()
    known = connection.execute("SELECT code, name, parent FROM org_unit WHERE code = ANY(%s)", [codes]).fetchall()
    parents = {code: parent for code, _, parent in known if parent}
    chains = {parent: list_units_above(connection, parent) for parent in set(parents.values())}
    wanted = [
        find_target(targets, [code, *chains.get(parents.get(code, ""), [WHOLE_BOOK])], "current") for code in codes
    ]
    names = {code: name for code, name, _ in known}
    ranked = by_unit.with_columns(
        pl.Series("unit_name", [names.get(code, code) for code in codes], pl.String),
        pl.Series("target_ppm", [each.share_ppm if each else None for each in wanted], pl.Int64),
    ).with_columns(gap_minor=gap_minor("current"))
    return ranked.sort("gap_minor", "rate_current_ppm", "org_unit", descending=[True, False, False], nulls_last=True)


def _join_months(figures: pl.DataFrame) -> pl.DataFrame:
    """Billed and collected by month: month, billed_minor, collected_minor; the last thirteen."""
    billed = sum_parts(figures, Measure.BILLED).select(month="part", billed_minor="amount_minor")
    collected = sum_parts(figures, Measure.COLLECTED).select(month="part", collected_minor="amount_minor")
    both = billed.join(collected, on="month", how="full", coalesce=True).sort("month").tail(13)
    return both.with_columns(pl.col("billed_minor", "collected_minor").fill_null(0))


def _order_ages(figures: pl.DataFrame) -> pl.DataFrame:
    """Open principal by bucket: part, rows, amount_minor; every bucket has its row, not overdue first."""
    order = pl.DataFrame({"part": [NOT_OVERDUE, *BUCKETS]})
    sums = sum_parts(figures, Measure.OPEN)
    return order.join(sums, on="part", how="left", maintain_order="left").fill_null(0)
