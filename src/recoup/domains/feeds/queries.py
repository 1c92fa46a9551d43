"""Reads of feeds, loads, quarantine and conflicts."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Sum

from recoup.database.listing import Asked, Condition, Connection, Listing, Page, Row, read_dicts, read_list
from recoup.domains.access.scope import Scope
from recoup.domains.feeds.models import Conflict, Feed, FeedLoad, LoadedFile, Quarantine
from recoup.domains.parties.masking import mask_address, mask_name, mask_phone


def list_quarantine(load_id: int | None = None) -> list[dict[str, Any]]:
    """List refused rows, oldest first: load, file, row, byte offset, field, reason, content.

    A row is kept once however often its file comes, under the load that brought it first; `load_id` asks for the
    rows of the files that this load read.
    """
    rows = Quarantine.objects.order_by("quarantine_id")
    if load_id is not None:
        rows = rows.filter(file_sha256__in=LoadedFile.objects.filter(load_id=load_id).values("sha256"))
    return [dict(row) for row in rows.values("load_id", "file", "row_no", "byte_offset", "field", "reason", "content")]


def list_conflicts(load_id: int | None = None) -> list[dict[str, Any]]:
    """List keys that came again with other content, with what is stored and what was offered."""
    rows = Conflict.objects.order_by("conflict_id")
    if load_id is not None:
        rows = rows.filter(load_id=load_id)
    return [dict(row) for row in rows.values("load_id", "file", "row_no", "entity", "key", "stored", "offered")]


def list_refused_files(load_id: int | None = None) -> list[dict[str, Any]]:
    """List files that were refused as a whole, with the reason in words."""
    rows = LoadedFile.objects.filter(state="REFUSED").order_by("load_id", "name")
    if load_id is not None:
        rows = rows.filter(load_id=load_id)
    return [dict(row) for row in rows.values("load_id", "name", "entity", "rows_stated", "rows_read", "detail")]


def list_feeds() -> list[dict[str, Any]]:
    """List feeds: watermark, last load and its state, and what all loads of the feed brought, each row once."""
    return [_describe(feed) for feed in Feed.objects.order_by("code")]


def _describe(feed: Feed) -> dict[str, Any]:
    loads = FeedLoad.objects.filter(feed=feed.code)
    last = loads.order_by("-load_id").first()
    files = LoadedFile.objects.filter(load_id__in=loads.values("load_id")).exclude(state="UNDONE")
    counts = files.aggregate(loaded=Sum("rows_loaded", default=0), superseding=Sum("rows_superseding", default=0))
    return {
        "feed": feed.code,
        "source": feed.source,
        "simulated": feed.simulated,
        "watermark_at": feed.watermark_at and feed.watermark_at.isoformat(),
        "loads": loads.count(),
        "last_load": last and last.load_id,
        "last_state": last and last.state,
        "last_as_of": last and last.as_of_at.isoformat(),
        "files_refused": files.filter(state="REFUSED").count(),
        **counts,
        "conflicting": Conflict.objects.filter(load_id__in=loads.values("load_id")).count(),
        "quarantined": Quarantine.objects.filter(load_id__in=loads.values("load_id")).count(),
    }


def list_loads(limit: int = 100) -> list[dict[str, Any]]:
    """List loads, latest first: feed, day, state, and their files with what became of every row."""
    return _describe_loads(list(FeedLoad.objects.order_by("-load_id")[:limit]))


def read_load(load_id: int) -> dict[str, Any] | None:
    """One load as `list_loads` describes it; None when there is none."""
    found = _describe_loads(list(FeedLoad.objects.filter(load_id=load_id)))
    return found[0] if found else None


def _describe_loads(loads: list[FeedLoad]) -> list[dict[str, Any]]:
    files: dict[int, list[dict[str, Any]]] = {}
    for row in LoadedFile.objects.filter(load_id__in=[load.load_id for load in loads]).order_by("load_id", "name"):
        counts = {name: getattr(row, f"rows_{name}") for name in _COUNTS}
        told = {"name": row.name, "entity": row.entity, "state": row.state, "detail": row.detail, **counts}
        files.setdefault(row.load_id, []).append(told)
    return [
        {
            "load_id": load.load_id,
            "feed": load.feed,
            "as_of_at": load.as_of_at.isoformat(),
            "state": load.state,
            "simulated": load.simulated,
            "started_at": load.started_at.isoformat(),
            "files": files.get(load.load_id, []),
        }
        for load in loads
    ]


_COUNTS = ("read", "loaded", "known", "superseding", "conflicting", "quarantined", "skipped")


_REFUSED_ROWS = Listing(
    columns="""
        q.quarantine_id, q.load_id, q.file, q.row_no, q.byte_offset, q.field, q.reason, l.feed,
        l.started_at AS refused_at
    """,
    tables="quarantine q LEFT JOIN feed_load l USING (load_id)",
    orders={"load_id": "q.load_id", "file": "q.file", "reason": "q.reason", "row_no": "q.row_no"},
    tie="q.quarantine_id",
)
_CONFLICTS = Listing(
    columns="q.conflict_id, q.load_id, q.file, q.row_no, q.entity, q.key, q.stored, q.offered",
    tables="conflict q",
    orders={"load_id": "q.load_id", "entity": "q.entity"},
    tie="q.conflict_id",
)
_REFUSED_FILES = Listing(
    columns="f.load_id, f.name, f.entity, f.rows_stated, f.rows_read, f.state, f.detail, l.feed, l.started_at",
    tables="loaded_file f JOIN feed_load l USING (load_id)",
    orders={"load_id": "f.load_id", "name": "f.name"},
    tie="f.load_id, f.name",
)


def _whole_book(scope: Scope) -> Condition:
    """A refused row belongs to no unit: only who sees the whole book sees it."""
    return ("TRUE" if scope.units is None else "FALSE", [])


def page_quarantine(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List refused rows without their text. Filters: reason, file."""
    conditions = [_whole_book(scope)]
    if asked.get("reason"):
        conditions.append(("q.reason = %s", [asked.get("reason")]))
    if asked.get("file"):
        conditions.append(("position(%s in q.file) > 0", [asked.get("file")]))
    return read_list(connection, _REFUSED_ROWS, conditions, asked)


