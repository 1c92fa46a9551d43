"""Settling one day: the late charge to the day, then money meets debts (story 2 and its neighbours)."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from money_facts import (
    CIVIL_CODE_561,
    STATE_GRID,
    bill,
    credits,
    holds,
    items,
    no_charges,
    payment,
    rules,
)

from recoup.core.flows.settle import PAID, OpenState, OverApplied, apply_settlement, open_state, settle
from recoup.core.frames import CREDITS, HOLDS, ITEMS, empty
from recoup.core.rules import Rules

MARCH_1 = date(2025, 3, 1)
APRIL_1 = date(2025, 4, 1)
JAN = bill("JAN", 300_00, date(2025, 1, 20), item_id=11)
FEB = bill("FEB", 200_00, date(2025, 2, 20), item_id=12)


def state(debts: pl.DataFrame, money_in: pl.DataFrame) -> OpenState:
    return OpenState(debts, money_in, empty(PAID), no_charges())


def settle_day(
    before: OpenState, on: date, law: Rules, *, month_end: bool = False, held: pl.DataFrame | None = None
) -> OpenState:
    held = empty(HOLDS) if held is None else held
    outcome = settle(*before, held, on, law, month_end=month_end, id_from=100)
    return apply_settlement(*before, outcome)


def with_charge_of(book: OpenState, on: date, law: Rules) -> int:
    """Return what the group owes on a day, the charge to the day included."""
    outcome = settle(*book, empty(HOLDS), on, law, month_end=True, id_from=900)
    return int(apply_settlement(*book, outcome).items["open_minor"].sum())


def open_of(book: OpenState) -> dict[str, int]:
    return dict(book.items.select("item_key", "open_minor").iter_rows())


class TestStoryTwo:
    def test_charges_accrue_to_the_day_of_payment_inclusive(self) -> None:
        before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1)))

        outcome = settle(*before, empty(HOLDS), MARCH_1, rules(), month_end=False, id_from=100)

        charges = outcome.frames["charges"]
        assert charges.select("item_id", "item_key", "amount_minor", "charge_of").rows() == [
            (100, "FEB:LC:20250301", 1_80, 12),
            (101, "JAN:LC:20250301", 12_00, 11),
        ]
        assert charges["due_on"].to_list() == [MARCH_1, MARCH_1]
        assert charges["overdue_from_on"].to_list() == [date(2025, 3, 2)] * 2
        assert outcome.frames["charges_booked"].rows() == [(12, MARCH_1, 1_80), (11, MARCH_1, 12_00)]
        assert outcome.issues.is_empty()

    def test_state_grid_pays_principal_first_oldest_due_first(self) -> None:
        before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1)))

        after = settle_day(before, MARCH_1, rules(STATE_GRID))

        assert open_of(after) == {"FEB": 150_00, "JAN:LC:20250301": 12_00, "FEB:LC:20250301": 1_80}
        assert with_charge_of(after, APRIL_1, rules(STATE_GRID)) == 168_45

    def test_civil_code_561_pays_the_charge_first(self) -> None:
        before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1)))

        after = settle_day(before, MARCH_1, rules(CIVIL_CODE_561))

        assert open_of(after) == {"FEB": 163_80}
        assert with_charge_of(after, APRIL_1, rules(CIVIL_CODE_561)) == 168_88

    def test_a_payer_who_names_february_leaves_january_half_open(self) -> None:
        before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1, designation=12)))

        after = settle_day(before, MARCH_1, rules(STATE_GRID))

        assert open_of(after)["JAN"] == 150_00
        assert "FEB" not in open_of(after)


class TestWhoBearsACharge:
    def test_nobody_on_an_ordinary_day_without_money(self) -> None:
        outcome = settle(*state(items(JAN), empty(CREDITS)), empty(HOLDS), MARCH_1, rules(), month_end=False, id_from=1)

        assert all(frame.is_empty() for frame in outcome.frames.values())

    def test_every_overdue_item_at_a_month_end(self) -> None:
        after = settle_day(state(items(JAN, FEB), empty(CREDITS)), date(2025, 2, 28), rules(), month_end=True)

        assert open_of(after)["JAN:LC:20250228"] == 11_70
        assert open_of(after)["FEB:LC:20250228"] == 1_60

    @pytest.mark.parametrize(("on", "fen"), [(date(2025, 1, 20), 0), (date(2025, 1, 21), 30)])
    def test_the_due_day_is_free_and_the_next_is_not(self, on: date, fen: int) -> None:
        assert with_charge_of(state(items(JAN), empty(CREDITS)), on, rules()) == 300_00 + fen

    def test_a_charge_bears_no_charge(self) -> None:
        book = state(items(JAN), empty(CREDITS))
        for on in (date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31)):
            book = settle_day(book, on, rules(), month_end=True)

        assert sum(open_of(book).values()) == 300_00 + 70 * 30
        assert set(book.items["charge_of"].drop_nulls()) == {11}

    def test_money_of_tomorrow_in_transit_or_in_suspense_settles_nothing(self) -> None:
        money_in = credits(
            payment("TOMORROW", 10_00, MARCH_1 + timedelta(days=1), item_id=1),
            payment("TRANSIT", 10_00, MARCH_1, item_id=2, state="IN_TRANSIT"),
            payment("SUSPENSE", 10_00, MARCH_1, item_id=3, state="SUSPENSE_MATCH"),
        )

        after = settle_day(state(items(JAN), money_in), MARCH_1, rules())

        assert open_of(after) == {"JAN": 300_00}

    def test_a_class_without_a_rate_is_an_issue_and_its_money_still_settles(self) -> None:
        before = state(items(JAN | {"class": "UNKNOWN"}), credits(payment("P", 100_00, MARCH_1, item_id=1)))

        outcome = settle(*before, empty(HOLDS), MARCH_1, rules(), month_end=False, id_from=1)

        assert outcome.issues.select("kind", "key").rows() == [("NO_LATE_CHARGE_RATE", "JAN")]
        assert outcome.frames["allocations"]["amount_minor"].to_list() == [100_00]

    def test_the_same_day_twice_books_nothing_more(self) -> None:
        once = settle_day(state(items(JAN), empty(CREDITS)), date(2025, 2, 28), rules(), month_end=True)

        twice = settle(*once, empty(HOLDS), date(2025, 2, 28), rules(), month_end=True, id_from=200)

        assert all(frame.is_empty() for frame in twice.frames.values())


class TestAChargeThatFalls:
    def test_becomes_a_credit_that_closes_the_charge(self) -> None:
        book = settle_day(state(items(JAN), empty(CREDITS)), date(2025, 2, 28), rules(), month_end=True)
        relief = {"hold_key": "H", "contract_id": 1, "stops_late_charge": True, "reason": "RELIEF"}
        held = holds(relief | {"valid_from": date(2025, 2, 1), "valid_to": None})

        outcome = settle(*book, held, date(2025, 3, 31), rules(), month_end=True, id_from=200)

        lowered = outcome.frames["charge_credits"].row(0, named=True)
        assert lowered["item_key"] == "JAN:LCR:20250331"
        assert (lowered["amount_minor"], lowered["designation"]) == (28 * 30, 100)
        assert outcome.frames["charges_booked"]["amount_minor"].to_list() == [-28 * 30]
        assert open_of(apply_settlement(*book, outcome)) == {"JAN": 300_00, "JAN:LC:20250228": 11 * 30}


class TestApply:
    def test_drops_what_is_closed_with_its_history(self) -> None:
        before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1)))

        after = settle_day(before, MARCH_1, rules())

        assert after.credits.is_empty()
        assert set(after.paid["item_id"]) == {12}
        assert set(after.booked["item_id"]) == {12}

    def test_refuses_pieces_larger_than_the_item(self) -> None:
        before = state(items(JAN), credits(payment("P", 100_00, MARCH_1, item_id=1)))
        outcome = settle(*before, empty(HOLDS), MARCH_1, rules(), month_end=False, id_from=100)
        smaller = before._replace(items=items(JAN | {"open_minor": 50_00}))

        with pytest.raises(OverApplied):
            apply_settlement(*smaller, outcome)

    def test_is_the_same_as_reloading_from_history(self) -> None:
        before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1)))
        outcome = settle(*before, empty(HOLDS), MARCH_1, rules(), month_end=False, id_from=100)

        applied = apply_settlement(*before, outcome)
        reloaded = open_state(
            pl.concat([before.items, outcome.frames["charges"]]),
            pl.concat([before.credits, outcome.frames["charge_credits"]]),
            outcome.frames["allocations"],
            outcome.frames["charges_booked"],
        )

        for one, other in zip(applied, reloaded, strict=True):
            assert one.sort(one.columns).equals(other.sort(other.columns))


DAYS = st.dates(date(2025, 1, 1), date(2025, 3, 31))
FEN = st.integers(1, 500_00)
DEBTS = st.lists(st.tuples(st.integers(1, 4), FEN, DAYS), min_size=1, max_size=12)
MONEY = st.lists(st.tuples(st.integers(1, 4), FEN, DAYS, st.one_of(st.none(), st.integers(0, 11))), max_size=8)


def any_book(debts: list[tuple[int, int, date]], money_in: list[tuple[int, int, date, int | None]]) -> OpenState:
    return state(
        items(*(bill(f"B{n}", fen, due, item_id=n, group_id=g) for n, (g, fen, due) in enumerate(debts))),
        credits(
            *(
                payment(f"P{n}", fen, day, item_id=50 + n, group_id=g, designation=named)
                for n, (g, fen, day, named) in enumerate(money_in)
            )
        ),
    )


class TestProperties:
    @settings(max_examples=40, deadline=None)
    @given(DEBTS, MONEY)
    def test_no_minor_unit_is_created_or_lost(self, debts: list, money_in: list) -> None:
        before = any_book(debts, money_in)

        outcome = settle(*before, empty(HOLDS), MARCH_1, rules(), month_end=True, id_from=100)
        after = apply_settlement(*before, outcome)

        applied = outcome.frames["allocations"]["amount_minor"].sum()
        charged = outcome.frames["charges"]["amount_minor"].sum()
        assert after.items["open_minor"].sum() == before.items["open_minor"].sum() + charged - applied
        assert after.credits["open_minor"].sum() == before.credits["open_minor"].sum() - applied

    @settings(max_examples=40, deadline=None)
    @given(DEBTS, MONEY)
    def test_no_group_keeps_both_free_money_and_a_debt(self, debts: list, money_in: list) -> None:
        after = settle_day(any_book(debts, money_in), MARCH_1, rules(), month_end=True)

        owing = after.items.filter(pl.col("issued_on") <= MARCH_1)["group_id"]
        holding = after.credits.filter(pl.col("value_on") <= MARCH_1)["group_id"]
        assert not set(owing) & set(holding)

    @settings(max_examples=25, deadline=None)
    @given(DEBTS, MONEY)
    def test_slices_by_group_make_the_whole(self, debts: list, money_in: list) -> None:
        book = any_book(debts, money_in)
        whole = settle_day(book, MARCH_1, rules(), month_end=True)

        parts = [
            settle_day(
                book._replace(
                    items=book.items.filter(pl.col("group_id").is_in(groups)),
                    credits=book.credits.filter(pl.col("group_id").is_in(groups)),
                ),
                MARCH_1,
                rules(),
                month_end=True,
            )
            for groups in ([1, 2], [3, 4])
        ]

        by_key = ["group_id", "item_key", "open_minor"]
        for frame in ("items", "credits"):
            joined = pl.concat([getattr(part, frame) for part in parts])
            assert joined.select(by_key).sort(by_key).equals(getattr(whole, frame).select(by_key).sort(by_key))

    @settings(max_examples=25, deadline=None)
    @given(DEBTS, MONEY, st.integers(1, 1000))
    def test_surrogate_ids_decide_nothing(self, debts: list, money_in: list, shift: int) -> None:
        book = any_book(debts, [(g, fen, day, None) for g, fen, day, _ in money_in])
        turned = book._replace(
            items=book.items.with_columns(item_id=5000 * shift - pl.col("item_id")).reverse(),
            credits=book.credits.with_columns(item_id=9000 * shift - pl.col("item_id")).reverse(),
        )

        straight, other = settle_day(book, MARCH_1, rules()), settle_day(turned, MARCH_1, rules())

        assert open_of(straight) == open_of(other)
        assert sorted(straight.credits["item_key"]) == sorted(other.credits["item_key"])


def test_frames_keep_their_contracts() -> None:
    before = state(items(JAN, FEB), credits(payment("P", 350_00, MARCH_1, item_id=1)))

    after = settle_day(before, MARCH_1, rules())

    assert after.items.schema == pl.Schema(ITEMS)
    assert after.credits.schema == pl.Schema(CREDITS)
