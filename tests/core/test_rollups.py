"""Roll-ups: episodes and the months of a contract."""

from datetime import date, timedelta

import polars as pl
import pytest
from day_books import ON, a_touch, an_item, frame

from recoup.core import ageing, frames, rollups

CONTRACTS = pl.DataFrame({"contract_id": [1, 2, 3], "strategy": ["PAPER", None, "PAPER"]})
NOTHING_RUNNING = frames.empty(frames.EPISODES)


def advance(*rows, running=NOTHING_RUNNING, on=ON, threshold=500):
    items = frame(frames.ITEMS, list(rows))
    arrears = ageing.summarise_arrears(items, on)
    found = rollups.advance_episodes(running, arrears, CONTRACTS, {"PAPER": threshold}, on, items=items)
    return dict(found.iter_rows())


def running_since(days_ago):
    return frame(frames.EPISODES, [{"contract_id": 1, "episode_from_on": ON - timedelta(days=days_ago)}])


@pytest.mark.parametrize(("minor", "starts"), [(499, False), (500, True)])
def test_an_episode_starts_when_overdue_reaches_the_threshold(minor, starts):
    assert advance(an_item(1, 1, 1, minor)) == ({1: ON} if starts else {})


def test_an_episode_keeps_its_first_day_while_overdue_stays_at_the_threshold():
    assert advance(an_item(1, 1, 1, 500), running=running_since(20)) == {1: ON - timedelta(days=20)}


def test_an_episode_ends_when_overdue_falls_below_the_threshold():
    assert advance(an_item(1, 1, 30, 499), running=running_since(20)) == {}


def test_advancing_twice_in_a_day_changes_nothing():
    once = advance(an_item(1, 1, 9, 700))
    again = frame(frames.EPISODES, [{"contract_id": 1, "episode_from_on": once[1]}])
    assert advance(an_item(1, 1, 9, 700), running=again) == once


def test_a_debt_taken_over_starts_on_the_day_its_open_items_reached_the_threshold():
    rows = [an_item(1, 1, 60, 300), an_item(2, 1, 25, 300), an_item(3, 1, 3, 9_000)]
    assert advance(*rows) == {1: ON - timedelta(days=24)}


def test_a_neighbours_debt_does_not_start_an_episode_earlier():
    rows = [an_item(1, 1, 60, 9_000), an_item(2, 3, 50, 300), an_item(3, 3, 5, 300)]
    assert advance(*rows) == {1: ON - timedelta(days=59), 3: ON - timedelta(days=4)}


def test_a_bounced_payment_brings_a_running_episode_back_to_its_true_first_day():
    rows = [an_item(1, 1, 50, 800), an_item(2, 1, 5, 800)]
    assert advance(*rows, running=running_since(4)) == {1: ON - timedelta(days=49)}


def test_money_not_yet_overdue_starts_no_episode():
    assert advance(an_item(1, 1, 0, 9_000)) == {}


def test_a_contract_without_a_strategy_has_no_episode():
    assert advance(an_item(1, 2, 90, 9_000)) == {}


def day(on=ON, before=None, bills=(), closed=(), overdue=(), touches=()):
    return rollups.advance_rollups(
        frames.empty(frames.ROLLUPS) if before is None else before,
        bills=frame(frames.BILLS, [{"contract_id": c} for c in bills]),
        closed_items=pl.DataFrame(list(closed), schema=["contract_id", "days_late"], orient="row").cast(pl.Int64),
        arrears=pl.DataFrame(list(overdue), schema=["contract_id", "overdue_minor"], orient="row").cast(pl.Int64),
        touches=frame(frames.TOUCHES, [a_touch(c, 1, 0) for c in touches]),
        on=on,
    )


def test_only_contracts_with_an_event_get_a_row():
    changed = day(bills=[1], closed=[(2, 3), (3, 0)], overdue=[(4, 0)], touches=[5])
    assert changed["contract_id"].to_list() == [1, 2, 5]


@pytest.mark.parametrize(("days_late", "late_bills"), [(-4, None), (0, None), (1, 1)])
def test_a_bill_is_late_from_one_day_on(days_late, late_bills):
    changed = day(closed=[(1, days_late)])
    assert (changed["late_bills"].item() if changed.height else None) == late_bills


