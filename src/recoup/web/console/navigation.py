"""The navigation: what is where, in the order of a working day."""

from typing import NamedTuple

from django.http import HttpRequest
from django.urls import reverse

from recoup.domains.access.models import Staff
from recoup.domains.access.permissions import MANAGE_STAFF, SEE_AUDIT, VIEW, may
from recoup.web.console.language import Title


class Entry(NamedTuple):
    """One line of the navigation: the name of its address, its words, its icon, who sees it."""

    name: str
    title: Title
    icon: str
    capability: str = VIEW


class Shown(NamedTuple):
    """An entry as this person sees it."""

    url: str
    title: Title
    icon: str
    here: bool


NAVIGATION: tuple[tuple[Title, tuple[Entry, ...]], ...] = (
    (
        Title("回收", "Recovery"),
        (
            Entry("dashboard", Title("总览", "Overview"), "chart"),
            Entry("work", Title("催收工作", "Work list"), "tasks"),
            Entry("cutoffs", Title("月末定稿", "Month end"), "seal"),
            Entry("measures", Title("措施登记", "Measures"), "shield"),
        ),
    ),
    (
        Title("客户", "Customers"),
        (
            Entry("accounts", Title("户号", "Accounts"), "users"),
            Entry("bills", Title("账单", "Bills"), "bill"),
            Entry("payments", Title("收款", "Payments"), "coins"),
        ),
    ),
    (
        Title("数据", "Data"),
        (
            Entry("files", Title("文件导入", "Files"), "upload"),
            Entry("quarantine", Title("隔离与冲突", "Quarantine"), "warning"),
            Entry("feeds", Title("数据源", "Feeds"), "feed"),
            Entry("runs", Title("运行", "Runs"), "clock"),
        ),
    ),
    (
        Title("规则与管理", "Rules and people"),
        (
            Entry("rulebook", Title("规则集", "Rulebook"), "book"),
            Entry("staff", Title("人员", "Staff"), "badge", MANAGE_STAFF),
            Entry("audit", Title("审计记录", "Audit"), "eye", SEE_AUDIT),
        ),
    ),
)


def list_entries(request: HttpRequest, staff: Staff) -> list[tuple[Title, list[Shown]]]:
    """The groups a person sees, with the entry of this page marked."""
    groups = []
    for title, entries in NAVIGATION:
        shown = [_show(request, entry) for entry in entries if may(staff, entry.capability)]
        if shown:
            groups.append((title, shown))
    return groups


def _show(request: HttpRequest, entry: Entry) -> Shown:
    url = reverse(f"console:{entry.name}")
    here = request.path == url or (url != "/" and request.path.startswith(url))
    return Shown(url, entry.title, entry.icon, here)
