"""Money: exact in Int128, one rounding half away from zero, an error instead of a wrap."""

from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.core import money


def round_one(numerator: int, divisor: int) -> int:
    frame = pl.DataFrame({"n": [numerator]}, schema={"n": pl.Int64})
    return frame.select(money.round_minor(money.exact("n"), divisor)).item()


@pytest.mark.parametrize(
    ("numerator", "divisor", "rounded"),
    [(149, 100, 1), (150, 100, 2), (-149, 100, -1), (-150, 100, -2), (250, 100, 3), (0, 7, 0), (1, 2, 1), (-1, 2, -1)],
)
def test_a_half_goes_away_from_zero(numerator: int, divisor: int, rounded: int) -> None:
    assert round_one(numerator, divisor) == rounded


@given(st.integers(-(2**62), 2**62), st.integers(1, 10**12))
@settings(max_examples=100, deadline=None)
def test_rounding_is_that_of_decimal(numerator: int, divisor: int) -> None:
    exact = (Decimal(numerator) / Decimal(divisor)).quantize(Decimal(1), rounding=ROUND_HALF_UP)

    assert round_one(numerator, divisor) == int(exact)


def test_a_sum_beyond_64_bits_raises_instead_of_wrapping() -> None:
    frame = pl.DataFrame({"n": [2**62, 2**62]})

    with pytest.raises(pl.exceptions.InvalidOperationError):
        frame.select(money.exact_sum("n"))


def test_the_largest_sum_that_fits_is_exact() -> None:
    assert pl.DataFrame({"n": [2**62, 2**62 - 1]}).select(money.exact_sum("n")).item() == 2**63 - 1


def test_a_sum_of_nothing_is_nothing() -> None:
    assert pl.DataFrame(schema={"n": pl.Int64}).select(money.exact_sum("n")).item() == 0


def test_energy_times_price_at_the_bounds_is_exact() -> None:
    row = pl.DataFrame({"energy_wh": [10**12], "price_e8": [10**12 - 1]})

    assert row.select(money.price_energy("energy_wh", "price_e8", 100)).item() == 10**15 - 1_000


@pytest.mark.parametrize(("digits", "amount"), [(1, 70), (100, 7_038), (1_000, 70_378)])
def test_each_denom_has_its_own_minor_unit(digits: int, amount: int) -> None:
    row = pl.DataFrame({"energy_wh": [401_000], "price_e8": [17_550_500]})

    assert row.select(money.price_energy("energy_wh", "price_e8", digits)).item() == amount


def test_a_column_may_say_the_minor_units() -> None:
    rows = pl.DataFrame({"energy_wh": [1_000, 1_000], "price_e8": [12_345_678] * 2, "per": [100, 1_000]})

    found = rows.select(money.price_energy("energy_wh", "price_e8", pl.col("per"))).to_series()

    assert found.to_list() == [12, 123]
