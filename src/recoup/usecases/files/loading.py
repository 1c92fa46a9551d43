"""Loading a clerk's file through the one door, and remembering how its sheets are read."""

from collections.abc import Callable
from typing import Any

import psycopg

from recoup.database.connect import connect
from recoup.database.failpoints import hit
from recoup.domains.feeds import mappings
from recoup.domains.feeds.encoding import FileRefused
from recoup.usecases.files.opening import Sheet
from recoup.usecases.files.preparing import Ready, prepare
from recoup.usecases.files.request import Request
from recoup.usecases.load.folder import LoadReport, load_sources

type Show = Callable[[str, int, int], None]


def load_file(request: Request, show: Show) -> LoadReport:
    """Load a file: its mapping is kept, each sheet is one transaction per entity, the same file again is nothing.

    Killed at any moment, the same again completes it. Raises FileRefused, Asked, or LoadRefused, with what to do.
    """
    ready = prepare(request, lambda done, total: show(request.name, done, total))
    for prepared in ready.sheets:
        _refuse_unaccepted(prepared.sheet, request)
    _remember(ready, request)
    hit("files.mapping_remembered")
    return load_sources(ready.sender, ready.make_sources(_read), show)


def _read() -> psycopg.Connection[tuple[Any, ...]]:
    return connect("reader", autocommit=True)


def _refuse_unaccepted(sheet: Sheet, request: Request) -> None:
    said = request.fields or request.constants or request.units or request.accept
    if not sheet.known and not said:
        listed = ", ".join(f"{sheet.mapping.fields[name]}={name}" for name in sheet.mapping.fields)
        raise FileRefused(
            f"{sheet.name}: a sheet like this was never loaded. Look at it first (recoup files preview); "
            f"when it is right as {sheet.kind.name} with {listed}, load it with --yes",
            f"{sheet.name}：这种表还没有装入过，请先预览核对",
        )


def _remember(ready: Ready, request: Request) -> None:
    for prepared in ready.sheets:
        sheet = prepared.sheet
        mappings.remember(
            feed=sheet.feed,
            shape=sheet.table.shape,
            mapping=sheet.mapping,
            headings=[heading.text for heading in sheet.table.headings],
            who=request.who,
        )
