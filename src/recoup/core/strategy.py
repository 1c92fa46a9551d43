"""Strategy: which ladder a contract is on, which stage its touches have reached, and which rung may come
next.

No stage is stored. Stage = the highest rung with a proven touch in this episode that named an item still
open; the next rung is stage + 1 and no other. Grain: one row per contract. Closed under contract.
"""

from datetime import date
from functools import lru_cache

import polars as pl

from recoup.core import frames, periods
from recoup.core.rules import Rung, Strategy

# One row per (strategy, stage) a contract can stand on; row 0 is "no strategy". Stage 0 is below the first
# rung.
LADDER: frames.Schema = {
    "strategy": pl.String(),
    "strategy_version": pl.Int32(),
    "base": pl.UInt32(),
    "top": pl.Int8(),
    "minimum_minor": pl.Int64(),
    "next_days": pl.Int32(),
    "next_bills": pl.Int32(),
    "next_wait": pl.Int32(),
    "own_days": pl.Int32(),
    "own_bills": pl.Int32(),
    "own_repeat": pl.Int32(),
    "spacing": pl.Int32(),
    "feed_limit_hours": pl.Int32(),
    "action": pl.String(),
    "channel": pl.String(),
    "pool": pl.String(),
    "capacity_per_10k": pl.Int64(),
}

_TOUCH = ["contract_id", "decided_on", "action_code"]


class LadderGap(Exception):
    """The rungs of a strategy are not numbered 1, 2, 3 … without a gap."""


@lru_cache(maxsize=16)  # asked for several times a day with the same strategies
def build_ladder(strategies: tuple[Strategy, ...]) -> pl.DataFrame:
    """Lay out the rungs of all strategies as LADDER rows; raise LadderGap for a gap or a code given twice."""
    if len({strategy.code for strategy in strategies}) < len(strategies):
        raise LadderGap("two strategies in force have one code")
    rows: list[dict[str, object]] = [{"base": 0, "top": 0}]
    for strategy in strategies:
        if [rung.stage for rung in strategy.rungs] != list(range(1, len(strategy.rungs) + 1)):
            raise LadderGap(f"strategy {strategy.code} v{strategy.version}")
        base, top = len(rows), len(strategy.rungs)
        steps = (None, *strategy.rungs, None)
        rows += [
            {
                "strategy": strategy.code,
                "strategy_version": strategy.version,
                "base": base,
                "top": top,
                "minimum_minor": strategy.minimum_minor,
                **_describe_next(steps[stage + 1]),
                **_describe_own(steps[stage]),
            }
            for stage in range(top + 1)
        ]
    return pl.DataFrame(rows, schema=dict(LADDER))


def _describe_next(rung: Rung | None) -> dict[str, object]:
    if rung is None:
        return {}
    return {"next_days": rung.overdue_days_from, "next_bills": rung.bills_from, "next_wait": rung.wait_days}


def _describe_own(rung: Rung | None) -> dict[str, object]:
    if rung is None:
        return {}
    return {
        "own_days": rung.overdue_days_from,
        "own_bills": rung.bills_from,
        "own_repeat": rung.repeat_days,
        "spacing": rung.wait_days if rung.repeat_days is None else rung.repeat_days,
        "feed_limit_hours": rung.feed_limit_hours,
        "action": rung.action_code,
        "channel": rung.channel,
        "pool": rung.capacity_pool,
        "capacity_per_10k": rung.capacity_per_10k,
    }


def pick(rows: pl.DataFrame, at: str, *columns: str) -> list[pl.Expr]:
    """Columns of a small frame at the row numbers in column `at` (null gives null)."""
    return [pl.lit(rows[name]).gather(pl.col(at)).alias(name) for name in columns]


