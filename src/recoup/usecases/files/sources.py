"""From a sheet to sources of the one door: one per entity that its kind makes, their rows read and validated alike."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import polars as pl
import psycopg

from recoup.domains.access.scope import Scope
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.headings import Part
from recoup.domains.feeds.layouts import LAYOUTS
from recoup.domains.feeds.validation import Terms, validate
from recoup.usecases.files import deriving, reading, resolving
from recoup.usecases.files.opening import Sheet
from recoup.usecases.files.reading import Layers, Rows
from recoup.usecases.load.sources import Source
from recoup.usecases.load.staging import REFUSED_COLUMNS, Sorted

type Connection = psycopg.Connection[tuple[Any, ...]]
type Connect = Callable[[], AbstractContextManager[Connection]]

# What can be told apart by unit: the rest is for those who may see the whole book.
_PLACED = ("account_no", "contract")


class Shared(NamedTuple):
    """What all rows of a file share: terms of the layouts, jurisdiction of the book, whose rows, new units or not."""

    layout: Terms
    jurisdiction: str
    scope: Scope
    new_units: bool
    despite_totals: bool


class Prepared(NamedTuple):
    """A sheet with its rows sorted, ready to be staged; `name` is the file as people know it, with its sheet."""

    name: str
    sheet: Sheet
    layers: Layers
    sha256: str


def make_sources(prepared: Prepared, terms: Shared, connect: Connect) -> list[Source]:
    """Make the sources of a sheet, in the order in which its entities refer to one another.

    Their pieces ask `connect` for contracts and units when they are read: what an earlier source brought is there.
    """
    kind = prepared.sheet.kind
    _refuse_outside(prepared, terms)
    parts = [part for part in kind.parts if not part.of or (terms.new_units and _names_units(prepared, part))]
    return [_make_source(prepared, part, terms, connect, several=len(kind.parts) > 1) for part in parts]


def _names_units(prepared: Prepared, part: Part) -> bool:
    fields = prepared.sheet.mapping.fields
    return part.of in fields or f"{part.of}_code" in fields


def _refuse_outside(prepared: Prepared, terms: Shared) -> None:
    if terms.scope.units is not None and not any(name in prepared.sheet.kind.fields for name in _PLACED):
        raise FileRefused(
            f"{prepared.sheet.kind.name} belong to no unit: only who sees the whole book may load them",
            f"{prepared.sheet.kind.zh}不属于任何单位：只有管辖全部单位的人员可以装入",
        )
    if terms.scope.units is not None and terms.new_units:
        raise FileRefused("only who sees the whole book may make units", "只有管辖全部单位的人员可以新建供电单位")


def _make_source(prepared: Prepared, part: Part, terms: Shared, connect: Connect, *, several: bool) -> Source:
    entity = part.of or part.entity
    return Source(
        name=f"{prepared.name} › {entity}" if several else prepared.name,
        entity=part.entity,
        size=prepared.layers.data.height,
        sha256=lambda: prepared.sha256,
        pieces=lambda: _sort_pieces(prepared, part, terms, connect),
        detail=_tell(prepared.layers),
    )


def _tell(layers: Layers) -> str | None:
    """What of a sheet is no row, in one line."""
    counts = (("totals", layers.total_rows), ("notes", layers.note_rows), ("headings repeated", layers.repeated))
    told = [f"{name}: {count}" for name, count in counts if count]
    return ", ".join(told) or None


def _sort_pieces(prepared: Prepared, part: Part, terms: Shared, connect: Connect) -> Iterator[Sorted]:
    wrong = prepared.layers.wrong_totals
    if wrong and not terms.despite_totals:
        raise FileRefused(f"a totals row is not the sum of its rows, nothing of it was loaded: {tell_totals(wrong)}")
    with connect() as connection:
        lengths = reading.find_lengths(prepared.sheet, prepared.layers, resolving.count_account_digits(connection))
        done = 0
        for rows in reading.read_rows(prepared.sheet, prepared.layers, lengths):
            done += rows.content.height
            yield _sort(prepared, part, terms, connection, rows, done)


def tell_totals(wrong: list[reading.TotalRow]) -> str:
    """Totals that differ, with both numbers."""
    write = reading.write_decimal
    told = [f"row {t.row_no} {t.heading}: states {write(t.stated)}, the rows sum to {write(t.found)}" for t in wrong]
    return "; ".join(told[:5])


def _sort(prepared: Prepared, part: Part, terms: Shared, connection: Connection, rows: Rows, done: int) -> Sorted:
    """Derive, resolve, validate; every row is staged or refused, by its first flaw."""
    sheet = prepared.sheet
    texts = deriving.derive(sheet.kind, rows.texts)
    flaws = deriving.find_flaws(sheet.kind, texts)
    resolved = _resolve(sheet, texts.join(flaws, on="row_no", how="anti"), terms, connection)
    refused = [rows.refused, flaws, resolved.refused]
    if part.of:
        new = _list_new(resolved.rows, part, connection)
        return _validated(prepared, part, terms, new, [], rows, done)
    return _validated(prepared, part, terms, resolved.rows, refused, rows, done)


def _resolve(sheet: Sheet, texts: pl.DataFrame, terms: Shared, connection: Connection) -> resolving.Resolved:
    if sheet.kind.name == "customers":
        return _place_customers(sheet, texts, terms, connection)
    if "contract" in sheet.kind.fields and "contract" not in texts.columns and "account_no" in texts.columns:
        day = deriving.day_field(sheet.kind, texts.columns)
        return resolving.find_contracts(connection, texts, day, terms.scope)
    if "contract" in texts.columns:
        return resolving.keep_contracts_in_scope(connection, texts, terms.scope)
    return resolving.Resolved(texts, pl.DataFrame(schema=resolving.FLAWS))


def _place_customers(sheet: Sheet, texts: pl.DataFrame, terms: Shared, connection: Connection) -> resolving.Resolved:
    """Give each customer its unit and the book's rules; a unit outside the scope is as if unknown."""
    named = resolving.name_units(texts, resolving.read_units(connection))
    said = "org_unit" in {*sheet.mapping.fields, *sheet.mapping.constants}
    stated = [pl.col("org_unit")] if said else []
    rows = named.with_columns(org_unit=pl.coalesce(*stated, "district_unit", "station_unit"))
    if "jurisdiction" not in rows.columns:
        rows = rows.with_columns(jurisdiction=pl.lit(terms.jurisdiction))
    if terms.scope.units is None:
        return resolving.Resolved(rows, pl.DataFrame(schema=resolving.FLAWS))
    outside = rows.filter(~pl.col("org_unit").is_in(sorted(terms.scope.units)).fill_null(True))
    refused = outside.select("row_no", field=pl.lit("org_unit"), reason=pl.lit("UNKNOWN_ORG_UNIT"))
    return resolving.Resolved(rows.join(refused, on="row_no", how="anti"), refused)


