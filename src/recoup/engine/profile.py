"""What a cycle must know of its book, read once at its start."""

from recoup import rulebook
from recoup.core.rules import Rules
from recoup.database.home import home
from recoup.domains.book.queries import get_book, mode_of
from recoup.engine.cycle import Profile


def read_profile() -> Profile:
    """Return kind, modes, time zone and seed of the book."""
    book = get_book()
    external = mode_of("BILLS") == "external"
    return Profile(
        kind=book.kind,
        external=external,
        own_ledger=not external and mode_of("LEDGER") == "own",
        timezone=book.timezone,
        seed=book.seed,
    )


def read_rules() -> Rules:
    """Return the resolved rulebook of the book's jurisdiction, with the site's own documents laid over it."""
    site = home() / "rulebook"
    return rulebook.load(get_book().jurisdiction, site if site.exists() else None).resolve()
