"""The one door to a connection, to our own server or to the one named in `RECOUP_DATABASE_URL`.

With `RECOUP_DATABASE_URL` set nothing is started. Its user owns the tables and assumes the roles
`recoup_app` and `recoup_reader` when a connection asks for them (`SET ROLE`). It therefore needs
the right to create roles, or an administrator makes the two roles and grants them to it.
"""

import os
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from recoup.database.binaries import OLDEST
from recoup.database.errors import DatabaseUnavailable
from recoup.database.home import passwords
from recoup.database.server import ensure_running

Role = Literal["owner", "app", "reader"]


def database_name() -> str:
    """`RECOUP_DATABASE_NAME`, else the name in `RECOUP_DATABASE_URL`, else recoup."""
    return os.environ.get("RECOUP_DATABASE_NAME") or str(_given().get("dbname") or "recoup")


def maintenance_database() -> str:
    """The database to connect to when making others: that of the URL, or the server's `postgres`."""
    return str(_given().get("dbname") or "postgres")


def is_own_server() -> bool:
    """Whether we run the server ourselves."""
    return not _given()


def dsn(role: Role = "app", database: str | None = None) -> str:
    """The connection string of a role; starts our own server when it does not run."""
    name = database or database_name()
    given = _given()
    if given:
        assumed = "" if role == "owner" else f" -c role=recoup_{role}"
        options = f"{given.pop('options', '')} -c TimeZone=UTC{assumed}".strip()
        return make_conninfo("", **{**given, "dbname": name, "options": options})
    server = ensure_running()
    return make_conninfo(
        host=str(server.socket_folder),
        port=server.port,
        user=f"recoup_{role}",
        password=passwords()[role],
        dbname=name,
        application_name="recoup",
    )


def connect(
    role: Role = "app", autocommit: bool = False, database: str | None = None
) -> psycopg.Connection[tuple[Any, ...]]:
    """Opens a connection as a role.

    Raises DatabaseUnavailable when the database was never made, or the server is older than 15.
    """
    try:
        connection = psycopg.connect(dsn(role, database), autocommit=autocommit)
    except psycopg.OperationalError as error:
        said = " ".join(str(error).split())
        if "does not exist" in said or "authentication failed" in said:
            raise DatabaseUnavailable(f"{said} - make the database first: recoup init") from error
        raise DatabaseUnavailable(f"The database cannot be reached: {said}") from error
    version = connection.info.server_version
    if version < OLDEST * 10_000:
        connection.close()
        raise DatabaseUnavailable(f"The server is PostgreSQL {version // 10_000}; Recoup needs {OLDEST} or newer.")
    return connection


def _given() -> dict[str, Any]:
    url = os.environ.get("RECOUP_DATABASE_URL")
    return dict(conninfo_to_dict(url)) if url else {}
