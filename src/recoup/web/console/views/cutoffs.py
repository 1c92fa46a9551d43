"""Month end: signed cut-offs, what has changed since and why, and the signature."""

from datetime import date, timedelta
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from recoup.core.indicators import MEASURES, SUMS
from recoup.database.connect import connect
from recoup.database.listing import Asked, Connection
from recoup.definitions import define
from recoup.domains.access.permissions import EXPORT, SIGN, NotPermitted, may, require
from recoup.domains.analytics.queries import Signed, list_cutoffs
from recoup.domains.audit.operations import record
from recoup.engine.cutoffs import Compared, CutoffRefused, compare, sign
from recoup.engine.differences import KINDS, LATE_DEBT, LATE_RECEIPT, MOVED_RECEIPT, REVERSED_RECEIPT
from recoup.engine.figures import as_major, as_share
from recoup.engine.runs import first_run_on, last_done_on
from recoup.labels import Labels, grouped, percent
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.exports import EXPORT_ROWS, export_table
from recoup.web.console.language import Title
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Table, read_asked, to_account
from recoup.web.console.views.dashboard import list_meanings, short

SIGN_CUTOFF = "SIGN_CUTOFF"
MONTHS_OFFERED = 12

KIND_WORDS = {
    REVERSED_RECEIPT: Title("收款被冲回", "Receipt reversed"),
    LATE_RECEIPT: Title("迟报收款", "Receipt told late"),
    LATE_DEBT: Title("迟报应收", "Debt told late"),
    MOVED_RECEIPT: Title("收款改核销", "Receipt applied otherwise"),
}
assert set(KIND_WORDS) == set(KINDS)

_TONES: dict[str, str] = {REVERSED_RECEIPT: "bad", LATE_RECEIPT: "info", LATE_DEBT: "warn"}

_FACT_COLUMNS = (
    Column("kind", "事实", "Fact", "mark", words=KIND_WORDS, tone=lambda row: _TONES.get(row["kind"], "")),
    Column("account_no", "户号", "Account", "code", link=to_account),
    Column("channel", "渠道", "Channel"),
    Column("number", "凭证号", "Number", "code"),
    Column("amount_minor", "金额", "Amount", "money"),
    Column("value_on", "到账日", "Value day", "day"),
    Column("told_on", "得知日", "Told", "day"),
    Column("reversed_on", "冲回日", "Reversed", "day"),
    Column("received_minor", "对已收的影响", "Effect on received", "money"),
    Column("receivable_minor", "对应收的影响", "Effect on receivable", "money"),
)


class Rate(NamedTuple):
    """A rate reported and known now."""

    name: str
    definition: str
    reported: str
    known: str
    changed: bool


class Base(NamedTuple):
    """A base of the rates reported, known now, and their difference in words."""

    name: str
    reported: str
    known: str
    difference: str
    unexplained: str


def _signed_columns() -> tuple[Column, ...]:
    def lead(row: dict[str, Any]) -> str | None:
        return reverse("console:cutoff", args=[row["business_on"]])

    return (
        Column("business_on", "业务日", "Business day", "day", link=lead),
        Column("signed_by", "签报人", "Signed by"),
        Column("signed_at", "签报时间", "Signed at", "instant"),
        Column("closed_to_on", "当时已关账至", "Closed to, then", "day"),
        Column("run_no", "运行", "Run", "number"),
        Column("hash", "内容散列", "Content hash", "code"),
    )


@page()
def cutoffs(request: ConsoleRequest) -> HttpResponse:
    """The signed cut-offs, and the form that signs another."""
    with reading() as connection:
        signed = list_cutoffs(connection)
        days = _list_signable(connection, signed)
    rows = [{**each._asdict(), "hash": each.content_hash[:16]} for each in signed]
    table = Table(_signed_columns(), rows, request.language, empty=Title("还没有签报。", "Nothing is signed yet."))
    context = {
        "title": Title("月末定稿", "Month end"),
        "table": table,
        "days": days,
        "may_sign": may(request.staff, SIGN) and request.scope.units is None,
        "meanings": list_meanings(request.language),
    }
    return render(request, "console/cutoffs.html", context)


def _list_signable(connection: Connection, signed: list[Signed]) -> list[date]:
    """Month ends and the last closed day, not signed yet, the newest first."""
    last, first = last_done_on(connection), first_run_on(connection)
    if last is None or first is None:
        return []
    known = {each.business_on for each in signed}
    days, day = [last], last.replace(day=1) - timedelta(days=1)
    while day >= first and len(days) <= MONTHS_OFFERED:
        days.append(day)
        day = day.replace(day=1) - timedelta(days=1)
    return [day for day in days if day not in known]


