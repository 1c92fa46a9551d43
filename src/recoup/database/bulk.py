"""Rows in and out in bulk: COPY, rendered and read by Polars. Never row by row through the ORM."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

type Cursor = psycopg.Cursor[tuple[Any, ...]]

# Longest text rendered at once: keeps the memory of a big COPY flat.
_ROWS_AT_ONCE = 200_000
_NULL = "\\N"


def copy_rows(cursor: Cursor, table: str, rows: pl.DataFrame, columns: Sequence[str]) -> int:
    """Append rows to a table by one COPY statement inside the caller's transaction; return the count.

    Booleans, integers, dates and text only. Text may hold anything but the two characters backslash-N alone.
    """
    if rows.is_empty():
        return 0
    statement = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv, NULL {})").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Literal(_NULL)
    )
    chosen = rows.select(columns)
    with cursor.copy(statement) as copy:
        for start in range(0, chosen.height, _ROWS_AT_ONCE):
            part = chosen.slice(start, _ROWS_AT_ONCE)
            copy.write(part.write_csv(include_header=False, null_value=_NULL).encode())
    return rows.height


def read_rows(
    cursor: Cursor, query: str, schema: Mapping[str, pl.DataType], parameters: Sequence[Any] = ()
) -> pl.DataFrame:
    """Read a SELECT into a frame of the given schema by COPY … TO STDOUT (columns in the schema's order)."""
    buffer = io.BytesIO()
    statement = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, NULL {})").format(
        _filled(query, parameters), sql.Literal(_NULL)
    )
    with cursor.copy(statement) as copy:
        for block in copy:
            buffer.write(block)
    if buffer.tell() == 0:
        return pl.DataFrame(schema=dict(schema))
    buffer.seek(0)
    text = {name: pl.String() if kind == pl.Boolean else kind for name, kind in schema.items()}
    frame = pl.read_csv(buffer, has_header=False, schema=text, null_values=[_NULL], empty_string_is_null=False)
    flags = [name for name, kind in schema.items() if kind == pl.Boolean]
    return frame.with_columns([pl.col(name) == "t" for name in flags])


def _filled(query: str, parameters: Sequence[Any]) -> sql.Composable:
    """Put literals into the query: COPY takes no bound parameters."""
    pieces = query.split("%s")
    if len(pieces) != len(parameters) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(parameters)} parameters")
    parts: list[sql.Composable] = [sql.SQL(pieces[0])]
    for value, piece in zip(parameters, pieces[1:], strict=True):
        parts += [sql.Literal(value), sql.SQL(piece)]
    return sql.Composed(parts)
