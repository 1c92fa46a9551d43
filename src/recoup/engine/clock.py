"""What time it is: for sessions, locks and the marks on papers. No rule ever asks."""

from datetime import UTC, datetime


def now() -> datetime:
    """This instant, UTC."""
    return datetime.now(UTC)
