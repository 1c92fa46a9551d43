"""Roll-ups: what a contract's recent past amounts to, carried forward by the day's events.

An episode is the unbroken run of days with overdue at or above the strategy's threshold, by value day. A
month row holds what happened in one calendar month; it is written only for contracts with an event.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from recoup.core import frames, money

_COUNTS = ("bills", "late_bills", "days_late", "contacts")
_CHUNKS_MAX = 8  # a frame replaced in every day is made whole again now and then


def advance_episodes(
    episodes: pl.DataFrame,
    arrears: pl.DataFrame,
    contracts: pl.DataFrame,
    thresholds: Mapping[str, int],
    on: date,
    *,
    items: pl.DataFrame,
) -> pl.DataFrame:
    """Return the episodes (frames.EPISODES) of the contracts whose overdue reaches their threshold at `on`.

    `arrears` are those of `ageing.summarise_arrears` over `items`; `contracts` has contract_id and the
    strategy assigned; `thresholds` gives minor units by strategy: without one there is no episode. A running
    episode keeps its first day. A debt that arrives old (a book taken over, a bounced payment) starts one on
    the day from which the items open today alone reach the threshold. Idempotent within a day.
    """
    overdue = arrears.filter(pl.col("overdue_minor") > 0)
    pursued = _with_thresholds(contracts.join(overdue, on="contract_id", how="semi"), thresholds)
    oldest_on = pl.lit(on) - pl.duration(days=pl.col("oldest_overdue_days") - 1)
    reached = (
        overdue.join(pursued, on="contract_id", how="inner")  # others have no strategy: no episode, by rule
        .filter(pl.col("overdue_minor") >= pl.col("threshold_minor"))
        .join(episodes.select("contract_id", "episode_from_on"), on="contract_id", how="left")
        .with_columns(settled=(pl.col("episode_from_on") <= oldest_on.cast(pl.Date)).fill_null(False))
    )
    derived = _find_days_reached(items, reached.filter(~pl.col("settled")), on)
    first = pl.min_horizontal("episode_from_on", "reached_on")
    return (
        reached.join(derived, on="contract_id", how="left")
        .select("contract_id", episode_from_on=first)
        .sort("contract_id")
    )


def derive_episodes(
    items: pl.DataFrame, pieces: pl.DataFrame, contracts: pl.DataFrame, thresholds: Mapping[str, int], on: date
) -> pl.DataFrame:
    """Derive the episodes running at the end of `on` from whole history, by true days, whenever each was told.

    `items` are ITEMS ever (full amounts), `pieces` [item_id, value_on, amount_minor] what was applied to them (a
    negative one undoes); `contracts` and `thresholds` as in `advance_episodes`, which gives the same day by day
    when every fact comes on its day. One row per contract inside an episode (EPISODES).
    """
    pursued = _with_thresholds(contracts, thresholds)
    days = _overdue_by_day(items.filter(pl.col("overdue_from_on") <= on), pieces).join(pursued, on="contract_id")
    below = pl.col("overdue_minor") < pl.col("threshold_minor")
    last_below = pl.col("day").filter(below).max().over("contract_id")
    running = days.filter(last_below.is_null() | (pl.col("day") > last_below))
    return running.group_by("contract_id").agg(episode_from_on=pl.col("day").min()).sort("contract_id")


def _overdue_by_day(items: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """Overdue at the end of each day on which it changed: contract_id, day, overdue_minor."""
    owed = items.select("contract_id", day="overdue_from_on", moved=pl.col("amount_minor"))
    paid = pieces.join(items.select("item_id", "contract_id", "overdue_from_on"), on="item_id").select(
        "contract_id",
        day=pl.max_horizontal("value_on", "overdue_from_on"),
        moved=pl.col("amount_minor") * -1,
    )
    moves = pl.concat([owed, paid]).group_by("contract_id", "day").agg(money.exact_sum("moved"))
    total = money.narrow(money.exact("moved").cum_sum().over("contract_id"))
    return moves.sort("contract_id", "day").with_columns(overdue_minor=total)


def _with_thresholds(contracts: pl.DataFrame, thresholds: Mapping[str, int]) -> pl.DataFrame:
    """Contracts with a strategy (inner: the others have no episode, by rule) and its threshold_minor."""
    levels = pl.DataFrame(
        {"strategy": list(thresholds), "threshold_minor": list(thresholds.values())},
        schema={"strategy": pl.String, "threshold_minor": pl.Int64},
    )
    return contracts.select("contract_id", "strategy").join(levels, on="strategy", how="inner")


def _find_days_reached(items: pl.DataFrame, reached: pl.DataFrame, on: date) -> pl.DataFrame:
    """Find per contract the first day from which the items still open today reach its threshold."""
    opens = pl.col("contract_id") != pl.col("contract_id").shift(1)
    total = money.exact("open_minor").cum_sum()
    before = pl.when(opens.fill_null(True)).then(total - money.exact("open_minor")).forward_fill()
    return (
        items.filter((pl.col("open_minor") > 0) & (pl.col("overdue_from_on") <= on))
        .select("contract_id", "overdue_from_on", "open_minor")
        .join(reached.select("contract_id", "threshold_minor"), on="contract_id", how="inner")
        .sort("contract_id", "overdue_from_on")
        .filter(total - before >= pl.col("threshold_minor"))
        .group_by("contract_id")
        .agg(reached_on=pl.col("overdue_from_on").min())
    )


def advance_rollups(
    rollups: pl.DataFrame,
    *,
    bills: pl.DataFrame,
    closed_items: pl.DataFrame,
    arrears: pl.DataFrame,
    touches: pl.DataFrame,
    on: date,
) -> pl.DataFrame:
    """Return the changed rows (frames.ROLLUPS) of the month of `on`: those of contracts with an event that
    day.

    Events of the day only: `bills` issued, principal `closed_items` with their `days_late` (late: one day or
    more), `touches` made, and `arrears` whose overdue_minor exceeds the month's highest so far. The caller
    replaces rows by (contract_id, month_on), see `replace_rollups`.
    """
    month_on = on.replace(day=1)
    before = rollups.filter(pl.col("month_on") == month_on).pipe(frames.conform, frames.ROLLUPS)
    events = pl.concat(
        [
            _count_bills(bills),
            _count_late(closed_items),
            _count_contacts(touches),
            _raise_highest(arrears, before),
        ],
        how="diagonal",
    ).with_columns(month_on=pl.lit(month_on))
    touched = before.join(events, on="contract_id", how="semi")
    return (
        pl.concat([touched, events], how="diagonal")
        .group_by("contract_id", "month_on")
        .agg(*(money.exact_sum(name) for name in _COUNTS), pl.col("max_overdue_minor").max().fill_null(0))
        .pipe(frames.conform, frames.ROLLUPS)
        .sort("contract_id")
    )


def count_late(items: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """Count the bills paid late by true days: contract_id, month_on, late_bills, days_late.

    `items` are ITEMS ever (full amounts), `pieces` [item_id, value_on, amount_minor] what was applied to them (a
    negative one undoes). A principal item whose pieces make up its amount was paid on the value day of the last of
    them, and counts in that day's month when it was due before.
    """
    by_day = pieces.group_by("item_id", "value_on").agg(money.exact_sum("amount_minor"))
    paid = (
        by_day.filter(pl.col("amount_minor") != 0)
        .group_by("item_id")
        .agg(paid_on=pl.col("value_on").max(), paid_minor=money.exact_sum("amount_minor"))
    )
    closed = items.filter(pl.col("charge_of").is_null()).join(paid, on="item_id")
    return (
        closed.filter((pl.col("paid_minor") == pl.col("amount_minor")) & (pl.col("paid_on") > pl.col("due_on")))
        .with_columns(days=(pl.col("paid_on") - pl.col("due_on")).dt.total_days())
        .group_by("contract_id", month_on=pl.col("paid_on").dt.month_start())
        .agg(late_bills=pl.len().cast(pl.Int64), days_late=money.exact_sum("days"))
    )


def subtract_late(after: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Return what changed between two counts of `count_late`, in the same columns, without what did not."""
    undone = before.with_columns(pl.col("late_bills", "days_late") * -1)
    counted = pl.concat([after, undone]).group_by("contract_id", "month_on")
    return counted.agg(money.exact_sum("late_bills"), money.exact_sum("days_late")).filter(
        (pl.col("late_bills") != 0) | (pl.col("days_late") != 0)
    )


