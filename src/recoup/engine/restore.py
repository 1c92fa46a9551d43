"""`recoup restore`: a backup is read to its last byte, put into an empty home, and counted against its promise."""

import os
import re
import shutil
from datetime import date
from pathlib import Path

from recoup import __version__
from recoup.database import backup as server_copies
from recoup.database.backup import CopyRefused, Watch
from recoup.database.connect import connect
from recoup.database.failpoints import hit
from recoup.database.home import home, prepare_home
from recoup.engine import lake
from recoup.engine.backup import STAGING, list_others, open_private, read_books
from recoup.engine.backup_manifest import Manifest, read_manifest

_COUNTS = {
    "accounts": "SELECT count(*) FROM account",
    "contracts": "SELECT count(*) FROM contract",
    "bills": "SELECT count(*) FROM bill",
    "payments": "SELECT count(*) FROM payment",
    "entries": "SELECT count(*) FROM entry",
    "postings": "SELECT count(*) FROM posting",
    "open items": "SELECT count(*) FROM item_open",
    "decisions": "SELECT coalesce(sum(keys_out), 0) FROM slice",
    "lake files": "SELECT count(file) FROM slice",
}


def check_backup(folder: Path, watch: Watch = lambda *_: None) -> Manifest:
    """Read every file of a backup again and return its manifest; raise CopyRefused naming what is damaged."""
    folder = folder.resolve()
    manifest = read_manifest(folder)
    if manifest is None:
        begun = (folder / ".lock").exists()
        raise CopyRefused(
            f"{folder} holds no complete backup: "
            + (f"it was interrupted; repeat `recoup backup {folder}`" if begun else "give the folder of one")
        )
    _refuse_newer(manifest)
    wrong = []
    listed = (*manifest.files, *manifest.log_files)
    in_all, done = sum(file.bytes for file in listed), 0
    for file in listed:
        fault = server_copies.find_fault(folder / file.stored, file.bytes, file.sha256)
        wrong += [f"{file.stored}: {fault}"] if fault else []
        done += file.bytes
        watch("checking the files", done, in_all)
    wrong += server_copies.check_copy(folder / manifest.database_folder, watch)
    if wrong:
        raise CopyRefused(
            f"the backup is damaged, nothing was restored: {'; '.join(wrong[:5])}"
            f"{' …' if len(wrong) > 5 else ''}. Take another copy of this backup, or an older one."
        )
    return manifest


def restore_backup(folder: Path, watch: Watch = lambda *_: None) -> Manifest:
    """Check a backup and put it into the empty home; the server is not started.

    Everything is copied beside its place first and moved there at the end, the data last: killed at any point, the same
    command again completes it. Raises CopyRefused for a damaged backup or a home that holds a book.
    """
    server_copies.refuse_foreign_server()
    folder = folder.resolve()
    _refuse_full_home()
    manifest = check_backup(folder, watch)
    _make_room(manifest)
    staging = home() / STAGING
    staging.mkdir(mode=0o711)
    server_copies.install_copy(folder / manifest.database_folder, staging / "data", watch)
    hit("restore.server_copied")
    _copy_back(folder, manifest, staging, watch)
    server_copies.sync_disk(staging)
    for name in sorted(os.listdir(staging), key=lambda name: name == "data"):
        os.replace(staging / name, home() / name)
        hit("restore.part_placed")
    staging.rmdir()
    return manifest


def sweep_later_files() -> int:
    """Remove from the entered book's lake what no slice names: files told after the restored instant; their count."""
    with connect("reader") as connection:
        rows = connection.execute("SELECT file FROM slice WHERE file IS NOT NULL").fetchall()
    return len(lake.sweep({str(row[0]) for row in rows}))


def count_rows() -> dict[str, int]:
    """Count what the entered book holds, for the proof of a restore."""
    with connect("reader") as connection:
        counts = {}
        for told, query in _COUNTS.items():
            row = connection.execute(query.encode()).fetchone()
            counts[told] = int(row[0]) if row else 0
    return counts


def find_lost(manifest: Manifest) -> list[str]:
    """Say which books of a restored server are behind what their backup promised."""
    restored = {book.database: book for book in read_books()}
    lost = []
    for promised in manifest.books:
        found = restored.get(promised.database)
        if found is None:
            lost.append(f"the book {promised.database} is missing")
        elif (found.last_closed_on or date.min, found.runs) < (promised.last_closed_on or date.min, promised.runs):
            lost.append(f"{promised.database} is closed to {found.last_closed_on}, not to {promised.last_closed_on}")
    return lost


def _refuse_newer(manifest: Manifest) -> None:
    if _numbers(manifest.product_version) > _numbers(__version__):
        raise CopyRefused(
            f"the backup was made by Recoup {manifest.product_version}, this is {__version__}: restore it with that "
            "version or a newer one"
        )


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)]


def _refuse_full_home() -> None:
    """Raise CopyRefused when the home holds a book, or files that a restore would overwrite."""
    if (home() / "data").exists():
        raise CopyRefused(
            f"{home()} holds a book already. To keep it, give another folder with --into; to replace it, stop its "
            "server (`recoup server stop`) and move the folder away first"
        )
    if (home() / STAGING).exists():
        return  # an interrupted restore: what lies there is its own
    held = [path for path in (list_others() if home().is_dir() else ()) if path != "secret_key"]
    if held:
        raise CopyRefused(
            f"{home()} is not empty ({held[0]}): move it away, or give another folder with --into. A lake that is "
            "newer than the backup can be laid over the restored one; `recoup verify` then names the lost days"
        )


def _make_room(manifest: Manifest) -> None:
    """Make the home, and remove from it what an interrupted restore of a backup left."""
    prepare_home()
    if not (home() / STAGING).exists():
        return
    shutil.rmtree(home() / STAGING)
    for name in {file.path.split("/")[0] for file in manifest.files}:
        place = home() / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


def _copy_back(folder: Path, manifest: Manifest, staging: Path, watch: Watch) -> None:
    for number, file in enumerate(manifest.files, start=1):
        place = staging / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(folder / file.stored, "rb") as read, open_private(place) as written:
            shutil.copyfileobj(read, written, 1 << 20)
        place.chmod(file.mode)
        watch("files", number, len(manifest.files))
