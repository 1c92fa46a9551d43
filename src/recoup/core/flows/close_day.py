"""Close of a day: what is done about each contract, and if nothing, why.

propose (closed under settlement group, may be sharded) -> ration (whole run) -> decide (one reason each).
Grain: one row per contract that is active, owes or is owed. Decisions are made from facts only: what was
owed, paid and held, and which touches really happened; earlier decisions are not read.
"""

from collections.abc import Mapping
from datetime import date
from typing import Literal

import polars as pl

from recoup.core import draws, frames, money, strategy
from recoup.core.flows.book import ACTIONS, CUTOFFS, DECISIONS, DayBook
from recoup.core.flows.facts import find_strays, gather_facts, list_held_items, select_contracts
from recoup.core.guards import ACTED, Guard, choose_reason, set_bits
from recoup.core.outcome import Outcome, gather, issue, no_issues
from recoup.core.rules import Rules

type Mode = Literal["own", "external", "observe"]

PER_10K = 10_000

_MINOR = ("open_minor", "overdue_minor", "held_minor", "unapplied_minor", "in_transit_minor")
_COUNTS = ("oldest_overdue_days", "overdue_bills", "late_bills_12m")
_POOL = ["pool", "org_unit"]
_RANKED = ("contract_id", "contract_key", "key64", "org_unit", "overdue_minor", "considered_at")


class DecidedTwice(Exception):
    """A contract stands more than once in the book or the proposals."""


class PoolDisagreement(Exception):
    """Rungs that share a capacity pool state different capacities."""


def close_day(
    book: DayBook,
    on: date,
    rules: Rules,
    *,
    feed_age_hours: Mapping[str, int | None],
    mode: Mode,
    seed: int,
    run_no: int,
    accrued: pl.DataFrame | None = None,
) -> Outcome:
    """Propose, ration and decide a whole book at once; frames of `decide` and "cutoffs"."""
    rationed = ration(propose(book, on, rules, feed_age_hours, mode), rules, on, seed)
    cutoffs = rationed.frames["cutoffs"]
    decided = decide(rationed.frames["proposals"], cutoffs, book, rules, on, run_no, accrued)
    issues = gather([find_strays(book, rules.denom), decided.issues])
    return Outcome({**decided.frames, "cutoffs": cutoffs}, issues)


def propose(
    book: DayBook, on: date, rules: Rules, feed_age_hours: Mapping[str, int | None], mode: Mode
) -> pl.DataFrame:
    """Read the facts of every contract at the end of `on` and evaluate every guard but CAPACITY and MOVED.

    One row per contract, in the order of `book.contracts`: the contract's keys, typed facts (columns of
    DECISIONS), stage_from, stage_to, `guards_failed`, and `considered_at`, the row of `strategy.build_ladder`
    whose limits were applied. `book.episodes` may be those of the evening before: they are advanced here, so
    the column episode_from_on is the next day's. `feed_age_hours` is by feed, None for one never loaded; mode
    "own" needs none.
    """
    contracts = strategy.assign_strategies(select_contracts(book, on), rules.strategies)
    rows = gather_facts(book, contracts, on, rules).with_columns(
        pl.col(_MINOR + _COUNTS).fill_null(0), feed_age_hours=_oldest_feed(feed_age_hours, mode)
    )
    ladder = strategy.build_ladder(rules.strategies)
    return (
        strategy.climb(rows, rules.strategies, on)
        .with_columns(strategy.pick(ladder, "considered_at", "feed_limit_hours"))
        .with_columns(guards_failed=set_bits(_evaluate_guards(ladder, mode)))
        .drop("stage", "tried_on", "ladder_base", "feed_limit_hours", "stage_waits", "stage_stands")
    )


def _oldest_feed(ages: Mapping[str, int | None], mode: Mode) -> pl.Expr:
    """Age of the oldest feed; null when one was never loaded, or none is fed."""
    known = [hours for hours in ages.values() if hours is not None]
    never = mode == "own" or not ages or len(known) < len(ages)
    return pl.lit(None if never else max(known), dtype=pl.Int32)


def _evaluate_guards(ladder: pl.DataFrame, mode: Mode) -> dict[Guard, pl.Expr]:
    """Every guard that facts of the group decide; true means failed."""
    if mode not in ("own", "external", "observe"):
        raise ValueError(f"unknown mode: {mode}")
    overdue = pl.col("overdue_minor")
    minimum = pl.lit(ladder["minimum_minor"]).gather("ladder_base")
    loose = overdue - pl.col("held_minor")
    nothing_left = (pl.col("held_minor") > 0) & ((loose == 0) | (loose < minimum.fill_null(0)))
    age = pl.col("feed_age_hours")
    stale = age.is_null() | (age > pl.col("feed_limit_hours")).fill_null(False)
    return {
        Guard.NO_DEBT: pl.col("open_minor") == 0,
        Guard.NOT_OVERDUE: overdue == 0,
        Guard.BELOW_MINIMUM: overdue < minimum,
        Guard.MONEY_UNAPPLIED: pl.col("unapplied_minor") > 0,
        Guard.MONEY_IN_TRANSIT: pl.col("in_transit_minor") > 0,
        Guard.HOLD_DUN: pl.col("held_whole").fill_null(False) | nothing_left,
        Guard.NO_STRATEGY: pl.col("ladder_base") == 0,
        Guard.EXTERNAL_OBSERVE: pl.lit(mode == "observe"),
        Guard.STALE_FEED: stale if mode == "external" else pl.lit(False),
        Guard.STAGE_WAIT: pl.col("stage_waits"),
        Guard.STAGE_CONDITION: pl.col("stage_stands"),
    }


