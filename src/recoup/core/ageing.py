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

    Columns: open_minor, overdue_minor (Int64 minor units, exact), oldest_overdue_days, overdue_bills (Int32). Late
    charges (items with `charge_of`) count in amounts and days, never as bills. All items must be of one denom: the
    caller separates denoms.
    """
    opened = items.select(*_SUMMED).filter(pl.col("open_minor") > 0).sort("contract_id")  # sorted rows group faster
    owed = opened.group_by("contract_id").agg(money.exact_sum("open_minor")).sort("contract_id")
    overdue = summarise_overdue(opened, on)
    return owed.join(overdue, on="contract_id", how="left", maintain_order="left").with_columns(
        pl.col("overdue_minor", "oldest_overdue_days", "overdue_bills").fill_null(0)
    )


_SUMMED = ("contract_id", "open_minor", "overdue_from_on", "charge_of")


def summarise_overdue(items: pl.DataFrame, on: date) -> pl.DataFrame:
    """The columns of `summarise_arrears` but open_minor, for the contracts with an overdue item alone."""
    overdue = items.select(*_SUMMED).filter((pl.col("open_minor") > 0) & (pl.col("overdue_from_on") <= on))
    return (
        overdue.with_columns(days_overdue=count_days_overdue(on))
        .group_by("contract_id")
        .agg(
            money.exact_sum("open_minor").alias("overdue_minor"),
            oldest_overdue_days=pl.col("days_overdue").max(),
            overdue_bills=pl.col("charge_of").is_null().sum().cast(pl.Int32),
        )
        .sort("contract_id")
    )
