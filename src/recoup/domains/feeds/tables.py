"""Files as pieces of rows: CSV in blocks of lines, Parquet in batches. All values arrive as text.

Grain: one row per data row. `row_no` is the line of a CSV file (its header is line 1) and the row of a Parquet file
(from 1). A line that is no row of the table is refused here, with the byte at which it stands.
"""

from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recoup.domains.feeds.encoding import UTF8_MARK, FileRefused, check_encoding
from recoup.domains.feeds.lines import LINE_LIMIT, Block, LongLine, read_blocks

# What is kept of a refused row's text.
CONTENT_LENGTH = 1000

PARQUET_ROWS = 100_000

LINES: dict[str, pl.DataType] = {"row_no": pl.Int64(), "byte_offset": pl.Int64(), "content": pl.String()}
REFUSED_LINES: dict[str, pl.DataType] = {**LINES, "field": pl.String(), "reason": pl.String()}

# A field in quotes: doubled quotes inside, nothing around.
_WELL_QUOTED = r'^(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*$'


class Piece(NamedTuple):
    """Some rows of a file: `rows` (row_no and String columns), `refused` lines, the text of each row, bytes so far."""

    rows: pl.DataFrame
    refused: pl.DataFrame
    lines: pl.DataFrame
    done_bytes: int


def read_header(path: Path) -> list[str]:
    """Columns of a file; raise FileRefused when it has none, or is not a text in UTF-8, or no Parquet."""
    if path.suffix == ".parquet":
        try:
            return list(pl.read_parquet_schema(path))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise FileRefused(f"the file cannot be read as Parquet: {error}") from error
    if path.suffix != ".csv":
        raise FileRefused("only .csv and .parquet files are read")
    check_encoding(path)
    with path.open("rb") as file:
        line = file.readline(LINE_LIMIT)
    header = pl.read_csv(line.removeprefix(UTF8_MARK).rstrip(b"\r\n"), has_header=False, infer_schema=False)
    return [str(name or "").strip() for name in header.row(0)]


def read_pieces(path: Path, columns: list[str]) -> Iterator[Piece]:
    """Read the chosen columns of a file piece by piece."""
    return _read_parquet(path, columns) if path.suffix == ".parquet" else _read_csv(path, columns)


