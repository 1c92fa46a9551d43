"""Targets of the collection rates: what is in force, what was set before, and the form that sets one."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST

from recoup.core.indicators import MEASURES
from recoup.database.connect import connect
from recoup.domains.access.models import WHOLE_BOOK
from recoup.domains.access.permissions import SET_TARGET, may, require
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.operations import TargetRefused, set_target
from recoup.domains.analytics.queries import TargetSet, list_targets
from recoup.domains.audit.operations import record
from recoup.domains.contracts.queries import list_units
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Table
from recoup.web.console.views.dashboard import short

TARGET_SET = "SET_TARGET"
PPM_PER_PERCENT = 10_000
_COLUMNS = (
    Column("unit_name", "供电单位", "Unit"),
    Column("measure", "指标", "Rate", "mark"),
    Column("share_ppm", "目标", "Target", "percent"),
    Column("valid_from", "自", "From", "day"),
    Column("set_by", "设定人", "Set by"),
    Column("set_at", "设定时间", "Set at", "instant"),
)
_BAD_SHARE = Title("目标写成百分数，如 99 或 98.75。", "Write a target in percent, such as 99 or 98.75.")


@page()
def targets(request: ConsoleRequest) -> HttpResponse:
    """The targets of the person's units, the newest first."""
    with reading() as connection:
        units = {each["code"]: str(each["name"]) for each in list_units(connection, request.scope)}
        found = list_targets(connection)
    whole = Title("全公司", "the whole book")
    rows = [_describe(each, units, request.language, whole) for each in found if _is_seen(request.scope, each.org_unit)]
    columns = [_COLUMNS[0], _measure_column(request.language), *_COLUMNS[2:]]
    context = {
        "title": Title("目标", "Targets"),
        "table": Table(columns, rows, request.language, empty=Title("还没有设定目标。", "No target is set yet.")),
        "units": ({WHOLE_BOOK: whole.say(request.language)} if request.scope.units is None else {}) | units,
        "measures": _name_measures(request.language),
        "may_set": may(request.staff, SET_TARGET),
    }
    return render(request, "console/targets.html", context)


def _is_seen(scope: Scope, unit: str) -> bool:
    return unit == WHOLE_BOOK or scope.holds(unit)


def _describe(target: TargetSet, units: dict[str, str], language: str, whole: Title) -> dict[str, Any]:
    name = whole.say(language) if target.org_unit == WHOLE_BOOK else units.get(target.org_unit, target.org_unit)
    return {**target._asdict(), "unit_name": name}


def _name_measures(language: str) -> dict[str, str]:
    from recoup.labels import Labels

    return {measure: Labels(short(language))(f"collection_rate_{measure}") for measure in MEASURES}


def _measure_column(language: str) -> Column:
    return Column("measure", "指标", "Rate", "mark", words=_name_measures(language))


@require_POST
@page(SET_TARGET)
def set_one(request: ConsoleRequest) -> HttpResponse:
    """Set a target of a unit within the person's scope."""
    require(request.staff, SET_TARGET)
    form = request.POST
    unit, measure = form.get("unit", ""), form.get("measure", "")
    try:
        share, valid_from = _read_share(form.get("percent", "")), date.fromisoformat(form.get("from", ""))
        if (unit == WHOLE_BOOK and request.scope.units is not None) or not _is_seen(request.scope, unit):
            raise TargetRefused("that unit lies outside yours: choose one of the list")
        with connect("app") as connection, connection.cursor() as cursor:
            set_target(
                cursor, unit=unit, measure=measure, share_ppm=share, valid_from=valid_from, by=request.staff.username
            )
    except TargetRefused as refused:
        told = Title("目标未设定：单位须在您的管辖范围内，目标在 0 到 100 % 之间。", str(refused))
        messages.warning(request, told.say(request.language))
    except (ValueError, InvalidOperation):
        messages.warning(request, _BAD_SHARE.say(request.language))
    else:
        record(
            request.staff, TARGET_SET, unit, detail={"measure": measure, "share_ppm": share, "from": str(valid_from)}
        )
    return redirect("console:targets")


def _read_share(text: str) -> int:
    """A percentage as ppm; ValueError for more digits than a target keeps."""
    wanted = Decimal(text.strip().removesuffix("%").strip()) * PPM_PER_PERCENT
    if not wanted.is_finite() or wanted != wanted.to_integral_value():
        raise ValueError(text)
    return int(wanted)


urlpatterns = [
    path("targets/", targets, name="targets"),
    path("targets/set/", set_one, name="target-set"),
]
