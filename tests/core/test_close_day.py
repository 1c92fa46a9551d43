"""Close of a day: guards, capacity, decisions and explanation."""

from datetime import timedelta

import polars as pl
import pytest
from day_books import (
    ON,
    PAPER,
    a_book,
    a_contract,
    a_credit,
    a_hold,
    a_rung,
    a_touch,
    an_item,
    rules_of,
)

from recoup.core import frames
from recoup.core.flows import close_day as flow
from recoup.core.flows.book import ACTIONS, CUTOFFS, DECISIONS
from recoup.core.flows.explain_decision import explain_decision
from recoup.core.guards import Guard, list_failed

FRESH = {"receipts": 1}


def close(book, on=ON, rules=None, ages=FRESH, mode="own", seed=7, run_no=1, accrued=None):
    return flow.close_day(
        book, on, rules or rules_of(), feed_age_hours=ages, mode=mode, seed=seed, run_no=run_no, accrued=accrued
    )


def decide_one(*, rules=None, ages=FRESH, mode="own", **rows):
    """The decision of contract 1 in a book of these rows."""
    rows = {"contracts": [a_contract(1)], "items": [an_item(1, 1, 5)], **rows}
    return close(a_book(**rows), rules=rules, ages=ages, mode=mode).frames["decisions"].row(0, named=True)


def test_a_contract_with_an_overdue_bill_and_nothing_against_it_is_acted_upon():
    outcome = close(a_book(contracts=[a_contract(1)], items=[an_item(1, 1, 5), an_item(2, 1, 0)]))
    decision = outcome.frames["decisions"].row(0, named=True)
    assert (decision["reason"], decision["action"], decision["stage_from"], decision["stage_to"]) == (
        "ACTED",
        "ACTION_1",
        0,
        1,
    )
    assert (decision["open_minor"], decision["overdue_minor"], decision["overdue_bills"]) == (24_000, 12_000, 1)
    assert outcome.frames["action_items"].to_dicts() == [
        {"contract_id": 1, "decided_on": ON, "action_code": "ACTION_1", "item_id": 1, "amount_minor": 12_000}
    ]
    assert outcome.frames["actions"].row(0, named=True) == {
        "contract_id": 1,
        "decided_on": ON,
        "action_code": "ACTION_1",
        "channel": "SMS",
        "stage": 1,
        "org_unit": "U1",
        "overdue_minor": 12_000,
        "items": 1,
    }


def test_frames_keep_their_column_contracts_even_without_rows():
    outcome = close(a_book())
    contracts = {"decisions": DECISIONS, "actions": ACTIONS, "action_items": frames.TOUCH_ITEMS, "cutoffs": CUTOFFS}
    for name, schema in contracts.items():
        assert dict(outcome.frames[name].schema) == dict(schema), name
        assert outcome.frames[name].is_empty()


@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        ("NO_DEBT", {"items": []}),
        ("NO_DEBT", {"items": [an_item(1, 1, 5, 0)]}),
        ("NOT_OVERDUE", {"items": [an_item(1, 1, 0)]}),
        ("ACTED", {"items": [an_item(1, 1, 1)]}),
        ("BELOW_MINIMUM", {"items": [an_item(1, 1, 5, 499)]}),
        ("ACTED", {"items": [an_item(1, 1, 5, 500)]}),
        ("MONEY_UNAPPLIED", {"credits": [a_credit(9, 1, open_minor=1)]}),
        ("ACTED", {"credits": [a_credit(9, 1, open_minor=0)]}),
        ("MONEY_IN_TRANSIT", {"credits": [a_credit(9, 1, "IN_TRANSIT")]}),
        ("MONEY_IN_TRANSIT", {"credits": [a_credit(9, 1, "SUSPENSE_MATCH")]}),
        ("HOLD_DUN", {"holds": [a_hold(1, 0)]}),
        ("HOLD_DUN", {"holds": [a_hold(1, 4, 5)]}),
        ("ACTED", {"holds": [a_hold(1, 4, 4)]}),
        ("ACTED", {"holds": [a_hold(1, -1)]}),
        ("ACTED", {"holds": [a_hold(1, 4, stops_dun=False)]}),
        ("NO_STRATEGY", {"contracts": [a_contract(1, **{"class": "UNKNOWN"})]}),
        ("STAGE_WAIT", {"touches": [a_touch(1, 1, 4)]}),
        ("ACTED", {"items": [an_item(1, 1, 6)], "touches": [a_touch(1, 1, 5)]}),
        ("STAGE_WAIT", {"items": [an_item(1, 1, 20)], "touches": [a_touch(1, 1, 2)]}),
        ("ACTED", {"items": [an_item(1, 1, 20)], "touches": [a_touch(1, 1, 3)]}),
        ("STAGE_CONDITION", {"items": [an_item(1, 1, 30)], "touches": [a_touch(1, 2, 14)]}),
        ("ACTED", {"items": [an_item(1, 1, 31)], "touches": [a_touch(1, 2, 14)]}),
    ],
)
def test_each_guard_gives_its_reason_on_one_side_of_its_limit(reason, rows):
    assert decide_one(**rows)["reason"] == reason


