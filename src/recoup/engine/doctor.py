"""`recoup doctor`: what Recoup needs from this machine, its database and its book, looked at one by one."""

import importlib.metadata
import json
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.conninfo import conninfo_to_dict

from recoup import __version__
from recoup.database import binaries, probe
from recoup.database.connect import connect, database_name, is_own_server, maintenance_database
from recoup.database.errors import DatabaseUnavailable
from recoup.database.home import home
from recoup.database.probe import Finding
from recoup.engine.backup import STAGING, STATE_FILE
from recoup.engine.runs import Connection, get_open_run

OLDEST_PYTHON = (3, 12)
PACKAGES = ("polars", "django", "psycopg")
FACTS = (
    *("entry", "posting", "bill", "bill_line", "open_item", "allocation", "payment", "reading"),
    *("hold", "touch", "touch_item", "action", "outcome", "cut", "effect"),
)
PRIVATE = ("passwords.json", "secret_key", "data", "postgres.log")

_DISK_NEEDED = 1 << 30
_DISK_WANTED = 10 << 30
_BACKUP_WITHIN = timedelta(days=2)
_CLOCKS_WITHIN = timedelta(seconds=5)
_BEFORE_THIS_WAS_WRITTEN = 2025


def examine_database() -> list[Finding]:
    """Look at the server: its features by using them, its settings, the rights of our roles."""
    if is_own_server() and not (home() / "data").exists():
        return [_safely("server", _find_programs)]
    try:
        return [*_examine_server(), *_examine_rights()]
    except (DatabaseUnavailable, psycopg.Error) as error:
        return [Finding("server", "fail", " ".join(str(error).split())[:400], _DO_REACH)]


_DO_REACH = "read what it says; openGauss, GaussDB and KingbaseES do not speak PostgreSQL's protocol well enough"


def examine_machine(environment: dict[str, str]) -> list[Finding]:
    """Look at Python, the packages, the home folder, the disk, and what may be reached from here."""
    return [
        _find_python(),
        _find_packages(),
        _safely("home", _find_home),
        _safely("disk", _find_disk),
        _find_outbound(environment.get("RECOUP_DATABASE_URL", "")),
    ]


def examine_book(clock: Callable[[], datetime]) -> list[Finding]:
    """Look at the entered book: its tables, time zone, clock, feeds, an interrupted day, the last backup."""
    now = clock()
    if is_own_server() and not (home() / "data").exists():
        return [Finding("book", "warn", "none yet", "recoup init --kind live|demo|evaluation"), _find_backup(now)]
    try:
        with connect("reader") as connection:
            if _value(connection, "SELECT to_regclass('public.book')") is None:
                return [Finding("book", "warn", f"{database_name()} has no tables", "recoup init")]
            return list(_examine_book(connection, clock))
    except (DatabaseUnavailable, psycopg.Error) as error:
        return [Finding("book", "fail", " ".join(str(error).split())[:400], "recoup init makes what is missing")]


