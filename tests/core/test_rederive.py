"""Late facts: whatever the order in which facts arrive, the book ends as if each had come on its day."""

from datetime import date, timedelta
from typing import NamedTuple

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
    no_pieces,
    payment,
    rates,
    rules,
)

from recoup.core.flows.rederive import REVERSED, rederive
from recoup.core.flows.settle import open_state, settle
from recoup.core.frames import HOLDS, empty
from recoup.core.outcome import Outcome
from recoup.core.rules import Rules

AUGUST_31 = date(2025, 8, 31)
SEPT_10 = date(2025, 9, 10)


class History(NamedTuple):
    """Everything ever booked."""

    items: pl.DataFrame
    credits: pl.DataFrame
    pieces: pl.DataFrame
    booked: pl.DataFrame

    def add(self, outcome: Outcome) -> "History":
        new = ("charges", "charge_credits", "allocations", "charges_booked")
        return History(*(pl.concat([old, outcome.frames[name]]) for old, name in zip(self, new, strict=True)))

    def settle(self, on: date, law: Rules, held: pl.DataFrame, *, month_end: bool, id_from: int) -> "History":
        return self.add(settle(*open_state(*self), held, on, law, month_end=month_end, id_from=id_from))

    def rederive(
        self, on: date, law: Rules, held: pl.DataFrame, *, id_from: int, from_on: date | None = None
    ) -> "History":
        return self.add(rederive(*self, held, on, law, id_from=id_from, from_on=from_on))

    def open_principal(self) -> dict[str, int]:
        open_items = open_state(*self).items.filter(pl.col("charge_of").is_null())
        return dict(open_items.select("item_key", "open_minor").iter_rows())

    def open_charges(self) -> dict[tuple[int, date], int]:
        """Return open late charge per principal item and day accrued to."""
        charges = open_state(*self).items.filter(pl.col("charge_of").is_not_null())
        sums = charges.group_by("charge_of", "due_on").agg(pl.col("open_minor").sum())
        return {(item, on): fen for item, on, fen in sums.iter_rows()}

    def open_money(self) -> dict[str, int]:
        free = open_state(*self).credits.filter(state="FREE")
        return dict(free.select("item_key", "open_minor").iter_rows())

    def booked_charges(self) -> dict[tuple[int, date], int]:
        sums = self.booked.group_by("item_id", "accrued_to_on").agg(pl.col("amount_minor").sum())
        return {(item, on): fen for item, on, fen in sums.iter_rows() if fen}

    def summary(self) -> tuple[object, ...]:
        return self.open_principal(), self.open_charges(), self.open_money(), self.booked_charges()


def history(debts: pl.DataFrame, money_in: pl.DataFrame) -> History:
    return History(debts, money_in, no_pieces(), no_charges())


class TestStorySix:
    """A bill of 202.92 paid late with 3.25 is cancelled as of its day and replaced by 143.23."""

    def corrected(self) -> History:
        estimated = bill("JUL", 202_92, date(2025, 8, 25), item_id=1)
        paid = payment("P", 206_17, SEPT_10, item_id=2)
        law, none = rules(), empty(HOLDS)
        book = history(items(estimated), credits(paid))
        book = book.settle(AUGUST_31, law, none, month_end=True, id_from=10)
        book = book.settle(SEPT_10, law, none, month_end=False, id_from=11)
        assert book.open_principal() == {} and book.open_money() == {}
        assert book.booked_charges() == {(1, AUGUST_31): 1_22, (1, SEPT_10): 2_03}
        right = bill("JUL:2", 143_23, date(2025, 8, 25), item_id=3)
        cancelled = book.items.with_columns(
            amount_minor=pl.when(pl.col("item_id") == 1).then(0).otherwise("amount_minor")
        )
        return book._replace(items=pl.concat([cancelled, items(right)]))

    def test_the_customer_gets_the_difference_and_the_charge_on_it(self) -> None:
        after = self.corrected().rederive(date(2025, 9, 20), rules(), empty(HOLDS), id_from=20)

        assert after.open_money() == {"P": 60_65}
        assert after.open_principal() == {} and after.open_charges() == {}
        assert after.booked_charges() == {(3, AUGUST_31): 86, (3, SEPT_10): 1_43}  # 2.29

    def test_the_delta_takes_back_what_is_no_longer_true(self) -> None:
        outcome = rederive(*self.corrected(), empty(HOLDS), date(2025, 9, 20), rules(), id_from=20)

        assert outcome.frames["charge_credits"].select("item_key", "amount_minor").rows() == [
            ("JUL:LCR:20250831#2", 1_22),
            ("JUL:LCR:20250910#2", 2_03),
        ]
        undone = outcome.frames["allocations"].filter(pl.col("rule") == REVERSED)
        assert sorted(undone["amount_minor"]) == [-202_92, -2_03, -1_22]
        assert undone["value_on"].unique().to_list() == [SEPT_10]