def assign_strategies(contracts: pl.DataFrame, strategies: tuple[Strategy, ...]) -> pl.DataFrame:
    """Add `ladder_base` (UInt32) and replace `strategy` by the code assigned, with `strategy_version` beside
    it.

    The contract's own strategy, else the first strategy that lists its class. A code that no strategy has, or
    a class that none lists, is base 0 and null: the guard NO_STRATEGY, never another contract's ladder.
    """
    ladder = build_ladder(strategies)
    bases = {code: base for code, base in ladder.select("strategy", "base").iter_rows() if base}
    by_class: dict[str, int] = {}
    for strategy in strategies:
        for name in strategy.classes:
            by_class.setdefault(name, bases[strategy.code])
    own, other = _look_up("strategy", bases), _look_up("class", by_class)
    assigned = pl.when(pl.col("strategy").is_null()).then(other).otherwise(own)
    return contracts.with_columns(ladder_base=assigned).with_columns(
        pick(ladder, "ladder_base", "strategy", "strategy_version")
    )


def _look_up(column: str, numbers: dict[str, int]) -> pl.Expr:
    zero = pl.lit(0, dtype=pl.UInt32)
    if not numbers:
        return zero
    return pl.col(column).replace_strict(numbers, default=0, return_dtype=pl.UInt32).fill_null(zero)


def derive_stages(
    touches: pl.DataFrame, touch_items: pl.DataFrame, items: pl.DataFrame, episodes: pl.DataFrame, on: date
) -> pl.DataFrame:
    """Derive the stage that each contract in an episode has reached by the end of `on`.

    Columns: contract_id, stage (Int8, >= 1), last_touch_on (latest touch of that stage), tried_on (latest
    touch without proof). A touch counts when it is proven, was sent in the episode, and one of the items it
    named is still open (or it named none). Contracts without touches have no row: stage 0.
    """
    happened_on = pl.coalesce("sent_on", "decided_on")
    recent = (
        touches.filter(
            (pl.col("stage") >= 1) & (happened_on >= pl.lit(episodes["episode_from_on"].min(), dtype=pl.Date))
        )
        .join(episodes, on="contract_id", how="inner")  # touches outside an episode count for nothing
        .with_columns(happened_on=happened_on)
        .filter((pl.col("happened_on") >= pl.col("episode_from_on")) & (pl.col("happened_on") <= on))
    )
    proven = pl.col("proven").fill_null(False) & pl.col("sent_on").is_not_null()
    reached = (
        _keep_standing(recent.filter(proven), touch_items, items)
        .sort("stage", "happened_on")
        .group_by("contract_id")
        .agg(stage=pl.col("stage").last().cast(pl.Int8), last_touch_on=pl.col("happened_on").last())
    )
    tried = recent.filter(~proven).group_by("contract_id").agg(tried_on=pl.col("happened_on").max())
    return reached.join(tried, on="contract_id", how="full", coalesce=True).sort("contract_id")


