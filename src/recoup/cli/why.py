"""`recoup why`: why an account was, or was not, acted upon; how a bill came about."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.cli.report import choose_labels
from recoup.labels import Labels, grouped

BILL = "bill"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("why")(why)


def why(
    subject: Annotated[str, typer.Argument(help="account number, old number or contract key; or the word bill")],
    number: Annotated[str | None, typer.Argument(help="after bill: the number of the bill")] = None,
    on: Annotated[str | None, typer.Option("--on", help="a closed day (2018-12-31); default the last")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """Say why an account was acted upon or not: `why ACCOUNT`; or how a bill came about: `why bill NUMBER`."""
    labels = choose_labels(lang)
    if (subject == BILL) != (number is not None):
        raise UserError("ask `recoup why ACCOUNT` or `recoup why bill NUMBER`")
    django.setup()
    told = _ask_bill(number) if number is not None else _ask_account(subject, on)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    console = Console()
    if told["simulated"]:
        console.print(f" {labels('simulated')} ", style="bold white on red")
    if number is not None:
        console.print(draw_bill(told, labels))
    for each in told.get("answers", ()):
        console.print(draw_answer(each, told, labels))


def _ask_account(number: str, on: str | None) -> dict[str, Any]:
    from recoup.database.connect import connect
    from recoup.domains.book.queries import BookMissing
    from recoup.engine import why as engine
    from recoup.engine.figures import NothingClosed
    from recoup.engine.report import read_rulebook

    day = parse_day(on, last=True) if on else None
    try:
        with connect("reader") as connection:
            return engine.answer(connection, number, day, engine.read_law(read_rulebook()))
    except (BookMissing, NothingClosed, engine.UnknownNumber) as error:
        raise UserError(str(error)) from error


def _ask_bill(number: str) -> dict[str, Any]:
    from recoup.database.connect import connect
    from recoup.domains.book.queries import BookMissing
    from recoup.engine.bill_tree import UnknownBill, explain_bill
    from recoup.engine.report import read_rulebook
    from recoup.engine.why import read_law

    try:
        with connect("reader") as connection:
            return explain_bill(connection, number, read_law(read_rulebook()))
    except (BookMissing, UnknownBill) as error:
        raise UserError(str(error)) from error


def draw_answer(each: dict[str, Any], told: dict[str, Any], labels: Labels) -> Group:
    """One contract's decision as a person reads it."""
    contract = each["contract"]
    old = f"   {labels('old_account_no')} {contract['old_account_no']}" if contract["old_account_no"] else ""
    title = f"{labels('account_no')} {contract['account_no']}{old}   {labels('contract')} {contract['contract_key']}"
    about = (
        f"{labels('class')} {contract['class']}   {labels('org_unit')} {contract['org_unit']}   "
        f"{labels('validity')} {contract['valid_from']} – {contract['valid_to'] or '…'}"
    )
    if each["decision"] is None:
        body = Text.assemble((labels.of(each["not_decided"]), "bold"), "\n", (about, "dim"))
        return Group(Panel(body, title=title, title_align="left"))
    verdict = _word_verdict(each, told, labels)
    colour = "green" if each["reason"]["code"] == "ACTED" else "yellow"
    body = Text.assemble(verdict, "\n", (about, "dim"))
    parts = [Panel(body, title=title, title_align="left", border_style=colour)]
    return Group(*parts, _draw_checks(each, labels), *_draw_around(each, labels), _draw_source(each, told, labels))


def _word_verdict(each: dict[str, Any], told: dict[str, Any], labels: Labels) -> Text:
    decision, stage = each["decision"], each["stage"]
    verdict = Text(f"{told['on']}  ", style="bold")
    verdict.append(f"{labels.of(each['reason'])}", style="bold")
    verdict.append(f" ({each['reason']['code']})", style="dim")
    if decision["action"]:
        verdict.append(f"\n{labels('action')}: {decision['action']} · {labels(decision['channel'])}")
    name = labels.of(stage["to_title"] or stage["from_title"])
    verdict.append(f"\n{labels('strategy')} {stage['strategy'] or '–'} v{stage['version'] or '–'}   ")
    verdict.append(f"{labels('stage')} {stage['from']} → {stage['to']}  {name}")
    # Where nothing is owed every other check fails too, and no hint but the first says anything.
    for change in each["change"][: 1 if each["reason"]["code"] == "NO_DEBT" else None]:
        reckoned = word_values(change["values"], labels)
        verdict.append(f"\n{labels('change')}: {labels.of(change['hint'])}{f' ({reckoned})' if reckoned else ''}")
    return verdict


def word_values(values: Mapping[str, Any], labels: Labels) -> str:
    """Values read or reckoned, as name and value; what is not there is left out."""
    return "   ".join(f"{labels(name)} {value}" for name, value in values.items() if value is not None)


def _draw_checks(each: dict[str, Any], labels: Labels) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "check", "values", "limits"):
        table.add_column(labels(name) if name else "")
    for step in each["steps"]:
        mark = Text("✓", style="green") if step["passed"] else Text("✗", style="bold red")
        style = "dim" if step["passed"] else "bold"
        name = labels(f"pass:{step['guard']}") if step["passed"] else labels.of(step["title"])
        cells = (word_values(step[column], labels) for column in ("values", "limits"))
        table.add_row(mark, Text(name, style=style), *(Text(cell, style=style) for cell in cells))
    return table


