"""The report as a PDF/A paper, set by Typst with the Chinese font that comes as a package: nothing of the machine."""

import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import pylopdf_fonts_zh_cn
import typst

from recoup.cli.charts import draw_ageing, draw_months
from recoup.cli.report_form import Cell, Section, compose, list_notes
from recoup.labels import Labels, grouped, percent

_TEMPLATE = Path(__file__).with_name("report.typ")
_STANDARD: Literal["a-2b"] = "a-2b"


def set_paper(document: dict[str, Any], labels: Labels) -> bytes:
    """The report as one PDF/A-2b file; the same document gives the same bytes."""
    told = {
        "language": labels.language,
        "title": labels("title"),
        "day": f"{labels('as_of')} {document['as_of']}",
        "mark": labels("simulated") if document["simulated"] else "",
        "sections": [_write(section) for section in compose(document, labels)],
        "notes": list_notes(document, labels),
        "notes_title": labels("definitions"),
    }
    on = date.fromisoformat(document["as_of"])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "report.typ").write_bytes(_TEMPLATE.read_bytes())
        (root / "report.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        (root / "months.svg").write_text(draw_months(document, labels), encoding="utf-8")
        (root / "ageing.svg").write_text(draw_ageing(document, labels), encoding="utf-8")
        made = typst.compile(
            str(root / "report.typ"),
            root=str(root),
            font_paths=[str(Path(pylopdf_fonts_zh_cn.sans_path()).parent)],
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=_STANDARD,
            timestamp=int(datetime(on.year, on.month, on.day, tzinfo=UTC).timestamp()),
        )
    assert isinstance(made, bytes)
    return made


def _write(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "heads": section.heads,
        "rows": [[_show(cell) for cell in row] for row in section.rows],
        "numbers": [[cell.kind != "text" for cell in row] for row in section.rows[:1]],
    }


def _show(cell: Cell) -> str:
    if cell.value is None:
        return "–"
    if cell.kind == "share":
        return percent(str(cell.value))
    if cell.kind == "count":
        return f"{int(cell.value):,}"
    return grouped(str(cell.value)) if cell.kind == "money" else str(cell.value)
