"""Collection rates and ageing: the published case, the year's edge, the buckets' edges."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.core.indicators import (
    BUCKET_BOUNDS_DAYS,
    BUCKETS,
    NOT_OVERDUE,
    RECEIVABLES,
    collection_rates,
    name_bucket,
    sum_ageing,
)

MARCH_END = date(2025, 3, 31)


def debts(*rows: tuple[date, int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(RECEIVABLES), orient="row")


def rates(*rows: tuple[date, int, int, int], on: date = MARCH_END) -> dict[str, int | None]:
    return collection_rates(debts(*rows), on).row(0, named=True)


# Case I01 spelt out debt by debt, as a head of collections would have it (amounts in fen).
CASE_I01 = (
    (date(2024, 11, 20), 300_000_00, 300_000_00, 0),
    (date(2024, 12, 20), 120_000_00, 40_000_00, 0),
    (date(2024, 6, 20), 80_000_00, 0, 0),
    (date(2025, 1, 20), 400_000_00, 400_000_00, 0),
    (date(2025, 2, 20), 200_000_00, 200_000_00, 0),
    (date(2025, 3, 5), 100_000_00, 0, 0),
    (date(2025, 3, 10), 50_500_00, 40_000_00, 0),
)


def test_the_published_case_i01_gives_its_three_rates() -> None:
    found = rates(*CASE_I01)
    assert (found["receivable_minor"], found["received_minor"]) == (1_250_500_00, 980_000_00)
    assert (found["carried_minor"], found["received_prior_minor"]) == (500_000_00, 340_000_00)
    in_permille = [round(found[f"rate_{name}_ppm"] / 1000) for name in ("cumulative", "current", "prior")]
    assert in_permille == [784, 853, 680]


def test_a_rate_is_rounded_once_half_away_from_zero() -> None:
    assert rates((date(2025, 1, 1), 3, 2, 0))["rate_current_ppm"] == 666_667
    assert rates((date(2025, 1, 1), 2_000_000, 1, 0))["rate_current_ppm"] == 1
    assert rates((date(2025, 1, 1), 2_000_001, 1, 0))["rate_current_ppm"] == 0


@pytest.mark.parametrize(("issued_on", "carried"), [(date(2024, 12, 31), 100), (date(2025, 1, 1), 0)])
def test_a_debt_is_prior_when_issued_before_the_first_of_january(issued_on: date, carried: int) -> None:
    assert rates((issued_on, 100, 0, 0))["carried_minor"] == carried


def test_what_was_received_before_the_year_is_neither_carried_nor_collected_again() -> None:
    found = rates((date(2024, 3, 1), 100, 70, 60))
    assert (found["receivable_minor"], found["received_minor"], found["rate_prior_ppm"]) == (40, 10, 250_000)


def test_no_receivable_has_no_rate() -> None:
    found = rates()
    assert found["receivable_minor"] == 0
    assert (found["rate_cumulative_ppm"], found["rate_current_ppm"], found["rate_prior_ppm"]) == (None, None, None)


def test_rates_of_units_are_told_apart() -> None:
    rows = debts(*CASE_I01).with_columns(unit=pl.Series(["A", "A", "A", "B", "B", "B", "B"]))
    by_unit = {row["unit"]: row for row in collection_rates(rows, MARCH_END, by=["unit"]).to_dicts()}
    assert (by_unit["A"]["rate_prior_ppm"], by_unit["A"]["rate_current_ppm"]) == (680_000, None)
    assert (by_unit["B"]["rate_prior_ppm"], by_unit["B"]["rate_current_ppm"]) == (None, 852_765)


@pytest.mark.parametrize("other_day", [date(2025, 1, 1), date(2024, 1, 1)])
def test_a_sum_beyond_int64_is_refused_and_does_not_wrap(other_day: date) -> None:
    with pytest.raises(pl.exceptions.InvalidOperationError):
        rates((date(2025, 1, 1), 2**62, 0, 0), (other_day, 2**62, 0, 0))


AMOUNTS = st.integers(0, 10**12)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.dates(date(2023, 1, 1), MARCH_END), AMOUNTS, AMOUNTS), max_size=8))
def test_grouping_debts_beforehand_changes_no_rate(rows: list[tuple[date, int, int]]) -> None:
    # A debt is never paid above its amount, and before the year never above what was paid at all.
    singly = debts(*((day, max(a, b), min(a, b), min(a, b) // 2 if day.year < 2025 else 0) for day, a, b in rows))
    grouped = singly.group_by("issued_on").agg(pl.exclude("issued_on").sum())
    assert collection_rates(singly, MARCH_END).equals(collection_rates(grouped, MARCH_END))


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, NOT_OVERDUE), (1, "0-30")]
    + [(bound, BUCKETS[n]) for n, bound in enumerate(BUCKET_BOUNDS_DAYS)]
    + [(bound + 1, BUCKETS[n + 1]) for n, bound in enumerate(BUCKET_BOUNDS_DAYS)],
)
def test_each_bucket_ends_on_its_bound(days: int, bucket: str) -> None:
    assert pl.DataFrame({"days_overdue": [days]}).select(name_bucket()).item() == bucket


def test_ageing_shows_every_bucket_and_loses_no_minor_unit() -> None:
    rows = pl.DataFrame({"days_overdue": [0, 5, 30, 400], "items": [1, 2, 1, 1], "open_minor": [7, 100, 1, 0]})
    found = sum_ageing(rows)
    assert found["bucket"].to_list() == [NOT_OVERDUE, *BUCKETS]
    assert found["open_minor"].to_list() == [7, 101, 0, 0, 0, 0, 0]
    assert found["items"].to_list() == [1, 3, 0, 0, 0, 0, 0]
