"""Late charge: what an overdue principal costs, day by day, under dated rates.

Grain: one row per principal item (`target`, `assess`) or per item x run of days with one principal and one rate
(`explain`). Closed under item. A charge bears no charge: items with `charge_of` are left aside.

Counting (condition by condition, sources in the rulebook's document): the days from `overdue_from_on` to `on`,
both inclusive, so that a debt due on the 15th and paid on the 18th bears three. Money with value day V still
leaves day V on the old principal. Days under a hold do not count. Each item is rounded once; then the minimum and
the cap in force on its last charged day apply, the cap last.
"""

from datetime import date

import polars as pl

from recoup.core import money, outcome, periods, stretches

SEGMENT_BY_DAY = "SEGMENT_BY_DAY"
WHOLE_DEBT_AT_HIGHER_RATE = "WHOLE_DEBT_AT_HIGHER_RATE"

_SEGMENT = ("item_id", "segment_from", "segment_to", "days", "held_days", "principal_minor", "rate_ppm", "param_id")


def target(
    items: pl.DataFrame, paid: pl.DataFrame, rates: pl.DataFrame, holds_late: pl.DataFrame, on: date
) -> pl.DataFrame:
    """Return item_id, amount_minor: the whole late charge of each principal item up to `on` inclusive.

    `paid` (item_id, value_on, amount_minor) is the money applied to the items; a negative amount undoes an earlier
    one. One row per principal item, zero where nothing accrued; items that `refused` names are absent.
    """
    return assess(items, paid, rates, holds_late, on).select("item_id", "amount_minor")


def assess(
    items: pl.DataFrame, paid: pl.DataFrame, rates: pl.DataFrame, holds_late: pl.DataFrame, on: date
) -> pl.DataFrame:
    """Return item_id, accrued_minor, minimum_minor, cap_minor, charged_to_on, param_id, amount_minor per item.

    The minimum lifts a charge above nothing, the cap is a share of the item's original amount; null: no limit.
    """
    rated = _rated(items, rates)
    segments = _segments(rated, paid, rates, holds_late, on)
    day_amounts = money.exact("principal_minor") * money.exact("days") * money.exact("rate_ppm")
    accrued = (
        segments.select("item_id", last_on="segment_to", accrued_wide=day_amounts)
        .group_by("item_id")
        .agg(pl.col("accrued_wide").sum(), charged_to_on=pl.col("last_on").max() - pl.duration(days=1))
    )
    charged = rated.join(accrued, on="item_id", how="left", validate="1:1")
    return _limit(charged.join(_limits(charged, rates), on="item_id", how="left", validate="1:1"))


def explain(
    items: pl.DataFrame, paid: pl.DataFrame, rates: pl.DataFrame, holds_late: pl.DataFrame, on: date
) -> pl.DataFrame:
    """Return the segments the charge is made of: days x principal x rate, with the parameter that says so.

    Columns item_id, segment_from, segment_to (exclusive), days (held ones taken off), held_days, principal_minor,
    rate_ppm, param_id. The contract's own rate prevails over the table's, before and after the year end.
    """
    return _segments(_rated(items, rates), paid, rates, holds_late, on).sort("item_id", "segment_from")


def _segments(
    rated: pl.DataFrame, paid: pl.DataFrame, rates: pl.DataFrame, holds_late: pl.DataFrame, on: date
) -> pl.DataFrame:
    overdue = rated.filter(pl.col("overdue_from_on") <= on)
    spans = _principal_spans(overdue, paid, on)
    priced = _price(_split_at_year_end(spans), rates)
    held = _take_off_holds(priced, overdue, holds_late, on).filter(pl.col("days") > 0)
    return _choose_rate(held).select(_SEGMENT)


