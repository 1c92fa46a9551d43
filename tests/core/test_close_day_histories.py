"""Close of a day on any history: replay, order of rows, slices, ids, and lives through many days."""

from datetime import timedelta
from random import Random  # noqa: TID251 - seeded, to invent lives

import polars as pl
import pytest
from day_books import ON, PAPER, a_book, a_contract, a_credit, a_hold, a_naming, a_touch, an_item, rules_of

from recoup.core import frames
from recoup.core.flows import close_day as flow
from recoup.core.hashing import decision_hash


def close(book, on=ON, run_no=1):
    return flow.close_day(book, on, rules_of(), feed_age_hours={}, mode="own", seed=7, run_no=run_no)


def a_mixed_book(seed, contracts=120):
    """A random book with groups, holds, money, touches of an earlier system and ended contracts."""
    chance = Random(seed)
    rows = {name: [] for name in ("contracts", "items", "credits", "holds", "touches", "touch_items")}
    for n in range(1, contracts + 1):
        group = (n + 1) // 2 if n < contracts // 2 else n
        unit, kind = f"U{n % 3}", chance.choice(["RESIDENTIAL"] * 9 + ["UNKNOWN"])
        rows["contracts"].append(a_contract(n, group_id=group, org_unit=unit, **{"class": kind}))
        for k in range(chance.choice([0, 1, 1, 2, 4])):
            item_id = n * 10 + k
            minor = chance.choice([0, 300, 499, 12_000, 12_000])
            rows["items"].append(an_item(item_id, n, chance.randint(-5, 60), minor, group_id=group))
        if chance.random() < 0.1:
            state = chance.choice(["FREE", "IN_TRANSIT", "REFUND"])
            rows["credits"].append(a_credit(9_000 + n, n, state, group_id=group))
        if chance.random() < 0.2:
            item_id = chance.choice([None, n * 10])
            rows["holds"].append(a_hold(n, chance.randint(0, 20), chance.choice([None, 5, 30]), item_id=item_id))
        for stage in range(1, chance.choice([1, 1, 2, 3, 4])):
            ago = chance.randint(0, 30)
            rows["touches"].append(a_touch(n, stage, ago, proven=chance.random() < 0.8))
            rows["touch_items"].append(a_naming(n, stage, ago, n * 10))
    return a_book(**rows)


def shuffled(book, seed):
    return book._replace(**{name: rows.sample(fraction=1, shuffle=True, seed=seed) for name, rows in _of(book).items()})


def _of(book):
    return {name: rows for name, rows in book._asdict().items() if rows.height}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_replay_and_any_order_of_rows_give_the_same_decisions(seed):
    book = a_mixed_book(seed)
    first = close(book)
    again = close(shuffled(book, seed), run_no=2)
    assert decision_hash(again.frames["decisions"]) == decision_hash(first.frames["decisions"])
    assert again.frames["action_items"].equals(first.frames["action_items"])
    assert first.frames["decisions"]["reason"].n_unique() > 6


@pytest.mark.parametrize("parts", [2, 5])
def test_propose_in_parts_of_whole_groups_equals_propose_of_the_whole(parts):
    book = a_mixed_book(4)
    group_of = book.contracts.select("contract_id", part=pl.col("group_id") % parts)
    proposals = []
    for part in range(parts):
        ids = group_of.filter(pl.col("part") == part)
        own = book._replace(**{n: f.join(ids, on="contract_id", how="semi") for n, f in book._asdict().items()})
        proposals.append(flow.propose(own, ON, rules_of(), {}, "own"))
    whole = flow.propose(book, ON, rules_of(), {}, "own")
    assert pl.concat(proposals).sort("contract_id").equals(whole)


def test_surrogate_ids_decide_nothing():
    book = a_mixed_book(5)
    renumber = pl.col("contract_id") * -17
    other = book._replace(**{name: rows.with_columns(renumber) for name, rows in book._asdict().items()})
    assert decision_hash(close(other).frames["decisions"]) == decision_hash(close(book).frames["decisions"])


