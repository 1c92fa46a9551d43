"""Pages that say what went wrong and what to do now."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from recoup.web.console.language import Title

_HEADS = {
    403: Title("不允许", "Not allowed"),
    404: Title("没有找到", "Not found"),
    413: Title("数据过多", "Too much"),
    500: Title("出错了", "Something went wrong"),
    503: Title("暂时无法回答", "No answer now"),
}
_MISSING = Title(
    "这里没有这一页，或者它不在您的管辖范围内。请检查户号，或用上方的搜索框查找。",
    "There is no such page, or it lies outside your unit. Check the number, or search above.",
)
_FAILED = Title(
    "系统出现内部错误，已记入服务日志。请稍后重试；若仍出错，请联系管理员。",
    "An internal error; it stands in the server's log. Try again, and tell the administrator if it stays.",
)
_REFUSED = Title("您没有此项权限，请联系管理员。", "You may not do this. Ask an administrator.")
_FORGED = Title(
    "表单已过期或来源不明。请返回上一页，刷新后再提交。",
    "The form is out of date or came from elsewhere. Go back, reload the page and send it again.",
)


def tell(request: HttpRequest, status: int, why: Title) -> HttpResponse:
    """A page with one sentence: what is the matter and what to do."""
    return render(
        request, "console/message.html", {"head": _HEADS[status], "why": why, "status": status}, status=status
    )


def refuse(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return tell(request, 403, _REFUSED)


def refuse_forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form without its token."""
    return tell(request, 403, _FORGED)


def miss(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404, the same for what is not there and what is not to be seen."""
    return tell(request, 404, _MISSING)


def fail(request: HttpRequest, *args: Any) -> HttpResponse:
    """500."""
    return tell(request, 500, _FAILED)
