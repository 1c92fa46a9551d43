"""Reads of what people did."""

import json
from datetime import date, datetime, time, timedelta

from django.utils.timezone import get_current_timezone

from recoup.database.listing import Asked, Connection, Listing, Page, Row, read_dicts, read_list
from recoup.domains.access.scope import Scope

_EVENTS = Listing(
    columns="e.event_id, e.recorded_at, e.username, e.org_unit, e.kind, e.subject, e.reason, e.detail",
    tables="audit_event e",
    orders={"recorded_at": "e.event_id", "username": "e.username", "kind": "e.kind"},
    tie="e.event_id",
)


def list_events(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List acts of the people of a scope, filters: kind, username, q (subject), day (of the book's zone)."""
    conditions = [scope.condition("e.org_unit")]
    for name, column in (("kind", "e.kind"), ("username", "e.username"), ("q", "e.subject")):
        if asked.get(name):
            conditions.append((f"{column} = %s", [asked.get(name)]))
    if asked.get("day"):
        day = datetime.combine(date.fromisoformat(asked.get("day")), time(), get_current_timezone())
        conditions.append(("e.recorded_at >= %s AND e.recorded_at < %s", [day, day + timedelta(days=1)]))
    page = read_list(connection, _EVENTS, conditions, asked)
    for row in page.rows:
        row["detail"] = _word(row["detail"])
    return page


def list_kinds(connection: Connection) -> list[str]:
    """The kinds of act there are, each found by one step through the index."""
    rows: list[Row] = read_dicts(
        connection,
        """
        WITH RECURSIVE each AS (
            (SELECT kind FROM audit_event ORDER BY kind LIMIT 1)
            UNION ALL SELECT (SELECT m.kind FROM audit_event m WHERE m.kind > e.kind ORDER BY m.kind LIMIT 1)
            FROM each e WHERE e.kind IS NOT NULL)
        SELECT kind FROM each WHERE kind IS NOT NULL
        """,
    )
    return [row["kind"] for row in rows]


def _word(detail: object) -> str:
    told = json.loads(detail) if isinstance(detail, str) else detail
    if not isinstance(told, dict):
        return ""
    return ", ".join(f"{name} {value}" for name, value in told.items() if value not in ("", None, {}))
