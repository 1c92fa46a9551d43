"""Keyed uniform draws: the only randomness of the product.

A draw depends on (seed, key64, day, purpose) and on nothing else, so arms, ties and simulated people are the
same in every slicing, order and version. splitmix64 over UInt64, whose products wrap by definition.
"""

from datetime import date

import polars as pl

_GAMMA = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


def _u64(value: int) -> pl.Expr:
    return pl.lit(value & 0xFFFFFFFFFFFFFFFF, dtype=pl.UInt64)


def _mix(state: pl.Expr) -> pl.Expr:
    step = state + _u64(_GAMMA)
    step = (step ^ (step // _u64(1 << 30))) * _u64(_MIX_1)
    step = (step ^ (step // _u64(1 << 27))) * _u64(_MIX_2)
    return step ^ (step // _u64(1 << 31))


def fold_text(text: str) -> int:
    """Fold a purpose name into 64 bits (FNV-1a), the same in every process and version."""
    folded = 0xCBF29CE484222325
    for byte in text.encode():
        folded = ((folded ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return folded


def draw_u64(key64: pl.Expr, *, seed: int, purpose: str, day: date | pl.Expr | None = None) -> pl.Expr:
    """Draw UInt64 uniforms keyed by an integer column, a seed, a purpose and optionally a day (Date column)."""
    base = _mix(key64.cast(pl.Int64).reinterpret(signed=False) ^ _u64(fold_text(purpose)))
    if day is None:
        ordinal: pl.Expr = _u64(0)
    elif isinstance(day, date):
        ordinal = _u64(day.toordinal())
    else:
        ordinal = (day.cast(pl.Date).to_physical().cast(pl.Int64) + date(1970, 1, 1).toordinal()).cast(pl.UInt64)
    return _mix(_mix(base ^ _u64(seed)) + ordinal)


def draw_ppm(key64: pl.Expr, *, seed: int, purpose: str, day: date | pl.Expr | None = None) -> pl.Expr:
    """Draw Int64 uniforms in [0, 1_000_000)."""
    return (draw_u64(key64, seed=seed, purpose=purpose, day=day) % _u64(1_000_000)).cast(pl.Int64)
