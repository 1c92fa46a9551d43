"""SIGKILL of the worker or of the database server at every named point: the same command again makes it whole.

The home is one of these tests' own: they kill its server. `make soak` strikes each point at more passages.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import tiny_book
from fault_scenes import (
    KILLED,
    Scenes,
    State,
    Struck,
    choose,
    cycle,
    cycle_in_slices,
    differences,
    examine,
    find_points,
    make_scenes,
    recoup,
    scene_of,
    strike,
)
from tiny_book import START

SEED = 1
# The undisturbed part of the book, then the days that are struck: a month end among them.
CLOSED = START + timedelta(days=22)
STRUCK = START + timedelta(days=26)
PASSAGES = (STRUCK - CLOSED).days
PER_SLICE = 80

POINTS = find_points()
# The database server is killed at one point of each step; `make soak` kills it at all of them.
SERVER_POINTS = ["load.file_inserted", "cycle.money_stored", "cycle.lake_written", "cycle.slice_decided"]


@pytest.fixture(scope="module")
def scenes() -> Iterator[Scenes]:
    """An empty book, a loaded one and one closed to the middle of the month, and what undisturbed runs leave."""

    def write_files(folder: Path) -> None:
        folder.mkdir()
        tiny_book.write_folder(folder, tiny_book.make_files(tiny_book.CONTRACTS))

    with make_scenes(write_files, START, CLOSED, STRUCK) as made:
        yield made


@pytest.fixture(scope="module")
def workers_struck(scenes: Scenes) -> dict[str, Struck]:
    """Every point with its worker killed once, two at a time."""

    def kill_worker(point: str) -> Struck:
        name = f"worker_{point.replace('.', '_')}"
        if scene_of(point) == "load":
            command = recoup("load", str(scenes.folder))
            return strike(command, source="empty", database=name, point=point, nth=1, server=False)
        command = cycle_in_slices(START, STRUCK, PER_SLICE)
        nth = choose(point, SEED, PASSAGES)
        return strike(command, source="closed", database=name, point=point, nth=nth, server=False)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(POINTS, pool.map(kill_worker, POINTS), strict=True))


def expected(scenes: Scenes, point: str) -> State:
    return scenes.loaded if scene_of(point) == "load" else scenes.closed


def test_the_undisturbed_books_verify(scenes: Scenes) -> None:
    assert scenes.loaded.failures == []
    assert scenes.closed.failures == []


def test_there_are_at_least_twelve_points() -> None:
    assert len(POINTS) >= 12


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_leaves_a_book_that_the_same_command_completes(
    scenes: Scenes, workers_struck: dict[str, Struck], point: str
) -> None:
    struck = workers_struck[point]
    assert struck.returncode == KILLED, f"passage {struck.nth} of {point} was never reached"
    state = examine(struck.database)
    assert state.failures == []
    assert differences(state.lines, expected(scenes, point).lines) == []


@pytest.mark.parametrize("point", SERVER_POINTS)
def test_a_database_server_killed_in_mid_work_leaves_a_book_that_the_same_command_completes(
    scenes: Scenes, point: str
) -> None:
    name = f"server_{point.replace('.', '_')}"
    if scene_of(point) == "load":
        command, source = recoup("load", str(scenes.folder)), "empty"
    else:
        command, source = cycle(START, STRUCK), "closed"
    struck = strike(command, source=source, database=name, point=point, nth=2, server=True)
    assert struck.returncode not in (0, KILLED), "the server was never killed"
    state = examine(struck.database)
    assert state.failures == []
    assert differences(state.lines, expected(scenes, point).lines) == []
