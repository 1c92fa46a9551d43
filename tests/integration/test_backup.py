"""A backup taken while everybody works opens again elsewhere, verified; a half or damaged one is refused by name."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import tiny_book
import typer
from fault_scenes import KILLED, cycle, cycle_in_slices, differences, own_home, recoup, run
from tiny_book import END, START
from typer.testing import CliRunner

from recoup.cli import backup as command
from recoup.cli import django
from recoup.cli.init import migrate
from recoup.database import connect, roles, server
from recoup.database.backup import CopyRefused
from recoup.database.errors import DatabaseUnavailable
from recoup.engine.backup import make_backup
from recoup.engine.restore import check_backup, restore_backup

CLOSED = START + timedelta(days=4)
DAYS = 5
MADE_AT = datetime(2025, 3, 1, 12, tzinfo=UTC)
BEFORE_COMPLETE = ["backup.begun", "backup.server_copying", "backup.server_copied", "backup.file_copied"]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of its own with a book closed for five days."""
    with own_home() as folder:
        django.setup()
        from django.db import connections

        connections.close_all()
        roles.prepare()
        migrate()
        tiny_book.open_book("demo")
        tiny_book.fill()
        tiny_book.close(START, CLOSED)
        connections.close_all()
        yield folder
        connections.close_all()


