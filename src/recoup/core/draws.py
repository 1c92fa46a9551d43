"""Keyed uniform draws: the only randomness of the product.

A draw depends on (seed, key64, day, purpose) and on nothing else, so arms, ties and simulated people are the
same in every slicing, order and version. splitmix64 over UInt64, whose products wrap by definition.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl


def _u64(value: int) -> pl.Series:
    return pl.Series([value & 0xFFFFFFFFFFFFFFFF], dtype=pl.UInt64)


_GAMMA, _MIX_1, _MIX_2 = (_u64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_SHIFT_30, _SHIFT_27, _SHIFT_31 = (_u64(1 << bits) for bits in (30, 27, 31))


def _mix(state: pl.Series) -> pl.Series:
    # On series, not expressions: each line names its state twice, and a nested expression would be planned 2^9 times.
    step = state + _GAMMA
    step = (step ^ (step // _SHIFT_30)) * _MIX_1
    step = (step ^ (step // _SHIFT_27)) * _MIX_2
    return step ^ (step // _SHIFT_31)


def fold_text(text: str) -> int:
    """Fold a purpose name into 64 bits (FNV-1a), the same in every process and version."""
    folded = 0xCBF29CE484222325
    for byte in text.encode():
        folded = ((folded ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return folded


def draw_u64(key64: pl.Expr, *, seed: int, purpose: str, day: date | pl.Expr | None = None) -> pl.Expr:
    """Draw UInt64 uniforms keyed by an integer column, a seed, a purpose and optionally a day (Date column)."""
    keys = key64.cast(pl.Int64).reinterpret(signed=False)
    if isinstance(day, pl.Expr):
        days = day.cast(pl.Date).to_physical().cast(pl.Int64) + date(1970, 1, 1).toordinal()
    else:
        days = pl.lit(0 if day is None else day.toordinal())
    folded = _u64(fold_text(purpose))

    def mix(columns: Sequence[pl.Series]) -> pl.Series:
        return _mix(_mix(_mix(columns[0] ^ folded) ^ _u64(seed)) + columns[1])

    return pl.map_batches([keys, days.cast(pl.UInt64)], mix, return_dtype=pl.UInt64, is_elementwise=True)


def draw_ppm(key64: pl.Expr, *, seed: int, purpose: str, day: date | pl.Expr | None = None) -> pl.Expr:
    """Draw Int64 uniforms in [0, 1_000_000)."""
    return (draw_u64(key64, seed=seed, purpose=purpose, day=day) % 1_000_000).cast(pl.Int64)
