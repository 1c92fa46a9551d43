"""Reading a table by its mapping: rows of texts as our layouts read them, totals compared, notes set aside.

Grain: one row per row of data of the sheet, `row_no` as Excel counts. A row with a cell that cannot be what it should
is refused with the heading of that cell; everything else is left to the validation of the layout.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from recoup.core.money import exact_sum
from recoup.domains.feeds import cells, parsing, shape
from recoup.domains.feeds.headings import Heading, SheetKind, column_of, reads_as, words
from recoup.domains.feeds.layouts import AMOUNT_SCALE, ID_LENGTH, Kind
from recoup.usecases.files.opening import Sheet, heading_of, power_of

ROWS_AT_ONCE = 50_000
NOTES_KEPT = 50

# Digits of an account number stored as a number, where neither the book nor the column tells: new and old numbers.
ACCOUNT_DIGITS = (10, 13)
ACCOUNTS = ("account_no", "old_account_no")
_TIGHT = (*ACCOUNTS, "phone", "id_no")
_PROSE = ("name", "address", "reason", "evidence", "proof", "result")

REFUSED = {"row_no": pl.Int64(), "field": pl.String(), "reason": pl.String()}


class TotalRow(NamedTuple):
    """One number of a totals row: what it states, and what the rows above it sum to."""

    row_no: int
    field: str
    heading: str
    stated: Decimal
    found: Decimal

    @property
    def agrees(self) -> bool:
        """Whether both are the same."""
        return self.stated == self.found


class Layers(NamedTuple):
    """The rows of a table sorted by what they are: data, and what is not loaded, with totals compared."""

    data: pl.DataFrame
    blank: int
    repeated: int
    total_rows: int
    note_rows: int
    notes: tuple[tuple[int, str], ...]
    totals: tuple[TotalRow, ...]
    sums: Mapping[str, Decimal]

    @property
    def wrong_totals(self) -> list[TotalRow]:
        """Totals that are not what the rows sum to."""
        return [total for total in self.totals if not total.agrees]


class Rows(NamedTuple):
    """Some rows of data as texts by field, the refused ones among them, and the text of each as its file has it."""

    texts: pl.DataFrame
    refused: pl.DataFrame
    content: pl.DataFrame


def sort_rows(sheet: Sheet) -> Layers:
    """Tell data from totals, notes, blank rows and repeated headings, and compare the totals with the data."""
    sorted_rows = shape.classify(sheet.table, _roles(sheet))
    counts = dict(sorted_rows["row_kind"].value_counts().iter_rows())
    data = sorted_rows.filter(pl.col("row_kind") == shape.DATA).drop("row_kind")
    measured = _measure(sheet, sorted_rows)
    notes = sorted_rows.filter(pl.col("row_kind") == shape.NOTE)
    return Layers(
        data=data,
        blank=counts.get(shape.BLANK, 0),
        repeated=counts.get(shape.REPEATED, 0),
        total_rows=counts.get(shape.TOTAL, 0),
        note_rows=notes.height,
        notes=tuple(_tell_notes(notes)),
        totals=tuple(_compare_totals(sheet, measured)),
        sums={name: _sum(measured, name) for name in _measured_fields(sheet)},
    )


def _roles(sheet: Sheet) -> shape.Roles:
    placed = {name: f"c{heading.place}" for name in sheet.mapping.fields if (heading := heading_of(sheet, name))}
    kinds = {name: reads_as(sheet.kind, name) for name in placed}
    keys = [placed[name] for name in ("account_no", "contract") if name in placed] or [
        placed[name] for name in sheet.kind.fields if name in placed and kinds[name] is Kind.TEXT
    ][:1]
    measures = [place for name, place in placed.items() if kinds[name] is not Kind.TEXT]
    return shape.Roles(tuple(keys), tuple(measures), tuple(placed.values()))


def _measured_fields(sheet: Sheet) -> list[str]:
    summed = (Kind.AMOUNT, Kind.DECIMAL)
    unsummed = ("multiplier", "index", "index_from", "agreed_rate_permille", "free_kwh_month", "capacity_kva")
    return [
        name
        for name in sheet.mapping.fields
        if reads_as(sheet.kind, name) in summed and name not in unsummed and heading_of(sheet, name)
    ]


def _measure(sheet: Sheet, rows: pl.DataFrame) -> pl.DataFrame:
    """row_no, row_kind and each summed field at four digits; null where a cell is no number."""
    told = [
        parsing.parse_scaled(_read(sheet, name, ()).value, AMOUNT_SCALE).alias(name) for name in _measured_fields(sheet)
    ]
    return rows.select("row_no", "row_kind", shape.is_part_total().alias("part"), *told)


def _sum(measured: pl.DataFrame, name: str) -> Decimal:
    data = measured.filter(pl.col("row_kind") == shape.DATA)
    return _as_decimal(data.select(exact_sum(name)).item() or 0)


def _as_decimal(scaled: int) -> Decimal:
    return Decimal(scaled).scaleb(-AMOUNT_SCALE)


def write_decimal(value: Decimal) -> str:
    """A sum with at least two digits after its point, without zeros beyond."""
    text = f"{value:f}".rstrip("0")
    return text + "0" * max(0, 2 - len(text.partition(".")[2])) if "." in text else f"{text}.00"


def _compare_totals(sheet: Sheet, measured: pl.DataFrame) -> Iterator[TotalRow]:
    """A total is the sum of all rows above it, or of those since the total before it."""
    for name in _measured_fields(sheet):
        running = pl.when(pl.col("row_kind") == shape.DATA).then(pl.col(name)).fill_null(0).cast(pl.Int128).cum_sum()
        totals = measured.with_columns(reached=running).filter(
            (pl.col("row_kind") == shape.TOTAL) & pl.col(name).is_not_null()
        )
        before = 0
        heading = heading_of(sheet, name)
        for row_no, stated, reached, part in totals.select("row_no", name, "reached", "part").rows():
            since = reached - before
            found = since if stated == since or (part and stated != reached) else reached
            yield TotalRow(row_no, name, heading.text if heading else name, _as_decimal(stated), _as_decimal(found))
            before = reached


def _tell_notes(notes: pl.DataFrame) -> Iterator[tuple[int, str]]:
    for row in notes.drop("width", "row_kind").head(NOTES_KEPT).iter_rows(named=True):
        row_no = row.pop("row_no")
        yield row_no, " ".join(cell.lstrip("\x02\x03") for cell in row.values() if cell)[:200]


def find_lengths(sheet: Sheet, layers: Layers, known: Sequence[int]) -> tuple[int, ...]:
    """How many digits an account number stored as a number must have: told, as in the book, as in the column."""
    if told := sheet.mapping.constants.get("account_digits"):
        return tuple(int(part) for part in told.replace("，", ",").split(",") if part.strip().isdigit())
    if known:
        return tuple(known)
    lengths: set[int] = set()
    for name in ACCOUNTS:
        heading = heading_of(sheet, name)
        if heading is not None:
            text = pl.col(f"c{heading.place}").str.normalize("NFKC").str.strip_chars(" '\t=\"")
            found = layers.data.select(pl.when(text.str.contains(r"^\d+$")).then(text.str.len_chars()).unique())
            lengths |= set(found.to_series().drop_nulls().to_list())
    return tuple(sorted(lengths)) or ACCOUNT_DIGITS


def read_rows(sheet: Sheet, layers: Layers, lengths: Sequence[int]) -> Iterator[Rows]:
    """Read the rows of data, some thousands at a time; an empty table gives one piece without rows."""
    reads = _plan(sheet, lengths)
    for start in range(0, max(layers.data.height, 1), ROWS_AT_ONCE):
        yield _read_piece(sheet, layers.data.slice(start, ROWS_AT_ONCE), reads)


def _plan(sheet: Sheet, lengths: Sequence[int]) -> dict[str, cells.Read]:
    """How each field of the kind is read: from its column, or from a constant."""
    constants = {**sheet.kind.constants, **sheet.mapping.constants}
    told = [*sheet.kind.fields, *(name for name in constants if name not in sheet.kind.fields)]
    reads = {}
    for name in told:
        if name in sheet.mapping.fields or name in constants:
            reads[name] = _read(sheet, name, lengths)
    return reads


def _read(sheet: Sheet, name: str, lengths: Sequence[int]) -> cells.Read:
    constants = {**sheet.kind.constants, **sheet.mapping.constants}
    heading = heading_of(sheet, name)
    cell = pl.col(f"c{heading.place}") if heading else pl.lit(constants.get(name), pl.String)
    power = power_of(sheet, name) if heading else 0
    return _read_cell(sheet.kind, name, cell, power, lengths if heading else ())


def _read_cell(kind: SheetKind, name: str, cell: pl.Expr, power: int, lengths: Sequence[int]) -> cells.Read:
    match reads_as(kind, name):
        case Kind.DATE:
            return cells.read_day(cell, month=name in kind.fields and kind.fields[name].month)
        case Kind.INT:
            return cells.read_number(cell, kind=Kind.INT)
        case Kind.DECIMAL | Kind.AMOUNT:
            return cells.read_number(cell, shift=power, rate=name.endswith("_permille"))
        case Kind.INSTANT:
            return cells.read_text(cell)
        case Kind.TEXT:
            codes = words().values.get(f"{kind.name}.{name}") or words().values.get(name)
            if codes:
                return cells.read_code(cells.read_text(cell), codes)
            column = column_of(kind, name)
            prose = name in _PROSE or (column is not None and (column.high or 0) > ID_LENGTH)
            if prose or name in ("station", "district", "channel"):
                return cells.read_text(cell)
            return cells.read_key(cell, lengths=lengths if name in ACCOUNTS else (), tight=name in _TIGHT)


def _read_piece(sheet: Sheet, data: pl.DataFrame, reads: Mapping[str, cells.Read]) -> Rows:
    texts = data.select("row_no", *(read.value.alias(name) for name, read in reads.items()))
    flaws = [
        pl.when(broken.fill_null(False)).then(pl.lit(f"{name}|{reason}"))
        for name, read in reads.items()
        for reason, broken in read.flaws
    ]
    first = pl.coalesce(_find_ragged(sheet), *flaws, pl.lit(None, pl.String))
    told = data.select("row_no", flaw=first).filter(pl.col("flaw").is_not_null())
    split = pl.col("flaw").str.split_exact("|", 1).struct
    refused = told.select("row_no", field=split.field("field_0"), reason=split.field("field_1"))
    return Rows(texts.join(refused, on="row_no", how="anti"), refused, _write_content(sheet, data))


def _find_ragged(sheet: Sheet) -> pl.Expr:
    """A row of a text file with other fields than its heading's line: a comma stood where it should not."""
    columns = [name for name in sheet.table.rows.columns if name.startswith("c")]
    broken = pl.any_horizontal(pl.col(name).str.contains("[\0\ufffd]").fill_null(False) for name in columns)
    wrong = pl.when(broken).then(pl.lit("line|CONTROL_CHARACTER"))
    if sheet.table.fields is None:
        return wrong
    beyond = columns[sheet.table.fields :]
    more = pl.any_horizontal(pl.col(name).is_not_null() for name in beyond) if beyond else pl.lit(False)
    ragged = pl.when(more | (pl.col("width") < sheet.table.width)).then(pl.lit("line|RAGGED_LINE"))
    return pl.coalesce(ragged, wrong)