@pytest.mark.parametrize(
    ("mode", "ages", "reason"),
    [
        ("external", {"receipts": 24, "holds": 3}, "ACTED"),
        ("external", {"receipts": 25, "holds": 3}, "STALE_FEED"),
        ("external", {"receipts": 1, "holds": None}, "STALE_FEED"),
        ("external", {}, "STALE_FEED"),
        ("own", {"receipts": 9_999}, "ACTED"),
        ("own", {}, "ACTED"),
        ("observe", {"receipts": 1}, "EXTERNAL_OBSERVE"),
    ],
)
def test_a_mirrored_book_acts_only_on_feeds_within_their_limit(mode, ages, reason):
    assert decide_one(mode=mode, ages=ages)["reason"] == reason


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode"):
        decide_one(mode="advise")


def test_every_guard_is_evaluated_and_the_first_gives_the_reason():
    decision = decide_one(
        items=[an_item(1, 1, 3, 499)],
        credits=[a_credit(8, 1), a_credit(9, 1, "IN_TRANSIT")],
        holds=[a_hold(1, 1)],
        touches=[a_touch(1, 1, 1)],
        mode="external",
        ages={},
    )
    assert decision["reason"] == "BELOW_MINIMUM"
    assert list_failed(decision["guards_failed"]) == [
        Guard.BELOW_MINIMUM,
        Guard.MONEY_UNAPPLIED,
        Guard.MONEY_IN_TRANSIT,
        Guard.HOLD_DUN,
        Guard.STALE_FEED,
        Guard.STAGE_CONDITION,
    ]
    assert (decision["unapplied_minor"], decision["in_transit_minor"], decision["hold_reason"]) == (
        12_000,
        12_000,
        "DISPUTE",
    )


def test_money_of_one_contract_stops_dunning_in_its_whole_settlement_group():
    book = a_book(
        contracts=[a_contract(1, group_id=1), a_contract(2, group_id=1), a_contract(3)],
        items=[an_item(n, n, 5) for n in (1, 2, 3)],
        credits=[a_credit(9, 2, group_id=1)],
    )
    reasons = close(book).frames["decisions"]["reason"].to_list()
    assert reasons == ["MONEY_UNAPPLIED", "MONEY_UNAPPLIED", "ACTED"]


def test_a_hold_on_one_item_leaves_the_rest_to_be_pursued_and_named():
    items = [an_item(1, 1, 40), an_item(2, 1, 5)]
    held = [a_hold(1, 3, item_id=1)]
    outcome = close(a_book(contracts=[a_contract(1)], items=items, holds=held))
    decision = outcome.frames["decisions"].row(0, named=True)
    assert (decision["reason"], decision["overdue_minor"], decision["held_minor"]) == ("ACTED", 24_000, 12_000)
    assert decision["oldest_overdue_days"] == 5
    assert outcome.frames["action_items"]["item_id"].to_list() == [2]
    assert outcome.frames["actions"]["overdue_minor"].to_list() == [12_000]


@pytest.mark.parametrize(("rest_minor", "reason"), [(None, "HOLD_DUN"), (499, "HOLD_DUN"), (500, "ACTED")])
def test_a_hold_that_leaves_less_than_the_minimum_stops_dunning(rest_minor, reason):
    rest = [] if rest_minor is None else [an_item(2, 1, 5, rest_minor)]
    assert decide_one(items=[an_item(1, 1, 40), *rest], holds=[a_hold(1, 3, item_id=1)])["reason"] == reason


