"""Accidents that really happened in other collection systems, each as a test that would have met it."""

from datetime import timedelta
from itertools import product

import pytest
from day_books import ON, PAPER, a_book, a_contract, a_hold, a_naming, a_rung, a_touch, an_item, rules_of

from recoup.core.flows import close_day as flow


def decide(rules=None, on=ON, **rows):
    """Decisions by contract in a book of these rows."""
    outcome = flow.close_day(a_book(**rows), on, rules or rules_of(), feed_age_hours={}, mode="own", seed=1, run_no=1)
    return {row["contract_id"]: row for row in outcome.frames["decisions"].iter_rows(named=True)}


def pay_down(payments, touched_stages):
    """Decisions on contracts with three bills and touches at these stages, one contract for each payment of bills."""
    rows = {"contracts": [], "items": [], "touches": [], "touch_items": [], "episodes": []}
    for n, paid_bills in enumerate(payments):
        rows["contracts"].append(a_contract(n))
        rows["episodes"].append({"contract_id": n, "episode_from_on": ON - timedelta(days=39)})
        for k, (days, paid) in enumerate(zip((40, 25, 5), paid_bills, strict=True)):
            rows["items"].append(an_item(n * 3 + k, n, days, 12_000 - paid))
        for stage in touched_stages:
            rows["touches"].append(a_touch(n, stage, 20 - stage))
            rows["touch_items"] += [a_naming(n, stage, 20 - stage, n * 3 + k) for k in (0, 1)]
    return decide(**rows)


@pytest.mark.parametrize("touched", [(), (1,), (1, 2), (1, 2, 3)])
def test_a_part_payment_never_jumps_a_stage(touched):
    payments = list(product((0, 1, 6_000, 11_999, 12_000), repeat=3))
    found = pay_down(payments, touched)
    unpaid = found[payments.index((0, 0, 0))]
    assert unpaid["stage_from"] == max(touched, default=0)
    for n, paid in enumerate(payments):
        assert found[n]["stage_to"] - found[n]["stage_from"] in (0, 1), paid
        assert found[n]["stage_from"] <= unpaid["stage_from"], paid
        assert found[n]["stage_to"] <= unpaid["stage_to"], paid


@pytest.mark.parametrize(
    ("paid", "stages"),
    [
        ((0, 0, 0), (1, 2)),
        ((11_999, 0, 0), (1, 2)),
        ((12_000, 0, 0), (1, 2)),
        ((12_000, 11_999, 0), (1, 2)),
        ((12_000, 12_000, 0), (0, 1)),
    ],
)
def test_a_payment_keeps_the_stage_until_every_bill_the_touch_named_is_paid(paid, stages):
    found = pay_down([paid], (1,))[0]
    assert (found["stage_from"], found["stage_to"]) == stages


def test_a_debt_found_at_hundreds_of_days_starts_at_the_first_rung():
    assert decide(contracts=[a_contract(1)], items=[an_item(1, 1, 400)])[1]["action"] == "ACTION_1"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_contract_that_matches_no_strategy_never_takes_its_neighbours(place):
    classes = ["RESIDENTIAL"] * 3
    classes[place] = "UNKNOWN"
    found = decide(
        contracts=[a_contract(n, **{"class": kind}) for n, kind in enumerate(classes)],
        items=[an_item(n, n, 20) for n in range(3)],
    )
    for n in range(3):
        wanted = ("NO_STRATEGY", None, None) if n == place else ("ACTED", "PAPER", "ACTION_1")
        assert (found[n]["reason"], found[n]["strategy"], found[n]["action"]) == wanted


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_last_row_does_not_decide_for_all(order):
    items = [an_item(0, 1, 40), an_item(1, 1, 3), an_item(2, 1, -4)]
    found = decide(contracts=[a_contract(1)], items=[items[n] for n in order])[1]
    assert (found["oldest_overdue_days"], found["overdue_minor"], found["open_minor"]) == (40, 24_000, 36_000)


def test_one_paid_bill_does_not_resolve_the_others():
    items = [an_item(0, 1, 40), an_item(1, 1, 20, 0)]
    for rows in (items, items[::-1]):
        assert decide(contracts=[a_contract(1)], items=rows)[1]["reason"] == "ACTED"


def test_a_hold_of_one_contract_does_not_stop_its_neighbours():
    found = decide(
        contracts=[a_contract(n) for n in (1, 2, 3)],
        items=[an_item(n, n, 5) for n in (1, 2, 3)],
        holds=[a_hold(2, 1)],
    )
    assert [found[n]["reason"] for n in (1, 2, 3)] == ["ACTED", "HOLD_DUN", "ACTED"]


def test_touches_of_another_system_count_on_the_first_day():
    """The book is new and no episode is known; the old system had called twelve days ago."""
    found = decide(
        contracts=[a_contract(1), a_contract(2)],
        items=[an_item(1, 1, 40), an_item(2, 2, 40)],
        touches=[a_touch(1, 1, 25, action_code="THEIR_SMS"), a_touch(1, 2, 12, action_code="THEIR_CALL")],
    )
    assert (found[1]["stage_from"], found[1]["stage_to"], found[1]["reason"]) == (2, 3, "ACTED")
    assert (found[2]["stage_from"], found[2]["stage_to"], found[2]["reason"]) == (0, 1, "ACTED")


def test_touches_about_an_old_debt_do_not_count_for_a_new_one():
    found = decide(
        contracts=[a_contract(1)],
        items=[an_item(1, 1, 90, 0), an_item(2, 1, 5)],
        touches=[a_touch(1, 1, 80), a_touch(1, 2, 60), a_touch(1, 3, 50)],
    )
    assert (found[1]["stage_from"], found[1]["action"]) == (0, "ACTION_1")


def test_a_bounced_payment_reopens_the_episode_with_its_touches():
    """Paid on day 10 and dunned no more; when the payment bounces the debt was, by value day, never paid."""
    found = decide(
        contracts=[a_contract(1)],
        items=[an_item(1, 1, 50)],
        touches=[a_touch(1, 1, 45), a_touch(1, 2, 30)],
        touch_items=[a_naming(1, 1, 45, 1), a_naming(1, 2, 30, 1)],
    )
    assert (found[1]["episode_from_on"], found[1]["stage_from"]) == (ON - timedelta(days=49), 2)


def test_a_message_that_never_arrived_is_not_sent_every_day():
    silent = PAPER._replace(rungs=(a_rung(1, 1, repeat_days=3),))
    for days_ago, reason in ((1, "STAGE_WAIT"), (2, "STAGE_WAIT"), (3, "ACTED")):
        found = decide(
            rules_of(silent),
            contracts=[a_contract(1)],
            items=[an_item(1, 1, 9)],
            touches=[a_touch(1, 1, days_ago, proven=False)],
        )
        assert found[1]["reason"] == reason
