"""Ageing: how long each open item has been overdue, and what that makes of each contract's arrears.

Grain: one row per item (`age`), one row per contract with an open item (`summarise_arrears`). Closed under
contract.
"""

from datetime import date

import polars as pl

from recoup.core import money


def count_days_overdue(on: date) -> pl.Expr:
    """Days overdue of an item at the end of `on`, Int32: 1 on `overdue_from_on` itself, 0 before it."""
    days = (pl.lit(on) - pl.col("overdue_from_on")).dt.total_days().cast(pl.Int32) + 1
    return pl.when(days > 0).then(days).otherwise(pl.lit(0, dtype=pl.Int32))


def name_buckets(bounds: tuple[int, ...]) -> list[str]:
    """Names of the ageing buckets of ascending upper bounds in days: (30, 60) -> 0, 1-30, 31-60, >60."""
    if list(bounds) != sorted(set(bounds)) or not bounds or bounds[0] < 1:
        raise ValueError(f"ageing bounds must be ascending days from 1 up: {bounds}")
    starts = (0, *bounds[:-1])
    return ["0", *(f"{low + 1}-{high}" for low, high in zip(starts, bounds, strict=True)), f">{bounds[-1]}"]


def age(items: pl.DataFrame, on: date, bounds: tuple[int, ...]) -> pl.DataFrame:
    """Add `days_overdue` (Int32) and `bucket` (Enum of `name_buckets`) to ITEMS rows, one for one."""
    names = name_buckets(bounds)
    days = pl.col("days_overdue")
    position = sum(((days > bound).cast(pl.UInt8) for bound in (0, *bounds)), pl.lit(0, dtype=pl.UInt8))
    labels = pl.Series("bucket", names, dtype=pl.Enum(names))
    return items.with_columns(days_overdue=count_days_overdue(on)).with_columns(
        bucket=pl.lit(labels).gather(position.cast(pl.UInt32))
    )


def summarise_arrears(items: pl.DataFrame, on: date) -> pl.DataFrame:
    """Sum the arrears of each contract with an open item at the end of `on`, sorted by contract_id.

    Columns: open_minor, overdue_minor (Int64 minor units, exact), oldest_overdue_days, overdue_bills (Int32),
    oldest_due_on. Late charges (items with `charge_of`) count in amounts and days, never as bills. All items
    must be of one denom: the caller separates denoms.
    """
    opened = items.filter(pl.col("open_minor") > 0).with_columns(days_overdue=count_days_overdue(on))
    overdue = pl.col("days_overdue") > 0
    due_minor = pl.when(overdue).then("open_minor").otherwise(0)
    return (
        opened.with_columns(overdue_minor=due_minor, is_bill=(overdue & pl.col("charge_of").is_null()).cast(pl.Int32))
        .group_by("contract_id")
        .agg(
            money.exact_sum("open_minor"),
            money.exact_sum("overdue_minor"),
            oldest_overdue_days=pl.col("days_overdue").max(),
            overdue_bills=pl.col("is_bill").sum(),
            oldest_due_on=pl.col("due_on").min(),
        )
        .sort("contract_id")
    )
