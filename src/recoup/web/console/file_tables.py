"""The tables of the files desk: loads, files of a load, and what a preview found."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse

from recoup.domains.book.queries import get_book
from recoup.domains.feeds.headings import kinds
from recoup.domains.feeds.reasons import in_words
from recoup.labels import grouped
from recoup.web.console.language import EN, Title
from recoup.web.console.tables import Column, Table

_STATES = {
    "COMPLETE": Title("已装入", "Loaded"),
    "LOADED": Title("已装入", "Loaded"),
    "REFUSED": Title("有文件被拒收", "Refused"),
    "RUNNING": Title("未完成", "Not finished"),
    "UNDONE": Title("已撤销", "Undone"),
}
_TONES = {"COMPLETE": "good", "LOADED": "good", "REFUSED": "bad", "RUNNING": "warn"}


def _tone(row: Mapping[str, Any]) -> str:
    return _TONES.get(str(row["state"]), "")


_COUNTS = (
    Column("read", "读入", "Read", "count"),
    Column("loaded", "新增", "New", "count"),
    Column("known", "已有", "Known", "count"),
    Column("superseding", "更正", "Corrections", "count"),
    Column("conflicting", "冲突", "Conflicts", "count"),
    Column("quarantined", "隔离", "Quarantined", "count"),
    Column("skipped", "略过", "Skipped", "count"),
)


_VERDICTS = {"LOADED": Title("可以装入", "Will load"), "REFUSED": Title("整表拒收", "Refused")}
_VERDICT = Column("state", "判断", "Verdict", "mark", words=_VERDICTS, tone=_tone)


def _to_load(row: Mapping[str, Any]) -> str:
    return reverse("console:load", args=[row["load_id"]])


_LOAD_COLUMNS = (
    Column("load_id", "装入", "Load", "code", link=_to_load),
    Column("feed", "数据源", "Feed"),
    Column("as_of_on", "数据截至", "Known up to", "text"),
    Column("name", "文件", "Files"),
    *(column for column in _COUNTS if column.key in ("loaded", "known", "conflicting", "quarantined")),
    Column("state", "状态", "State", "mark", words=_STATES, tone=_tone),
)


def list_load_rows(loads: Sequence[Mapping[str, Any]], language: str) -> Table:
    """Loads, one row each, their files' counts added up."""
    rows = []
    for load in loads:
        files = load["files"]
        names = ", ".join(dict.fromkeys(file["name"].split(" › ")[0] for file in files))
        counts = {column.key: sum(file[column.key] for file in files) for column in _COUNTS}
        shown = names if len(names) <= _NAMES else f"{names[:_NAMES]}…"
        rows.append({**load, "name": shown, "as_of_on": say_end(load["as_of_at"]), **counts})
    empty = Title("还没有装入过文件。", "Nothing was loaded yet.")
    return Table(_LOAD_COLUMNS, rows, language, title=Title("装入记录", "Loads"), empty=empty, region="loads")


_NAMES = 60


def say_end(instant: str) -> str:
    """Up to when a feed is known, in the book's time zone: a midnight is the end of the day before."""
    at = datetime.fromisoformat(instant).astimezone(ZoneInfo(get_book().timezone))
    if at.time() == time():
        return f"{at.date() - timedelta(days=1)} 24:00"
    return f"{at:%Y-%m-%d %H:%M}"


def say_instant(instant: str) -> str:
    """An instant in the book's time zone."""
    return f"{datetime.fromisoformat(instant).astimezone(ZoneInfo(get_book().timezone)):%Y-%m-%d %H:%M}"


def list_files(load: Mapping[str, Any] | None, language: str) -> Table:
    """The files of a load, with what became of every row."""
    columns = (
        Column("name", "文件", "File"),
        *_COUNTS,
        Column("state", "状态", "State", "mark", words=_STATES, tone=_tone),
    )
    return Table(columns, list(load["files"]) if load else [], language)


def describe_preview(found: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    """The sheets of a preview with their tables."""
    return [_describe_sheet(sheet, language) for sheet in found.get("sheets", ())]


def _describe_sheet(sheet: Mapping[str, Any], language: str) -> dict[str, Any]:
    kind = kinds()[sheet["kind"]]
    records = [dict(zip(_RECORD, source["record"], strict=True)) for source in sheet["sources"]]
    outcome = Table(
        (
            Column("name", "内容", "What"),
            *_COUNTS,
            Column("state", "判断", "Verdict", "mark", words=_VERDICTS, tone=_tone),
        ),
        [{**record, "name": _name_part(record["name"], language)} for record in records],
        language,
        region=f"outcome-{kind.name}",
    )
    return {
        **sheet,
        "title": Title(kind.zh, kind.en),
        "sums": [(sheet["fields"].get(name, name), grouped(value)) for name, value in sheet["sums"].items()],
        "totals": [
            {**total, "stated": grouped(total["stated"]), "found": grouped(total["found"])} for total in sheet["totals"]
        ],
        "reasons": _add_up(sheet["sources"], language),
        "refused": _list_refused(sheet["sources"], language),
        "outcome": outcome,
        "details": [record["detail"] for record in records if record["state"] == "REFUSED"],
        "wrong": [total for total in sheet["totals"] if not total["agrees"]],
        "counts": {name: sum(record[name] for record in records) for name in ("loaded", "known", "quarantined")},
        "last": records[-1] if records else {},
    }


_RECORD = (
    *("name", "entity", "sha256", "stated", "state", "detail"),
    *("read", "loaded", "known", "superseding", "conflicting", "quarantined", "skipped"),
)


_PARTS = {
    "station": Title("供电所", "Stations"),
    "district": Title("台区", "Transformer districts"),
    "parties": Title("客户", "Parties"),
    "accounts": Title("户号", "Accounts"),
    "contracts": Title("供用电合同", "Contracts"),
}


def _name_part(name: str, language: str) -> str:
    part = name.split(" › ")[-1]
    return _PARTS[part].say(language) if part in _PARTS else part


def _add_up(sources: Sequence[Mapping[str, Any]], language: str) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for source in sources:
        for reason, count in source["reasons"].items():
            counts[reason] = counts.get(reason, 0) + count
    short = "en" if language == EN else "zh"
    return [(in_words(reason, short), count) for reason, count in sorted(counts.items(), key=lambda pair: -pair[1])]


def _list_refused(sources: Sequence[Mapping[str, Any]], language: str) -> Table:
    short = "en" if language == EN else "zh"
    columns = (
        Column("row_no", "行", "Row", "count"),
        Column("field", "栏目", "Column"),
        Column("words", "原因", "Reason"),
        Column("content", "内容", "Content"),
    )
    rows = [{**row, "words": in_words(row["reason"], short)} for source in sources for row in source["refused"]]
    title = Title("将被隔离的行（前几行）", "Rows that would be quarantined (the first ones)")
    return Table(columns, rows, language, title=title, region="refused")
