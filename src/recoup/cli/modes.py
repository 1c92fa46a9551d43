"""`recoup modes`: who keeps the record of each function, this book or another system."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError
from recoup.cli.report import choose_labels


class Mode(StrEnum):
    """Where the record is kept."""

    OWN = "own"
    EXTERNAL = "external"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("modes")(modes)


def modes(
    mode: Annotated[Mode | None, typer.Argument(help="own or external; without it the modes are shown")] = None,
    function: Annotated[
        list[str] | None, typer.Option("--function", help="only these functions (may be repeated)")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """Show, or set, whether bills, receipts and the ledger are kept here (own) or elsewhere (external)."""
    labels = choose_labels(lang)
    django.setup()
    from recoup.domains.book.operations import FUNCTIONS, UnknownFunction, set_modes
    from recoup.domains.book.queries import BookMissing, mode_of

    try:
        if mode is not None:
            set_modes(mode.value, tuple(function) if function else FUNCTIONS)
    except (BookMissing, UnknownFunction) as error:
        raise UserError(str(error)) from error
    table = Table(box=None, pad_edge=False)
    table.add_column(labels("function"))
    table.add_column(labels("mode"))
    for each in FUNCTIONS:
        known = mode_of(each)
        table.add_row(each, f"{known} ({labels(known)})" if lang == "zh" else known)
    Console().print(table)
