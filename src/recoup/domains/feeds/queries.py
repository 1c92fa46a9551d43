"""Reads of feeds, loads, quarantine and conflicts."""

from typing import Any

from django.db.models import Sum

from recoup.domains.feeds.models import Conflict, Feed, FeedLoad, LoadedFile, Quarantine


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
    files = LoadedFile.objects.filter(load_id__in=loads.values("load_id"))
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
