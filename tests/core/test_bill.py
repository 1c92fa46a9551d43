"""The bill flow: lines sum to the bill, the bill falls due as agreed, ids follow the natural order."""

from datetime import date
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from tariff_facts import contract, contracts, determinant, determinants, rules

from recoup.core.flows.bill import bill
from recoup.core.frames import BILLS, ITEMS, LINES
from recoup.core.outcome import Outcome

ON = date(2025, 8, 1)
KWH = 1_000


def issue_bills(*rows: dict[str, Any], debtors: list[dict[str, Any]] | None = None, id_from: int = 1) -> Outcome:
    owing = contracts(*(debtors or [contract(1), contract(2)]))
    return bill(determinants(*rows), owing, ON, rules(), id_from=id_from)


def test_a_bill_carries_its_natural_number_and_days() -> None:
    found = issue_bills(determinant(350 * KWH, ytd_wh=2_400 * KWH), id_from=700)

    row = found.frames["bills"].row(0, named=True)
    assert (row["bill_no"], row["bill_id"], row["amount_minor"]) == ("C1-20250701-1-1", 700, 202_92)
    assert (row["issued_on"], row["due_on"]) == (ON, date(2025, 8, 16))
    assert (row["energy_wh"], row["energy_source"], row["denom"]) == (350 * KWH, "ACTUAL", "CNY")


def test_its_item_is_overdue_from_the_day_after_the_last_day_to_pay() -> None:
    debtor = contract(1, due_days=10, agreed_rate_ppm=1_500, **{"class": "FIRM"})

    found = issue_bills(determinant(100 * KWH), debtors=[debtor], id_from=40)

    row = found.frames["items"].row(0, named=True)
    assert (row["item_id"], row["item_key"]) == (40, "C1-20250701-1-1:ENERGY")
    assert (row["component"], row["subject"]) == ("ENERGY", "RECEIVABLE_ENERGY")
    assert (row["due_on"], row["overdue_from_on"]) == (date(2025, 8, 11), date(2025, 8, 12))
    assert (row["amount_minor"], row["open_minor"]) == (54_69, 54_69)
    assert (row["class"], row["agreed_rate_ppm"], row["charge_of"]) == ("FIRM", 1_500, None)


def test_a_bill_of_nothing_opens_no_item() -> None:
    found = issue_bills(determinant(0), determinant(1 * KWH, contract_id=2))

    assert found.frames["bills"]["amount_minor"].to_list() == [0, 55]
    assert found.frames["items"]["contract_id"].to_list() == [2]


def test_lines_name_their_bill() -> None:
    found = issue_bills(determinant(350 * KWH, ytd_wh=2_400 * KWH))

    assert found.frames["lines"]["bill_no"].to_list() == ["C1-20250701-1-1"] * 2


def test_ids_follow_the_natural_order_not_the_order_of_arrival() -> None:
    rows = [determinant(KWH, contract_id=2), determinant(KWH, part=2), determinant(KWH)]

    found = issue_bills(*rows, id_from=10)

    assert found.frames["bills"].select("bill_id", "contract_id", "part").rows() == [(10, 1, 1), (11, 1, 2), (12, 2, 1)]


def test_a_determinant_without_contract_is_an_issue() -> None:
    found = issue_bills(determinant(KWH), determinant(KWH, contract_id=9))

    assert found.issues.select("kind", "contract_id").rows() == [("UNKNOWN_CONTRACT", 9)]
    assert found.frames["bills"].height == 1


def test_a_second_determinant_of_one_bill_is_an_issue() -> None:
    found = issue_bills(determinant(KWH), determinant(2 * KWH, service_point="P2"))

    assert found.issues["kind"].to_list() == ["DUPLICATE_BILL"]
    assert found.frames["bills"].height == 1


def test_what_cannot_be_rated_makes_no_bill() -> None:
    found = issue_bills(determinant(-1))

    assert found.issues["kind"].to_list() == ["NEGATIVE_QUANTITY"]
    assert found.frames["bills"].is_empty() and found.frames["items"].is_empty()


def test_a_day_without_readings_has_frames_of_no_rows() -> None:
    found = issue_bills()

    assert found.frames["bills"].schema == pl.Schema(BILLS)
    assert found.frames["items"].schema == pl.Schema(ITEMS)
    assert found.frames["lines"].schema == pl.Schema({**LINES, "bill_no": pl.String()})


DUE = st.lists(
    st.builds(
        determinant,
        quantity=st.integers(-1, 6_000_000),
        code=st.sampled_from(["TIERED", "MONTHLY", "FLAT", "NOBODYS"]),
        contract_id=st.integers(1, 4),
        part=st.integers(1, 2),
        ytd_wh=st.integers(0, 6_000_000),
        free_wh=st.sampled_from([0, 15_000]),
    ),
    max_size=12,
).map(lambda rows: [{**row, "reading_key": f"R{number}"} for number, row in enumerate(rows)])


@given(DUE)
@settings(max_examples=40, deadline=None)
def test_lines_sum_to_their_bill_and_nothing_is_lost(rows: list[dict[str, Any]]) -> None:
    found = issue_bills(*rows)

    sums = found.frames["lines"].group_by("bill_no").agg(pl.col("amount_minor").sum())
    assert dict(sums.iter_rows()) == dict(found.frames["bills"].select("bill_no", "amount_minor").iter_rows())
    assert found.frames["bills"].height + found.issues.height == len(rows)
    owed = found.frames["bills"].filter(pl.col("amount_minor") != 0)["amount_minor"].sum()
    assert found.frames["items"]["amount_minor"].sum() == owed


@given(DUE)
@settings(max_examples=20, deadline=None)
def test_contracts_do_not_touch_each_other(rows: list[dict[str, Any]]) -> None:
    whole = issue_bills(*rows).frames["bills"].drop("bill_id")
    parts = [
        issue_bills(*(row for row in rows if row["contract_id"] == number)).frames["bills"].drop("bill_id")
        for number in (1, 2, 3, 4)
    ]

    assert sorted(pl.concat(parts).rows()) == sorted(whole.rows())
