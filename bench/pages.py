"""`make bench-pages`: how long people wait for the overview and for an account, fifty of them at once.

Each person is one thread with a session and a connection of its own, kept open; they ask again at once, or after a
second of thought. Put beside the page of the door, which reads nothing of the book. Its steps go to bench/latest.json.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from threading import Barrier, Thread
from time import perf_counter, sleep
from typing import NamedTuple

import books
import run
from memory import watch_memory

ACCOUNTS, PEOPLE, SECONDS, DAYS = 100_000, 50, 20, 3
THINKING = (0.0, 1.0)
GOAL_S = 1.0
DRAWN = 500
HOST = "127.0.0.1"
LIMIT = "page of the door, same people"


class Measured(NamedTuple):
    """What the people of one load waited, ascending, and how long the load lasted, in seconds."""

    waits: list[float]
    seconds: float

    def percentile_ms(self, share: int) -> float:
        """The wait that so many in a hundred did not exceed."""
        return round(self.waits[min(len(self.waits) * share // 100, len(self.waits) - 1)] * 1_000, 1)

    @property
    def per_second(self) -> float:
        """Pages a second."""
        return len(self.waits) / self.seconds


def main() -> int:
    """Measure a book of our own, or the one that RECOUP_HOME names."""
    asked = _ask()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if asked.here:
        _tell(_measure(asked))
        return 0
    with run._own_home() as folder:
        _make_book(asked.accounts, folder)
        _tell(_measure(asked))
    return 0


def _ask() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="size of the generated book")
    parser.add_argument("--here", action="store_true", help="measure the book of RECOUP_HOME instead")
    parser.add_argument("--people", type=int, default=PEOPLE, help="how many ask at once")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each load lasts")
    parser.add_argument("--workers", type=int, default=2, help="processes that answer")
    return parser.parse_args()


def _make_book(accounts: int, folder: Path) -> None:
    """The measured book after the first days of its month, its figures prepared."""
    os.environ["RECOUP_DATABASE_NAME"] = f"bench_pages_{accounts}"
    run._apart("write", accounts, folder)
    run._make_book()
    run._apart("load", accounts, folder)
    from recoup.cli.cycle import run as close

    close(books.EVE, books.EVE + timedelta(days=DAYS))


def _measure(asked: argparse.Namespace) -> list[dict[str, object]]:
    """Every page under every load, the door first."""
    from recoup.cli import django

    django.setup()
    accounts, numbers = _draw_numbers()
    steps: list[dict[str, object]] = []
    with _people(asked.people) as sessions, _served(asked.workers) as (port, console):
        door = _load(port, sessions, ["/sign-in/?next=/"], 0, min(asked.seconds, 5), signed_in=False)
        print(f"door: {door.per_second:,.0f} pages/s", file=sys.stderr)
        for name, paths in (("overview", ["/"]), ("account", [f"/accounts/{number}/" for number in numbers])):
            _load(port, sessions, paths, 0, 2)  # what a server just started has not read yet
            for thinking in THINKING:
                with watch_memory() as peak:
                    found = _load(port, sessions, paths, thinking, asked.seconds)
                held = peak.mib + _sum_pss_mib(console)
                step = _as_step(name, accounts, asked.people, thinking, found, door, held)
                steps.append(step)
                print(f"{step['name']}: {step['detail']}", file=sys.stderr)
    return steps


def _draw_numbers() -> tuple[int, list[str]]:
    """How many accounts there are, and some of their numbers, drawn the same each time."""
    import polars as pl

    from recoup.core import draws
    from recoup.database.connect import connect

    with connect("reader") as connection:
        rows = connection.execute("SELECT account_no, account_id FROM account ORDER BY account_id").fetchall()
    table = pl.DataFrame(rows, schema={"account_no": pl.String, "account_id": pl.Int64}, orient="row")
    drawn = draws.draw_u64(pl.col("account_id"), seed=books.SEED, purpose="bench.pages")
    return table.height, table.sort(drawn)["account_no"].head(DRAWN).to_list()


@contextmanager
def _people(count: int) -> Iterator[list[str]]:
    """Session keys of people who have signed in; their sessions end and nobody stays behind who could use them."""
    import secrets

    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from recoup.domains.access.models import WHOLE_BOOK
    from recoup.domains.access.operations import add_staff

    name = f"bench-{secrets.token_hex(4)}"
    staff = add_staff(username=name, name=name, role="auditor", org_unit=WHOLE_BOOK, password=secrets.token_urlsafe(24))
    sessions = [SessionStore() for _ in range(count)]
    for session in sessions:
        session[SESSION_KEY] = str(staff.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = staff.get_session_auth_hash()
        session.create()
    try:
        yield [str(session.session_key) for session in sessions]
    finally:
        for session in sessions:
            session.delete()
        staff.is_active = False
        staff.save()


@contextmanager
def _served(workers: int) -> Iterator[tuple[int, int]]:
    """`recoup serve` of this book in processes of its own; its port and its process."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("recoup")), "serve", "--port", str(port), "--workers", str(workers)]
    served = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not _answers(port):
            if served.poll() is not None:
                raise AssertionError("the console did not start")
            sleep(0.2)
        yield port, served.pid
    finally:
        served.terminate()
        served.wait()