def _read_parquet(path: Path, columns: list[str]) -> Iterator[Piece]:
    schema = pl.read_parquet_schema(path)
    floats = [name for name in columns if schema[name].is_float()]
    if floats:
        raise FileRefused(f"column {floats[0]} holds floats, which are not exact: write decimal, integer or text")
    first, size = 1, path.stat().st_size
    for batch in pl.scan_parquet(path).select(columns).collect_batches(chunk_size=PARQUET_ROWS, maintain_order=True):
        rows = batch.select(
            *(_as_text(name, schema[name]) for name in columns),
            row_no=pl.int_range(first, first + batch.height, dtype=pl.Int64),
        )
        content = pl.concat_str([pl.col(name).fill_null("") for name in columns], separator=",")
        lines = rows.select("row_no", byte_offset=pl.lit(None, pl.Int64), content=content)
        bad = lines.select(_holds_control_character()).to_series()
        refused = lines.filter(bad).with_columns(
            content=pl.col("content").str.replace_all("[\0\r]", " ").str.head(CONTENT_LENGTH),
            field=pl.lit("line"),
            reason=pl.lit("CONTROL_CHARACTER"),
        )
        yield Piece(rows.filter(~bad), refused, lines.filter(~bad), size)
        first += batch.height


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """Write a column as the CSV would have it: a timestamp at midnight is a day."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        is_day = pl.col(name).dt.time() == time(0)
        return pl.when(is_day).then(pl.col(name).dt.strftime("%Y-%m-%d")).otherwise(pl.col(name).cast(pl.String))
    return pl.col(name).cast(pl.String)


def _holds_control_character() -> pl.Expr:
    """Tell whether a text holds what COPY cannot carry."""
    text = pl.col("content")
    return text.str.contains("\0", literal=True) | text.str.contains("\r", literal=True)


def _read_csv(path: Path, columns: list[str]) -> Iterator[Piece]:
    header = read_header(path)
    with path.open("rb") as file:
        start = len(file.readline(LINE_LIMIT))
        line_no = 2
        for block in read_blocks(file, start):
            if isinstance(block, LongLine):
                yield _too_long(block, line_no, columns)
                line_no += 1
                continue
            lines = _split(block, line_no)
            line_no += lines.height
            yield _tabulate(lines, header, columns, block.offset + len(block.data))


def _too_long(line: LongLine, line_no: int, columns: list[str]) -> Piece:
    text = f"{line.head.decode('utf-8', 'replace')}… ({line.length} bytes)"
    refused = pl.DataFrame([(line_no, line.offset, text, "line", "LINE_TOO_LONG")], REFUSED_LINES, orient="row")
    rows = pl.DataFrame(schema={**dict.fromkeys(columns, pl.String()), "row_no": pl.Int64()})
    return Piece(rows, refused, pl.DataFrame(schema=LINES), line.offset + line.length)


def _split(block: Block, line_no: int) -> pl.DataFrame:
    """One row per line: row_no, byte_offset, content (null where it is not UTF-8), and its bytes in length."""
    data = block.data.removesuffix(b"\n")
    try:
        texts = pl.Series("content", [data.decode()]).str.split("\n").explode()
        lengths = texts.str.len_bytes().cast(pl.Int64)
    except UnicodeDecodeError:
        pieces = data.split(b"\n")
        texts = pl.Series("content", [_decode(piece) for piece in pieces], pl.String)
        lengths = pl.Series([len(piece) for piece in pieces], dtype=pl.Int64)
    starts = block.offset + (lengths + 1).cum_sum() - (lengths + 1)
    return pl.DataFrame(
        {
            "row_no": pl.int_range(line_no, line_no + len(texts), dtype=pl.Int64, eager=True),
            "byte_offset": starts,
            "content": texts.str.strip_suffix("\r"),
            "length": lengths,
        }
    )


def _decode(piece: bytes) -> str | None:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None


def _tabulate(lines: pl.DataFrame, header: list[str], columns: list[str], done_bytes: int) -> Piece:
    """Refuse what is no row of the table, then let Polars take the rest apart. Empty lines are no rows."""
    told = lines.filter(pl.col("content").is_null() | (pl.col("content") != "")).with_columns(
        reason=_judge(len(header))
    )
    bad = told["reason"].is_not_null()
    good = told.filter(~bad) if bad.any() else told
    refused = told.filter(bad).select(
        "row_no",
        "byte_offset",
        content=_shorten(pl.col("content").fill_null("(not UTF-8)"), pl.col("length")),
        field=pl.lit("line"),
        reason="reason",
    )
    return Piece(_take_apart(good, header, columns), refused, good.select(list(LINES)), done_bytes)


def _judge(fields: int) -> pl.Expr:
    """Say why a line is not a row; null when it is."""
    line = pl.col("content")
    quoted = line.str.contains('"', literal=True)
    bare = pl.when(quoted).then(line.str.replace_all(r'"[^"]*"', "")).otherwise(line)
    return (
        pl.when(pl.col("length") > LINE_LIMIT)
        .then(pl.lit("LINE_TOO_LONG"))
        .when(line.is_null())
        .then(pl.lit("NOT_UTF8"))
        .when(_holds_control_character())
        .then(pl.lit("CONTROL_CHARACTER"))
        .when(quoted & ~line.str.contains(_WELL_QUOTED))
        .then(pl.lit("BROKEN_QUOTES"))
        .when(bare.str.count_matches(",", literal=True) != fields - 1)
        .then(pl.lit("RAGGED_LINE"))
    )


def _shorten(text: pl.Expr, length: pl.Expr) -> pl.Expr:
    """Keep the head of a refused line, without what PostgreSQL cannot store; say how long a long one was."""
    head = text.str.head(CONTENT_LENGTH).str.replace_all("[\0\r]", " ")
    return pl.when(length > LINE_LIMIT).then(pl.format("{}… ({} bytes)", head.str.head(200), length)).otherwise(head)


def _take_apart(lines: pl.DataFrame, header: list[str], columns: list[str]) -> pl.DataFrame:
    if lines.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(columns, pl.String()), "row_no": pl.Int64()})
    data = lines["content"].str.join("\n").item().encode()
    table = pl.read_csv(data, has_header=False, schema=dict.fromkeys(header, pl.String()))
    if table.height != lines.height:
        raise FileRefused(f"{lines.height} lines from line {lines['row_no'][0]} on were read as {table.height} rows")
    return table.select(columns).with_columns(lines["row_no"])
