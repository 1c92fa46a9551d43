"""Clerks' files as grids of cells: XLSX, old XLS, and text in UTF-8, GB18030 or UTF-16, told apart by their bytes.

Grain: one row per row of the sheet, `row_no` as Excel counts it (of a CSV file, its record). A cell is a String: a
text as it stands, a number behind NUMBER, a day behind DAY. A number that Excel keeps is written as Excel itself
shows it, with 15 significant digits; one that has more keeps its exponent and is refused where digits matter.
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import python_calamine as calamine

from recoup.domains.feeds.encoding import UTF8_MARK, FileRefused

NUMBER, DAY = "\x02", "\x03"

# A workbook is read into memory, so what it unpacks to is bounded, and the span of its cells too.
FILE_LIMIT = 512 << 20
UNPACKED_LIMIT = 2 << 30
CELLS_LIMIT = 60_000_000
COLUMNS_LIMIT = 300
_ROWS_AT_ONCE = 20_000
_EXACT_BOUND = 10**15

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_CELL_PLACE = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_SAVE_AGAIN = "open it and save it as .xlsx or as CSV"
_SAVE_AGAIN_ZH = "请打开后另存为 .xlsx 或 CSV"

type Watch = Callable[[int, int], None]
type Value = str | int | float | bool | date | datetime | time | timedelta | None


class Grid(NamedTuple):
    """One sheet: its name, its cells (row_no, width, c0, c1, …), where `width` is null but for text files."""

    name: str
    cells: pl.DataFrame

    @property
    def columns(self) -> list[str]:
        """Names of the columns of cells."""
        return [name for name in self.cells.columns if name not in ("row_no", "width")]


class Opened(NamedTuple):
    """A file told apart: its format, its visible sheets (read when asked for), the names of hidden ones."""

    format: str
    sheets: tuple[str, ...]
    hidden: tuple[str, ...]
    read: Callable[[str, Watch], Grid]


def open_file(path: Path) -> Opened:
    """Tell what a file is by its bytes; raise FileRefused with what to do when it is nothing that can be read."""
    if not path.is_file():
        raise FileRefused("the file is not there", "文件不存在")
    if path.stat().st_size > FILE_LIMIT:
        raise FileRefused(
            f"the file is larger than {FILE_LIMIT >> 20} MiB: split it, for instance by month",
            f"文件超过 {FILE_LIMIT >> 20} MiB：请拆分后再装入，例如按月",
        )
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if not head.strip(b"\r\n\t \xef\xbb\xbf"):
        raise FileRefused("the file is empty: export it again", "文件是空的：请重新导出")
    if head.startswith(_ZIP):
        return _open_workbook(path, "xlsx")
    if head.startswith(_OLE):
        return _open_workbook(path, "xls")
    if head.lstrip(UTF8_MARK + b" \r\n\t").lower().startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta")):
        raise FileRefused(
            f"this is a web page with the name of a spreadsheet: {_SAVE_AGAIN}",
            f"这是网页，只是扩展名像电子表格：{_SAVE_AGAIN_ZH}",
        )
    return _open_text(path, head)


def _open_workbook(path: Path, kind: str) -> Opened:
    if kind == "xlsx":
        _refuse_bomb(path)
    elif _holds(path, _ENCRYPTED):
        raise _refuse_password()
    try:
        book = calamine.load_workbook(str(path))
    except calamine.PasswordError as error:
        raise _refuse_password() from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise FileRefused(
            f"the file is damaged or no spreadsheet ({error}): {_SAVE_AGAIN}",
            f"文件已损坏或不是电子表格：{_SAVE_AGAIN_ZH}",
        ) from error
    tables = [sheet for sheet in book.sheets_metadata if sheet.typ == calamine.SheetTypeEnum.WorkSheet]
    visible = tuple(sheet.name for sheet in tables if sheet.visible == calamine.SheetVisibleEnum.Visible)
    hidden = tuple(sheet.name for sheet in tables if sheet.name not in visible)
    return Opened(kind, visible, hidden, lambda name, watch: _read_sheet(book, name, watch))


def _refuse_password() -> FileRefused:
    return FileRefused(
        "the file is protected by a password: save a copy without one", "文件有密码保护：请另存一份不带密码的副本"
    )


def _holds(path: Path, wanted: bytes) -> bool:
    with path.open("rb") as file:
        return wanted in file.read(4 << 20)


def _refuse_bomb(path: Path) -> None:
    """Refuse what unpacks beyond all measure, or spans more cells than any real sheet: both would fill the memory."""
    try:
        with zipfile.ZipFile(path) as packed:
            entries = packed.infolist()
            if any(entry.flag_bits & 1 for entry in entries):
                raise _refuse_password()
            if sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
                raise FileRefused(
                    f"the file unpacks to more than {UNPACKED_LIMIT >> 30} GiB: split it",
                    f"文件解压后超过 {UNPACKED_LIMIT >> 30} GiB：请拆分",
                )
            for entry in entries:
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", entry.filename, re.IGNORECASE):
                    _refuse_span(packed, entry)
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError, ValueError, zlib.error) as error:
        raise FileRefused(f"the file is damaged ({error}): {_SAVE_AGAIN}", f"文件已损坏：{_SAVE_AGAIN_ZH}") from error


def _refuse_span(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read a sheet through once: its real size is its declared one, and its cells span a table that fits."""
    rows, width, rest = 0, 0, b""
    with packed.open(entry) as sheet:
        while block := sheet.read(1 << 20):
            data = rest + block
            last = None
            for found in _CELL_PLACE.finditer(data):
                width = max(width, _count_columns(found[1]))
                last = found
            if last:
                rows = max(rows, int(last[2]))
            rest = data[-200:]
    if rows * width > CELLS_LIMIT:
        raise FileRefused(
            f"a sheet spans {rows:,} rows and {width:,} columns: delete the empty rows and columns around the table",
            f"工作表跨 {rows:,} 行、{width:,} 列：请删除表格之外的空行和空列",
        )


