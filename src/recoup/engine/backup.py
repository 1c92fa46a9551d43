"""`recoup backup`: the server's files with the lake and the keys, and what stands in them.

A backup folder holds `database-<instant>/` (the server's own copy), `home/` (lake files that slices name, keys,
the site's rulebook) and `COMPLETE`, written last: it names every file with size and SHA-256. What `COMPLETE` names is
never touched by the next backup before that one is complete, so an interrupted backup costs only itself.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

from recoup import __version__
from recoup.database import backup as server_copies
from recoup.database.backup import CopyRefused, Watch
from recoup.database.connect import connect
from recoup.database.failpoints import hit
from recoup.database.home import home
from recoup.engine.backup_manifest import COMPLETE, BookState, Kept, Manifest, encode_manifest, read_manifest

STATE_FILE = "backup.json"  # in the home: when the last backup was made, for `recoup doctor`
STAGING = "restoring"

_ROOM_PARTS_PER_100 = 105  # a copy holds the databases and the log written meanwhile
_PATTERNS_LEFT_OUT = (r"\..*", r"postgres-.*", r".*\.log", r".*\.pid", r".*\.lock", r".*\.draft")
_LEFT_OUT = server_copies.TRANSIENT | {"demo", "uploads", STATE_FILE, STAGING}


class Done(NamedTuple):
    """What a backup did: its manifest, files newly copied, files it held already, files that changed since."""

    manifest: Manifest
    copied: int
    known: int
    changed: tuple[str, ...]


def make_backup(folder: Path, *, made_at: datetime, watch: Watch = lambda *_: None) -> Done:
    """Copy the server, the lake and the keys into `folder` while everybody works on; repeatable, incremental.

    Raises CopyRefused when the folder holds something else, DatabaseUnavailable when the server cannot be copied.
    """
    server_copies.refuse_foreign_server()
    folder = folder.resolve()
    _refuse_other_content(folder)
    origin = server_copies.describe_server()
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with _one_at_a_time(folder):
        last = read_manifest(folder)
        if last is not None and last.system_identifier != origin.system_identifier:
            raise CopyRefused(f"{folder} holds the backup of another server: give another folder")
        _remove_unnamed(folder, last)
        _refuse_little_room(folder)
        books = read_books()  # before the copy, so that the copy holds at least this
        database = _free_name(folder, made_at)
        hit("backup.begun")
        server_copies.copy_server(folder / database, origin, watch)
        # The lake is listed after the copy: every file that the copied slices name is among them.
        files = _Files(folder / "home", last)
        files.copy(_list_files(books), watch)
        hit("backup.files_copied")
        manifest = Manifest(
            made_at,
            __version__,
            origin.version,
            origin.system_identifier,
            database,
            tuple(books),
            tuple(files.kept),
            tuple(_list_log_files(folder / database)),
            tuple(kept.path for kept in files.kept if kept.mode & 0o077 == 0),
            tuple(files.missing),
        )
        server_copies.sync_disk(folder)
        _write_whole(folder / COMPLETE, encode_manifest(manifest))
        hit("backup.completed")
        _write_whole(home() / STATE_FILE, _describe_last(folder, manifest))
        _remove_unnamed(folder, manifest)
    return Done(manifest, files.copied, files.known, tuple(files.changed))


def read_books() -> list[BookState]:
    """Return how far every book of the server is."""
    states = (_read_book(database) for database in server_copies.list_databases())
    return [state for state in states if state is not None]


def _read_book(database: str) -> BookState | None:
    with connect("owner", database=database) as connection:
        made = connection.execute("SELECT to_regclass('public.book'), to_regclass('public.slice')").fetchone()
        if made is None or None in made:
            return None
        row = connection.execute(
            """
            SELECT b.name, b.kind,
                   (SELECT max(business_on) FROM run WHERE state = 'DONE' AND mode = 'live'),
                   (SELECT count(*) FROM run),
                   (SELECT min(business_on) FROM run WHERE state <> 'DONE' AND mode = 'live')
            FROM book b
            """
        ).fetchone()
    return BookState(database, *row) if row else None


def _list_files(books: Sequence[BookState]) -> list[str]:
    """Paths below the home: files that slices name, and everything else but what can be made again."""
    named = []
    for book in books:
        with connect("owner", database=book.database) as connection:
            rows = connection.execute("SELECT file FROM slice WHERE file IS NOT NULL ORDER BY 1").fetchall()
        named += [f"lake/{book.database}/{row[0]}" for row in rows]
    return named + [path for path in list_others() if not re.match(r"lake/[^/]+/decisions/", path)]


def list_others() -> Iterator[str]:
    """Paths of the home's files, below it, without the server's own and what can be made again."""
    root = home()
    for name in sorted(os.listdir(root)):
        if name in _LEFT_OUT or any(re.fullmatch(pattern, name) for pattern in _PATTERNS_LEFT_OUT):
            continue
        for path in sorted((root / name).rglob("*")) if (root / name).is_dir() else [root / name]:
            if path.is_file() and not path.is_symlink() and path.suffix != ".draft":
                yield str(path.relative_to(root))


class _Files:
    """Copies files of the home that the backup does not hold yet; a file of the last backup is never overwritten."""

    def __init__(self, folder: Path, last: Manifest | None) -> None:
        self.folder = folder
        self.last = {file.path: file for file in last.files} if last else {}
        self.kept: list[Kept] = []
        self.missing: list[str] = []
        self.changed: list[str] = []
        self.copied = self.known = 0

    def copy(self, paths: Sequence[str], watch: Watch) -> None:
        """Copy what is new or differs; note what is not there."""
        for number, path in enumerate(paths, start=1):
            source = home() / path
            if source.is_file():
                self.kept.append(self._copy_one(path, source))
            else:
                self.missing.append(path)
            watch("files", number, len(paths))
            hit("backup.file_copied")

    def _copy_one(self, path: str, source: Path) -> Kept:
        before = source.stat()
        sha256, last = server_copies.digest(source), self.last.get(path)
        stored = path
        if last is not None and last.sha256 != sha256:
            stored = f"{path}~{sha256[:12]}"  # what COMPLETE names stays until the next COMPLETE
            self.changed += [path] if path.startswith("lake/") else []
        elif last is not None:
            stored = str(Path(last.stored).relative_to("home"))
        target = self.folder / stored
        if server_copies.find_fault(target, before.st_size, sha256) is None:
            self.known += 1
        else:
            _copy_whole(source, target)
            self.copied += 1
        return Kept(path, f"home/{stored}", before.st_size, sha256, before.st_mode & 0o777)


def _copy_whole(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    draft = target.with_name(f"{target.name}.draft")
    with open(source, "rb") as read, open_private(draft) as written:
        shutil.copyfileobj(read, written, 1 << 20)
    draft.rename(target)


def open_private(path: Path) -> IO[bytes]:
    """Open a new file for writing that only its owner can read."""
    return open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, and stays after a power cut."""
    draft = path.with_name(f".{path.name}.draft")
    with open_private(draft) as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _list_log_files(copy: Path) -> Iterator[Kept]:
    """The files that PostgreSQL's own manifest leaves out: its log, and the manifest itself."""
    for path in (copy / server_copies.MANIFEST, *sorted((copy / "pg_wal").iterdir())):
        if path.is_file():
            stored = str(path.relative_to(copy.parent))
            yield Kept(stored, stored, path.stat().st_size, server_copies.digest(path), 0o600)


