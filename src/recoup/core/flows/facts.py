"""Facts of a day: what the guards of a decision read about each contract, as typed columns.

Grain: one row per contract. Closed under settlement group.
"""

from datetime import date

import polars as pl

from recoup.core import ageing, money, rollups, strategy
from recoup.core.flows.book import DayBook
from recoup.core.outcome import gather, issue
from recoup.core.rules import Rules

FREE = "FREE"
ON_ITS_WAY = ("IN_TRANSIT", "SUSPENSE_MATCH")


def select_contracts(book: DayBook, on: date) -> pl.DataFrame:
    """Contracts that are active at `on`, owe or are owed."""
    ends = pl.col("valid_to")
    active = ((pl.col("valid_from") <= on) & (ends.is_null() | (ends > on))).fill_null(False)
    idle = book.contracts.filter(~active).select("contract_id")
    concerned = pl.concat(
        frame.filter(pl.col("open_minor") > 0).join(idle, on="contract_id", how="semi")["contract_id"]
        for frame in (book.items, book.credits)
    )
    chosen = book.contracts.filter(active | pl.col("contract_id").is_in(concerned.implode()))
    if chosen["contract_id"].is_sorted():  # said once, it makes every join of facts a merge
        chosen = chosen.with_columns(pl.col("contract_id").set_sorted())
    return chosen.select(
        *(
            "contract_id",
            "contract_key",
            "key64",
            "account_id",
            "account_no",
            "group_id",
            "org_unit",
            "class",
        ),
        *("strategy", "arm"),
    )


def gather_facts(book: DayBook, contracts: pl.DataFrame, on: date, rules: Rules) -> pl.DataFrame:
    """Add to contracts their facts, null where they have none: arrears, money, holds, stage, late bills.

    The same rows in the same order.
    """
    items = book.items.filter(pl.col("denom") == rules.denom)
    arrears = ageing.summarise_arrears(items, on)
    thresholds = {each.code: each.threshold_minor for each in rules.strategies}
    episodes = rollups.advance_episodes(book.episodes, arrears, contracts, thresholds, on, items=items)
    stages = strategy.derive_stages(book.touches, book.touch_items, items, episodes, on)
    parts = [
        _set_held_aside(arrears, items, book.holds, on),
        _sum_money(book.credits.filter(pl.col("denom") == rules.denom), contracts),
        _find_holds(book.holds, on),
        episodes,
        strategy.count_waits(stages, book.holds, on),
        _count_late(book.rollups, on),
    ]
    for part in parts:  # sorted on both sides, a join is a merge
        contracts = contracts.join(part.sort("contract_id"), on="contract_id", how="left", maintain_order="left")
    return contracts


def list_held_items(holds: pl.DataFrame, on: date) -> pl.DataFrame:
    """Items that may not be pursued at `on` (item_id)."""
    return _dun_holds(holds, on).filter(pl.col("item_id").is_not_null()).select("item_id").unique()


def _dun_holds(holds: pl.DataFrame, on: date) -> pl.DataFrame:
    ends = pl.col("valid_to")
    return holds.filter(pl.col("stops_dun") & (pl.col("valid_from") <= on) & (ends.is_null() | (ends > on)))


def _set_held_aside(arrears: pl.DataFrame, items: pl.DataFrame, holds: pl.DataFrame, on: date) -> pl.DataFrame:
    """Arrears with `held_minor`; days and bills are those of the items that no hold of their own protects."""
    held = list_held_items(holds, on)
    if held.is_empty():
        return arrears.with_columns(held_minor=pl.lit(0, dtype=pl.Int64))
    loose = ageing.summarise_overdue(items.join(held, on="item_id", how="anti"), on).select(
        "contract_id", "oldest_overdue_days", "overdue_bills", loose_minor="overdue_minor"
    )
    return (
        arrears.select("contract_id", "open_minor", "overdue_minor")
        .join(loose, on="contract_id", how="left")
        .with_columns(held_minor=pl.col("overdue_minor") - pl.col("loose_minor").fill_null(0))
        .drop("loose_minor")
    )


def _sum_money(credits: pl.DataFrame, contracts: pl.DataFrame) -> pl.DataFrame:
    """Money of each contract's settlement group: free to apply, and on its way. No money, no row."""
    state = pl.col("state").cast(pl.String)
    by_group = (
        credits.filter(pl.col("open_minor") > 0)
        .group_by("group_id")
        .agg(
            unapplied_minor=money.exact_sum(pl.col("open_minor").filter(state == FREE)),
            in_transit_minor=money.exact_sum(pl.col("open_minor").filter(state.is_in(ON_ITS_WAY))),
        )
    )
    return contracts.select("contract_id", "group_id").join(by_group, on="group_id").drop("group_id")


def _find_holds(holds: pl.DataFrame, on: date) -> pl.DataFrame:
    """The dunning hold that speaks for a contract at `on`: one on the whole contract first, then by key."""
    return (
        _dun_holds(holds, on)
        .with_columns(whole=pl.col("item_id").is_null())
        .sort("contract_id", "whole", "hold_key", descending=[False, True, False])
        .group_by("contract_id")
        .agg(hold_reason=pl.col("reason").first(), held_whole=pl.col("whole").first())
    )


def _count_late(months: pl.DataFrame, on: date) -> pl.DataFrame:
    """Bills paid late in twelve months, of contracts that have any: the filter drops nearly all rows."""
    late = months.filter((pl.col("late_bills") > 0) & rollups.in_year(on))
    return late.group_by("contract_id").agg(late_bills_12m=pl.col("late_bills").sum().cast(pl.Int32))


def find_strays(book: DayBook, denom: str) -> pl.DataFrame:
    """Issues for open items and credits that no decision here can see: no contract, or another denom."""
    parts = []
    for name, frame in (("item", book.items), ("credit", book.credits)):
        rows = frame.filter(pl.col("open_minor") > 0)
        alone = rows.join(book.contracts, on="contract_id", how="anti")
        foreign = rows.filter(pl.col("denom") != denom).join(book.contracts, on="contract_id", how="semi")
        for kind, field, found in (
            ("WITHOUT_CONTRACT", "contract_id", alone),
            ("OTHER_DENOM", "denom", foreign),
        ):
            parts.append(
                issue(
                    found,
                    kind=f"{name.upper()}_{kind}",
                    key=pl.col("item_key"),
                    field=field,
                    detail=pl.col(field),
                )
            )
    return gather(parts)
