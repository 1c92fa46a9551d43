"""Every way into the database: the right role, a fresh copy for each test."""

import pytest
from django.db import connections

from recoup.database.connect import connect


def test_django_enters_as_the_app(database: str) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user")
        assert cursor.fetchone() == (database, "recoup_app")


@pytest.mark.parametrize("role", ["owner", "reader"])
def test_django_enters_as_another_role_when_asked(database: str, role: str) -> None:
    with connections[role].cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (f"recoup_{role}",)


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_one_test_leaves_no_other_finds(database: str, turn: str) -> None:
    with connect("owner") as connection:
        connection.execute("CREATE TABLE left_behind (n int)")


def test_nobody_else_may_enter_a_copy(database: str) -> None:
    with connect("owner") as connection:
        connection.execute("CREATE ROLE stranger")
        question = "SELECT has_database_privilege('stranger', current_database(), 'CONNECT')"
        assert connection.execute(question).fetchone() == (False,)
        connection.rollback()
