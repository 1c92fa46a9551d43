"""`recoup measures`: every measure of the source paper, its state here and now, and what it did this month."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.cli.report import choose_labels
from recoup.labels import Labels

_COLOURS = {"as_written": "green", "modern": "green", "off": "red", "not_yet": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("measures")(measures)


def measures(
    section: Annotated[str | None, typer.Option("--section", help="a section of the paper: 3.2 or 3.2(1)")] = None,
    on: Annotated[str | None, typer.Option("--on", help="day of states and counts; default the last closed")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the register as JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """List the paper's measures: state with citation, where it is found, effect this month."""
    labels = choose_labels(lang)
    django.setup()
    told = _read(section, on)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        Console().print(draw_measures(told, labels))


def _read(section: str | None, on: str | None) -> dict[str, Any]:
    from recoup.database.connect import connect
    from recoup.domains.access.scope import Scope
    from recoup.domains.book.queries import BookMissing
    from recoup.engine.measures import read_measures
    from recoup.engine.report import read_rulebook

    day = parse_day(on, last=True) if on else None
    try:
        with connect("reader") as connection:
            told = read_measures(connection, Scope.EVERYTHING, read_rulebook(), section=section, on=day)
    except BookMissing as error:
        raise UserError(str(error)) from error
    if not told["measures"]:
        raise UserError(f"the paper has no section {section} with a measure: give one such as 3.2 or 3.2(1)")
    return told


def draw_measures(told: dict[str, Any], labels: Labels) -> Table:
    """The register as a table: one line per measure."""
    title = f"{labels('measures')} · {told['jurisdiction']} · {told['on'] or '–'}"
    counts = "   ".join(f"{labels(state)} {count}" for state, count in told["counts"].items())
    table = Table(show_lines=True, expand=True, title=f"{title}\n{counts}")
    for name, share in (("section", 2), ("measure_name", 4), ("what_there_is", 9), ("effect", 5)):
        table.add_column(labels(name), ratio=share)
    for row in told["measures"]:
        table.add_row(
            f"{row['section']}\n{row['row']}",
            Text.assemble(labels.of(row["title"]), "\n", (labels(row["state"]), _COLOURS[row["state"]])),
            _word_now(row, labels),
            _word_effect(row, labels),
        )
    return table


def _word_effect(row: dict[str, Any], labels: Labels) -> Text:
    counted = [f"{labels.of(effect['title'])} {effect['count']:,}" for effect in row["effects"]]
    commands = [f"recoup {command}" for command in row["commands"]]
    return Text.assemble("\n".join(counted) or "–", "\n" if commands else "", ("\n".join(commands), "dim"))


def _word_now(row: dict[str, Any], labels: Labels) -> str:
    parts = [labels.of(row["note"]), row["reference"] or "", labels.of(row["now"])]
    return "\n".join(part for part in parts if part)
