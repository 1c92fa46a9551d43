"""What people did: signed in, revealed, exported, recorded, signed."""

from dataclasses import replace

from django.http import HttpResponse
from django.urls import path

from recoup.domains.access.permissions import SEE_AUDIT
from recoup.domains.audit.queries import list_events, list_kinds
from recoup.labels import Labels
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Filter

EVENTS = ListPage(
    name="audit",
    title=Title("审计记录", "Audit record"),
    lead=Title("只增不改：登录、查看明文、导出、登记结果、定稿。", "Appended, never changed."),
    columns=(
        Column("recorded_at", "时间", "When", "instant", sortable=True),
        Column("username", "用户", "User", "code", sortable=True),
        Column("kind", "事项", "What", "mark", sortable=True),
        Column("subject", "对象", "Subject", "code"),
        Column("reason", "原因", "Reason"),
        Column("detail", "详情", "Detail"),
        Column("org_unit", "单位", "Unit", "code"),
    ),
    read=list_events,
    filters=(
        Filter("kind", "事项", "What", "choice"),
        Filter("username", "用户", "User"),
        Filter("q", "对象", "Subject"),
        Filter("day", "日期", "Day", "day"),
    ),
    sort="-recorded_at",
)


@page(SEE_AUDIT)
def events(request: ConsoleRequest) -> HttpResponse:
    """The acts of the people of the person's unit."""
    with reading() as connection:
        codes = list_kinds(connection)
    kinds = {code: Title(Labels("zh")(code), Labels("en")(code)) for code in codes}
    choices = {"": Title("全部", "all"), **kinds}
    filters = [replace(each, choices=choices) if each.key == "kind" else each for each in EVENTS.filters]
    return show_list(request, replace(EVENTS, filters=filters))


urlpatterns = [path("audit/", events, name="audit")]
