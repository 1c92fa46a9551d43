"""`recoup corrections`: bills on a total that another system stated, where the index difference says otherwise."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError
from recoup.cli.report import choose_labels
from recoup.labels import grouped

SHOWN = 50


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("corrections")(corrections)


def corrections(
    as_json: Annotated[bool, typer.Option("--json", help="print all of them as JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """List the bills whose stated total replaced the difference of the indexes, with both figures."""
    labels = choose_labels(lang)
    django.setup()
    rows = read_corrections()
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from recoup.engine.report import is_invented

    console = Console()
    if is_invented():
        console.print(f" {labels('simulated')} ", style="bold white on red")
    if not rows:
        console.print(labels("no_corrections"))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("bill_no", "account_no", "issued_on", "read_kwh", "billed_kwh_short", "difference_kwh"):
        table.add_column(labels(name), justify="right" if "kwh" in name else "left")
    for row in rows[:SHOWN]:
        figures = (grouped(row[name]) for name in ("read_kwh", "billed_kwh", "difference_kwh"))
        table.add_row(row["bill_no"], row["account_no"], row["issued_on"], *figures)
    console.print(table)
    left = f"   (+{len(rows) - SHOWN:,}: --json)" if len(rows) > SHOWN else ""
    console.print(f"{labels('total')} {len(rows):,}{left}")


def read_corrections() -> list[dict[str, Any]]:
    """Read every bill whose energy is not that of its indexes, by day and number."""
    from recoup.database.connect import connect
    from recoup.domains.book.queries import BookMissing, get_book
    from recoup.engine.figures import list_corrections

    try:
        get_book()
    except BookMissing as error:
        raise UserError(str(error)) from error
    with connect("reader") as connection:
        return list_corrections(connection)
