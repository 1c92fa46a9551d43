"""`COMPLETE`, the list of what a backup holds: every file with its size and SHA-256, and how far its books were."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from recoup.database.backup import CopyRefused

FORMAT = 1
COMPLETE = "COMPLETE"


class Kept(NamedTuple):
    """A file of the home: its path there, where the backup holds it, its size, hash and mode."""

    path: str
    stored: str
    bytes: int
    sha256: str
    mode: int


class BookState(NamedTuple):
    """How far a book was when its backup began."""

    database: str
    name: str
    kind: str
    last_closed_on: date | None
    runs: int
    open_run_on: date | None


class Manifest(NamedTuple):
    """What a complete backup holds."""

    made_at: datetime
    product_version: str
    server_version: str
    system_identifier: str
    database_folder: str
    books: tuple[BookState, ...]
    files: tuple[Kept, ...]
    log_files: tuple[Kept, ...]
    secrets: tuple[str, ...]
    missing: tuple[str, ...]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of the folder's complete backup; None when there is none. Raises CopyRefused when unreadable."""
    try:
        text = (folder / COMPLETE).read_text()
    except FileNotFoundError:
        return None
    try:
        return _decode(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise CopyRefused(f"{folder / COMPLETE} is damaged: take another copy of this backup") from error


def encode_manifest(manifest: Manifest) -> str:
    rows = manifest._asdict() | {
        name: [row._asdict() for row in getattr(manifest, name)] for name in ("books", "files", "log_files")
    }
    return json.dumps({"format": FORMAT, **rows}, default=lambda day: day.isoformat(), ensure_ascii=False, indent=1)


def _decode(read: Mapping[str, Any]) -> Manifest:
    if read["format"] != FORMAT:
        raise CopyRefused(f"the backup has format {read['format']}, this Recoup reads {FORMAT}: use the one it names")
    days = ("last_closed_on", "open_run_on")
    books = [{**row, **{day: row[day] and date.fromisoformat(row[day]) for day in days}} for row in read["books"]]
    return Manifest(
        **{name: read[name] for name in ("product_version", "server_version", "system_identifier", "database_folder")},
        made_at=datetime.fromisoformat(read["made_at"]),
        books=tuple(BookState(**row) for row in books),
        files=tuple(Kept(**row) for row in read["files"]),
        log_files=tuple(Kept(**row) for row in read["log_files"]),
        secrets=tuple(read["secrets"]),
        missing=tuple(read["missing"]),
    )
