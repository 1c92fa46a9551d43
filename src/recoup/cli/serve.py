"""`recoup serve`: the console, served from this machine until stopped."""

import os
import socket
from typing import Annotated

import typer

from recoup.cli import django
from recoup.cli.errors import UserError
from recoup.database.home import prepare_home

HOST, PORT = "127.0.0.1", 8731
# Two processes for two cores, and threads enough that one slow list does not keep the others waiting.
WORKERS, THREADS = 2, 4
_ANYWHERE = ("0.0.0.0", "::")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = PORT,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = WORKERS,
) -> None:
    """Serve the console until stopped (Ctrl-C). Other names than localhost are told in RECOUP_HOSTS."""
    _check_free(host, port)
    _allow_host(host)
    _check_book()
    typer.echo(f"console: {name_address(host, port)}  (stop with Ctrl-C)")
    run_server(host, port, workers)


def name_address(host: str, port: int) -> str:
    """The address to type into a browser on this machine."""
    shown = "127.0.0.1" if host in _ANYWHERE else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def run_server(host: str, port: int, workers: int = WORKERS) -> None:
    """Answer requests until a signal ends the process."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recoup.settings")
    Granian(
        "recoup.web.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        log_level=LogLevels.error,
    ).serve()


def _allow_host(host: str) -> None:
    """Whoever opens the console beyond this machine is asked for by the address it listens on; settings read this."""
    if host not in ("localhost", "127.0.0.1", "::1"):
        os.environ.setdefault("RECOUP_HOSTS", f"localhost,127.0.0.1,[::1],{'*' if host in _ANYWHERE else host}")


def find_free_port(host: str, wanted: int) -> int:
    """The wanted port, or any free one when it is taken (or 0)."""
    if wanted and _why_not_free(host, wanted) is None:
        return wanted
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _check_free(host: str, port: int) -> None:
    why = _why_not_free(host, port)
    if why:
        raise UserError(f"cannot listen on {host}:{port} ({why}): give another --host or --port")


def _why_not_free(host: str, port: int) -> str | None:
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or "refused"
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _check_book() -> None:
    """Start the database's server before the workers do, and see that there is a book and somebody to sign in."""
    prepare_home()  # the key that seals sessions is kept there, the same for every worker
    django.setup()
    from recoup.domains.access.models import Staff
    from recoup.domains.book.queries import BookMissing, get_book

    try:
        get_book()
    except BookMissing as error:
        raise UserError(str(error)) from error
    if not Staff.objects.exists():
        typer.echo("nobody may sign in yet: recoup staff add USERNAME --role admin --unit '*' --name NAME", err=True)
