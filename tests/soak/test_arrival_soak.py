"""Invariants 4 and 5 at length: any slices, any order of arrival, the same book."""

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest
import tiny_book
from fault_scenes import choose, own_home, recoup, succeed
from test_cycle_integration import hashes, state
from tiny_book import START

from recoup.cli import django
from recoup.core import draws
from recoup.database import roles

pytestmark = pytest.mark.soak

CONTRACTS = 120
LAST = START + timedelta(days=60)
LATEST_DAYS = 14


@pytest.fixture(scope="module", autouse=True)
def home() -> Iterator[None]:
    """A home with an initialised live book to copy."""
    with own_home():
        succeed(recoup("init", "--kind", "live"), "empty")
        django.setup()
        yield


@pytest.fixture
def enter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """Copies a book, enters the copy, and removes all copies at the end."""
    from django.db import connections

    made: list[str] = []

    def enter_copy(source: str) -> str:
        connections.close_all()
        made.append(tiny_book.copy_book(source, f"copy_{abs(hash(request.node.name)) % 10**8}_{len(made)}"))
        monkeypatch.setenv("RECOUP_DATABASE_NAME", made[-1])
        return made[-1]

    yield enter_copy
    connections.close_all()
    for name in made:
        roles.drop_database(name)


@pytest.mark.parametrize("turn", range(6))
def test_payments_known_in_any_order_give_the_same_book(enter, seed: int, turn: int) -> None:
    """Each payment is known up to two weeks late, by its own draw; a third of them come in two later files."""
    paid = tiny_book.make_payments(CONTRACTS).sort("channel_key").with_row_index("row")
    late = draws.draw_ppm(pl.col("row").cast(pl.Int64), seed=seed + turn, purpose="late") % (LATEST_DAYS + 1)
    file = draws.draw_ppm(pl.col("row").cast(pl.Int64), seed=seed + turn, purpose="file") % 6
    drawn = paid.with_columns(received_on=pl.col("value_on") + pl.duration(days=late), file=file)
    in_time = close(enter, [paid.with_columns(received_on="value_on")])
    in_parts = [drawn.filter(pl.col("file") > 1), drawn.filter(pl.col("file") == 0), drawn.filter(pl.col("file") == 1)]
    for ours, theirs in zip(close(enter, in_parts), in_time, strict=True):
        assert sorted(set(ours) ^ set(theirs), key=str)[:6] == [], f"seed {seed + turn}"


def close(enter, files: list[pl.DataFrame]) -> list[list[tuple]]:
    """Close the book, loading a further file of payments after each twenty days."""
    enter("empty")
    columns = tiny_book.make_payments(3).columns
    tiny_book.open_book("live")
    tiny_book.fill(CONTRACTS, others={"payments": files[0].select(columns)})
    for n, rows in enumerate(files[1:], start=1):
        stop = START + timedelta(days=20 * n)
        tiny_book.close(START, stop)
        tiny_book.load({"payments": rows.select(columns)}, as_of_on=stop)
    tiny_book.close(START, LAST)
    assert tiny_book.find_failures() == []
    return state()


@pytest.mark.parametrize("turn", range(4))
def test_any_slices_give_the_same_content_hashes(enter, seed: int, turn: int) -> None:
    """One slice against a number of slices drawn from the seed."""
    found = []
    for size in (CONTRACTS, 3 + choose(f"slices {turn}", seed, 40)):
        enter("empty")
        tiny_book.open_book("live")
        tiny_book.fill(CONTRACTS)
        tiny_book.close(START, LAST, contracts_per_slice=size)
        found.append((hashes(), tiny_book.dump()))
    assert found[0] == found[1], f"seed {seed}"
