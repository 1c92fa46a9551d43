"""Strategy: assignment, stage, wait and the next rung."""

from datetime import timedelta

import polars as pl
import pytest
from day_books import (
    ON,
    PAPER,
    a_contract,
    a_hold,
    a_naming,
    a_rung,
    a_touch,
    an_item,
    frame,
)

from recoup.core import frames, strategy

OTHER = PAPER._replace(code="OTHER", classes=("INDUSTRIAL",), rungs=(a_rung(1, 5),))


def assign(*contracts):
    rows = frame(frames.CONTRACTS, list(contracts))
    return strategy.assign_strategies(rows, (PAPER, OTHER))["strategy"].to_list()


def test_a_contract_takes_its_own_strategy_before_that_of_its_class():
    assert assign(a_contract(1), a_contract(2, strategy="OTHER"), a_contract(3, **{"class": "INDUSTRIAL"})) == [
        "PAPER",
        "OTHER",
        "OTHER",
    ]


@pytest.mark.parametrize(
    "changes",
    [{"class": "UNKNOWN"}, {"class": None}, {"strategy": "GONE"}, {"strategy": "GONE", "class": "INDUSTRIAL"}],
)
def test_a_contract_that_matches_nothing_gets_no_strategy_between_two_that_match(changes):
    assert assign(a_contract(1), a_contract(2, **changes), a_contract(3)) == ["PAPER", None, "PAPER"]


def test_without_strategies_nobody_is_assigned_one():
    assert strategy.assign_strategies(frame(frames.CONTRACTS, [a_contract(1)]), ())["strategy"].to_list() == [None]


@pytest.mark.parametrize("rungs", [(a_rung(1, 1), a_rung(3, 31)), (a_rung(2, 1),), (a_rung(1, 1), a_rung(1, 2))])
def test_a_ladder_with_a_gap_is_refused(rungs):
    with pytest.raises(strategy.LadderGap):
        strategy.build_ladder((PAPER._replace(rungs=rungs),))


def test_two_strategies_of_one_code_are_refused():
    with pytest.raises(strategy.LadderGap):
        strategy.build_ladder((PAPER, PAPER._replace(version=2)))


def stage_of(touches, names=(), items=(), episode_ago=60, on=ON):
    found = strategy.derive_stages(
        frame(frames.TOUCHES, list(touches)),
        frame(frames.TOUCH_ITEMS, list(names)),
        frame(frames.ITEMS, list(items)),
        frame(frames.EPISODES, [{"contract_id": 1, "episode_from_on": ON - timedelta(days=episode_ago)}]),
        on,
    )
    return (found["stage"].to_list() or [None])[0]


def test_the_stage_is_the_highest_rung_with_a_proven_touch():
    assert stage_of([a_touch(1, 2, 9), a_touch(1, 1, 20), a_touch(1, 1, 3)]) == 2


def test_an_unproven_or_unsent_touch_reaches_no_stage():
    assert stage_of([a_touch(1, 1, 20), a_touch(1, 2, 9, proven=False)]) == 1
    assert stage_of([a_touch(1, 2, 9, sent_on=None)]) is None


@pytest.mark.parametrize(("days_ago", "stage"), [(60, 1), (61, None)])
def test_a_touch_before_the_episode_counts_for_nothing(days_ago, stage):
    assert stage_of([a_touch(1, 1, days_ago)]) == stage


def test_a_touch_after_the_day_counts_for_nothing():
    assert stage_of([a_touch(1, 1, 20), a_touch(1, 2, -1)]) == 1


def test_a_touch_stands_while_one_item_it_named_is_open_and_falls_when_all_are_paid():
    touches = [a_touch(1, 1, 20), a_touch(1, 2, 9)]
    names = [a_naming(1, 1, 20, 7), a_naming(1, 2, 9, 8), a_naming(1, 2, 9, 9)]
    assert stage_of(touches, names, [an_item(7, 1, 40), an_item(9, 1, 20, 1)]) == 2
    assert stage_of(touches, names, [an_item(7, 1, 40), an_item(9, 1, 20, 0)]) == 1
    assert stage_of(touches, names, [an_item(10, 1, 40)]) is None


def test_a_touch_that_named_nothing_stands_with_its_episode():
    assert stage_of([a_touch(1, 2, 9)], [], [an_item(1, 1, 3)]) == 2


def wait(*holds, touched_ago=10):
    stages = pl.DataFrame({"contract_id": [1], "last_touch_on": [ON - timedelta(days=touched_ago)]})
    return strategy.count_waits(stages, frame(frames.HOLDS, list(holds)), ON)["wait_days"].item()


def test_the_wait_is_days_since_the_touch_less_days_under_hold():
    assert wait() == 10
    assert wait(a_hold(1, 6, 4)) == 6
    assert wait(a_hold(1, 20, 12)) == 8


