"""Bills: the list, and one bill as a tree from the meter to the money."""

from dataclasses import replace

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path

from recoup.domains.billing.queries import find_bill, list_bills
from recoup.engine.bill_tree import explain_bill
from recoup.engine.runs import last_done_on
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Filter, to_account, to_bill
from recoup.web.console.views.accounts import with_choices

BILLS = ListPage(
    name="bills",
    title=Title("账单", "Bills"),
    columns=(
        Column("bill_no", "账单号", "Bill", "code", sortable=True, link=to_bill),
        Column("account_no", "户号", "Account", "code", link=to_account),
        Column("name", "户名", "Customer"),
        Column("unit_name", "供电单位", "Unit"),
        Column("period_from", "计费自", "From", "day"),
        Column("issued_on", "发行日", "Issued", "day", sortable=True, narrow=True),
        Column("due_on", "缴费截止日", "Due", "day", sortable=True, narrow=True),
        Column("energy_wh", "电量（千瓦时）", "Energy (kWh)", "kwh", sortable=True, narrow=True),
        Column("amount_minor", "金额", "Amount", "money", sortable=True, narrow=True),
        Column("open_minor", "未收", "Open", "money"),
    ),
    read=list_bills,
    filters=(
        Filter("q", "户号或账单号", "Account or bill"),
        Filter("month", "入账月份", "Month booked", "month"),
        Filter("unit", "供电单位", "Unit", "choice"),
    ),
    sort="bill_no",
)


@page()
def bills(request: ConsoleRequest) -> HttpResponse:
    """The bills of a month; of all months when a number is looked for."""
    return show_list(request, with_month(request, with_choices(request, BILLS)))


def with_month(request: ConsoleRequest, listed: ListPage) -> ListPage:
    """The list of the last closed month, unless a number is looked for or a month was chosen."""
    if request.GET.get("q"):
        return listed
    with reading() as connection:
        closed_on = last_done_on(connection)
    latest = f"{closed_on:%Y-%m}" if closed_on else ""
    return replace(
        listed, filters=[replace(each, default=latest) if each.kind == "month" else each for each in listed.filters]
    )


@page()
def bill(request: ConsoleRequest, bill_no: str) -> HttpResponse:
    """How a bill came about, and what became of it."""
    with reading() as connection:
        found = find_bill(connection, request.scope, bill_no)
        if found is None:
            raise Http404
        told = explain_bill(connection, bill_no, current_law())
    return render(request, "console/bill.html", {"found": found, "told": told})


urlpatterns = [
    path("bills/", bills, name="bills"),
    path("bills/<str:bill_no>/", bill, name="bill"),
]
