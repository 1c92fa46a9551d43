"""A load killed at any point and started again ends like one that was never disturbed."""

import os
import subprocess
import sys
from pathlib import Path

import feed_folder as given
import pytest

from recoup.database import server
from recoup.database.connect import connect

RUN = [sys.executable, "-c", "from recoup.cli.main import run; run()", "load"]

FACTS = ("org_unit", "party", "party_secret", "account", "contract", "agreement", "service", "reading", "payment")
DEBTS = ("open_item", "item_open", "entry", "posting", "balance", "imported", "quarantine", "conflict")


@pytest.fixture
def book(database: str) -> str:
    """An evaluation book of Shandong."""
    return make_book(database)


def make_book(database: str) -> str:
    """Open a book; nobody stays connected."""
    from django.db import connections

    from recoup.domains.book.operations import create_book

    create_book(kind="evaluation", jurisdiction="cn/shandong", seed=1, name="test")
    connections.close_all()
    return database


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good rows, refused rows and debts."""
    item = {"item_key": "I1", "contract": "K1", "component": "ENERGY", "amount": "9", "open": "9"}
    dated = {**item, "issued_on": "2025-01-05", "due_on": "2025-02-05"}
    rows = {
        **given.base(50),
        "readings": [*given.readings(50), *given.readings(5, month=2, index="bad")],
        "payments": [given.payment("a", "1"), given.payment("b", "2", contract="K999")],
        "open_items": [dated],
    }
    return given.write(tmp_path_factory.mktemp("killed"), rows)


def run(folder: Path, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """Run `recoup load` as a process of its own, to be killed at a failpoint."""
    environment = {**os.environ, "RECOUP_FAILPOINT": failpoint} if failpoint else dict(os.environ)
    return subprocess.run([*RUN, str(folder)], env=environment, capture_output=True, text=True, check=False)


def state() -> tuple[object, ...]:
    """Rows of every table, and what is recorded of every file."""
    with connect("reader") as connection:
        tables = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in (*FACTS, *DEBTS)]
        files = connection.execute(
            "SELECT name, state, rows_read, rows_loaded, rows_known, rows_superseding, rows_conflicting, "
            "rows_quarantined, rows_skipped FROM loaded_file ORDER BY load_id, name"
        ).fetchall()
        feed = connection.execute("SELECT code, watermark_at FROM feed").fetchall()
        loads = connection.execute("SELECT state FROM feed_load").fetchall()
    return tables, files, feed, loads


@pytest.fixture(scope="module")
def undisturbed(module_database: str, folder: Path) -> tuple[object, ...]:
    """How a load that nothing disturbs ends."""
    from recoup.usecases.load import load_folder

    make_book(module_database)
    assert load_folder(folder).complete
    return state()


@pytest.mark.parametrize(
    "point",
    [
        "load.staged:6",
        "load.file_inserted",
        "load.file_inserted:6",
        "load.file_inserted:8",
        "load.file_committed:6",
        "load.before_watermark",
    ],
)
def test_killed_at_any_point_and_run_again_it_is_complete(
    undisturbed: tuple[object, ...], book: str, folder: Path, point: str
) -> None:
    from recoup.usecases.load import load_folder

    assert run(folder, point).returncode == -9
    assert state() != undisturbed
    assert load_folder(folder).complete
    assert state() == undisturbed


@pytest.mark.parametrize("point", ["load.file_inserted:6:server", "load.before_watermark:server"])
def test_the_server_killed_in_mid_load_loses_nothing(
    undisturbed: tuple[object, ...], book: str, folder: Path, point: str
) -> None:
    from recoup.usecases.load import load_folder

    assert run(folder, point).returncode not in (0, -9)
    server.ensure_running()
    assert load_folder(folder).complete
    assert state() == undisturbed