_LETTERS: dict[bytes, int] = {}


def _count_columns(letters: bytes) -> int:
    if letters not in _LETTERS:
        number = 0
        for letter in letters:
            number = number * 26 + letter - 64
        _LETTERS[letters] = number
    return _LETTERS[letters]


def _read_sheet(book: Any, name: str, watch: Watch) -> Grid:
    try:
        sheet = book.get_sheet_by_name(name)
    except (calamine.CalamineError, ValueError) as error:
        raise FileRefused(
            f"sheet {name} is damaged ({error}): {_SAVE_AGAIN}", f"工作表 {name} 已损坏：{_SAVE_AGAIN_ZH}"
        ) from error
    if sheet.height * sheet.width > CELLS_LIMIT:
        raise FileRefused(
            f"sheet {name} spans {sheet.height:,} rows and {sheet.width:,} columns: delete what is empty",
            f"工作表 {name} 跨 {sheet.height:,} 行、{sheet.width:,} 列：请删除空行和空列",
        )
    rows = ([_write(value) for value in row] for row in sheet.iter_rows())
    return Grid(name, _stack(rows, sheet.total_height, watch))


def _write(value: Value) -> str | None:
    """A cell as a String; nothing for an empty one."""
    if type(value) is str:
        return value or None
    if type(value) is float:
        return NUMBER + write_number(value)
    if value is None:
        return None
    return _write_rare(value)


def _write_rare(value: Value) -> str | None:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return NUMBER + (str(value) if abs(value) < _EXACT_BOUND else f"{value:.15E}")
    if isinstance(value, datetime):
        return DAY + value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return DAY + value.isoformat()
    return str(value)


def write_number(value: float) -> str:
    """A float of a spreadsheet as the decimal that the spreadsheet shows: 15 significant digits, no exponent.

    A float of more digits keeps its exponent: it has lost some.
    """
    if value.is_integer():
        return str(int(value)) if abs(value) < _EXACT_BOUND else repr(value) if "e" in repr(value) else f"{value:.17E}"
    text = f"{value:.15g}"
    return f"{Decimal(text):f}" if "e" in text else text


def _stack(rows: Iterable[Sequence[str | None]], total: int, watch: Watch) -> pl.DataFrame:
    """Stack rows of one width into a frame, some thousands at a time."""
    frames = []
    numbered = iter(enumerate(rows, start=1))
    while block := list(islice(numbered, _ROWS_AT_ONCE)):
        frames.append(_frame([cells for _, cells in block], block[0][0], None))
        watch(min(block[-1][0], total), total)
    return _join(frames)


