"""Everything that stands before a file is shown or loaded: its sheets read, its mapping settled, its day known."""

from datetime import datetime, time, timedelta
from hashlib import sha256
from typing import NamedTuple
from zoneinfo import ZoneInfo

from recoup import rulebook
from recoup.domains.book.models import BookKind
from recoup.domains.book.queries import get_book
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.sheets import Watch
from recoup.domains.feeds.validation import Terms
from recoup.usecases.files import reading
from recoup.usecases.files.opening import Workbook, ask, find_questions, open_workbook
from recoup.usecases.files.request import AS_OF, Asked, Request
from recoup.usecases.files.sources import Connect, Prepared, Shared, make_sources
from recoup.usecases.load.folder import Sender
from recoup.usecases.load.sources import Source, hash_file

# Files of clerks come from one place as far as draws are concerned: a party keeps its key whatever file names it.
SOURCE = "files"


class Ready(NamedTuple):
    """A file whose every sheet can be shown or loaded."""

    workbook: Workbook
    sheets: tuple[Prepared, ...]
    sender: Sender
    shared: Shared

    def make_sources(self, connect: Connect) -> list[Source]:
        """The sources of all sheets, what is referred to first."""
        return [source for sheet in self.sheets for source in make_sources(sheet, self.shared, connect)]


def prepare(request: Request, watch: Watch) -> Ready:
    """Read a file and settle what it is; raise FileRefused, or Asked, with what to do."""
    workbook = open_workbook(request, watch)
    for sheet in workbook.sheets:
        if asked := find_questions(sheet):
            raise asked
    feeds = {sheet.feed for sheet in workbook.sheets}
    if len(feeds) > 1:
        raise FileRefused(
            f"the sheets belong to several feeds ({', '.join(sorted(feeds))}): load them one by one with --sheet, "
            "or name one feed with --feed",
            f"各工作表属于不同的数据源（{'、'.join(sorted(feeds))}）：请逐个工作表装入",
        )
    sender = _make_sender(request, workbook, feeds.pop())
    whole = hash_file(request.path)
    sheets = tuple(
        Prepared(
            name=request.name if workbook.format.startswith("csv") else f"{request.name} [{sheet.name}]",
            sheet=sheet,
            layers=reading.sort_rows(sheet),
            sha256=_hash_sheet(whole, workbook, sheet.name),
        )
        for sheet in workbook.sheets
    )
    return Ready(workbook, sheets, sender, _share(request, sender))


def _hash_sheet(whole: str, workbook: Workbook, name: str) -> str:
    """A sheet's own hash: rows of two sheets have the same numbers."""
    return whole if workbook.format.startswith("csv") else sha256(f"{whole}\x1f{name}".encode()).hexdigest()


def _make_sender(request: Request, workbook: Workbook, feed: str) -> Sender:
    """The feed is complete to the end of the file's day, in the book's time zone."""
    on = request.as_of_on or workbook.as_of_on
    if on is None:
        raise Asked(ask(workbook.sheets[0], (AS_OF,)))
    if request.simulated and get_book().kind == BookKind.LIVE:
        raise FileRefused(
            "this is a live book: simulated data go only into a demo or evaluation book",
            "这是正式账册：模拟数据只能装入演示或评估账册",
        )
    end = datetime.combine(on + timedelta(days=1), time(), ZoneInfo(get_book().timezone))
    watched = any(sheet.kind.watched for sheet in workbook.sheets)
    return Sender(feed, SOURCE, end, on, request.simulated, request.corrections, watched)


def _share(request: Request, sender: Sender) -> Shared:
    book = get_book()
    rules = rulebook.load(book.jurisdiction)
    terms = Terms(sender.as_of_on, rules.digits, rules.resolve().denom)
    return Shared(terms, book.jurisdiction, request.scope, request.new_units, request.despite_totals)
