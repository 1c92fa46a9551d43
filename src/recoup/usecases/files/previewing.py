"""What would become of a file: the very load, done in one transaction and taken back."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from recoup.domains.book.queries import mode_of
from recoup.domains.feeds.operations import FileRecord, start_load
from recoup.domains.parties.operations import load_keys
from recoup.usecases.files.opening import unit_of
from recoup.usecases.files.preparing import Ready, prepare
from recoup.usecases.files.reading import list_read, write_decimal
from recoup.usecases.files.request import Request
from recoup.usecases.files.sources import Prepared, make_sources
from recoup.usecases.load.folder import hold_loader_lock
from recoup.usecases.load.loader import try_file
from recoup.usecases.load.sources import Source
from recoup.usecases.load.targets import Context

type Show = Callable[[str, int, int], None]
type Connection = psycopg.Connection[tuple[Any, ...]]

SHOWN_ROWS = 20


@dataclass(frozen=True)
class RefusedRow:
    """A row that would be refused: as its clerk finds it."""

    row_no: int
    field: str
    reason: str
    content: str


@dataclass(frozen=True)
class SourceView:
    """What would become of the rows of one entity."""

    name: str
    entity: str
    record: FileRecord
    reasons: dict[str, int]
    refused: tuple[RefusedRow, ...]


@dataclass(frozen=True)
class SheetView:
    """A sheet as a person judges it before loading."""

    name: str
    kind: str
    known: bool
    fields: dict[str, str]
    constants: dict[str, str]
    units: dict[str, str]
    headings: tuple[str, ...]
    heading_row: int
    rows: int
    blank: int
    repeated: int
    total_rows: int
    note_rows: int
    notes: tuple[tuple[int, str], ...]
    totals: tuple[dict[str, Any], ...]
    sums: dict[str, str]
    sources: tuple[SourceView, ...]


@dataclass(frozen=True)
class Preview:
    """A file as it would be loaded; `ready` when nothing stands against it."""

    file: str
    format: str
    feed: str
    as_of_on: str
    sheets: tuple[SheetView, ...]
    without_table: tuple[str, ...]
    hidden: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether a load would take the file."""
        return all(source.record.state != "REFUSED" for sheet in self.sheets for source in sheet.sources)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "ready": self.ready}


def preview_file(request: Request, show: Show) -> Preview:
    """Show what a load of a file would do; nothing is stored. Raises FileRefused or Asked with what to do."""
    ready = prepare(request, lambda done, total: show(request.name, done, total))
    views: dict[str, list[SourceView]] = {}
    with _rolled_back() as connection:
        context = _make_context(connection, ready)
        for prepared in ready.sheets:
            views[prepared.name] = [
                _try(connection, source, context, show) for source in _make_sources(ready, prepared, connection)
            ]
    sheets = tuple(_view(prepared, tuple(views[prepared.name])) for prepared in ready.sheets)
    workbook = ready.workbook
    return Preview(
        file=request.name,
        format=workbook.format,
        feed=ready.sender.feed,
        as_of_on=ready.sender.as_of_on.isoformat(),
        sheets=sheets,
        without_table=workbook.without_table,
        hidden=workbook.hidden,
    )


@contextmanager
def _rolled_back() -> Iterator[Connection]:
    with hold_loader_lock() as connection:
        try:
            yield connection
        finally:
            connection.rollback()


def _make_context(connection: Connection, ready: Ready) -> Context:
    sender = ready.sender
    with connection.cursor() as cursor:
        cursor.execute("SELECT recoup_make_partitions(%s)", [sender.as_of_on])
        connection.commit()  # partitions stay: making them locks what others read
        load_id = start_load(
            cursor, feed=sender.feed, source=sender.source, simulated=sender.simulated, as_of=sender.as_of
        )
    return Context(
        load_id=load_id,
        source=sender.source,
        simulated=sender.simulated,
        as_of=sender.as_of,
        as_of_on=sender.as_of_on,
        corrections=sender.corrections,
        posts=mode_of("LEDGER") == "own",
        keys=load_keys(),
    )


def _make_sources(ready: Ready, prepared: Prepared, connection: Connection) -> list[Source]:
    """Sources that look things up in the very transaction, so that what earlier sheets bring is there."""

    @contextmanager
    def same() -> Iterator[Connection]:
        yield connection

    return make_sources(prepared, ready.shared, same)


def _try(connection: Connection, source: Source, context: Context, show: Show) -> SourceView:
    tried = try_file(connection, source, context, show)
    refused = tuple(RefusedRow(*row) for row in tried.refused[:SHOWN_ROWS])
    reasons = Counter(reason for _, _, reason, _ in tried.refused)
    return SourceView(source.name, source.entity, tried.record, dict(reasons.most_common()), refused)


def _view(prepared: Prepared, sources: tuple[SourceView, ...]) -> SheetView:
    sheet, layers = prepared.sheet, prepared.layers
    headings = {name: heading.text for name, heading in list_read(sheet)}
    return SheetView(
        name=sheet.name,
        kind=sheet.kind.name,
        known=sheet.known,
        fields=headings,
        constants=dict(sheet.mapping.constants),
        units={name: unit for name in headings if (unit := unit_of(sheet, name))},
        headings=tuple(heading.text for heading in sheet.table.headings),
        heading_row=sheet.table.heading_rows[-1],
        rows=layers.data.height,
        blank=layers.blank,
        repeated=layers.repeated,
        total_rows=layers.total_rows,
        note_rows=layers.note_rows,
        notes=layers.notes,
        totals=tuple(
            {
                "row_no": total.row_no,
                "heading": total.heading,
                "stated": write_decimal(total.stated),
                "found": write_decimal(total.found),
                "agrees": total.agrees,
            }
            for total in layers.totals
        ),
        sums={name: write_decimal(value) for name, value in layers.sums.items()},
        sources=sources,
    )
