"""A throw-away server for the session, and fresh copies of a migrated database for tests and modules."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from entering import leave, named

from recoup.cli import django
from recoup.cli.init import migrate
from recoup.database import roles, server

TEMPLATE = "recoup_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def own_server() -> Iterator[server.Server]:
    """Our own server in a folder of its own, whatever the caller's environment names; stopped at the end."""
    # Straight below /tmp: the path of a socket is short, and the server's user must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix="recoup-", dir="/tmp"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_HOME", str(folder))
        patch.setenv("RECOUP_SHARED_BUFFERS", "64MB")
        for name in ("RECOUP_DATABASE_URL", "RECOUP_DATABASE_NAME", "RECOUP_ROLE"):
            patch.delenv(name, raising=False)
        yield server.ensure_running()
        server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(own_server: server.Server) -> str:
    """The name of a migrated, empty database that nobody is connected to."""
    django.setup()
    with named(TEMPLATE):
        roles.prepare()
        migrate()
    return TEMPLATE


@pytest.fixture(scope="session")
def loaded_book(template: str) -> str:
    """The name of a demo book of `tiny_book` before its first day; enter a copy of it."""
    return _make_book("recoup_loaded", template)


@pytest.fixture(scope="session")
def closed_book(loaded_book: str) -> str:
    """The name of the same book after its five weeks; enter a copy of it, or only read."""
    import tiny_book

    with named("recoup_closed"):
        tiny_book.copy_book(loaded_book, "recoup_closed")
        tiny_book.close(tiny_book.START, tiny_book.END)
        leave()
    return "recoup_closed"


@pytest.fixture
def enter_copy(loaded_book: str) -> Iterator[Callable[[str], str]]:
    """Copies a book with its lake and enters the copy; every copy is removed at the end of the test."""
    import tiny_book

    made: list[str] = []
    with pytest.MonkeyPatch.context() as patch:

        def enter(source: str) -> str:
            leave()
            made.append(tiny_book.copy_book(source, f"recoup_book_{next(_numbers)}"))
            patch.setenv("RECOUP_DATABASE_NAME", made[-1])
            return made[-1]

        yield enter
        leave()
        for name in made:
            roles.drop_database(name)


@pytest.fixture
def database(template: str) -> Iterator[str]:
    """A fresh migrated database for one test: `connect()` and Django enter it as the role app."""
    yield from _fresh_copy(template)


@pytest.fixture(scope="module")
def module_database(template: str) -> Iterator[str]:
    """A fresh migrated database shared by the tests of one module."""
    yield from _fresh_copy(template)


def _make_book(name: str, template: str) -> str:
    import tiny_book

    with named(name):
        roles.copy_database(template, name)
        tiny_book.open_book("demo")
        tiny_book.fill()
        leave()
    return name


def _fresh_copy(template: str) -> Iterator[str]:
    from django.db import connections

    name = f"recoup_test_{next(_numbers)}"
    with named(name):
        roles.copy_database(template, name)
        connections.close_all()
        yield name
        connections.close_all()
        roles.drop_database(name)
