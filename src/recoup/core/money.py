"""Exact money: products and sums in Int128, one rounding, one narrowing.

Money is `amount_minor` (Int64, minor units of its denom). Prices are `price_e8`: major units per kWh times
10^8. This module is the only one that rounds or narrows.
"""

import polars as pl

PPM = 1_000_000
WH_PER_KWH = 1_000
PRICE_SCALE = 100_000_000

AMOUNT_BOUND = 10**15
ENERGY_BOUND_WH = 10**15
PRICE_BOUND_E8 = 10**12


def exact(column: str | pl.Expr) -> pl.Expr:
    """Widen an integer column to Int128, in which two Int64 factors and a ppm factor cannot overflow."""
    expr = pl.col(column) if isinstance(column, str) else column
    return expr.cast(pl.Int128)


def round_minor(numerator: pl.Expr, divisor: int | pl.Expr) -> pl.Expr:
    """Divide an exact Int128 numerator by a positive divisor, half away from zero, into Int64.

    Raises when the result does not fit (strict cast). The one rounding of the product.
    """
    by = pl.lit(divisor, dtype=pl.Int128) if isinstance(divisor, int) else divisor.cast(pl.Int128)
    wide = numerator.cast(pl.Int128)
    return narrow(wide.sign() * ((wide.abs() * 2 + by) // (by * 2)))


def narrow(wide: pl.Expr) -> pl.Expr:
    """Cast Int128 to Int64, raising on overflow."""
    return wide.cast(pl.Int64, strict=True)


def exact_sum(column: str | pl.Expr) -> pl.Expr:
    """Sum Int64 amounts without the silent wrap of Int64, narrowed by a strict cast (an aggregation)."""
    return narrow(exact(column).sum())


def price_energy(energy_wh: str, price_e8: str, minor_per_major: int | pl.Expr) -> pl.Expr:
    """Amount in minor units of `energy_wh` at `price_e8`, rounded once.

    amount = Wh / 1000 x e8 / 10^8 x minor units per major unit.
    """
    per_major = (
        pl.lit(minor_per_major, dtype=pl.Int128)
        if isinstance(minor_per_major, int)
        else minor_per_major.cast(pl.Int128)
    )
    return round_minor(exact(energy_wh) * exact(price_e8) * per_major, WH_PER_KWH * PRICE_SCALE)