def _draw_around(each: dict[str, Any], labels: Labels) -> list[Table]:
    """Open items, holds and touches that stood beside the decision; nothing for what is not there."""
    columns = {
        "open_items": ("items", ("item_key", "open", "due_on", "overdue_from_on")),
        "holds": ("holds", ("hold_key", "reason", "valid_from", "valid_to")),
        "touches": ("touches", ("sent_on", "action_code", "channel", "stage")),
    }
    tables = []
    for title, (name, shown) in columns.items():
        if each[name]:
            heading = f"\n{labels(title)}"
            table = Table(title=heading, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
            for column in shown:
                table.add_column(labels(column), justify="right" if column == "open" else "left")
            for row in each[name]:
                table.add_row(*("–" if row[column] is None else labels(str(row[column])) for column in shown))
            tables.append(table)
    return tables


def _draw_source(each: dict[str, Any], told: dict[str, Any], labels: Labels) -> Text:
    run, stage = told["run"], each["stage"]
    line = f"{labels('run')} {run['run_no']}   {labels('rulebook')} {run['rulebook_hash'][:12]}"
    if run["rulebook_changed_since"]:
        line += f" ({labels('rulebook_changed')})"
    if stage["reference"]:
        line += f"\n{labels('source')}: {stage['param_id']} · {stage['reference']}"
    return Text(f"\n{line}", style="dim")


def draw_bill(told: dict[str, Any], labels: Labels) -> Tree:
    """A bill as a tree: energy, lines, debts, payments, late charges."""
    bill, denom = told["bill"], told["denom"]
    tree = Tree(Text(f"{labels('bill')} {bill['bill_no']}   {grouped(bill['amount'])} {denom}", style="bold"))
    period = f"[{bill['period_from']}, {bill['period_to']})"
    days = f"{labels('issued_on')} {bill['issued_on']}   {labels('due_on')} {bill['due_on']}"
    tree.add(Text(f"{labels('account_no')} {bill['account_no']}   {labels('period')} {period}   {days}"))
    _grow_determinant(tree, told["determinant"], labels)
    lines = tree.add(Text(f"{labels('lines')}   {labels('total')} {grouped(bill['amount'])}"))
    for line in told["lines"]:
        sum_told = f"{grouped(line['kwh'])} kWh × {line['price']} = {grouped(line['amount'])} {denom}"
        node = lines.add(Text(f"{line['line']}. {sum_told}   {line['rule_id']} · {line['block']}"))
        node.add(Text(word_citation(line["parameter"], labels), style="dim"))
    for item in told["items"]:
        _grow_item(tree, item, told, labels)
    return tree


def _grow_determinant(tree: Tree, determinant: dict[str, Any], labels: Labels) -> None:
    energy = determinant["energy_kwh"]
    node = tree.add(Text(f"{labels('determinant')} {grouped(energy)} kWh   {determinant['source'] or ''}"))
    reading = determinant.get("reading")
    if reading:
        difference = f"{reading['index_to']} − {reading['index_from']} = {reading['difference']}"
        node.add(Text(f"{labels('reading')} {determinant['reading_key']}"))
        node.add(Text(f"{difference} × {reading['multiplier']} = {determinant['read_kwh']} kWh"))
    if determinant["corrected"]:
        told = f"{labels('corrected')}: {determinant['read_kwh']} → {energy} kWh"
        node.add(Text(told, style="yellow"))


def word_citation(parameter: Mapping[str, Any], labels: Labels) -> str:
    """A parameter with its title and where it comes from."""
    if parameter["reference"] is None:
        return str(parameter["param_id"])
    status = "" if parameter["status"] == "in_force" else f" [{parameter['status']}]"
    return f"{labels.of(parameter['title'])}{status} · {parameter['param_id']} · {parameter['reference']}"


def _grow_item(tree: Tree, item: dict[str, Any], told: dict[str, Any], labels: Labels) -> None:
    head = f"{item['component']} {grouped(item['amount'])}   {labels('open')} {grouped(item['open'])}"
    node = tree.add(Text(f"{head}   ({labels('as_of')} {told['as_of']})"))
    if item["allocations"]:
        paid = node.add(labels("allocations"))
        for piece in item["allocations"]:
            paid.add(Text(f"{piece['value_on']}  {grouped(piece['amount'])}   {piece['payment']}   {piece['rule']}"))
    charge = item["late_charge"]
    if not charge["segments"]:
        return
    limits = "".join(f"   {labels(name)} {charge[name]}" for name in ("minimum", "cap") if charge.get(name))
    booked = f"({labels('late_charges_booked')} {charge['booked']}){limits}"
    grown = node.add(Text(f"{labels('late_charge')} {charge['comes_to']}   {booked}"))
    for segment in charge["segments"]:
        held = f" (−{segment['held_days']})" if segment["held_days"] else ""
        days = f"{segment['from_on']} … < {segment['to_on']}  {segment['days']} {labels('days')}{held}"
        part = grown.add(Text(f"{days} × {grouped(segment['principal'])} × {segment['rate_a_day']}"))
        part.add(Text(word_citation(segment["parameter"], labels), style="dim"))