def _frame(rows: Sequence[Sequence[str | None]], first: int, widths: list[int] | None) -> pl.DataFrame:
    wide = max((len(row) for row in rows), default=0)
    if wide > COLUMNS_LIMIT:
        raise FileRefused(
            f"row {first} and the rows after it have {wide} columns: at most {COLUMNS_LIMIT} are read",
            f"第 {first} 行起有 {wide} 列：最多读 {COLUMNS_LIMIT} 列",
        )
    columns = list(zip(*rows, strict=True)) if wide else []
    series = [pl.Series(f"c{place}", column, pl.String) for place, column in enumerate(columns)]
    place = pl.Series("row_no", range(first, first + len(rows)), pl.Int64)
    width = pl.Series("width", widths or [None] * len(rows), pl.Int64)
    return pl.DataFrame([place, width, *series])


def _join(frames: list[pl.DataFrame]) -> pl.DataFrame:
    if not frames:
        return pl.DataFrame(schema={"row_no": pl.Int64, "width": pl.Int64})
    return pl.concat(frames, how="diagonal")


def _open_text(path: Path, head: bytes) -> Opened:
    encoding = find_encoding(path, head)
    told = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}.get(encoding, "UTF-16")
    return Opened(f"csv {told}", (path.stem,), (), lambda name, watch: _read_text(path, name, encoding, watch))


def find_encoding(path: Path, head: bytes) -> str:
    """UTF-16 by its mark or its zeros, UTF-8 when the beginning is, else GB18030; raise FileRefused for none."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if b"\0" in head:
        raise FileRefused(
            f"this is neither a spreadsheet nor a text: {_SAVE_AGAIN}", f"既不是电子表格也不是文本：{_SAVE_AGAIN_ZH}"
        )
    if _decodes(path, "utf-8-sig") or _begins_as_utf8(head):
        return "utf-8-sig"
    if _decodes(path, "gb18030"):
        return "gb18030"
    raise FileRefused(
        "the file is neither UTF-8 nor GB18030: save it as 'CSV UTF-8'",
        "文件编码既不是 UTF-8 也不是 GB18030：请另存为“CSV UTF-8”",
    )


def _begins_as_utf8(head: bytes) -> bool:
    """Whether the first line has Chinese in UTF-8: a bad byte further down is then a fault of its row."""
    line = head.split(b"\n", 1)[0]
    try:
        return not line.decode("utf-8-sig").isascii()
    except UnicodeDecodeError:
        return False


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _read_text(path: Path, name: str, encoding: str, watch: Watch) -> Grid:
    """Read a text file; bytes that are no text become U+FFFD, and their rows are refused one by one."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        text = io.TextIOWrapper(raw, encoding, errors="replace", newline="")
        separator = _find_separator(text.read(1 << 16))
        text.seek(0)
        frames, first = [], 1
        for block in _read_records(csv.reader(text, delimiter=separator, strict=True)):
            wide = max(map(len, block), default=0)
            padded = [[cell or None for cell in row] + [None] * (wide - len(row)) for row in block]
            frames.append(_frame(padded, first, [len(row) for row in block]))
            first += len(block)
            watch(raw.tell(), size)
    return Grid(name, _join(frames))


def _read_records(reader: Any) -> Iterator[list[list[str]]]:
    block: list[list[str]] = []
    count = 0
    try:
        for row in reader:
            block.append(row)
            count += 1
            if len(block) == _ROWS_AT_ONCE:
                yield block
                block = []
    except csv.Error as error:
        raise FileRefused(
            f"row {count + 1} cannot be read ({error}): a quote is not closed there",
            f"第 {count + 1} 行无法读取：引号没有成对",
        ) from error
    if block:
        yield block


def _find_separator(head: str) -> str:
    """The separator that the most lines of the beginning have: tab, semicolon, bar, else comma."""
    lines = head.splitlines()[:50]
    return max(",\t;|", key=lambda mark: (sum(mark in line for line in lines), -",\t;|".index(mark)))
