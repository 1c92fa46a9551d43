"""The report of a closed day as one document: what book and run it speaks of, and the figures.

Terminal, page and JSON print this same document, so they cannot disagree.
"""

from datetime import date
from typing import Any

from recoup import rulebook
from recoup.core import realism
from recoup.database.home import home
from recoup.domains.book.operations import FUNCTIONS
from recoup.domains.book.queries import get_book, mode_of
from recoup.engine.figures import Facts, read_facts, read_history, summarise
from recoup.engine.runs import Connection
from recoup.rulebook import Rulebook

INVENTED = ("demo", "evaluation")


def read_rulebook() -> Rulebook:
    """Return the documents in force for the book, with the site's own laid over the shipped ones."""
    site = home() / "rulebook"
    return rulebook.load(get_book().jurisdiction, site if site.exists() else None)


def build_report(connection: Connection, on: date | None) -> dict[str, Any]:
    """Report a closed day, by default the last one; raise NothingClosed for any other.

    Amounts are decimal strings in major units of `denom`, rates decimal shares, energy kWh.
    """
    book = get_book()
    documents = read_rulebook()
    rules = documents.resolve()
    facts = read_facts(connection, on, rules.denom, book.timezone)
    day = facts.run.business_on
    return {
        "as_of": day.isoformat(),
        "book": {
            "name": book.name,
            "kind": book.kind,
            "jurisdiction": book.jurisdiction,
            "modes": {function: mode_of(function) for function in FUNCTIONS},
        },
        "simulated": book.kind in INVENTED or any(feed["simulated"] for feed in facts.feeds),
        "run": _describe_run(facts, rules.content_hash),
        "denom": rules.denom,
        **summarise(facts, rules.minor_digits),
        "reasons": {each.code: {"zh": each.title.zh, "en": each.title.en} for each in documents.reasons},
        "simulation": _measure_simulation(connection, day, rules.denom) if is_peopled() else None,
    }


def is_peopled() -> bool:
    """Whether the payers of this book are simulated."""
    return get_book().kind in INVENTED and mode_of("BILLS") != "external"


def _measure_simulation(connection: Connection, on: date, denom: str) -> list[dict[str, Any]]:
    """The simulator against its targets, one row per measure."""
    with connection.cursor() as cursor:
        history = read_history(cursor, on, denom)
    connection.rollback()
    return realism.measure(history, on).to_dicts()


def _describe_run(facts: Facts, rulebook_hash: str) -> dict[str, Any]:
    run = facts.run
    return {
        "run_no": run.run_no,
        "first_on": facts.first_on.isoformat(),
        "rulebook_hash": run.rulebook_hash,
        "rulebook_changed_since": run.rulebook_hash != rulebook_hash,
        "code_version": run.code_version,
        "content_hash": run.content_hash,
    }
