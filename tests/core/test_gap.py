"""The gap to a target: exact, rounded once, and made up by the largest debtors first."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recoup.core.indicators import MEASURES, SUMS, gap_minor, order_debtors, run_through

# Case I01: receivable, received, carried over, received on what was carried over.
CASE_I01 = (1_250_500_00, 980_000_00, 500_000_00, 340_000_00)
PERCENT_99 = 990_000


def gap(measure: str, target_ppm: int | None, *sums: int) -> int | None:
    rows = pl.DataFrame([sums], schema=dict(SUMS), orient="row")
    found: int | None = rows.with_columns(target_ppm=pl.lit(target_ppm, pl.Int64)).select(gap_minor(measure)).item()
    return found


def reach(rows: pl.DataFrame, missing_minor: int) -> pl.DataFrame:
    return run_through(order_debtors(rows.lazy()).collect(), missing_minor)


def debtors(*rows: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={"contract_key": pl.String, "open_minor": pl.Int64}, orient="row")


def test_the_published_case_misses_102995_yuan_of_this_years_debts_to_99_percent() -> None:
    assert gap("current", PERCENT_99, *CASE_I01) == 102_995_00
    assert gap("prior", PERCENT_99, *CASE_I01) == 155_000_00
    assert gap("cumulative", PERCENT_99, *CASE_I01) == 257_995_00


@pytest.mark.parametrize("measure", MEASURES)
def test_a_met_target_misses_nothing_and_a_surplus_is_no_gap(measure: str) -> None:
    assert gap(measure, 680_000, *CASE_I01) == 0
    assert gap(measure, 0, *CASE_I01) == 0


def test_nothing_receivable_or_no_target_has_no_gap() -> None:
    assert gap("current", PERCENT_99, 500_00, 100_00, 500_00, 100_00) is None
    assert gap("prior", PERCENT_99, 500_00, 100_00, 0, 0) is None
    assert gap("current", None, *CASE_I01) is None


@pytest.mark.parametrize(("received", "missing"), [(98_99, 1), (99_00, 0), (99_01, 0)])
def test_the_last_minor_unit_decides_whether_the_target_is_met(received: int, missing: int) -> None:
    assert gap("current", PERCENT_99, 100_00, received, 0, 0) == missing


@pytest.mark.parametrize(("receivable", "missing"), [(149, 75), (151, 76), (1, 1), (3, 2)])
def test_a_gap_is_rounded_once_half_away_from_zero(receivable: int, missing: int) -> None:
    assert gap("current", 500_000, receivable, 0, 0, 0) == missing


def test_a_gap_beyond_int64_products_is_exact() -> None:
    assert gap("cumulative", 999_999, 10**15, 0, 0, 0) == 999_999 * 10**9


def test_the_largest_debtors_come_first_until_their_sum_reaches_the_gap() -> None:
    found = reach(debtors(("C4", 10_500_00), ("C3", 100_000_00), ("C5", 0), ("C6", 50_00)), 102_995_00)
    assert found["contract_key"].to_list() == ["C3", "C4", "C6"]
    assert found["through_minor"].to_list() == [100_000_00, 110_500_00, 110_550_00]
    assert found["is_needed"].to_list() == [True, True, False]


@pytest.mark.parametrize(("missing", "needed"), [(0, 0), (1, 1), (100, 1), (101, 2), (150, 2), (151, 3)])
def test_a_debtor_is_needed_while_those_before_it_do_not_reach_the_gap(missing: int, needed: int) -> None:
    found = reach(debtors(("A", 100), ("B", 50), ("C", 7)), missing)
    assert int(found["is_needed"].sum()) == needed


def test_equal_debtors_stand_in_the_order_of_their_keys() -> None:
    assert reach(debtors(("B", 5), ("A", 5)), 10)["contract_key"].to_list() == ["A", "B"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
    st.integers(0, 1_000_000),
    st.integers(0, 10**12),
)
def test_the_needed_debtors_reach_the_gap_and_none_of_them_is_superfluous(
    amounts: list[int], target_ppm: int, received: int
) -> None:
    missing = gap("current", target_ppm, sum(amounts) + received, received, 0, 0)
    assert missing is not None and missing <= sum(amounts)
    needed = reach(debtors(*((f"K{n:02}", a) for n, a in enumerate(amounts))), missing).filter("is_needed")
    owed = needed["open_minor"].to_list()
    assert sum(owed) >= missing
    assert not owed or sum(owed[:-1]) < missing