@pytest.fixture(scope="module")
def taken(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of that home."""
    folder = tmp_path_factory.mktemp("kept") / "backup"
    make_backup(folder, made_at=MADE_AT)
    return folder


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Enter another home."""
    from django.db import connections

    with pytest.MonkeyPatch.context() as patch:
        connections.close_all()
        patch.setenv("RECOUP_HOME", str(folder))
        yield
        connections.close_all()


@contextmanager
def new_home() -> Iterator[Path]:
    """A home to restore into; its server is stopped and its folder removed at the end."""
    outer = Path(tempfile.mkdtemp(prefix="recoup-", dir="/tmp"))
    outer.chmod(0o755)
    try:
        yield outer / "home"
    finally:
        with at_home(outer / "home"):
            server.stop()
        shutil.rmtree(outer)


@pytest.fixture
def elsewhere(home: Path) -> Iterator[Path]:
    with new_home() as folder, at_home(folder):
        yield folder


@pytest.fixture(scope="module")
def restored_home(home: Path, taken: Path) -> Iterator[tuple[Path, str]]:
    """The backup restored elsewhere by the command, and what it printed."""
    with new_home() as folder:
        with at_home(folder):
            code, told = invoke("restore", str(taken), "--all")
        assert code == 0, told
        yield folder, told


@pytest.fixture
def restored(restored_home: tuple[Path, str]) -> Iterator[tuple[Path, str]]:
    """The restored home, entered."""
    with at_home(restored_home[0]):
        yield restored_home


def invoke(*words: str) -> tuple[int, str]:
    """Run one of the two commands in this process: exit code, and all it printed or refused with."""
    app = typer.Typer()
    command.register(app)
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def a_file(folder: Path, pattern: str) -> Path:
    return next(path for path in sorted(folder.glob(pattern)) if path.is_file() and path.stat().st_size)


def test_a_restored_book_is_the_same_book_and_verifies(home: Path, restored: tuple[Path, str]) -> None:
    folder, told = restored
    assert f"{CLOSED}" in told and "checks hold" in told
    lines = tiny_book.dump()
    assert tiny_book.find_failures() == []
    with at_home(home):
        assert differences(tiny_book.dump(), lines) == []
    assert (folder / "passwords.json").stat().st_mode & 0o077 == 0


def test_a_restored_book_goes_on(restored: tuple[Path, str]) -> None:
    assert tiny_book.close(CLOSED + timedelta(days=1), CLOSED + timedelta(days=1)) == 1
    assert tiny_book.find_failures() == []


def test_verify_names_the_days_that_a_database_older_than_its_lake_has_lost(restored: tuple[Path, str]) -> None:
    folder, _ = restored
    lake = folder / "lake" / "recoup"
    for offset in range(1, 3):  # as if the newer lake had been laid over the restored one
        newer = (
            lake / "decisions" / f"on={END + timedelta(days=offset)}" / f"run={900 + offset}" / "slice=000.1.parquet"
        )
        newer.parent.mkdir(parents=True)
        shutil.copy(a_file(lake, "decisions/**/*.parquet"), newer)
    (failure,) = tiny_book.find_failures()
    assert f"{END + timedelta(days=1)} to {END + timedelta(days=2)} (runs 901 to 902)" in failure
    assert "older than its lake" in failure
    for offset in range(1, 3):
        shutil.rmtree(lake / "decisions" / f"on={END + timedelta(days=offset)}")
    assert tiny_book.find_failures() == []


def test_verify_names_run_and_day_of_a_lake_file_that_is_missing(restored: tuple[Path, str]) -> None:
    folder, _ = restored
    path = a_file(folder, f"lake/recoup/decisions/on={START}/**/*.parquet")
    content = path.read_bytes()
    path.unlink()
    try:
        failures = tiny_book.find_failures()
        assert any(f"1 files are missing: {START} (run 1)" in failure and path.name in failure for failure in failures)
    finally:
        path.write_bytes(content)


def test_the_backup_is_readable_by_its_owner_only_and_names_its_secrets(taken: Path) -> None:
    assert [path for path in taken.rglob("*") if path.is_file() and path.stat().st_mode & 0o077] == []
    told = json.loads((taken / "COMPLETE").read_text())
    assert {"passwords.json", "party_keys.json"} <= set(told["secrets"])
    (book,) = told["books"]
    assert (book["last_closed_on"], book["runs"], book["open_run_on"]) == (str(CLOSED), DAYS, None)
    lake_files = [file for file in told["files"] if file["path"].startswith("lake/")]
    assert len(lake_files) == DAYS and all(len(file["sha256"]) == 64 and file["bytes"] for file in lake_files)


def test_a_second_backup_copies_no_file_again_and_takes_the_place_of_the_first(home: Path, tmp_path: Path) -> None:
    first = make_backup(tmp_path / "b", made_at=MADE_AT)
    second = make_backup(tmp_path / "b", made_at=MADE_AT + timedelta(days=1))
    assert (first.known, second.copied, second.known) == (0, 0, first.copied)
    assert [path.name for path in (tmp_path / "b").glob("database-*")] == [second.manifest.database_folder]
    assert check_backup(tmp_path / "b") == second.manifest


def test_a_file_that_rotted_in_the_backup_is_copied_again(home: Path, tmp_path: Path) -> None:
    make_backup(tmp_path / "b", made_at=MADE_AT)
    a_file(tmp_path / "b", "home/lake/**/*.parquet").write_bytes(b"rotten")
    assert make_backup(tmp_path / "b", made_at=MADE_AT).copied == 1
    check_backup(tmp_path / "b")


@pytest.mark.parametrize("pattern", ["home/lake/**/*.parquet", "home/passwords.json", "database-*/base/*/1259"])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_damaged_file_is_refused_by_name(taken: Path, elsewhere: Path, pattern: str, how: str) -> None:
    path = a_file(taken, pattern)
    content = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(CopyRefused, match=path.name) as refusal:
            restore_backup(taken)
        assert ("other content" if how == "changed" else "missing") in str(refusal.value)
    finally:
        path.write_bytes(content)
    assert not elsewhere.exists()


def test_a_damaged_log_of_the_database_is_refused_by_name(taken: Path, elsewhere: Path) -> None:
    path = a_file(taken, "database-*/pg_wal/0*")
    with open(path, "r+b") as file:
        kept = file.read(100)
        file.seek(0)
        file.write(bytes(100))
    with pytest.raises(CopyRefused, match=path.name):
        restore_backup(taken)
    with open(path, "r+b") as file:
        file.write(kept)


def test_a_restore_over_a_book_is_refused_and_says_what_to_do(home: Path, taken: Path) -> None:
    with pytest.raises(CopyRefused, match=r"--into.*recoup server stop"):
        restore_backup(taken)


def test_a_restore_into_a_folder_with_anything_in_it_is_refused(taken: Path, elsewhere: Path) -> None:
    (elsewhere / "lake").mkdir(parents=True)
    (elsewhere / "lake" / "file").write_text("someone's")
    with pytest.raises(CopyRefused, match="lake/file"):
        restore_backup(taken)
    assert (elsewhere / "lake" / "file").read_text() == "someone's"


def test_a_backup_made_by_a_newer_recoup_is_refused(taken: Path, elsewhere: Path) -> None:
    with changed(taken, product_version="999.1.0"), pytest.raises(CopyRefused, match=r"999\.1\.0"):
        restore_backup(taken)


@contextmanager
def changed(folder: Path, **values: str) -> Iterator[None]:
    path = folder / "COMPLETE"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | values))
    yield
    path.write_text(text)


def test_a_backup_into_the_folder_of_another_server_is_refused(home: Path, taken: Path) -> None:
    with changed(taken, system_identifier="1"), pytest.raises(CopyRefused, match="another server"):
        make_backup(taken, made_at=MADE_AT)


def test_a_backup_into_a_folder_with_something_else_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(CopyRefused, match=r"letters\.txt"):
        make_backup(tmp_path, made_at=MADE_AT)
    with pytest.raises(CopyRefused, match="lie in each other"):
        make_backup(home / "backup", made_at=MADE_AT)


