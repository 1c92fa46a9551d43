"""`recoup server`: starts, stops and shows the PostgreSQL server that Recoup runs itself."""

import typer

from recoup.cli.errors import UserError
from recoup.database import connect, server

commands = typer.Typer(help="The PostgreSQL server that Recoup runs itself.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.add_typer(commands, name="server")


@commands.command()
def start() -> None:
    """Start the server, or find it running."""
    _refuse_if_given()
    _show(server.ensure_running())


@commands.command()
def stop() -> None:
    """Stop the server in good order."""
    _refuse_if_given()
    typer.echo("stopped" if server.stop() else "not running")


@commands.command()
def status() -> None:
    """Show where the server is; exit code 1 when it does not run."""
    _refuse_if_given()
    found = server.status()
    if found is None:
        typer.echo("not running")
        raise typer.Exit(1)
    _show(found)


def _show(found: server.Server) -> None:
    typer.echo(f"running  pid {found.pid}  {found.host}:{found.port}  {found.socket_folder}  {found.data_folder}")


def _refuse_if_given() -> None:
    if not connect.is_own_server():
        raise UserError("RECOUP_DATABASE_URL names a server that Recoup does not run; unset it to use our own.")
