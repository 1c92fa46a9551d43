"""`recoup quarantine`: the rows and files that were refused, the keys in conflict, and why."""

import csv
import json
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError
from recoup.cli.load import Language, wide_console

_SHOWN = 200
_COLUMNS = ("load_id", "file", "row_no", "byte_offset", "field", "reason", "content")


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("quarantine")(quarantine)


def quarantine(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the refused rows as CSV.")] = False,
    load: Annotated[int | None, typer.Option(help="Only what this load refused.")] = None,
    lang: Annotated[Language, typer.Option(help="Language of the reasons.")] = Language.EN,
) -> None:
    """List refused rows with file, row, field and reason; refused files; and conflicts with both contents."""
    if as_json and as_csv:
        raise UserError("choose one of --json and --csv")
    django.setup()
    from recoup.domains.feeds import queries

    rows = queries.list_quarantine(load)
    files, conflicts = queries.list_refused_files(load), queries.list_conflicts(load)
    if as_json:
        print(json.dumps({"rows": rows, "files": files, "conflicts": conflicts}, ensure_ascii=False, indent=1))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        _print(rows, files, conflicts, lang.value)


def _print(rows: list[dict[str, Any]], files: list[dict[str, Any]], conflicts: list[dict[str, Any]], lang: str) -> None:
    from recoup.domains.feeds.reasons import in_words

    console = wide_console()
    table = Table("load", "file", "row", "byte", "field", "reason", "content")
    for row in rows[:_SHOWN]:
        told = {**row, "reason": in_words(row["reason"], lang), "content": row["content"][:60]}
        table.add_row(*("" if told[name] is None else escape(str(told[name])) for name in _COLUMNS))
    console.print(table)
    if len(rows) > _SHOWN:
        console.print(f"… {len(rows) - _SHOWN} more: --csv or --json lists all")
    for file in files:
        console.print(f"load {file['load_id']} {file['name']}: {file['detail']}", markup=False, soft_wrap=True)
    for conflict in conflicts[:_SHOWN]:
        both = f"{conflict['entity']} {conflict['key']}: {conflict['stored']} <> {conflict['offered']}"
        console.print(
            f"load {conflict['load_id']} {conflict['file']} row {conflict['row_no']}: {both}",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"{len(rows)} rows, {len(files)} files refused, {len(conflicts)} conflicts")
