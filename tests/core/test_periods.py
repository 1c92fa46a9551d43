"""Periods: half-open days, whole calendar months, the turn of the year."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.core import periods

DAYS = st.dates(date(2019, 12, 1), date(2021, 2, 1))


def one(expression: pl.Expr) -> object:
    return pl.select(expression).item()


def days(start: date, end: date) -> object:
    return one(periods.days_between(pl.lit(start), pl.lit(end)))


def test_the_end_does_not_belong_to_a_period() -> None:
    assert days(date(2025, 1, 1), date(2025, 1, 1)) == 0
    assert days(date(2025, 1, 1), date(2025, 1, 2)) == 1


def test_a_period_that_ends_before_it_begins_has_no_days() -> None:
    assert days(date(2025, 1, 2), date(2025, 1, 1)) == 0


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (date(2025, 1, 31), date(2025, 2, 1), 1),
        (date(2025, 1, 31), date(2025, 2, 2), 2),
        (date(2025, 1, 1), date(2026, 1, 1), 12),
        (date(2025, 1, 1), date(2026, 1, 2), 13),
        (date(2025, 1, 1), date(2025, 1, 1), 0),
    ],
)
def test_months_touched_count_whole(start: date, end: date, months: int) -> None:
    assert one(periods.months_touched(pl.lit(start), pl.lit(end))) == months


def test_the_year_ends_after_its_last_day() -> None:
    assert one(periods.first_of_next_year(pl.lit(date(2024, 12, 31)))) == date(2025, 1, 1)
    assert one(periods.first_of_next_year(pl.lit(date(2025, 1, 1)))) == date(2026, 1, 1)


def test_neighbouring_months_have_neighbouring_numbers() -> None:
    january, december = pl.lit(date(2025, 1, 1)), pl.lit(date(2024, 12, 31))

    assert one(periods.month_number(january) - periods.month_number(december)) == 1


@given(DAYS, DAYS, DAYS, DAYS)
@settings(max_examples=50, deadline=None)
def test_common_days_are_those_in_both(start: date, end: date, low: date, high: date) -> None:
    one_day = timedelta(days=1)
    both = {start + n * one_day for n in range((end - start).days) if low <= start + n * one_day < high}

    assert one(periods.overlap_days(pl.lit(start), pl.lit(end), pl.lit(low), pl.lit(high))) == len(both)
