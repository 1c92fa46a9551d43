"""How old each feed is at the end of a business day: silent when not fresh."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from recoup.engine.runs import Connection


def read_watermarks(connection: Connection) -> dict[str, datetime]:
    """Return the watermark of every feed that completed a load."""
    rows = connection.execute("SELECT code, watermark_at FROM feed WHERE watermark_at IS NOT NULL").fetchall()
    return dict(rows)


def feed_ages(watermarks: Mapping[str, datetime], on: date, timezone: str) -> dict[str, int]:
    """Whole hours, rounded up, from each watermark to the end of `on` in the book's time zone (never negative)."""
    end = datetime.combine(on + timedelta(days=1), time(), ZoneInfo(timezone))
    return {code: max(0, -int((mark - end).total_seconds() // 3600)) for code, mark in watermarks.items()}