def test_overlapping_holds_count_a_day_once():
    assert wait(a_hold(1, 8, 4), a_hold(1, 7, 2), a_hold(1, 5, 3)) == 4
    assert wait(a_hold(1, 9, 8), a_hold(1, 8, 1), a_hold(1, 2, 1)) == 2


def test_a_hold_that_lets_dunning_run_or_belongs_to_another_pauses_nothing():
    assert wait(a_hold(1, 6, 4, stops_dun=False), a_hold(2, 6, 4)) == 10


def test_an_open_hold_pauses_to_this_day():
    assert wait(a_hold(1, 6)) == 4


def climb(stage=0, wait_days=None, days=1, bills=1, tried_ago=None, episode=True, ladder=PAPER):
    row = pl.DataFrame(
        {
            "ladder_base": [1],
            "stage": [stage or None],
            "wait_days": [wait_days],
            "tried_on": [None if tried_ago is None else ON - timedelta(days=tried_ago)],
            "episode_from_on": [ON - timedelta(days=50) if episode else None],
            "oldest_overdue_days": [days],
            "overdue_bills": [bills],
        },
        schema={
            "ladder_base": pl.UInt32,
            "stage": pl.Int8,
            "wait_days": pl.Int32,
            "tried_on": pl.Date,
            "episode_from_on": pl.Date,
            "oldest_overdue_days": pl.Int32,
            "overdue_bills": pl.Int32,
        },
    )
    found = strategy.climb(row, (ladder,), ON).row(0, named=True)
    blocked = [name for name in ("stage_waits", "stage_stands") if found[name]]
    return found["stage_to"], blocked


@pytest.mark.parametrize(
    ("stage", "days", "reached"),
    [(0, 0, False), (0, 1, True), (1, 15, False), (1, 16, True), (2, 30, False), (2, 31, True)],
)
def test_the_next_rung_opens_on_its_day_overdue_and_not_a_day_before(stage, days, reached):
    assert climb(stage, 99 if stage else None, days, 1)[0] == stage + reached


@pytest.mark.parametrize(("bills", "reached"), [(2, False), (3, True)])
def test_three_bills_open_the_third_rung_as_well_as_days_do(bills, reached):
    assert climb(2, 99, 20, bills)[0] == 2 + reached


@pytest.mark.parametrize(("waited", "blocked"), [(6, ["stage_waits"]), (7, [])])
def test_the_next_rung_waits_its_days_after_the_touch(waited, blocked):
    assert climb(2, waited, 31) == (3, blocked)


def test_a_debt_old_enough_for_every_rung_takes_only_the_next_one():
    assert [climb(stage, 99 if stage else None, 400, 9)[0] for stage in (0, 1, 2)] == [1, 2, 3]


@pytest.mark.parametrize(("waited", "blocked"), [(4, ["stage_waits"]), (5, [])])
def test_a_rung_repeats_after_its_days_while_the_next_is_not_open(waited, blocked):
    assert climb(1, waited, 10) == (1, blocked)


@pytest.mark.parametrize(("waited", "blocked"), [(9, ["stage_waits"]), (10, [])])
def test_the_top_rung_repeats_after_its_days(waited, blocked):
    assert climb(3, waited, 90) == (3, blocked)


def test_a_rung_does_not_repeat_once_the_next_one_is_open():
    assert climb(1, 2, 16) == (2, ["stage_waits"])


def test_a_rung_without_repeat_stands_until_the_next_one_opens():
    assert climb(2, 2, 20) == (2, ["stage_waits", "stage_stands"])
    assert climb(2, 99, 20) == (2, ["stage_stands"])


def test_a_rung_repeats_only_while_its_own_condition_holds():
    assert climb(3, 99, 20, 1) == (3, ["stage_stands"])


def test_outside_an_episode_no_rung_opens():
    assert climb(0, None, 90, 5, episode=False) == (0, ["stage_stands"])


def test_a_stage_of_another_ladder_counts_as_the_top_rung():
    assert climb(9, 99, 90) == (3, [])


@pytest.mark.parametrize(("tried_ago", "blocked"), [(0, ["stage_waits"]), (4, ["stage_waits"]), (5, [])])
def test_a_rung_tried_without_proof_is_not_tried_again_every_day(tried_ago, blocked):
    assert climb(0, None, 5, tried_ago=tried_ago) == (1, blocked)


def test_a_rung_is_never_tried_twice_in_a_day_whatever_its_waits():
    free = PAPER._replace(rungs=(a_rung(1, 1),))
    assert climb(0, None, 5, tried_ago=0, ladder=free) == (1, ["stage_waits"])
    assert climb(0, None, 5, tried_ago=1, ladder=free) == (1, [])
