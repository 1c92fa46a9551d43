"""People: who may sign in, with which role, for which unit."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST

from recoup.database.listing import Row
from recoup.domains.access.models import WHOLE_BOOK, Language, Role, Staff
from recoup.domains.access.operations import StaffRefused, add_staff, make_password, set_active, set_password
from recoup.domains.access.permissions import MANAGE_STAFF
from recoup.domains.access.queries import find_staff, list_staff
from recoup.domains.access.scope import scope_of_unit
from recoup.domains.audit.operations import STAFF, record
from recoup.domains.network.queries import list_places
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.context import ROLES
from recoup.web.console.language import Title
from recoup.web.console.reading import reading
from recoup.web.console.tables import Column, Table

_OUTSIDE = Title("该单位不在您的管辖范围内。", "That unit lies outside yours.")
_MADE = Title("已新增，初始密码只显示这一次：", "Added. The password is shown this once: ")
_RESET = Title("已重设，密码只显示这一次：", "Set. The password is shown this once: ")
_OWN = Title("不能停用自己。", "You cannot bar yourself.")


def _tone_active(row: Row) -> str:
    return "" if row["is_active"] else "bad"


PEOPLE = (
    Column("username", "用户名", "User name", "code"),
    Column("name", "姓名", "Name"),
    Column("role", "角色", "Role", "mark", words=ROLES),
    Column("org_unit", "单位", "Unit", "code"),
    Column("is_active", "可登录", "May sign in", "yesno", tone=_tone_active),
    Column("locked_until", "锁定至", "Locked until", "instant"),
    Column("last_login", "上次登录", "Last sign-in", "instant"),
)


@page(MANAGE_STAFF)
def people(request: ConsoleRequest) -> HttpResponse:
    """The people of the person's unit, and a form to add one."""
    return _show(request)


def _show(request: ConsoleRequest, *, told: str = "", given: Any = None, status: int = 200) -> HttpResponse:
    rows = list_staff(request.scope)
    with reading() as connection:
        units = list_places(connection, request.scope)
    if request.scope.units is None:
        units = [{"code": WHOLE_BOOK, "name": Title("全部账册", "the whole book").say(request.language)}, *units]
    context = {
        "table": Table(PEOPLE, rows, request.language, region="people"),
        "people": rows,
        "units": units,
        "roles": [(role, ROLES[role]) for role in Role.values],
        "told": told,
        "given": given or {},
    }
    return render(request, "console/staff.html", context, status=status)


@require_POST
@page(MANAGE_STAFF)
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a person with a random password, shown once."""
    given = {name: request.POST.get(name, "").strip()[:200] for name in ("username", "name", "role", "org_unit")}
    if not scope_of_unit(given["org_unit"]).within(request.scope):
        return _show(request, told=_OUTSIDE.say(request.language), given=given, status=400)
    password = make_password()
    try:
        with transaction.atomic():
            add_staff(**given, password=password, language=Language.ZH)
            detail = {"added": given["role"], "org_unit": given["org_unit"]}
            record(request.staff, STAFF, given["username"], detail=detail)
    except StaffRefused as error:
        return _show(request, told=str(error), given=given, status=400)
    return _show(request, told=f"{_MADE.say(request.language)}{given['username']} {password}")


@require_POST
@page(MANAGE_STAFF)
def reset(request: ConsoleRequest, username: str) -> HttpResponse:
    """Give a person a new random password, shown once, and lift a lock."""
    staff, password = _find(request, username), make_password()
    with transaction.atomic():
        set_password(staff, password)
        record(request.staff, STAFF, username, detail={"password": "set"})
    return _show(request, told=f"{_RESET.say(request.language)}{username} {password}")


@require_POST
@page(MANAGE_STAFF)
def bar(request: ConsoleRequest, username: str) -> HttpResponse:
    """Bar a person from signing in, or let one in again."""
    staff = _find(request, username)
    if staff.pk == request.staff.pk:
        messages.warning(request, _OWN.say(request.language))
        return redirect("console:staff")
    with transaction.atomic():
        set_active(staff, not staff.is_active)
        record(request.staff, STAFF, username, detail={"active": staff.is_active})
    return redirect("console:staff")


def _find(request: ConsoleRequest, username: str) -> Staff:
    staff = find_staff(username)
    if staff is None or not scope_of_unit(staff.org_unit).within(request.scope):
        raise Http404
    return staff


urlpatterns = [
    path("staff/", people, name="staff"),
    path("staff/add/", add, name="staff-add"),
    path("staff/<str:username>/password/", reset, name="staff-password"),
    path("staff/<str:username>/bar/", bar, name="staff-bar"),
]
