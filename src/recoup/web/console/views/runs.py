"""Runs: every closed day, its slices, and what it could not deal with."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from recoup.database.listing import Row
from recoup.engine.run_history import find_run_row, list_issues, list_runs, list_slices
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Filter, Table, to_account


def _to_run(row: Row) -> str:
    return reverse("console:run", args=[row["run_no"]])


def _tone_state(row: Row) -> str:
    return "good" if row["state"] == "DONE" else "warn"


def _tone_issues(row: Row) -> str:
    return "warn" if row["issues"] else ""


RUNS = ListPage(
    name="runs",
    title=Title("运行", "Runs"),
    columns=(
        Column("run_no", "运行", "Run", "number", sortable=True, link=_to_run),
        Column("business_on", "业务日", "Business day", "day", sortable=True),
        Column("state", "状态", "State", "mark", sortable=True, tone=_tone_state),
        Column("keys_in", "处理记录", "Keys in", "count"),
        Column("issues", "未能处理", "Refused", "count", tone=_tone_issues),
        Column("slices", "分片", "Slices", "count"),
        Column("seconds", "用时（秒）", "Seconds", "count"),
        Column("started_at", "开始", "Started", "instant"),
        Column("code_version", "程序版本", "Code", "code"),
    ),
    read=list_runs,
    filters=(
        Filter(
            "state", "状态", "State", "choice",
            choices={"": Title("全部", "all"), "DONE": Title("已完成", "done"), "OPEN": Title("进行中", "open")},
        ),
    ),
    sort="-run_no",
)  # fmt: skip
ISSUES = ListPage(
    name="issues",
    title=Title("运行中未能处理的记录", "What runs could not deal with"),
    columns=(
        Column("business_on", "业务日", "Business day", "day", sortable=True),
        Column("run_no", "运行", "Run", "number", link=_to_run),
        Column("kind", "类型", "Kind", "code", sortable=True),
        Column("account_no", "户号", "Account", "code", link=to_account),
        Column("key", "记录", "Key", "code"),
        Column("field", "字段", "Field", "code"),
        Column("detail", "说明", "Detail"),
    ),
    read=list_issues,
    filters=(
        Filter("q", "户号或记录编号", "Account or key"),
        Filter("run", "运行", "Run"),
        Filter("kind", "类型", "Kind"),
    ),
    sort="-business_on",
    empty=Title("没有未能处理的记录。", "Nothing was refused."),
)
SLICES = (
    Column("slice_no", "分片", "Slice", "number"),
    Column("state", "状态", "State", "mark"),
    Column("keys_in", "输入", "In", "count"),
    Column("keys_out", "输出", "Out", "count"),
    Column("issues", "未能处理", "Refused", "count"),
    Column("attempts", "尝试", "Attempts", "count"),
    Column("file", "决定文件", "Decisions", "code"),
)
_TABS = (("runs", RUNS.title), ("issues", ISSUES.title))


def _show(request: ConsoleRequest, listed: ListPage, here: str) -> HttpResponse:
    tabs = [(reverse(f"console:{name}"), title, name == here) for name, title in _TABS]
    return show_list(request, listed, "console/tabbed_list.html", {"tabs": tabs})


@page()
def runs(request: ConsoleRequest) -> HttpResponse:
    """Every run, the latest first."""
    return _show(request, RUNS, "runs")


@page()
def issues(request: ConsoleRequest) -> HttpResponse:
    """What runs refused, in the person's scope."""
    return _show(request, ISSUES, "issues")


@page()
def run(request: ConsoleRequest, run_no: int) -> HttpResponse:
    """One run: what it stood on, its slices."""
    with reading() as connection:
        found = find_run_row(connection, request.scope, run_no)
        if found is None:
            raise Http404
        slices = list_slices(connection, request.scope, run_no)
    table = Table(SLICES, slices, request.language, title=Title("分片", "Slices"), region="slices")
    return render(request, "console/run.html", {"run": found, "table": table})


urlpatterns = [
    path("runs/", runs, name="runs"),
    path("runs/issues/", issues, name="issues"),
    path("runs/<int:run_no>/", run, name="run"),
]
