"""The collectors' desk: what the last closed day ordered, by stage and channel, and its results recorded in place."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from recoup.database.listing import Asked, Connection, Page, Row
from recoup.domains.access.permissions import RECORD_OUTCOME, may
from recoup.domains.access.scope import Scope, scope_of_unit
from recoup.domains.collection.queries import ActionKey, WorkFilter, count_work, list_work
from recoup.domains.network.queries import list_places
from recoup.engine.work import find_filter, judge_promise
from recoup.labels import Labels
from recoup.usecases.outcomes import OutcomeRefused, Told, list_channel_results, record_outcome
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.lists import ListPage, export_list
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Filter, as_table, read_asked, to_account

DONE = "done"
# Days ahead that a promise is offered for with one tap.
QUICK_DAYS = (0, 3, 7)

FILTERS = (
    Filter("tab", "", ""),
    Filter("unit", "供电单位", "Unit", "choice"),
    Filter("minimum", "金额不低于（元）", "At least"),
)
COLUMNS = (
    Column("account_no", "户号", "Account", "code", link=to_account),
    Column("name", "户名", "Customer"),
    Column("unit_name", "供电单位", "Unit"),
    Column("stage", "阶段", "Stage", "count"),
    Column("channel", "渠道", "Channel", "mark"),
    Column("overdue_minor", "逾期金额", "Overdue", "money"),
    Column("oldest_overdue_days", "最长逾期天数", "Oldest, days", "count"),
    Column("last_contact_on", "上次联系", "Last contact", "day"),
    Column("earlier_promise_on", "上次承诺", "Last promise", "day"),
    Column("earlier_promise_state", "承诺情况", "Promise", "mark"),
    Column("received_minor", "新到款", "Received since", "money"),
    Column("result", "结果", "Result", "mark"),
    Column("recorded_by", "登记人", "Recorded by"),
)


class Tab(NamedTuple):
    """One tab: its value in the address, words, how many actions, whether it is open."""

    value: str
    title: Title
    actions: int
    here: bool
    address: str


@page()
def work(request: ConsoleRequest) -> HttpResponse:
    """The list, or its export."""
    asked = _read_asked(request, request.GET)
    form = request.GET.get("export", "")
    if form in ("csv", "xlsx"):
        listed = ListPage("work", Title("催收工作", "Work list"), _columns(), _read_page, FILTERS)
        return export_list(request, listed, asked, form)
    return render(request, "console/work.html", _describe(request, asked))


def _read_asked(request: ConsoleRequest, query: QueryDict) -> Asked:
    return read_asked(query, _filters(request), COLUMNS, "")


def _filters(request: ConsoleRequest) -> list[Filter]:
    with reading() as connection:
        places = {each["code"]: each["name"] for each in list_places(connection, request.scope)}
    units = {"": Title("全部", "all"), **places}
    return [each if each.key != "unit" else Filter("unit", each.zh, each.en, "choice", units) for each in FILTERS]


def _describe(request: ConsoleRequest, asked: Asked) -> dict[str, Any]:
    """Everything the page shows: tabs with counts, rows with what can be answered, pages."""
    with reading() as connection:
        wanted = _make_filter(connection, asked)
        found = _read_page(connection, request.scope, asked)
        tabs = _make_tabs(connection, request.scope, asked)
    digits = current_law().rules.minor_digits
    filters = [each for each in _filters(request) if each.key != "tab"]
    table = as_table(found, COLUMNS, asked, request.language, digits, filters=filters, path=request.path)
    return {
        "title": Title("催收工作", "Work list"),
        "table": table,
        "tabs": tabs,
        "items": [_make_item(row, wanted) for row in found.rows],
        "today": wanted.today,
        "decided_on": wanted.decided_on,
        "digits": digits,
        "may_record": may(request.staff, RECORD_OUTCOME),
        "query": request.GET.urlencode(),
    }


def _make_filter(connection: Connection, asked: Asked) -> WorkFilter:
    """The filter of an address: the tab is "stage-channel" or "done"."""
    stage, _, channel = asked.get("tab").partition("-")
    return find_filter(
        connection,
        units=scope_of_unit(asked.get("unit")) if asked.get("unit") else Scope.EVERYTHING,
        stage=int(stage) if stage.isascii() and stage.isdigit() and len(stage) < 4 else None,
        channel=channel or None,
        minimum_minor=_read_amount(asked.get("minimum")) or 0,
        done=asked.get("tab") == DONE,
    )


def _read_page(connection: Connection, scope: Scope, asked: Asked) -> Page:
    wanted = _make_filter(connection, asked)
    rows = list_work(connection, scope, wanted, limit=asked.limit, offset=asked.offset)
    told = [{**row, "earlier_promise_state": judge_promise(row, row["decided_on"])} for row in rows]
    return Page(told, sum(each["actions"] for each in count_work(connection, scope, wanted)))


def _make_tabs(connection: Connection, scope: Scope, asked: Asked) -> list[Tab]:
    """All, each stage and channel, and those answered, each with its count under the other filters."""
    others = {key: value for key, value in asked.filters.items() if key != "tab"}
    counts = count_work(connection, scope, _make_filter(connection, Asked({**others, "tab": ""})))
    answered = count_work(connection, scope, _make_filter(connection, Asked({**others, "tab": DONE})))
    here = asked.get("tab")
    tabs = [("", Title("全部待办", "To do"), sum(each["actions"] for each in counts))]
    for each in counts:
        tabs.append((f"{each['stage']}-{each['channel']}", _name_tab(each), each["actions"]))
    if here not in ("", DONE) and here not in {value for value, _, _ in tabs} and "-" in here:
        stage, _, channel = here.partition("-")
        tabs.append((here, _name_tab({"stage": stage, "channel": channel}), 0))
    tabs.append((DONE, Title("已登记", "Answered"), sum(each["actions"] for each in answered)))
    address = reverse("console:work")
    return [
        Tab(value, title, count, value == here, f"{address}?{_encode({**others, 'tab': value})}")
        for value, title, count in tabs
    ]


def _name_tab(each: Mapping[str, Any]) -> Title:
    stage, channel = each["stage"], each["channel"]
    return Title(f"阶段{stage} · {Labels('zh')(channel)}", f"Stage {stage} · {Labels('en')(channel)}")


def _encode(values: Mapping[str, str]) -> str:
    query = QueryDict(mutable=True)
    query.update({key: value for key, value in values.items() if value})
    return query.urlencode()


def _make_item(row: Row, wanted: WorkFilter) -> dict[str, Any]:
    """A row with the results its channel offers and the key of this form."""
    documents = current_law().documents
    results = list_channel_results(documents.results, row["channel"])
    said = next((each for each in documents.results.results if each.code == row["result"]), None)
    return {
        "row": row,
        "results": [each for each in results if not each.promise],
        "promise": next((each for each in results if each.promise), None),
        "quick": [_make_quick(wanted.today + timedelta(days=days), days) for days in QUICK_DAYS],
        "last": wanted.today + timedelta(days=documents.results.promise_days_max),
        "said": said,
        "request_key": uuid.uuid4().hex,
        "covered": bool(row["received_minor"] and row["received_minor"] >= row["overdue_minor"]),
    }


def _make_quick(on: date, days: int) -> dict[str, Any]:
    title = Title("今天", "today") if days == 0 else Title(f"{days} 天内", f"in {days} days")
    return {"on": on, "title": title}


@require_POST
@page(RECORD_OUTCOME)
def tell_outcome(request: ConsoleRequest) -> HttpResponse:
    """Record one result and answer with the row as it stands now and the tabs' new counts."""
    query = QueryDict(request.POST.get("query", "")[:500])
    key = _read_key(request.POST)
    refused: Mapping[str, str] | None = None
    try:
        if key is None:
            raise OutcomeRefused(
                "表单不完整，请刷新清单后重试", "the form is incomplete: reload the list and try again"
            )
        _record(request, key)
    except OutcomeRefused as error:
        refused = error.words
    if not request.headers.get("HX-Request"):
        return redirect(f"{reverse('console:work')}?{query.urlencode()}")
    return render(request, "console/_work_told.html", _describe_row(request, query, key, refused))


