"""A table as a file: CSV in UTF-8, or XLSX; account numbers as text, amounts exact, persons masked."""

import csv
import io
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.utils.timezone import localtime

from recoup.domains.audit.operations import EXPORT, record
from recoup.domains.book.queries import get_book
from recoup.engine import clock
from recoup.engine.report import INVENTED
from recoup.web.console.access import ConsoleRequest
from recoup.web.console.language import Title
from recoup.web.console.tables import NUMBERS, Column, Table, write

EXPORT_ROWS = 50_000
_BYTE_ORDER_MARK = "\ufeff"
# A spreadsheet would take a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SIGNIFICANT_DIGITS = 15
_SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def export_table(request: ConsoleRequest, name: str, table: Table, form: str) -> HttpResponse:
    """Write the rows of a table as `csv` or `xlsx`, record the export, and send the file."""
    mark = _write_mark(request)
    filters = {key: value for key, value in (table.asked.filters if table.asked else {}).items() if value}
    record(request.staff, EXPORT, name, detail={"form": form, "rows": len(table.rows), "filters": filters})
    file_name = f"recoup-{name}-{localtime(clock.now()):%Y%m%d-%H%M}.{form}"
    answer: Any
    if form == "csv":
        answer = StreamingHttpResponse(_write_lines(table, mark), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
        return answer
    answer = FileResponse(_write_book(table, mark), as_attachment=True, filename=file_name, content_type=_SPREADSHEET)
    return answer


def _write_mark(request: ConsoleRequest) -> str:
    """Who took the file, when, from which book: the last line of every export."""
    book, staff = get_book(), request.staff
    when = f"{localtime(clock.now()):%Y-%m-%d %H:%M %Z}"
    mark = Title(
        f"导出人 {staff.name}（{staff.username}），{when}，{book.name}",
        f"Exported by {staff.name} ({staff.username}), {when}, {book.name}",
    ).say(request.language)
    return f"{mark} · 模拟数据 SIMULATED" if book.kind in INVENTED else mark


def _write_lines(table: Table, mark: str) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield _BYTE_ORDER_MARK
    writer.writerow(table.export_heads())
    for row in table.rows:
        writer.writerow([_defuse(_text(row, column, table), column) for column in table.columns])
        if buffer.tell() > 65_536:
            yield _empty(buffer)
    writer.writerow([f"# {mark}"])
    yield _empty(buffer)


def _empty(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _text(row: Any, column: Column, table: Table) -> str:
    return write(row.get(column.key), column, table.language, table.digits)


def _defuse(text: str, column: Column) -> str:
    return f"'{text}" if column.kind not in NUMBERS and text.startswith(_FORMULA) else text


def _write_book(table: Table, mark: str) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    formats = {
        "head": book.add_format({"bold": True, "bg_color": "#E6F2F0", "bottom": 1}),
        "money": book.add_format({"num_format": f"#,##0.{'0' * table.digits}" if table.digits else "#,##0"}),
        "kwh": book.add_format({"num_format": "#,##0.000"}),
        "percent": book.add_format({"num_format": "0.00%"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        "mark": book.add_format({"italic": True, "font_color": "#666666"}),
    }
    sheet = book.add_worksheet("Recoup")
    sheet.freeze_panes(1, 0)
    sheet.set_footer(f"&L{mark}&R&P / &N")
    for at, (column, head) in enumerate(zip(table.columns, table.export_heads(), strict=True)):
        sheet.set_column(at, at, 12 if column.kind in (*NUMBERS, "day") else 20)
        sheet.write_string(0, at, head, formats["head"])
    for line, row in enumerate(table.rows, start=1):
        for at, column in enumerate(table.columns):
            _write_cell(sheet, line, at, row, column, table, formats)
    sheet.write_string(len(table.rows) + 1, 0, mark, formats["mark"])
    book.close()
    file.seek(0)
    return file


def _write_cell(
    sheet: Any, line: int, at: int, row: Any, column: Column, table: Table, formats: dict[str, Any]
) -> None:
    value, text = row.get(column.key), _text(row, column, table)
    if not text:
        return
    if column.kind in NUMBERS and len(text.lstrip("-").replace(".", "")) <= _SIGNIFICANT_DIGITS:
        sheet.write_number(line, at, Decimal(text), formats.get(column.kind))
    elif column.kind == "day" and isinstance(value, date) and not isinstance(value, datetime):
        sheet.write_datetime(line, at, datetime(value.year, value.month, value.day), formats["day"])
    else:
        sheet.write_string(line, at, text)
