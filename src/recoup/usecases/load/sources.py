"""What can be loaded: a named source of rows of one entity, from the documented format or from a reader of another."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.layouts import LAYOUTS, Kind, Layout, required_columns
from recoup.domains.feeds.manifest import StatedFile
from recoup.domains.feeds.tables import Piece, read_header, read_pieces
from recoup.domains.feeds.validation import Terms, validate
from recoup.usecases.load.staging import REFUSED_COLUMNS, Sorted


class Source(NamedTuple):
    """One file as the loader sees it. `rows` and `sums` are the sender's control totals, where there are any."""

    name: str
    entity: str
    size: int
    sha256: Callable[[], str]
    pieces: Callable[[], Iterator[Sorted]]
    rows: int | None = None
    sums: Mapping[str, str] = {}
    detail: str | None = None


def open_file(folder: Path, stated: StatedFile, terms: Terms) -> Source:
    """Make a source of a file of the documented format; nothing is read yet."""
    path = folder / stated.name
    return Source(
        name=stated.name,
        entity=stated.entity,
        size=path.stat().st_size if path.is_file() else 0,
        sha256=lambda: hash_file(path),
        pieces=lambda: _sort_pieces(path, stated, terms),
        rows=stated.rows,
        sums=stated.sums,
    )


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes; of nothing when it is not there."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sort_pieces(path: Path, stated: StatedFile, terms: Terms) -> Iterator[Sorted]:
    """Read a file piece by piece and validate each."""
    if not path.is_file():
        raise FileRefused("the file is not there")
    layout = LAYOUTS[stated.entity]
    columns = _choose_columns(path, layout, stated)
    for piece in read_pieces(path, columns):
        yield _sort(piece, layout, terms, tuple(stated.sums))


def _sort(piece: Piece, layout: Layout, terms: Terms, summed: tuple[str, ...]) -> Sorted:
    done = validate(piece.rows, layout, terms, summed)
    told = done.refused.join(piece.lines, on="row_no", how="left")
    refused = pl.concat([told.select(REFUSED_COLUMNS), piece.refused.select(REFUSED_COLUMNS)])
    return Sorted(done.valid, refused.with_columns(_cut_content()), 0, dict(done.sums), piece.done_bytes)


def _cut_content() -> pl.Expr:
    return pl.col("content").str.head(1000)


def _choose_columns(path: Path, layout: Layout, stated: StatedFile) -> list[str]:
    """Columns of the file that the layout knows; refuse one that lacks a required column or names one twice."""
    header = read_header(path)
    known = [column.name for column in layout.columns]
    twice = sorted({name for name in header if header.count(name) > 1})
    missing = [name for name in required_columns(layout) if name not in header]
    unknown = [name for name in stated.sums if name not in header or not _is_numeric(layout, name)]
    if twice:
        raise FileRefused(f"column {twice[0]} stands in the header twice")
    if missing:
        raise FileRefused(f"missing column {', '.join(missing)}; the header has: {', '.join(header)}")
    if unknown:
        raise FileRefused(f"the manifest sums {unknown[0]}, which is no numeric column of this file")
    return [name for name in header if name in known]


def _is_numeric(layout: Layout, name: str) -> bool:
    numeric = (Kind.INT, Kind.DECIMAL, Kind.AMOUNT)
    return any(column.name == name and column.kind in numeric for column in layout.columns)


def compare_totals(source: Source, read: int, sums: Mapping[str, int]) -> list[str]:
    """Name every control total that the file does not meet, with both numbers."""
    wrong = []
    if source.rows is not None and source.rows != read:
        wrong.append(f"rows: the manifest states {source.rows}, the file has {read}")
    scales = {column.name: column.scale for column in LAYOUTS[source.entity].columns}
    for name, stated in source.sums.items():
        found = Decimal(sums.get(name, 0)).scaleb(-scales[name])
        if Decimal(stated) != found:
            wrong.append(f"sum of {name}: the manifest states {stated}, the file has {found:f}")
    return wrong
