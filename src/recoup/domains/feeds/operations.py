"""Writes of feeds, loads, files and quarantine. All inside the caller's transaction, on the caller's cursor."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import psycopg

type Cursor = psycopg.Cursor[tuple[Any, ...]]

RUNNING, COMPLETE, REFUSED, LOADED, UNDONE = "RUNNING", "COMPLETE", "REFUSED", "LOADED", "UNDONE"

COUNTS = ("read", "loaded", "known", "superseding", "conflicting", "quarantined", "skipped")


class FileRecord(NamedTuple):
    """One file of a load and what became of every row: `read` is the sum of the other counts, unless refused."""

    name: str
    entity: str
    sha256: str
    stated: int | None
    state: str
    detail: str | None
    read: int = 0
    loaded: int = 0
    known: int = 0
    superseding: int = 0
    conflicting: int = 0
    quarantined: int = 0
    skipped: int = 0


def start_load(cursor: Cursor, *, feed: str, source: str, simulated: bool, as_of: datetime) -> int:
    """Return the id of a new load, or of the one of the same feed and instant that was killed before its end."""
    cursor.execute(
        "INSERT INTO feed (code, source, simulated) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [feed, source, simulated],
    )
    killed = cursor.execute(
        "SELECT max(load_id) FROM feed_load WHERE feed = %s AND as_of_at = %s AND state = %s", [feed, as_of, RUNNING]
    ).fetchone()
    if killed and killed[0] is not None:
        return int(killed[0])
    made = cursor.execute(
        """
        INSERT INTO feed_load (feed, as_of_at, state, simulated, started_at) VALUES (%s, %s, %s, %s, now())
        RETURNING load_id
        """,
        [feed, as_of, RUNNING, simulated],
    ).fetchone()
    assert made is not None
    return int(made[0])


def list_files(cursor: Cursor, load_id: int) -> Mapping[str, FileRecord]:
    """Return the files of a load that have an end, by name."""
    rows = cursor.execute(
        """
        SELECT name, entity, sha256, rows_stated, state, detail, rows_read, rows_loaded, rows_known, rows_superseding,
               rows_conflicting, rows_quarantined, rows_skipped
        FROM loaded_file WHERE load_id = %s
        """,
        [load_id],
    ).fetchall()
    return {row[0]: FileRecord(*row) for row in rows}


def record_file(cursor: Cursor, load_id: int, file: FileRecord) -> None:
    """Write, or write anew, what became of a file."""
    counts = ", ".join(f"rows_{name}" for name in COUNTS)
    replaced = ", ".join(f"{name} = EXCLUDED.{name}" for name in _REPLACED)
    cursor.execute(
        f"""
        INSERT INTO loaded_file (load_id, name, entity, sha256, rows_stated, state, detail, {counts})
        VALUES (%s, %s, %s, %s, %s, %s, %s, {", ".join(["%s"] * len(COUNTS))})
        ON CONFLICT (load_id, name) DO UPDATE SET {replaced}
        """,
        [load_id, *file],
    )


_REPLACED = ("entity", "sha256", "rows_stated", "state", "detail", *(f"rows_{name}" for name in COUNTS))


def quarantine_refused(cursor: Cursor, load_id: int, *, file: str, sha256: str, secret: bool) -> int:
    """Move the rows of the temporary table `refused` to quarantine, once per content and row; return their count.

    Of a file with phones and identity numbers no long run of digits is kept.
    """
    content = r"regexp_replace(content, '\d{7,}', '*******', 'g')" if secret else "content"
    cursor.execute(
        f"""
        INSERT INTO quarantine (load_id, file, file_sha256, row_no, byte_offset, field, reason, content)
        SELECT %s, %s, %s, row_no, byte_offset, field, reason, {content} FROM refused ORDER BY row_no
        ON CONFLICT DO NOTHING
        """,
        [load_id, file, sha256],
    )
    counted = cursor.execute("SELECT count(*) FROM refused").fetchone()
    assert counted is not None
    return int(counted[0])


def finish_load(cursor: Cursor, load_id: int, *, complete: bool, moves_watermark: bool = True) -> None:
    """End a load; the feed's watermark moves only when every file was loaded, and never back."""
    cursor.execute(
        "UPDATE feed_load SET state = %s, watched = %s, finished_at = now() WHERE load_id = %s",
        [COMPLETE if complete else REFUSED, moves_watermark, load_id],
    )
    if complete and moves_watermark:
        cursor.execute(
            """
            UPDATE feed f SET watermark_at = greatest(f.watermark_at, l.as_of_at),
                              simulated = f.simulated OR l.simulated
            FROM feed_load l WHERE l.load_id = %s AND f.code = l.feed
            """,
            [load_id],
        )
