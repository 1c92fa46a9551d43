"""`recoup feeds`: which feeds there are, up to when each is known, and what it brought."""

import json
from typing import Annotated

import typer
from rich.table import Table

from recoup.cli import django
from recoup.cli.load import wide_console

_COLUMNS = (
    *("feed", "watermark_at", "simulated", "loads", "last_load", "last_state", "files_refused", "loaded"),
    *("superseding", "conflicting", "quarantined"),
)


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("feeds")(feeds)


def feeds(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List feeds with watermark, last load and counts."""
    django.setup()
    from recoup.domains.feeds.queries import list_feeds

    found = list_feeds()
    if as_json:
        print(json.dumps({"feeds": found}, ensure_ascii=False, indent=1))
        return
    table = Table(*_COLUMNS)
    for feed in found:
        table.add_row(*("" if feed[name] is None else str(feed[name]) for name in _COLUMNS))
    wide_console().print(table)
