"""What was refused when files were loaded: rows, keys that came twice with other content, whole files."""

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from recoup.database.listing import Row
from recoup.domains.access.permissions import REVEAL
from recoup.domains.audit.operations import REVEAL as REVEALED
from recoup.domains.audit.operations import record
from recoup.domains.feeds.queries import find_refused_row, page_conflicts, page_quarantine, page_refused_files
from recoup.domains.feeds.reasons import ROW_REASONS
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Filter

_REASON_LENGTH = 4
_WORDS = {code: Title(words.zh, words.en) for code, words in ROW_REASONS.items()}
_NONE = Title(
    "没有记录。隔离行不属于任何单位，只有管辖全部账册的人员可见。",
    "Nothing here. A refused row belongs to no unit: only who sees the whole book sees it.",
)


def _open_row(row: Row) -> str:
    return reverse("console:quarantine-row", args=[row["quarantine_id"]])


ROWS = ListPage(
    name="quarantine",
    title=Title("隔离行", "Refused rows"),
    lead=Title(
        "每一行都写明在哪个文件、哪一行、哪个字段、为什么被拒；改正源文件后重新导入即可。",
        "Each says where it stood, which field and why. Put the file right and load it again.",
    ),
    columns=(
        Column("quarantine_id", "编号", "No.", "number", link=_open_row),
        Column("file", "文件", "File", "code", sortable=True),
        Column("row_no", "行", "Row", "count", sortable=True),
        Column("field", "字段", "Field", "code"),
        Column("reason", "原因", "Reason", words=_WORDS, sortable=True),
        Column("feed", "数据源", "Feed", "code"),
        Column("load_id", "导入", "Load", "number", sortable=True),
        Column("refused_at", "时间", "When", "instant"),
    ),
    read=page_quarantine,
    filters=(
        Filter("reason", "原因", "Reason", "choice", choices={"": Title("全部", "all"), **_WORDS}),
        Filter("file", "文件名含", "File name has"),
    ),
    sort="-load_id",
    empty=_NONE,
)
CONFLICTS = ListPage(
    name="conflicts",
    title=Title("冲突", "Conflicts"),
    lead=Title(
        "同一编号再次送来而内容不同，且未声明更正：两份都列出，账册保留先到的一份。",
        "The same key came again with other content and no claim to correct it: both are shown, the first is kept.",
    ),
    columns=(
        Column("entity", "类别", "Kind", "code", sortable=True),
        Column("key", "编号", "Key", "code"),
        Column("difference", "已存 ≠ 送来", "Stored ≠ offered"),
        Column("file", "文件", "File", "code"),
        Column("row_no", "行", "Row", "count"),
        Column("load_id", "导入", "Load", "number", sortable=True),
    ),
    read=page_conflicts,
    sort="-load_id",
    empty=_NONE,
)
FILES = ListPage(
    name="refused-files",
    title=Title("拒收的文件", "Refused files"),
    columns=(
        Column("name", "文件", "File", "code", sortable=True),
        Column("entity", "类别", "Kind", "code"),
        Column("detail", "原因", "Reason"),
        Column("rows_stated", "申明行数", "Rows stated", "count"),
        Column("rows_read", "读到行数", "Rows read", "count"),
        Column("feed", "数据源", "Feed", "code"),
        Column("load_id", "导入", "Load", "number", sortable=True),
    ),
    read=page_refused_files,
    sort="-load_id",
    empty=_NONE,
)
_TABS = (("quarantine", ROWS.title), ("quarantine-conflicts", CONFLICTS.title), ("quarantine-files", FILES.title))


def _show(request: ConsoleRequest, listed: ListPage, here: str) -> HttpResponse:
    tabs = [(reverse(f"console:{name}"), title, name == here) for name, title in _TABS]
    return show_list(request, listed, "console/tabbed_list.html", {"tabs": tabs})


@page()
def rows(request: ConsoleRequest) -> HttpResponse:
    """Refused rows."""
    return _show(request, ROWS, "quarantine")


@page()
def conflicts(request: ConsoleRequest) -> HttpResponse:
    """Keys that came twice with other content."""
    return _show(request, CONFLICTS, "quarantine-conflicts")


@page()
def files(request: ConsoleRequest) -> HttpResponse:
    """Files refused as a whole."""
    return _show(request, FILES, "quarantine-files")


@page()
def row(request: ConsoleRequest, quarantine_id: int) -> HttpResponse:
    """One refused row; its text may name a person and is shown only for a reason."""
    return _show_row(request, quarantine_id)


@require_POST
@page(REVEAL, harmless=True)
def reveal_row(request: ConsoleRequest, quarantine_id: int) -> HttpResponse:
    """The text of a refused row, once, for a reason that is recorded first."""
    reason = request.POST.get("reason", "").strip()[:500]
    if len(reason) < _REASON_LENGTH:
        return _show_row(request, quarantine_id, reason_missing=True)
    return _show_row(request, quarantine_id, reason=reason)


def _show_row(
    request: ConsoleRequest, quarantine_id: int, *, reason: str = "", reason_missing: bool = False
) -> HttpResponse:
    with reading() as connection:
        found = find_refused_row(connection, request.scope, quarantine_id)
    if found is None:
        raise Http404
    if reason:
        with transaction.atomic():
            record(request.staff, REVEALED, f"quarantine {quarantine_id}", reason)
    told = {
        "row": {**found, "content": found["content"] if reason else None},
        "words": _WORDS.get(found["reason"], found["reason"]),
        "reason_missing": reason_missing,
    }
    return render(request, "console/refused_row.html", told)


urlpatterns = [
    path("quarantine/", rows, name="quarantine"),
    path("quarantine/conflicts/", conflicts, name="quarantine-conflicts"),
    path("quarantine/files/", files, name="quarantine-files"),
    path("quarantine/<int:quarantine_id>/", row, name="quarantine-row"),
    path("quarantine/<int:quarantine_id>/reveal/", reveal_row, name="quarantine-reveal"),
]