def test_events_add_to_the_month_and_the_highest_overdue_only_rises():
    first = day(bills=[1], overdue=[(1, 700)], touches=[1])
    second = day(before=first, closed=[(1, 4), (1, 2)], overdue=[(1, 600)], touches=[1])
    assert second.to_dicts() == [
        {
            "contract_id": 1,
            "month_on": ON.replace(day=1),
            "bills": 1,
            "late_bills": 2,
            "days_late": 6,
            "max_overdue_minor": 700,
            "contacts": 2,
        }
    ]
    assert day(before=second, overdue=[(1, 700)]).is_empty()
    assert day(before=second, overdue=[(1, 701)])["max_overdue_minor"].item() == 701


def test_replacing_keeps_one_row_per_contract_and_month():
    first = day(bills=[1, 2])
    merged = rollups.replace_rollups(first, day(before=first, bills=[2]))
    assert dict(merged.select("contract_id", "bills").iter_rows()) == {1: 1, 2: 2}


def test_a_year_is_the_twelve_months_that_end_with_this_one():
    months = [date(2024, 6, 1), date(2024, 7, 1), date(2025, 6, 1), date(2025, 7, 1)]
    before = pl.concat([day(on=month, bills=[1], closed=[(1, 5)], overdue=[(1, 9)]) for month in months])
    assert rollups.sum_year(before, ON).to_dicts() == [
        {
            "contract_id": 1,
            "bills_12m": 2,
            "late_bills_12m": 2,
            "days_late_12m": 10,
            "contacts_12m": 0,
            "max_overdue_12m": 9,
        }
    ]


def test_a_year_ending_in_february_of_a_leap_year_has_twelve_months():
    before = pl.concat([day(on=month, bills=[1]) for month in (date(2023, 2, 1), date(2023, 3, 1))])
    assert rollups.sum_year(before, date(2024, 2, 29))["bills_12m"].item() == 1


PIECES = {"item_id": pl.Int64, "value_on": pl.Date, "amount_minor": pl.Int64}
DUE = date(2025, 1, 28)


def counted(*pieces):
    """Late bills by month of one bill of 100 due on 28 January, after these pieces."""
    bill = {**an_item(1, 1, 1, 100), "amount_minor": 100, "due_on": DUE}
    found = rollups.count_late(frame(frames.ITEMS, [bill]), pl.DataFrame(pieces, PIECES, orient="row"))
    return sorted(found.select("month_on", "late_bills", "days_late").rows())


def test_a_bill_is_paid_on_the_day_of_its_last_piece_and_late_from_the_day_after_its_due_day():
    first = (1, date(2025, 1, 2), 60)
    assert counted(first, (1, DUE, 40)) == []
    assert counted(first, (1, date(2025, 2, 2), 40)) == [(date(2025, 2, 1), 1, 5)]
    assert counted(first, (1, date(2025, 2, 2), 39)) == []


def test_a_piece_taken_back_never_was_and_a_later_one_moves_the_month():
    undone = [(1, date(2025, 2, 2), 100), (1, date(2025, 2, 2), -100)]
    assert counted(*undone) == []
    assert counted(*undone, (1, date(2025, 3, 1), 100)) == [(date(2025, 3, 1), 1, 32)]


def test_changes_of_late_bills_move_months_and_leave_the_rest_alone():
    before = pl.DataFrame([(1, DUE.replace(day=1), 1, 5), (2, DUE.replace(day=1), 1, 3)], LATE, orient="row")
    after = pl.DataFrame([(1, date(2025, 2, 1), 1, 9), (2, DUE.replace(day=1), 1, 3)], LATE, orient="row")
    month = {"contract_id": 1, "month_on": DUE.replace(day=1), "bills": 2, "late_bills": 1, "days_late": 5}
    months = frame(frames.ROLLUPS, [{**month, "max_overdue_minor": 700, "contacts": 4}])

    changes = rollups.subtract_late(after, before)

    assert changes["contract_id"].unique().to_list() == [1]
    assert rollups.add_late(months, changes).rows() == [
        (1, date(2025, 1, 1), 2, 0, 0, 700, 4),
        (1, date(2025, 2, 1), 0, 1, 9, 0, 0),
    ]


LATE = {"contract_id": pl.Int64, "month_on": pl.Date, "late_bills": pl.Int64, "days_late": pl.Int64}
