"""`recoup report`: the figures of a closed day in the terminal, as JSON, and as one page."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.definitions import define
from recoup.labels import LANGUAGES, Labels, grouped, percent

BAR_CELLS = 34
_EIGHTHS = " ▏▎▍▌▋▊▉"

# Colours of the terminal: ageing from young to old.
_AGE_COLOURS = ("green", "yellow", "yellow", "dark_orange", "dark_orange3", "red", "red")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
    page: Annotated[Path | None, typer.Option("--html", help="write one self-contained page to this file")] = None,
    paper: Annotated[Path | None, typer.Option("--pdf", help="write a PDF/A paper to this file")] = None,
    form: Annotated[Path | None, typer.Option("--xlsx", help="write the form as a spreadsheet to this file")] = None,
    on: Annotated[str | None, typer.Option("--on", help="a closed day (2018-12-31); default the last")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """Report a closed day: billed, collected, rates, arrears by age, stages, decisions, data quality."""
    labels = choose_labels(lang)
    django.setup()
    document = read_report(parse_day(on, last=True) if on else None)
    written = write_files(document, labels, page=page, paper=paper, form=form)
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    print_report(document, labels)
    for file in written:
        typer.echo(f"{labels('page_written')}: {file.resolve()}")


def write_files(
    document: dict[str, Any], labels: Labels, *, page: Path | None, paper: Path | None, form: Path | None
) -> list[Path]:
    """Write the report in every form a file was named for; return the files."""
    from recoup.cli.paper import set_paper
    from recoup.cli.workbook import write_workbook

    if page is not None:
        write_page(document, page, labels)
    for file in (paper, form):
        if file is not None and not file.resolve().parent.is_dir():
            raise UserError(f"{file}: no such folder; give a file in a folder you may write to")
    try:
        if paper is not None:
            paper.write_bytes(set_paper(document, labels))
        if form is not None:
            write_workbook(document, form, labels)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; give a file in a folder you may write to") from error
    return [file for file in (page, paper, form) if file is not None]


def choose_labels(lang: str) -> Labels:
    """Words of a language; refuse one there is none of."""
    if lang not in LANGUAGES:
        raise UserError(f"--lang {lang}: give one of {', '.join(LANGUAGES)}")
    return Labels(lang)


def read_report(on: date | None) -> dict[str, Any]:
    """Build the report of a closed day; UserError when there is none."""
    from recoup.database.connect import connect
    from recoup.domains.book.queries import BookMissing
    from recoup.engine.figures import NothingClosed
    from recoup.engine.report import build_report

    try:
        with connect("reader") as connection:
            return build_report(connection, on)
    except (NothingClosed, BookMissing) as error:
        raise UserError(str(error)) from error


def write_page(document: dict[str, Any], file: Path, labels: Labels) -> None:
    """Write the report as one page."""
    from recoup.cli.charts import draw_page

    try:
        file.write_text(draw_page(document, labels), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; give a file in a folder you may write to") from error


def print_report(document: dict[str, Any], labels: Labels) -> None:
    """Print the report in the terminal."""
    console = Console()
    for part in _compose(document, labels):
        console.print(part)
        console.print()


def _compose(document: dict[str, Any], labels: Labels) -> list[RenderableType]:
    parts: list[RenderableType] = [
        _head(document, labels),
        _figures(document, labels),
        *([_beside(document, labels)] if list_sides(document) else []),
        _months(document, labels),
        _ageing(document, labels),
        _stages(document, labels),
        _actions(document, labels),
        _reasons(document, labels),
        _quality(document, labels),
    ]
    if document["simulation"]:
        parts.append(_simulation(document["simulation"], labels))
    return [*parts, _definitions(labels)]


def _head(document: dict[str, Any], labels: Labels) -> Panel:
    book, run = document["book"], document["run"]
    line = Text()
    if document["simulated"]:
        line.append(f" {labels('simulated')} ", style="bold white on red")
        line.append("  ")
    line.append(f"{labels('as_of')} {document['as_of']}", style="bold")
    line.append(f"   {book['name']} · {book['kind']} · {book['jurisdiction']} · {document['denom']}")
    line.append(f"\n{labels('run')} {run['run_no']}   {labels('rulebook')} {run['rulebook_hash'][:12]}", style="dim")
    line.append(f"   {run['content_hash'][:12]}", style="dim")
    if run["rulebook_changed_since"]:
        line.append(f"   {labels('rulebook_changed')}", style="yellow")
    return Panel(line, title=labels("title"), title_align="left", border_style="cyan")


_LEFT = ("accounts", "contracts_in_force", "bills", "billed", "payments", "collected", "unapplied")
_RIGHT = (
    *("collection_rate_current", "collection_rate_cumulative", "collection_rate_prior"),
    *("receivable_open", "arrears", "arrears_prior", "late_charges_booked", "late_charges_accrued"),
)


def _figures(document: dict[str, Any], labels: Labels) -> Table:
    return _side_by_side(*(_list_figures(document, names, labels) for names in (_LEFT, _RIGHT)))


def _list_figures(document: dict[str, Any], names: tuple[str, ...], labels: Labels) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for name in names:
        table.add_row(labels(name), Text(show(name, document[name]), style="bold"))
    return table


def list_sides(document: Mapping[str, Any]) -> list[str]:
    """What stands beside the figures of the night: the signed ones, those known now; only what there is."""
    return [name for name in ("reported", "known_now") if document[name]]


COMPARED = (
    *("collection_rate_current", "collection_rate_cumulative", "collection_rate_prior"),
    *("receivable", "received", "arrears", "arrears_prior"),
)


def _beside(document: dict[str, Any], labels: Labels) -> Group:
    """The figures of the night beside the signed ones and those known now."""
    sides = list_sides(document)
    table = Table("", labels("as_it_stood"), *(labels(side) for side in sides), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in COMPARED:
        values = [document[name], *(document[side][name] for side in sides)]
        table.add_row(labels(name), *(show(name, value) for value in values))
    told = [f"· {labels(name)}: {define(name, labels.language)}" for name in ("as_it_stood", *sides)]
    if document["reported"]:
        signed = document["reported"]
        told.insert(0, f"· {labels('signed_by')} {signed['signed_by']}, {signed['signed_at']}")
    return _titled(labels("beside"), Group(table, Text("\n".join(told), style="dim")))


def show(name: str, value: Any) -> str:
    """A figure of the report as a person reads it."""
    if name.startswith("collection_rate"):
        return percent(value)
    return grouped(value) if isinstance(value, str) else f"{value:,}"


def _side_by_side(*parts: RenderableType) -> Table:
    grid = Table.grid(padding=(0, 5))
    for _ in parts:
        grid.add_column()
    grid.add_row(*parts)
    return grid


def _titled(title: str, body: RenderableType) -> Group:
    return Group(Text(title, style="bold cyan"), body)


def draw_bar(value: float, largest: float, cells: int = BAR_CELLS) -> str:
    """A bar of block characters, in eighths of a cell; something is never drawn as nothing."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(value / largest * cells * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _months(document: dict[str, Any], labels: Labels) -> Group:
    billed, collected = document["billed_by_month"], document["collected_by_month"]
    months = sorted({*billed, *collected})[-24:]
    largest = max((float(amount) for amount in (*billed.values(), *collected.values())), default=0)
    table = Table.grid(padding=(0, 1))
    for month in months:
        for colour, amounts, first in (("blue", billed, True), ("green", collected, False)):
            amount = amounts.get(month, "0.00")
            bar = Text(draw_bar(float(amount), largest), style=colour)
            table.add_row(month if first else "", bar, Text(grouped(amount), justify="right"))
    legend = Text.assemble(("■ ", "blue"), labels("billed"), "  ", ("■ ", "green"), labels("collected"))
    return _titled(labels("by_month"), Group(legend, table))


