"""`recoup doctor`: one line for each thing Recoup needs, and what to do where one is missing."""

import json
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recoup.cli import django


class Part(StrEnum):
    """What to look at, instead of everything."""

    DATABASE = "database"


_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
_PIPE_WIDTH = 200


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    part: Annotated[Part | None, typer.Argument(help="database: only the server, its features and rights")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Say what is there, what is missing and what to do. Changes nothing. Exit 1 when something must be put right."""
    found = _examine(part)
    ok = all(finding.state != "fail" for finding in found)
    if as_json:
        typer.echo(json.dumps({"ok": ok, "checks": [f._asdict() for f in found]}, ensure_ascii=False, indent=2))
    else:
        _print(found)
    if not ok:
        raise typer.Exit(1)


def _examine(part: Part | None) -> list[Any]:
    from recoup.engine import doctor as engine

    database = engine.examine_database()
    if part is Part.DATABASE:
        return database
    if any(finding.name == "server" and finding.state == "fail" for finding in database):
        return [*engine.examine_machine(dict(os.environ)), *database]
    django.setup()
    return [*engine.examine_machine(dict(os.environ)), *database, *engine.examine_book(lambda: datetime.now(UTC))]


def _print(found: list[Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in found:
        mark, colour = _MARKS[finding.state]
        told = f"{finding.detail} → {finding.do}" if finding.do and finding.state != "ok" else finding.detail
        table.add_row(Text(mark, style=colour), finding.name, Text(told, style="" if finding.state == "ok" else colour))
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    console.print(table)
    wrong, doubtful = (sum(finding.state == state for finding in found) for state in ("fail", "warn"))
    console.print(f"{len(found)} looked at, {doubtful} to look after, {wrong} to put right", highlight=False)
