"""What a target is: how the valid rows of one entity become rows of our tables.

The SQL of each entity is data, in `masters`, `events` and `debts`. In it `s` is a staged row. An insert reads
`{rows}` (staged rows and their `version`) and may use `{hash}` (of the payload) and the parameters `%(load)s`,
`%(simulated)s`, `%(booked_on)s`.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from recoup.database.bulk import Cursor
from recoup.domains.feeds.layouts import LAYOUTS, Kind
from recoup.domains.parties.operations import Keys

_SQL_TYPES = {
    Kind.TEXT: "text",
    Kind.DATE: "date",
    Kind.INT: "bigint",
    Kind.DECIMAL: "bigint",
    Kind.AMOUNT: "bigint",
    Kind.INSTANT: "timestamptz",
}

# What stands in the session for as long as a file is loaded: room for hash joins, and one way to write a day.
SESSION = "SET LOCAL work_mem = '128MB'; SET LOCAL datestyle = 'ISO, YMD'"


class Reference(NamedTuple):
    """Something a row refers to: the field and reason when `found` (a condition on `s`) does not hold."""

    field: str
    reason: str
    found: str


class Context(NamedTuple):
    """What every row of a load shares."""

    load_id: int
    source: str
    simulated: bool
    as_of: datetime
    as_of_on: date
    corrections: bool
    posts: bool
    keys: Keys | None


class Target(NamedTuple):
    """How one entity is stored.

    `known` is a relation of what is stored: key columns, version, content_hash, load_id, recorded_tx. `shown` adds
    the payload columns, for a conflict. `payload_since` are columns that a later release added: they count in a
    content hash where they hold something, so that what was loaded before keeps its hash. `skip` is a condition on
    `s` under which a row needs nothing. `prepare` turns valid rows into staged ones; `finish` runs in the transaction
    after the inserts.
    """

    entity: str
    key: tuple[str, ...]
    payload: tuple[str, ...]
    known: str
    shown: str
    inserts: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    versioned: bool = False
    payload_since: tuple[str, ...] = ()
    skip: str = ""
    columns: Mapping[str, str] = {}
    prepare: Callable[[pl.DataFrame, Context], pl.DataFrame] | None = None
    finish: Callable[[Cursor, Context], None] | None = None


def staged_columns(target: Target) -> Mapping[str, str]:
    """Columns of the staging table and their SQL types, in order, without row_no."""
    return target.columns or {c.staged: _SQL_TYPES[c.kind] for c in LAYOUTS[target.entity].columns}


def hash_sql(target: Target) -> str:
    """The content hash of a staged row.

    PostgreSQL's hash of the row's text form: the same on every machine of one byte order, and kept between versions
    because hash partitions depend on it.
    """
    listed = ", ".join(f"s.{name}" for name in target.payload)
    hashed = f"hashtextextended(ROW({listed})::text, 0)"
    if not target.payload_since:
        return hashed
    added = ", ".join(f"s.{name}" for name in target.payload_since)
    longer = f"hashtextextended(ROW({listed}, {added})::text, 0)"
    return f"CASE WHEN num_nonnulls({added}) = 0 THEN {hashed} ELSE {longer} END"


def same_key(target: Target, other: str) -> str:
    """The condition that a staged row and a row of `other` have the same key."""
    return " AND ".join(f"{other}.{name} = s.{name}" for name in target.key)


FOUND_CONTRACT = Reference(
    "contract",
    "UNKNOWN_CONTRACT",
    "EXISTS (SELECT 1 FROM contract c WHERE c.contract_key = s.contract)",
)
