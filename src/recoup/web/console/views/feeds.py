"""Feeds: how fresh each is, and what its loads brought."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from recoup.database.listing import Row
from recoup.domains.book.queries import get_book
from recoup.domains.feeds.queries import list_feeds, list_loads
from recoup.engine.freshness import feed_ages, read_watermarks
from recoup.engine.runs import last_done_on
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.context import find_standing
from recoup.web.console.language import Title
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Table

_LOADS = 30


def _tone_age(row: Row) -> str:
    return "bad" if row["stale"] else ""


def _tone_state(row: Row) -> str:
    return "bad" if row["state"] == "REFUSED" else ""


FEEDS = (
    Column("feed", "数据源", "Feed", "code"),
    Column("source", "来源系统", "Source", "code"),
    Column("simulated", "模拟", "Simulated", "yesno"),
    Column("watermark_at", "数据截至", "Watermark", "instant"),
    Column("age_hours", "时效（小时）", "Age (hours)", "count", tone=_tone_age),
    Column("loads", "导入次数", "Loads", "count"),
    Column("loaded", "载入行数", "Rows loaded", "count"),
    Column("superseding", "更正行数", "Corrections", "count"),
    Column("quarantined", "隔离行", "Refused rows", "count"),
    Column("conflicting", "冲突", "Conflicts", "count"),
    Column("files_refused", "拒收文件", "Files refused", "count"),
)
FILES = (
    Column("load_id", "导入", "Load", "number"),
    Column("feed", "数据源", "Feed", "code"),
    Column("started_at", "时间", "When", "instant"),
    Column("name", "文件", "File", "code"),
    Column("entity", "类别", "Kind", "code"),
    Column("state", "状态", "State", "mark", tone=_tone_state),
    Column("read", "读到", "Read", "count"),
    Column("loaded", "载入", "Loaded", "count"),
    Column("known", "已知", "Known", "count"),
    Column("superseding", "更正", "Corrections", "count"),
    Column("conflicting", "冲突", "Conflicts", "count"),
    Column("quarantined", "隔离", "Refused", "count"),
)


@page()
def feeds(request: ConsoleRequest) -> HttpResponse:
    """Every feed with its age at the end of the last closed day, and the files of the last loads."""
    book = get_book()
    stale = {code for code, _ in find_standing(book).stale}
    with reading() as connection:
        on = last_done_on(connection)
        ages = feed_ages(read_watermarks(connection), on, book.timezone) if on else {}
    rows = [
        {
            **each,
            "watermark_at": each["watermark_at"] and datetime.fromisoformat(each["watermark_at"]),
            "age_hours": ages.get(each["feed"]),
            "stale": each["feed"] in stale,
        }
        for each in list_feeds()
    ]
    loads = [
        {**file, "load_id": load["load_id"], "feed": load["feed"], "started_at": _instant(load["started_at"])}
        for load in list_loads(_LOADS)
        for file in load["files"]
    ]
    tables = [
        Table(FEEDS, rows, request.language, title=Title("数据源", "Feeds"), region="feeds"),
        Table(FILES, loads, request.language, title=Title("最近导入的文件", "Files of the last loads"), region="loads"),
    ]
    return render(request, "console/feeds.html", {"tables": tables})


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


urlpatterns = [path("feeds/", feeds, name="feeds")]
