"""Accounts: the list, and the search box of every page."""

from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.http import urlencode

from recoup.domains.contracts.queries import find_account, list_accounts, list_units
from recoup.rulebook.schema import Classes
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Filter, to_account

ACCOUNTS = ListPage(
    name="accounts",
    title=Title("户号", "Accounts"),
    columns=(
        Column("account_no", "户号", "Account", "code", sortable=True, link=to_account),
        Column("old_account_no", "旧户号", "Old number", "code"),
        Column("name", "户名", "Customer"),
        Column("class", "用电类别", "Class", "mark"),
        Column("unit_name", "供电单位", "Unit"),
        Column("owed_minor", "未收金额", "Owed", "money", sortable=True, narrow=True),
    ),
    read=list_accounts,
    filters=(
        Filter("q", "户号、户名或电话", "Number, name or phone"),
        Filter("unit", "供电单位", "Unit", "choice"),
        Filter("class", "用电类别", "Class", "choice"),
        Filter("owing", "仅看欠费", "Owing only", "flag"),
    ),
    sort="account_no",
)


@page()
def accounts(request: ConsoleRequest) -> HttpResponse:
    """All accounts of the person's unit."""
    return show_list(request, with_choices(request, ACCOUNTS))


@page()
def search(request: ConsoleRequest) -> HttpResponse:
    """From the search box: straight to the account of a whole number, else to the list."""
    text = request.GET.get("q", "").strip()[:200]
    with reading() as connection:
        found = find_account(connection, request.scope, text) if text else None
    if found:
        return redirect("console:account", found["account_no"])
    return redirect(f"{reverse('console:accounts')}?{urlencode({'q': text})}")


def name_classes() -> dict[str, Title]:
    """The customer classes in words."""
    documents = current_law().documents.documents
    found = next(each for each in documents if isinstance(each, Classes))
    return {each.code: Title(each.title.zh, each.title.en) for each in found.values[-1].classes}


def with_choices(request: ConsoleRequest, listed: ListPage) -> ListPage:
    """The list with the units of the person's scope and the classes of the rulebook to choose from."""
    with reading() as connection:
        units = {each["code"]: each["name"] for each in list_units(connection, request.scope)}
    classes = name_classes()
    choices = {"unit": units, "class": classes}
    filters = [
        replace(each, choices={"": Title("全部", "all"), **choices[each.key]}) if each.key in choices else each
        for each in listed.filters
    ]
    columns = [replace(each, words=classes) if each.key == "class" else each for each in listed.columns]
    return replace(listed, filters=filters, columns=columns)


urlpatterns = [
    path("accounts/", accounts, name="accounts"),
    path("search/", search, name="search"),
]
