"""What every page shows around its content: book, business date, age of the feeds, navigation, person."""

from datetime import date
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.http import HttpRequest

from recoup.database.errors import DatabaseUnavailable
from recoup.domains.book.models import Book
from recoup.domains.book.queries import BookMissing, get_book, mode_of
from recoup.engine.freshness import feed_ages, read_watermarks
from recoup.engine.report import INVENTED
from recoup.engine.runs import Connection, last_done_on
from recoup.web.console.language import Title, choose
from recoup.web.console.navigation import list_entries
from recoup.web.console.reading import current_law, reading

THEME_COOKIE = "recoup_theme"
ROLES = {
    "admin": Title("管理员", "administrator"),
    "manager": Title("经理", "manager"),
    "clerk": Title("核算员", "clerk"),
    "collector": Title("催收员", "collector"),
    "auditor": Title("审计员", "auditor"),
}


class Standing(NamedTuple):
    """Where the book stands: the last closed day and the feeds that are too old for it."""

    as_of: date | None
    stale: list[tuple[str, int]]
    limit_hours: int | None


def describe_page(request: HttpRequest) -> dict[str, Any]:
    """The variables of `console/base.html`."""
    language = getattr(request, "language", choose(None))
    theme = request.COOKIES.get(THEME_COOKIE, "")
    staff = getattr(request, "staff", None)
    shown: dict[str, Any] = {
        "language": language,
        "other_language": "zh-hans" if language == "en" else "en",
        "theme": theme if theme in ("light", "dark") else "",
        "staff": staff,
        "staff_role": ROLES.get(staff.role) if staff else None,
        "navigation": list_entries(request, staff) if staff else [],
    }
    try:
        book = get_book()
        shown |= {"book": book, "simulated": book.kind in INVENTED}
        if staff:
            shown |= {"standing": find_standing(book), "staff_unit": name_unit(staff.org_unit)}
    except (BookMissing, DatabaseError, DatabaseUnavailable):
        shown |= {"book": None, "simulated": False}
    return shown


def find_standing(book: Book) -> Standing:
    """The last closed day and, beside another system, every feed older at its end than the strategies' shortest limit.

    A book that bills itself knows its debts without a feed: there nothing is silent (the guard STALE_FEED).
    """
    beside = mode_of("BILLS") == "external"
    limits = [rung.feed_limit_hours for each in current_law().rules.strategies for rung in each.rungs]
    with reading() as connection:
        as_of = last_done_on(connection)
        stale = _find_stale(connection, book, as_of, min(limits)) if as_of and limits and beside else []
    return Standing(as_of, stale, min(limits, default=None))


def _find_stale(connection: Connection, book: Book, as_of: date, limit: int) -> list[tuple[str, int]]:
    ages = feed_ages(read_watermarks(connection), as_of, book.timezone)
    return sorted((code, hours) for code, hours in ages.items() if hours > limit)


def name_unit(code: str) -> str:
    """A unit by its name; the whole book by the book's."""
    with reading() as connection:
        row = connection.execute("SELECT name FROM org_unit WHERE code = %s", [code]).fetchone()
    return str(row[0]) if row else code
