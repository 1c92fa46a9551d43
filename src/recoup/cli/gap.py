"""`recoup gap`: how much a rate misses to its target, and the debtors that make it, ranked."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.cli.load import wide_console
from recoup.cli.report import choose_labels
from recoup.definitions import define
from recoup.labels import Labels, grouped, percent


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gap")(gap)


def gap(
    on: Annotated[str | None, typer.Option("--on", help="a closed day or month; default the last")] = None,
    unit: Annotated[str, typer.Option("--unit", help="code of a unit; * is the whole book")] = "*",
    measure: Annotated[str, typer.Option("--measure", help="current, cumulative or prior")] = "current",
    limit: Annotated[int, typer.Option("--limit", min=1, help="rows shown")] = 50,
    everyone: Annotated[bool, typer.Option("--all", help="go on beyond the gap")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """Gap to the target by true days, as known now: the largest open amounts that close it, and the rest counted."""
    labels = choose_labels(lang)
    day = parse_day(on, last=True) if on else None
    django.setup()
    from recoup.database.connect import connect
    from recoup.domains.access.scope import Scope
    from recoup.domains.analytics.operations import TargetRefused
    from recoup.engine.figures import NothingClosed
    from recoup.engine.gap import Wanted, describe_gap, list_gap
    from recoup.engine.profile import read_rules

    rules = read_rules()
    wanted = Wanted(measure, unit, limit, needed_only=not everyone)
    try:
        with connect("reader") as connection:
            listed = list_gap(connection, Scope.EVERYTHING, day, rules.denom, wanted, live=True)
    except (NothingClosed, TargetRefused) as error:
        raise UserError(str(error)) from error
    found = describe_gap(listed, rules.denom, rules.minor_digits)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        print_gap(found, labels)


def print_gap(found: dict[str, Any], labels: Labels) -> None:
    """Print a gap list in the terminal."""
    console = wide_console()
    rate = labels(f"collection_rate_{found['measure']}")
    console.print(f"{found['as_of']}   {found['unit']}   {rate}", style="bold")
    if found["gap"] is None:
        console.print(labels("no_target"), style="yellow")
    for name in ("rate", "target", "base_receivable", "base_received", "gap"):
        value = found[name.removeprefix("base_")]
        shown = percent(value) if name in ("rate", "target") else grouped(value)
        text = define(f"collection_rate_{found['measure']}" if name == "rate" else name, labels.language)
        by = f" ({found['target_of']}, {found['target_set_by']})" if name == "target" and found["target"] else ""
        console.print(Text.assemble((f"{labels(name)}  ", "bold"), f"{shown}{by}", (f"   {text}", "dim")))
    console.print()
    console.print(_list(found, labels))
    for name in ("needed", "rest"):
        counted = found[name]
        console.print(f"{labels(name)}: {counted['contracts']:,} · {grouped(counted['amount'])}")


def _list(found: dict[str, Any], labels: Labels) -> Table:
    names = ("rank", "account_no", "open", "through", "owner", "contact", "promise", "oldest_overdue_days", "stage")
    table = Table(*(labels(name) for name in names), box=None, pad_edge=False)
    for row in found["rows"]:
        contact = f"{row['contact_on']} {labels(row['contact_channel'])}" if row["contact_on"] else "–"
        promise = f"{row['promise_on']} {grouped(row['promise'])}" if row["promise_on"] else "–"
        table.add_row(
            str(row["rank"]),
            row["account_no"],
            Text(grouped(row["open"]), justify="right"),
            Text(grouped(row["through"]), justify="right"),
            "、".join(row["owners"]) or "–",
            contact,
            promise,
            str(row["oldest_overdue_days"]),
            "–" if row["stage"] is None else str(row["stage"]),
        )
    return table
