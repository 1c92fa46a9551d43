"""`recoup figures`: prepare the sums that dashboards read."""

from datetime import date
from typing import Annotated

import typer

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError

app = typer.Typer(help="Sums prepared once and served fast.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="figures")


@app.command("prepare")
def prepare(
    on: Annotated[str | None, typer.Option("--on", help="a closed day or month; default the last closed day")] = None,
) -> None:
    """Sum a closed day as known now for the dashboard and the gap list. `recoup cycle` does it by itself."""
    day = parse_day(on, last=True) if on else None
    django.setup()
    from recoup.database.connect import connect
    from recoup.engine.figures import NothingClosed, find_run
    from recoup.engine.indicator_sheet import prepare as prepare_day
    from recoup.engine.profile import read_rules

    try:
        with connect("app") as connection:
            wanted: date = find_run(connection, day).business_on
            connection.rollback()
            done = prepare_day(connection, wanted, read_rules().denom)
    except NothingClosed as error:
        raise UserError(str(error)) from error
    typer.echo(f"{done.business_on} {done.content_hash[:16]}")


@app.command("list")
def list_() -> None:
    """List the prepared days."""
    django.setup()
    from recoup.database.connect import connect
    from recoup.domains.analytics.queries import list_prepared

    with connect("reader") as connection:
        for day in list_prepared(connection):
            typer.echo(f"{day.business_on} {day.prepared_at:%Y-%m-%d %H:%M} {day.content_hash[:16]}")
