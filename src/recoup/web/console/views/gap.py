"""The gap list: the accounts that make the missing amount, ranked, with owner, last contact and promise."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

from recoup.core.indicators import MEASURES
from recoup.database.listing import Asked
from recoup.definitions import define
from recoup.domains.access.permissions import EXPORT, SET_TARGET, may, require
from recoup.engine.figures import as_major, as_share
from recoup.engine.gap import DEFAULT_MEASURE, Wanted, list_gap
from recoup.labels import Labels, grouped, percent
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.exports import EXPORT_ROWS, export_table
from recoup.web.console.language import EN, Title
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Filter, Table, name_code, read_asked, to_account

_NOBODY = Title("未指定", "nobody")
_STAGES = {"0": Title("未催收", "none")}
_FIRST = (
    Column("rank", "序", "#", "number"),
    Column("account_no", "户号", "Account", "code", link=to_account),
    Column("name", "户名", "Customer"),
)
_DEBT = (
    Column("open_minor", "未收", "Open", "money"),
    Column("through_minor", "累计", "Running sum", "money"),
    Column("oldest_overdue_days", "逾期天数", "Days overdue", "count"),
)
_STAGE_SHOWN = (Column("stage", "阶段", "Stage", "number", words=_STAGES),)
_STAGE = (Column("stage", "阶段", "Stage", "number"),)
_OWNER = (Column("owner", "责任人", "Owner", tone=lambda row: "" if row["owners"] else "warn"),)
_UNIT = (Column("unit_name", "供电单位", "Unit"),)
_SHORT = (
    Column("contact", "最近联系", "Last contact", "code"),
    Column("promise", "承诺 / 暂停", "Promise or hold", "code"),
)
_HELD = (Column("held_for", "暂停原因", "Held for", "mark", tone=lambda _: "warn"),)
_LONG = (
    Column("contract_key", "合同", "Contract", "code"),
    Column("class", "用电类别", "Class", "mark"),
    Column("contact_on", "最近联系", "Last contact", "day"),
    Column("contact_channel", "联系方式", "Contacted by", "mark"),
    Column("contact_result", "联系结果", "Result"),
    Column("promise_on", "承诺日", "Promised for", "day"),
    Column("promise_minor", "承诺金额", "Promised", "money"),
    Column("held_until", "暂停至", "Held until", "day"),
)
ON_PAGE: Sequence[Column] = (*_FIRST, *_DEBT, *_STAGE_SHOWN, *_OWNER, *_SHORT)
IN_FILE: Sequence[Column] = (*_FIRST, *_UNIT, *_DEBT, *_STAGE, *_OWNER, *_LONG, *_HELD)


def describe_rows(rows: list[dict[str, Any]], language: str, digits: int) -> list[dict[str, Any]]:
    """Rows with owners, last contact and promise each as one text."""
    return [
        {
            **row,
            "owner": "、".join(row["owners"]) or _NOBODY.say(language),
            "contact": _join(row["contact_on"], name_code(row["contact_channel"] or "", {}, language)),
            "promise": _tell_promise(row, language, digits),
        }
        for row in rows
    ]


def _tell_promise(row: dict[str, Any], language: str, digits: int) -> str:
    """What was promised; without a promise, what else stops dunning."""
    if row["promise_on"] is None:
        return name_code(row["held_for"] or "", {}, language)
    return _join(row["promise_on"], grouped(as_major(row["promise_minor"], digits)))


def _join(day: date | None, what: str) -> str:
    return f"{day.isoformat()} {what}".strip() if day else ""


_FILTERS = (
    Filter("measure", "指标", "Rate", "choice", default=DEFAULT_MEASURE),
    Filter("unit", "供电单位", "Unit", "choice"),
    Filter("on", "业务日", "Day", "choice"),
    Filter("all", "超出缺口继续列出", "Go on beyond the gap", "flag"),
)


@page()
def gap(request: ConsoleRequest) -> HttpResponse:
    """The gap list of a unit, or its export."""
    from recoup.web.console.views.dashboard import read_chosen

    rules = current_law().rules
    with reading() as connection:
        chosen = read_chosen(request, connection)
        filters = _fill_choices(request.language, chosen.units, [day.isoformat() for day in chosen.days])
        asked = read_asked(request.GET, filters, (), "")
        form = request.GET.get("export", "")
        exported = form in ("csv", "xlsx")
        if exported:
            require(request.staff, EXPORT)
            asked = replace(asked, offset=0, limit=EXPORT_ROWS)
        wanted = Wanted(asked.get("measure"), chosen.unit, asked.limit, asked.offset, needed_only=not asked.get("all"))
        found = list_gap(connection, request.scope, chosen.on, rules.denom, wanted)
    total = (found.debtors if asked.get("all") else found.needed).contracts
    table = _make_table(request, found.rows, asked, total, filters, rules.minor_digits)
    if exported:
        return export_table(request, f"gap-{asked.get('measure')}-{found.on}", table, form)
    language = "en" if request.language == EN else "zh"
    context = {
        "title": Title("缺口清单", "Gap list"),
        "found": found,
        "needed": f"{found.needed.contracts:,}",
        "rest": f"{found.rest.contracts:,}",
        "table": table,
        "digits": rules.minor_digits,
        "rate_name": Labels(language)(f"collection_rate_{found.missing.measure}"),
        "share": percent(as_share(found.missing.share_ppm)),
        "target": percent(as_share(found.missing.target.share_ppm)) if found.missing.target else "",
        "definition": define("gap", language),
        "may_set_target": may(request.staff, SET_TARGET),
    }
    return render(request, "console/gap.html", context)


def _make_table(
    request: ConsoleRequest,
    rows: list[dict[str, Any]],
    asked: Asked,
    total: int,
    filters: Sequence[Filter],
    digits: int,
) -> Table:
    return Table(
        IN_FILE if asked.limit == EXPORT_ROWS else ON_PAGE,
        describe_rows(rows, request.language, digits),
        request.language,
        digits,
        asked=asked,
        total=total,
        filters=filters,
        path=request.path,
        exports=True,
        empty=Title("目标已达成，或尚未设定目标。", "The target is met, or none is set."),
    )


def _fill_choices(language: str, units: dict[str, str], days: list[str]) -> list[Filter]:
    labels = Labels("en" if language == EN else "zh")
    choices: dict[str, dict[str, Any]] = {
        "measure": {measure: labels(f"collection_rate_{measure}") for measure in MEASURES},
        "unit": {"": Title("全部", "all"), **units},
        "on": {"": Title("最近一日", "the last one"), **{day: day for day in days}},
    }
    return [replace(each, choices=choices.get(each.key, {})) for each in _FILTERS]


urlpatterns = [path("gap/", gap, name="gap")]