def _record(request: ConsoleRequest, key: ActionKey) -> None:
    with reading() as connection:
        today = find_filter(connection).today
    record_outcome(request.staff, key, _read_told(request.POST), current_law().documents.results, today)


def _describe_row(
    request: ConsoleRequest, query: QueryDict, key: ActionKey | None, refused: Mapping[str, str] | None
) -> dict[str, Any]:
    """The one row of a form, wherever it stands now, with the tabs around it."""
    asked = _read_asked(request, query)
    with reading() as connection:
        wanted = _make_filter(connection, asked)
        tabs = _make_tabs(connection, request.scope, asked)
        row = _find_row(connection, request, wanted, key) if key else None
    return {
        "item": _make_item(row, wanted) if row else None,
        "tabs": tabs,
        "refused": refused,
        "today": wanted.today,
        "digits": current_law().rules.minor_digits,
        "may_record": may(request.staff, RECORD_OUTCOME),
        "query": query.urlencode(),
        "fresh": True,
        "given": {name: request.POST.get(name, "") for name in ("note", "promise_on", "amount")} if refused else {},
    }


def _find_row(connection: Connection, request: ConsoleRequest, wanted: WorkFilter, key: ActionKey) -> Row | None:
    for done in (True, False):
        rows = list_work(connection, request.scope, WorkFilter(wanted.decided_on, wanted.today, done=done, only=key))
        if rows:
            return {**rows[0], "earlier_promise_state": judge_promise(rows[0], rows[0]["decided_on"])}
    return None