class TestALatePayment:
    BILL = bill("JAN", 300_00, date(2025, 1, 20), item_id=1)

    def booked_to_march(self) -> History:
        book = history(items(self.BILL), credits())
        for n, on in enumerate((date(2025, 1, 31), date(2025, 2, 28))):
            book = book.settle(on, rules(), empty(HOLDS), month_end=True, id_from=10 + n)
        return book

    def test_found_in_march_counts_from_its_day_in_february(self) -> None:
        late = payment("P", 200_00, date(2025, 2, 10), item_id=2)
        book = self.booked_to_march()._replace(credits=credits(late))

        after = book.rederive(date(2025, 3, 5), rules(), empty(HOLDS), id_from=20)

        assert after.open_principal() == {"JAN": 100_00}
        assert after.booked_charges() == {
            (1, date(2025, 1, 31)): 3_30,
            (1, date(2025, 2, 10)): 3_00,
            (1, date(2025, 2, 28)): 1_80,
        }

    def test_starting_from_its_day_gives_the_same_as_starting_from_nothing(self) -> None:
        late = payment("P", 304_00, date(2025, 2, 10), item_id=2)
        book = self.booked_to_march()._replace(credits=credits(late))

        whole = book.rederive(date(2025, 3, 5), rules(), empty(HOLDS), id_from=20)
        part = book.rederive(date(2025, 3, 5), rules(), empty(HOLDS), id_from=20, from_on=date(2025, 2, 10))

        assert part.summary() == whole.summary()
        assert part.open_charges() == {(1, date(2025, 2, 10)): 2_30}

    def bounce(self, book: History, *, id_from: int) -> History:
        """Add a late payment, then take it back: charges fall and rise again."""
        late = credits(payment("P", 200_00, date(2025, 2, 10), item_id=2))
        book = book._replace(credits=pl.concat([book.credits, late]))
        book = book.rederive(date(2025, 3, 5), rules(), empty(HOLDS), id_from=id_from)
        state = pl.when(pl.col("item_key") == "P").then(pl.lit("REVERSED")).otherwise("state")
        book = book._replace(credits=book.credits.with_columns(state=state))
        return book.rederive(date(2025, 3, 6), rules(), empty(HOLDS), id_from=id_from + 10)

    def test_bounced_later_leaves_the_debt_as_if_never_paid(self) -> None:
        unpaid = self.booked_to_march()

        after = self.bounce(unpaid, id_from=20)

        assert after.summary() == unpaid.summary()
        assert after.items["item_key"].to_list().count("JAN:LC:20250228#3") == 1

    def test_bounced_after_all_was_paid_leaves_all_paid(self) -> None:
        all_of_it = payment("ALL", 312_60, date(2025, 3, 3), item_id=3)
        paid = self.booked_to_march()._replace(credits=credits(all_of_it))
        paid = paid.settle(date(2025, 3, 3), rules(), empty(HOLDS), month_end=False, id_from=20)
        assert open_state(*paid).items.is_empty()

        after = self.bounce(paid, id_from=30)

        assert after.summary() == paid.summary()

    def test_a_charge_that_rose_again_can_be_named_by_its_payer(self) -> None:
        book = self.bounce(self.booked_to_march(), id_from=20)
        risen = book.items.filter(item_key="JAN:LC:20250228#3")["item_id"].item()
        named = credits(payment("N", 5_00, date(2025, 3, 6), item_id=3, designation=risen))
        book = book._replace(credits=pl.concat([book.credits, named]))

        after = book.rederive(date(2025, 3, 7), rules(), empty(HOLDS), id_from=50)

        assert after.open_principal() == {"JAN": 300_00}
        assert after.open_charges()[(1, date(2025, 2, 28))] == 3_40

    def test_a_second_derivation_finds_nothing_to_book(self) -> None:
        late = payment("P", 304_00, date(2025, 2, 10), item_id=2)
        book = self.booked_to_march()._replace(credits=credits(late))
        once = book.rederive(date(2025, 3, 5), rules(), empty(HOLDS), id_from=20)

        again = rederive(*once, empty(HOLDS), date(2025, 3, 5), rules(), id_from=40)

        assert all(frame.is_empty() for frame in again.frames.values())

    def test_a_designated_charge_keeps_its_money(self) -> None:
        named = payment("P", 3_30, date(2025, 3, 3), item_id=2, designation=10)
        book = (
            self.booked_to_march()
            ._replace(credits=credits(named))
            .settle(date(2025, 3, 3), rules(), empty(HOLDS), month_end=False, id_from=20)
        )
        assert (1, date(2025, 1, 31)) not in book.open_charges()

        outcome = rederive(*book, empty(HOLDS), date(2025, 3, 4), rules(), id_from=40)

        assert outcome.frames["allocations"].is_empty()