def ration(proposals: pl.DataFrame, rules: Rules, on: date, seed: int) -> Outcome:
    """Admit the candidates of the whole run up to the capacity of their pool in their org_unit.

    Capacity = capacity_per_10k x contracts of the unit / 10,000, rounded up; null is unlimited. The largest
    overdue first, ties by a draw keyed by party, day and seed, then by contract key. Frames "proposals" (bit
    CAPACITY set, `propensity_ppm` = probability of what was decided, below one only among ties at the
    cut-off) and "cutoffs".
    """
    ladder = strategy.build_ladder(rules.strategies)
    _check_pools(ladder)
    units = proposals.group_by("org_unit").agg(contracts=pl.len().cast(pl.Int64))
    share = pl.col("capacity_per_10k") * pl.col("contracts")
    ranked = (
        proposals.select("guards_failed", *_RANKED)
        .with_row_index("row")
        .filter(pl.col("guards_failed") == 0)
        .with_columns(strategy.pick(ladder, "considered_at", "pool", "capacity_per_10k"))
        .join(units, on="org_unit", how="left", nulls_equal=True)
        .with_columns(
            capacity=(share + (PER_10K - 1)) // PER_10K,
            drawn=draws.draw_u64(pl.col("key64"), seed=seed, purpose="ration", day=on),
        )
        .sort("overdue_minor", "drawn", "contract_key", descending=[True, False, False])
        .with_columns(place=pl.col("contract_id").cum_count().over(_POOL))
        .with_columns(admitted=pl.col("capacity").is_null() | (pl.col("place") <= pl.col("capacity")))
    )
    cutoffs = _find_cutoffs(ranked)
    return Outcome({"proposals": _mark(proposals, ranked, cutoffs), "cutoffs": cutoffs}, no_issues())


def _check_pools(ladder: pl.DataFrame) -> None:
    stated = ladder.filter(pl.col("pool").is_not_null()).group_by("pool")
    torn = stated.agg(pl.col("capacity_per_10k").n_unique()).filter(pl.col("capacity_per_10k") > 1)
    if torn.height:
        raise PoolDisagreement(", ".join(sorted(torn["pool"])))


def _find_cutoffs(ranked: pl.DataFrame) -> pl.DataFrame:
    return (
        ranked.group_by(_POOL)
        .agg(
            pl.col("capacity").first(),
            wanted=pl.len().cast(pl.Int64),
            admitted=pl.col("admitted").sum().cast(pl.Int64),
            cutoff_minor=pl.col("overdue_minor").filter("admitted").min(),
        )
        .sort(_POOL)
        .pipe(frames.conform, CUTOFFS)
    )


def _mark(proposals: pl.DataFrame, ranked: pl.DataFrame, cutoffs: pl.DataFrame) -> pl.DataFrame:
    """Set CAPACITY on the candidates refused, and the probability of being on this side of a tied cut-off."""
    contested = cutoffs.filter(pl.col("wanted") > pl.col("admitted")).select(*_POOL, "cutoff_minor")
    tied = pl.col("overdue_minor") == pl.col("cutoff_minor")
    chance = pl.col("admitted").filter(tied).sum().over(_POOL) * money.PPM // tied.sum().over(_POOL)
    marks = (
        ranked.join(contested, on=_POOL, how="inner", nulls_equal=True)  # elsewhere everybody was admitted
        .with_columns(chance=pl.when(tied).then(chance))
        .select(
            "row",
            refused=~pl.col("admitted"),
            chance=pl.when("admitted").then("chance").otherwise(money.PPM - pl.col("chance")).cast(pl.Int32),
        )
    )
    everyone = proposals.height
    refused = pl.repeat(False, everyone, eager=True).scatter(marks["row"], marks["refused"])
    certain = pl.repeat(money.PPM, everyone, dtype=pl.Int32, eager=True)
    propensity = certain.scatter(marks["row"], marks["chance"].fill_null(money.PPM))
    return proposals.with_columns(
        guards_failed=pl.col("guards_failed") | set_bits({Guard.CAPACITY: pl.lit(refused)}), propensity_ppm=propensity
    )


