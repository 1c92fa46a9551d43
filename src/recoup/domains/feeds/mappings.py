"""Remembered mappings: one succession per feed and shape, the latest version holds, a forgotten one is withdrawn."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Max

from recoup.domains.feeds.mapping import SheetMapping
from recoup.domains.feeds.models import FileMapping


class Kept(NamedTuple):
    """A mapping as it is kept: who said it, when, which version."""

    mapping_id: int
    feed: str
    shape: str
    version: int
    mapping: SheetMapping
    headings: tuple[str, ...]
    who: str
    recorded_at: datetime


def list_mappings() -> list[Kept]:
    """List the mappings that hold, by feed and kind."""
    latest = {(row.feed, row.shape): row for row in FileMapping.objects.order_by("mapping_id")}
    return sorted(
        (_describe(row) for row in latest.values() if not row.withdrawn),
        key=lambda kept: (kept.feed, kept.mapping.kind),
    )


def _describe(row: FileMapping) -> Kept:
    mapping = SheetMapping.model_validate(row.mapping)
    headings = tuple(row.headings)
    return Kept(row.mapping_id, row.feed, row.shape, row.version, mapping, headings, row.who, row.recorded_at)


def find(shape: str, feed: str | None = None) -> list[tuple[str, SheetMapping]]:
    """Find the mappings that hold for a shape: feed and mapping; of one feed only when it is named."""
    rows = FileMapping.objects.filter(shape=shape).order_by("mapping_id")
    if feed is not None:
        rows = rows.filter(feed=feed)
    latest = {row.feed: row for row in rows}
    return [(code, SheetMapping.model_validate(row.mapping)) for code, row in latest.items() if not row.withdrawn]


def remember(*, feed: str, shape: str, mapping: SheetMapping, headings: Sequence[str], who: str) -> int:
    """Keep a mapping as the next version of its feed and shape, unless it is what is kept; return the version."""
    with transaction.atomic():
        last = FileMapping.objects.filter(feed=feed, shape=shape).order_by("version").last()
        if last and not last.withdrawn and SheetMapping.model_validate(last.mapping) == mapping:
            return last.version
        return _append(feed, shape, mapping.model_dump(), list(headings), who, withdrawn=False)


class MappingUnknown(Exception):
    """No such mapping holds; `recoup files mappings` lists them."""


def forget(mapping_id: int, *, who: str) -> Kept:
    """Withdraw a mapping that holds: its shape is asked again."""
    with transaction.atomic():
        kept = next((kept for kept in list_mappings() if kept.mapping_id == mapping_id), None)
        if kept is None:
            raise MappingUnknown(f"no mapping {mapping_id} holds: recoup files mappings lists them")
        _append(kept.feed, kept.shape, kept.mapping.model_dump(), list(kept.headings), who, withdrawn=True)
        return kept


def _append(feed: str, shape: str, mapping: object, headings: list[str], who: str, *, withdrawn: bool) -> int:
    last = FileMapping.objects.filter(feed=feed, shape=shape).aggregate(last=Max("version"))["last"] or 0
    row = FileMapping.objects.create(
        feed=feed,
        shape=shape,
        version=last + 1,
        mapping=mapping,
        headings=headings,
        who=who,
        withdrawn=withdrawn,
    )
    return row.version
