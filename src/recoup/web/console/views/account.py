"""The page of one account: who, what is owed, how it came about, what was done, and why or why not on any day."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from recoup.database.listing import Connection, Row
from recoup.domains.access.permissions import REVEAL
from recoup.domains.audit.operations import REVEAL as REVEALED
from recoup.domains.audit.operations import record
from recoup.domains.billing.queries import list_bills_of_account
from recoup.domains.collection.queries import list_contacts, list_episodes
from recoup.domains.contracts.queries import find_account, list_contracts
from recoup.domains.ledger.queries import list_postings_of_account, sum_subjects_of_account
from recoup.domains.parties.queries import find_phones, reveal
from recoup.domains.payments.queries import list_payments_of_account
from recoup.domains.receivables.queries import list_credits_of_account, list_holds_of_account
from recoup.engine import why
from recoup.engine.figures import NothingClosed
from recoup.engine.owed import list_owed
from recoup.engine.runs import first_run_on, last_done_on
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Table
from recoup.web.console.views.account_columns import (
    BILLS,
    CREDITS,
    EPISODES,
    HOLDS,
    OWED,
    PAYMENTS,
    columns_of_contacts,
    columns_of_postings,
    columns_of_subjects,
    name_results,
    name_subjects,
)
from recoup.web.console.views.accounts import name_classes
from recoup.web.console.why_words import describe_answer

_REASON_LENGTH = 4

TABS = (
    ("account", Title("总览", "Overview")),
    ("account-bills", Title("账单", "Bills")),
    ("account-payments", Title("收款", "Payments")),
    ("account-ledger", Title("台账", "Ledger")),
    ("account-contacts", Title("催收", "Contacts")),
    ("account-why", Title("为何催 / 不催", "Why / why not")),
)


@dataclass(frozen=True)
class Opened:
    """An account opened by a person who may see it."""

    request: ConsoleRequest
    connection: Connection
    account: Row
    contracts: Sequence[Row]
    on: date

    def table(self, columns: Sequence[Column], rows: Sequence[Row], title: Title, **more: Any) -> Table:
        """A table of this page."""
        digits = current_law().rules.minor_digits
        return Table(columns, rows, self.request.language, digits, title=title, **more)


type Fill = Callable[[Opened], dict[str, Any]]


def _show(request: ConsoleRequest, number: str, tab: str, fill: Fill, revealed: bool = False) -> HttpResponse:
    """One tab of the page: the head is the same on all; 404 for what is not there and what is not to be seen."""
    with reading() as connection:
        account = find_account(connection, request.scope, number)
        if account is None or account["account_no"] != number:
            raise Http404
        contracts = list_contracts(connection, request.scope, account["account_id"])
        on = last_done_on(connection) or date.max
        opened = Opened(request, connection, account, contracts, on)
        phones = find_phones(connection, request.scope, account["account_id"])
        secrets = reveal(connection, request.scope, account["account_id"]) if revealed else {}
        shown = fill(opened)
    classes = name_classes()
    context = {
        "account": account,
        "contracts": [_describe_contract(each, phones, secrets, classes) for each in contracts],
        "owed_minor": sum(each["owed_minor"] for each in contracts),
        "digits": current_law().rules.minor_digits,
        "tabs": [(reverse(f"console:{name}", args=[number]), words, name == tab) for name, words in TABS],
        "revealed": revealed,
        **shown,
    }
    return render(request, f"console/{tab.replace('-', '_')}.html", context)


def _describe_contract(contract: Row, phones: dict[int, str], secrets: dict[int, Row], classes: Any) -> Row:
    party = contract["party_id"]
    return {
        **contract,
        "phone": phones.get(party),
        "class_title": classes.get(contract["class"], contract["class"]),
        **({"secret": secrets[party]} if party in secrets else {}),
    }


def _fill_overview(opened: Opened) -> dict[str, Any]:
    law, scope, account_id = current_law(), opened.request.scope, opened.account["account_id"]
    owed = [
        row for contract in opened.contracts for row in list_owed(opened.connection, scope, contract, opened.on, law)
    ]
    holds = list_holds_of_account(opened.connection, scope, account_id)
    running = [hold for hold in holds if hold["valid_to"] is None or hold["valid_to"] > opened.on]
    credits = list_credits_of_account(opened.connection, scope, account_id)
    return {
        "owed": _tabulate_owed(opened, owed),
        "holds": opened.table(HOLDS, running, Title("生效中的暂停", "Holds in force"), region="holds"),
        "credits": opened.table(CREDITS, credits, Title("未核销款项", "Money not yet applied"), region="credits"),
        "overdue_minor": sum(row["open_minor"] for row in owed if row["days_overdue"]),
        "late_minor": sum(row["late_open_minor"] + row["unbooked_minor"] for row in owed),
        "total_minor": sum(row["total_minor"] for row in owed),
        "verdicts": _ask_why(opened, None)["answers"],
    }


def _tabulate_owed(opened: Opened, owed: list[Row]) -> Table:
    sums = {
        key: sum(row[key] for row in owed) for key in ("open_minor", "late_open_minor", "unbooked_minor", "total_minor")
    }
    nothing = Title("没有未清账项。", "Nothing is owed.")
    title = Title("现欠款项", "Owed now")
    return opened.table(OWED, owed, title, region="owed", totals=sums if len(owed) > 1 else {}, empty=nothing)


def _fill_bills(opened: Opened) -> dict[str, Any]:
    rows = list_bills_of_account(opened.connection, opened.request.scope, opened.account["account_id"])
    return {"table": opened.table(BILLS, rows, Title("账单", "Bills"))}


def _fill_payments(opened: Opened) -> dict[str, Any]:
    rows = list_payments_of_account(opened.connection, opened.request.scope, opened.account["account_id"])
    return {"table": opened.table(PAYMENTS, rows, Title("收款", "Payments"))}


def _fill_ledger(opened: Opened) -> dict[str, Any]:
    scope, account_id, words = opened.request.scope, opened.account["account_id"], name_subjects()
    sums = sum_subjects_of_account(opened.connection, scope, account_id)
    rows = list_postings_of_account(opened.connection, scope, account_id)
    for row in rows:
        amount = row["amount_minor"]
        row["debit_minor"], row["credit_minor"] = (amount, None) if amount > 0 else (None, -amount)
    return {
        "sums": opened.table(columns_of_subjects(words), sums, Title("科目余额", "Balance by subject"), region="sums"),
        "table": opened.table(
            columns_of_postings(words), rows, Title("分录（最近 300 行）", "Postings (latest 300 lines)")
        ),
    }


def _fill_contacts(opened: Opened) -> dict[str, Any]:
    scope, account_id = opened.request.scope, opened.account["account_id"]
    contacts = list_contacts(opened.connection, scope, account_id)
    episodes = list_episodes(opened.connection, scope, account_id)
    holds = list_holds_of_account(opened.connection, scope, account_id)
    title, columns = Title("行动、联系与结果", "Actions, contacts, results"), columns_of_contacts(name_results())
    return {
        "contacts": opened.table(columns, contacts, title),
        "episodes": opened.table(EPISODES, episodes, Title("拖欠期", "Episodes of arrears"), region="episodes"),
        "holds": opened.table(HOLDS, holds, Title("暂停", "Holds"), region="holds"),
    }


def _fill_why(opened: Opened) -> dict[str, Any]:
    asked = opened.request.GET.get("on", "")
    try:
        on = date.fromisoformat(asked) if asked else None
    except ValueError:
        on = None
    first = first_run_on(opened.connection)
    try:
        told = _ask_why(opened, on)
    except NothingClosed:
        told = {"answers": [], "on": asked}
    return {"told": told, "first_on": first, "last_on": opened.on}


def _ask_why(opened: Opened, on: date | None) -> dict[str, Any]:
    """The decision on each contract of this account alone, in words."""
    try:
        told = why.answer(opened.connection, opened.account["account_no"], on, current_law())
    except why.UnknownNumber:
        return {"answers": [], "on": None}
    except NothingClosed:
        if on is not None:
            raise
        return {"answers": [], "on": None}
    mine = [each for each in told["answers"] if each["contract"]["account_no"] == opened.account["account_no"]]
    return {**told, "answers": [describe_answer(each, opened.request.language) for each in mine]}


@page()
def account(request: ConsoleRequest, number: str) -> HttpResponse:
    """What is owed now, by whom, and what was decided last."""
    return _show(request, number, "account", _fill_overview)


@page()
def bills(request: ConsoleRequest, number: str) -> HttpResponse:
    """The bills of an account."""
    return _show(request, number, "account-bills", _fill_bills)


@page()
def payments(request: ConsoleRequest, number: str) -> HttpResponse:
    """The payments of an account."""
    return _show(request, number, "account-payments", _fill_payments)


@page()
def ledger(request: ConsoleRequest, number: str) -> HttpResponse:
    """The postings of an account and its balance by subject."""
    return _show(request, number, "account-ledger", _fill_ledger)


@page()
def contacts(request: ConsoleRequest, number: str) -> HttpResponse:
    """What was decided, sent, answered and held."""
    return _show(request, number, "account-contacts", _fill_contacts)


@page()
def why_not(request: ConsoleRequest, number: str) -> HttpResponse:
    """Why the account was, or was not, acted upon on a day."""
    return _show(request, number, "account-why", _fill_why)


@require_POST
@page(REVEAL, harmless=True)
def reveal_once(request: ConsoleRequest, number: str) -> HttpResponse:
    """Name, phone and address in the open, once, for a reason that is recorded first."""
    reason = request.POST.get("reason", "").strip()[:500]
    if len(reason) < _REASON_LENGTH:
        return _show(request, number, "account", lambda opened: {**_fill_overview(opened), "reason_missing": True})
    with reading() as connection:
        found = find_account(connection, request.scope, number)
    if found is None:
        raise Http404
    with transaction.atomic():
        record(request.staff, REVEALED, number, reason)
    return _show(request, number, "account", _fill_overview, revealed=True)


urlpatterns = [
    path("accounts/<str:number>/", account, name="account"),
    path("accounts/<str:number>/bills/", bills, name="account-bills"),
    path("accounts/<str:number>/payments/", payments, name="account-payments"),
    path("accounts/<str:number>/ledger/", ledger, name="account-ledger"),
    path("accounts/<str:number>/contacts/", contacts, name="account-contacts"),
    path("accounts/<str:number>/why/", why_not, name="account-why"),
    path("accounts/<str:number>/reveal/", reveal_once, name="account-reveal"),
]