def add_late(months: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return the rows (frames.ROLLUPS) that `changes` of `subtract_late` make of `months`, which hold theirs if any."""
    key = ["contract_id", "month_on"]
    parts = [months.join(changes, on=key, how="semi"), changes]
    return (
        pl.concat(parts, how="diagonal")
        .group_by(key)
        .agg(*(money.exact_sum(name) for name in _COUNTS), pl.col("max_overdue_minor").max().fill_null(0))
        .pipe(frames.conform, frames.ROLLUPS)
        .sort(key)
    )


def _count_bills(bills: pl.DataFrame) -> pl.DataFrame:
    return bills.group_by("contract_id").agg(bills=pl.len().cast(pl.Int64))


def _count_late(closed_items: pl.DataFrame) -> pl.DataFrame:
    late = closed_items.filter(pl.col("days_late") > 0)
    return late.group_by("contract_id").agg(
        late_bills=pl.len().cast(pl.Int64), days_late=money.exact_sum(pl.col("days_late").cast(pl.Int64))
    )


def _count_contacts(touches: pl.DataFrame) -> pl.DataFrame:
    return touches.group_by("contract_id").agg(contacts=pl.len().cast(pl.Int64))


def _raise_highest(arrears: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    known = before.select("contract_id", known_minor="max_overdue_minor")
    return (
        arrears.filter(pl.col("overdue_minor") > 0)
        .join(known, on="contract_id", how="left")
        .filter(pl.col("overdue_minor") > pl.col("known_minor").fill_null(0))
        .select("contract_id", max_overdue_minor="overdue_minor")
    )


def replace_rollups(rollups: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Put the changed rows in place of the old ones of the same contract and month."""
    if changed.is_empty():
        return frames.conform(rollups, frames.ROLLUPS)
    is_same_month = pl.col("month_on").is_in(changed["month_on"].unique().implode())
    kept = rollups.filter(is_same_month).join(changed, on=["contract_id", "month_on"], how="anti")
    parts = (rollups.filter(~is_same_month), kept, changed)
    joined = pl.concat([frames.conform(part, frames.ROLLUPS) for part in parts])
    return joined.rechunk() if joined.n_chunks() > _CHUNKS_MAX else joined


def in_year(on: date) -> pl.Expr:
    """Tell whether `month_on` is one of the twelve calendar months that end with the month of `on`."""
    month_on = on.replace(day=1)
    return (pl.col("month_on") > pl.lit(month_on.replace(year=on.year - 1))) & (pl.col("month_on") <= month_on)


def sum_year(rollups: pl.DataFrame, on: date) -> pl.DataFrame:
    """Sum the twelve months that end with the month of `on`, one row per contract with an event in them.

    Columns: bills_12m, late_bills_12m, days_late_12m, contacts_12m (Int64), max_overdue_12m (minor units).
    """
    return (
        rollups.filter(in_year(on))
        .group_by("contract_id")
        .agg(
            *(money.exact_sum(name).alias(f"{name}_12m") for name in _COUNTS),
            max_overdue_12m=pl.col("max_overdue_minor").max(),
        )
        .sort("contract_id")
    )
