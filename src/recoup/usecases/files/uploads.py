"""Files dropped into the console: kept privately, previewed and loaded by a process of their own.

The process outlives the request and the web server's worker, holds an advisory lock for as long as it lives, and
writes how far it is. A dead one has left its lock: the person presses again, and a load goes on where it stopped.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import monotonic
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from recoup.database.connect import connect, database_name
from recoup.database.failpoints import hit
from recoup.database.home import home
from recoup.domains.access.models import Staff
from recoup.domains.access.permissions import LOAD as MAY_LOAD
from recoup.domains.access.permissions import NotPermitted, require
from recoup.domains.access.scope import scope_of
from recoup.domains.audit.operations import record
from recoup.domains.book.queries import BookMissing
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.manifest import LoadRefused
from recoup.domains.feeds.models import FileUpload
from recoup.usecases.files.loading import load_file
from recoup.usecases.files.previewing import preview_file
from recoup.usecases.files.request import Asked, Request

FOLDER = "uploads"
UPLOAD_LIMIT = 200 << 20
KEPT_DAYS = 2

PREVIEW, LOAD = "PREVIEW", "LOAD"
WORKING, READY, ASKED, REFUSED, DONE = "WORKING", "READY", "ASKED", "REFUSED", "DONE"
LOAD_FILE = "LOAD_FILE"

_GRACE_SECONDS = 20
_TOLD_EVERY_SECONDS = 0.3
_COMMAND = """
import sys, django
django.setup()
from recoup.usecases.files.uploads import work
work(int(sys.argv[1]))
"""


class NotYours(Exception):
    """There is no such upload of this person."""


def keep(staff: Staff, name: str, chunks: Iterable[bytes], size: int) -> FileUpload:
    """Keep a file that a person dropped, and begin its preview."""
    require(staff, MAY_LOAD)
    sweep()
    upload = FileUpload.objects.create(
        name=Path(name).name[:200], size=size, uploaded_by=staff.username, task=PREVIEW, state=REFUSED
    )
    path = path_of(upload)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
    begin(staff, upload, PREVIEW, upload.said)
    return upload


def path_of(upload: FileUpload) -> Path:
    """Where a dropped file is kept."""
    return home() / FOLDER / database_name() / str(upload.upload_id)


def find(staff: Staff, upload_id: int) -> FileUpload:
    """A person's upload; raise NotYours for another's."""
    upload = FileUpload.objects.filter(upload_id=upload_id, uploaded_by=staff.username).first()
    if upload is None:
        raise NotYours(str(upload_id))
    return upload


def begin(staff: Staff, upload: FileUpload, task: str, said: Mapping[str, Any]) -> None:
    """Start a preview or a load of a dropped file in a process of its own, unless one is at work on it."""
    require(staff, MAY_LOAD)
    with transaction.atomic():
        row = FileUpload.objects.select_for_update().get(upload_id=upload.upload_id)
        if row.state == DONE or (row.state == WORKING and not is_interrupted(row)):
            return
        row.task, row.state, row.said = task, WORKING, dict(said)
        row.done = row.total = 0
        row.message = {}
        row.save()
        FileUpload.objects.filter(upload_id=row.upload_id).update(started_at=Now())
    _start(upload.upload_id)


def _start(upload_id: int) -> None:
    """Start the worker; a thread waits for its end, so that nothing is left of it."""
    threading.Thread(target=_run_command, args=(upload_id,), daemon=True).start()


def _run_command(upload_id: int) -> None:
    """Run the worker to its end; it goes on when this process ends."""
    command = name_worker(upload_id)
    log = home() / FOLDER / database_name() / f"{upload_id}.log"
    environment = {"DJANGO_SETTINGS_MODULE": "recoup.settings", **os.environ}
    with open(os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as told:
        done = subprocess.run(
            command, check=False, start_new_session=True, env=environment, stdin=subprocess.DEVNULL, stderr=told
        )
    if done.returncode == 0:
        log.unlink(missing_ok=True)


def name_worker(upload_id: int) -> list[str]:
    """The command that does what an upload waits for."""
    return [sys.executable, "-c", _COMMAND, str(upload_id)]


def is_interrupted(upload: FileUpload) -> bool:
    """Whether work on an upload began and its process lives no more."""
    if upload.state != WORKING:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT started_at < clock_timestamp() - %s * interval '1 second' AND NOT EXISTS (
                SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s::oid AND objid = %s::oid
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
            FROM file_upload WHERE upload_id = %s
            """,
            [_GRACE_SECONDS, _LOCK_CLASS, upload.upload_id % 2**31, upload.upload_id],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


