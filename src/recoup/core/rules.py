"""Resolved rules: what a rulebook says, as frames and small records. Made by the rulebook, read by the flows."""

from datetime import date
from typing import NamedTuple, Self

import polars as pl

from recoup.core.frames import Schema

_I = pl.Int64()
_S = pl.String()
_D = pl.Date()

# One row per tariff x validity x block. `rule` is FLAT, BLOCKS_PER_MONTH or BLOCKS_PER_TIER_YEAR; block bounds are
# watt-hours per month, `upto_wh` null for the last; the energy of a line costs `price_e8`.
TARIFF_BLOCKS: Schema = {
    "tariff": _S,
    "rule": _S,
    "block": _I,
    "from_wh": _I,
    "upto_wh": _I,
    "price_e8": _I,
    "denom": _S,
    "minor_per_major": _I,
    "valid_from": _D,
    "valid_to": _D,
    "rule_id": _S,
    "param_id": _S,
}

# One row per class x validity. `cross_year` is SEGMENT_BY_DAY or WHOLE_DEBT_AT_HIGHER_RATE; the second rate holds
# after the calendar year in which the debt fell overdue. Null minimum or cap: none.
LATE_CHARGE_RATES: Schema = {
    "class": _S,
    "rate_ppm": _I,
    "rate_next_year_ppm": _I,
    "cross_year": _S,
    "minimum_minor": _I,
    "cap_ppm": _I,
    "valid_from": _D,
    "valid_to": _D,
    "param_id": _S,
}


class Rung(NamedTuple):
    """One stage of a strategy: reached from the stage below when its condition holds and the wait is over.

    Condition: days overdue of the oldest overdue item >= `overdue_days_from`, or overdue bills >= `bills_from`.
    """

    stage: int
    code: str
    channel: str
    action_code: str
    overdue_days_from: int
    bills_from: int | None
    wait_days: int
    repeat_days: int | None
    proof: str
    capacity_pool: str
    capacity_per_10k: int | None
    feed_limit_hours: int


class Strategy(NamedTuple):
    """A versioned ladder. Overdue below `minimum_minor` is never pursued; an episode starts at `threshold_minor`."""

    code: str
    version: int
    classes: tuple[str, ...]
    minimum_minor: int
    threshold_minor: int
    rungs: tuple[Rung, ...]
    param_id: str


class AllocationPolicy(NamedTuple):
    """Order in which money meets debts: components in this order, within one the earliest due first.

    With `due_first` every debt already due comes before every debt not yet due.
    """

    code: str
    components: tuple[str, ...]
    param_id: str
    due_first: bool = False


class DayRules(NamedTuple):
    """What is in force from the day `since` until the next of its kind."""

    since: date
    late_charge_components: tuple[str, ...]
    allocation: AllocationPolicy
    strategies: tuple[Strategy, ...]


class Rules(NamedTuple):
    """Everything of the law and the company in force for one jurisdiction, and the hash of its documents.

    Frames carry all validities. What is no frame (allocation, strategies, components that bear a late charge) is the
    latest, and `at` gives that of a day.
    """

    jurisdiction: str
    denom: str
    minor_digits: int
    tariffs: pl.DataFrame
    late_charge: pl.DataFrame
    late_charge_components: tuple[str, ...]
    allocation: AllocationPolicy
    strategies: tuple[Strategy, ...]
    subjects: pl.DataFrame
    tier_year_starts_month: int
    content_hash: str
    dated: tuple[DayRules, ...] = ()

    def at(self, on: date) -> Self:
        """Return the rules in force on a day; before the first of them, the first."""
        if not self.dated:
            return self
        begun = [each for each in self.dated if each.since <= on]
        chosen = begun[-1] if begun else self.dated[0]
        return self._replace(
            late_charge_components=chosen.late_charge_components,
            allocation=chosen.allocation,
            strategies=chosen.strategies,
        )

    def without_charges(self) -> Self:
        """Return the rules of a book in which no late charge is ours, on any day."""
        dated = tuple(each._replace(late_charge_components=()) for each in self.dated)
        return self._replace(late_charge_components=(), dated=dated)
