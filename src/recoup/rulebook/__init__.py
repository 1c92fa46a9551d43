"""The rulebook: the law and the company's decisions as dated, cited documents.

`load` reads and checks the documents of one jurisdiction; `Rulebook.resolve` turns them into the rules that the
flows read. Nothing here knows a clock or a database: the site's own folder is an argument.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from recoup.core.rules import Rules
from recoup.rulebook import checks, register, resolve
from recoup.rulebook.library import (
    Library,
    Problem,
    RulebookInvalid,
    UnknownJurisdiction,
    digest,
    digest_all,
    jurisdictions,
    open_library,
    prevailing,
)
from recoup.rulebook.schema import (
    Book,
    Document,
    EffectTerms,
    FreeQuota,
    Reasons,
    ReasonTerms,
    ResultList,
)

__all__ = [
    "Citation",
    "Problem",
    "Rulebook",
    "RulebookInvalid",
    "UnknownJurisdiction",
    "check",
    "jurisdictions",
    "load",
    "load_from",
    "load_reasons",
    "open_library",
]


# The register tells what there is; a result acts through the hold it writes, a fact with its own days.
_NOT_READ_BY_RUNS = ("results", "measures", "measure_states")


class Citation(NamedTuple):
    """Where a parameter comes from."""

    param_id: str
    title_zh: str
    title_en: str
    reference: str
    status: str


@dataclass(frozen=True)
class Rulebook:
    """The documents that prevail in one jurisdiction, sorted by id."""

    jurisdiction: str
    documents: tuple[Document, ...]

    @property
    def content_hash(self) -> str:
        """SHA-256 of all documents that a run reads, the same in whatever order they were read."""
        return digest_all(document for document in self.documents if document.kind not in _NOT_READ_BY_RUNS)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each document by id."""
        return {document.id: digest(document) for document in self.documents}

    @property
    def digits(self) -> dict[str, int]:
        """Digits of the minor unit by denom."""
        return checks.digits_by_denom(self.documents)

    @property
    def reasons(self) -> tuple[ReasonTerms, ...]:
        """Reasons of decisions in the order of the guards, ACTED last."""
        return next(found for found in self.documents if isinstance(found, Reasons)).values[-1].reasons

    @property
    def results(self) -> ResultList:
        """Results that a desk may record, in the order of its buttons."""
        return register.find_results(self.documents)

    def list_measures(self, on: date) -> list[register.RegisterRow]:
        """The measures of the source paper in its order, each with its state on a day."""
        return register.list_measures(self.documents, on)

    @property
    def effects(self) -> tuple[EffectTerms, ...]:
        """The numbers that the register of measures shows, with their words."""
        return register.list_effects(self.documents)

    def free_quota_kwh(self, code: str) -> Decimal | None:
        """Free energy a month of a quota by its code (latest value), None when there is none of that code."""
        for found in self.documents:
            if isinstance(found, FreeQuota) and found.code == code:
                return found.values[-1].kwh_month
        return None

    def cite(self, param_id: str) -> Citation | None:
        """Say where a `param_id` comes from; None for one of another book."""
        for document in self.documents:
            for terms in document.values:
                if resolve.name_parameter(document, terms) == param_id:
                    reference = "; ".join(filter(None, (terms.reference, document.reference)))
                    return Citation(param_id, document.title.zh, document.title.en, reference, document.status)
        return None

    def resolve(self) -> Rules:
        """Turn the documents into rules: frames carry all validities, records are the latest and dated (`Rules.at`)."""
        book = next(found for found in self.documents if isinstance(found, Book)).values[-1]
        digits = self.digits[book.denom]
        dated = resolve.date_rules(self.documents, digits)
        latest = dated[-1]
        return Rules(
            jurisdiction=self.jurisdiction,
            denom=book.denom,
            minor_digits=digits,
            tariffs=resolve.tabulate_tariffs(self.documents, self.digits),
            late_charge=resolve.tabulate_late_charge(self.documents, digits),
            late_charge_components=latest.late_charge_components,
            allocation=latest.allocation,
            strategies=latest.strategies,
            subjects=resolve.tabulate_subjects(self.documents),
            tier_year_starts_month=book.tier_year_starts_month,
            content_hash=self.content_hash,
            dated=dated,
        )


def load(jurisdiction: str, extra_folder: Path | None = None) -> Rulebook:
    """Load and check the rulebook of a jurisdiction.

    `extra_folder` overlays the shipped documents. Raises UnknownJurisdiction, or RulebookInvalid with all problems.
    """
    return load_from(open_library(extra_folder), jurisdiction)


def load_from(library: Library, jurisdiction: str) -> Rulebook:
    """Check and choose the documents of a jurisdiction in a library already open; raises as `load` does."""
    documents = prevailing(library, jurisdiction)
    problems = [*library.problems, *checks.check_documents(documents), *checks.check_together(documents, jurisdiction)]
    if problems:
        raise RulebookInvalid(problems)
    return Rulebook(jurisdiction, documents)


def check(library: Library) -> list[Problem]:
    """Check every document, and every jurisdiction as a whole (one that only holds others is left out)."""
    problems = [*library.problems, *checks.check_documents(library.documents.values())]
    for place in jurisdictions(library):
        problems += checks.check_together(prevailing(library, place), place)
    return problems


def load_reasons(extra_folder: Path | None = None) -> tuple[ReasonTerms, ...]:
    """Reasons of decisions in the order of the guards, for faces that need only their words."""
    library = open_library(extra_folder)
    return next(found for found in library.documents.values() if isinstance(found, Reasons)).values[-1].reasons
