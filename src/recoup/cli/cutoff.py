"""`recoup cutoff`: sign the figures of a closed day, list what was signed, show what has changed since and why."""

import json
from datetime import date
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.cli.load import wide_console
from recoup.cli.report import choose_labels
from recoup.definitions import define
from recoup.labels import Labels, grouped, percent

app = typer.Typer(help="Signed cut-offs: figures frozen with who and when.", no_args_is_help=True)

_AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
_Lang = Annotated[str, typer.Option("--lang", help="zh or en")]
_Day = Annotated[str, typer.Argument(help="a closed day: 2025-03-31, or a month for its last day")]
BASES = ("receivable", "carried", "received", "received_prior")


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="cutoff")


@app.command("sign")
def sign(
    day: _Day,
    by: Annotated[str, typer.Option("--by", help="who signs")],
    as_json: _AsJson = False,
    lang: _Lang = "zh",
) -> None:
    """Freeze the figures of a closed day, as known now, for ever. A day is signed once."""
    labels, on = choose_labels(lang), parse_day(day, last=True)
    django.setup()
    from recoup.engine.cutoffs import describe
    from recoup.engine.cutoffs import sign as sign_cutoff

    signed = _with_book("app", lambda connection, rules: describe(sign_cutoff(connection, on, by, rules.denom)))
    if as_json:
        typer.echo(json.dumps({"business_on": on.isoformat(), **signed}, ensure_ascii=False, indent=2))
        return
    console = Console()
    console.print(f"[bold]{on}[/bold] {labels('signed_by')} {signed['signed_by']} · {signed['signed_at']}")
    console.print(f"{labels('content_hash')} {signed['content_hash']}", style="dim", soft_wrap=True)
    console.print(f"recoup cutoff show {on}", style="dim")


@app.command("list")
def list_(as_json: _AsJson = False, lang: _Lang = "zh") -> None:
    """List the signed cut-offs."""
    labels = choose_labels(lang)
    django.setup()
    from recoup.domains.analytics.queries import list_cutoffs
    from recoup.engine.cutoffs import describe

    def read(connection: Any, _: Any) -> list[dict[str, Any]]:
        return [{"business_on": each.business_on.isoformat(), **describe(each)} for each in list_cutoffs(connection)]

    rows = _with_book("reader", read)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    names = ("business_on", "signed_by", "signed_at", "run_no", "content_hash")
    table = Table(*(labels(name) for name in names), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row[name])[:19] for name in names))
    wide_console().print(table if rows else labels("none"))


@app.command("show")
def show(day: _Day, as_json: _AsJson = False, lang: _Lang = "zh") -> None:
    """Show a signed day: reported, known now, the difference, and every fact that makes it. Exit 1 if some does not."""
    labels, on = choose_labels(lang), parse_day(day, last=True)
    document = read_cutoff(on)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print_cutoff(document, labels)
    if is_unexplained(document) or document["holds"] is False:
        raise typer.Exit(1)


def read_cutoff(on: date) -> dict[str, Any]:
    """The signed figures of a day beside those known now."""
    django.setup()
    from recoup.domains.access.scope import Scope
    from recoup.engine.cutoffs import compare, describe_compared

    def read(connection: Any, rules: Any) -> dict[str, Any]:
        return describe_compared(compare(connection, on, Scope.EVERYTHING), rules.minor_digits)

    return _with_book("reader", read)


def is_unexplained(document: dict[str, Any]) -> bool:
    """Whether a part of a difference is no fact told since."""
    return any(base["unexplained"].strip("-0.") for base in document["bases"].values())


def _with_book(role: Any, work: Any) -> Any:
    """Do some work with a connection and the rules of the book; turn refusals into one line."""
    from recoup.database.connect import connect
    from recoup.domains.book.queries import BookMissing
    from recoup.engine.cutoffs import CutoffRefused
    from recoup.engine.figures import NothingClosed
    from recoup.engine.profile import read_rules

    try:
        rules = read_rules()
        with connect(role) as connection:
            return work(connection, rules)
    except (CutoffRefused, NothingClosed, BookMissing) as error:
        raise UserError(str(error)) from error


def print_cutoff(document: dict[str, Any], labels: Labels) -> None:
    """Print a cut-off in the terminal."""
    console = wide_console()
    head = f"{document['business_on']}   {labels('signed_by')} {document['signed_by']} · {document['signed_at']}"
    console.print(head, style="bold")
    if document["holds"] is False:
        console.print(labels("cutoff_changed"), style="bold red")
    console.print(_rates(document, labels))
    console.print()
    console.print(_bases(document, labels))
    console.print()
    console.print(_facts(document, labels))
    if document["waiting"]["receipts"]:
        waiting = document["waiting"]
        console.print(f"{labels('waiting')}: {waiting['receipts']:,} · {grouped(waiting['amount'])}", style="yellow")
    for name in ("reported", "known_now"):
        console.print(f"· {labels(name)}: {define(name, labels.language)}", style="dim")


def _rates(document: dict[str, Any], labels: Labels) -> Table:
    table = Table("", labels("reported"), labels("known_now"), labels("definition"), box=None, pad_edge=False)
    for measure, rate in document["rates"].items():
        name = f"collection_rate_{measure}"
        shown = (percent(rate["reported"]), percent(rate["known"]))
        table.add_row(labels(name), *shown, Text(define(name, labels.language), style="dim"))
    return table


def _bases(document: dict[str, Any], labels: Labels) -> Table:
    names = ("reported", "known", "difference", "explained", "unexplained")
    heads = (labels("known_now") if name == "known" else labels(name) for name in names)
    table = Table("", *heads, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for base in BASES:
        values = [Text(grouped(document["bases"][base][name])) for name in names]
        if document["bases"][base]["unexplained"].strip("-0."):
            values[-1].stylize("bold red")
        table.add_row(labels(base), *values)
    return table


def _facts(document: dict[str, Any], labels: Labels) -> Table | str:
    if not document["facts"]:
        return labels("no_difference")
    names = ("fact", "account_no", "number", "amount", "value_on", "told_on", "reversed_on", "received", "receivable")
    table = Table(*(labels(name) for name in names), box=None, pad_edge=False)
    for fact in document["facts"]:
        number = f"{fact['channel']}:{fact['number']}" if fact["channel"] else fact["number"]
        days = (fact["value_on"], fact["received_on"] or fact["told_on"], fact["reversed_on"] or "")
        effects = (grouped(fact["received"]), grouped(fact["receivable"]))
        table.add_row(labels(fact["kind"]), fact["account_no"], number, grouped(fact["amount"]), *days, *effects)
    return table
