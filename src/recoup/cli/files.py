"""`recoup files`: files as clerks have them - preview, load, mappings - and `recoup undo`."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError
from recoup.cli.load import Language, print_report, show_bars, wide_console

_NOTES_SHOWN = 10

files = typer.Typer(no_args_is_help=True, help="Spreadsheets and CSV as clerks have them.")

_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "no_table": "no table, not read: {names}",
        "hidden": "hidden sheets, not read: {names}",
        "known": "mapping known",
        "new": "new mapping: look at it",
        "asked": "read as {kind}, feed {feed}, up to {day}",
        "rows": "{rows} rows below row {heading}; not loaded: {blank} blank, {notes} notes, {totals} totals",
        "total": "row {row_no} {heading}: states {stated}, the rows sum to {found}",
        "sum": "sum of {name}: {value}",
        "would": "{name}: {loaded} new, {known} known, {superseding} corrections, {conflicting} conflicts, "
        "{quarantined} refused, {skipped} skipped",
        "refused": "{name} would be refused: {detail}",
        "ready": "nothing was loaded; recoup files load {file} --as-of {day} loads it",
        "nothing": "nothing is remembered",
        "undone": "load {load} is undone",
        "column": ("field", "heading", "unit"),
        "row": ("row", "field", "reason", "content"),
    },
    "zh": {
        "no_table": "没有表格，未读：{names}",
        "hidden": "隐藏的工作表，未读：{names}",
        "known": "沿用已记住的对应关系",
        "new": "新的对应关系，请核对",
        "asked": "按{kind}读取，数据源 {feed}，数据截至 {day}",
        "rows": "表头在第 {heading} 行，数据 {rows} 行；不装入：空行 {blank}、说明 {notes}、合计 {totals}",
        "total": "第 {row_no} 行 {heading}：表上 {stated}，各行之和 {found}",
        "sum": "{name}之和：{value}",
        "would": "{name}：新增 {loaded}，已有 {known}，更正 {superseding}，冲突 {conflicting}，"
        "隔离 {quarantined}，略过 {skipped}",
        "refused": "{name} 将被拒收：{detail}",
        "ready": "尚未装入；装入请运行 recoup files load {file} --as-of {day}",
        "nothing": "尚未记住任何对应关系",
        "undone": "第 {load} 次装入已撤销",
        "column": ("字段", "表头", "单位"),
        "row": ("行", "栏目", "原因", "内容"),
    },
}

_File = Annotated[Path, typer.Argument(help="XLSX, XLS or CSV file.")]
_Entity = Annotated[str | None, typer.Option("--entity", help="What it is: payments, open_items, customers …")]
_Map = Annotated[list[str] | None, typer.Option("--map", help="HEADING=field, e.g. 户号=account_no. Repeatable.")]
_Set = Annotated[list[str] | None, typer.Option("--set", help="field=value for all rows, e.g. channel=柜台.")]
_Unit = Annotated[list[str] | None, typer.Option("--unit", help="field=unit, e.g. amount=万元.")]
_AsOf = Annotated[str | None, typer.Option("--as-of", help="The day up to which the file is complete.")]
_Feed = Annotated[str | None, typer.Option(help="Feed; else the one remembered for this sheet, else what it is.")]
_SheetName = Annotated[str | None, typer.Option("--sheet", help="Only this sheet.")]
_NewUnits = Annotated[bool, typer.Option("--new-units", help="Make the units that a sheet of customers names.")]
_Despite = Annotated[bool, typer.Option("--despite-totals", help="Load although a totals row differs.")]
_Corrections = Annotated[bool, typer.Option("--corrections", help="Rows correct what is stored.")]
_Simulated = Annotated[bool, typer.Option("--simulated", help="Invented data.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Lang = Annotated[Language, typer.Option(help="Language.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(files, name="files")
    app.command("undo")(undo)


@files.command()
def preview(
    file: _File,
    entity: _Entity = None,
    map_: _Map = None,
    set_: _Set = None,
    unit: _Unit = None,
    as_of: _AsOf = None,
    feed: _Feed = None,
    sheet: _SheetName = None,
    new_units: _NewUnits = False,
    despite_totals: _Despite = False,
    corrections: _Corrections = False,
    simulated: _Simulated = False,
    as_json: _Json = False,
    lang: _Lang = Language.EN,
) -> None:
    """Show what loading a file would do: mapping, counts, refused rows, control totals. Nothing is loaded."""
    request = _make_request(
        *(file, entity, map_, set_, unit, as_of, feed, sheet, new_units, despite_totals, corrections, simulated),
        accept=False,
    )
    from recoup.usecases.files.previewing import preview_file

    with _refusals(), show_bars() as show:
        found = preview_file(request, show)
    if as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False, indent=1))
    else:
        _print_preview(found, file, lang.value)
    if not found.ready:
        raise typer.Exit(1)


@files.command("load")
def load_(
    file: _File,
    entity: _Entity = None,
    map_: _Map = None,
    set_: _Set = None,
    unit: _Unit = None,
    as_of: _AsOf = None,
    feed: _Feed = None,
    sheet: _SheetName = None,
    new_units: _NewUnits = False,
    despite_totals: _Despite = False,
    corrections: _Corrections = False,
    simulated: _Simulated = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the proposed mapping of a sheet never seen before.")] = False,
    lang: _Lang = Language.EN,
) -> None:
    """Load a file and remember how it is read. Exit code 1 when a whole sheet was refused."""
    request = _make_request(
        *(file, entity, map_, set_, unit, as_of, feed, sheet, new_units, despite_totals, corrections, simulated),
        accept=yes,
    )
    from recoup.usecases.files.loading import load_file

    with _refusals(), show_bars() as show:
        report = load_file(request, show)
    print_report(report, lang.value)
    if not report.complete:
        raise typer.Exit(1)


@files.command()
def mappings(as_json: _Json = False, lang: _Lang = Language.EN) -> None:
    """List the mappings that are remembered, with who said them."""
    django.setup()
    from recoup.domains.feeds.mappings import list_mappings

    kept = list_mappings()
    if as_json:
        told = [{**one._asdict(), "mapping": one.mapping.model_dump()} for one in kept]
        print(json.dumps({"mappings": told}, ensure_ascii=False, indent=1, default=str))
        return
    if not kept:
        print(_WORDS[lang.value]["nothing"])
        return
    table = Table("id", "feed", "kind", "v", "who", "when", "mapping")
    for one in kept:
        pairs = [f"{heading}={name}" for name, heading in one.mapping.fields.items()]
        pairs += [f"{name}:={value}" for name, value in one.mapping.constants.items()]
        when = f"{one.recorded_at:%Y-%m-%d %H:%M}"
        table.add_row(
            *(str(one.mapping_id), one.feed, one.mapping.kind, str(one.version), escape(one.who), when),
            escape(", ".join(pairs)),
        )
    wide_console().print(table)


@files.command()
def forget(mapping_id: Annotated[int, typer.Argument(help="As `recoup files mappings` lists it.")]) -> None:
    """Forget a mapping: a sheet of its shape is asked again. To replace one, load with --map or --set."""
    django.setup()
    from recoup.domains.feeds.mappings import MappingUnknown
    from recoup.domains.feeds.mappings import forget as withdraw

    try:
        kept = withdraw(mapping_id, who=_who())
    except MappingUnknown as error:
        raise UserError(str(error)) from error
    print(f"forgotten: {kept.feed}, {kept.mapping.kind}, version {kept.version}")


@files.command()
def loads(as_json: _Json = False) -> None:
    """List loads, latest first, with what became of their files."""
    django.setup()
    from recoup.domains.feeds.queries import list_loads

    found = list_loads()
    if as_json:
        print(json.dumps({"loads": found}, ensure_ascii=False, indent=1))
        return
    table = Table("load", "feed", "as of", "state", "file", "loaded", "known", "conflict", "quarantined")
    for load in found:
        for file in load["files"] or [{"name": "", "loaded": 0, "known": 0, "conflicting": 0, "quarantined": 0}]:
            counts = (str(file[name]) for name in ("loaded", "known", "conflicting", "quarantined"))
            table.add_row(
                *(str(load["load_id"]), escape(load["feed"]), load["as_of_at"][:16], load["state"]),
                escape(file["name"]),
                *counts,
            )
    wide_console().print(table)


def undo(
    load: Annotated[int, typer.Argument(help="The load's number: recoup files loads.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    lang: _Lang = Language.EN,
) -> None:
    """Take back a load while nothing stands on it: no closed day, no signed cut-off, no other load."""
    django.setup()
    from recoup.usecases.files.undoing import UndoRefused, undo_load

    try:
        undo_load(load, reason=reason or _who())
    except UndoRefused as refusal:
        raise UserError(str(refusal)) from refusal
    print(_WORDS[lang.value]["undone"].format(load=load))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a person can act upon into one line."""
    from recoup.domains.book.queries import BookMissing
    from recoup.domains.feeds.encoding import FileRefused
    from recoup.domains.feeds.manifest import LoadRefused

    try:
        yield
    except (FileRefused, LoadRefused, BookMissing) as error:
        raise UserError(str(error)) from error


