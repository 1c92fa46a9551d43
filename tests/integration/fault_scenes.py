"""Killing the worker or the database server at a named point, going on, and comparing with an undisturbed run."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import pytest
import tiny_book

from recoup.cli import django
from recoup.database import server

SOURCE = Path(__file__).resolve().parents[2] / "src" / "recoup"
KILLED = -9
# Points of commands of their own: test_backup, test_files_killed and test_outcomes strike them.
STRUCK_ELSEWHERE = ("backup", "restore", "files", "outcomes")

_IN_SLICES = """
import sys
from datetime import date
import tiny_book
from recoup.cli import django
django.setup()
tiny_book.close(date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2]), contracts_per_slice=int(sys.argv[3]))
"""


def find_points() -> list[str]:
    """Every failpoint in the source, so that a new one is covered without a word here."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        found |= set(re.findall(r'\bhit\("([^"]+)"\)', path.read_text()))
    return sorted(point for point in found if point.partition(".")[0] not in STRUCK_ELSEWHERE)


def scene_of(point: str) -> str:
    """Which command passes a point: its first word."""
    scenes = {"cycle": "cycle", "store": "cycle", "load": "load"}
    return scenes[point.partition(".")[0]]


def choose(point: str, seed: int, passages: int) -> int:
    """At which passage to strike: by the seed, between the first and the last."""
    return int.from_bytes(blake2b(f"{seed}/{point}".encode(), digest_size=8).digest()) % passages + 1


def recoup(*words: str) -> list[str]:
    """A command line of ours, by this interpreter."""
    return [sys.executable, "-c", "from recoup.cli.main import run; run()", *words]


def cycle(start: date, end: date) -> list[str]:
    """The cycle as people run it."""
    return recoup("cycle", "--from", str(start), "--to", str(end))


def cycle_in_slices(start: date, end: date, contracts_per_slice: int) -> list[str]:
    """The cycle over several slices: a small book would have but one."""
    return [sys.executable, "-c", _IN_SLICES, str(start), str(end), str(contracts_per_slice)]


def run(command: Sequence[str], database: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command on a database; with a failpoint it is expected not to come home."""
    environment = {
        **os.environ,
        "RECOUP_DATABASE_NAME": database,
        "PYTHONPATH": str(Path(__file__).parent),
        "COLUMNS": "200",
        "POLARS_MAX_THREADS": "1",
    }
    environment.pop("RECOUP_FAILPOINT", None)
    if failpoint:
        environment["RECOUP_FAILPOINT"] = failpoint
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def succeed(command: Sequence[str], database: str) -> str:
    """Run a command that must succeed; return what it printed."""
    done = run(command, database)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class State(NamedTuple):
    """What `recoup verify --all` finds wrong in a book, and its canonical dump."""

    failures: list[str]
    lines: list[str]


def examine(database: str) -> State:
    """Verify and dump a book."""
    django.setup()
    from django.db import connections

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", database)
        connections.close_all()
        state = State(tiny_book.find_failures(), tiny_book.dump())
        connections.close_all()
    return state


class Struck(NamedTuple):
    """How a command ended that was struck; it was then run again to its end on this database."""

    nth: int
    returncode: int
    database: str


def strike(command: Sequence[str], *, source: str, database: str, point: str, nth: int, server: bool) -> Struck:
    """Copy a book, strike the command at a passage of a point, and run the same command again."""
    tiny_book.copy_book(source, database, outlasts_crash=server)
    struck = run(command, database, f"{point}:{nth}{':server' if server else ''}")
    succeed(command, database)
    return Struck(nth, struck.returncode, database)


def differences(lines: list[str], undisturbed: list[str]) -> list[str]:
    """The first lines that one of two dumps has more often than the other."""
    ours, theirs = Counter(lines), Counter(undisturbed)
    return sorted([*(ours - theirs).elements(), *(theirs - ours).elements()])[:6]


class Scenes(NamedTuple):
    """A folder of files; the books `empty`, `loaded` and `closed` to strike; the states that undisturbed runs leave."""

    folder: Path
    loaded: State
    closed: State


@contextmanager
def own_home() -> Iterator[Path]:
    """A home whose server may be killed; removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="recoup-", dir="/tmp"))
    home.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_HOME", str(home))
        patch.setenv("RECOUP_SHARED_BUFFERS", "64MB")
        for name in ("RECOUP_DATABASE_URL", "RECOUP_DATABASE_NAME", "RECOUP_ROLE", "RECOUP_FAILPOINT"):
            patch.delenv(name, raising=False)
        try:
            yield home
        finally:
            server.stop()
            shutil.rmtree(home)


@contextmanager
def make_scenes(write_files: Callable[[Path], None], start: date, closed: date, struck: date) -> Iterator[Scenes]:
    """Make the books by our own commands: closed up to `closed`, and undisturbed up to `struck`."""
    with own_home() as home:
        folder = home / "files"
        write_files(folder)
        succeed(recoup("init", "--kind", "demo"), "empty")
        tiny_book.copy_book("empty", "loaded")
        succeed(recoup("load", str(folder)), "loaded")
        tiny_book.copy_book("loaded", "closed")
        if closed >= start:
            succeed(cycle(start, closed), "closed")
        tiny_book.copy_book("closed", "undisturbed")
        succeed(cycle(start, struck), "undisturbed")
        yield Scenes(folder, examine("loaded"), examine("undisturbed"))
