"""`recoup init`: makes the database, its roles and tables, and opens the book."""

from enum import StrEnum
from typing import Annotated

import typer

from recoup.cli import django
from recoup.database import roles
from recoup.database.connect import database_name


class Kind(StrEnum):
    """What a book is for; a live one is never filled by the simulator."""

    LIVE = "live"
    DEMO = "demo"
    EVALUATION = "evaluation"


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("init")(init)


def init(
    kind: Annotated[Kind, typer.Option(help="What the book is for.")],
    jurisdiction: Annotated[str, typer.Option(help="Folder of the rulebook whose law applies.")] = "cn/shandong",
    seed: Annotated[int, typer.Option(help="Seed of every draw of this book.")] = 20250101,
    name: Annotated[str, typer.Option(help="Name of the company, as printed on its papers.")] = "Recoup",
) -> None:
    """Make the database, its roles and tables, and open the book."""
    roles.prepare()
    migrate()
    _open_book(kind, jurisdiction, seed, name)
    typer.echo(f"ready: database {database_name()}, kind {kind.value}, jurisdiction {jurisdiction}")


def migrate() -> None:
    """Brings the tables up to date, as the owner."""
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", database="owner", verbosity=0)
    connections["owner"].close()


def _open_book(kind: Kind, jurisdiction: str, seed: int, name: str) -> None:
    from django.db import transaction

    from recoup.domains.book.operations import create_book

    with transaction.atomic():
        create_book(kind=kind.value, jurisdiction=jurisdiction, seed=seed, name=name)
