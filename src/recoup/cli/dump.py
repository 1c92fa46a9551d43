"""`recoup dump`: the state of the book by natural keys, equal for equal states."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from recoup.cli.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dump")(dump)


def dump(
    canonical: Annotated[
        bool, typer.Option("--canonical", help="by natural keys: no ids, run numbers or instants")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="write here instead of to the terminal")] = None,
    hashed: Annotated[bool, typer.Option("--hash", help="only rows and digest per section")] = False,
) -> None:
    """Print the state, one JSON object per row; two books in the same state print the same."""
    from recoup.engine.dump import digest_sections, dump_lines

    if not canonical:
        raise UserError("there is one form of dump: write `recoup dump --canonical`")
    with open(out, "w", encoding="utf-8") if out else nullcontext(sys.stdout) as file:
        if hashed:
            file.writelines(f"{each.section:<12} {each.rows:>12} {each.digest}\n" for each in digest_sections())
        else:
            file.writelines(f"{line}\n" for _, line in dump_lines())
