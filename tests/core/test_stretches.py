"""Runs of neighbouring rows say what a window per group says."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.core import stretches

ROWS = st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.integers(-(10**12), 10**12)), max_size=20)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_a_sorted_frame_needs_no_window(rows: list[tuple[int | None, int]]) -> None:
    frame = pl.DataFrame(rows, schema={"key": pl.Int64, "value": pl.Int64}, orient="row").sort("key", "value")

    found = frame.with_columns(begins=stretches.begins("key")).select(
        before=stretches.value_before("value", "begins"),
        summed=stretches.sum_before("value", "begins"),
        number=stretches.number("begins"),
    )

    expected = frame.select(
        before=pl.col("value").shift(1).over("key"),
        summed=pl.col("value").cum_sum().over("key") - pl.col("value"),
        number=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("key"),
    )
    assert found.equals(expected)


def test_a_null_key_begins_a_run_in_the_first_row() -> None:
    frame = pl.DataFrame({"key": [None, None, 1]}, schema={"key": pl.Int64})

    assert frame.select(stretches.begins("key")).to_series().to_list() == [True, False, True]
