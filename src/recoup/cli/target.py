"""`recoup target`: the share a rate is to reach, by unit and from a day on, with who set it."""

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from rich.table import Table

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.cli.load import wide_console
from recoup.cli.report import choose_labels
from recoup.labels import percent

app = typer.Typer(help="Targets of the collection rates, by unit and day.", no_args_is_help=True)
PPM_PER_PERCENT = 10_000


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="target")


@app.command("set")
def set_(
    measure: Annotated[str, typer.Option("--measure", help="current, cumulative or prior")],
    on: Annotated[str, typer.Option("--on", help="first day or month on which it holds, until the next one is set")],
    by: Annotated[str, typer.Option("--by", help="who sets it")] = "",
    unit: Annotated[str, typer.Option("--unit", help="code of a unit; * is the whole book")] = "*",
    share: Annotated[str | None, typer.Option("--percent", help="99 or 98.75")] = None,
    ppm: Annotated[int | None, typer.Option("--ppm", help="990000 is 99 %")] = None,
) -> None:
    """Set a target. Another one for the same unit, rate and day takes its place; both stay on record."""
    valid_from = parse_day(on, last=False)
    wanted = _read_share(share, ppm)
    django.setup()
    from recoup.database.connect import connect
    from recoup.domains.analytics.operations import TargetRefused, set_target

    try:
        with connect("app") as connection, connection.cursor() as cursor:
            set_target(cursor, unit=unit, measure=measure, share_ppm=wanted, valid_from=valid_from, by=by or _whoami())
    except TargetRefused as error:
        raise UserError(str(error)) from error
    typer.echo(f"{unit} {measure} {wanted / PPM_PER_PERCENT:g} % · {valid_from}")


def _read_share(share: str | None, ppm: int | None) -> int:
    if (share is None) == (ppm is None):
        raise UserError("give the share once: --percent 99 or --ppm 990000")
    if ppm is not None:
        return ppm
    try:
        wanted = Decimal(str(share)) * PPM_PER_PERCENT
    except InvalidOperation as error:
        raise UserError(f"{share!r} is not a share: write --percent 99 or --percent 98.75") from error
    if wanted != wanted.to_integral_value():
        raise UserError(f"{share} has more digits than a target keeps: give at most four after the point")
    return int(wanted)


def _whoami() -> str:
    """The name of the terminal's user."""
    import getpass

    return getpass.getuser()


@app.command("list")
def list_(
    on: Annotated[str | None, typer.Option("--on", help="those in force on a day; default all ever set")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """List the targets."""
    labels = choose_labels(lang)
    day = parse_day(on, last=True) if on else None
    django.setup()
    from recoup.database.connect import connect
    from recoup.domains.analytics.queries import list_targets
    from recoup.engine.figures import as_share

    with connect("reader") as connection:
        rows = [
            {
                "org_unit": target.org_unit,
                "measure": target.measure,
                "share": as_share(target.share_ppm),
                "valid_from": target.valid_from.isoformat(),
                "set_by": target.set_by,
                "set_at": target.set_at.isoformat(timespec="seconds"),
            }
            for target in list_targets(connection, day)
        ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    names = ("org_unit", "measure", "share", "valid_from", "set_by", "set_at")
    table = Table(*(labels("target" if name == "share" else name) for name in names), box=None, pad_edge=False)
    for row in rows:
        shown = {**row, "share": percent(str(row["share"])), "measure": labels(f"collection_rate_{row['measure']}")}
        table.add_row(*(str(shown[name]) for name in names))
    wide_console().print(table if rows else labels("none"))
