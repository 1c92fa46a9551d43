"""Draws: the same key gives the same draw for ever, in every slicing; different keys look uniform."""

from datetime import date

import polars as pl
import pytest

from recoup.core import draws

KEYS = pl.DataFrame({"key64": pl.Series(range(-5_000, 5_000), dtype=pl.Int64)})
ON = date(2025, 6, 20)


def ppm(keys: pl.DataFrame = KEYS, *, seed: int = 7, purpose: str = "arm", day: date | None = ON) -> list[int]:
    return keys.select(draws.draw_ppm(pl.col("key64"), seed=seed, purpose=purpose, day=day)).to_series().to_list()


def test_a_draw_is_the_same_in_every_version() -> None:
    key = pl.DataFrame({"key64": [1, -1, 2**62]}, schema={"key64": pl.Int64})

    found = key.select(draws.draw_u64(pl.col("key64"), seed=42, purpose="tie", day=date(2025, 1, 1))).to_series()

    assert found.to_list() == [draw_by_hand(number, 42, "tie", date(2025, 1, 1)) for number in (1, -1, 2**62)]


def draw_by_hand(key64: int, seed: int, purpose: str, day: date) -> int:
    mask = 2**64 - 1

    def mix(state: int) -> int:
        state = (state + 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        return state ^ (state >> 31)

    base = mix((key64 & mask) ^ draws.fold_text(purpose))
    return mix((mix(base ^ seed) + day.toordinal()) & mask)


def test_a_slice_draws_what_the_whole_draws() -> None:
    assert ppm(KEYS.slice(100, 50)) == ppm()[100:150]


@pytest.mark.parametrize("change", [{"seed": 8}, {"purpose": "tie"}, {"day": date(2025, 6, 21)}, {"day": None}])
def test_another_seed_purpose_or_day_draws_anew(change: dict[str, object]) -> None:
    same = sum(one == other for one, other in zip(ppm(), ppm(**change), strict=True))  # type: ignore[arg-type]

    assert same < 20


def test_draws_stay_in_range_and_spread_evenly() -> None:
    found = ppm()

    assert min(found) >= 0 and max(found) < 1_000_000
    for low in range(0, 1_000_000, 100_000):
        assert 850 < sum(low <= value < low + 100_000 for value in found) < 1_150


def test_neighbouring_days_do_not_lean_on_each_other() -> None:
    today, tomorrow = ppm(), ppm(day=date(2025, 6, 21))
    low_twice = sum(one < 500_000 and other < 500_000 for one, other in zip(today, tomorrow, strict=True))

    assert 2_300 < low_twice < 2_700


def test_a_column_of_days_draws_what_the_day_draws() -> None:
    dated = KEYS.with_columns(day=pl.lit(ON))
    by_column = dated.select(draws.draw_ppm(pl.col("key64"), seed=7, purpose="arm", day=pl.col("day"))).to_series()

    assert by_column.to_list() == ppm()