def page_conflicts(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List keys that came again with other content: what is stored and what was offered, persons masked."""
    page = read_list(connection, _CONFLICTS, [_whole_book(scope)], asked)
    for row in page.rows:
        row["difference"] = _word_difference(row.pop("stored"), row.pop("offered"))
    return page


def page_refused_files(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List files that were refused as a whole."""
    return read_list(connection, _REFUSED_FILES, [_whole_book(scope), ("f.state = 'REFUSED'", [])], asked)


def find_refused_row(connection: Connection, scope: Scope, quarantine_id: int) -> Row | None:
    """One refused row with its text, which may name a person: record why before showing it."""
    found = read_dicts(
        connection,
        f"SELECT {_REFUSED_ROWS.columns}, q.content FROM {_REFUSED_ROWS.tables} "
        f"WHERE q.quarantine_id = %s AND {_whole_book(scope)[0]}",
        [quarantine_id],
    )
    return found[0] if found else None


_MASKS: Mapping[str, Callable[[str], str | None]] = {
    "name": mask_name,
    "phone": mask_phone,
    "identity": mask_phone,
    "address": mask_address,
}


def _word_difference(stored: Any, offered: Any) -> str:
    """The fields that differ, as `field: stored ≠ offered`."""
    one, other = (json.loads(text) if isinstance(text, str) else dict(text) for text in (stored, offered))
    told = [
        f"{name}: {_mask(name, one.get(name))} ≠ {_mask(name, other.get(name))}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]
    return "; ".join(told)


def _mask(name: str, value: Any) -> str:
    mask = _MASKS.get(name)
    return str(mask(str(value)) if mask and value is not None else value)