class TestALateHold:
    def test_returns_the_charge_already_paid(self) -> None:
        on = date(2025, 2, 28)
        book = history(
            items(bill("JAN", 300_00, date(2025, 1, 20), item_id=1)),
            credits(payment("P", 311_70, on, item_id=2)),
        ).settle(on, rules(), empty(HOLDS), month_end=True, id_from=10)
        relief = {"hold_key": "H", "contract_id": 1, "stops_late_charge": True, "reason": "RELIEF"}
        held = holds(relief | {"valid_from": date(2025, 1, 1), "valid_to": None})

        after = book.rederive(date(2025, 3, 10), rules(), held, id_from=20)

        assert after.open_money() == {"P": 11_70}
        assert after.booked_charges() == {}
        assert after.open_principal() == {}


def test_a_charge_on_an_item_that_is_not_given_is_an_issue() -> None:
    booked = pl.DataFrame({"item_id": [99], "accrued_to_on": [date(2025, 1, 31)], "amount_minor": [5]})
    outcome = rederive(items(), credits(), no_pieces(), booked, empty(HOLDS), SEPT_10, rules(), id_from=1)

    assert outcome.issues.select("kind", "key").rows() == [("CHARGE_WITHOUT_ITEM", "99")]


# Few days on which everything happens, so that facts often meet; two are month ends.
DAYS = [
    date(2025, 1, 20),
    date(2025, 1, 31),
    date(2025, 2, 3),
    date(2025, 2, 20),
    date(2025, 2, 28),
    date(2025, 3, 4),
    date(2025, 3, 9),
]
LAST = DAYS[-1]
DAY_NO = st.integers(0, len(DAYS) - 2)
FEN = st.integers(1, 60_000)
LATENESS = st.integers(0, len(DAYS) - 1)
BILL = st.tuples(FEN, DAY_NO, st.integers(0, 12), LATENESS)
PAYMENT = st.tuples(FEN, DAY_NO, st.one_of(st.none(), st.integers(0, 2)), LATENESS)
RELIEF = st.one_of(st.none(), st.tuples(DAY_NO, st.integers(1, 30), LATENESS))
WORLD = st.tuples(st.lists(BILL, min_size=1, max_size=3), st.lists(PAYMENT, max_size=4), RELIEF)


class Facts(NamedTuple):
    """Facts of many groups, each with the day it is true and the day it arrives."""

    items: pl.DataFrame
    credits: pl.DataFrame
    holds: pl.DataFrame


def arrival(true_no: int, late_by: int) -> dict[str, date]:
    return {"true_on": DAYS[true_no], "arrives_on": DAYS[min(true_no + late_by, len(DAYS) - 1)]}


