"""The report as an XLSX form: one sheet per section, amounts as numbers where a spreadsheet keeps them exactly."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from recoup.cli.report_form import Cell, Section, compose, list_notes
from recoup.labels import Labels

# A spreadsheet keeps fifteen significant digits; what has more is written as text.
_SIGNIFICANT_DIGITS = 15
_SHEET_NAME = 31
_WIDTHS = {"text": 18, "money": 20, "share": 12, "count": 12}
_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", " "))


def write_workbook(document: dict[str, Any], file: Path, labels: Labels) -> None:
    """Write the report; every sheet carries the day, and the mark of simulated data where it is one."""
    book = xlsxwriter.Workbook(str(file), {"strings_to_formulas": False, "strings_to_urls": False})
    formats = _make_formats(book, len(document["billed"].partition(".")[2]))
    sections = compose(document, labels)
    for section in sections:
        _write_section(book.add_worksheet(_name(section.title)), section, document, formats, labels)
    notes = book.add_worksheet(_name(labels("definitions")))
    notes.set_column(0, 0, 120)
    for line, note in enumerate([*_head(document, labels), *list_notes(document, labels)]):
        notes.write_string(line, 0, note, formats["text"])
    book.close()


def _make_formats(book: Any, digits: int) -> dict[str, Any]:
    money = f"#,##0.{'0' * digits}" if digits else "#,##0"
    return {
        "title": book.add_format({"bold": True, "font_size": 14}),
        "mark": book.add_format({"bold": True, "font_color": "#B3261E"}),
        "head": book.add_format({"bold": True, "bg_color": "#E6F2F0", "bottom": 1, "text_wrap": True}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        "money": book.add_format({"num_format": money, "valign": "top"}),
        "share": book.add_format({"num_format": "0.00%", "valign": "top"}),
        "count": book.add_format({"num_format": "#,##0", "valign": "top"}),
    }


def _name(title: str) -> str:
    return title.translate(_FORBIDDEN)[:_SHEET_NAME]


def _head(document: dict[str, Any], labels: Labels) -> list[str]:
    mark = [labels("simulated")] if document["simulated"] else []
    return [f"{labels('title')} · {labels('as_of')} {document['as_of']} · {document['denom']}", *mark]


def _write_section(
    sheet: Any, section: Section, document: dict[str, Any], formats: dict[str, Any], labels: Labels
) -> None:
    head = _head(document, labels)
    sheet.write_string(0, 0, head[0], formats["title"])
    if len(head) > 1:
        sheet.write_string(1, 0, head[1], formats["mark"])
    first = 3
    kinds = [cell.kind for cell in section.rows[0]] if section.rows else ["text"] * len(section.heads)
    for column, (name, kind) in enumerate(zip(section.heads, kinds, strict=True)):
        last_words = column == len(kinds) - 1 and kind == "text" and column > 0
        sheet.set_column(column, column, 60 if last_words else max(_WIDTHS[kind], 24 if column == 0 else 0))
        sheet.write_string(first, column, name, formats["head"])
    for line, row in enumerate(section.rows, start=first + 1):
        for column, cell in enumerate(row):
            _write_cell(sheet, line, column, cell, formats)
    sheet.freeze_panes(first + 1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _write_cell(sheet: Any, line: int, column: int, cell: Cell, formats: dict[str, Any]) -> None:
    if cell.value is None:
        return
    text = str(cell.value)
    if cell.kind != "text" and len(text.lstrip("-").replace(".", "").lstrip("0")) <= _SIGNIFICANT_DIGITS:
        sheet.write_number(line, column, Decimal(text), formats[cell.kind])
    else:
        sheet.write_string(line, column, text, formats["text"])
