"""Allocation: which money pays which debt."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from money_facts import CIVIL_CODE_561, STATE_GRID, bill, credits, items, payment

from recoup.core.allocation import DESIGNATED, allocate
from recoup.core.frames import ALLOCATIONS
from recoup.core.rules import AllocationPolicy

ON = date(2025, 3, 1)
JAN = bill("JAN", 300_00, date(2025, 1, 20), item_id=11)
FEB = bill("FEB", 200_00, date(2025, 2, 20), item_id=12)
CHARGE = bill("JAN:LC", 12_00, ON, item_id=13, component="LATE_CHARGE", issued_on=ON)


def pieces(
    debts: pl.DataFrame, money_in: pl.DataFrame, policy: AllocationPolicy = STATE_GRID
) -> set[tuple[int, int, int, str]]:
    rows = allocate(debts, money_in, ON, policy)
    return set(rows.select("credit_id", "debit_id", "amount_minor", "rule").iter_rows())


class TestOrderOfDebts:
    def test_the_earliest_due_first(self) -> None:
        assert pieces(items(FEB, JAN), credits(payment("P", 350_00, ON, item_id=1))) == {
            (1, 11, 300_00, "STATE_GRID"),
            (1, 12, 50_00, "STATE_GRID"),
        }

    @pytest.mark.parametrize(("policy", "first"), [(STATE_GRID, (1, 11, 12_00)), (CIVIL_CODE_561, (1, 13, 12_00))])
    def test_components_stand_in_the_order_of_the_policy(
        self, policy: AllocationPolicy, first: tuple[int, int, int]
    ) -> None:
        money_in = credits(payment("P", 12_00, ON, item_id=1))

        assert pieces(items(JAN, CHARGE), money_in, policy) == {(*first, policy.code)}

    def test_a_component_that_the_policy_does_not_name_comes_last(self) -> None:
        other = bill("FEE", 5_00, date(2024, 1, 1), item_id=14, component="FEE")
        money_in = credits(payment("P", 314_00, ON, item_id=1))

        assert (1, 14, 2_00, "STATE_GRID") in pieces(items(other, JAN, CHARGE), money_in)

    def test_of_debts_due_on_one_day_the_key_decides_and_not_the_id(self) -> None:
        first, second = FEB | {"item_key": "A", "item_id": 99}, FEB | {"item_key": "B", "item_id": 1}

        assert pieces(items(second, first), credits(payment("P", 1_00, ON, item_id=1))) == {(1, 99, 1_00, "STATE_GRID")}

    def test_with_due_first_a_late_charge_due_today_comes_before_principal_due_tomorrow(self) -> None:
        policy = STATE_GRID._replace(due_first=True)
        later = bill("MAR", 100_00, date(2025, 3, 2), item_id=15, issued_on=date(2025, 2, 1))
        money_in = credits(payment("P", 312_50, ON, item_id=1))

        assert pieces(items(later, JAN, CHARGE), money_in, policy) == {
            (1, 11, 300_00, "STATE_GRID"),
            (1, 13, 12_00, "STATE_GRID"),
            (1, 15, 50, "STATE_GRID"),
        }

    def test_with_due_first_a_debt_due_today_is_due(self) -> None:
        policy = STATE_GRID._replace(due_first=True)
        today = bill("MAR", 100_00, ON, item_id=15, issued_on=date(2025, 2, 1))
        money_in = credits(payment("P", 101_00, ON, item_id=1))

        assert (1, 15, 100_00, "STATE_GRID") in pieces(items(today, CHARGE), money_in, policy)


class TestOrderOfCredits:
    def test_the_earliest_value_day_then_the_key(self) -> None:
        money_in = credits(
            payment("B", 100_00, date(2025, 2, 1), item_id=1),
            payment("A", 100_00, date(2025, 2, 1), item_id=2),
            payment("C", 200_00, date(2025, 1, 31), item_id=3),
        )

        assert pieces(items(JAN), money_in) == {(3, 11, 200_00, "STATE_GRID"), (2, 11, 100_00, "STATE_GRID")}


class TestDesignation:
    def test_goes_before_the_policy_and_its_rest_follows_the_policy(self) -> None:
        money_in = credits(payment("P", 250_00, ON, item_id=1, designation=12))

        assert pieces(items(JAN, FEB), money_in) == {
            (1, 12, 200_00, DESIGNATED),
            (1, 11, 50_00, "STATE_GRID"),
        }

    def test_holds_against_older_money_that_names_nothing(self) -> None:
        money_in = credits(
            payment("A", 300_00, date(2025, 1, 1), item_id=1),
            payment("B", 100_00, ON, item_id=2, designation=11),
        )

        assert pieces(items(JAN, FEB), money_in) == {
            (2, 11, 100_00, DESIGNATED),
            (1, 11, 200_00, "STATE_GRID"),
            (1, 12, 100_00, "STATE_GRID"),
        }

    def test_two_credits_that_name_one_debt_fill_it_in_their_order(self) -> None:
        money_in = credits(
            payment("B", 200_00, ON, item_id=1, designation=11),
            payment("A", 200_00, ON, item_id=2, designation=11),
        )

        assert pieces(items(JAN), money_in) == {(2, 11, 200_00, DESIGNATED), (1, 11, 100_00, DESIGNATED)}

    def test_of_a_debt_outside_the_group_is_not_followed(self) -> None:
        money_in = credits(payment("P", 10_00, ON, item_id=1, designation=12))

        assert pieces(items(JAN, FEB | {"group_id": 2}), money_in) == {(1, 11, 10_00, "STATE_GRID")}


class TestWhoTakesPart:
    @pytest.mark.parametrize(
        "money_in",
        [
            payment("P", 1_00, ON, item_id=1, state="IN_TRANSIT"),
            payment("P", 1_00, ON, item_id=1, open_minor=0),
            payment("P", 1_00, date(2025, 3, 2), item_id=1),
            payment("P", 1_00, ON, item_id=1, group_id=2),
            payment("P", 1_00, ON, item_id=1, denom="POINT"),
        ],
    )
    def test_not_money_that_is_not_free_open_here_and_now(self, money_in: dict[str, object]) -> None:
        assert pieces(items(JAN), credits(money_in)) == set()

    @pytest.mark.parametrize(("issued", "expected"), [(ON, 1), (date(2025, 3, 2), 0)])
    def test_a_debt_from_its_day_of_issue_on(self, issued: date, expected: int) -> None:
        money_in = credits(payment("P", 1_00, ON, item_id=1))

        assert len(pieces(items(JAN | {"issued_on": issued}), money_in)) == expected


FEN = st.integers(1, 10**15 - 1)
GROUP = st.integers(1, 3)
DEBTS = st.lists(st.tuples(GROUP, FEN, st.sampled_from(["ENERGY", "LATE_CHARGE"])), max_size=10)
MONEY = st.lists(st.tuples(GROUP, FEN, st.one_of(st.none(), st.integers(0, 9))), max_size=10)


@settings(max_examples=60, deadline=None)
@given(DEBTS, MONEY)
def test_each_side_gives_no_more_than_it_has_and_one_side_is_used_up(debts: list, money_in: list) -> None:
    owed = items(*(bill(f"B{n}", f, ON, item_id=n, group_id=g, component=c) for n, (g, f, c) in enumerate(debts)))
    got = credits(
        *(payment(f"P{n}", f, ON, item_id=n, group_id=g, designation=d) for n, (g, f, d) in enumerate(money_in))
    )

    rows = allocate(owed, got, ON, STATE_GRID)

    assert rows.schema == pl.Schema(ALLOCATIONS)
    assert all(amount > 0 for amount in rows["amount_minor"])
    for side, frame in (("debit_id", owed), ("credit_id", got)):
        taken = dict(rows.group_by(side).agg(pl.col("amount_minor").sum()).iter_rows())
        has = dict(frame.select("item_id", "open_minor").iter_rows())
        assert all(taken[item] <= has[item] for item in taken)
    for group in (1, 2, 3):
        of_group = pl.col("group_id") == group
        applied = sum(rows.filter(of_group)["amount_minor"].to_list())
        assert applied == min(sum(f.filter(of_group)["open_minor"].to_list()) for f in (owed, got))