def test_contracts_that_are_active_owe_or_are_owed_each_have_exactly_one_decision():
    ended = {"valid_to": ON}
    contracts = [
        a_contract(1),
        a_contract(2, **ended),
        a_contract(3, **ended),
        a_contract(4, **ended),
        a_contract(5, valid_to=ON + timedelta(days=1)),
        a_contract(6, valid_from=ON + timedelta(days=1)),
        a_contract(7, valid_from=ON),
    ]
    book = a_book(contracts=contracts[::-1], items=[an_item(1, 3, 5)], credits=[a_credit(9, 4)])
    assert close(book).frames["decisions"]["contract_id"].to_list() == [1, 3, 4, 5, 7]


def test_a_contract_that_stands_twice_in_the_book_is_refused():
    with pytest.raises(flow.DecidedTwice):
        close(a_book(contracts=[a_contract(1), a_contract(2), a_contract(1)]))


def test_debts_that_no_decision_can_see_become_issues():
    book = a_book(
        contracts=[a_contract(1)],
        items=[an_item(1, 99, 5), an_item(2, 1, 5, denom="USD")],
        credits=[a_credit(9, 98)],
    )
    outcome = close(book, accrued=pl.DataFrame({"contract_id": [97], "accrued_minor": [5]}))
    assert outcome.issues.select("kind", "key").rows() == [
        ("ITEM_WITHOUT_CONTRACT", "I1"),
        ("ITEM_OTHER_DENOM", "I2"),
        ("CREDIT_WITHOUT_CONTRACT", "P9"),
        ("ACCRUAL_WITHOUT_CONTRACT", "97"),
    ]
    assert outcome.frames["decisions"]["reason"].to_list() == ["NO_DEBT"]


def test_a_decision_keeps_the_facts_it_read():
    decision = decide_one(
        items=[an_item(1, 1, 20)],
        touches=[a_touch(1, 1, 8)],
        holds=[a_hold(1, 6, 2)],
        rollups=[
            {"contract_id": 1, "month_on": ON.replace(day=1), "late_bills": 2},
            {"contract_id": 1, "month_on": ON.replace(year=2024, day=1), "late_bills": 9},
        ],
        mode="external",
        ages={"receipts": 3, "holds": 7},
    )
    expected = {
        "last_touch_on": ON - timedelta(days=8),
        "wait_days": 6,
        "episode_from_on": ON - timedelta(days=19),
        "late_bills_12m": 2,
        "feed_age_hours": 7,
        "hold_reason": None,
        "strategy": "PAPER",
        "strategy_version": 1,
        "rulebook_hash": "0" * 64,
        "propensity_ppm": 1_000_000,
    }
    assert {name: decision[name] for name in expected} == expected


def test_accrued_late_charges_stand_beside_the_decision():
    book = a_book(contracts=[a_contract(1), a_contract(2)])
    decided = close(book, accrued=pl.DataFrame({"contract_id": [2], "accrued_minor": [55]}))
    assert decided.frames["decisions"]["accrued_minor"].to_list() == [None, 55]


# Capacity


def visits(amounts, capacity=2_000, seed=7, **changes):
    """Contracts that are all due for one rung of limited capacity, with these overdue amounts."""
    ladder = PAPER._replace(rungs=(a_rung(1, 1, capacity_per_10k=capacity),))
    book = a_book(
        contracts=[a_contract(n, **changes) for n in range(1, len(amounts) + 1)],
        items=[an_item(n, n, 5, amount) for n, amount in enumerate(amounts, 1)],
    )
    outcome = close(book, rules=rules_of(ladder), seed=seed)
    acted = outcome.frames["decisions"].filter(pl.col("reason") == "ACTED")["overdue_minor"].sort().to_list()
    return acted, outcome


@pytest.mark.parametrize(("contracts", "admitted"), [(9, 2), (10, 2), (11, 3), (15, 3), (16, 4)])
def test_capacity_is_a_share_of_the_units_contracts_rounded_up(contracts, admitted):
    amounts = [1_000 + n for n in range(contracts)]
    acted, outcome = visits(amounts)
    assert acted == amounts[-admitted:]
    assert outcome.frames["cutoffs"].to_dicts() == [
        {
            "pool": "POOL_1",
            "org_unit": "U1",
            "capacity": admitted,
            "wanted": contracts,
            "admitted": admitted,
            "cutoff_minor": amounts[-admitted],
        }
    ]
    refused = outcome.frames["decisions"].filter(pl.col("reason") == "CAPACITY")
    assert refused["guards_failed"].unique().to_list() == [1 << Guard.CAPACITY]
    assert refused["capacity_cutoff_minor"].unique().to_list() == [amounts[-admitted]]
    assert refused["action"].null_count() == refused.height


