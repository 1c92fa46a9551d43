"""What the same server does at best: the same rows by bare COPY, the same lines by a plain Decimal loop."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

import polars as pl
from psycopg import sql

from recoup.core import rating
from recoup.core.frames import LINES
from recoup.core.rules import Rules
from recoup.database.connect import connect

BARE_COPY = "bare COPY of the same rows"
DECIMAL_LOOP = "Decimal loop, same lines"

# Filled by the database itself, in the table as in its twin.
_DEFAULTED = ("recorded_tx",)
_BLOCK_BYTES = 1 << 20
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")
_SAMPLE_ROWS = 20_000
_REPEATS = 3


def copy_bare(chosen: Mapping[str, str]) -> tuple[int, float]:
    """Copy rows of tables (table: condition) into logged twins; return rows and seconds, COPY and commit alone.

    A twin has the keys, checks and indexes of its table and no trigger, partition or reader. The rows are rendered
    as CSV beforehand; one connection sends them. Table by table, so that the disk need not hold all of them twice.
    """
    rows, seconds = 0, 0.0
    for table, where in chosen.items():
        with tempfile.TemporaryDirectory() as folder, connect("owner") as connection:
            path = Path(folder) / f"{table}.csv"
            rows += _render(connection, table, where, path)
            statement = _make_twin(connection, table)
            connection.commit()
            checkpoint()
            start = perf_counter()
            with connection.cursor() as cursor:
                _send(cursor, statement, path)
            connection.commit()
            seconds += perf_counter() - start
            connection.execute(sql.SQL("DROP TABLE {}").format(_twin(table)))
        print(f"\r  bare COPY: {rows:,} rows to {table}{' ' * 20}", end="", file=sys.stderr, flush=True)
    return rows, seconds


def settle_server() -> None:
    """Write out and count what earlier work left behind, as the server does by itself within a minute or two."""
    with connect("owner", autocommit=True) as connection:
        connection.execute("ANALYZE")
    checkpoint()


def checkpoint() -> None:
    """Write out what earlier work left behind."""
    with connect("owner", autocommit=True) as connection:
        connection.execute("CHECKPOINT")


class PageCache:
    """The operating system's copies of the book's files; what PostgreSQL holds in its own buffers stays."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files, self._may_drop = files, os.access(_DROP_CACHES, os.W_OK)
        checkpoint()
        os.sync()

    @property
    def told(self) -> str:
        """How it is dropped."""
        return "whole page cache" if self._may_drop else "pages of the lake and the data files (no root)"

    def drop(self) -> None:
        """Drop it: the whole of it where we may, else the pages of our files."""
        if self._may_drop:
            _DROP_CACHES.write_text("1")
            return
        for path in self._files:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


def _twin(table: str) -> sql.Identifier:
    return sql.Identifier(f"bench_twin_{table}")


def _columns(connection, table: str) -> sql.Composed:
    described = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table))).description
    names = [column.name for column in described if column.name not in _DEFAULTED]
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _render(connection, table: str, where: str, path: Path) -> int:
    query = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT WITH (FORMAT csv)").format(
        _columns(connection, table), sql.Identifier(table), sql.SQL(where)
    )
    with path.open("wb") as file, connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in copy:
                file.write(block)
        return cursor.rowcount


def _make_twin(connection, table: str) -> sql.Composed:
    connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(_twin(table), sql.Identifier(table)))
    return sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv)").format(_twin(table), _columns(connection, table))


def _send(cursor, statement: sql.Composed, path: Path) -> None:
    with path.open("rb") as file, cursor.copy(statement) as copy:
        while block := file.read(_BLOCK_BYTES):
            copy.write(block)


def rate_in_decimal(determinants: pl.DataFrame, rules: Rules) -> float:
    """Lines per second of the plain loop on a sample; raises when it does not emit the same lines as the rating."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "core"))
    from decimal_oracle import rate_one_by_one

    sample = determinants.sample(min(_SAMPLE_ROWS, determinants.height), seed=1)
    rows, blocks = sample.to_dicts(), rules.tariffs.to_dicts()
    seconds = []
    for _ in range(_REPEATS):
        start = perf_counter()
        lines = list(rate_one_by_one(rows, blocks))
        seconds.append(perf_counter() - start)
    emitted = pl.DataFrame(lines, schema=dict(LINES), orient="row")
    order = [*LINES][:6]
    expected = rating.rate(sample, rules.tariffs).frames["lines"]
    if not emitted.sort(order).equals(expected.sort(order)):
        raise AssertionError("the Decimal loop and the rating do not emit the same lines")
    return len(lines) / min(seconds)
