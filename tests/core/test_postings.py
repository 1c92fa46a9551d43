"""Postings: every fact with money becomes an entry whose lines sum to zero."""

from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from money_facts import bill, credits, items, no_charges, payment, rules

from recoup.core.allocation import allocate
from recoup.core.flows.settle import PAID, settle
from recoup.core.frames import ALLOCATIONS, CREDITS, HOLDS, empty
from recoup.core.outcome import Outcome
from recoup.core.postings import (
    ENTRIES,
    POSTINGS,
    post_allocations,
    post_bills,
    post_charges,
    post_opening,
    post_payments,
)

SUBJECTS = pl.DataFrame(
    [
        ("RECEIVABLE_ENERGY", "ENERGY", "RECEIVABLE"),
        ("RECEIVABLE_LATE_CHARGE", "LATE_CHARGE", "RECEIVABLE"),
        ("REVENUE_ENERGY", "ENERGY", "REVENUE"),
        ("REVENUE_LATE_CHARGE", "LATE_CHARGE", "REVENUE"),
        ("UNAPPLIED", None, "UNAPPLIED"),
        ("BANK", None, "BANK"),
        ("OPENING", None, "OPENING"),
    ],
    schema=["subject", "component", "role"],
    orient="row",
)
MARCH_1 = date(2025, 3, 1)
JAN = bill("JAN", 300_00, date(2025, 1, 20), item_id=11)
MONEY = payment("P", 350_00, MARCH_1, item_id=1, contract_id=2)


def lines(outcome: Outcome) -> list[tuple[str, int]]:
    rows: list[tuple[str, int]] = outcome.frames["postings"].select("subject", "amount_minor").rows()
    return rows


def unbalanced(outcome: Outcome) -> pl.DataFrame:
    sums = outcome.frames["postings"].group_by("entry_id", "denom").agg(pl.col("amount_minor").sum())
    return sums.filter(pl.col("amount_minor") != 0)


class TestPairs:
    def test_a_bill_debits_the_receivable_and_credits_the_revenue_on_its_day(self) -> None:
        outcome = post_bills(items(JAN), SUBJECTS, id_from=7)

        assert outcome.frames["entries"].rows() == [(7, "BILL", "JAN", 1, date(2025, 1, 10), None)]
        assert outcome.frames["postings"].rows() == [
            (7, 1, "RECEIVABLE_ENERGY", 1, "CNY", 300_00),
            (7, 2, "REVENUE_ENERGY", 1, "CNY", -300_00),
        ]

    def test_a_payment_debits_the_bank_and_is_not_applied_yet(self) -> None:
        assert lines(post_payments(credits(MONEY), SUBJECTS, id_from=1)) == [
            ("BANK", 350_00),
            ("UNAPPLIED", -350_00),
        ]

    def test_a_charge_is_income_of_its_own_and_a_lowered_charge_takes_it_back(self) -> None:
        charge = bill(
            "JAN:LC:20250301",
            12_00,
            MARCH_1,
            item_id=12,
            component="LATE_CHARGE",
            subject="RECEIVABLE_LATE_CHARGE",
        )
        lowered = payment("JAN:LCR:20250301#2", 2_00, MARCH_1, item_id=13)

        outcome = post_charges(items(charge), credits(lowered), SUBJECTS, id_from=1)

        assert lines(outcome) == [
            ("RECEIVABLE_LATE_CHARGE", 12_00),
            ("REVENUE_LATE_CHARGE", -12_00),
            ("REVENUE_LATE_CHARGE", 2_00),
            ("UNAPPLIED", -2_00),
        ]

    def test_what_was_open_at_the_take_over_stands_against_the_opening(self) -> None:
        outcome = post_opening(items(JAN | {"open_minor": 100_00}), credits(MONEY), SUBJECTS, id_from=1)

        assert lines(outcome) == [
            ("RECEIVABLE_ENERGY", 100_00),
            ("OPENING", -100_00),
            ("OPENING", 350_00),
            ("UNAPPLIED", -350_00),
        ]

    def test_a_component_without_a_subject_is_an_issue_and_not_an_entry(self) -> None:
        outcome = post_bills(items(JAN, JAN | {"item_key": "X", "component": "X"}), SUBJECTS, id_from=1)

        assert outcome.frames["entries"]["origin_key"].to_list() == ["JAN"]
        assert outcome.issues.select("kind", "key").rows() == [("NO_SUBJECT", "X")]


