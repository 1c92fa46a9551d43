"""A whole list page from one description: read, filtered, sorted, paged, exported, all in the person's scope."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from recoup.database.listing import Asked, Connection, Page
from recoup.domains.access.permissions import EXPORT, require
from recoup.domains.access.scope import Scope
from recoup.domains.contracts.queries import is_large
from recoup.web.console.access import ConsoleRequest
from recoup.web.console.exports import EXPORT_ROWS, export_table
from recoup.web.console.language import Title
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import NOTHING, Column, Filter, as_table, read_asked
from recoup.web.console.views.errors import tell

type Read = Callable[[Connection, Scope, Asked], Page]

_TOO_MANY = Title(
    f"导出最多 {EXPORT_ROWS:,} 行，请先缩小筛选范围。",
    f"An export holds at most {EXPORT_ROWS:,} rows: narrow the filters first.",
)


@dataclass(frozen=True)
class ListPage:
    """A list: its title, columns and filters, how it is sorted at first ("key" or "-key"), who reads its rows.

    `read(connection, scope, asked)` is a function of the room's queries.py.
    """

    name: str
    title: Title
    columns: Sequence[Column]
    read: Read
    filters: Sequence[Filter] = ()
    sort: str = ""
    lead: Title | None = None
    empty: Title = NOTHING


def show_list(
    request: ConsoleRequest,
    page: ListPage,
    template: str = "console/list.html",
    context: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Answer a list page, or its export when the address asks for `export=csv` or `export=xlsx`."""
    page = replace(page, columns=_find_sortable(request, page))
    asked = read_asked(request.GET, page.filters, page.columns, page.sort)
    form = request.GET.get("export", "")
    if form in ("csv", "xlsx"):
        return export_list(request, page, asked, form)
    with reading() as connection:
        found = page.read(connection, request.scope, asked)
    digits = current_law().rules.minor_digits
    table = as_table(
        found, page.columns, asked, request.language, digits,
        filters=page.filters, path=request.path, exports=True, empty=page.empty,
    )  # fmt: skip
    return render(request, template, {"title": page.title, "lead": page.lead, "table": table, **(context or {})})


def _find_sortable(request: ConsoleRequest, page: ListPage) -> Sequence[Column]:
    """The columns, those that are `narrow` not sortable while the whole of a large book is asked for."""
    named = request.GET.get("unit") or request.GET.get("q")
    if named or request.scope.units is not None or not any(column.narrow for column in page.columns):
        return page.columns
    with reading() as connection:
        if not is_large(connection):
            return page.columns
    return [replace(column, sortable=column.sortable and not column.narrow) for column in page.columns]


def export_list(request: ConsoleRequest, page: ListPage, asked: Asked, form: str) -> HttpResponse:
    """The filtered rows as a file, marked with who took it and when, and recorded."""
    require(request.staff, EXPORT)
    everything = replace(asked, offset=0, limit=EXPORT_ROWS + 1)
    with reading() as connection:
        found = page.read(connection, request.scope, everything)
    if len(found.rows) > EXPORT_ROWS:
        return tell(request, 413, _TOO_MANY)
    digits = current_law().rules.minor_digits
    table = as_table(found, page.columns, asked, request.language, digits, title=page.title)
    return export_table(request, page.name, table, form)
