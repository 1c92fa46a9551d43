"""The door of the `recoup` command: gathers the commands that exist, turns our errors into one line."""

import importlib
import importlib.util
import sys

import typer

from recoup.cli.errors import UserError
from recoup.database.errors import DatabaseUnavailable

COMMANDS = (
    *("server", "init", "demo", "load", "quarantine", "quote", "rulebook", "cycle", "why", "report"),
    *(
        "verify",
        "dump",
        "city",
        "bench",
        "corrections",
        "feeds",
        "modes",
        "backup",
        "doctor",
        "work",
        "measures",
        "serve",
        "staff",
        "cutoff",
        "target",
        "gap",
        "figures",
        "files",
    ),
)

app = typer.Typer(
    help="Electricity-fee recovery, end to end: from meter readings to recovered money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _recoup() -> None:
    """Makes every command a sub-command, even when there is only one."""


def run() -> None:
    """Runs the command line; errors the user can act upon end with exit code 2."""
    for name in COMMANDS:
        if importlib.util.find_spec(f"recoup.cli.{name}") is not None:
            importlib.import_module(f"recoup.cli.{name}").register(app)
    try:
        app()
    except (UserError, DatabaseUnavailable) as error:
        print(f"recoup: {error}", file=sys.stderr)
        sys.exit(2)
