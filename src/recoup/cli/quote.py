"""`recoup quote`: one described case through the rules, without a database."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from recoup.cli.errors import UserError
from recoup.cli.rulebook import Folder, site_folder
from recoup.rulebook import RulebookInvalid
from recoup.rulebook.case import CaseInvalid, parse_cases
from recoup.rulebook.case_answer import answer
from recoup.rulebook.library import open_library
from recoup.rulebook.reading import TextInvalid, read


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("quote")(quote)


def quote(
    file: Annotated[Path, typer.Argument(help="A case, or a list of them under `cases` (YAML or JSON).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    folder: Folder = None,
) -> None:
    """Quote a described case: lines, total, late charge, thresholds, each with its rule and reference.

    Exit 1 when something could not be rated, or differs from what the file expects; 2 when the file is wrong.
    """
    try:
        content = read(file)
        cases = parse_cases(content)
        library = open_library(site_folder(folder))
        answers = [answer(case, library) for case in cases]
    except (TextInvalid, RulebookInvalid) as error:
        raise UserError(str(error)) from error
    except CaseInvalid as error:
        raise UserError(f"{file}: " + "\n  ".join(["this case cannot be quoted:", *error.problems])) from error
    if as_json:
        bodies = [given.body for given in answers]
        shown = {"cases": bodies} if isinstance(content, dict) and "cases" in content else bodies[0]
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        console = Console()
        for given in answers:
            console.print(_tree(given.body))
    raise typer.Exit(0 if all(given.is_right for given in answers) else 1)


def _tree(body: dict[str, Any]) -> Tree:
    """The quote for a person: amounts first, below each what it is made of and who says so."""
    title = body["title"] if not isinstance(body["title"], dict) else " / ".join(body["title"].values())
    tree = Tree(f"[bold]{body['id'] or 'case'}[/] {title or ''}")
    energy = tree.add(f"energy [bold]{body['total']} {body['denom']}[/]")
    for line in body["lines"]:
        text = f"block {line['block']}: {line['quantity_kwh']} kWh x {line['price']} = [bold]{line['amount']}[/]"
        _cite(energy.add(f"{line['period_from']}  {text}"), line)
    if body["bills"]:
        _add_late(tree.add(f"late charge [bold]{body['late_charge']} {body['denom']}[/]"), body)
    if body["thresholds"]:
        _add_thresholds(tree.add("thresholds"), body)
    tree.add(f"grand total [bold]{body['grand_total']} {body['denom']}[/]")
    for step in (step for step in body["explanation"] if step["step"] == "assumption"):
        tree.add(f"[yellow]{escape(step['text'])}[/]")
    _add_references(tree.add("references"), body)
    for issue in body["issues"]:
        tree.add(f"[red]{issue['kind']}[/] {issue['key']}: {issue['field']}: {issue['detail']}")
    if body["waits_for"]:
        tree.add(f"[yellow]waits for {escape(body['waits_for'])}[/]")
    for text in body.get("differences", []):
        tree.add(f"[red]differs:[/] {text}")
    return tree


def _add_late(branch: Tree, body: dict[str, Any]) -> None:
    steps = [step for step in body["explanation"] if step["step"] in ("late_charge", "late_charge_limit")]
    for charge in body["bills"]:
        node = branch.add(
            f"{charge['bill']}: {charge['amount']} due {charge['due_on']} -> [bold]{charge['late_charge']}[/]"
        )
        for step in (step for step in steps if step["bill"] == charge["bill"]):
            if step["step"] == "late_charge":
                days = f"{step['days']} days from {step['from']}"
                _cite(node.add(f"{days}: {step['principal']} x {step['rate_per_day']} a day"), step)
            else:
                _cite(node.add(f"{step['accrued']} becomes {step['amount']}"), step)


def _add_thresholds(branch: Tree, body: dict[str, Any]) -> None:
    for row in body["thresholds"]:
        month = f"({row['from_kwh_per_month']} a month x {row['months']} months)"
        _cite(branch.add(f"tier {row['tier']} above {row['from_kwh']} kWh {month} at {row['price']}"), row)


def _cite(branch: Tree, step: dict[str, Any]) -> None:
    branch.add(f"[dim]{step['rule']} · {step['parameter']}[/]")


def _add_references(branch: Tree, body: dict[str, Any]) -> None:
    steps = (step for step in body["explanation"] if "parameter" in step)
    cited = {step["parameter"]: step["reference"] or "no reference" for step in steps}
    for parameter, reference in cited.items():
        branch.add(f"[dim]{escape(parameter)}: {escape(reference)}[/]")
