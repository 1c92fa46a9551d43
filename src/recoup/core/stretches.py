"""Stretches of neighbouring rows with one key, in a frame sorted by that key: faster than a window per group.

Every expression here reads the order of the rows; sort by the key first, then by what orders the rows within it.
"""

import polars as pl

from recoup.core import money


def begins(*key: str) -> pl.Expr:
    """Whether a row begins a new stretch: some column of the key differs from the row before."""
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in key) | is_first_row()


def is_first_row() -> pl.Expr:
    """Whether a row is the first of the frame (whose key may be null like the missing row before it)."""
    return pl.int_range(pl.len()) == 0


def value_before(column: str, begins_stretch: str) -> pl.Expr:
    """The column's value in the row before, null at the beginning of a stretch."""
    return pl.when(~pl.col(begins_stretch)).then(pl.col(column).shift(1))


def sum_before(column: str, begins_stretch: str) -> pl.Expr:
    """The sum of the column over the earlier rows of the stretch, exact, as Int64."""
    total = money.exact(column).cum_sum() - money.exact(column)
    return money.narrow(total - pl.when(begins_stretch).then(total).forward_fill())


def number(begins_stretch: str) -> pl.Expr:
    """Number the rows of each stretch from 1, Int64."""
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    return place - pl.when(begins_stretch).then(place).forward_fill() + 1
