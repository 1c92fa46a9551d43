"""Rating: every determinant in lines or issues, each line rounded on its own, the same as a Decimal loop."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from decimal_oracle import rate_one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st
from tariff_facts import FLAT, FLAT_DEARER, TARIFFS, TIERED, determinant, determinants, frame

from recoup.core.frames import LINES
from recoup.core.rating import TariffOverlap, rate, thresholds
from recoup.core.rules import TARIFF_BLOCKS

KWH = 1_000


def amounts(*rows: dict[str, Any]) -> list[int]:
    lines = rate(determinants(*rows), TARIFFS).frames["lines"]
    return lines.sort("contract_id", "line")["amount_minor"].to_list()


def refusals(*rows: dict[str, Any]) -> list[str]:
    found = rate(determinants(*rows), TARIFFS)
    assert found.frames["lines"].is_empty()
    return found.issues["kind"].to_list()


class TestBlocksOverTheTierYear:
    def test_energy_goes_on_where_the_year_left_off(self) -> None:
        assert amounts(determinant(350 * KWH, ytd_wh=2_400 * KWH)) == [65_63, 137_29]

    def test_the_last_wh_of_a_tier_and_the_first_of_the_next(self) -> None:
        assert amounts(determinant(1 * KWH, ytd_wh=2_519 * KWH)) == [55]
        assert amounts(determinant(1 * KWH, ytd_wh=2_520 * KWH)) == [60]

    def test_a_shorter_year_in_service_narrows_the_tiers(self) -> None:
        assert len(amounts(determinant(210 * KWH, tier_months=1))) == 1
        assert len(amounts(determinant(211 * KWH, tier_months=1))) == 2

    def test_one_bill_may_touch_all_tiers(self) -> None:
        assert amounts(determinant(5_000 * KWH)) == [1378_19, 1360_93, 169_38]


class TestBlocksPerMonth:
    def test_the_months_billed_widen_each_block(self) -> None:
        assert amounts(determinant(400 * KWH, "MONTHLY", months=2)) == [64_00]
        assert amounts(determinant(401 * KWH, "MONTHLY", months=2)) == [64_00, 20]

    def test_earlier_energy_of_the_year_does_not_count(self) -> None:
        assert amounts(determinant(200 * KWH, "MONTHLY", ytd_wh=9_999 * KWH)) == [32_00]


class TestFreeEnergy:
    def test_it_is_priced_at_zero_and_keeps_its_quantity(self) -> None:
        lines = rate(determinants(determinant(120 * KWH, free_wh=15 * KWH)), TARIFFS).frames["lines"].sort("line")

        assert lines.select("quantity", "price_e8", "amount_minor", "block").rows() == [
            (15 * KWH, 0, 0, 0),
            (105 * KWH, 54_690_000, 57_42, 1),
        ]
        assert lines["rule_id"].to_list() == ["rating.BLOCKS_PER_TIER_YEAR:FREE", "rating.BLOCKS_PER_TIER_YEAR"]

    def test_exactly_used_it_leaves_nothing_to_pay(self) -> None:
        assert amounts(determinant(15 * KWH, free_wh=15 * KWH)) == [0]

    def test_one_wh_more_is_paid(self) -> None:
        assert len(amounts(determinant(15 * KWH + 1, free_wh=15 * KWH))) == 2

    def test_what_is_not_used_is_not_granted(self) -> None:
        lines = rate(determinants(determinant(5 * KWH, free_wh=15 * KWH)), TARIFFS).frames["lines"]

        assert lines["quantity"].to_list() == [5 * KWH]

    def test_free_energy_still_fills_the_tier(self) -> None:
        rows = determinants(determinant(20 * KWH, ytd_wh=2_510 * KWH, free_wh=15 * KWH))

        assert rate(rows, TARIFFS).frames["lines"].sort("line")["block"].to_list() == [0, 2]


class TestValidity:
    def test_the_last_day_of_the_period_chooses_the_price(self) -> None:
        old = determinant(100 * KWH, "FLAT", period_to=date(2026, 1, 1))
        new = determinant(100 * KWH, "FLAT", period_to=date(2026, 1, 2))

        assert amounts(old) == [55_50]
        assert amounts(new) == [60_00]

    def test_a_day_before_the_first_validity_is_an_issue(self) -> None:
        assert refusals(determinant(period_to=date(2012, 7, 1))) == ["NO_TARIFF_ON_DAY"]
        assert amounts(determinant(100 * KWH, period_to=date(2012, 7, 2))) == [54_69]

    def test_overlapping_validities_are_an_error(self) -> None:
        with pytest.raises(TariffOverlap):
            rate(determinants(determinant(code="FLAT")), frame(TARIFF_BLOCKS, *FLAT, *FLAT_DEARER))


class TestRefusals:
    def test_zero_energy_gives_one_line_of_nothing(self) -> None:
        for code in ("TIERED", "MONTHLY", "FLAT"):
            assert amounts(determinant(0, code, ytd_wh=3_000 * KWH)) == [0]

    @pytest.mark.parametrize(
        ("changes", "kind"),
        [
            ({"quantity": -1}, "NEGATIVE_QUANTITY"),
            ({"quantity": None}, "OUT_OF_BOUNDS"),
            ({"quantity": 10**15}, "OUT_OF_BOUNDS"),
            ({"free_wh": -1}, "OUT_OF_BOUNDS"),
            ({"kind": "REACTIVE"}, "UNRATED_KIND"),
            ({"tariff": "NOBODYS"}, "UNKNOWN_TARIFF"),
            ({"tariff": None}, "UNKNOWN_TARIFF"),
            ({"period_to": None}, "NO_PERIOD"),
            ({"tariff": "MONTHLY", "months": 0}, "NO_MONTHS"),
            ({"tariff": "MONTHLY", "months": None}, "NO_MONTHS"),
            ({"tier_months": 13}, "NO_TIER_YEAR"),
            ({"ytd_wh": None}, "NO_TIER_YEAR"),
        ],
    )
    def test_what_cannot_be_rated_is_an_issue(self, changes: dict[str, Any], kind: str) -> None:
        assert refusals(determinant(**changes)) == [kind]

    def test_a_bad_row_does_not_touch_its_neighbours(self) -> None:
        good, bad = determinant(100 * KWH), determinant(-5, contract_id=2)

        found = rate(determinants(good, bad), TARIFFS)

        assert found.frames["lines"]["contract_id"].to_list() == [1]
        assert found.issues.select("contract_id", "kind").rows() == [(2, "NEGATIVE_QUANTITY")]

    def test_no_determinants_give_no_lines(self) -> None:
        found = rate(determinants(), TARIFFS)

        assert found.frames["lines"].schema == pl.Schema(LINES)
        assert found.issues.is_empty()

    def test_without_tariffs_everything_is_an_issue(self) -> None:
        found = rate(determinants(determinant()), frame(TARIFF_BLOCKS))

        assert found.issues["kind"].to_list() == ["UNKNOWN_TARIFF"]


class TestRounding:
    def test_each_line_is_rounded_on_its_own(self) -> None:
        idaho = [(800_000, 8_895_800), (2_000_000, 9_807_300), (None, 10_861_500)]
        blocks = [
            {**TIERED[0], "rule": "BLOCKS_PER_MONTH", "block": n, "from_wh": low, "upto_wh": upto, "price_e8": price}
            for n, (low, (upto, price)) in enumerate(zip([0, 800_000, 2_000_000], idaho, strict=True), start=1)
        ]

        lines = rate(determinants(determinant(1_050_000)), frame(TARIFF_BLOCKS, *blocks)).frames["lines"]

        assert lines["amount_minor"].sum() == 95_69

    def test_half_a_minor_unit_goes_up(self) -> None:
        cheap = frame(TARIFF_BLOCKS, {**FLAT[0], "price_e8": 500_000})

        assert rate(determinants(determinant(1 * KWH, "FLAT")), cheap).frames["lines"]["amount_minor"].to_list() == [1]
        assert rate(determinants(determinant(KWH - 1, "FLAT")), cheap).frames["lines"]["amount_minor"].to_list() == [0]


def test_thresholds_are_monthly_bounds_times_months_in_service() -> None:
    asked = pl.DataFrame({"tariff": ["TIERED"], "on": [date(2025, 6, 4)], "months": [1], "tier_months": [7]})

    found = thresholds(asked, TARIFFS)

    assert found.select("block", "from_wh", "upto_wh", "from_month_wh").rows() == [
        (1, 0, 1_470_000, 0),
        (2, 1_470_000, 2_800_000, 210_000),
        (3, 2_800_000, None, 400_000),
    ]


MANY = st.lists(
    st.builds(
        determinant,
        quantity=st.one_of(st.integers(0, 6_000_000), st.sampled_from([0, 210_000, 2_520_000, 10**14])),
        code=st.sampled_from(["TIERED", "MONTHLY", "FLAT"]),
        months=st.integers(1, 36),
        tier_months=st.integers(1, 12),
        ytd_wh=st.integers(0, 6_000_000),
        free_wh=st.sampled_from([0, 15_000]),
        period_to=st.sampled_from([date(2025, 8, 1), date(2026, 1, 1), date(2026, 1, 2)]),
    ),
    max_size=20,
).map(lambda rows: [{**row, "contract_id": number} for number, row in enumerate(rows)])


@given(MANY)
@settings(max_examples=60, deadline=None)
def test_the_columns_say_what_a_decimal_loop_says(rows: list[dict[str, Any]]) -> None:
    lines = rate(determinants(*rows), TARIFFS).frames["lines"]

    expected = sorted(rate_one_by_one(rows, TARIFFS.to_dicts()))
    assert sorted(lines.rows()) == expected


@given(MANY, st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_parts_give_what_the_whole_gives(rows: list[dict[str, Any]], cut: int) -> None:
    whole = rate(determinants(*rows), TARIFFS).frames["lines"]
    parts = [rate(determinants(*part), TARIFFS).frames["lines"] for part in (rows[:cut], rows[cut:])]

    assert sorted(pl.concat(parts).rows()) == sorted(whole.rows())


@given(MANY)
@settings(max_examples=30, deadline=None)
def test_no_energy_is_lost_or_made(rows: list[dict[str, Any]]) -> None:
    lines = rate(determinants(*rows), TARIFFS).frames["lines"]
    billed = dict(lines.group_by("contract_id").agg(pl.col("quantity").sum()).iter_rows())

    assert billed == {row["contract_id"]: row["quantity"] for row in rows}