@require_POST
@page(SIGN)
def sign_day(request: ConsoleRequest) -> HttpResponse:
    """Sign a closed day in one's own name. Only who sees the whole book may: its figures are the company's."""
    require(request.staff, SIGN)
    on = _read_day(request.POST.get("day", ""))
    who = f"{request.staff.name} ({request.staff.username})"
    if request.scope.units is not None:
        raise NotPermitted(request.staff, SIGN)
    try:
        with connect("app") as connection:
            signed = sign(connection, on, who, current_law().rules.denom)
    except CutoffRefused as refused:
        told = Title(f"{on} 不能签报：该日未关账，或已有人签报。请看下表。", str(refused))
        messages.warning(request, told.say(request.language))
        return redirect("console:cutoffs")
    record(request.staff, SIGN_CUTOFF, on.isoformat(), detail={"content_hash": signed.content_hash})
    return redirect("console:cutoff", on.isoformat())


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Http404 from error


@page()
def cutoff(request: ConsoleRequest, day: str) -> HttpResponse:
    """One signed day: reported, known now, and every fact between them."""
    on, language = _read_day(day), request.language
    digits = current_law().rules.minor_digits
    try:
        with reading() as connection:
            compared = compare(connection, on, request.scope, prepared=True)
    except CutoffRefused as refused:
        raise Http404(str(refused)) from refused
    asked = read_asked(request.GET, (), (), "")
    form = request.GET.get("export", "")
    if form in ("csv", "xlsx"):
        require(request.staff, EXPORT)
        return export_table(request, f"cutoff-{on}", _table_of_facts(request, compared, None, digits), form)
    context = {
        "title": Title(f"{on} 签报", f"Cut-off {on}"),
        "signed": compared.signed,
        "holds": compared.holds,
        "known_at": compared.known_at,
        "rates": _list_rates(compared, language),
        "bases": _list_bases(compared, language, digits),
        "unexplained": any(compared.unexplained(base) for base in SUMS),
        "table": _table_of_facts(request, compared, asked, digits),
        "waiting": compared.waiting,
        "digits": digits,
        "units_table": _table_of_units(compared, language, digits),
        "meanings": list_meanings(language),
    }
    return render(request, "console/cutoff.html", context)


def _list_rates(compared: Compared, language: str) -> list[Rate]:
    labels = Labels(short(language))
    names = [f"collection_rate_{measure}" for measure in MEASURES]
    keys = [f"rate_{measure}_ppm" for measure in MEASURES]
    return [
        Rate(
            labels(name),
            define(name, short(language)),
            percent(as_share(compared.reported[key])),
            percent(as_share(compared.known[key])),
            compared.reported[key] != compared.known[key],
        )
        for name, key in zip(names, keys, strict=True)
    ]


def _list_bases(compared: Compared, language: str, digits: int) -> list[Base]:
    labels = Labels(short(language))

    def show(minor: int) -> str:
        return grouped(as_major(minor, digits))

    return [
        Base(
            labels(base.removesuffix("_minor")),
            show(compared.reported[base]),
            show(compared.known[base]),
            show(compared.difference(base)),
            show(compared.unexplained(base)) if compared.unexplained(base) else "",
        )
        for base in SUMS
    ]


def _table_of_facts(request: ConsoleRequest, compared: Compared, asked: Asked | None, digits: int) -> Table:
    facts = compared.facts
    shown = facts.slice(asked.offset, asked.limit) if asked else facts.head(EXPORT_ROWS)
    totals = {name: sum(facts[name].to_list()) for name in ("received_minor", "receivable_minor")}
    return Table(
        _FACT_COLUMNS,
        shown.to_dicts(),
        request.language,
        digits,
        title=Title("差异的由来", "What makes the difference"),
        empty=Title("签报后没有改变该日的事实。", "No fact told since changes this day."),
        asked=asked,
        total=facts.height,
        totals=totals if facts.height else {},
        path=request.path,
        exports=True,
    )


def _table_of_units(compared: Compared, language: str, digits: int) -> Table:
    columns = (
        Column("unit_name", "供电单位", "Unit"),
        Column("received_minor", "已收（签报）", "Received, reported", "money"),
        Column("received_minor_known", "已收（现已知）", "Received, known now", "money"),
        Column("rate_current_ppm", "当年（签报）", "Current, reported", "percent"),
        Column("rate_current_ppm_known", "当年（现已知）", "Current, known now", "percent"),
        Column("rate_cumulative_ppm", "累计（签报）", "Cumulative, reported", "percent"),
        Column("rate_cumulative_ppm_known", "累计（现已知）", "Cumulative, known now", "percent"),
    )
    return Table(columns, compared.units.to_dicts(), language, digits, title=Title("各单位", "By unit"), region="units")


urlpatterns = [
    path("cutoffs/", cutoffs, name="cutoffs"),
    path("cutoffs/sign/", sign_day, name="cutoff-sign"),
    path("cutoffs/<str:day>/", cutoff, name="cutoff"),
]
