"""`recoup staff`: who may sign in to the console."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from recoup.cli import django
from recoup.cli.errors import UserError

commands = typer.Typer(help="Who may sign in to the console.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(commands, name="staff")


@commands.command()
def add(
    username: Annotated[str, typer.Argument(help="What the person types to sign in.")],
    role: Annotated[str, typer.Option(help="admin, manager, clerk, collector or auditor")],
    unit: Annotated[str, typer.Option(help="Code of the unit whose rows the person sees; * for the whole book.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    language: Annotated[str, typer.Option(help="zh-hans or en")] = "zh-hans",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from input.")] = False,
) -> None:
    """Add a person; without --password-stdin a random password is made and printed once."""
    django.setup()
    from recoup.domains.access.operations import StaffRefused, add_staff, make_password
    from recoup.domains.audit.operations import STAFF, record

    password = sys.stdin.readline().rstrip("\n") if password_stdin else make_password()
    try:
        staff = add_staff(username=username, name=name, role=role, org_unit=unit, password=password, language=language)
    except StaffRefused as error:
        raise UserError(str(error)) from error
    record(None, STAFF, staff.username, detail={"added": role, "org_unit": unit, "by": "command line"})
    typer.echo(f"added: {username} ({role}, {unit})")
    if not password_stdin:
        typer.echo(f"password: {password}")


@commands.command()
def password(
    username: Annotated[str, typer.Argument(help="The person's user name.")],
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from input.")] = False,
) -> None:
    """Set a new password and lift a lock."""
    django.setup()
    from recoup.domains.access.operations import StaffRefused, make_password, set_password
    from recoup.domains.access.queries import find_staff
    from recoup.domains.audit.operations import STAFF, record

    staff = find_staff(username)
    if staff is None:
        raise UserError(f"nobody is named {username}: see `recoup staff list`")
    chosen = sys.stdin.readline().rstrip("\n") if password_stdin else make_password()
    try:
        set_password(staff, chosen)
    except StaffRefused as error:
        raise UserError(str(error)) from error
    record(None, STAFF, username, detail={"password": "set", "by": "command line"})
    typer.echo(f"password set: {username}" if password_stdin else f"password: {chosen}")


@commands.command("list")
def list_people() -> None:
    """List who may sign in."""
    django.setup()
    from recoup.domains.access.queries import list_staff
    from recoup.domains.access.scope import Scope

    table = Table(box=None, pad_edge=False)
    for name in ("username", "name", "role", "unit", "language", "active"):
        table.add_column(name)
    for each in list_staff(Scope.EVERYTHING):
        cells = (each[key] for key in ("username", "name", "role", "org_unit", "language"))
        table.add_row(*cells, "yes" if each["is_active"] else "no")
    Console().print(table)
