"""Reads of units, within a scope."""

from typing import Any

from recoup.database.listing import Connection, read_dicts
from recoup.domains.access.scope import Scope

PLACES_MAX = 400


def list_places(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """List units of a scope for a filter (code, name): stations first; their districts too while the list is short."""
    where, parameters = scope.condition("code")
    rows = read_dicts(
        connection,
        f"SELECT code, name, kind FROM org_unit WHERE {where} ORDER BY kind = 'DISTRICT', code LIMIT %s",
        [*parameters, PLACES_MAX + 1],
    )
    if len(rows) > PLACES_MAX:
        rows = [row for row in rows if row["kind"] != "DISTRICT"]
    return [{"code": row["code"], "name": row["name"]} for row in rows]