def _describe_last(folder: Path, manifest: Manifest) -> str:
    closed = [book.last_closed_on for book in manifest.books if book.last_closed_on]
    told = {"folder": str(folder), "made_at": manifest.made_at.isoformat(), "missing": len(manifest.missing)}
    return json.dumps(told | {"last_closed_on": max(closed).isoformat() if closed else None}, ensure_ascii=False)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder, and end what a killed command left copying into it."""
    with open(os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CopyRefused(f"another backup is being written to {folder}: wait until it ends") from error
        server_copies.end_copying(folder)
        yield


def _refuse_other_content(folder: Path) -> None:
    if folder.is_relative_to(home()) or home().is_relative_to(folder):
        raise CopyRefused(f"{folder} and {home()} lie in each other: give a folder elsewhere, best on another disk")
    if folder.exists() and not folder.is_dir():
        raise CopyRefused(f"{folder} is a file: give a folder")
    ours = re.compile(rf"{COMPLETE}|home|\.lock|\..*\.draft|database-.*|lost\+found")
    others = [name for name in (os.listdir(folder) if folder.exists() else []) if not ours.fullmatch(name)]
    if others:
        raise CopyRefused(f"{folder} holds something else than a backup ({sorted(others)[0]}): give another folder")


def _refuse_little_room(folder: Path) -> None:
    wanted = server_copies.measure_databases() * _ROOM_PARTS_PER_100 // 100
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise CopyRefused(f"{folder} has {free:,} bytes free and needs {wanted:,}: make room or give another folder")


def _free_name(folder: Path, made_at: datetime) -> str:
    name = wanted = f"database-{made_at:%Y%m%dT%H%M%S}"
    number = 1
    while (folder / name).exists():
        number += 1
        name = f"{wanted}-{number}"
    return name


def _remove_unnamed(folder: Path, manifest: Manifest | None) -> None:
    """Remove what no complete backup names: copies that were interrupted or replaced. Nothing outside our folders."""
    for copy in folder.glob("database-*"):
        if manifest is None or copy.name != manifest.database_folder:
            shutil.rmtree(copy)
    if manifest is None:
        return  # files of an interrupted first backup spare the next one their copying
    named = {file.stored for file in manifest.files}
    for path in (folder / "home").rglob("*"):
        if path.is_file() and str(path.relative_to(folder)) not in named:
            path.unlink()