class TestAllocations:
    def test_one_entry_per_credit_and_day_pays_each_debt_under_its_own_contract(self) -> None:
        feb = bill("FEB", 200_00, date(2025, 2, 20), item_id=12, contract_id=3)
        debts, money_in = items(JAN, feb), credits(MONEY)
        pieces = allocate(debts, money_in, MARCH_1, rules().allocation)

        outcome = post_allocations(pieces, debts, money_in, id_from=5, batch="20250301")

        assert outcome.frames["entries"].rows() == [(5, "ALLOCATION", "P:2025-03-01:20250301", 2, MARCH_1, None)]
        assert outcome.frames["postings"].rows() == [
            (5, 1, "UNAPPLIED", 2, "CNY", 350_00),
            (5, 2, "RECEIVABLE_ENERGY", 1, "CNY", -300_00),
            (5, 3, "RECEIVABLE_ENERGY", 3, "CNY", -50_00),
        ]

    def test_a_piece_moved_from_one_debt_to_another_leaves_the_money_line_out(self) -> None:
        feb = bill("FEB", 300_00, date(2025, 2, 20), item_id=12)
        moved = pl.DataFrame(
            [(1, 1, 1, 11, -300_00, MARCH_1, "REVERSED"), (1, 1, 1, 12, 300_00, MARCH_1, "STATE_GRID")],
            schema=dict(ALLOCATIONS),
            orient="row",
        )

        outcome = post_allocations(moved, items(JAN, feb), credits(MONEY), id_from=1, batch="x")

        assert outcome.frames["postings"].select("line", "amount_minor").rows() == [
            (2, 300_00),
            (3, -300_00),
        ]

    def test_a_piece_on_an_unknown_item_is_an_issue(self) -> None:
        piece = pl.DataFrame([(1, 1, 1, 99, 5, MARCH_1, "STATE_GRID")], schema=dict(ALLOCATIONS), orient="row")

        outcome = post_allocations(piece, items(JAN), credits(MONEY), id_from=1, batch="x")

        assert outcome.frames["postings"].is_empty()
        assert outcome.issues["kind"].to_list() == ["UNKNOWN_ITEM"]


FEN = st.integers(1, 10**12)
DAYS = st.dates(date(2025, 1, 1), MARCH_1)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), FEN, DAYS), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(1, 3), FEN, DAYS), max_size=6),
)
def test_every_entry_of_a_day_sums_to_zero_and_the_receivable_is_what_is_open(debts: list, money_in: list) -> None:
    owed = items(*(bill(f"B{n}", f, d, item_id=n, group_id=g) for n, (g, f, d) in enumerate(debts)))
    got = credits(*(payment(f"P{n}", f, d, item_id=n, group_id=g) for n, (g, f, d) in enumerate(money_in)))
    day = settle(
        owed, got, empty(PAID), no_charges(), empty(HOLDS), MARCH_1, rules(), month_end=True, id_from=100
    ).frames

    outcomes = [
        post_bills(owed, SUBJECTS, id_from=1),
        post_payments(got, SUBJECTS, id_from=1_000),
        post_charges(day["charges"], day["charge_credits"], SUBJECTS, id_from=2_000),
        post_allocations(day["allocations"], pl.concat([owed, day["charges"]]), got, id_from=3_000, batch="x"),
    ]

    postings = pl.concat([outcome.frames["postings"] for outcome in outcomes])
    assert all(unbalanced(outcome).is_empty() for outcome in outcomes)
    balance = dict(postings.group_by("subject").agg(pl.col("amount_minor").sum()).iter_rows())
    applied = day["allocations"]["amount_minor"].sum()
    receivable = balance.get("RECEIVABLE_ENERGY", 0) + balance.get("RECEIVABLE_LATE_CHARGE", 0)
    assert receivable == owed["amount_minor"].sum() + day["charges"]["amount_minor"].sum() - applied
    assert balance.get("UNAPPLIED", 0) == applied - got["amount_minor"].sum()


def test_nothing_posts_nothing_under_the_same_contracts() -> None:
    for outcome in (
        post_bills(items(), SUBJECTS, id_from=1),
        post_allocations(empty(ALLOCATIONS), items(), empty(CREDITS), id_from=1, batch="x"),
    ):
        assert outcome.frames["entries"].schema == pl.Schema(ENTRIES)
        assert outcome.frames["postings"].schema == pl.Schema(POSTINGS)