def _who() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


def _make_request(
    file: Path,
    entity: str | None,
    map_: list[str] | None,
    set_: list[str] | None,
    unit: list[str] | None,
    as_of: str | None,
    feed: str | None,
    sheet: str | None,
    new_units: bool,
    despite_totals: bool,
    corrections: bool,
    simulated: bool,
    *,
    accept: bool,
) -> Any:
    django.setup()
    from recoup.usecases.files.request import Request

    headings = _split("--map", map_)
    return Request(
        path=file,
        name=file.name,
        who=_who(),
        feed=feed,
        kind=entity,
        sheet=sheet,
        fields={name: heading for heading, name in headings.items()},
        constants=_split("--set", set_),
        units=_split("--unit", unit),
        as_of_on=_read_day(as_of),
        simulated=simulated,
        corrections=corrections,
        accept=accept,
        new_units=new_units,
        despite_totals=despite_totals,
    )


def _split(option: str, pairs: list[str] | None) -> dict[str, str]:
    told = {}
    for pair in pairs or []:
        left, mark, right = pair.rpartition("=")
        if not (left.strip() and mark and right.strip()):
            raise UserError(f"{option} {pair}: write it as NAME=VALUE")
        told[left.strip()] = right.strip()
    return told


def _read_day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UserError(f"--as-of {text}: a day is written YYYY-MM-DD") from error


