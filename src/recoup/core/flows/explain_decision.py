"""Explanation of one decision: every guard, the values it read, the parameter it compared them with.

Reads a row of the decision ledger and the rules of its day; nothing is computed a second time but the rung that
was considered, by the ladder's own arithmetic.
"""

from collections.abc import Mapping
from typing import NamedTuple

from recoup.core.guards import Guard
from recoup.core.rules import Rules, Rung, Strategy

type Value = int | str | None
type Row = Mapping[str, object]


class Step(NamedTuple):
    """One guard of a decision. `rule` says in words what passes; `param_id` names the document behind `limits`."""

    guard: str
    passed: bool
    values: dict[str, Value]
    rule: str
    limits: dict[str, Value]
    param_id: str | None


_PASSES = {
    Guard.NO_DEBT: "an item is open",
    Guard.NOT_OVERDUE: "an open item is overdue",
    Guard.BELOW_MINIMUM: "overdue is at least the strategy's minimum",
    Guard.MONEY_UNAPPLIED: "no received money of the settlement group waits to be applied",
    Guard.MONEY_IN_TRANSIT: "no money of the settlement group is on its way or being matched",
    Guard.HOLD_DUN: "no hold stops dunning, or enough overdue is free of holds",
    Guard.NO_STRATEGY: "the contract's own strategy or its class names a ladder in force",
    Guard.EXTERNAL_OBSERVE: "the book may act",
    Guard.STALE_FEED: "no feed is older than the rung allows",
    Guard.STAGE_WAIT: "the wait since the last touch is over",
    Guard.STAGE_CONDITION: "the next rung's days or bills are reached, or the present rung repeats",
    Guard.CAPACITY: "the contract ranks within the capacity of the rung's pool in its unit",
    Guard.MOVED: "no money moved in the settlement group since the cut",
}

_READS: dict[Guard, tuple[str, ...]] = {
    Guard.NO_DEBT: ("open_minor",),
    Guard.NOT_OVERDUE: ("overdue_minor", "oldest_overdue_days"),
    Guard.BELOW_MINIMUM: ("overdue_minor",),
    Guard.MONEY_UNAPPLIED: ("unapplied_minor",),
    Guard.MONEY_IN_TRANSIT: ("in_transit_minor",),
    Guard.HOLD_DUN: ("hold_reason", "overdue_minor", "held_minor"),
    Guard.NO_STRATEGY: ("strategy",),
    Guard.EXTERNAL_OBSERVE: (),
    Guard.STALE_FEED: ("feed_age_hours",),
    Guard.STAGE_WAIT: ("stage_from", "last_touch_on", "wait_days"),
    Guard.STAGE_CONDITION: ("stage_from", "oldest_overdue_days", "overdue_bills", "episode_from_on"),
    Guard.CAPACITY: ("overdue_minor", "capacity_cutoff_minor"),
    Guard.MOVED: (),
}


def explain_decision(row: Row, rules: Rules) -> list[Step]:
    """Explain a decision (a row of DECISIONS) guard by guard, in the order in which a reason is chosen."""
    failed = int(str(row["guards_failed"]))
    strategy = _find_strategy(row, rules)
    return [
        Step(
            guard=guard.name,
            passed=not failed >> guard & 1,
            values={name: _plain(row[name]) for name in _READS[guard]},
            rule=_PASSES[guard],
            limits={} if strategy is None else _list_limits(guard, row, strategy),
            param_id=None if strategy is None else strategy.param_id,
        )
        for guard in Guard
    ]


def _find_strategy(row: Row, rules: Rules) -> Strategy | None:
    wanted = (row["strategy"], row["strategy_version"])
    return next((each for each in rules.strategies if (each.code, each.version) == wanted), None)


def _plain(value: object) -> Value:
    return value if value is None or isinstance(value, int) else str(value)


def _list_limits(guard: Guard, row: Row, strategy: Strategy) -> dict[str, Value]:
    """Parameters that the guard compared with: of the strategy, or of the rungs that come into question."""
    stage = int(str(row["stage_from"]))
    own = strategy.rungs[stage - 1] if stage else None
    following = strategy.rungs[stage] if stage < len(strategy.rungs) else None
    offered = following if row["stage_to"] != stage or own is None else own
    match guard:
        case Guard.BELOW_MINIMUM | Guard.HOLD_DUN:
            return {"minimum_minor": strategy.minimum_minor}
        case Guard.STALE_FEED if offered is not None:
            return {"feed_limit_hours": offered.feed_limit_hours}
        case Guard.STAGE_WAIT:
            return _limit_wait(own, following)
        case Guard.STAGE_CONDITION:
            return _limit_condition(own, following)
        case Guard.CAPACITY if offered is not None:
            return {"capacity_pool": offered.capacity_pool, "capacity_per_10k": offered.capacity_per_10k}
    return {}


def _limit_wait(own: Rung | None, following: Rung | None) -> dict[str, Value]:
    limits: dict[str, Value] = {} if own is None else {"repeat_days": own.repeat_days}
    return limits if following is None else {"wait_days": following.wait_days, **limits}


def _limit_condition(own: Rung | None, following: Rung | None) -> dict[str, Value]:
    limits: dict[str, Value] = {} if own is None else {"repeat_days": own.repeat_days}
    if following is not None:
        limits |= {"overdue_days_from": following.overdue_days_from, "bills_from": following.bills_from}
    return limits
