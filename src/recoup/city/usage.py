"""How much is used and what the meters show. Grain: `size_up` one row per account, `read_meters` one per reading."""

from datetime import date

import polars as pl

from recoup.city import plan
from recoup.city.dice import Dice

_PPM = 1_000_000


def size_up(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Add the usual use of a month: usage_ckwh (hundredths of a kWh)."""
    usage = pl.lit(0, dtype=pl.Int64)
    draw = dice.ppm(pl.col("n"), "usage")
    drawn = people.with_columns(draw=draw)
    for kind in plan.KINDS:
        level = dice_level(pl.col("draw"), kind)
        usage = pl.when(pl.col("kind") == kind.code).then(level).otherwise(usage)
    return drawn.with_columns(usage_ckwh=usage).drop("draw")


def dice_level(draw: pl.Expr, kind: plan.Kind) -> pl.Expr:
    """Read a kind's quantile function of monthly use."""
    from recoup.core.simulation import from_knots

    return from_knots(draw, kind.usage_ckwh)


def read_meters(people: pl.DataFrame, start: date, months: int, dice: Dice) -> pl.DataFrame:
    """Read every meter on its route's day: an opening reading in the month before `start`, then one a month.

    Adds energy_ckwh (exactly the index difference x multiplier; 0 for the opening reading) to the load columns.
    """
    n = pl.col("n")
    first = _month_before(start)
    calendar = pl.DataFrame({"step": range(months + 1)}, schema={"step": pl.Int64}).with_columns(
        month_on=pl.lit(first).dt.offset_by(pl.format("{}mo", "step"))
    )
    columns = ("n", "kind", "service_point", "meter", "multiplier", "usage_ckwh", "reading_day", "is_person")
    varied = people.select(
        *columns,
        variation=dice.quantile(n, "variation", plan.VARIATION_PPM),
        is_empty_home=dice.happens(n, "empty-home", plan.EMPTY_HOMES_PPM) & pl.col("is_person"),
        opening=dice.below(n, "opening", _PPM) * (plan.OPENING_INDEX_BOUND // _PPM),
    )
    rows = varied.join(calendar, how="cross", maintain_order="left_right").with_columns(_advance(dice))
    counted = rows.with_columns(index_e2=pl.col("opening") + pl.col("advance_e2").cum_sum().over("n"))
    draw = dice.ppm(n, "reading-source", day=pl.col("month_on"))
    return counted.select(
        "service_point",
        "meter",
        pl.lit("1").alias("register"),
        (pl.col("month_on") + pl.duration(days=pl.col("reading_day") - 1)).alias("read_on"),
        pl.lit(1, dtype=pl.Int64).alias("part"),
        _source(draw).alias("source"),
        "index_e2",
        "multiplier",
        (pl.col("advance_e2") * pl.col("multiplier")).alias("energy_ckwh"),
    )


def _month_before(start: date) -> date:
    return date(start.year - 1, 12, 1) if start.month == 1 else date(start.year, start.month - 1, 1)


def _source(draw: pl.Expr) -> pl.Expr:
    return (
        pl.when(draw < plan.ESTIMATED_PPM)
        .then(pl.lit("ESTIMATED"))
        .when(draw < plan.ESTIMATED_PPM + plan.CUSTOMER_READ_PPM)
        .then(pl.lit("CUSTOMER"))
        .otherwise(pl.lit("ACTUAL"))
    )


def _advance(dice: Dice) -> pl.Expr:
    """Hundredths by which the index went on since the reading before; nothing before the opening reading."""
    n, month = pl.col("n"), pl.col("month_on")
    seasoned = pl.col("usage_ckwh") * _by_kind(lambda kind: _season(kind, month)) // _PPM
    swing = pl.col("variation") * _by_kind(lambda kind: pl.lit(kind.calm_ppm, dtype=pl.Int64)) // _PPM
    draw = dice.ppm(n, "month", day=month)
    from recoup.core.simulation import from_knots

    factor = (_PPM + swing * from_knots(draw, plan.SHAPE_PPM) // _PPM).clip(lower_bound=0)
    used = seasoned * factor // _PPM
    empty_ppm = pl.when("is_empty_home").then(plan.EMPTY_MONTH_OF_EMPTY_HOME_PPM).otherwise(plan.EMPTY_MONTH_PPM)
    is_empty = pl.col("is_person") & (dice.ppm(n, "empty-month", day=month) < empty_ppm)
    return (
        pl.when(is_empty | (pl.col("step") == 0))
        .then(0)
        .otherwise(used // pl.col("multiplier"))
        .alias("advance_e2")
    )