def _list_new(rows: pl.DataFrame, part: Part, connection: Connection) -> pl.DataFrame:
    """The units of one kind that the rows name and the book lacks; a station goes below the one company."""
    new = resolving.list_new_units(rows).filter(pl.col("kind") == part.of.upper())
    root = connection.execute("SELECT min(code) FROM org_unit WHERE parent IS NULL HAVING count(*) = 1").fetchone()
    return new.with_columns(parent=pl.coalesce("parent", pl.lit(root[0] if root else None, pl.String)))


def _validated(
    prepared: Prepared,
    part: Part,
    terms: Shared,
    texts: pl.DataFrame,
    refused: list[pl.DataFrame],
    rows: Rows,
    done: int,
) -> Sorted:
    layout = LAYOUTS[part.entity]
    checked = validate(texts, layout, terms.layout)
    staged_to_name = {column.staged: column.name for column in layout.columns}
    found = checked.refused.with_columns(pl.col("field").replace(staged_to_name))
    told = reading.concat([*refused, found], reading.REFUSED).unique("row_no", keep="first", maintain_order=True)
    told = reading.name_fields(prepared.sheet, told).join(rows.content, on="row_no", how="left").sort("row_no")
    placed = told.with_columns(byte_offset=pl.lit(None, pl.Int64)).select(REFUSED_COLUMNS)
    return Sorted(checked.valid, placed, 0, {}, done)
