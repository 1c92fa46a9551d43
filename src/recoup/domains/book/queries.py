"""Reads of the book's own row and modes."""

from recoup.domains.book.models import Book, FunctionMode


class BookMissing(Exception):
    """The database holds no book yet: run `recoup init`."""


def get_book() -> Book:
    """Return the book; raise BookMissing before `recoup init`."""
    book = Book.objects.first()
    if book is None:
        raise BookMissing("no book here yet: run `recoup init --kind demo|evaluation|live` first")
    return book


def mode_of(function: str) -> str:
    """Return own or external for a function (BILLS, RECEIPTS, LEDGER, MESSAGES); own unless said otherwise."""
    row = FunctionMode.objects.filter(function=function).first()
    return row.mode if row else "own"
