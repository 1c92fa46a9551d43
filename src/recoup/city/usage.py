"""How much is used and what the meters show. Grain: `size_up` one row per account, `read_meters` one per reading."""

from collections.abc import Callable
from datetime import date

import polars as pl

from recoup.city import plan
from recoup.city.dice import Dice
from recoup.core.simulation import from_knots

_PPM = 1_000_000


def size_up(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Add the usual use of a month: usage_ckwh (hundredths of a kWh)."""
    drawn = people.with_columns(draw=dice.ppm(pl.col("n"), "usage"))
    usage = _by_kind(lambda kind: from_knots(pl.col("draw"), kind.usage_ckwh))
    return drawn.with_columns(usage_ckwh=usage).drop("draw")


def read_meters(people: pl.DataFrame, start: date, months: int, dice: Dice) -> pl.DataFrame:
    """Read every meter on its route's day: an opening reading in the month before `start`, then one a month.

    Besides the load columns: index_e2 (hundredths) and energy_ckwh, exactly the index difference x multiplier.
    """
    varied = people.select(
        *("n", "kind", "class", "is_high_voltage", "tariff", "service_point", "meter", "multiplier", "usage_ckwh"),
        *("reading_day", "is_person"),
        variation=dice.quantile(pl.col("n"), "variation", plan.VARIATION_PPM),
        is_empty_home=dice.happens(pl.col("n"), "empty-home", plan.EMPTY_HOMES_PPM) & pl.col("is_person"),
        opening=dice.below(pl.col("n"), "opening", plan.OPENING_INDEX_E2),
    )
    rows = varied.join(_calendar(start, months), how="cross", maintain_order="left_right")
    drawn = _draw_months(rows, dice).with_columns(advance_e2=_advance())
    return drawn.select(
        *("kind", "class", "is_high_voltage", "tariff", "service_point", "meter"),
        pl.lit("1").alias("register"),
        (pl.col("month_on") + pl.duration(days=pl.col("reading_day") - 1)).alias("read_on"),
        pl.lit(1, dtype=pl.Int64).alias("part"),
        _source().alias("source"),
        (pl.col("opening") + pl.col("advance_e2").cum_sum().over("n")).alias("index_e2"),
        "multiplier",
        (pl.col("advance_e2") * pl.col("multiplier")).alias("energy_ckwh"),
    )


def _calendar(start: date, months: int) -> pl.DataFrame:
    """Steps 0 (opening) to `months`: step, month_on, season (the month that lies behind)."""
    step = pl.DataFrame({"step": range(months + 1)}, schema={"step": pl.Int64})
    month_on = pl.lit(start).dt.month_start().dt.offset_by(pl.format("{}mo", pl.col("step") - 1))
    behind = (pl.lit(start.month - 3, dtype=pl.Int64) + pl.col("step")) % 12
    return step.with_columns(month_on=month_on, season=behind)


def _draw_months(rows: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    n, month = pl.col("n"), pl.col("month_on")
    return rows.with_columns(
        draw=dice.ppm(n, "month", day=month),
        draw_empty=dice.ppm(n, "empty-month", day=month),
        draw_source=dice.ppm(n, "reading-source", day=month),
    )


def _advance() -> pl.Expr:
    """Hundredths by which the index went on since the reading before; nothing before the opening reading."""
    seasons = _by_kind(lambda kind: pl.lit(pl.Series(kind.season_ppm)).gather(pl.col("season")))
    swing = pl.col("variation") * _by_kind(lambda kind: pl.lit(kind.calm_ppm, dtype=pl.Int64)) // _PPM
    factor = (_PPM + swing * from_knots(pl.col("draw"), plan.SHAPE_PPM) // _PPM).clip(lower_bound=0)
    used = pl.col("usage_ckwh") * seasons // _PPM * factor // _PPM
    chance = pl.when("is_empty_home").then(plan.EMPTY_MONTH_OF_EMPTY_HOME_PPM).otherwise(plan.EMPTY_MONTH_PPM)
    is_empty = pl.col("is_person") & (pl.col("draw_empty") < chance)
    return pl.when(is_empty | (pl.col("step") == 0)).then(0).otherwise(used // pl.col("multiplier"))


def _source() -> pl.Expr:
    draw = pl.col("draw_source")
    return (
        pl.when(draw < plan.ESTIMATED_PPM)
        .then(pl.lit("ESTIMATED"))
        .when(draw < plan.ESTIMATED_PPM + plan.CUSTOMER_READ_PPM)
        .then(pl.lit("CUSTOMER"))
        .otherwise(pl.lit("ACTUAL"))
    )


def _by_kind(value: Callable[[plan.Kind], pl.Expr]) -> pl.Expr:
    """Choose a value by the kind of customer."""
    chosen = value(plan.KINDS[0])
    for kind in plan.KINDS[1:]:
        chosen = pl.when(pl.col("kind") == kind.code).then(value(kind)).otherwise(chosen)
    return chosen
