"""Writes of the book's own row and modes."""

from django.db import transaction

from recoup.domains.book.models import Book, BookKind, FunctionMode
from recoup.domains.book.queries import get_book

FUNCTIONS = ("RATING", "BILLS", "RECEIPTS", "LEDGER", "MESSAGES", "DISCONNECTION")


class BookExists(Exception):
    """A database holds one book; its kind and jurisdiction never change."""


class UnknownFunction(Exception):
    """A mode was given for a function that does not exist."""


def create_book(*, kind: str, jurisdiction: str, seed: int, name: str, timezone: str = "Asia/Shanghai") -> None:
    """Write the book's one row. The same again is nothing; another kind or jurisdiction raises BookExists."""
    known = Book.objects.first()
    wanted = (BookKind(kind).value, jurisdiction, seed)
    if known is None:
        Book.objects.create(kind=kind, jurisdiction=jurisdiction, seed=seed, name=name, timezone=timezone)
    elif (known.kind, known.jurisdiction, known.seed) != wanted:
        raise BookExists(
            f"this database already holds a {known.kind} book of {known.jurisdiction} (seed {known.seed}): "
            "give another RECOUP_DATABASE_NAME for a second book"
        )


@transaction.atomic
def set_modes(mode: str, functions: tuple[str, ...] = FUNCTIONS) -> None:
    """Say for each function whether the record is kept here (own) or elsewhere (external)."""
    unknown = set(functions) - set(FUNCTIONS)
    if unknown:
        raise UnknownFunction(f"unknown function {sorted(unknown)[0]}: one of {', '.join(FUNCTIONS)}")
    get_book()
    for function in functions:
        FunctionMode.objects.filter(function=function).delete()
        FunctionMode.objects.create(function=function, mode=mode)