def test_a_server_of_others_is_left_to_their_tools(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_DATABASE_URL", "postgresql://db.example/recoup")
    with pytest.raises(DatabaseUnavailable, match="pg_basebackup"):
        make_backup(tmp_path / "b", made_at=MADE_AT)
    with pytest.raises(DatabaseUnavailable, match="pg_basebackup"):
        restore_backup(tmp_path / "b")


def test_a_folder_that_is_no_backup_is_refused(elsewhere: Path, tmp_path: Path) -> None:
    with pytest.raises(CopyRefused, match="no complete backup"):
        restore_backup(tmp_path)


@pytest.mark.parametrize("point", BEFORE_COMPLETE)
def test_a_backup_killed_half_way_is_refused_and_the_same_command_completes_it(
    home: Path, tmp_path: Path, point: str
) -> None:
    folder = tmp_path / "b"
    assert run(recoup("backup", str(folder)), "recoup", point).returncode == KILLED
    with new_home() as other, at_home(other), pytest.raises(CopyRefused, match="was interrupted"):
        restore_backup(folder)
    done = make_backup(folder, made_at=MADE_AT)
    assert check_backup(folder) == done.manifest


@pytest.mark.parametrize("point", ["backup.files_copied", "backup.completed"])
def test_a_backup_killed_half_way_leaves_the_one_before_it_whole(home: Path, tmp_path: Path, point: str) -> None:
    before = make_backup(tmp_path / "b", made_at=MADE_AT).manifest
    assert run(recoup("backup", str(tmp_path / "b")), "recoup", point).returncode == KILLED
    assert (check_backup(tmp_path / "b") == before) == (point == "backup.files_copied")


@pytest.mark.parametrize("point", ["restore.server_copied", "restore.part_placed:2"])
def test_a_restore_killed_half_way_is_completed_by_the_same_command(taken: Path, elsewhere: Path, point: str) -> None:
    assert run(recoup("restore", str(taken)), "recoup", point).returncode == KILLED
    assert not (elsewhere / "data").exists()
    code, told = invoke("restore", str(taken))
    assert (code, sorted(elsewhere.glob("restoring"))) == (0, []), told
    assert "checks hold" in told


@pytest.mark.parametrize(
    "point", ["cycle.money_booked:2", "cycle.slice_decided:2", "cycle.money_booked:5", "cycle.slice_decided:13"]
)
def test_a_day_left_open_by_a_kill_verifies_before_it_goes_on(home: Path, point: str) -> None:
    tiny_book.copy_book("recoup", "open_day")
    try:
        struck = run(cycle_in_slices(CLOSED + timedelta(days=1), END, 80), "open_day", point)
        assert struck.returncode == KILLED
        with entered("open_day"):
            assert tiny_book.find_failures() == []
    finally:
        roles.drop_database("open_day")
        shutil.rmtree(home / "lake" / "open_day")


def test_a_backup_taken_in_mid_cycle_verifies_and_goes_on_to_the_same_end(home: Path, tmp_path: Path) -> None:
    tiny_book.copy_book("recoup", "busy")
    try:
        with entered("busy"):
            lines = back_up_in_mid_cycle(home, tmp_path / "b")
        with new_home() as other, at_home(other):
            code, told = invoke("restore", str(tmp_path / "b"))
            assert code == 0, told
            with entered("busy"):
                reached = last_closed_on()
                assert CLOSED <= reached < END
                tiny_book.close(reached + timedelta(days=1), END)
                assert tiny_book.find_failures() == []
                assert differences(tiny_book.dump(), lines) == []
    finally:
        roles.drop_database("busy")


def back_up_in_mid_cycle(home: Path, folder: Path) -> list[str]:
    """Take a backup while another process closes days; return the state in which that one ends."""
    working = subprocess.Popen(cycle(CLOSED + timedelta(days=1), END), env={**os.environ, "POLARS_MAX_THREADS": "1"})
    with working:
        while not (home / "lake" / "busy" / "decisions" / f"on={CLOSED + timedelta(days=2)}").exists():
            assert working.poll() is None
            time.sleep(0.05)
        still_at_work: list[bool] = []
        make_backup(
            folder,
            made_at=MADE_AT,
            watch=lambda step, *_: still_at_work.append(working.poll() is None or step == "files"),
        )
        assert still_at_work[0]
    assert working.returncode == 0
    return tiny_book.dump()


@contextmanager
def entered(name: str) -> Iterator[None]:
    from django.db import connections

    with pytest.MonkeyPatch.context() as patch:
        connections.close_all()
        patch.setenv("RECOUP_DATABASE_NAME", name)
        yield
        connections.close_all()


def last_closed_on() -> date:
    with connect.connect("reader") as connection:
        (day,) = connection.execute("SELECT max(business_on) FROM run WHERE state = 'DONE'").fetchone() or (None,)
    assert isinstance(day, date)
    return day


def test_the_command_tells_what_it_kept(home: Path, tmp_path: Path) -> None:
    code, told = invoke("backup", str(tmp_path / "b"))
    assert code == 0
    assert f"recoup: closed to {CLOSED}, {DAYS} runs" in told
    assert "passwords.json" in told


def test_a_lake_file_missing_at_the_backup_is_told_and_ends_with_one(home: Path, tmp_path: Path) -> None:
    path = a_file(home, "lake/recoup/decisions/**/*.parquet")
    content = path.read_bytes()
    path.unlink()
    try:
        code, told = invoke("backup", str(tmp_path / "b"))
    finally:
        path.write_bytes(content)
    assert code == 1
    assert path.name in told


def test_a_disk_that_refuses_is_told_in_one_line(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, told = invoke("backup", str(tmp_path / "file" / "b"))
    assert code == 1
    assert "Not a directory" in told and "repeat the command" in told
