"""`recoup verify`: the invariants of the design, read again from what is stored."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from recoup.cli import django


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="read all runs and settlement groups again, not the last and a sample")
    ] = False,
) -> None:
    """Prove the book: balances, keys, rows in and out, hashes, derivations, answers. Exit 1 when one fails."""
    django.setup()
    found = _find(Console(stderr=True, quiet=as_json), everything)
    ok = all(finding.ok for _, finding in found)
    if as_json:
        checks = [{"name": check.name, "ok": finding.ok, "detail": finding.detail} for check, finding in found]
        typer.echo(json.dumps({"ok": ok, "checks": checks}, ensure_ascii=False, indent=2))
    else:
        _print(found, ok)
    if not ok:
        raise typer.Exit(1)


def _find(console: Console, everything: bool) -> list:
    from recoup.engine import verify as engine
    from recoup.engine.profile import read_profile, read_rules

    with console.status("verify") as status:
        return list(
            engine.run_checks(
                read_rules(),
                read_profile(),
                everything=everything,
                begin=lambda check: status.update(check.name.replace("_", " ")),
            )
        )


def _print(found: list, ok: bool) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "invariant", "check", "seen"):
        table.add_column(heading, justify="right" if heading == "invariant" else "left")
    for check, finding in found:
        mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
        seen = finding.detail if finding.ok else f"[red]{finding.detail}[/red]\n→ {check.hint}"
        table.add_row(mark, str(check.invariant), check.name.replace("_", " "), seen)
    console = Console()
    console.print(table)
    failed = sum(not finding.ok for _, finding in found)
    console.print(f"[green]{len(found)} checks hold[/green]" if ok else f"[red]{failed} of {len(found)} fail[/red]")