_LOCK_CLASS = 7318


@contextmanager
def _only_worker(upload_id: int) -> Iterator[bool]:
    with connect("app", autocommit=True) as lock:
        row = lock.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK_CLASS, upload_id % 2**31]).fetchone()
        yield row == (True,)


def work(upload_id: int) -> None:
    """Do what an upload waits for: preview or load, and write down how it ended."""
    with _only_worker(upload_id) as alone:
        upload = FileUpload.objects.filter(upload_id=upload_id, state=WORKING).first()
        if upload is None or not alone:
            return
        try:
            changed = _carry_out(upload)
        except Asked as asked:
            changed = {"state": ASKED, "found": asked.question._asdict(), "message": asked.in_words()}
        except FileRefused as refusal:
            changed = {"state": REFUSED, "message": refusal.in_words()}
        except (LoadRefused, BookMissing, NotPermitted) as refusal:
            changed = {"state": REFUSED, "message": _same(str(refusal))}
        except Exception as fault:
            changed = {"state": REFUSED, "message": _same(f"{type(fault).__name__}: {fault}")}
            FileUpload.objects.filter(upload_id=upload_id).update(**changed)
            raise
        FileUpload.objects.filter(upload_id=upload_id).update(**changed)


def _carry_out(upload: FileUpload) -> dict[str, Any]:
    staff = Staff.objects.get(username=upload.uploaded_by)
    require(staff, MAY_LOAD)
    request = make_request(upload, staff)
    show = _Progress(upload.upload_id)
    if upload.task == PREVIEW:
        found = preview_file(request, show)
        return {"state": READY, "found": found.as_json()}
    report = load_file(request, show)
    told = [file.record._asdict() for file in report.files]
    hit("files.upload_loaded")
    with transaction.atomic():
        record(staff, LOAD_FILE, f"load {report.load_id}", detail={"file": upload.name, "files": told})
        FileUpload.objects.filter(upload_id=upload.upload_id).update(load_id=report.load_id)
    if report.complete:
        path_of(upload).unlink(missing_ok=True)
    refused = "; ".join(file.record.detail or "" for file in report.files if file.record.state == "REFUSED")
    return {"state": DONE if report.complete else REFUSED, "message": _same(refused), "load_id": report.load_id}


def _same(text: str) -> dict[str, str]:
    return {"zh": text, "en": text} if text else {}


def make_request(upload: FileUpload, staff: Staff) -> Request:
    """What the person said of an upload, within the person's scope. A load takes the mapping that was shown."""
    said = dict(upload.said)
    as_of = said.pop("as_of_on", None)
    return Request(
        path=path_of(upload),
        name=upload.name,
        who=staff.username,
        scope=scope_of(staff),
        as_of_on=date.fromisoformat(as_of) if as_of else None,
        accept=upload.task == LOAD,
        **said,
    )


class _Progress:
    """Writes how far the work is, a few times a second."""

    def __init__(self, upload_id: int) -> None:
        self._upload_id = upload_id
        self._told = 0.0

    def __call__(self, _name: str, done: int, total: int) -> None:
        now = monotonic()
        if now - self._told >= _TOLD_EVERY_SECONDS or done >= total:
            self._told = now
            FileUpload.objects.filter(upload_id=self._upload_id).update(done=done, total=total)


def discard(staff: Staff, upload: FileUpload) -> None:
    """Throw a dropped file away; what a load of it brought stays."""
    require(staff, MAY_LOAD)
    path_of(upload).unlink(missing_ok=True)
    path_of(upload).with_suffix(".log").unlink(missing_ok=True)
    upload.delete()


def sweep() -> None:
    """Remove what was dropped and forgotten some days ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM file_upload WHERE uploaded_at < now() - %s * interval '1 day' RETURNING upload_id", [KEPT_DAYS]
        )
        gone = [row[0] for row in cursor.fetchall()]
    for upload_id in gone:
        for name in (str(upload_id), f"{upload_id}.log"):
            (home() / FOLDER / database_name() / name).unlink(missing_ok=True)


def list_open(staff: Staff) -> list[FileUpload]:
    """A person's uploads that are not loaded yet, latest first."""
    return list(FileUpload.objects.filter(uploaded_by=staff.username).exclude(state=DONE).order_by("-upload_id")[:20])


def may_undo(staff: Staff, load_id: int) -> bool:
    """Whoever sees the whole book may undo any load, anybody else what they loaded themselves."""
    mine = FileUpload.objects.filter(load_id=load_id, uploaded_by=staff.username).exists()
    return scope_of(staff).units is None or mine
