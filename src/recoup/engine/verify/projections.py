"""Invariant 9: what is carried from day to day is what the facts say when read again."""

import polars as pl

from recoup.core import rollups, strategy
from recoup.core.frames import EPISODES
from recoup.engine import book as loading
from recoup.engine.verify.rederivation import list_groups
from recoup.engine.verify.scene import ClosedDay, Finding, Scene, check, expect_none


@check(9, "the projection is wrong, not the facts: rebuild `item_open` from open items and allocations")
def open_amounts_rebuild(scene: Scene) -> Finding:
    """What is open of each item is its amount less the pieces applied; nothing else is open."""
    different = """
        SELECT coalesce(i.item_key, o.item_id::text), i.left_minor, o.open_minor
        FROM item_open o FULL JOIN (
            SELECT i.item_id, i.item_key, i.contract_id, abs(i.amount_minor) - coalesce(a.minor, 0) AS left_minor
            FROM open_item i LEFT JOIN (
                SELECT debit_id AS item_id, sum(amount_minor) AS minor FROM allocation GROUP BY 1
                UNION ALL
                SELECT credit_id, sum(amount_minor) FROM allocation GROUP BY 1) a USING (item_id)) i USING (item_id)
        WHERE i.item_id IS NULL OR coalesce(o.open_minor, 0) <> i.left_minor
           OR (o.item_id IS NOT NULL AND (o.contract_id <> i.contract_id OR o.open_minor <= 0))
    """
    items = scene.rows("SELECT count(*) FROM item_open")[0][0]
    return expect_none(scene, different, "open amounts differ", f"{items:,} open items")


@check(9, "the projection is wrong, not the facts: rebuild `rollup` from bills and touches")
def rollups_rebuild(scene: Scene) -> Finding:
    """Bills and contacts of each contract and month are those of the bills and touches of its runs."""
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    different = """
        SELECT contract_id, month_on, coalesce(r.bills, 0), coalesce(f.bills, 0), coalesce(r.contacts, 0),
               coalesce(f.contacts, 0)
        FROM rollup r FULL JOIN (
            SELECT contract_id, date_trunc('month', day)::date AS month_on, sum(bill) AS bills, sum(touch) AS contacts
            FROM (
                SELECT contract_id, booked_on AS day, 1 AS bill, 0 AS touch FROM bill WHERE run_no IS NOT NULL
                UNION ALL
                SELECT contract_id, decided_on, 0, 1 FROM touch WHERE origin = 'OWN') happened
            GROUP BY 1, 2) f USING (contract_id, month_on)
        WHERE coalesce(r.bills, 0) <> coalesce(f.bills, 0) OR coalesce(r.contacts, 0) <> coalesce(f.contacts, 0)
    """
    months = scene.rows("SELECT count(*) FROM rollup")[0][0]
    return expect_none(scene, different, "contract months differ", f"{months:,} contract months")


@check(9, "the projection is wrong, not the facts: derive `episode` again from items and allocations")
def episodes_rebuild(scene: Scene) -> Finding:
    """Episodes derived by true days from all items and allocations are the stored ones."""
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    groups = list_groups(scene)
    facts = loading.load_facts(scene.cursor, scene.last.cut, scene.last.on, scene.last.on)
    ours = facts.contracts.filter(pl.col("group_id").is_in(groups))
    rebuilt = _derive(scene, scene.last, ours, groups)
    stored = loading.load_episodes(scene.cursor).join(ours, on="contract_id", how="semi")
    wrong = pl.concat(
        [stored.join(rebuilt, on=list(EPISODES), how="anti"), rebuilt.join(stored, on=list(EPISODES), how="anti")]
    )
    if wrong.height:
        accounts = ours.join(wrong, on="contract_id", how="semi")["account_no"].sort().to_list()
        return Finding(False, f"{len(accounts):,} episodes differ, first: {', '.join(accounts[:3])}")
    return Finding(True, f"{stored.height:,} episodes of {ours.height:,} contracts derived afresh")


def _derive(scene: Scene, last: ClosedDay, contracts: pl.DataFrame, groups: list[int]) -> pl.DataFrame:
    history = loading.load_history(scene.cursor, groups, last.cut)
    items = history.items.filter(pl.col("denom") == scene.rules.denom)
    pieces = history.allocations.select("value_on", "amount_minor", item_id="debit_id")
    named = strategy.assign_strategies(contracts, scene.rules.strategies)
    thresholds = {each.code: each.threshold_minor for each in scene.rules.strategies}
    return rollups.derive_episodes(items, pieces, named, thresholds, last.on).select(list(EPISODES))


CHECKS = (open_amounts_rebuild, rollups_rebuild, episodes_rebuild)
