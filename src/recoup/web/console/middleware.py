"""The one gate of the console: signed in, not idle, allowed, in scope, in the person's language."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import psycopg
from django.conf import settings
from django.contrib.auth import logout
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation

from recoup.domains.access.models import Staff
from recoup.domains.access.permissions import NotPermitted, may, may_write
from recoup.domains.access.scope import scope_of
from recoup.domains.audit.operations import REFUSED, record
from recoup.domains.book.queries import BookMissing, get_book
from recoup.engine import clock
from recoup.engine.figures import NothingClosed
from recoup.web.console.access import ConsoleRequest
from recoup.web.console.language import Title, choose
from recoup.web.console.views.errors import tell

LANGUAGE_COOKIE = "recoup_language"
_SEEN = "seen"
_SEEN_EVERY_SECONDS = 60
_SAFE = ("GET", "HEAD", "OPTIONS")

_WRITES_NOTHING = Title(
    "审计角色只能查阅，不能改动任何数据。", "An auditor reads everything in scope and changes nothing."
)
_NOT_YOURS = Title("您的角色不包含此项功能，请联系管理员。", "Your role does not include this. Ask an administrator.")
_TOO_LONG = Title(
    "查询时间过长，请缩小范围（例如先选择台区或月份）后重试。",
    "This takes too long. Narrow it, for instance to a district or a month, and try again.",
)
_NO_BOOK = Title("账册尚未建立，请先运行 recoup init。", "There is no book yet: run recoup init first.")
_NOTHING_CLOSED = Title(
    "所选日期没有已关账的运行，请另选日期，或先运行 recoup cycle。",
    "No run has closed that day. Choose another day, or run recoup cycle first.",
)


class ConsoleMiddleware:
    """Adds `staff`, `scope` and `language` to every request, and refuses what the person may not do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Find out who asks and in which language, then answer."""
        console = cast(ConsoleRequest, request)
        staff = _find_staff(request)
        console.language = choose(staff.language if staff else request.COOKIES.get(LANGUAGE_COOKIE))
        if staff is not None:
            console.staff = staff
        with translation.override(console.language), timezone.override(_find_timezone() if staff else None):
            answer = self.get_response(request)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def process_view(
        self, request: ConsoleRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Refuse whoever may not open the view; give everyone else the rows of their unit."""
        if getattr(view, "public", False):
            return None
        if not hasattr(request, "staff"):
            return _send_to_sign_in(request)
        capability = getattr(view, "capability", None)
        if capability is None or not may(request.staff, capability):
            return _refuse(request, _NOT_YOURS, str(capability))
        if request.method not in _SAFE and not view.harmless and not may_write(request.staff):  # type: ignore[attr-defined]
            return _refuse(request, _WRITES_NOTHING, capability)
        request.scope = scope_of(request.staff)
        return None

    def process_exception(self, request: ConsoleRequest, error: Exception) -> HttpResponse | None:
        """Say in words what a person can do about it."""
        if isinstance(error, NotPermitted):
            return _refuse(request, _NOT_YOURS if may_write(request.staff) else _WRITES_NOTHING, error.capability)
        if isinstance(error, psycopg.errors.QueryCanceled | OperationalError) and "timeout" in str(error):
            return tell(request, 503, _TOO_LONG)
        if isinstance(error, BookMissing):
            return tell(request, 503, _NO_BOOK)
        if isinstance(error, NothingClosed):
            return tell(request, 404, _NOTHING_CLOSED)
        return None


def _find_staff(request: HttpRequest) -> Staff | None:
    """The person of the session; a session at rest for too long ends here."""
    user = request.user
    if not isinstance(user, Staff):
        return None
    now = clock.now().timestamp()
    seen = request.session.get(_SEEN, now)
    if now - seen > timedelta(minutes=settings.SESSION_IDLE_MINUTES).total_seconds():
        logout(request)
        return None
    if _SEEN not in request.session or now - seen > _SEEN_EVERY_SECONDS:
        request.session[_SEEN] = now
    return user


def _find_timezone() -> ZoneInfo | None:
    """Instants are shown as clocks of the book's place show them."""
    try:
        return ZoneInfo(get_book().timezone)
    except BookMissing:
        return None


def _send_to_sign_in(request: HttpRequest) -> HttpResponse:
    wanted = request.get_full_path() if request.method in _SAFE else "/"
    address = f"{reverse('console:sign-in')}?{urlencode({'next': wanted})}"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _refuse(request: ConsoleRequest, why: Title, capability: str) -> HttpResponse:
    record(request.staff, REFUSED, request.path, detail={"method": request.method, "capability": capability})
    return tell(request, 403, why)