def decide(
    proposals: pl.DataFrame,
    cutoffs: pl.DataFrame,
    book: DayBook,
    rules: Rules,
    on: date,
    run_no: int,
    accrued: pl.DataFrame | None = None,
) -> Outcome:
    """Give every contract its one reason, and the acted ones their action and the overdue items it names.

    `proposals` are those of `ration`; the engine may have set MOVED on some. `book` is the one they were
    proposed from. `accrued` (contract_id, accrued_minor) are late charges not yet booked. Frames "decisions"
    (DECISIONS, sorted by contract_id), "actions" (ACTIONS), "action_items" (frames.TOUCH_ITEMS); issues for
    accruals of contracts not proposed. Raises DecidedTwice.
    """
    ladder = strategy.build_ladder(rules.strategies)
    ordered = proposals if proposals["contract_id"].is_sorted() else proposals.sort("contract_id")
    ids = ordered["contract_id"]
    if (ids == ids.shift(1)).any():
        raise DecidedTwice(str(ids.filter(ids == ids.shift(1)).head(3).to_list()))
    for part in (_find_pool_cutoffs(ordered, cutoffs, ladder), _conform_accrued(accrued)):
        ordered = ordered.join(part, on="contract_id", how="left", maintain_order="left")
    acting_at = pl.when(pl.col("guards_failed") == 0).then("considered_at")
    decisions = (
        ordered.with_columns(acting_at=acting_at, reason=choose_reason())
        .with_columns(strategy.pick(ladder, "acting_at", "action", "channel"))
        .with_columns(
            run_no=pl.lit(run_no, dtype=pl.Int64),
            on=pl.lit(on),
            rulebook_hash=pl.lit(rules.content_hash),
            denom=pl.lit(rules.denom),
        )
        .pipe(frames.conform, DECISIONS)
    )
    named = _name_items(decisions, book, rules.denom, on)
    charged = _conform_accrued(accrued)
    known = decisions.select("contract_id").join(charged, on="contract_id", how="semi")
    missed = charged.join(known, on="contract_id", how="anti")
    issues = issue(
        missed,
        kind="ACCRUAL_WITHOUT_CONTRACT",
        key=pl.col("contract_id"),
        field="accrued_minor",
        detail=pl.col("accrued_minor"),
    )
    actions = _list_actions(decisions, named)
    return Outcome({"decisions": decisions, "actions": actions, "action_items": named}, issues)


def _conform_accrued(accrued: pl.DataFrame | None) -> pl.DataFrame:
    schema: frames.Schema = {"contract_id": pl.Int64(), "accrued_minor": pl.Int64()}
    return frames.empty(schema) if accrued is None else frames.conform(accrued, schema)


def _find_pool_cutoffs(proposals: pl.DataFrame, cutoffs: pl.DataFrame, ladder: pl.DataFrame) -> pl.DataFrame:
    """The cut-off that a candidate met, where its pool was limited (contract_id, capacity_cutoff_minor)."""
    limited = cutoffs.filter(pl.col("capacity").is_not_null())
    only_capacity = (pl.col("guards_failed") == 0) | (pl.col("guards_failed") == 1 << Guard.CAPACITY)
    return (
        proposals.filter(only_capacity)
        .select("contract_id", "org_unit", "considered_at")
        .with_columns(strategy.pick(ladder, "considered_at", "pool"))
        .join(limited, on=_POOL, how="inner", nulls_equal=True)  # other pools have no cut-off
        .select("contract_id", capacity_cutoff_minor="cutoff_minor")
    )


def _name_items(decisions: pl.DataFrame, book: DayBook, denom: str, on: date) -> pl.DataFrame:
    """Overdue items, free of holds, of the contracts acted upon (frames.TOUCH_ITEMS)."""
    acted = decisions.filter(pl.col("reason") == ACTED).select("contract_id", "on", "action")
    return (
        book.items.filter((pl.col("open_minor") > 0) & (pl.col("overdue_from_on") <= on) & (pl.col("denom") == denom))
        .join(list_held_items(book.holds, on), on="item_id", how="anti")
        .join(acted, on="contract_id", how="inner")  # items of contracts not acted upon are not named
        .select("contract_id", "item_id", decided_on="on", action_code="action", amount_minor="open_minor")
        .pipe(frames.conform, frames.TOUCH_ITEMS)
        .sort("contract_id", "item_id")
    )


def _list_actions(decisions: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    sums = named.group_by("contract_id").agg(
        overdue_minor=money.exact_sum("amount_minor"), items=pl.len().cast(pl.Int64)
    )
    return (
        decisions.filter(pl.col("reason") == ACTED)
        .drop("overdue_minor")
        .join(sums, on="contract_id", how="left", maintain_order="left")
        .select(
            *("contract_id", "channel", "org_unit", "overdue_minor", "items"),
            decided_on="on",
            action_code="action",
            stage=pl.col("stage_to").cast(pl.Int64),
        )
        .pipe(frames.conform, ACTIONS)
    )
