"""What must hold of the documents before anybody is billed by them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import pairwise

from recoup.rulebook.library import Problem
from recoup.rulebook.register import check_measures, check_results, check_states
from recoup.rulebook.schema import (
    Allocation,
    Book,
    Classes,
    Denoms,
    Document,
    LateCharge,
    LateChargeTerms,
    Reasons,
    StrategyDocument,
    StrategyTerms,
    Subjects,
    SubjectTerms,
    Tariff,
    TariffTerms,
    Validity,
)

REQUIRED_KINDS = (
    *("book", "late_charge", "allocation", "subjects", "denoms", "classes", "reasons", "results", "measures"),
)
# The ledger cannot be kept without these, whatever else a site adds.
REQUIRED_SUBJECTS = (
    *("RECEIVABLE_ENERGY", "RECEIVABLE_LATE_CHARGE", "REVENUE_ENERGY", "REVENUE_LATE_CHARGE"),
    *("UNAPPLIED", "BANK", "OPENING"),
)


def check_documents(documents: Iterable[Document]) -> list[Problem]:
    """Check each document by itself: dates in order without overlap, blocks, rungs, rates, bits."""
    return [problem for document in documents for check in _EACH for problem in check(document)]


def check_together(documents: tuple[Document, ...], jurisdiction: str) -> list[Problem]:
    """Check what prevails in one jurisdiction as a whole: every code that is used is defined."""
    problems = [*_check_kinds(documents, jurisdiction), *_check_subjects(documents, jurisdiction)]
    problems += check_states(documents)
    for document in documents:
        problems += _check_denoms(document, documents)
        problems += _check_classes(document, documents)
        problems += _check_components(document, documents)
        problems += _check_minor_units(document, documents)
    return problems


def _check_dates(document: Document) -> Iterator[Problem]:
    values: tuple[Validity, ...] = document.values
    for number, terms in enumerate(values):
        if terms.valid_to is not None and terms.valid_to <= terms.valid_from:
            yield Problem(document.id, f"values.{number}.to", "ends before it begins")
    for number, (terms, following) in enumerate(pairwise(values)):
        if following.valid_from <= terms.valid_from:
            yield Problem(document.id, f"values.{number + 1}.from", "is not after the one before it")
        if terms.valid_to is not None and terms.valid_to > following.valid_from:
            yield Problem(document.id, f"values.{number}.to", "overlaps the next validity")
        if terms.valid_to is not None and terms.valid_to < following.valid_from and not isinstance(document, Tariff):
            yield Problem(document.id, f"values.{number}.to", "leaves days without a value")


def _check_jurisdiction(document: Document) -> Iterator[Problem]:
    if document.jurisdiction and not document.id.startswith(f"{document.jurisdiction}/"):
        yield Problem(document.id, "jurisdiction", f"{document.jurisdiction} is not the document's folder")


def _check_tariff(document: Document) -> Iterator[Problem]:
    if not isinstance(document, Tariff):
        return
    for number, terms in enumerate(document.values):
        yield from _check_blocks(document, terms, f"values.{number}.blocks")


def _check_blocks(document: Tariff, terms: TariffTerms, field: str) -> Iterator[Problem]:
    bounds = [block.upto_kwh for block in terms.blocks]
    if bounds[-1] is not None:
        yield Problem(document.id, field, "the last block must be open (no upto_kwh)")
    inner = [bound for bound in bounds[:-1] if bound is not None]
    if len(inner) < len(bounds) - 1:
        yield Problem(document.id, field, "only the last block may be open")
    if any(after <= before for before, after in zip([Decimal(0), *inner], inner, strict=False)):
        yield Problem(document.id, field, "the bounds do not rise")
    if document.rule == "FLAT" and len(bounds) > 1:
        yield Problem(document.id, field, "a flat tariff has one block")


def _check_rates(document: Document) -> Iterator[Problem]:
    if not isinstance(document, LateCharge):
        return
    for number, terms in enumerate(document.values):
        for name in _repeated(_rated_classes(terms)):
            yield Problem(document.id, f"values.{number}.rates", f"class {name} is given twice")


def _check_strategy(document: Document) -> Iterator[Problem]:
    if not isinstance(document, StrategyDocument):
        return
    for number, terms in enumerate(document.values):
        yield from _check_rungs(document, terms, f"values.{number}.rungs")


def _check_rungs(document: StrategyDocument, terms: StrategyTerms, field: str) -> Iterator[Problem]:
    if [rung.stage for rung in terms.rungs] != list(range(1, len(terms.rungs) + 1)):
        yield Problem(document.id, field, "stages must count 1, 2, 3 … in order, without a gap")
    days = [rung.overdue_days_from for rung in terms.rungs]
    if any(after <= before for before, after in pairwise(days)):
        yield Problem(document.id, field, "overdue_days_from does not rise from rung to rung")
    for name in _repeated(rung.action_code for rung in terms.rungs):
        yield Problem(document.id, field, f"action_code {name} is given twice")


def _check_bits(document: Document) -> Iterator[Problem]:
    if not isinstance(document, Reasons):
        return
    for number, terms in enumerate(document.values):
        field = f"values.{number}.reasons"
        bits = [reason.bit for reason in terms.reasons if reason.bit is not None]
        if bits != list(range(len(bits))):
            yield Problem(document.id, field, "bits must count 0, 1, 2 … in order, without a gap")
        for name in _repeated(reason.code for reason in terms.reasons):
            yield Problem(document.id, field, f"code {name} is given twice")


_EACH: tuple[Callable[[Document], Iterator[Problem]], ...] = (
    *(_check_dates, _check_jurisdiction, _check_tariff, _check_rates, _check_strategy, _check_bits),
    *(check_results, check_measures),
)


def _check_kinds(documents: tuple[Document, ...], jurisdiction: str) -> Iterator[Problem]:
    kinds = {document.kind for document in documents}
    for kind in REQUIRED_KINDS:
        if kind not in kinds:
            yield Problem(jurisdiction, "", f"has no document of kind {kind}")


def _check_subjects(documents: tuple[Document, ...], jurisdiction: str) -> Iterator[Problem]:
    known = {subject.code for subject in _subjects(documents)}
    for code in REQUIRED_SUBJECTS:
        if code not in known:
            yield Problem(jurisdiction, "subjects", f"{code} is missing")


def _check_denoms(document: Document, documents: tuple[Document, ...]) -> Iterator[Problem]:
    if isinstance(document, Tariff):
        named = {document.denom}
    elif isinstance(document, Book):
        named = {terms.denom for terms in document.values}
    else:
        return
    for code in sorted(named - set(digits_by_denom(documents))):
        yield Problem(document.id, "denom", f"unknown denom {code}")


def _check_classes(document: Document, documents: tuple[Document, ...]) -> Iterator[Problem]:
    known = {
        terms.code
        for found in documents
        if isinstance(found, Classes)
        for listed in found.values
        for terms in listed.classes
    }
    used: set[str] = set()
    if isinstance(document, LateCharge):
        used = {name for terms in document.values for name in _rated_classes(terms)}
    elif isinstance(document, StrategyDocument):
        used = {name for terms in document.values for name in terms.classes}
    for code in sorted(used - known):
        yield Problem(document.id, "classes", f"unknown class {code}")


def _check_components(document: Document, documents: tuple[Document, ...]) -> Iterator[Problem]:
    known = {subject.component for subject in _subjects(documents) if subject.role == "RECEIVABLE"}
    if not isinstance(document, LateCharge | Allocation):
        return
    for terms in document.values:
        for code in terms.components:
            if code not in known:
                yield Problem(document.id, "components", f"no receivable subject for component {code}")


def _check_minor_units(document: Document, documents: tuple[Document, ...]) -> Iterator[Problem]:
    """Amounts must be whole minor units of the jurisdiction's denom."""
    amounts: list[Decimal | None] = []
    if isinstance(document, LateCharge):
        amounts = [terms.minimum for terms in document.values]
    elif isinstance(document, StrategyDocument):
        amounts = [amount for terms in document.values for amount in (terms.minimum, terms.threshold)]
    denoms = [found.values[-1].denom for found in documents if isinstance(found, Book)]
    digits = digits_by_denom(documents).get(denoms[-1]) if denoms else None
    for amount in amounts:
        if digits is not None and amount is not None and amount.scaleb(digits) % 1:
            yield Problem(document.id, "values", f"{amount} is not a whole number of minor units")


def digits_by_denom(documents: Iterable[Document]) -> dict[str, int]:
    """The digits of each denom that the documents define."""
    return {
        denom.code: denom.digits
        for document in documents
        if isinstance(document, Denoms)
        for denom in document.values[-1].denoms
    }


def _subjects(documents: Iterable[Document]) -> list[SubjectTerms]:
    return [
        subject for document in documents if isinstance(document, Subjects) for subject in document.values[-1].subjects
    ]


def _rated_classes(terms: LateChargeTerms) -> list[str]:
    return [name for rates in terms.rates for name in rates.classes]


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
