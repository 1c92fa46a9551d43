"""`recoup doctor` names what is wrong, one line each, with what to do; it finds nothing wrong where nothing is."""

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import tiny_book
import typer
from typer.testing import CliRunner

from recoup.cli import doctor as command
from recoup.database import probe
from recoup.database.connect import connect
from recoup.database.home import home
from recoup.database.probe import FEATURES, Finding
from recoup.engine import doctor
from recoup.engine.backup import STATE_FILE


def clock() -> datetime:
    """What time it is, by the server."""
    with connect("reader") as connection:
        (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
    assert isinstance(now, datetime)
    return now


@pytest.fixture
def book(enter_copy: Callable[[str], str], closed_book: str) -> str:
    """A copy of a closed book, entered; what is done to it is gone afterwards."""
    return enter_copy(closed_book)


def as_owner(*statements: str) -> None:
    with connect("owner") as connection:
        for statement in statements:
            connection.execute(statement.encode())


def look(found: list[Finding], name: str) -> Finding:
    (finding,) = [each for each in found if each.name == name]
    return finding


def book_line(name: str, now: datetime | None = None) -> Finding:
    return look(doctor.examine_book(lambda: now or clock()), name)


def invoke(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    command.register(app)
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout


def test_our_own_server_has_every_feature_and_setting(book: str) -> None:
    found = doctor.examine_database()
    assert [each for each in found if each.state != "ok"] == []
    assert {feature.name for feature in FEATURES} | {"fsync", "data_checksums", "wal_compression"} <= {
        each.name for each in found
    }


def test_the_probes_leave_nothing_behind(book: str) -> None:
    with connect("owner") as connection:
        count = "SELECT count(*), max(oid) FROM pg_class"
        before = connection.execute(count).fetchone()
        probe.probe_features(connection)
        assert connection.execute(count).fetchone() == before


def test_a_feature_that_cannot_be_used_is_named_with_what_needs_it(book: str) -> None:
    """The reader may make no temporary table: to it the server looks like one without these features."""
    with connect("reader") as connection:
        found = probe.probe_features(connection)
    failed = {each.name: each for each in found if each.state == "fail"}
    assert {"partitions by range", "statement trigger with transition table", "COPY csv in and out"} <= set(failed)
    assert "entries that sum to zero" in failed["statement trigger with transition table"].detail
    assert all(each.do for each in failed.values())


@pytest.mark.parametrize(
    ("name", "statement", "told"),
    [
        ("facts are append-only", "GRANT UPDATE ON posting TO recoup_app", "posting"),
        ("facts are append-only", "GRANT TRUNCATE ON bill TO recoup_app", "bill"),
        ("partitions are closed", "GRANT INSERT ON posting_202501 TO recoup_app", "posting_202501"),
        ("the reader only reads", "GRANT DELETE ON balance TO recoup_reader", "balance"),
        ("the ledger's trigger is on", "ALTER TABLE posting DISABLE TRIGGER posting_sums_to_zero", "posting"),
    ],
)
def test_a_right_too_many_is_named(book: str, name: str, statement: str, told: str) -> None:
    assert look(doctor.examine_database(), name).state == "ok"
    as_owner(statement)
    finding = look(doctor.examine_database(), name)
    assert (finding.state, told in finding.detail) == ("fail", True)
    assert invoke("database")[0] == 1


def test_a_day_left_open_by_a_kill_is_named_with_the_command_that_goes_on(book: str) -> None:
    assert book_line("open day").state == "ok"
    as_owner(f"UPDATE run SET state = 'OPEN' WHERE business_on = '{tiny_book.END}'")
    finding = book_line("open day")
    assert (finding.state, str(tiny_book.END) in finding.do) == ("warn", True)
    with connect("app") as working:
        working.execute("SELECT pg_advisory_lock(hashtext('recoup_cycle'))")
        assert book_line("open day").state == "ok"


def test_a_feed_too_old_is_named_only_where_it_silences_actions(book: str) -> None:
    now = clock()
    stale = now - timedelta(days=40)
    as_owner(f"UPDATE feed SET simulated = false, watermark_at = '{stale.isoformat()}'")
    assert book_line("feed tiny").state == "ok"
    as_owner("INSERT INTO function_mode VALUES ('BILLS', 'external')")
    finding = book_line("feed tiny")
    assert (finding.state, "960 h ago" in finding.detail, "silent" in finding.detail) == ("warn", True, True)
    as_owner(f"UPDATE feed SET watermark_at = '{now.isoformat()}'")
    assert book_line("feed tiny").state == "ok"


@pytest.mark.parametrize(("age", "state"), [(timedelta(days=2), "ok"), (timedelta(days=2, seconds=1), "warn")])
def test_a_backup_is_asked_for_after_two_days(book: str, age: timedelta, state: str) -> None:
    note, now = home() / STATE_FILE, clock()
    note.write_text(json.dumps({"folder": "/somewhere", "made_at": (now - age).isoformat(), "missing": 0}))
    try:
        finding = book_line("backup", now)
    finally:
        note.unlink()
    assert (finding.state, "/somewhere" in finding.detail) == (state, True)


def test_a_book_never_backed_up_is_named(book: str) -> None:
    finding = book_line("backup")
    assert (finding.state, "recoup backup" in finding.do) == ("warn", True)


def test_a_clock_that_went_back_or_differs_is_named(book: str) -> None:
    assert book_line("clock").state == "ok"
    assert book_line("clock", clock() - timedelta(days=365)).state == "fail"
    as_owner("UPDATE run SET finished_at = now() + interval '1 hour' WHERE run_no = 1")
    assert book_line("clock").state == "fail"


def test_an_unknown_time_zone_is_named(book: str) -> None:
    as_owner("UPDATE book SET timezone = 'Mars/Olympus'")
    finding = book_line("time zone")
    assert (finding.state, "Mars/Olympus" in finding.detail) == ("fail", True)


def test_tables_of_an_older_version_are_named(book: str) -> None:
    assert book_line("tables").state == "ok"
    as_owner("DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations)")
    finding = book_line("tables")
    assert (finding.state, finding.do) == ("warn", "recoup init")


@pytest.mark.parametrize(("free", "state"), [((1 << 30) - 1, "fail"), (1 << 30, "warn"), (10 << 30, "ok")])
def test_a_disk_that_fills_is_named(book: str, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 << 30, 0, free))
    assert look(doctor.examine_machine({}), "disk").state == state


def test_secrets_that_others_can_read_are_named(book: str) -> None:
    secret = home() / "passwords.json"
    secret.chmod(0o644)
    try:
        finding = look(doctor.examine_machine({}), "home")
    finally:
        secret.chmod(0o600)
    assert (finding.state, "passwords.json" in finding.detail) == ("fail", True)


def test_a_configured_connection_is_named_and_no_other_exists(book: str) -> None:
    assert "none configured" in look(doctor.examine_machine({}), "outbound connections").detail
    url = {"RECOUP_DATABASE_URL": "postgresql://someone:secret@db.example/recoup"}
    detail = look(doctor.examine_machine(url), "outbound connections").detail
    assert "db.example" in detail and "secret" not in detail


def test_a_server_that_cannot_be_reached_is_one_line(book: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    code, told = invoke()
    assert code == 1
    assert "✗" in told and "127.0.0.1" in told and "Traceback" not in told


@pytest.fixture
def empty_home(own_server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RECOUP_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"


def test_before_the_first_command_it_says_what_to_do_and_makes_nothing(empty_home: Path) -> None:
    code, told = invoke()
    assert code == 0
    assert "recoup init" in told and "PostgreSQL" in told
    assert not empty_home.exists()


def test_a_restore_that_was_interrupted_is_named(empty_home: Path) -> None:
    (empty_home / "restoring").mkdir(parents=True)
    assert look(doctor.examine_machine({}), "home").state == "fail"


def test_the_command_prints_json_with_one_entry_a_line(book: str) -> None:
    code, told = invoke("--json")
    answer = json.loads(told)
    assert (code, answer["ok"]) == (0, True)
    assert {tuple(each) for each in answer["checks"]} == {("name", "state", "detail", "do")}
    database = {each["name"] for each in json.loads(invoke("database", "--json")[1])["checks"]}
    everything = {each["name"] for each in answer["checks"]}
    assert database < everything
    assert {"python", "home", "disk", "time zone", "clock", "open day", "backup", "outbound connections"} <= everything
    assert os.environ["RECOUP_DATABASE_NAME"] == book
