"""Lists as a person reads them: filtered, sorted by named columns only, one page at a time, counted up to a bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row

type Connection = psycopg.Connection[tuple[Any, ...]]
type Row = dict[str, Any]
type Condition = tuple[str, Sequence[Any]]

# Beyond this many rows a list says "more than": nobody turns so many pages, and counting millions takes seconds.
COUNTED_ROWS = 10_000


@dataclass(frozen=True)
class Asked:
    """What a person asked of a list: values by filter, a column to sort by, where the page begins and ends."""

    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    descending: bool = False
    offset: int = 0
    limit: int = 50

    def get(self, name: str) -> str:
        """The value of a filter, empty when it is not set."""
        return self.filters.get(name, "")


@dataclass(frozen=True)
class Listing:
    """A list in SQL: its select list, its tables, what it may be sorted by, and a unique key that ends every order.

    `sums` are aggregates shown below the last row; they are taken while the rows are few enough to be counted.
    `counted` are the tables that the conditions need, where those are fewer than the tables of the rows.
    """

    columns: str
    tables: str
    orders: Mapping[str, str]
    tie: str
    sums: Mapping[str, str] = field(default_factory=dict)
    counted: str = ""


@dataclass(frozen=True)
class Page:
    """Rows of one page; `total` is None when there are more than COUNTED_ROWS; sums over all rows where asked."""

    rows: list[Row]
    total: int | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)


def read_list(connection: Connection, listing: Listing, conditions: Sequence[Condition], asked: Asked) -> Page:
    """Read one page of a list and how many rows there are. Values arrive as parameters, never as text of the query."""
    where = " AND ".join(f"({sql})" for sql, _ in conditions) or "TRUE"
    parameters = [value for _, values in conditions for value in values]
    way = " DESC" if asked.descending else ""
    # The order is ours: a name that the listing does not know is left out.
    order = ", ".join(f"{part}{way}" for part in (listing.orders.get(asked.sort), listing.tie) if part)
    rows = read_dicts(
        connection,
        f"SELECT {listing.columns} FROM {listing.tables} WHERE {where} ORDER BY {order} LIMIT %s OFFSET %s",
        [*parameters, asked.limit, asked.offset],
    )
    total = _count(connection, listing, where, parameters, asked, len(rows))
    summed = listing.sums and total and total > 1
    return Page(rows, total, _sum(connection, listing, where, parameters) if summed else {})


def _sum(connection: Connection, listing: Listing, where: str, parameters: list[Any]) -> Row:
    sums = ", ".join(f"{sql} AS {name}" for name, sql in listing.sums.items())
    return read_dicts(connection, f"SELECT {sums} FROM {listing.tables} WHERE {where}", parameters)[0]


def _count(
    connection: Connection, listing: Listing, where: str, parameters: list[Any], asked: Asked, here: int
) -> int | None:
    if here < asked.limit and (here or not asked.offset):
        return asked.offset + here
    counted = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {listing.counted or listing.tables} WHERE {where} LIMIT %s) counted",
        [*parameters, COUNTED_ROWS + 1],
    ).fetchone()
    assert counted is not None
    return None if counted[0] > COUNTED_ROWS else int(counted[0])


def read_dicts(connection: Connection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
    """Read a SELECT as rows by column name."""
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def month_of(day: date) -> tuple[date, date]:
    """The month of a day as `[first, first of the next)`."""
    return day.replace(day=1), date(day.year + day.month // 12, day.month % 12 + 1, 1)
