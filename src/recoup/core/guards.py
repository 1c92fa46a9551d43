"""Guards: the named checks that every contract passes or fails each day, and the one reason they give.

A guard is a bit of `guards_failed` (UInt64). Every guard is evaluated; the lowest failed bit is the reason.
Bits are written into the decision ledger for good: a number is never reused.
"""

from collections.abc import Mapping
from enum import IntEnum

import polars as pl


class Guard(IntEnum):
    """Bit numbers, in the order in which a reason is chosen."""

    NO_DEBT = 0
    NOT_OVERDUE = 1
    BELOW_MINIMUM = 2
    MONEY_UNAPPLIED = 3
    MONEY_IN_TRANSIT = 4
    HOLD_DUN = 5
    NO_STRATEGY = 6
    EXTERNAL_OBSERVE = 7
    STALE_FEED = 8
    STAGE_WAIT = 9
    STAGE_CONDITION = 10
    CAPACITY = 11
    MOVED = 12


ACTED = "ACTED"
REASON = pl.Enum([*(guard.name for guard in Guard), ACTED])

_NO_BIT = 64


def set_bits(failed: Mapping[Guard, pl.Expr]) -> pl.Expr:
    """Combine guard expressions (true: failed; null counts as passed) into UInt64 bits."""
    bits = pl.lit(0, dtype=pl.UInt64)
    for guard, expr in failed.items():
        bits = bits | (expr.fill_null(False).cast(pl.UInt64) * pl.lit(1 << guard, dtype=pl.UInt64))
    return bits


def has_bit(guard: Guard) -> pl.Expr:
    """Tell whether a guard failed, from the column `guards_failed`."""
    return (pl.col("guards_failed") & pl.lit(1 << guard, dtype=pl.UInt64)) != 0


def choose_reason() -> pl.Expr:
    """Name the first guard that failed, or ACTED when none did, from the column `guards_failed`."""
    first = pl.col("guards_failed").bitwise_trailing_zeros()
    place = pl.when(first == _NO_BIT).then(len(Guard)).otherwise(first)
    return pl.lit(pl.Series("reason", list(REASON.categories), dtype=REASON)).gather(place)


def list_failed(guards_failed: int) -> list[Guard]:
    """List the guards whose bits are set, lowest first."""
    return [guard for guard in Guard if guards_failed >> guard & 1]