@pytest.mark.parametrize("seed", [11, 12])
def test_no_history_skips_a_stage_or_acts_against_money_holds_or_nothing_owed(seed):
    history = History(seed)
    for _ in range(16):
        history.live_a_day()
    assert history.acted > 50
    assert history.highest == 3


class History:
    """Contracts living through random days of billing, part-payments, money waiting, holds and touches."""

    def __init__(self, seed):
        self.chance = Random(seed)
        self.on = ON
        self.ids = range(1, 81)
        self.items = {}
        self.rows = {"holds": [], "touches": [], "touch_items": []}
        self.waiting = {}
        self.proven = {}
        self.acted = self.highest = 0
        self.episodes = frames.empty(frames.EPISODES)
        for contract in self.ids:
            for _ in range(self.chance.choice([0, 1, 2])):
                self.bill(contract, self.chance.randint(-9, 25))

    def bill(self, contract, days_overdue):
        item = an_item(len(self.items) + 1, contract, days_overdue - (self.on - ON).days)
        self.items[item["item_id"]] = item

    def live_a_day(self):
        self.on += timedelta(days=self.chance.randint(1, 4))
        for contract in self.ids:
            self.waiting.pop(contract, None)
            self.befall(contract)
        book = a_book(
            contracts=[a_contract(n) for n in self.ids],
            items=list(self.items.values()),
            credits=[a_credit(9_000 + n, n) for n in self.waiting],
            **self.rows,
        )._replace(episodes=self.episodes)
        outcome = close(book, self.on)
        decisions = outcome.frames["decisions"]
        assert decisions["contract_id"].to_list() == list(self.ids)
        self.episodes = decisions.filter(pl.col("episode_from_on").is_not_null()).select(list(frames.EPISODES))
        named = outcome.frames["action_items"]
        for row in decisions.filter(pl.col("reason") == "ACTED").iter_rows(named=True):
            self.check(row, named.filter(pl.col("contract_id") == row["contract_id"]))
            self.touch(row, named)

    def befall(self, contract):
        event, open_items = self.chance.random(), [i for i in self.items.values() if i["contract_id"] == contract]
        owed = [item for item in open_items if item["open_minor"]]
        if event < 0.06:
            self.bill(contract, -3)
        elif event < 0.12 and owed:
            item = self.chance.choice(owed)
            item["open_minor"] -= self.chance.randint(1, item["open_minor"])
        elif event < 0.16:
            self.waiting[contract] = True
        elif event < 0.19:
            days, ago = self.chance.randint(1, 6), (ON - self.on).days
            self.rows["holds"].append(a_hold(contract, ago, days))

    def check(self, row, named):
        contract, on = row["contract_id"], self.on
        since = [s for s, day in self.proven.get(contract, []) if day >= row["episode_from_on"]]
        assert row["stage_to"] - row["stage_from"] in (0, 1)
        assert row["stage_to"] <= max(since, default=0) + 1
        assert contract not in self.waiting
        holds = [h for h in self.rows["holds"] if h["contract_id"] == contract]
        assert not any(h["valid_from"] <= on < h["valid_to"] for h in holds)
        owed = {k: i["open_minor"] for k, i in self.items.items() if i["contract_id"] == contract and i["open_minor"]}
        overdue = {k: minor for k, minor in owed.items() if self.items[k]["overdue_from_on"] <= on}
        assert dict(named.select("item_id", "amount_minor").iter_rows()) == overdue
        assert sum(overdue.values()) == row["overdue_minor"] >= PAPER.minimum_minor

    def touch(self, row, named):
        contract, stage, proven = row["contract_id"], row["stage_to"], self.chance.random() < 0.8
        self.acted, self.highest = self.acted + 1, max(self.highest, stage)
        if proven:
            self.proven.setdefault(contract, []).append((stage, self.on))
        ago = (ON - self.on).days
        self.rows["touches"].append(a_touch(contract, stage, ago, proven=proven))
        for item_id in named.filter(pl.col("contract_id") == contract)["item_id"]:
            self.rows["touch_items"].append(a_naming(contract, stage, ago, item_id))
