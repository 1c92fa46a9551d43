"""Invariant 5: derived afresh from whole history, a settlement group gives what is booked."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from recoup.core.flows.rederive import rederive
from recoup.core.rules import Rules
from recoup.engine import book as loading
from recoup.engine.runs import Cut
from recoup.engine.verify.scene import Finding, Scene, check

_GROUPS_AT_ONCE = 20_000
# Ids of what a fresh derivation would book; nothing of it is stored.
_ID_FROM = 2**61
_DELTAS = ("charges_booked", "allocations")


class Reached(NamedTuple):
    """The cut up to which groups are booked, and whether that day is decided for them too."""

    cut: Cut
    decided: bool
    groups: list[int]


@check(5, "the booked rows depend on their order of arrival: `recoup why` on one of these accounts, then report it")
def groups_derive_to_what_is_booked(scene: Scene) -> Finding:
    """Late charges and allocations derived from all facts since the first day differ in nothing from the booked."""
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    groups = list_groups(scene)
    wrong: list[str] = []
    for day in group_by_day(scene, scene.last.cut, groups):
        for part in _parts(day.groups):
            wrong += _derive(scene, day.cut, part)
    changed = "" if scene.rules.content_hash == scene.last.rulebook_hash else "; the rulebook has changed since"
    if wrong:
        return Finding(False, f"{len(wrong):,} groups derive otherwise, first: {', '.join(wrong[:3])}{changed}")
    return Finding(True, f"{len(groups):,} settlement groups derived afresh{changed}")


def list_groups(scene: Scene) -> list[int]:
    """The groups to look at: all of them, or half with the most uncommon histories and half by a keyed order."""
    group = """
        SELECT coalesce(g.contract_id, c.contract_id) AS group_id, min(md5(c.contract_key)) AS place,
               coalesce(sum(h.odd), 0) AS odd
        FROM contract c LEFT JOIN contract g ON g.contract_key = c.group_key
        LEFT JOIN (
            SELECT contract_id, count(*) FILTER (WHERE origin_kind = 'CHARGE_CREDIT') * 4
                   + count(*) FILTER (WHERE charge_of IS NOT NULL) + count(*) FILTER (WHERE value_on < booked_on) * 2
                   + count(*) FILTER (WHERE designation IS NOT NULL) * 2 AS odd
            FROM open_item GROUP BY 1) h ON h.contract_id = c.contract_id
        GROUP BY 1
    """
    if scene.groups is None:
        return [row[0] for row in scene.rows(f"SELECT group_id FROM ({group}) g ORDER BY 1")]
    odd = scene.rows(f"SELECT group_id FROM ({group}) g ORDER BY odd DESC, place LIMIT %s", [scene.groups // 2])
    any_ = scene.rows(f"SELECT group_id FROM ({group}) g ORDER BY place LIMIT %s", [scene.groups - scene.groups // 2])
    return sorted({row[0] for row in odd + any_})


def _parts(groups: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(groups), _GROUPS_AT_ONCE):
        yield groups[start : start + _GROUPS_AT_ONCE]


def group_by_day(scene: Scene, last: Cut, groups: list[int]) -> Iterator[Reached]:
    """Part the groups by how far they have come: a slice of a day still open is ahead of the last closed one."""
    ahead = scene.rows(
        """
        SELECT c.cut_no, c.business_on, c.snapshot, s.group_from, s.group_to, s.state
        FROM slice s JOIN run r USING (run_no) JOIN cut c USING (cut_no)
        WHERE r.state <> 'DONE' AND r.mode = 'live' AND s.state <> 'OPEN'
        """
    )
    left = groups
    for *cut, group_from, group_to, state in ahead:
        yield Reached(Cut(*cut), state == "DECIDED", [group for group in left if group_from <= group < group_to])
        left = [group for group in left if not group_from <= group < group_to]
    yield Reached(last, True, left)


def _derive(scene: Scene, cut: Cut, groups: list[int]) -> list[str]:
    """Account numbers of the groups whose fresh derivation is not what is booked."""
    history = loading.load_history(scene.cursor, groups, cut, scene.days[0].on)
    facts = loading.load_facts(scene.cursor, cut, cut.business_on, cut.business_on)
    holds = facts.holds.join(facts.contracts.filter(pl.col("group_id").is_in(groups)), on="contract_id", how="semi")
    made = rederive(
        history.items,
        history.credits,
        history.allocations,
        history.booked,
        holds,
        cut.business_on,
        _charging(scene.rules, own=not scene.profile.external),
        id_from=_ID_FROM,
        from_on=history.since,
    )
    contracts = pl.concat([_contracts_of(made.frames[name], history.items) for name in _DELTAS]).unique()
    accounts = facts.contracts.join(contracts, on="contract_id", how="semi")["account_no"]
    return accounts.sort().to_list()


def _charging(rules: Rules, *, own: bool) -> Rules:
    """In a book beside another system no late charge is ours."""
    return rules if own else rules.without_charges()


def _contracts_of(deltas: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    if "contract_id" in deltas.columns:
        return deltas.select("contract_id")
    return deltas.join(items.select("item_id", "contract_id"), on="item_id", how="left").select("contract_id")


CHECKS = (groups_derive_to_what_is_booked,)
