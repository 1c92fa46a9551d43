"""Trying out the server: each feature that Recoup uses, by using it, and each setting that guards the data.

Every trial works on temporary objects inside a transaction that is rolled back: nothing stays.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import psycopg

from recoup.database.binaries import OLDEST

type Connection = psycopg.Connection[tuple[Any, ...]]
type State = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line: what was looked at, whether it is well, what was seen, and what to do when it is not."""

    name: str
    state: State
    detail: str
    do: str = ""


class _Feature(NamedTuple):
    """A feature, what uses it, and a trial that raises or returns something false when it is missing."""

    name: str
    used_for: str
    works: Callable[[Connection], bool]


def probe_features(connection: Connection) -> list[Finding]:
    """Try every feature that Recoup uses on the entered database."""
    return [_find_version(connection), *(_try(connection, feature) for feature in FEATURES)]


def probe_settings(connection: Connection, *, own: bool) -> list[Finding]:
    """Read the settings that decide whether data survives a power cut, and how fast it is written."""
    found = [_find_setting(connection, *setting) for setting in _SETTINGS]
    found.append(_find_compression(connection))
    return [*found, _find_listening(connection)] if own else found


def _find_version(connection: Connection) -> Finding:
    told, number = _row(connection, "SELECT version(), current_setting('server_version_num')::int")
    if number // 10_000 < OLDEST:
        return Finding("server", "fail", str(told)[:80], f"use PostgreSQL {OLDEST} or newer")
    return Finding("server", "ok", " ".join(str(told).split()[:2]))


def _try(connection: Connection, feature: _Feature) -> Finding:
    try:
        with connection.transaction(force_rollback=True):
            works, seen = feature.works(connection), "gives another answer than PostgreSQL"
    except psycopg.Error as error:
        works, seen = False, " ".join(str(error).split())[:160]
    if works:
        return Finding(feature.name, "ok", feature.used_for)
    return Finding(feature.name, "fail", f"{seen} (needed for {feature.used_for})", _DO_SERVER)


_DO_SERVER = f"use PostgreSQL {OLDEST} or newer, or a database that keeps its features"


def _row(connection: Connection, query: str) -> tuple[Any, ...]:
    found = connection.execute(query.encode()).fetchone()
    assert found is not None
    return found


def _partitions(connection: Connection) -> bool:
    connection.execute(
        "CREATE TEMP TABLE probe_parted (day date NOT NULL, n int, PRIMARY KEY (day, n)) PARTITION BY RANGE (day)"
    )
    connection.execute(
        "CREATE TEMP TABLE probe_part PARTITION OF probe_parted FOR VALUES FROM ('2025-01-01') TO ('2025-02-01')"
    )
    connection.execute("INSERT INTO probe_parted VALUES ('2025-01-31', 1)")
    return bool(_row(connection, "SELECT tableoid = 'probe_part'::regclass FROM probe_parted")[0])


