"""`make bench`: measures every step of the main job against the limits of this machine, found in the same run.

Writes bench/latest.json and prints a table. A goal that is missed stays in both.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

SIZES = (100_000, 1_000_000)
# A larger book is measured by its month alone, beside the month of a quarter of its accounts.
WHOLE_UP_TO = 1_000_000
QUARTER = 4
GROWTH_GOAL = 4.4
PSS_GOAL_MIB = 6 * 1_024
RESULT = Path(__file__).with_name("latest.json")
PREPARE = Path(__file__).with_name("prepare.py")


def main() -> int:
    """Measure the sizes asked for; exit 0 even when a goal is missed: it is reported, not hidden."""
    asked = _ask()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server is ours to stop, however we end
    measured = []
    with _own_home() as folder:
        machine = _describe_machine()
        for accounts, whole in _plan(asked.accounts or SIZES, month_only=asked.month):
            for step in _measure(accounts, folder, whole=whole):
                measured.append(_beside_quarter(step, measured))
                # Written at once: a long run that is ended keeps what it found.
                told = {"machine": machine, "steps": [_as_json(each) for each in measured]}
                RESULT.write_text(json.dumps(told, indent=2) + "\n")
    _print_table(measured)
    _print_growth(measured)
    highest = max(step.peak_mib for step in measured)
    print(f"highest memory of all our processes: {highest:,.0f} MiB (goal: <= {PSS_GOAL_MIB:,})")
    return 0


def _ask() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="*", default=SIZES, help="sizes of the generated book")
    parser.add_argument("--month", action="store_true", help="measure the month and the look-ups alone")
    return parser.parse_args()


def _plan(sizes: Iterable[int], *, month_only: bool) -> list[tuple[int, bool]]:
    """Sizes in the order they are measured, each whole or by its month alone."""
    plan = {accounts: not month_only and accounts <= WHOLE_UP_TO for accounts in sizes}
    for accounts in [each for each in plan if each > WHOLE_UP_TO]:
        plan.setdefault(accounts // QUARTER, False)
    return sorted(plan.items())


@contextmanager
def _own_home() -> Iterator[Path]:
    """A data folder and a server of our own, removed at the end: no book of anybody is touched."""
    # Straight below /tmp: the path of a socket is short, and the server's user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="recoup-bench-", dir="/tmp"))
    folder.chmod(0o755)
    for name in ("RECOUP_DATABASE_URL", "RECOUP_DATABASE_NAME", "RECOUP_ROLE", "RECOUP_SHARED_BUFFERS"):
        os.environ.pop(name, None)
    os.environ["RECOUP_HOME"] = str(folder)
    from recoup.cli import django
    from recoup.database import server

    try:
        server.ensure_running()
        django.setup()
        yield folder
    finally:
        server.stop()
        shutil.rmtree(folder)


def _measure(accounts: int, folder: Path, *, whole: bool) -> Iterator:
    """Measure one size: load and single steps in one database, the month and the look-ups in a copy of it.

    By its month alone: in one database. What is no longer needed is removed at once, to spare the disk.
    """
    import steps
    from prepare import load_whole

    from recoup.database import roles
    from recoup.database.connect import connect

    city, debts = folder / f"city-{accounts}", folder / f"debts-{accounts}"
    _apart("write", accounts, folder)
    base = os.environ["RECOUP_DATABASE_NAME"] = f"bench_{accounts}"
    month = f"bench_month_{accounts}" if whole else base
    _make_book()
    if whole:
        yield _told(steps.measure_load(accounts, city))
        load_whole(debts)
        roles.copy_database(base, month)
        with connect("app") as connection:
            for step in steps.Scene(accounts, connection).measure():
                yield _told(step)
        _leave(base)
    else:
        _apart("load", accounts, folder)
    for done in (city, debts):
        shutil.rmtree(done)
    os.environ["RECOUP_DATABASE_NAME"] = month
    yield _told(steps.measure_month(accounts, _tell_day))
    for step in steps.measure_lookup(accounts):
        yield _told(step)
    _leave(month)


def _make_book() -> None:
    import books

    from recoup.cli.init import migrate
    from recoup.database import roles
    from recoup.domains.book.operations import create_book

    roles.prepare()
    migrate()
    create_book(kind="demo", jurisdiction=books.JURISDICTION, seed=books.SEED, name="Bench")


def _apart(task: str, accounts: int, folder: Path) -> None:
    """Do a task of `prepare.py` in a process of its own: what it held in memory is none of the month's."""
    subprocess.run([sys.executable, PREPARE, task, str(accounts), folder], check=True)


def _leave(database: str) -> None:
    from django.db import connections

    from recoup.database import roles
    from recoup.database.home import home

    connections.close_all()
    roles.drop_database(database)
    shutil.rmtree(home() / "lake" / database, ignore_errors=True)


def _tell_day(done) -> None:
    print(f"\r  {done.on}: {done.decisions:,} decisions, {done.bills:,} bills", end="", file=sys.stderr, flush=True)


def _beside_quarter(step, measured):
    """Say of a month how many times as long it took as that of a quarter of its accounts."""
    small = [each for each in measured if (each.name, each.accounts * QUARTER) == (step.name, step.accounts)]
    if step.name != "month" or not small:
        return step
    times = round(step.seconds / small[0].seconds, 2)
    return step._replace(detail={**step.detail, "times_quarter": times, "grows_as_asked": times <= GROWTH_GOAL})


def _print_growth(measured) -> None:
    for step in measured:
        if "times_quarter" in step.detail:
            small, times = step.accounts // QUARTER, step.detail["times_quarter"]
            judged = "met" if step.detail["grows_as_asked"] else "MISSED"
            print(f"month of {step.accounts:,}: {times} x that of {small:,} ({judged}: <= {GROWTH_GOAL} x)")


def _told(step):
    print(f"\r{step.name}: {step.rows:,} rows in {step.seconds:.2f} s{' ' * 30}", file=sys.stderr, flush=True)
    return step


def _describe_machine() -> dict[str, object]:
    from recoup.database.connect import connect

    with connect("owner", database="postgres") as connection:
        postgres = connection.execute("SHOW server_version").fetchone()[0]
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 1_048_576, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "polars": version("polars"),
        "postgresql": postgres,
        "load_1m": os.getloadavg()[0],
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _as_json(step) -> dict[str, object]:
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in step._asdict().items()}
    return {name: value for name, value in rounded.items() if value is not None}


def _print_table(measured) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="recoup bench")
    for name in ("step", "accounts", "rows", "seconds", "rows/s", "peak MiB", "limit", "limit rows/s", "ratio", "goal"):
        table.add_column(name, justify="left" if name in ("step", "limit", "goal") else "right")
    for step in measured:
        goal = "" if step.goal is None else f"{'met' if step.met else 'MISSED'}: {step.goal}"
        table.add_row(
            *(step.name, f"{step.accounts:,}", f"{step.rows:,}", f"{step.seconds:.2f}", f"{step.rows_per_s:,.0f}"),
            f"{step.peak_mib:,.0f}",
            *(step.limit, f"{step.limit_rows_per_s:,.0f}", f"{step.ratio:.2f}", goal),
        )
    Console(width=200).print(table)


if __name__ == "__main__":
    sys.exit(main())
