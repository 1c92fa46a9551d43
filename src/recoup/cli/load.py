"""`recoup load`: takes a folder of files into the book and says what became of every row."""

import importlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError


class Format(StrEnum):
    """Formats that can be read."""

    RECOUP = "recoup"
    STEG = "steg"


class Language(StrEnum):
    """Languages of the summary."""

    EN = "en"
    ZH = "zh"


_WORDS = {
    "en": {
        "columns": ("file", "entity", "read", "loaded", "known", "superseding", "conflict", "quarantined", "skipped"),
        "REFUSED": "refused",
        "before": "done by an attempt before",
        "ignored": "not in the manifest, not read",
        "complete": "complete: the feed {feed} is known up to {as_of}",
        "unwatched": "complete; such a file does not make the feed {feed} younger",
        "incomplete": "not complete: {count} file(s) refused; the watermark of the feed {feed} stays where it was",
        "look": "refused rows, conflicts: recoup quarantine --load {load}",
        "simulated": "SIMULATED DATA",
    },
    "zh": {
        "columns": ("文件", "内容", "读入", "装入", "已有", "更正", "冲突", "隔离", "略过"),
        "REFUSED": "拒收",
        "before": "上次中断前已完成",
        "ignored": "清单未列，未读",
        "complete": "完成：数据源 {feed} 已知至 {as_of}",
        "unwatched": "完成；此类文件不改变数据源 {feed} 的数据截至时间",
        "incomplete": "未完成：{count} 个文件被拒收；数据源 {feed} 的水位不变",
        "look": "被隔离的行和冲突：recoup quarantine --load {load}",
        "simulated": "模拟数据",
    },
}
_COUNTS = ("read", "loaded", "known", "superseding", "conflicting", "quarantined", "skipped")


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("load")(load)


def load(
    folder: Annotated[Path, typer.Argument(help="Folder with the files (and manifest.json).")],
    format_: Annotated[Format, typer.Option("--format", help="Format of the files.")] = Format.RECOUP,
    lang: Annotated[Language, typer.Option(help="Language of the summary.")] = Language.EN,
) -> None:
    """Load a folder of files. Refused rows go to quarantine; exit code 1 when a whole file was refused."""
    django.setup()
    from recoup.domains.book.queries import BookMissing
    from recoup.domains.feeds.manifest import LoadRefused

    try:
        with show_bars() as show:
            report = _reader(format_)(folder, show)
    except (LoadRefused, BookMissing) as refusal:
        raise UserError(str(refusal)) from refusal
    except psycopg.OperationalError as error:
        raise UserError(
            f"the database went away ({str(error).strip().splitlines()[0]}); "
            "run the same command again: it goes on where it stopped"
        ) from error
    print_report(report, lang.value)
    if not report.complete:
        raise typer.Exit(1)


def show_bars() -> "_Bars":
    """A context that gives a function to show progress with: name, done, size."""
    return _Bars()


def print_report(report: Any, language: str) -> None:
    """Print what became of every file of a load."""
    _print(report, _WORDS[language])


def _reader(format_: Format) -> Any:
    if format_ is Format.STEG:
        return importlib.import_module("recoup.usecases.load.steg").load_steg
    return importlib.import_module("recoup.usecases.load").load_folder


class _Bars:
    """A bar per file on the terminal; nothing where there is none."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
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

    def _show(self, name: str, done: int, size: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=size)
        self._bars.update(self._tasks[name], completed=done)


def wide_console() -> Console:
    """The terminal as it is; where the output goes to a file or pipe, lines wide enough for a table."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)


_PIPE_WIDTH = 160


def _print(report: Any, words: dict[str, Any]) -> None:
    console = wide_console()
    if report.simulated:
        console.print(f"[bold]{words['simulated']}[/bold]")
    table = Table(*words["columns"])
    for column in table.columns[2:]:
        column.justify = "right"
    for file in report.files:
        table.add_row(file.record.name, file.record.entity, *(f"{getattr(file.record, name):,}" for name in _COUNTS))
    console.print(table)
    for file in report.files:
        _print_notes(console, file, words)
    for name in report.ignored:
        console.print(f"{name}: {words['ignored']}")
    refused = sum(file.record.state == "REFUSED" for file in report.files)
    if any(file.record.quarantined or file.record.conflicting for file in report.files):
        console.print(words["look"].format(load=report.load_id))
    done = "complete" if report.watched else "unwatched"
    end = words[done] if report.complete else words["incomplete"]
    console.print(end.format(feed=report.feed, as_of=report.as_of.isoformat(), count=refused))


def _print_notes(console: Console, file: Any, words: dict[str, Any]) -> None:
    refused = file.record.state == "REFUSED"
    if file.record.detail:
        mark = f" {words['REFUSED']}:" if refused else ""
        console.print(f"{file.record.name}:{mark} {file.record.detail}", markup=False, soft_wrap=True)
    if file.before:
        console.print(f"{file.record.name}: {words['before']}")