def _statement_trigger(connection: Connection) -> bool:
    connection.execute("CREATE TEMP TABLE probe_lines (entry int, amount bigint)")
    connection.execute(
        """
        CREATE FUNCTION pg_temp.probe_zero() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT sum(amount) FROM arrived) <> 0 THEN
                RAISE EXCEPTION 'not zero' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    connection.execute(
        "CREATE TRIGGER probe_zero AFTER INSERT ON probe_lines REFERENCING NEW TABLE AS arrived "
        "FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.probe_zero()"
    )
    connection.execute("INSERT INTO probe_lines VALUES (1, 5), (1, -5)")
    try:
        with connection.transaction():
            connection.execute("INSERT INTO probe_lines VALUES (2, 5)")
    except psycopg.errors.CheckViolation:
        return True
    return False


def _known_as_of(connection: Connection) -> bool:
    connection.execute("CREATE TEMP TABLE probe_told (n int, tx xid8 NOT NULL DEFAULT pg_current_xact_id())")
    connection.execute("INSERT INTO probe_told (n) VALUES (1)")
    return _row(
        connection,
        """
        SELECT tx = pg_current_xact_id(),
               pg_visible_in_snapshot('149'::xid8, s), pg_visible_in_snapshot('150'::xid8, s),
               pg_visible_in_snapshot('200'::xid8, s), pg_current_snapshot()::text ~ '^[0-9]+:[0-9]+:[0-9,]*$'
        FROM probe_told, CAST('100:200:150' AS pg_snapshot) s
        """,
    ) == (True, True, False, False, True)


def _advisory_lock(connection: Connection) -> bool:
    taken = _row(connection, "SELECT pg_try_advisory_xact_lock(hashtext('recoup_probe'))")[0]
    held = _row(
        connection,
        "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()",
    )[0]
    return bool(taken and held)


def _copy(connection: Connection) -> bool:
    connection.execute("CREATE TEMP TABLE probe_copied (n bigint, told text)")
    with connection.cursor() as cursor:
        with cursor.copy("COPY probe_copied (n, told) FROM STDIN WITH (FORMAT csv, NULL '\\N')") as rows:
            rows.write('1,"户,号"\n2,\\N\n')
        with cursor.copy("COPY (SELECT * FROM probe_copied ORDER BY n) TO STDOUT WITH (FORMAT csv)") as rows:
            return b"".join(bytes(row) for row in rows).decode() == '1,"户,号"\n2,\n'


def _skip_locked(connection: Connection) -> bool:
    connection.execute("CREATE TEMP TABLE probe_leases (n int PRIMARY KEY, fence int)")
    connection.execute("INSERT INTO probe_leases VALUES (1, 0)")
    moved = connection.execute(
        "UPDATE probe_leases SET fence = fence + 1 "
        "WHERE n IN (SELECT n FROM probe_leases FOR UPDATE SKIP LOCKED) RETURNING fence"
    )
    return moved.fetchall() == [(1,)]


def _on_conflict(connection: Connection) -> bool:
    connection.execute("CREATE TEMP TABLE probe_keys (n int PRIMARY KEY, amount int)")
    add = "INSERT INTO probe_keys VALUES (1, 5) ON CONFLICT (n) DO"
    connection.execute(f"{add} NOTHING".encode())
    connection.execute(f"{add} UPDATE SET amount = probe_keys.amount + excluded.amount".encode())
    untouched = connection.execute(f"{add} NOTHING".encode()).rowcount
    return untouched == 0 and _row(connection, "SELECT amount FROM probe_keys") == (10,)


def _owners_function(connection: Connection) -> bool:
    connection.execute(
        "CREATE FUNCTION pg_temp.probe_owner() RETURNS text LANGUAGE plpgsql "
        "SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN RETURN current_user; END $$"
    )
    return bool(_row(connection, "SELECT pg_temp.probe_owner() = current_user")[0])


def _identity(connection: Connection) -> bool:
    connection.execute("CREATE TEMP TABLE probe_ids (n bigint GENERATED BY DEFAULT AS IDENTITY, facts jsonb)")
    made = connection.execute("INSERT INTO probe_ids (facts) VALUES ('{\"a\": 1}') RETURNING n, facts->>'a'")
    return made.fetchone() == (1, "1")


FEATURES: tuple[_Feature, ...] = (
    _Feature("partitions by range", "hot tables, by month", _partitions),
    _Feature("statement trigger with transition table", "entries that sum to zero", _statement_trigger),
    _Feature("xid8, pg_visible_in_snapshot", "cuts: what was known when", _known_as_of),
    _Feature("advisory locks", "one cycle at a time", _advisory_lock),
    _Feature("COPY csv in and out", "bulk rows", _copy),
    _Feature("FOR UPDATE SKIP LOCKED", "leases of slices", _skip_locked),
    _Feature("INSERT … ON CONFLICT", "keys with one effect", _on_conflict),
    _Feature("SECURITY DEFINER function", "making partitions, and nothing else", _owners_function),
    _Feature("identity columns, jsonb", "ids, stored documents", _identity),
)

_SETTINGS: tuple[tuple[str, str, State, str], ...] = (
    ("fsync", "on", "fail", "set fsync = on: without it a power cut loses money already acknowledged"),
    ("full_page_writes", "on", "fail", "set full_page_writes = on: without it a power cut may tear pages"),
    ("synchronous_commit", "on", "warn", "set synchronous_commit = on, or accept to lose the last seconds"),
    ("data_checksums", "on", "warn", "run pg_checksums --enable on the stopped server, so that disk faults are seen"),
    ("server_encoding", "UTF8", "fail", "make the database with encoding UTF8"),
)


def _find_setting(connection: Connection, name: str, wanted: str, otherwise: State, do: str) -> Finding:
    (value,) = _row(connection, f"SELECT current_setting('{name}', true)")
    good = value == wanted or (name == "synchronous_commit" and value in ("remote_write", "remote_apply"))
    return Finding(name, "ok", value) if good else Finding(name, otherwise, str(value), do)


def _find_compression(connection: Connection) -> Finding:
    """The method of compressing full pages in the log: lz4 is best, pglz halves the speed of bulk loads."""
    (value,) = _row(connection, "SELECT current_setting('wal_compression', true)")
    if value in ("on", "pglz"):
        return Finding(
            "wal_compression", "warn", f"{value}: bulk loads take twice as long", "set wal_compression = lz4, or off"
        )
    note = "" if value in ("lz4", "zstd") else ": this build has no lz4, the log is larger"
    return Finding("wal_compression", "ok", f"{value}{note}")


def _find_listening(connection: Connection) -> Finding:
    (value,) = _row(connection, "SELECT current_setting('listen_addresses')")
    if value in ("127.0.0.1", "localhost", ""):
        return Finding("listen_addresses", "ok", f"{value or 'none'}: this machine only")
    return Finding("listen_addresses", "fail", str(value), "restart it: recoup server stop, recoup server start")