def _print_preview(found: Any, file: Path, lang: str) -> None:
    console, words = wide_console(), _WORDS[lang]
    for names, word in ((found.without_table, "no_table"), (found.hidden, "hidden")):
        if names:
            console.print(words[word].format(names=", ".join(names)), markup=False)
    for sheet in found.sheets:
        _print_sheet(console, sheet, found, words, lang)
    console.print(words["ready"].format(file=file, day=found.as_of_on), markup=False, soft_wrap=True)


def _print_sheet(console: Console, sheet: Any, found: Any, words: dict[str, Any], lang: str) -> None:
    from recoup.domains.feeds.headings import kinds

    kind = kinds()[sheet.kind]
    name = kind.zh if lang == "zh" else kind.en
    console.print(f"[bold]{escape(sheet.name)}[/bold] ({found.format})")
    console.print(words["asked"].format(kind=name, feed=found.feed, day=found.as_of_on), markup=False)
    console.print(words["known" if sheet.known else "new"])
    table = Table(*words["column"])
    for field, heading in sheet.fields.items():
        table.add_row(field, escape(heading), sheet.units.get(field, ""))
    for field, value in sheet.constants.items():
        table.add_row(field, f"= {escape(value)}", "")
    console.print(table)
    _print_counts(console, sheet, words)
    for source in sheet.sources:
        _print_source(console, source, words, lang)


def _print_counts(console: Console, sheet: Any, words: dict[str, Any]) -> None:
    """What the sheet holds besides its rows, and its control totals."""
    counts = {"blank": sheet.blank, "notes": sheet.note_rows, "totals": sheet.total_rows}
    console.print(words["rows"].format(rows=sheet.rows, heading=sheet.heading_row, **counts), markup=False)
    for row_no, note in sheet.notes[:_NOTES_SHOWN]:
        console.print(f"  {row_no}: {note}", markup=False)
    for field, value in sheet.sums.items():
        console.print(words["sum"].format(name=sheet.fields[field], value=value), markup=False)
    for total in sheet.totals:
        mark = "✓" if total["agrees"] else "✗"
        console.print(f"{mark} {words['total'].format(**total)}", markup=False)


def _print_source(console: Console, source: Any, words: dict[str, Any], lang: str) -> None:
    """What would become of the rows of one entity."""
    from recoup.domains.feeds.reasons import in_words

    record = source.record
    if record.state == "REFUSED":
        console.print(words["refused"].format(name=source.name, detail=record.detail), markup=False, soft_wrap=True)
        return
    console.print(words["would"].format(**record._asdict()), markup=False, soft_wrap=True)
    for reason, count in source.reasons.items():
        console.print(f"  {count:,} × {in_words(reason, lang)}", markup=False)
    if not source.refused:
        return
    table = Table(*words["row"])
    for row in source.refused:
        table.add_row(*map(escape, (str(row.row_no), row.field, in_words(row.reason, lang), row.content[:80])))
    console.print(table)
