"""A book of an earlier release, brought up to date by the migrations: nothing of it changes, and it goes on."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tiny_book
from released_books import RELEASED, unpack

from recoup.cli.init import migrate
from recoup.database import roles
from recoup.engine.runs import last_done_on

BOOKS = sorted(RELEASED.glob("*.zip"))


@pytest.fixture(params=BOOKS, ids=[book.stem for book in BOOKS])
def upgraded(request: pytest.FixtureRequest, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A packed book in the tables of its release, then migrated; gives its dump of that time."""
    from django.db import connections

    book: Path = request.param
    connections.close_all()
    monkeypatch.setenv("RECOUP_DATABASE_NAME", f"upgraded_{book.stem}")
    roles.prepare()
    told = unpack(book)
    migrate()
    yield told
    connections.close_all()
    roles.drop_database(f"upgraded_{book.stem}")


def without_newer(row: dict[str, Any], fields: set[str]) -> dict[str, Any]:
    """A row of today by the fields it had at the time; a field that came later says nothing of an old row."""
    newer = {name: value for name, value in row.items() if name not in fields}
    assert not fields or set(newer.values()) <= {None}, newer
    return {name: row[name] for name in row if name in fields}


def differences(then: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    """Rows of that time that are no longer there."""
    found = {json.dumps(row) for row in now}
    return [line for line in map(json.dumps, then) if line not in found][:5]


def test_there_is_a_book_of_the_first_release() -> None:
    assert "r1" in [book.stem for book in BOOKS]


def test_an_upgraded_book_says_what_it_said_verifies_and_goes_on(upgraded: list[str]) -> None:
    from recoup.database.connect import connect
    from recoup.engine.dump import dump_lines

    rows = [json.loads(line.partition(" ")[2]) for line in upgraded]
    fields = {row["section"]: set(row) for row in rows}
    now = [without_newer(json.loads(line), fields.get(section, set())) for section, line in dump_lines()]
    assert differences(rows, now) == []
    assert tiny_book.find_failures() == []
    with connect("reader") as connection:
        done = last_done_on(connection)
    assert done is not None
    assert tiny_book.close(done + timedelta(days=1), done + timedelta(days=8)) == 8
    assert tiny_book.find_failures() == []
