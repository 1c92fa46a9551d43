"""Loading a folder: its files in the order in which they refer to one another, then the feed's watermark."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from recoup import rulebook
from recoup.database.connect import connect
from recoup.database.failpoints import hit
from recoup.domains.book.models import BookKind
from recoup.domains.book.queries import get_book, mode_of
from recoup.domains.feeds.layouts import LAYOUTS
from recoup.domains.feeds.manifest import MANIFEST, LoadRefused, Manifest, read_manifest
from recoup.domains.feeds.operations import LOADED, REFUSED, finish_load, list_files, start_load
from recoup.domains.feeds.validation import Terms
from recoup.domains.parties.operations import load_keys
from recoup.usecases.load.loader import Connection, FileReport, Progress, load_file
from recoup.usecases.load.sources import Source, open_file
from recoup.usecases.load.targets import Context

# One load at a time: two would judge each other's half-written keys.
_ONE_AT_A_TIME = "SELECT pg_try_advisory_lock(hashtext('recoup.load'))"


class LoadReport(NamedTuple):
    """What became of a load: complete when no file was refused. `ignored` files are not in the manifest."""

    load_id: int
    feed: str
    as_of: datetime
    simulated: bool
    complete: bool
    files: tuple[FileReport, ...]
    ignored: tuple[str, ...] = ()
    watched: bool = True


class Sender(NamedTuple):
    """Who sends, as of when; what is not `watched` (master data now and then) does not make its feed younger."""

    feed: str
    source: str
    as_of: datetime
    as_of_on: date
    simulated: bool
    corrections: bool
    watched: bool = True


def _silent(_name: str, _done: int, _size: int) -> None:
    """Show no progress."""


def load_folder(folder: Path, progress: Progress = _silent) -> LoadReport:
    """Load a folder of the documented format; each file is one transaction, refused files leave the others alone.

    A load that was killed goes on where it stopped. Raises LoadRefused when the folder cannot be loaded at all.
    """
    manifest = read_manifest(folder)
    _refuse_invention(manifest)
    terms = read_terms(manifest)
    order = {entity: place for place, entity in enumerate(LAYOUTS)}
    stated = sorted(manifest.files, key=lambda file: order.get(file.entity, -1))
    sender = Sender(
        *(manifest.feed, manifest.source, manifest.as_of_at, manifest.as_of_on),
        *(manifest.simulated, manifest.corrections),
    )
    report = load_sources(sender, [open_file(folder, file, terms) for file in stated], progress)
    return report._replace(ignored=_find_unnamed(folder, manifest))


def _refuse_invention(manifest: Manifest) -> None:
    """A live book holds what really happened, nothing else."""
    if manifest.simulated and get_book().kind == BookKind.LIVE:
        raise LoadRefused("this is a live book: simulated data go only into a demo or evaluation book")


def read_terms(manifest: Manifest) -> Terms:
    """The denoms of the book's rulebook; amounts without one are in the manifest's, else in the jurisdiction's own."""
    rules = rulebook.load(get_book().jurisdiction)
    denom = manifest.denom or rules.resolve().denom
    if denom not in rules.digits:
        raise LoadRefused(f"unknown denom {denom} in {MANIFEST}: one of {', '.join(rules.digits)}")
    return Terms(manifest.as_of_on, rules.digits, denom)


def _find_unnamed(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    named = {MANIFEST, *(stated.name for stated in manifest.files)}
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in named))


def load_sources(sender: Sender, sources: Iterable[Source], progress: Progress = _silent) -> LoadReport:
    """Load sources in the order given, under one load of the sender's feed."""
    posts = mode_of("LEDGER") == "own"
    with hold_loader_lock() as connection:
        with connection.transaction(), connection.cursor() as cursor:
            load_id = start_load(
                cursor, feed=sender.feed, source=sender.source, simulated=sender.simulated, as_of=sender.as_of
            )
            cursor.execute("SELECT recoup_make_partitions(%s)", [sender.as_of_on])
        context = Context(
            load_id=load_id,
            source=sender.source,
            simulated=sender.simulated,
            as_of=sender.as_of,
            as_of_on=sender.as_of_on,
            corrections=sender.corrections,
            posts=posts,
            keys=load_keys(),
        )
        files = tuple(_load_once(connection, source, context, progress) for source in sources)
        complete = all(file.record.state != REFUSED for file in files)
        hit("load.before_watermark")
        with connection.transaction(), connection.cursor() as cursor:
            finish_load(cursor, load_id, complete=complete, moves_watermark=sender.watched)
    return LoadReport(load_id, sender.feed, sender.as_of, sender.simulated, complete, files, watched=sender.watched)


def _load_once(connection: Connection, source: Source, context: Context, progress: Progress) -> FileReport:
    """Load a file unless a killed attempt of this very load has committed it already."""
    with connection.transaction(), connection.cursor() as cursor:
        before = list_files(cursor, context.load_id).get(source.name)
    if before and before.state == LOADED and before.sha256 == source.sha256():
        progress(source.name, source.size, source.size)
        return FileReport(before, 0.0, before=True)
    return load_file(connection, source, context, progress)


@contextmanager
def hold_loader_lock() -> Iterator[Connection]:
    """A connection that no other loader shares the book with."""
    with connect("app") as connection:
        row = connection.execute(_ONE_AT_A_TIME).fetchone()
        if row != (True,):
            raise LoadRefused("another load is running: wait until it has ended")
        connection.execute("SET temp_buffers = '64MB'")
        connection.commit()
        yield connection
