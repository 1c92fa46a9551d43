"""Books as earlier releases left them: packed once by the code of that release, unpacked into its tables by tests.

A packed book is a zip: `migrations.json` (each app's last migration), `dump.jsonl` (the canonical dump), one CSV per
table, and the lake. As after any logical restore all rows count as known at every cut: `recorded_tx` is not kept.

    python tests/integration/released_books.py DATABASE FILE.zip    packs the book that RECOUP_HOME holds
"""

import json
import os
import sys
import zipfile
from pathlib import Path

from recoup.cli import django
from recoup.database.bulk import Cursor
from recoup.database.connect import connect
from recoup.database.home import home

RELEASED = Path(__file__).parent / "released"
# Visible in every snapshot: below any transaction that a server ever runs.
_KNOWN_TO_ALL = "3"
_NOT_OURS = ("django_migrations", "django_content_type", "recoup_partitioned", "party_secret")
_TABLES = """
    SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""
_COLUMNS = """
    SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""
_LAST = "SELECT app, max(name) FROM django_migrations GROUP BY app ORDER BY app"


def pack(file: Path) -> None:
    """Pack the book of RECOUP_DATABASE_NAME, with its lake."""
    from recoup.engine.dump import dump_lines

    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive, connect("reader") as connection:
        cursor = connection.cursor()
        archive.writestr("migrations.json", json.dumps(dict(cursor.execute(_LAST).fetchall())))
        archive.writestr("dump.jsonl", "\n".join(f"{section} {line}" for section, line in dump_lines()))
        for table in _list_tables(cursor):
            archive.writestr(f"{table}.csv", _copy_out(cursor, table))
        for path in sorted(_lake().rglob("*.parquet")):
            archive.write(path, f"lake/{path.relative_to(_lake())}")


def unpack(file: Path) -> list[str]:
    """Make the tables of that release in RECOUP_DATABASE_NAME and fill them; return its canonical dump."""
    with zipfile.ZipFile(file) as archive:
        migrate_to(json.loads(archive.read("migrations.json")))
        with connect("owner") as connection:
            cursor = connection.cursor()
            for name in archive.namelist():
                if name.endswith(".csv"):
                    _copy_in(cursor, name.removesuffix(".csv"), archive.read(name))
            _set_sequences(cursor)
            cursor.execute("SELECT recoup_analyze()")
            connection.commit()
        for name in archive.namelist():
            if name.startswith("lake/"):
                path = _lake() / name.removeprefix("lake/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(name))
        return archive.read("dump.jsonl").decode().split("\n")


def migrate_to(last: dict[str, str]) -> None:
    """Bring the tables to a release: to the last migration that each of its apps had."""
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    for app, name in last.items():
        call_command("migrate", app, name, database="owner", verbosity=0)
    connections["owner"].close()


def _lake() -> Path:
    return home() / "lake" / os.environ["RECOUP_DATABASE_NAME"]


def _list_tables(cursor: Cursor) -> list[str]:
    return [name for (name,) in cursor.execute(_TABLES).fetchall() if name not in _NOT_OURS]


def _list_columns(cursor: Cursor, table: str) -> list[str]:
    return [name for (name,) in cursor.execute(_COLUMNS, [table]).fetchall()]


def _copy_out(cursor: Cursor, table: str) -> bytes:
    columns = ", ".join(f'"{name}"' for name in _list_columns(cursor, table) if name != "recorded_tx")
    with cursor.copy(f"COPY (SELECT {columns} FROM {table}) TO STDOUT WITH (FORMAT csv, HEADER)".encode()) as rows:
        return b"".join(bytes(row) for row in rows)


def _copy_in(cursor: Cursor, table: str, rows: bytes) -> None:
    columns = rows.split(b"\n", 1)[0].decode().strip()
    if "booked_on" in columns:
        for day in sorted(_find_days(rows)):
            cursor.execute("SELECT recoup_make_partitions(%s)", [day])
    dated = "recorded_tx" in _list_columns(cursor, table)
    if dated:
        cursor.execute(f"ALTER TABLE {table} ALTER recorded_tx SET DEFAULT '{_KNOWN_TO_ALL}'".encode())
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT csv, HEADER)".encode()) as copy:
        copy.write(rows)
    if dated:
        cursor.execute(f"ALTER TABLE {table} ALTER recorded_tx SET DEFAULT pg_current_xact_id()".encode())


def _find_days(rows: bytes) -> set[str]:
    import io

    import polars as pl

    return set(pl.read_csv(io.BytesIO(rows), infer_schema=False)["booked_on"].str.slice(0, 8).unique() + "01")


def _set_sequences(cursor: Cursor) -> None:
    """Let each sequence go on after the highest number that its column holds."""
    serials = cursor.execute(
        """
        SELECT c.relname::text, a.attname::text, pg_get_serial_sequence(c.relname, a.attname)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
          AND pg_get_serial_sequence(c.relname, a.attname) IS NOT NULL
        """
    ).fetchall()
    for table, column, sequence in serials:
        highest = f"SELECT setval('{sequence}', coalesce(max({column}), 0) + 1, false) FROM {table}"
        cursor.execute(highest.encode())


if __name__ == "__main__":
    os.environ["RECOUP_DATABASE_NAME"] = sys.argv[1]
    django.setup()
    pack(Path(sys.argv[2]))