def _ageing(document: dict[str, Any], labels: Labels) -> Group:
    rows = [(labels.bucket(name), each["amount"], each["items"]) for name, each in document["ageing"].items()]
    largest = max(float(amount) for _, amount, _ in rows)
    table = Table.grid(padding=(0, 1))
    for (bucket, amount, items), colour in zip(rows, _AGE_COLOURS, strict=True):
        bar = Text(draw_bar(float(amount), largest), style=colour)
        table.add_row(bucket, bar, Text(grouped(amount), justify="right"), Text(f"{items:,}", style="dim"))
    return _titled(labels("ageing"), table)


def _counted(title: str, rows: list[tuple[str, int]], labels: Labels, colour: str, cells: int) -> Group:
    table = Table.grid(padding=(0, 1))
    largest = max((count for _, count in rows), default=0)
    for name, count in rows:
        table.add_row(name, Text(draw_bar(count, largest, cells), style=colour), Text(f"{count:,}", justify="right"))
    if not rows:
        table.add_row(labels("none"))
    return _titled(title, table)


def _stages(document: dict[str, Any], labels: Labels) -> Group:
    rows = [(name_stage(stage, document, labels), count) for stage, count in document["accounts_by_stage"].items()]
    return _counted(labels("accounts_by_stage"), rows, labels, "magenta", BAR_CELLS // 2)


def name_stage(stage: str, document: dict[str, Any], labels: Labels) -> str:
    """A stage by its number and, where one ladder holds for all, its title; nought is none."""
    if stage == "0":
        return labels("stage_0")
    return f"{labels('stage')} {stage} {labels.of(document['stages'].get(stage))}".rstrip()


def _actions(document: dict[str, Any], labels: Labels) -> Group:
    rows = [(labels(channel), count) for channel, count in document["actions_by_channel"].items()]
    return _counted(labels("actions_by_channel"), rows, labels, "blue", BAR_CELLS // 2)


def _reasons(document: dict[str, Any], labels: Labels) -> Group:
    words = document["reasons"]
    rows = [(labels.of(words.get(code)) or code, count) for code, count in document["decisions_by_reason"].items()]
    return _counted(labels("decisions_by_reason"), rows, labels, "cyan", BAR_CELLS)


def _quality(document: dict[str, Any], labels: Labels) -> Group:
    corrected = document["determinants_corrected"]
    table = Table.grid(padding=(0, 2))
    table.add_row(labels("quarantined"), f"{document['quarantined']:,}")
    table.add_row(labels("conflicts"), f"{document['conflicts']:,}")
    told = f"{corrected['bills']:,}   {labels('difference_kwh')} {grouped(corrected['difference_kwh'])}"
    table.add_row(labels("determinants_corrected"), told)
    issues = "   ".join(f"{kind} {count:,}" for kind, count in document["issues_by_kind"].items())
    table.add_row(labels("issues_by_kind"), issues or labels("none"))
    for feed in document["feeds"]:
        mark = f" [{labels('simulated')}]" if feed["simulated"] else ""
        age = "–" if feed["age_hours"] is None else str(feed["age_hours"])
        told = f"{feed['code']}{mark}   {labels('watermark_at')} {feed['watermark_at']}   {labels('age_hours')} {age}"
        table.add_row(labels("feeds"), Text(told))
    return _titled(labels("quality"), table)


def _simulation(rows: list[dict[str, Any]], labels: Labels) -> Group:
    table = Table(box=None, pad_edge=False)
    for name in ("", "measure", "target", "measured", "tolerance", "cases"):
        table.add_column(labels(name) if name else "", justify="left" if name in ("", "measure") else "right")
    for row in rows:
        mark = Text("✓", style="green") if row["ok"] else Text("✗" if row["cases"] else "·", style="red")
        values = [show_measure(row[name], row["unit"]) for name in ("target", "measured", "tolerance")]
        table.add_row(mark, labels(row["measure"]), *values, f"{row['cases']:,}")
    return _titled(labels("simulation"), table)


def show_measure(value: int | None, unit: str) -> str:
    """A measure of the simulator: days as they are, ppm as a percentage."""
    if value is None:
        return "–"
    return f"{value} d" if unit == "DAYS" else f"{value / 10_000:.1f} %"


def _definitions(labels: Labels) -> Group:
    return _titled(labels("definitions"), Text("\n".join(f"· {line}" for line in labels.definitions()), style="dim"))
