"""Metering: every reading in determinants, openings or issues, exactly once."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tariff_facts import contract, contracts, frame

from recoup.core import frames
from recoup.core.metering import BILLED, MONTHS_BOUND, determine, refuse_between_billed
from recoup.core.outcome import Outcome

KWH = 10_000  # index units per kWh


def reading(read_on: date, index: int | None, **changes: Any) -> dict[str, Any]:
    return {
        "reading_key": f"{changes.get('meter', 'M1')}-{read_on}-{changes.get('part', 1)}",
        "service_point": "P1",
        "meter": "M1",
        "register": "TOTAL",
        "read_on": read_on,
        "part": 1,
        "source": "ACTUAL",
        "index_e4": index,
        **changes,
    }


def service(**changes: Any) -> dict[str, Any]:
    return {
        "service_id": 10,
        "service_point": "P1",
        "contract_id": 1,
        "tariff": "TIERED",
        "class": "RESIDENTIAL",
        "free_wh_month": 0,
        "valid_from": date(2020, 1, 1),
        **changes,
    }


def installation(multiplier: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "service_point": "P1",
        "meter": "M1",
        "register": "TOTAL",
        "multiplier_e4": multiplier * 10_000,
        "valid_from": date(2020, 1, 1),
        **changes,
    }


def measure(
    *readings: dict[str, Any],
    services: list[dict[str, Any]] | None = None,
    tenures: list[dict[str, Any]] | None = None,
    installations: list[dict[str, Any]] | None = None,
    starts: int = 1,
) -> Outcome:
    return determine(
        frame(frames.READINGS, *readings),
        frame(frames.INSTALLATIONS, *([installation()] if installations is None else installations)),
        frame(frames.SERVICES, *([service()] if services is None else services)),
        contracts(*([contract()] if tenures is None else tenures)),
        tier_year_starts_month=starts,
    )


def rows(found: Outcome, *columns: str) -> list[tuple[Any, ...]]:
    return found.frames["determinants"].sort("bill_on", "part").select(columns).rows()


JAN, FEB, MAR, APR = (date(2025, month, 1) for month in (1, 2, 3, 4))


class TestChain:
    def test_the_first_reading_only_opens_the_meter(self) -> None:
        found = measure(reading(JAN, 100 * KWH))

        assert found.frames["openings"]["reading_key"].to_list() == ["M1-2025-01-01-1"]
        assert found.frames["determinants"].is_empty()
        assert found.issues.is_empty()

    def test_each_reading_closes_the_period_of_the_one_before(self) -> None:
        found = measure(reading(MAR, 360 * KWH), reading(JAN, 100 * KWH), reading(FEB, 250 * KWH))

        assert rows(found, "period_from", "period_to", "bill_on", "quantity", "months") == [
            (JAN, FEB, FEB, 150_000, 1),
            (FEB, MAR, MAR, 110_000, 1),
        ]

    def test_a_stated_start_does_not_chain(self) -> None:
        apart = reading(MAR, 900 * KWH, index_from_e4=700 * KWH, months=4)

        found = measure(reading(JAN, 100 * KWH), apart)

        assert rows(found, "period_from", "quantity", "months") == [(date(2024, 11, 1), 200_000, 4)]

    def test_a_stated_start_without_months_takes_the_day_of_the_reading_before(self) -> None:
        found = measure(reading(JAN, 100 * KWH), reading(MAR, 900 * KWH, index_from_e4=700 * KWH))

        assert rows(found, "period_from", "quantity", "months") == [(JAN, 200_000, 2)]

    def test_months_back_from_the_31st_end_on_the_last_day(self) -> None:
        found = measure(reading(date(2025, 3, 31), 10 * KWH, index_from_e4=0, months=1))

        assert rows(found, "period_from") == [(date(2025, 2, 28),)]

    def test_two_readings_in_one_month_count_one_month(self) -> None:
        found = measure(reading(date(2025, 1, 3), 0), reading(date(2025, 1, 28), 5 * KWH))

        assert rows(found, "months") == [(1,)]

    def test_two_meters_are_two_chains_and_two_bills_of_the_contract(self) -> None:
        second = installation(meter="M2")
        readings = [reading(day, index * KWH, meter=m) for m in ("M1", "M2") for day, index in ((JAN, 0), (FEB, 7))]

        found = measure(*readings, installations=[installation(), second])

        assert rows(found, "part", "quantity", "ytd_wh") == [(1, 7_000, 0), (2, 7_000, 7_000)]

    def test_rows_that_are_no_chain_and_begin_on_one_day_get_parts(self) -> None:
        first = reading(date(2018, 1, 10), 10 * KWH, index_from_e4=0, months=4, multiplier_e4=10_000)
        other = reading(date(2018, 2, 10), 30 * KWH, index_from_e4=20 * KWH, months=5, multiplier_e4=10_000)

        found = measure(
            first,
            other,
            services=[service(valid_from=date(2010, 1, 1))],
            tenures=[contract(valid_from=date(2010, 1, 1))],
        )

        assert rows(found, "period_from", "part") == [(date(2017, 9, 10), 1), (date(2017, 9, 10), 2)]


class TestEnergy:
    def test_index_times_multiplier(self) -> None:
        found = measure(reading(JAN, 0), reading(FEB, 12_345), installations=[installation(40)])

        assert rows(found, "quantity") == [(49_380,)]  # 1.2345 kWh x 40

    def test_the_readings_own_multiplier_prevails(self) -> None:
        found = measure(reading(JAN, 0), reading(FEB, 10 * KWH, multiplier_e4=300_000), installations=[])

        assert rows(found, "quantity") == [(300_000,)]

    def test_half_a_watt_hour_goes_up(self) -> None:
        assert rows(measure(reading(JAN, 0), reading(FEB, 5)), "quantity") == [(1,)]
        assert rows(measure(reading(JAN, 0), reading(FEB, 4)), "quantity") == [(0,)]

    def test_a_stated_total_that_differs_is_billed_as_corrected(self) -> None:
        found = measure(reading(JAN, 0), reading(FEB, 10 * KWH, stated_wh=12_000))

        assert rows(found, "quantity", "read_wh", "source") == [(12_000, 10_000, "CORRECTED")]

    def test_a_stated_total_that_agrees_keeps_its_source(self) -> None:
        found = measure(reading(JAN, 0), reading(FEB, 10 * KWH, stated_wh=10_000))

        assert rows(found, "quantity", "source") == [(10_000, "ACTUAL")]

    def test_a_backward_index_with_a_stated_total_is_billed(self) -> None:
        found = measure(reading(JAN, 10 * KWH), reading(FEB, 4 * KWH, stated_wh=5_000))

        assert rows(found, "quantity", "read_wh", "source") == [(5_000, -6_000, "CORRECTED")]


class TestTierYear:
    def test_energy_adds_up_within_the_year_and_begins_anew(self) -> None:
        days = [date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1)]

        found = measure(*(reading(day, n * 100 * KWH) for n, day in enumerate(days)))

        assert rows(found, "bill_on", "ytd_wh") == [(days[1], 0), (days[2], 100_000), (days[3], 0)]

    def test_the_year_may_begin_in_another_month(self) -> None:
        days = [date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1)]

        found = measure(*(reading(day, n * 100 * KWH) for n, day in enumerate(days)), starts=4)

        assert rows(found, "ytd_wh") == [(0,), (100_000,), (0,)]

    @pytest.mark.parametrize(
        ("valid_from", "valid_to", "months"),
        [
            (date(2020, 1, 1), None, 12),
            (date(2025, 6, 4), None, 7),
            (date(2025, 6, 1), None, 7),
            (date(2025, 5, 31), None, 8),
            (date(2020, 1, 1), date(2025, 7, 1), 6),
            (date(2020, 1, 1), date(2025, 7, 2), 7),
        ],
    )
    def test_months_in_service_count_whole(self, valid_from: date, valid_to: date | None, months: int) -> None:
        tenure = contract(valid_from=valid_from, valid_to=valid_to)

        found = measure(
            reading(date(2025, 6, 4), 0), reading(date(2025, 6, 30), KWH), tenures=[tenure], services=[service()]
        )

        assert rows(found, "tier_months") == [(months,)]

    def test_free_energy_is_granted_per_month(self) -> None:
        found = measure(reading(JAN, 0), reading(MAR, KWH), services=[service(free_wh_month=15_000)])

        assert rows(found, "free_wh") == [(30_000,)]


class TestTenure:
    def test_the_final_reading_belongs_to_the_one_who_leaves(self) -> None:
        services = [
            service(service_id=10, contract_id=1, valid_to=FEB),
            service(service_id=11, contract_id=2, valid_from=FEB),
        ]
        tenures = [contract(1, valid_to=FEB), contract(2, valid_from=FEB)]
        readings = [reading(JAN, 0), reading(FEB, 100 * KWH), reading(MAR, 130 * KWH)]

        found = measure(*readings, services=services, tenures=tenures)

        assert rows(found, "contract_id", "quantity", "ytd_wh") == [(1, 100_000, 0), (2, 30_000, 0)]

    def test_a_bill_on_the_first_day_of_a_contract_is_its_own(self) -> None:
        found = measure(
            reading(FEB, 10 * KWH, index_from_e4=0, months=1),
            services=[service(valid_from=FEB)],
            tenures=[contract(valid_from=FEB)],
        )

        assert rows(found, "contract_id") == [(1,)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("second", "kind"),
        [
            (reading(FEB, 4 * KWH), "NEGATIVE_INDEX"),
            (reading(FEB, None), "NO_INDEX"),
            (reading(FEB, 10 * KWH, months=MONTHS_BOUND + 1), "BAD_MONTHS"),
            (reading(FEB, 10**18), "OUT_OF_BOUNDS"),
            (reading(JAN, 10 * KWH, reading_key="again"), "DUPLICATE_READING"),
        ],
    )
    def test_a_bad_reading_is_an_issue(self, second: dict[str, Any], kind: str) -> None:
        found = measure(reading(JAN, 5 * KWH), second)

        assert found.issues.select("kind", "key").rows() == [(kind, second["reading_key"])]
        assert found.frames["openings"].height == 1

    @pytest.mark.parametrize(
        ("missing", "kind"),
        [("services", "NO_SERVICE"), ("tenures", "NO_CONTRACT"), ("installations", "NO_MULTIPLIER")],
    )
    def test_what_is_not_known_on_the_day_is_an_issue(self, missing: str, kind: str) -> None:
        found = measure(reading(JAN, 0), reading(FEB, KWH), **{missing: []})  # type: ignore[arg-type]

        assert found.issues["kind"].to_list() == [kind]

    def test_the_day_after_a_contract_ended_is_an_issue(self) -> None:
        tenure = [contract(valid_to=FEB)]

        assert measure(reading(JAN, 0), reading(FEB, KWH), tenures=tenure).issues.is_empty()
        late = measure(reading(JAN, 0), reading(date(2025, 2, 2), KWH), tenures=tenure)
        assert late.issues["kind"].to_list() == ["NO_CONTRACT"]

    def test_the_bound_of_months_is_billed(self) -> None:
        found = measure(
            reading(JAN, KWH, index_from_e4=0, months=MONTHS_BOUND), services=[service(valid_from=date(1900, 1, 1))]
        )

        assert rows(found, "months") == [(MONTHS_BOUND,)]

    def test_no_readings_give_nothing(self) -> None:
        found = measure()

        assert found.frames["determinants"].schema == pl.Schema(frames.DETERMINANTS)


READINGS = st.lists(
    st.builds(
        reading,
        read_on=st.dates(date(2024, 12, 1), date(2025, 3, 1)),
        index=st.one_of(st.none(), st.integers(0, 10**9)),
        service_point=st.sampled_from(["P1", "P2", "P3"]),
        meter=st.sampled_from(["M1", "M2"]),
        part=st.integers(1, 2),
        months=st.one_of(st.none(), st.integers(0, 3)),
        stated_wh=st.one_of(st.none(), st.integers(0, 10**6)),
        index_from_e4=st.one_of(st.none(), st.integers(0, 10**9)),
    ),
    max_size=15,
).map(lambda found: [{**row, "reading_key": f"R{number}"} for number, row in enumerate(found)])

POINTS = [service(), service(service_id=20, service_point="P2", contract_id=2)]


def measure_points(readings: list[dict[str, Any]]) -> Outcome:
    return measure(*readings, services=POINTS, tenures=[contract(1), contract(2)])


@given(READINGS)
@settings(max_examples=50, deadline=None)
def test_each_reading_ends_in_exactly_one_place(readings: list[dict[str, Any]]) -> None:
    found = measure_points(readings)

    places = [
        *found.frames["determinants"]["reading_key"],
        *found.frames["openings"]["reading_key"],
        *found.issues["key"],
    ]
    assert sorted(places) == sorted(row["reading_key"] for row in readings)


@given(READINGS)
@settings(max_examples=30, deadline=None)
def test_service_points_do_not_touch_each_other(readings: list[dict[str, Any]]) -> None:
    whole = measure_points(readings)
    parts = [measure_points([row for row in readings if row["service_point"] == point]) for point in ("P1", "P2", "P3")]

    for name in ("determinants", "openings"):
        assert sorted(pl.concat(part.frames[name] for part in parts).rows(), key=str) == sorted(
            whole.frames[name].rows(), key=str
        )


@given(st.permutations(range(4)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    readings = [reading(day, n * KWH) for n, day in enumerate((JAN, FEB, MAR, APR))]

    found = measure(*(readings[n] for n in order))

    assert rows(found, *frames.DETERMINANTS) == rows(measure(*readings), *frames.DETERMINANTS)


class TestBetweenBilled:
    """January to March is billed; a reading of February comes."""

    def refused(self, *, index_from: int | None = None, bill_from: date = JAN) -> list[str]:
        own_start = {} if index_from is None else {"index_from_e4": index_from * KWH, "months": 1}
        readings = [reading(JAN, 0), reading(FEB, 40 * KWH, **own_start), reading(MAR, 100 * KWH)]
        made = measure(*readings).frames["determinants"]
        billed = pl.DataFrame([(f"M1-{MAR}-1", bill_from, MAR)], schema=dict(BILLED), orient="row")
        late = made.filter(pl.col("bill_on") == FEB)
        return refuse_between_billed(late, frame(frames.READINGS, *readings), billed)["kind"].to_list()

    def test_its_energy_is_in_that_bill_already(self) -> None:
        assert self.refused() == ["READING_BETWEEN_BILLED"]

    def test_a_bill_that_begins_with_it_does_not_hold_its_energy(self) -> None:
        assert self.refused(bill_from=FEB) == []

    def test_a_reading_that_states_its_start_is_no_link_of_the_chain(self) -> None:
        assert self.refused(index_from=0) == []