def refused(items: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Return issues for principal items whose class has no rate on the day they fall overdue."""
    unknown = _judge_rates(items, rates).filter(~pl.col("is_rated"))
    shown = pl.concat_str(
        [pl.col("class").fill_null("no class"), pl.col("overdue_from_on").cast(pl.String).fill_null("no day")],
        separator=" on ",
    )
    key = pl.col("item_id").cast(pl.String)
    return outcome.issue(unknown, kind="NO_LATE_CHARGE_RATE", key=key, field="class", detail=shown)


def _rated(items: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Principal items that can be charged."""
    return _judge_rates(items, rates).filter("is_rated").drop("rates_from", "is_rated")


def _judge_rates(items: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Principal items with `is_rated`: not so without a day of falling overdue, or a rate of their class on it."""
    begins = rates.group_by("class").agg(rates_from=pl.col("valid_from").min())
    return (
        _principals(items)
        .join(begins, on="class", how="left")
        .with_columns(is_rated=(pl.col("overdue_from_on") >= pl.col("rates_from")).fill_null(False))
    )


def _principals(items: pl.DataFrame) -> pl.DataFrame:
    return items.filter(pl.col("charge_of").is_null() & (pl.col("amount_minor") > 0))


def _principal_spans(overdue: pl.DataFrame, paid: pl.DataFrame, on: date) -> pl.DataFrame:
    """Cut `[overdue_from_on, on]` into spans with one outstanding principal (one row per item x span)."""
    terms = overdue.select("item_id", "class", "agreed_rate_ppm", "overdue_from_on", "amount_minor")
    applied = paid.filter(pl.col("value_on") < on).join(terms, on="item_id", how="inner", suffix="_owed")
    end = pl.lit(on) + pl.duration(days=1)
    whole = terms.join(applied, on="item_id", how="anti").select(
        pl.exclude("amount_minor"),
        segment_from="overdue_from_on",
        segment_to=end,
        principal_minor="amount_minor",
    )
    if applied.is_empty():
        return whole.filter(pl.col("principal_minor") > 0)
    parted = terms.drop("amount_minor").join(_run(terms, applied, on), on="item_id", how="inner", validate="1:m")
    return pl.concat([whole, parted.select(whole.columns)]).filter(pl.col("principal_minor") > 0)


def _run(terms: pl.DataFrame, applied: pl.DataFrame, on: date) -> pl.DataFrame:
    """Sum the changes of principal of items with payments, each balance holding until the next change."""
    touched = terms.join(applied, on="item_id", how="semi")
    owed = touched.select("item_id", day="overdue_from_on", change_minor="amount_minor")
    after = pl.max_horizontal(pl.col("value_on") + pl.duration(days=1), "overdue_from_on")
    less = applied.select("item_id", day=after, change_minor=0 - pl.col("amount_minor"))
    daily = (
        pl.concat([owed, less])
        .group_by("item_id", "day")
        .agg(change_minor=money.exact_sum("change_minor"))
        .sort("item_id", "day")
    )
    is_last = pl.col("item_id").ne_missing(pl.col("item_id").shift(-1))
    return daily.with_columns(begins=stretches.begins("item_id")).select(
        "item_id",
        segment_from="day",
        segment_to=pl.when(is_last).then(pl.lit(on) + pl.duration(days=1)).otherwise(pl.col("day").shift(-1)),
        principal_minor=stretches.sum_before("change_minor", "begins") + pl.col("change_minor"),
    )


def _split_at_year_end(spans: pl.DataFrame) -> pl.DataFrame:
    """Cut spans at the end of the calendar year in which the debt fell overdue."""
    new_year = periods.first_of_next_year(pl.col("overdue_from_on"))
    dated = spans.with_columns(new_year=new_year)
    first = dated.filter(pl.col("segment_from") < pl.col("new_year")).with_columns(
        segment_to=pl.min_horizontal("segment_to", "new_year"), crossed=pl.lit(False)
    )
    later = dated.filter(pl.col("segment_to") > pl.col("new_year")).with_columns(
        segment_from=pl.max_horizontal("segment_from", "new_year"), crossed=pl.lit(True)
    )
    return pl.concat([first, later]).drop("new_year")


def _price(spans: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Cut spans at each change of the rates and add the rates of the class."""
    table = rates.select(
        *("class", "rate_ppm", "rate_next_year_ppm", "cross_year", "param_id"),
        rates_from="valid_from",
        rates_to="valid_to",
    )
    return (
        spans.join(table, on="class", how="inner")
        .with_columns(
            segment_from=pl.max_horizontal("segment_from", "rates_from"),
            segment_to=pl.min_horizontal("segment_to", "rates_to"),
        )
        .filter(pl.col("segment_from") < pl.col("segment_to"))
    )


def _take_off_holds(segments: pl.DataFrame, overdue: pl.DataFrame, holds_late: pl.DataFrame, on: date) -> pl.DataFrame:
    """Add `days` and `held_days`; a day under several holds is taken off once."""
    whole = periods.days_between(pl.col("segment_from"), pl.col("segment_to")).cast(pl.Int64)
    if holds_late.is_empty() or (held := _held_periods(overdue, holds_late, on)).is_empty():
        return segments.with_columns(days=whole, held_days=pl.lit(0, pl.Int64))
    numbered = segments.with_row_index("row")
    common = periods.overlap_days(pl.col("segment_from"), pl.col("segment_to"), pl.col("held_from"), pl.col("held_to"))
    per_row = numbered.join(held, on="item_id", how="inner").select("row", held_days=common).group_by("row").sum()
    return (
        numbered.join(per_row, on="row", how="left", validate="1:1")
        .with_columns(held_days=pl.col("held_days").fill_null(0).cast(pl.Int64))
        .with_columns(days=whole - pl.col("held_days"))
    )


def _held_periods(overdue: pl.DataFrame, holds_late: pl.DataFrame, on: date) -> pl.DataFrame:
    """Merge the holds of each item into periods that do not overlap (one row per item x period)."""
    end = pl.lit(on) + pl.duration(days=1)
    active = holds_late.filter(pl.col("stops_late_charge"))
    named = active.filter(pl.col("item_id").is_not_null()).join(overdue.select("item_id"), on="item_id", how="inner")
    general = active.filter(pl.col("item_id").is_null()).drop("item_id")
    spread = overdue.select("item_id", "contract_id").join(general, on="contract_id", how="inner")
    columns = ["item_id", pl.col("valid_from").alias("held_from"), pl.col("valid_to").fill_null(end).alias("held_to")]
    periods_held = pl.concat([named.select(columns), spread.select(columns)]).sort("item_id", "held_from")
    reached = pl.col("held_to").cum_max().shift(1).over("item_id")
    starts = (reached.is_null() | (pl.col("held_from") > reached)).cast(pl.Int64).cum_sum()
    return (
        periods_held.with_columns(run=starts)
        .group_by("item_id", "run")
        .agg(pl.col("held_from").min(), pl.col("held_to").max())
    )


def _choose_rate(segments: pl.DataFrame) -> pl.DataFrame:
    """Choose the rate of each segment: agreed, else by the policy for debts that cross the year end."""
    crossed = segments.filter(pl.col("crossed"))["item_id"].unique()
    is_whole = (pl.col("cross_year") == WHOLE_DEBT_AT_HIGHER_RATE) & pl.col("item_id").is_in(crossed.implode())
    is_second = pl.col("crossed") | is_whole
    by_class = pl.when(is_second).then("rate_next_year_ppm").otherwise("rate_ppm")
    return segments.with_columns(rate_ppm=pl.coalesce("agreed_rate_ppm", by_class))


def _limits(charged: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Find the minimum and cap of the class on each item's last charged day."""
    on = pl.col("charged_to_on")
    return (
        charged.filter(on.is_not_null())
        .select("item_id", "class", "charged_to_on")
        .join(rates, on="class", how="inner")
        .filter((pl.col("valid_from") <= on) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > on)))
        .select("item_id", "minimum_minor", "cap_ppm", "param_id")
    )


def _limit(charged: pl.DataFrame) -> pl.DataFrame:
    accrued = money.round_minor(pl.col("accrued_wide").fill_null(0), money.PPM)
    cap = money.round_minor(money.exact("amount_minor") * money.exact("cap_ppm"), money.PPM)
    lifted = pl.when(pl.col("accrued_wide") > 0).then(pl.max_horizontal("accrued_minor", "minimum_minor")).otherwise(0)
    return charged.with_columns(accrued_minor=accrued, cap_minor=cap).select(
        *("item_id", "accrued_minor", "minimum_minor", "cap_minor", "charged_to_on", "param_id"),
        amount_minor=pl.min_horizontal(lifted, "cap_minor"),
    )
