"""Every point twice, worker and server, over a whole book; and a city whose cycle is killed over and over."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import tiny_book
from fault_scenes import (
    KILLED,
    Scenes,
    choose,
    cycle,
    cycle_in_slices,
    differences,
    examine,
    find_points,
    make_scenes,
    recoup,
    run,
    scene_of,
    strike,
    succeed,
)
from tiny_book import END, EVE, START

pytestmark = pytest.mark.soak

POINTS = find_points()
DAYS = (END - START).days
FILES = len(tiny_book.make_files(1))
KILLS = 50


@pytest.fixture(scope="module")
def scenes() -> Iterator[Scenes]:
    """The tiny book from its first day: nothing is closed undisturbed before."""

    def write_files(folder: Path) -> None:
        folder.mkdir()
        tiny_book.write_folder(folder, tiny_book.make_files(tiny_book.CONTRACTS))

    with make_scenes(write_files, START, EVE, END) as made:
        yield made


@pytest.mark.parametrize("turn", [1, 2])
@pytest.mark.parametrize("server", [False, True], ids=["worker", "server"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_passage_leaves_a_book_that_the_same_command_completes(
    scenes: Scenes, seed: int, point: str, server: bool, turn: int
) -> None:
    loading = scene_of(point) == "load"
    # Files pass the points of a load one by one; the watermark comes once.
    passages = (1 if point == "load.before_watermark" else FILES) if loading else DAYS
    nth = choose(f"{point}/{server}/{turn}", seed, passages)
    if loading:
        command = recoup("load", str(scenes.folder))
    else:
        command = cycle(START, END) if turn == 1 else cycle_in_slices(START, END, 60)
    name = f"struck_{point.replace('.', '_')}_{server:d}{turn}"
    source = "empty" if loading else "loaded"
    struck = strike(command, source=source, database=name, point=point, nth=nth, server=server)
    assert (struck.returncode == KILLED) is not server
    assert struck.returncode != 0, f"seed {seed}: passage {nth} of {point} was never reached"
    state = examine(struck.database)
    assert state.failures == [], f"seed {seed}, passage {nth}"
    expected = scenes.loaded if loading else scenes.closed
    assert differences(state.lines, expected.lines) == [], f"seed {seed}, passage {nth}"


FIRST, LAST = date(2025, 1, 20), date(2025, 3, 5)


@pytest.fixture(scope="module")
def city(seed: int) -> Iterator[Scenes]:
    """A city of 300 accounts from the seed, with rows that must be refused, and six weeks of its cycle."""

    def generate(folder: Path) -> None:
        words = ("--accounts", "300", "--seed", str(seed), "--from", "2025-01", "--months", "3", "--dirty")
        succeed(recoup("city", str(folder), *words), "none")

    with make_scenes(generate, FIRST, FIRST - timedelta(days=1), LAST) as made:
        yield made


def test_a_cycle_killed_over_and_over_ends_as_an_undisturbed_one(city: Scenes, seed: int) -> None:
    """Kill after kill at points and passages of the seed, worker or server, each going on where the last one ended."""
    points = [point for point in POINTS if scene_of(point) == "cycle"]
    command = cycle_in_slices(FIRST, LAST, 75)
    tiny_book.copy_book("loaded", "chain", outlasts_crash=True)
    ends = []
    for turn in range(KILLS):
        point = points[choose(f"point {turn}", seed, len(points)) - 1]
        nth = choose(f"passage {turn}", seed, 6)
        suffix = ":server" if choose(f"kind {turn}", seed, 3) == 1 else ""
        ends.append(run(command, "chain", f"{point}:{nth}{suffix}").returncode)
    succeed(command, "chain")
    assert KILLED in ends
    state = examine("chain")
    assert state.failures == [], f"seed {seed}"
    assert differences(state.lines, city.closed.lines) == [], f"seed {seed}"
