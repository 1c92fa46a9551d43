"""Payments: what came in, when it was paid and when it was told."""

from dataclasses import replace

from django.http import HttpResponse
from django.urls import path

from recoup.domains.payments.queries import list_channels, list_payments
from recoup.labels import Labels
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Filter, to_account
from recoup.web.console.views.accounts import with_choices
from recoup.web.console.views.bills import with_month

PAYMENTS = ListPage(
    name="payments",
    title=Title("收款", "Payments"),
    columns=(
        Column("received_on", "到账日", "Received on", "day", sortable=True),
        Column("value_on", "付款日", "Paid on", "day", sortable=True, narrow=True),
        Column("account_no", "户号", "Account", "code", link=to_account),
        Column("name", "户名", "Customer"),
        Column("unit_name", "供电单位", "Unit"),
        Column("channel", "渠道", "Channel", "mark", sortable=True, narrow=True),
        Column("channel_key", "流水号", "Receipt", "code"),
        Column("amount_minor", "金额", "Amount", "money", sortable=True, narrow=True),
        Column("designation", "指定账项", "Designated for", "code"),
        Column("reverses", "冲回", "Reverses", "code"),
    ),
    read=list_payments,
    filters=(
        Filter("q", "户号或流水号", "Account or receipt"),
        Filter("month", "到账月份", "Month received", "month"),
        Filter("channel", "渠道", "Channel", "choice"),
        Filter("unit", "供电单位", "Unit", "choice"),
    ),
    sort="-received_on",
)


@page()
def payments(request: ConsoleRequest) -> HttpResponse:
    """The payments of a month; of all months when a number is looked for."""
    with reading() as connection:
        codes = list_channels(connection)
    channels = {code: Title(Labels("zh")(code), Labels("en")(code)) for code in codes}
    choices = {"": Title("全部", "all"), **channels}
    filters = [replace(each, choices=choices) if each.key == "channel" else each for each in PAYMENTS.filters]
    listed = with_month(request, with_choices(request, replace(PAYMENTS, filters=filters)))
    return show_list(request, listed)


urlpatterns = [path("payments/", payments, name="payments")]