def _write_content(sheet: Sheet, data: pl.DataFrame) -> pl.DataFrame:
    """The mapped cells of each row with their headings; phones and identity numbers stay out."""
    told: list[pl.Expr] = []
    for name, heading in list_read(sheet):
        secret = name in ("phone", "id_no")
        text = pl.lit("***") if secret else cells.strip_mark(pl.col(f"c{heading.place}"))
        told.append(pl.format(f"{_escape(heading.text)}={{}}", text))
    content = pl.concat_str(told, separator=" | ", ignore_nulls=True).str.replace_all("[\0\r\n]", " ").str.head(1000)
    return data.select("row_no", content=content)


def list_read(sheet: Sheet) -> list[tuple[str, Heading]]:
    """The fields that are read from a column, with its heading, from left to right."""
    found = [(name, heading) for name in sheet.mapping.fields if (heading := heading_of(sheet, name))]
    return sorted(found, key=lambda pair: pair[1].place)


def _escape(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def name_fields(sheet: Sheet, refused: pl.DataFrame) -> pl.DataFrame:
    """Name refused cells by the heading that the clerk sees."""
    headings = {name: found.text for name in sheet.mapping.fields if (found := heading_of(sheet, name))}
    return refused.with_columns(field=pl.col("field").replace(headings))


def concat(frames: Iterable[pl.DataFrame], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Stack frames of one schema; none of them is an empty frame of it."""
    listed = list(frames)
    return pl.concat(listed) if listed else pl.DataFrame(schema=dict(schema))
