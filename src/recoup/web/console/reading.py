"""Reading for a page: as the role reader, one state of the book, and never for long."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from django.db import connections, transaction

from recoup import rulebook
from recoup.database.connect import database_name
from recoup.database.home import home
from recoup.database.listing import Connection
from recoup.domains.book.queries import get_book
from recoup.engine.why import Law, read_law

# A page that needs longer asks for too much: the person is told to narrow it.
LONGEST_SECONDS = 20


@contextmanager
def reading() -> Iterator[Connection]:
    """A psycopg connection inside one read-only transaction that sees one state of the book."""
    with transaction.atomic(using="reader"):
        connection = connections["reader"].connection
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute(f"SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'")
        yield connection


def current_law() -> Law:
    """The rulebook of the book, resolved; read again only when a document of the site changes."""
    site = home() / "rulebook"
    files = sorted(site.rglob("*.yaml")) if site.exists() else []
    stamp = tuple((str(path), path.stat().st_mtime_ns) for path in files)
    return _read_law(database_name(), get_book().jurisdiction, site if files else None, stamp)


@lru_cache(maxsize=8)
def _read_law(database: str, jurisdiction: str, site: Path | None, stamp: tuple[tuple[str, int], ...]) -> Law:
    return read_law(rulebook.load(jurisdiction, site))
