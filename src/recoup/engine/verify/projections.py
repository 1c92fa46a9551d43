"""Invariant 9: what is carried from day to day is what the facts say when read again."""

from datetime import date

import polars as pl

from recoup.core import rollups, strategy
from recoup.core.frames import EPISODES
from recoup.engine import book as loading
from recoup.engine.runs import Cut
from recoup.engine.verify.rederivation import group_by_day, list_groups
from recoup.engine.verify.scene import Finding, Scene, check, expect_none


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
    """Bills and contacts of each contract and month are those of its runs; bills paid late those of its pieces.

    A bill was paid on the value day of the last piece applied to it, and is late when that is after its due day.
    """
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    different = """
        SELECT contract_id, month_on, r.bills, f.bills, r.contacts, f.contacts, r.late_bills, f.late_bills,
               r.days_late, f.days_late
        FROM rollup r FULL JOIN (
            SELECT contract_id, date_trunc('month', day)::date AS month_on, sum(bill) AS bills, sum(touch) AS contacts,
                   sum((days_late > 0)::integer) AS late_bills, sum(days_late) AS days_late
            FROM (
                SELECT contract_id, booked_on AS day, 1 AS bill, 0 AS touch, 0 AS days_late FROM bill
                WHERE run_no IS NOT NULL
                UNION ALL
                SELECT contract_id, decided_on, 0, 1, 0 FROM touch WHERE origin = 'OWN'
                UNION ALL
                SELECT i.contract_id, max(a.value_on), 0, 0, max(a.value_on) - i.due_on FROM open_item i JOIN (
                    SELECT debit_id, value_on, sum(amount_minor) AS minor FROM allocation GROUP BY 1, 2
                    HAVING sum(amount_minor) <> 0) a ON a.debit_id = i.item_id
                WHERE i.amount_minor > 0 AND i.charge_of IS NULL
                GROUP BY i.contract_id, i.item_id, i.due_on, i.amount_minor
                HAVING sum(a.minor) = i.amount_minor AND max(a.value_on) > i.due_on) happened
            GROUP BY 1, 2) f USING (contract_id, month_on)
        WHERE (coalesce(r.bills, 0), coalesce(r.contacts, 0), coalesce(r.late_bills, 0), coalesce(r.days_late, 0))
           <> (coalesce(f.bills, 0), coalesce(f.contacts, 0), coalesce(f.late_bills, 0), coalesce(f.days_late, 0))
    """
    months = scene.rows("SELECT count(*) FROM rollup")[0][0]
    return expect_none(scene, different, "contract months differ", f"{months:,} contract months")


@check(9, "the projection is wrong, not the facts: derive `episode` again from items and allocations")
def episodes_rebuild(scene: Scene) -> Finding:
    """Episodes derived by true days from all items and allocations are the stored ones.

    Where a strategy's threshold has changed since the first day, only whether a contract is in an episode is compared:
    its first day keeps to the threshold of then.
    """
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    count = 0
    wrong: list[str] = []
    for day in group_by_day(scene, scene.last.cut, list_groups(scene)):
        if day.decided and day.groups:  # a day moves episodes when it is decided: booked only, they are on the way
            stored, accounts = _compare(scene, day.cut, day.groups)
            count, wrong = count + stored, wrong + accounts
    if wrong:
        return Finding(False, f"{len(wrong):,} episodes differ, first: {', '.join(wrong[:3])}")
    return Finding(True, f"{count:,} episodes derived afresh")


def _compare(scene: Scene, cut: Cut, groups: list[int]) -> tuple[int, list[str]]:
    """How many episodes the groups have, and the accounts whose fresh derivation is another."""
    contracts = loading.load_facts(scene.cursor, cut, cut.business_on, cut.business_on).contracts
    ours = contracts.filter(pl.col("group_id").is_in(groups))
    rebuilt = _derive(scene, cut, ours, groups)
    stored = loading.load_episodes(scene.cursor).join(ours, on="contract_id", how="semi")
    same = ["contract_id"] if _thresholds_changed(scene, cut.business_on) else list(EPISODES)
    wrong = pl.concat([stored.join(rebuilt, on=same, how="anti"), rebuilt.join(stored, on=same, how="anti")])
    return stored.height, ours.join(wrong, on="contract_id", how="semi")["account_no"].sort().to_list()


def _thresholds_changed(scene: Scene, on: date) -> bool:
    first = scene.days[0].on
    days = [first, *(each.since for each in scene.rules.dated if first < each.since <= on)]
    levels = {tuple((s.code, s.threshold_minor) for s in scene.rules.at(day).strategies) for day in days}
    return len(levels) > 1


def _derive(scene: Scene, cut: Cut, contracts: pl.DataFrame, groups: list[int]) -> pl.DataFrame:
    history = loading.load_history(scene.cursor, groups, cut)
    items = history.items.filter(pl.col("denom") == scene.rules.denom)
    pieces = history.allocations.select("value_on", "amount_minor", item_id="debit_id")
    strategies = scene.rules.at(cut.business_on).strategies
    named = strategy.assign_strategies(contracts, strategies)
    thresholds = {each.code: each.threshold_minor for each in strategies}
    return rollups.derive_episodes(items, pieces, named, thresholds, cut.business_on).select(list(EPISODES))


CHECKS = (open_amounts_rebuild, rollups_rebuild, episodes_rebuild)
