"""Signing in and out, the language, and the script of the charts."""

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from recoup.domains.access.operations import LockRule, SignIn, check_sign_in, set_language
from recoup.domains.audit.operations import SIGN_IN, SIGN_IN_REFUSED, SIGN_OUT, record
from recoup.engine import clock
from recoup.web.console.access import ConsoleRequest, page, public
from recoup.web.console.charts import read_bundle
from recoup.web.console.language import Title, choose
from recoup.web.console.middleware import LANGUAGE_COOKIE

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_A_YEAR = 365 * 24 * 60 * 60
_TELLS = {
    SignIn.WRONG: Title("用户名或密码不正确。", "User name or password is wrong."),
    SignIn.LOCKED: Title(
        f"密码连续错误，该用户已锁定 {settings.LOCK_MINUTES} 分钟，请稍后再试或联系管理员。",
        f"Too many wrong passwords: locked for {settings.LOCK_MINUTES} minutes. Wait, or ask an administrator.",
    ),
}


@public
def sign_in(request: HttpRequest) -> HttpResponse:
    """The one way in. The same is said of a wrong name and a wrong password."""
    if hasattr(request, "staff"):
        return redirect(_find_next(request))
    told = None
    if request.method == "POST":
        username, password = request.POST.get("username", "").strip()[:64], request.POST.get("password", "")[:1024]
        rule = LockRule(settings.LOCK_AFTER_WRONG_PASSWORDS, settings.LOCK_MINUTES)
        came, staff = check_sign_in(username, password, clock.now(), rule)
        if came is SignIn.WELCOME and staff is not None:
            login(request, staff, backend=_BACKEND)
            record(staff, SIGN_IN, staff.username)
            return redirect(_find_next(request))
        record(staff, SIGN_IN_REFUSED, username, detail={"came": came.value})
        told = _TELLS[came]
    context = {"told": told, "next": _find_next(request)}
    return render(request, "console/sign_in.html", context, status=403 if told else 200)


def _find_next(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if ours and wanted.startswith("/") else reverse("console:dashboard")


@require_POST
@page(harmless=True)
def sign_out(request: ConsoleRequest) -> HttpResponse:
    """End the session."""
    record(request.staff, SIGN_OUT, request.staff.username)
    logout(request)
    return redirect("console:sign-in")


@public
@require_POST
def switch_language(request: HttpRequest) -> HttpResponse:
    """Read in the other language from now on; remembered with the person."""
    language = choose(request.POST.get("language"))
    staff = getattr(request, "staff", None)
    if staff is not None:
        set_language(staff, language)
    answer = redirect(_find_next(request))
    answer.set_cookie(LANGUAGE_COOKIE, language, max_age=_A_YEAR, samesite="Lax", httponly=True)
    return answer


@public
@require_GET
def vega(request: HttpRequest, stamp: str) -> HttpResponse:
    """The script that draws the charts, from the installed package."""
    answer = HttpResponse(read_bundle(), content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable"
    return answer


urlpatterns = [
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-out/", sign_out, name="sign-out"),
    path("language/", switch_language, name="language"),
    path("vega-<slug:stamp>.js", vega, name="vega"),
]
