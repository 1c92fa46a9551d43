"""Roles and databases.

`recoup_owner` owns the tables and runs the migrations; `recoup_app` does all the work and may
do only what a migration grants it; `recoup_reader` reads every table.
"""

from typing import Any

import psycopg
from psycopg import sql

from recoup.database.connect import (
    Role,
    connect,
    database_name,
    is_own_server,
    maintenance_database,
)
from recoup.database.errors import DatabaseUnavailable
from recoup.database.home import passwords

ASSUMED: tuple[Role, Role] = ("app", "reader")


def prepare() -> None:
    """Makes the roles and the database where they are missing; harmless to repeat."""
    with connect("owner", autocommit=True, database=maintenance_database()) as connection:
        for role in ASSUMED:
            _make_role(connection, role)
        wanted = database_name()
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [wanted]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(wanted)))
    _grant(wanted)


def copy_database(template: str, name: str, *, outlasts_crash: bool = False) -> None:
    """Makes the database `name` as a copy of `template`, which nobody may be connected to.

    Copied through the log, which takes a quarter of the time, a sequence may fall back when the server dies.
    """
    strategy = sql.SQL("file_copy" if outlasts_crash else "wal_log")
    command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
        sql.Identifier(name), sql.Identifier(template), strategy
    )
    with connect("owner", autocommit=True, database=maintenance_database()) as connection:
        connection.execute(command)
    _grant(name)


def drop_database(name: str) -> None:
    """Removes the database `name` and cuts off whoever is connected to it."""
    command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with connect("owner", autocommit=True, database=maintenance_database()) as connection:
        connection.execute(command)


def _make_role(connection: psycopg.Connection[tuple[Any, ...]], role: Role) -> None:
    name = sql.Identifier(f"recoup_{role}")
    known = connection.execute(
        "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = %s",
        [f"recoup_{role}"],
    ).fetchone()
    try:
        if known is None:
            connection.execute(sql.SQL("CREATE ROLE {} {}").format(name, _login(connection, role)))
        if not is_own_server() and not (known and known[0]):
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise DatabaseUnavailable(
            f"The user {user} of RECOUP_DATABASE_URL may not make roles. Ask an administrator to run: "
            f"CREATE ROLE recoup_app; CREATE ROLE recoup_reader; GRANT recoup_app, recoup_reader TO {user};"
        ) from error


def _login(connection: psycopg.Connection[tuple[Any, ...]], role: Role) -> sql.Composable:
    """In our own server a role logs in by itself, its password sent hashed; elsewhere it is only assumed."""
    if not is_own_server():
        return sql.SQL("NOLOGIN")
    name = f"recoup_{role}"
    hashed = connection.pgconn.encrypt_password(passwords()[role].encode(), name.encode(), b"scram-sha-256")
    return sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(hashed.decode()))


def _grant(database: str) -> None:
    """Grants what a role has without asking; rights on the database itself do not travel with a template."""
    name = sql.Identifier(database)
    with connect("owner", autocommit=True, database=database) as connection:
        if is_own_server():
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO recoup_app").format(name))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO recoup_reader").format(name))
        connection.execute("GRANT USAGE ON SCHEMA public TO recoup_app, recoup_reader")
        connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO recoup_reader")
        # A function of the owner may do more than its caller; who may call it is granted, not presumed.
        connection.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
