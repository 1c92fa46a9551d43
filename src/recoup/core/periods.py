"""Half-open periods `[from, to)` of days, and the calendar months and years they touch."""

import polars as pl


def days_between(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Count the days of `[start, end)` as Int64; negative periods count nothing."""
    days = (end - start).dt.total_days()
    return pl.when(days > 0).then(days).otherwise(0)


def month_number(day: pl.Expr) -> pl.Expr:
    """Number calendar months consecutively (year x 12 + month), Int64."""
    return day.dt.year().cast(pl.Int64) * 12 + day.dt.month().cast(pl.Int64)


def months_touched(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Count the calendar months that `[start, end)` touches, first and last whole, Int64."""
    last_day = end.dt.offset_by("-1d")
    return pl.when(end > start).then(month_number(last_day) - month_number(start) + 1).otherwise(0)


def first_of_next_year(day: pl.Expr) -> pl.Expr:
    """Return 1 January after the day: where a calendar-year segment ends (exclusive)."""
    return pl.date(day.dt.year() + 1, 1, 1)


def overlap_days(start: pl.Expr, end: pl.Expr, low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """Count the days common to `[start, end)` and `[low, high)`."""
    return days_between(pl.max_horizontal(start, low), pl.min_horizontal(end, high))
