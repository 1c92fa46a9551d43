"""Loading one file: one transaction, from its first byte to the record of what became of its rows."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import psycopg

from recoup.database.failpoints import hit
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.layouts import LAYOUTS
from recoup.domains.feeds.operations import LOADED, REFUSED, FileRecord, quarantine_refused, record_file
from recoup.usecases.load.debts import BILLS, CREDITS, OPEN_ITEMS
from recoup.usecases.load.events import HOLDS, PAYMENTS, READINGS, TOUCH_ITEMS, TOUCHES
from recoup.usecases.load.masters import ACCOUNTS, CONTRACTS, INSTALLATIONS, ORG_UNITS, PARTIES, SERVICES
from recoup.usecases.load.sources import Source, compare_totals
from recoup.usecases.load.staging import Staged, make_tables, stage
from recoup.usecases.load.storing import store
from recoup.usecases.load.targets import Context, Target

type Connection = psycopg.Connection[tuple[Any, ...]]
type Progress = Callable[[str, int, int], None]

TARGETS: Mapping[str, Target] = {
    target.entity: target
    for target in (
        *(ORG_UNITS, PARTIES, ACCOUNTS, CONTRACTS, SERVICES, INSTALLATIONS, READINGS, PAYMENTS),
        *(BILLS, OPEN_ITEMS, CREDITS, TOUCHES, TOUCH_ITEMS, HOLDS),
    )
}


class FileReport(NamedTuple):
    """A file's record, how long it took, and whether an earlier, killed attempt had done it already."""

    record: FileRecord
    seconds: float
    before: bool


def load_file(connection: Connection, source: Source, context: Context, progress: Progress) -> FileReport:
    """Load a file in one transaction, or refuse it as a whole; either way its record is written."""
    started = perf_counter()
    sha256 = source.sha256()
    read = 0
    try:
        with connection.transaction(), connection.cursor() as cursor:
            staged = Staged()
            target = _find_target(source)
            make_tables(cursor, target)
            for staged, done in stage(cursor, target, source.pieces(), context):
                read = staged.read
                progress(source.name, done, source.size)
            hit("load.staged")
            _compare(source, staged)
            record = _store(cursor, target, source, staged, context, sha256)
            hit("load.file_inserted")
    except FileRefused as refusal:
        record = FileRecord(source.name, source.entity, sha256, source.rows, REFUSED, str(refusal), read)
        with connection.transaction(), connection.cursor() as cursor:
            record_file(cursor, context.load_id, record)
    hit("load.file_committed")
    return FileReport(record, perf_counter() - started, before=False)


class Tried(NamedTuple):
    """What became of a file inside a transaction that will be taken back: record; row, field, reason, text refused."""

    record: FileRecord
    refused: list[tuple[int, str, str, str]]


def try_file(connection: Connection, source: Source, context: Context, progress: Progress) -> Tried:
    """Do everything that loading a file does inside the caller's transaction, and leave its end to the caller.

    The pieces are read before the first is staged: they may use the same connection.
    """
    staged, read = Staged(), 0
    try:
        with connection.transaction(), connection.cursor() as cursor:
            target = _find_target(source)
            pieces = list(source.pieces())
            make_tables(cursor, target)
            for staged, done in stage(cursor, target, iter(pieces), context):
                read = staged.read
                progress(source.name, done, source.size)
            _compare(source, staged)
            record = _store(cursor, target, source, staged, context, source.sha256())
            cursor.execute("SELECT row_no, field, reason, content FROM refused ORDER BY row_no")
            tried = Tried(record, cursor.fetchall())
            cursor.execute("DROP TABLE staged, refused, aside, judged, superseding")
    except FileRefused as refusal:
        record = FileRecord(source.name, source.entity, source.sha256(), source.rows, REFUSED, str(refusal), read)
        return Tried(record, [])
    return tried


def _find_target(source: Source) -> Target:
    if source.entity not in TARGETS:
        raise FileRefused(f"unknown entity {source.entity!r}: one of {', '.join(TARGETS)}")
    return TARGETS[source.entity]


def _compare(source: Source, staged: Staged) -> None:
    wrong = compare_totals(source, staged.read, staged.sums)
    if wrong:
        raise FileRefused(f"control totals disagree, nothing of it was loaded: {'; '.join(wrong)}")


def _store(
    cursor: psycopg.Cursor[tuple[Any, ...]],
    target: Target,
    source: Source,
    staged: Staged,
    context: Context,
    sha256: str,
) -> FileRecord:
    made = store(cursor, target, staged, context, source.name)
    secret = LAYOUTS[source.entity].has_secrets
    quarantined = quarantine_refused(cursor, context.load_id, file=source.name, sha256=sha256, secret=secret)
    record = FileRecord(
        name=source.name,
        entity=source.entity,
        sha256=sha256,
        stated=source.rows,
        state=LOADED,
        detail=source.detail,
        read=staged.read,
        loaded=made.loaded,
        known=made.known,
        superseding=made.superseding,
        conflicting=made.conflicting,
        quarantined=quarantined,
        skipped=staged.skipped + made.skipped,
    )
    record_file(cursor, context.load_id, record)
    return record