def test_unlimited_capacity_admits_all_and_none_admits_none():
    assert len(visits([1_000] * 5, capacity=None)[0]) == 5
    acted, outcome = visits([1_000] * 5, capacity=0)
    assert acted == []
    assert outcome.frames["cutoffs"]["cutoff_minor"].to_list() == [None]


def test_units_do_not_take_each_others_capacity():
    book = a_book(
        contracts=[a_contract(n, org_unit="U1" if n < 6 else None) for n in range(1, 11)],
        items=[an_item(n, n, 5, n * 1_000) for n in range(1, 11)],
    )
    ladder = PAPER._replace(rungs=(a_rung(1, 1, capacity_per_10k=2_000),))
    decided = close(book, rules=rules_of(ladder)).frames["decisions"].filter(pl.col("reason") == "ACTED")
    assert decided["contract_id"].to_list() == [5, 10]


def test_ties_at_the_cutoff_are_drawn_by_seed_and_their_probability_is_kept():
    def admitted(seed):
        outcome = visits([2_000, 1_000, 1_000, 1_000, 1_000], capacity=6_000, seed=seed)[1]
        return outcome.frames["decisions"].select("contract_id", "reason", "propensity_ppm").rows()

    assert admitted(1) == admitted(1)
    assert len({tuple(admitted(seed)) for seed in range(6)}) > 1
    for _, reason, propensity in admitted(1)[1:]:
        assert propensity == 500_000, reason
    assert admitted(1)[0][1:] == ("ACTED", 1_000_000)


def test_rungs_that_disagree_about_the_capacity_of_their_pool_are_refused():
    rungs = (a_rung(1, 1, capacity_pool="X"), a_rung(2, 16, capacity_pool="X", capacity_per_10k=5))
    with pytest.raises(flow.PoolDisagreement, match="X"):
        close(a_book(contracts=[a_contract(1)]), rules=rules_of(PAPER._replace(rungs=rungs)))


def test_a_group_that_moved_after_the_cut_is_not_acted_upon():
    book = a_book(contracts=[a_contract(1)], items=[an_item(1, 1, 5)])
    rationed = flow.ration(flow.propose(book, ON, rules_of(), {}, "own"), rules_of(), ON, 7)
    moved = rationed.frames["proposals"].with_columns(pl.col("guards_failed") | pl.lit(1 << Guard.MOVED, pl.UInt64))
    decided = flow.decide(moved, rationed.frames["cutoffs"], book, rules_of(), ON, 1)
    assert decided.frames["decisions"]["reason"].to_list() == ["MOVED"]
    assert decided.frames["actions"].is_empty()
    assert decided.frames["action_items"].is_empty()


# Explanation


def test_the_explanation_names_every_guard_with_the_values_it_read_and_its_limits():
    row = decide_one(items=[an_item(1, 1, 20)], touches=[a_touch(1, 1, 2)])
    steps = explain_decision(row, rules_of())
    assert [step.guard for step in steps] == [guard.name for guard in Guard]
    assert [step.guard for step in steps if not step.passed] == ["STAGE_WAIT"]
    wait = steps[Guard.STAGE_WAIT]
    assert wait.values == {"stage_from": 1, "last_touch_on": str(ON - timedelta(days=2)), "wait_days": 2}
    assert wait.limits == {"wait_days": 3, "repeat_days": 5}
    assert steps[Guard.STAGE_CONDITION].limits["overdue_days_from"] == 16
    assert steps[Guard.BELOW_MINIMUM].limits == {"minimum_minor": 500}
    assert steps[Guard.BELOW_MINIMUM].param_id == "strategy/paper@2025"
    assert steps[Guard.CAPACITY].limits == {"capacity_pool": "POOL_2", "capacity_per_10k": 2_000}


@pytest.mark.parametrize("touches", [[], [a_touch(1, 3, 40)], [a_touch(1, 3, 4)]])
def test_the_first_and_the_last_rung_can_be_explained(touches):
    steps = explain_decision(decide_one(items=[an_item(1, 1, 60)], touches=touches), rules_of())
    assert all(step.rule for step in steps)


def test_a_contract_without_a_strategy_is_explained_without_limits():
    steps = explain_decision(decide_one(contracts=[a_contract(1, strategy="GONE")]), rules_of())
    assert [step.guard for step in steps if not step.passed] == ["NO_STRATEGY"]
    assert {step.param_id for step in steps} == {None}