def facts_of(worlds: list) -> Facts:
    debts, money_in, held, when = [], [], [], []
    for g, (bills, payments, relief) in enumerate(worlds, start=1):
        ids = {"group_id": g, "contract_id": g}
        for n, (fen, day, terms, late_by) in enumerate(bills):
            key = f"G{g}B{n}"
            due = DAYS[day] + timedelta(days=terms)
            debts.append(bill(key, fen, due, item_id=g * 100 + n, issued_on=DAYS[day], **ids))
            when.append({"key": key} | arrival(day, late_by))
        for n, (fen, day, named, late_by) in enumerate(payments):
            key = f"G{g}P{n}"
            # A payer can only name a bill that he has got.
            designation = g * 100 + named if named is not None and named < len(bills) else None
            money_in.append(payment(key, fen, DAYS[day], item_id=g * 100 + 50 + n, designation=designation, **ids))
            when.append({"key": key} | arrival(day, late_by))
        if relief:
            start, length, late_by = relief
            validity = {"valid_from": DAYS[start], "valid_to": DAYS[start] + timedelta(days=length)}
            held.append({"hold_key": f"G{g}H", "contract_id": g, "stops_late_charge": True, "reason": "R"} | validity)
            when.append({"key": f"G{g}H"} | arrival(start, late_by))
    calendar = pl.DataFrame(when)
    return Facts(
        items(*debts).join(calendar, left_on="item_key", right_on="key"),
        credits(*money_in).join(calendar, left_on="item_key", right_on="key"),
        holds(*held).join(calendar, left_on="hold_key", right_on="key"),
    )


def on_time(facts: Facts) -> Facts:
    return Facts(*(frame.with_columns(arrives_on="true_on") for frame in facts))


def live(facts: Facts, law: Rules, *, from_first_late: bool) -> History:
    """Run the days; groups with a late fact are derived afresh, all others settle the day."""
    book = history(items(), credits())
    for n, on in enumerate(DAYS):
        id_from = 10_000_000 * (n + 1)
        new = [frame.filter(pl.col("arrives_on") == on) for frame in facts]
        known_holds = facts.holds.filter(pl.col("arrives_on") <= on).select(list(HOLDS))
        late_days = pl.concat(
            [frame.select("true_on", group_id="contract_id").filter(pl.col("true_on") < on) for frame in new]
        )
        late = late_days["group_id"].unique().to_list()
        book = History(
            pl.concat([book.items, new[0].select(book.items.columns)]),
            pl.concat([book.credits, new[1].select(book.credits.columns)]),
            book.pieces,
            book.booked,
        )
        is_late = pl.col("group_id").is_in(late)
        on_late_item = pl.col("item_id").is_in(book.items.filter(is_late)["item_id"].to_list())
        afresh = History(
            book.items.filter(is_late),
            book.credits.filter(is_late),
            book.pieces.filter(is_late),
            book.booked.filter(on_late_item),
        )
        calm = History(
            book.items.filter(~is_late),
            book.credits.filter(~is_late),
            book.pieces.filter(~is_late),
            book.booked.filter(~on_late_item),
        )
        month_end = (on + timedelta(days=1)).day == 1
        calm = calm.settle(on, law, known_holds, month_end=month_end, id_from=id_from)
        if late:
            from_on = late_days["true_on"].min() if from_first_late else None
            afresh = afresh.rederive(on, law, known_holds, id_from=id_from + 5_000_000, from_on=from_on)
        book = History(*(pl.concat(pair) for pair in zip(calm, afresh, strict=True)))
    return book


# A minimum that ends in between makes charges fall, a cap stops them: the laws in which a delta is hardest.
FALLING = rates(
    {"minimum_minor": 1_00, "valid_to": date(2025, 2, 5)}, {"cap_ppm": 20_000, "valid_from": date(2025, 2, 5)}
)
LAWS = st.sampled_from([rules(STATE_GRID), rules(CIVIL_CODE_561), rules(STATE_GRID, FALLING)])
# One run of the days costs the same for one group as for many.
WORLDS = st.lists(WORLD, min_size=8, max_size=20)


class TestOrderOfArrival:
    @pytest.mark.parametrize("from_first_late", [True, False])
    @settings(max_examples=3, deadline=None)
    @given(worlds=WORLDS, law=LAWS)
    def test_does_not_matter(self, worlds: list, law: Rules, from_first_late: bool) -> None:
        facts = facts_of(worlds)

        straight = live(on_time(facts), law, from_first_late=False)
        crooked = live(facts, law, from_first_late=from_first_late)

        assert crooked.summary() == straight.summary()

    @settings(max_examples=3, deadline=None)
    @given(WORLDS, LAWS)
    def test_leaves_nothing_to_derive(self, worlds: list, law: Rules) -> None:
        facts = facts_of(worlds)
        book = live(facts, law, from_first_late=True)

        again = rederive(*book, facts.holds.select(list(HOLDS)), LAST, law, id_from=10**9)

        assert again.frames["charges_booked"].is_empty()
        assert again.frames["allocations"].is_empty()
