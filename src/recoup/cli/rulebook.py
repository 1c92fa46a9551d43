"""`recoup rulebook`: what the law and the company's decisions say, and whether they can be used."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from recoup import rulebook
from recoup.cli.errors import UserError
from recoup.database.home import home
from recoup.rulebook.library import Library, digest, open_library

Folder = Annotated[Path | None, typer.Option("--folder", help="Site folder laid over the shipped documents.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    group = typer.Typer(help="Law, prices and the company's decisions as dated documents.", no_args_is_help=True)
    group.command("check")(check)
    group.command("list")(list_documents)
    app.add_typer(group, name="rulebook")


def site_folder(given: Path | None) -> Path | None:
    """The site's own documents: the folder given, else `rulebook` below the home folder, when there is one."""
    if given is not None:
        if not given.is_dir():
            raise UserError(f"{given} is not a folder")
        return given
    folder = home() / "rulebook"
    return folder if folder.is_dir() else None


def check(folder: Folder = None, as_json: AsJson = False) -> None:
    """Check every document: dates, blocks, rungs, references, codes; exit 1 when one is wrong."""
    library = open_library(site_folder(folder))
    problems = rulebook.check(library)
    if as_json:
        found = [problem._asdict() for problem in problems]
        typer.echo(
            json.dumps(
                {"ok": not problems, "documents": len(library.documents), "problems": found},
                ensure_ascii=False,
                indent=2,
            )
        )
    else:
        for problem in problems:
            typer.echo(str(problem))
        typer.echo(f"{len(library.documents)} documents, {len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


def list_documents(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the documents with their dates, status, reference and SHA-256."""
    library = open_library(site_folder(folder))
    rows = _describe(library)
    if as_json:
        typer.echo(json.dumps({"documents": rows}, ensure_ascii=False, indent=2))
        return
    table = Table(title="Rulebook")
    for heading in ("id", "title", "from", "status", "reference", "sha256"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        title = f"{row['title_zh']} / {row['title_en']}"
        table.add_row(row["id"], title, row["from"], row["status"], row["reference"], row["sha256"][:12])
    Console().print(table)


def _describe(library: Library) -> list[dict[str, str]]:
    return [
        {
            "id": document.id,
            "kind": document.kind,
            "title_zh": document.title.zh,
            "title_en": document.title.en,
            "jurisdiction": document.jurisdiction,
            "from": ", ".join(terms.valid_from.isoformat() for terms in document.values),
            "status": document.status,
            "reference": document.reference,
            "sha256": digest(document),
        }
        for document in library.documents.values()
    ]