def _keep_standing(touches: pl.DataFrame, touch_items: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Keep the touches that named no item, or at least one item that is still open."""
    opened = items.filter(pl.col("open_minor") > 0).select("item_id")
    named = touch_items.filter(pl.col("decided_on") >= pl.lit(touches["decided_on"].min(), dtype=pl.Date)).join(
        touches.select("contract_id").unique(), on="contract_id", how="semi"
    )
    standing = named.join(opened, on="item_id", how="inner")  # an item has one row: nothing is multiplied
    closed = named.select(_TOUCH).join(standing, on=_TOUCH, how="anti")
    return touches.join(closed, on=_TOUCH, how="anti")


def count_waits(stages: pl.DataFrame, holds: pl.DataFrame, on: date) -> pl.DataFrame:
    """Add `wait_days` (Int32): days of [last_touch_on, on) less those under a hold that stops dunning.

    Overlapping holds count a day once. A hold on one item pauses the wait of its contract too.
    """
    paused = (
        holds.filter(pl.col("stops_dun").fill_null(False))
        .join(stages.select("contract_id", "last_touch_on"), on="contract_id", how="inner")
        .sort("contract_id", "valid_from")
        .with_columns(valid_to=pl.col("valid_to").fill_null(on))
        .with_columns(covered_to=pl.col("valid_to").cum_max().shift(1).over("contract_id"))
        .with_columns(valid_from=pl.max_horizontal("valid_from", "covered_to"))
        .with_columns(
            held=periods.overlap_days(pl.col("valid_from"), pl.col("valid_to"), pl.col("last_touch_on"), pl.lit(on))
        )
        .group_by("contract_id")
        .agg(held_days=pl.col("held").sum())
    )
    passed = (pl.lit(on) - pl.col("last_touch_on")).dt.total_days()
    return (
        stages.join(paused, on="contract_id", how="left")
        .with_columns(wait_days=(passed - pl.col("held_days").fill_null(0)).cast(pl.Int32))
        .drop("held_days")
        .sort("contract_id")
    )


def climb(rows: pl.DataFrame, strategies: tuple[Strategy, ...], on: date) -> pl.DataFrame:
    """Find the rung that may come next for each contract, with the parameters of that rung.

    Needs ladder_base, stage, wait_days, tried_on, episode_from_on, oldest_overdue_days, overdue_bills. Adds
    stage_from, stage_to (the rung offered, or stage_from), `considered_at` (row of `build_ladder` whose
    limits apply), stage_waits and stage_stands (Boolean: the guards STAGE_WAIT and STAGE_CONDITION failed).
    """
    ladder = build_ladder(strategies)
    top = pl.lit(ladder["top"]).gather("ladder_base")
    stage = pl.min_horizontal(pl.col("stage").fill_null(0), top).cast(pl.Int8)
    placed = rows.with_columns(stage_from=stage).with_columns(at=pl.col("ladder_base") + pl.col("stage_from"))
    limits = ("next_days", "next_bills", "next_wait", "own_days", "own_bills", "own_repeat")
    offered = placed.with_columns(pick(ladder, "at", *limits)).with_columns(
        may_climb=_meets("next"), may_repeat=_meets("own") & pl.col("own_repeat").is_not_null()
    )
    may_climb, may_repeat = pl.col("may_climb"), pl.col("may_repeat") & ~pl.col("may_climb")
    has_next = pl.col("next_days").is_not_null()
    goes_up = may_climb | (has_next & ~may_repeat)
    needed = pl.when(goes_up).then("next_wait").when(may_repeat).then("own_repeat")
    has_ladder = pl.col("ladder_base") > 0
    return (
        offered.with_columns(
            considered_at=pl.col("at") + goes_up.cast(pl.UInt32),
            stage_stands=has_ladder & ~may_climb & ~may_repeat,
            stage_to=pl.col("stage_from") + may_climb.cast(pl.Int8),
            stage_waits=(pl.col("stage_from") > 0) & (pl.col("wait_days") < needed),
        )
        .with_columns(stage_waits=pl.col("stage_waits").fill_null(False) | _tried_lately(ladder, on))
        .drop("at", "may_climb", "may_repeat", *limits)
    )


def _meets(side: str) -> pl.Expr:
    """Condition of a rung: inside an episode, old enough or enough bills."""
    days = pl.col("oldest_overdue_days") >= pl.col(f"{side}_days")
    bills = pl.col("overdue_bills") >= pl.col(f"{side}_bills")
    return pl.col("episode_from_on").is_not_null() & (days.fill_null(False) | bills.fill_null(False))


def _tried_lately(ladder: pl.DataFrame, on: date) -> pl.Expr:
    """A rung tried without proof is tried again after its repeat (else wait) days, never twice in a day."""
    spacing = pl.max_horizontal(pl.lit(ladder["spacing"]).gather("considered_at"), pl.lit(1, dtype=pl.Int32))
    return ((pl.lit(on) - pl.col("tried_on")).dt.total_days() < spacing).fill_null(False)
