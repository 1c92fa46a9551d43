"""`recoup backup` and `recoup restore`: a whole copy of the state, and the proof that it can be opened again."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of the backup, best on another disk")],
) -> None:
    """Copy the database, the lake and the keys while everybody works on. Exit 1 when the lake has gaps."""
    from recoup.database.backup import CopyRefused
    from recoup.engine import backup as engine

    try:
        with _Bars() as watch:
            done = engine.make_backup(folder, made_at=datetime.now(UTC), watch=watch)
    except CopyRefused as refusal:
        raise UserError(str(refusal)) from refusal
    except OSError as error:
        raise UserError(f"{error}: put it right and repeat the command, it goes on") from error
    manifest = done.manifest
    typer.echo(
        f"complete: {folder.resolve()}  PostgreSQL {manifest.server_version}, {len(manifest.files):,} files "
        f"({done.copied:,} copied, {done.known:,} there already), secrets: {', '.join(manifest.secrets) or 'none'}"
    )
    for book in manifest.books:
        opened = f", {book.open_run_on} begun" if book.open_run_on else ""
        typer.echo(f"  {book.database}: closed to {book.last_closed_on or 'no day'}, {book.runs:,} runs{opened}")
    typer.echo("  Whoever holds this folder can open the book: keep it as safe as the book.")
    for path in done.changed:
        typer.echo(f"  changed since the last backup, though lake files never change: {path}", err=True)
    for path in manifest.missing[:20]:
        typer.echo(f"  missing, named by a run: {path}", err=True)
    if manifest.missing:
        typer.echo(f"  {len(manifest.missing):,} lake files are missing here: recoup verify names their days", err=True)
        raise typer.Exit(1)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of the backup")],
    into: Annotated[Path | None, typer.Option("--into", help="home to restore into, instead of RECOUP_HOME")] = None,
    everything: Annotated[bool, typer.Option("--all", help="verify all runs and settlement groups")] = False,
) -> None:
    """Put a backup into an empty home, start it, and prove it by `recoup verify`. Exit 1 when that fails."""
    from recoup.database import server
    from recoup.database.backup import CopyRefused
    from recoup.engine import restore as engine

    if into is not None:
        os.environ["RECOUP_HOME"] = str(into.expanduser().resolve())
    try:
        with _Bars() as watch:
            manifest = engine.restore_backup(folder, watch)
    except CopyRefused as refusal:
        raise UserError(str(refusal)) from refusal
    except OSError as error:
        raise UserError(f"{error}: put it right and repeat the command, it goes on") from error
    started = server.ensure_running()
    typer.echo(f"restored: {started.data_folder.parent}, as it was on {manifest.made_at.isoformat(timespec='seconds')}")
    lost = engine.find_lost(manifest)
    for told in (*lost, *(f"missing already when the backup was made: {path}" for path in manifest.missing[:20])):
        typer.echo(f"✗ {told}", err=True)
    proven = [_prove(book.database, everything) for book in manifest.books]
    _print_next(manifest.books, into)
    if lost or not all(proven):
        raise typer.Exit(1)


def _prove(database: str, everything: bool) -> bool:
    """Verify one restored book and print what stands in it."""
    from django.db import connections

    from recoup.cli.init import migrate
    from recoup.cli.verify import verify
    from recoup.engine import restore as engine
    from recoup.engine.backup import read_books

    before, os.environ["RECOUP_DATABASE_NAME"] = os.environ.get("RECOUP_DATABASE_NAME"), database
    django.setup()
    connections.close_all()
    try:
        later = engine.sweep_later_files()
        migrate()
        book = next(book for book in read_books() if book.database == database)
        _print_proof(book, engine.count_rows(), later)
        verify(as_json=False, everything=everything)
    except typer.Exit:
        return False
    finally:
        connections.close_all()
        os.environ.pop("RECOUP_DATABASE_NAME")
        if before is not None:
            os.environ["RECOUP_DATABASE_NAME"] = before
    return True


def _print_proof(book: Any, counts: dict[str, int], later: int) -> None:
    opened = f"; {book.open_run_on} was begun: recoup cycle goes on with it" if book.open_run_on else ""
    table = Table("book", "last closed day", "runs", *counts, box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    table.add_row(
        book.database,
        str(book.last_closed_on or "none"),
        f"{book.runs:,}",
        *(f"{count:,}" for count in counts.values()),
    )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    if opened or later:
        console.print(f"{later:,} files of work done after the copied instant removed{opened}", highlight=False)


def _print_next(books: Any, into: Path | None) -> None:
    if into is not None:
        typer.echo(f"export RECOUP_HOME={os.environ['RECOUP_HOME']}")
    for book in books:
        if book.last_closed_on:
            typer.echo(
                f"{book.database}: load what came after {book.last_closed_on}, then recoup cycle from the next day"
            )


class _Bars:
    """A bar per step on the terminal; nothing where there is none."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Any:
        self._bars.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _show(self, step: str, done: int, in_all: int) -> None:
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=in_all)
        self._bars.update(self._tasks[step], completed=done, total=in_all)
