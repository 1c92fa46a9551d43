"""Staging: the valid rows of a file in a temporary table, the refused ones in another, and what was counted on the way.

Both tables vanish with the transaction. Nothing is loaded before the control totals are compared.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from recoup.database.bulk import Cursor, copy_rows
from recoup.usecases.load.targets import SESSION, Context, Target, staged_columns

REFUSED_COLUMNS = ("row_no", "byte_offset", "field", "reason", "content")

# Above this many rows the key hashes are no longer kept in memory: repeats are then looked for in the database.
KEYS_IN_MEMORY = 10_000_000

_TABLES = """
    CREATE TEMP TABLE staged (row_no bigint NOT NULL, {columns}) ON COMMIT DROP;
    CREATE TEMP TABLE refused (row_no bigint NOT NULL, byte_offset bigint, field text NOT NULL, reason text NOT NULL,
                               content text NOT NULL) ON COMMIT DROP;
    CREATE TEMP TABLE aside (row_no bigint PRIMARY KEY, outcome text NOT NULL) ON COMMIT DROP;
    CREATE TEMP TABLE judged (row_no bigint, offered_hash bigint, outcome text) ON COMMIT DROP;
    CREATE TEMP TABLE superseding (row_no bigint, version integer) ON COMMIT DROP;
"""


class Sorted(NamedTuple):
    """A piece of a file after validation: rows to stage, refused rows with their text, rows skipped, sums."""

    valid: pl.DataFrame
    refused: pl.DataFrame
    skipped: int
    sums: dict[str, int]
    done_bytes: int

    @property
    def rows(self) -> int:
        """All rows of the piece."""
        return self.valid.height + self.refused.height + self.skipped


@dataclass
class Staged:
    """What was staged of a file so far."""

    read: int = 0
    valid: int = 0
    skipped: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    keys: list[pl.Series] = field(default_factory=list)
    claims: bool = False

    @property
    def may_repeat_keys(self) -> bool:
        """Whether a key may stand in the file twice (hashes may collide, so this is only a suspicion)."""
        if self.valid > KEYS_IN_MEMORY:
            return True
        keys = pl.concat(self.keys) if self.keys else pl.Series(dtype=pl.UInt64)
        return keys.n_unique() < len(keys)


def make_tables(cursor: Cursor, target: Target) -> None:
    """Make the temporary tables of one file."""
    columns = ", ".join(f"{name} {kind}" for name, kind in staged_columns(target).items())
    cursor.execute(SESSION)
    cursor.execute(_TABLES.format(columns=columns))


def stage(cursor: Cursor, target: Target, pieces: Iterable[Sorted], context: Context) -> Iterator[tuple[Staged, int]]:
    """Stage pieces one by one, while the next is being read; yield what is staged and the bytes done so far."""
    staged = Staged()
    for piece in _ahead(iter(_prepared(target, pieces, context))):
        copy_rows(cursor, "staged", piece.valid, ["row_no", *staged_columns(target)])
        copy_rows(cursor, "refused", piece.refused, REFUSED_COLUMNS)
        _count(staged, target, piece)
        yield staged, piece.done_bytes


def _prepared(target: Target, pieces: Iterable[Sorted], context: Context) -> Iterator[Sorted]:
    for piece in pieces:
        rows = target.prepare(piece.valid, context) if target.prepare else piece.valid
        yield piece._replace(valid=rows)


def _count(staged: Staged, target: Target, piece: Sorted) -> None:
    staged.read += piece.rows
    staged.valid += piece.valid.height
    staged.skipped += piece.skipped
    for name, value in piece.sums.items():
        staged.sums[name] = staged.sums.get(name, 0) + value
    if staged.valid <= KEYS_IN_MEMORY:
        staged.keys.append(piece.valid.select(pl.struct(target.key).hash()).to_series())
    else:
        staged.keys.clear()
    staged.claims = staged.claims or piece.valid["supersedes"].is_not_null().any()


def _ahead[T](items: Iterator[T]) -> Iterator[T]:
    """Compute the next item in a thread while the caller works on this one."""
    with ThreadPoolExecutor(1) as reader:
        upcoming = reader.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = reader.submit(next, items, None)
            yield item
