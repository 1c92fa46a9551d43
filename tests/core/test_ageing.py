"""Ageing: days, buckets and arrears."""

from datetime import timedelta

import polars as pl
import pytest
from day_books import ON, an_item, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.core import ageing, frames

BOUNDS = (30, 60, 90, 180, 365)


def items(*rows):
    return frame(frames.ITEMS, list(rows))


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        *[(0, "0"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"), (90, "61-90")],
        *[(91, "91-180"), (180, "91-180"), (181, "181-365"), (365, "181-365"), (366, ">365")],
    ],
)
def test_an_item_falls_in_the_bucket_of_its_days_overdue(days, bucket):
    aged = ageing.age(items(an_item(1, 1, days)), ON, BOUNDS)
    assert aged["days_overdue"].item() == days
    assert aged["bucket"].cast(pl.String).item() == bucket


def test_an_item_is_not_overdue_on_its_due_day_and_one_day_overdue_on_the_next():
    item = items(an_item(1, 1, 0))
    assert ageing.age(item, ON, BOUNDS)["days_overdue"].item() == 0
    assert ageing.age(item, ON + timedelta(days=1), BOUNDS)["days_overdue"].item() == 1


def test_an_item_without_an_overdue_day_never_ages():
    assert ageing.age(items(an_item(1, 1, 40, overdue_from_on=None)), ON, BOUNDS)["days_overdue"].item() == 0


@pytest.mark.parametrize("bounds", [(), (30, 30), (60, 30), (0, 30)])
def test_bounds_that_are_not_ascending_days_are_refused(bounds):
    with pytest.raises(ValueError, match="ascending"):
        ageing.name_buckets(bounds)


def test_late_charges_count_in_amounts_but_not_as_bills():
    book = items(an_item(1, 1, 40, 100), an_item(2, 1, 8, 30), an_item(3, 1, 2, 7, charge_of=1), an_item(4, 1, -5, 9))
    assert ageing.summarise_arrears(book, ON).to_dicts() == [
        {
            "contract_id": 1,
            "open_minor": 146,
            "overdue_minor": 137,
            "oldest_overdue_days": 40,
            "overdue_bills": 2,
        }
    ]


def test_a_closed_item_counts_for_nothing():
    assert ageing.summarise_arrears(items(an_item(1, 1, 40, 0)), ON).is_empty()


def test_sums_beyond_int64_are_refused_and_never_wrap():
    with pytest.raises(pl.exceptions.PolarsError):
        ageing.summarise_arrears(items(an_item(1, 1, 3, 2**62), an_item(2, 1, 3, 2**62)), ON)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(-30, 400), st.integers(0, 10**12), st.booleans()), max_size=30),
    st.randoms(use_true_random=False),
)
def test_arrears_equal_a_plain_loop_in_any_order_of_rows(rows, shuffler):
    made = [
        an_item(n, contract, days, minor, charge_of=0 if charge else None)
        for n, (contract, days, minor, charge) in enumerate(rows)
    ]
    shuffler.shuffle(made)
    expected = {}
    for contract, days, minor, charge in rows:
        if minor:
            total = expected.setdefault(contract, [0, 0, 0, 0])
            total[0] += minor
            total[1] += minor if days > 0 else 0
            total[2] = max(total[2], days)
            total[3] += days > 0 and not charge
    columns = ["open_minor", "overdue_minor", "oldest_overdue_days", "overdue_bills"]
    found = ageing.summarise_arrears(items(*made), ON)
    assert {row[0]: list(row[1:]) for row in found.select("contract_id", *columns).iter_rows()} == expected
