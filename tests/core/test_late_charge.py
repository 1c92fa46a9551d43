"""Late charge: day count, year end, holds, limits; sums are exact and parts give what the whole gives."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tariff_facts import frame

from recoup.core.flows.quote import PAID
from recoup.core.frames import HOLDS, ITEMS
from recoup.core.late_charge import assess, explain, refused, target
from recoup.core.rules import LATE_CHARGE_RATES

DUE = date(2025, 6, 10)
DAY = timedelta(days=1)


def rate(customer_class: str = "FIRM", first: int = 2_000, second: int = 3_000, **changes: Any) -> dict[str, Any]:
    return {
        "class": customer_class,
        "rate_ppm": first,
        "rate_next_year_ppm": second,
        "cross_year": "SEGMENT_BY_DAY",
        "valid_from": date(1996, 10, 8),
        "param_id": "late@1996",
        **changes,
    }


RATES = frame(LATE_CHARGE_RATES, rate(), rate("HOME", 1_000, 1_000))


def item(amount: int = 1_000_00, due_on: date = DUE, item_id: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "contract_id": 1,
        "amount_minor": amount,
        "due_on": due_on,
        "overdue_from_on": due_on + DAY,
        "class": "FIRM",
        **changes,
    }


def payment(amount: int, value_on: date, item_id: int = 1) -> dict[str, Any]:
    return {"item_id": item_id, "value_on": value_on, "amount_minor": amount}


def hold(valid_from: date, valid_to: date | None, **changes: Any) -> dict[str, Any]:
    return {
        "contract_id": 1,
        "stops_late_charge": True,
        "valid_from": valid_from,
        "valid_to": valid_to,
        **changes,
    }


def charge(
    *items: dict[str, Any],
    on: date,
    paid: tuple[dict[str, Any], ...] = (),
    holds: tuple[dict[str, Any], ...] = (),
    rates: pl.DataFrame = RATES,
) -> list[int]:
    found = target(frame(ITEMS, *items), frame(PAID, *paid), rates, frame(HOLDS, *holds), on)
    return found.sort("item_id")["amount_minor"].to_list()


class TestDayCount:
    def test_the_due_day_itself_bears_nothing(self) -> None:
        assert charge(item(), on=DUE) == [0]

    def test_the_day_after_bears_one_day(self) -> None:
        assert charge(item(), on=DUE + DAY) == [2_00]

    def test_a_due_day_moved_by_a_holiday_bears_a_day_less(self) -> None:
        assert charge(item(overdue_from_on=DUE + 2 * DAY), on=DUE + 3 * DAY) == [4_00]

    def test_the_day_of_payment_still_counts_on_the_old_principal(self) -> None:
        paid = (payment(600_00, DUE + 5 * DAY),)

        assert charge(item(), on=DUE + 5 * DAY, paid=paid) == [10_00]
        assert charge(item(), on=DUE + 6 * DAY, paid=paid) == [10_80]

    def test_money_before_the_due_day_lowers_the_principal_from_the_start(self) -> None:
        assert charge(item(), on=DUE + DAY, paid=(payment(600_00, DUE - 3 * DAY),)) == [80]

    def test_after_full_payment_nothing_is_added(self) -> None:
        paid = (payment(1_000_00, DUE + 5 * DAY),)

        assert charge(item(), on=DUE + 90 * DAY, paid=paid) == [10_00]

    def test_a_bounced_payment_never_happened(self) -> None:
        paid = (payment(1_000_00, DUE + 5 * DAY), payment(-1_000_00, DUE + 5 * DAY))

        assert charge(item(), on=DUE + 10 * DAY, paid=paid) == [20_00]


class TestYearEnd:
    LATE = date(2024, 12, 30)

    def test_days_are_split_between_the_years(self) -> None:
        assert charge(item(due_on=self.LATE), on=date(2024, 12, 31)) == [2_00]
        assert charge(item(due_on=self.LATE), on=date(2025, 1, 1)) == [5_00]

    def test_or_the_whole_debt_costs_more_once_it_has_crossed(self) -> None:
        whole = frame(LATE_CHARGE_RATES, rate(cross_year="WHOLE_DEBT_AT_HIGHER_RATE"))

        assert charge(item(due_on=self.LATE), on=date(2024, 12, 31), rates=whole) == [2_00]
        assert charge(item(due_on=self.LATE), on=date(2025, 1, 1), rates=whole) == [6_00]

    def test_a_debt_due_on_the_last_day_of_the_year_falls_overdue_in_the_next(self) -> None:
        assert charge(item(due_on=date(2024, 12, 31)), on=date(2025, 1, 1)) == [2_00]

    def test_the_second_rate_lasts_through_later_years(self) -> None:
        assert charge(item(due_on=self.LATE), on=date(2026, 1, 2)) == [2_00 + 367 * 3_00]

    def test_the_contracts_own_rate_prevails_on_both_sides(self) -> None:
        assert charge(item(due_on=self.LATE, agreed_rate_ppm=1_500), on=date(2025, 1, 1)) == [3_00]


class TestLimits:
    def limited(self, **limits: int) -> pl.DataFrame:
        return frame(LATE_CHARGE_RATES, rate(**limits))

    def test_a_minimum_lifts_a_small_charge_but_not_none(self) -> None:
        rates = self.limited(minimum_minor=1_00)

        assert charge(item(10_00), on=DUE + DAY, rates=rates) == [1_00]
        assert charge(item(10_00), on=DUE, rates=rates) == [0]

    def test_the_minimum_in_force_on_the_last_charged_day_counts(self) -> None:
        changed = DUE + 3 * DAY
        rates = frame(
            LATE_CHARGE_RATES,
            rate(minimum_minor=1_00, valid_to=changed, param_id="old"),
            rate(valid_from=changed, param_id="new"),
        )

        assert charge(item(100_00), on=changed - DAY, rates=rates) == [1_00]
        assert charge(item(100_00), on=changed, rates=rates) == [60]

    def test_a_debt_paid_under_the_old_rule_keeps_its_minimum(self) -> None:
        changed = DUE + 3 * DAY
        rates = frame(
            LATE_CHARGE_RATES, rate(minimum_minor=1_00, valid_to=changed), rate(valid_from=changed, param_id="new")
        )

        assert charge(item(100_00), on=DUE + 900 * DAY, paid=(payment(100_00, DUE + DAY),), rates=rates) == [1_00]

    @pytest.mark.parametrize(("days", "amount"), [(149, 298_00), (150, 300_00), (151, 300_00)])
    def test_the_cap_is_a_share_of_the_original_amount(self, days: int, amount: int) -> None:
        assert charge(item(), on=DUE + days * DAY, rates=self.limited(cap_ppm=300_000)) == [amount]

    def test_the_cap_stands_above_the_minimum(self) -> None:
        rates = self.limited(minimum_minor=1_00, cap_ppm=300_000)

        assert charge(item(2_00), on=DUE + DAY, rates=rates) == [60]

    def test_each_item_is_rounded_once_half_away_from_zero(self) -> None:
        halves = [item(125, item_id=1, **{"class": "HOME"}), item(124, item_id=2, **{"class": "HOME"})]

        assert charge(*halves, on=DUE + 4 * DAY) == [1, 0]


class TestHolds:
    def test_its_first_day_belongs_to_it_and_its_last_does_not(self) -> None:
        held = (hold(DUE + 3 * DAY, DUE + 6 * DAY),)

        assert charge(item(), on=DUE + 2 * DAY, holds=held) == [4_00]
        assert charge(item(), on=DUE + 5 * DAY, holds=held) == [4_00]
        assert charge(item(), on=DUE + 6 * DAY, holds=held) == [6_00]

    def test_overlapping_holds_take_a_day_off_once(self) -> None:
        held = (hold(DUE + 2 * DAY, DUE + 5 * DAY), hold(DUE + 3 * DAY, DUE + 4 * DAY, item_id=1))

        assert charge(item(), on=DUE + 10 * DAY, holds=held) == [14_00]

    def test_an_open_hold_lasts(self) -> None:
        assert charge(item(), on=DUE + 99 * DAY, holds=(hold(DUE + 3 * DAY, None),)) == [4_00]

    def test_a_hold_on_another_item_or_for_another_purpose_does_not_count(self) -> None:
        other = (hold(DUE, None, item_id=2), hold(DUE, None, stops_late_charge=False), hold(DUE, None, contract_id=2))

        assert charge(item(), on=DUE + DAY, holds=other) == [2_00]


class TestWhatIsCharged:
    def test_a_charge_bears_no_charge(self) -> None:
        assert charge(item(), item(item_id=2, charge_of=1), on=DUE + DAY) == [2_00]

    def test_every_principal_item_has_its_row(self) -> None:
        assert charge(item(), item(item_id=2, due_on=DUE + 9 * DAY), on=DUE + DAY) == [2_00, 0]

    def test_a_class_without_rate_is_refused_and_not_charged(self) -> None:
        strangers = frame(ITEMS, item(), item(item_id=2, **{"class": "STRANGER"}))

        assert refused(strangers, RATES).select("kind", "key").rows() == [("NO_LATE_CHARGE_RATE", "2")]
        found = target(strangers, frame(PAID), RATES, frame(HOLDS), DUE + DAY)
        assert found["item_id"].to_list() == [1]

    def test_a_debt_from_before_the_first_rate_is_refused(self) -> None:
        first = date(1996, 10, 8)
        items = frame(ITEMS, item(due_on=first - DAY), item(due_on=first - 2 * DAY, item_id=2))

        assert refused(items, RATES)["key"].to_list() == ["2"]


def test_the_explanation_is_the_computation() -> None:
    items = frame(ITEMS, item(2_000_00, date(2000, 12, 15)))
    segments = explain(items, frame(PAID), RATES, frame(HOLDS), date(2001, 1, 18))

    assert segments.select("segment_from", "segment_to", "days", "principal_minor", "rate_ppm").rows() == [
        (date(2000, 12, 16), date(2001, 1, 1), 16, 2_000_00, 2_000),
        (date(2001, 1, 1), date(2001, 1, 19), 18, 2_000_00, 3_000),
    ]
    assert assess(items, frame(PAID), RATES, frame(HOLDS), date(2001, 1, 18))["accrued_minor"].to_list() == [172_00]


def count_by_hand(owed: dict[str, Any], paid: list[dict[str, Any]], holds: list[dict[str, Any]], on: date) -> int:
    """One day after the other, in Decimal."""
    total, day = Decimal(0), owed["overdue_from_on"]
    while day <= on:
        is_held = any(row["valid_from"] <= day and (row["valid_to"] is None or day < row["valid_to"]) for row in holds)
        principal = owed["amount_minor"] - sum(row["amount_minor"] for row in paid if row["value_on"] < day)
        rate_ppm = 2_000 if day.year == owed["overdue_from_on"].year else 3_000
        if principal > 0 and not is_held:
            total += Decimal(principal) * rate_ppm / 1_000_000
        day += DAY
    return int(total.quantize(Decimal(1), rounding=ROUND_HALF_UP))


DAYS = st.dates(date(2024, 12, 20), date(2025, 1, 20))
DEBTS = st.builds(item, amount=st.integers(1, 10**7), due_on=st.dates(date(2024, 12, 20), date(2025, 1, 5)))
MONEY = st.lists(st.builds(payment, amount=st.integers(-(10**5), 10**6), value_on=DAYS), max_size=4)
HELD = st.lists(st.builds(hold, valid_from=DAYS, valid_to=st.one_of(st.none(), DAYS)), max_size=3)


@given(DEBTS, MONEY, HELD, DAYS)
@settings(max_examples=60, deadline=None)
def test_segments_come_to_what_a_count_day_by_day_gives(
    owed: dict[str, Any], paid: list[dict[str, Any]], holds: list[dict[str, Any]], on: date
) -> None:
    assert charge(owed, on=on, paid=tuple(paid), holds=tuple(holds)) == [count_by_hand(owed, paid, holds, on)]


@given(st.lists(DEBTS, max_size=6), MONEY, HELD)
@settings(max_examples=20, deadline=None)
def test_parts_give_what_the_whole_gives(
    owed: list[dict[str, Any]], paid: list[dict[str, Any]], holds: list[dict[str, Any]]
) -> None:
    items = [{**row, "item_id": number} for number, row in enumerate(owed)]
    on = date(2025, 1, 20)

    alone = [charge(row, on=on, paid=tuple(paid), holds=tuple(holds))[0] for row in items]

    assert charge(*items, on=on, paid=tuple(paid), holds=tuple(holds)) == alone