def _read_key(form: QueryDict) -> ActionKey | None:
    contract, decided_on = form.get("contract", ""), _read_day(form.get("decided_on", ""))
    if decided_on is None or not (contract.isascii() and contract.isdigit() and len(contract) < 19):
        return None
    return ActionKey(int(contract), decided_on, form.get("action_code", "")[:100])


def _read_told(form: QueryDict) -> Told:
    """A form as what it tells. `result` may carry the day of a quick promise: PROMISED/2018-07-04."""
    code, _, quick = form.get("result", "").partition("/")
    promised = bool(quick) or code in {each.code for each in current_law().documents.results.results if each.promise}
    promise_on = _read_day(quick or form.get("promise_on", "")) if promised else None
    amount = form.get("amount", "").strip()
    minor = _read_amount(amount) if promised and amount and not quick else None
    if promised and amount and not quick and minor is None:
        raise OutcomeRefused(f"“{amount}”不是金额，请写成 120.50", f"{amount!r} is no amount: write 120.50")
    return Told(
        result=code[:100],
        promise_on=promise_on,
        promise_minor=minor,
        note=form.get("note", "").replace("\x00", ""),
        correct=form.get("correct") == "1",
        request_key=form.get("request_key", "")[:64] or None,
    )


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _read_amount(text: str) -> int | None:
    """An amount in major units as minor units of the book; None when it is none."""
    try:
        scaled = Decimal(text.replace(",", "").strip()).scaleb(current_law().rules.minor_digits)
    except InvalidOperation:
        return None
    whole = scaled.is_finite() and scaled == scaled.to_integral_value() and abs(scaled) < Decimal(10) ** 15
    return int(scaled) if whole else None


def _columns() -> Sequence[Column]:
    """The columns of the export, with results in words."""
    words = {each.code: each.title for each in current_law().documents.results.results}
    return [Column(**{**vars(each), "words": words}) if each.key == "result" else each for each in COLUMNS]


urlpatterns = [
    path("work/", work, name="work"),
    path("work/outcome/", tell_outcome, name="work-outcome"),
]