def _safely(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (OSError, DatabaseUnavailable) as error:
        return Finding(name, "fail", str(error), "put it right and ask again")


def _find_python() -> Finding:
    told = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", "fail", told, f"use Python {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return Finding("python", "ok", told)


def _find_packages() -> Finding:
    told = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return Finding("recoup", "ok", f"{__version__} ({told})")


def _find_programs() -> Finding:
    found = binaries.find()
    return Finding(
        "server", "warn", f"PostgreSQL {found.version} in {found.folder}, no data yet", "recoup init makes the data"
    )


def _find_home() -> Finding:
    """The folder of all state: there, whole, and its secrets closed to others."""
    folder = home()
    if not folder.exists():
        return Finding("home", "warn", f"{folder} is not made yet", "recoup init makes it; RECOUP_HOME names another")
    if (folder / STAGING).exists() and not (folder / "data").exists():
        return Finding("home", "fail", f"a restore into {folder} was interrupted", "repeat the same recoup restore")
    open_to_all = [name for name in PRIVATE if _mode(folder / name) & 0o077]
    if open_to_all:
        return Finding("home", "fail", f"others can read {', '.join(open_to_all)}", f"chmod go= in {folder}")
    return Finding("home", "ok", str(folder))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else 0


def _find_disk() -> Finding:
    there = next(path for path in (home(), *home().parents) if path.exists())
    room = shutil.disk_usage(there)
    told = f"{room.free / (1 << 30):.1f} GiB free of {room.total / (1 << 30):.0f} where {there} lies"
    if room.free < _DISK_NEEDED:
        return Finding("disk", "fail", told, "make room: a full disk stops the server")
    if room.free < _DISK_WANTED:
        return Finding("disk", "warn", told, "make room before the next month is closed")
    return Finding("disk", "ok", told)


def _find_outbound(url: str) -> Finding:
    """Every connection that leaves this program: to its own database, and nowhere unless somebody configured it."""
    if not url:
        return Finding(
            "outbound connections", "ok", "none configured, none made; the database is reached by its socket"
        )
    told = conninfo_to_dict(url)
    host = str(told.get("host") or told.get("hostaddr") or "the local socket")
    return Finding("outbound connections", "ok", f"one: the database at {host} (RECOUP_DATABASE_URL)")


def _examine_server() -> list[Finding]:
    """On the book's database where it was made, else on the one to connect to when making others."""
    known = _exists_database(database_name())
    with connect("owner", database=database_name() if known else maintenance_database()) as connection:
        features = probe.probe_features(connection)
        return [*features, *probe.probe_settings(connection, own=is_own_server())]


def _exists_database(name: str) -> bool:
    with connect("owner", database=maintenance_database()) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _examine_rights() -> list[Finding]:
    if not _exists_database(database_name()):
        return [Finding("roles", "warn", f"the database {database_name()} is not made yet", "recoup init")]
    with connect("owner") as connection:
        roles = _value(connection, "SELECT count(*) FROM pg_roles WHERE rolname IN ('recoup_app', 'recoup_reader')")
        if roles != 2:
            return [Finding("roles", "fail", "recoup_app or recoup_reader is missing", "recoup init makes them")]
        return [_find_entry(), *(_find_none(connection, *right) for right in _RIGHTS)]


def _find_entry() -> Finding:
    """Each role can be entered, and is the one asked for."""
    for role in ("app", "reader"):
        with connect(role) as connection:
            user = _value(connection, "SELECT current_user")
        if user != f"recoup_{role}":
            return Finding("roles", "fail", f"asked for recoup_{role}, got {user}", "recoup init grants the roles")
    return Finding("roles", "ok", "the application and the reader enter as themselves")


_FACTS = ", ".join(f"'{name}'" for name in FACTS)
_DO_RIGHTS = "revoke it as the owner, find out who granted it, then recoup verify --all"
# What nobody may be able to do: a line, the query that names offenders, what it says when there are none.
_RIGHTS = (
    (
        "facts are append-only",
        f"""
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ({_FACTS})
        AND has_table_privilege('recoup_app', oid, 'UPDATE, DELETE, TRUNCATE')
        """,
        "the application cannot update, delete or truncate a posting or another fact",
    ),
    (
        "partitions are closed",
        """
        SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'
        AND has_table_privilege('recoup_app', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
        """,
        "the application reaches partitions through their parents only",
    ),
    (
        "roles are plain",
        """
        SELECT rolname FROM pg_roles WHERE rolname IN ('recoup_app', 'recoup_reader')
        AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
        """,
        "neither role is an administrator",
    ),
    (
        "the reader only reads",
        """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND has_table_privilege('recoup_reader', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        """,
        "no table can be written by it",
    ),
    (
        "the ledger's trigger is on",
        """
        SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relname = 'posting'
        AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'posting_sums_to_zero'
                        AND tgenabled IN ('O', 'A'))
        """,
        "an entry that does not sum to zero is refused",
    ),
)


def _find_none(connection: Connection, name: str, offenders: str, told: str) -> Finding:
    found = [str(row[0]) for row in connection.execute(offenders.encode()).fetchall()]
    if found:
        return Finding(name, "fail", f"not so: {', '.join(found[:5])}", _DO_RIGHTS)
    return Finding(name, "ok", told)


def _examine_book(connection: Connection, clock: Callable[[], datetime]) -> Iterator[Finding]:
    row = connection.execute("SELECT name, kind, jurisdiction, timezone FROM book").fetchone()
    if row is None:
        yield Finding("book", "warn", f"{database_name()} has tables and no book", "recoup init")
        return
    name, kind, jurisdiction, timezone = row
    yield Finding("book", "ok", f"{name}: {kind}, {jurisdiction}, in {database_name()}")
    yield _find_migrations()
    yield _find_timezone(timezone)
    yield _find_clock(connection, clock)
    yield _find_open_run(connection)
    yield from _find_feeds(connection, clock())
    yield _find_backup(clock())


def _find_migrations() -> Finding:
    """Whether the tables are those of this version."""
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connections["owner"])
        ahead = executor.migration_plan(executor.loader.graph.leaf_nodes())
    finally:
        connections["owner"].close()
    if ahead:
        return Finding("tables", "warn", f"{len(ahead)} changes of this version are not applied", "recoup init")
    return Finding("tables", "ok", "as this version wants them")


def _find_timezone(timezone: str) -> Finding:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return Finding("time zone", "fail", f"{timezone} is unknown here", "install the system's tzdata")
    return Finding("time zone", "ok", timezone)


def _find_clock(connection: Connection, clock: Callable[[], datetime]) -> Finding:
    """This machine's clock against the server's, and against what the book was told last."""
    server_now, now = _value(connection, "SELECT clock_timestamp()"), clock()
    latest = _value(connection, "SELECT max(greatest(started_at, finished_at)) FROM run")
    told = f"{now.isoformat(timespec='seconds')}, the server's differs by {abs(server_now - now).total_seconds():.1f} s"
    do = "set the clock (chrony, ntpd): days and logs depend on it"
    if abs(server_now - now) > _CLOCKS_WITHIN or now.year < _BEFORE_THIS_WAS_WRITTEN:
        return Finding("clock", "fail", told, do)
    if latest is not None and latest > now + _CLOCKS_WITHIN:
        return Finding("clock", "fail", f"{told}; the last run says {latest.isoformat(timespec='seconds')}", do)
    return Finding("clock", "ok", told)


def _find_open_run(connection: Connection) -> Finding:
    """A day that was begun and not closed: worked on now, or left by a kill."""
    run = get_open_run(connection)
    if run is None:
        return Finding("open day", "ok", "none")
    busy = not _value(connection, "SELECT pg_try_advisory_lock(hashtext('recoup_cycle'))")
    if busy:
        return Finding("open day", "ok", f"{run.business_on}: a cycle works on it now")
    connection.execute("SELECT pg_advisory_unlock(hashtext('recoup_cycle'))")
    again = f"recoup cycle --from {run.business_on} --to {run.business_on}"
    return Finding("open day", "warn", f"{run.business_on} was begun and not closed", f"{again} goes on with it")


def _find_feeds(connection: Connection, now: datetime) -> Iterator[Finding]:
    """The age of each feed; in a mirrored book one that is too old silences every action."""
    limit = _feed_limit_hours(connection)
    rows = connection.execute("SELECT code, watermark_at, simulated FROM feed ORDER BY code").fetchall()
    if not rows:
        yield Finding("feeds", "warn", "nothing was loaded yet", "recoup load DIR")
    for code, watermark_at, simulated in rows:
        name = f"feed {code}"
        if watermark_at is None:
            yield Finding(name, "warn", "no load of it was ever complete", "recoup feeds, recoup quarantine")
            continue
        hours = max(0, int((now - watermark_at).total_seconds() // 3600))
        told = f"known to {watermark_at.isoformat(timespec='minutes')}, {hours:,} h ago"
        if simulated or limit is None or hours <= limit:
            yield Finding(name, "ok", f"{told}{' (simulated)' if simulated else ''}")
        else:
            yield Finding(name, "warn", f"{told}; actions fall silent after {limit} h", "load its next files")


def _feed_limit_hours(connection: Connection) -> int | None:
    """The shortest limit of an action of a mirrored book; None for a book that keeps the record itself."""
    external = _value(connection, "SELECT count(*) FROM function_mode WHERE function = 'BILLS' AND mode = 'external'")
    if not external:
        return None
    from recoup.engine.profile import read_rules

    return min((rung.feed_limit_hours for each in read_rules().strategies for rung in each.rungs), default=None)


def _find_backup(now: datetime) -> Finding:
    """How old the last backup is, by the note that it left in the home."""
    if not is_own_server():
        return Finding("backup", "ok", "the server of RECOUP_DATABASE_URL is backed up by those who run it")
    try:
        last = json.loads((home() / STATE_FILE).read_text())
        age = now - datetime.fromisoformat(last["made_at"])
    except (OSError, ValueError, KeyError):
        return Finding("backup", "warn", "none was made from here", "recoup backup DIR, on another disk")
    told = f"{age.days} days and {age.seconds // 3600} h old, closed to {last.get('last_closed_on')}, {last['folder']}"
    if last.get("missing"):
        return Finding(
            "backup", "fail", f"{told}: {last['missing']} lake files were missing", "recoup verify names them"
        )
    if age > _BACKUP_WITHIN:
        return Finding("backup", "warn", told, f"recoup backup {last['folder']}")
    return Finding("backup", "ok", told)


def _value(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
