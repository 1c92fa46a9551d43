"""A throw-away server for the session, and fresh copies of a migrated database for tests and modules."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

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
    with _named(TEMPLATE):
        roles.prepare()
        migrate()
    return TEMPLATE


@pytest.fixture
def database(template: str) -> Iterator[str]:
    """A fresh migrated database for one test: `connect()` and Django enter it as the role app."""
    yield from _fresh_copy(template)


@pytest.fixture(scope="module")
def module_database(template: str) -> Iterator[str]:
    """A fresh migrated database shared by the tests of one module."""
    yield from _fresh_copy(template)


def _fresh_copy(template: str) -> Iterator[str]:
    from django.db import connections

    name = f"recoup_test_{next(_numbers)}"
    with _named(name):
        roles.copy_database(template, name)
        connections.close_all()
        yield name
        connections.close_all()
        roles.drop_database(name)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Names the database to enter while the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", name)
        yield