def _sum_pss_mib(process: int) -> float:
    """Memory of a process and of those below it now."""
    import psutil

    parent = psutil.Process(process)
    return sum(each.memory_full_info().pss for each in [parent, *parent.children(recursive=True)]) / (1 << 20)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _load(
    port: int, sessions: Sequence[str], paths: Sequence[str], thinking: float, seconds: int, *, signed_in: bool = True
) -> Measured:
    """Let everybody ask for these pages in turn, each beginning elsewhere, until the time is over."""
    waits: list[list[float]] = [[] for _ in sessions]
    broken: list[str] = []
    start = Barrier(len(sessions) + 1)

    def ask(place: int) -> None:
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=60)
            turns = cycle(paths[place % len(paths) :] + paths[: place % len(paths)])
            headers = {"Cookie": f"recoup_session={sessions[place]}"} if signed_in else {}
            start.wait()
            sleep(thinking * place / len(sessions))
            until = perf_counter() + seconds
            while (begun := perf_counter()) < until:
                connection.request("GET", next(turns), headers=headers)
                answer = connection.getresponse()
                answer.read()
                waits[place].append(perf_counter() - begun)
                if answer.status != 200:
                    raise AssertionError(f"{answer.status} {answer.getheader('Location', '')}")
                sleep(thinking)
            connection.close()
        except Exception as error:
            broken.append(repr(error))
            start.abort()

    threads = [Thread(target=ask, args=(place,)) for place in range(len(sessions))]
    for thread in threads:
        thread.start()
    start.wait()
    begun = perf_counter()
    for thread in threads:
        thread.join()
    if broken:
        raise AssertionError(broken[0])
    return Measured(sorted(wait for each in waits for wait in each), perf_counter() - begun)


def _as_step(
    name: str, accounts: int, people: int, thinking: float, found: Measured, door: Measured, peak_mib: float
) -> dict[str, object]:
    """One step as bench/latest.json holds them."""
    p95 = found.percentile_ms(95)
    return {
        "name": f"page: {name}, {people} people" + (f", {thinking:g} s of thought" if thinking else ""),
        "accounts": accounts,
        "rows": len(found.waits),
        "seconds": round(found.seconds, 3),
        "rows_per_s": round(found.per_second, 3),
        "peak_mib": round(peak_mib, 3),
        "limit": LIMIT,
        "limit_rows_per_s": round(door.per_second, 3),
        "ratio": round(found.per_second / door.per_second, 3),
        # Who asks again without a thought measures how much the server can do, not how long a person waits.
        **({"goal": f"p95 < {GOAL_S * 1_000:.0f} ms", "met": p95 < GOAL_S * 1_000} if thinking else {}),
        "detail": {"p50_ms": found.percentile_ms(50), "p95_ms": p95, "p99_ms": found.percentile_ms(99)},
    }


def _tell(steps: list[dict[str, object]]) -> None:
    """Print the steps and put them into bench/latest.json, in the place of those of an earlier run."""
    told = (
        json.loads(run.RESULT.read_text()) if run.RESULT.exists() else {"machine": run._describe_machine(), "steps": []}
    )
    names = {(step["name"], step["accounts"]) for step in steps}
    told["steps"] = [step for step in told["steps"] if (step["name"], step["accounts"]) not in names] + steps
    run.RESULT.write_text(json.dumps(told, indent=2) + "\n")
    for step in steps:
        judged = f"{'met' if step['met'] else 'MISSED'}: {step['goal']}" if "goal" in step else ""
        print(f"{step['name']:<45} {step['rows_per_s']:>8,.1f} pages/s  {step['detail']}  {judged}")


if __name__ == "__main__":
    sys.exit(main())
