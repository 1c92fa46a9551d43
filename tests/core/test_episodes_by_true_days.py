"""Episodes derived from whole history equal those carried day by day, whenever the facts were told."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from money_facts import bill, items

from recoup.core import ageing, frames, rollups

START = date(2025, 1, 1)
THRESHOLDS = {"ladder": 10_00}
CONTRACTS = pl.DataFrame({"contract_id": [1], "strategy": ["ladder"]})
PIECES = {"item_id": pl.Int64, "value_on": pl.Date, "amount_minor": pl.Int64}

debts = st.lists(st.tuples(st.integers(1, 20_00), st.integers(0, 40)), min_size=1, max_size=4)
payments = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 20_00), st.integers(0, 60)), max_size=5)


def pieces_of(owed: list[tuple[int, int]], paid: list[tuple[int, int, int]]) -> pl.DataFrame:
    """Payments cut down to what each debt still owes, in the order of their days."""
    left = {n: amount for n, (amount, _) in enumerate(owed)}
    rows = []
    for n, amount, day in sorted(paid, key=lambda each: each[2]):
        taken = min(amount, left.get(n, 0))
        if taken > 0:
            left[n] -= taken
            rows.append((n + 1, START + timedelta(days=day), taken))
    return pl.DataFrame(rows, schema=PIECES, orient="row")


def carried(debts_frame: pl.DataFrame, pieces: pl.DataFrame, last: int) -> pl.DataFrame:
    episodes = frames.empty(frames.EPISODES)
    for day in (START + timedelta(days=n) for n in range(last + 1)):
        taken = pieces.filter(pl.col("value_on") <= day).group_by("item_id").agg(taken=pl.col("amount_minor").sum())
        left = pl.col("amount_minor") - pl.col("taken").fill_null(0)
        known = debts_frame.join(taken, on="item_id", how="left").with_columns(open_minor=left).drop("taken")
        still = known.filter(pl.col("open_minor") > 0)
        arrears = ageing.summarise_arrears(still, day)
        episodes = rollups.advance_episodes(episodes, arrears, CONTRACTS, THRESHOLDS, day, items=still)
    return episodes


@settings(max_examples=25, deadline=None)
@given(debts, payments)
def test_history_by_true_days_gives_the_episode_that_daily_running_gives(
    owed: list[tuple[int, int]], paid: list[tuple[int, int, int]]
) -> None:
    rows = [
        bill(f"B{n}", amount, START + timedelta(days=day), item_id=n + 1, contract_id=1)
        for n, (amount, day) in enumerate(owed)
    ]
    pieces = pieces_of(owed, paid)
    on = START + timedelta(days=50)

    derived = rollups.derive_episodes(items(*rows), pieces.filter(pl.col("value_on") <= on), CONTRACTS, THRESHOLDS, on)

    assert derived.rows() == carried(items(*rows), pieces, 50).rows()


def test_money_told_late_ends_the_episode_on_its_own_day() -> None:
    old = bill("OLD", 20_00, date(2025, 1, 10), item_id=1, contract_id=1)
    new = bill("NEW", 20_00, date(2025, 1, 20), item_id=2, contract_id=1)
    paid = pl.DataFrame([(1, date(2025, 1, 15), 20_00)], schema=PIECES, orient="row")

    derived = rollups.derive_episodes(items(old, new), paid, CONTRACTS, THRESHOLDS, date(2025, 2, 1))

    assert derived.rows() == [(1, date(2025, 1, 21))]
