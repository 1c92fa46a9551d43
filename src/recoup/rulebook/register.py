"""The register of the source paper's measures, and the list of results a desk may record: what must hold of them.

A measure that is said to work names where to click or what to type, and what proves it; one that is off names the law
or rule that forces it; every measure says what there is now.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from recoup.rulebook.library import Problem
from recoup.rulebook.schema import (
    Document,
    EffectTerms,
    Measures,
    MeasureState,
    MeasureStates,
    MeasureStateTerms,
    MeasureTerms,
    ResultList,
    Results,
    Words,
)

WORKING: tuple[MeasureState, ...] = ("as_written", "modern")
STATES: tuple[MeasureState, ...] = (*WORKING, "off", "not_yet")


class RegisterRow(NamedTuple):
    """One measure as it stands in a jurisdiction on a day."""

    measure: MeasureTerms
    state: MeasureState
    since: date | None
    reference: str | None
    note: Words | None


def list_measures(documents: Iterable[Document], on: date) -> list[RegisterRow]:
    """List every measure in the paper's order with its state on a day; without a list of states none works yet."""
    documents = tuple(documents)
    states = _states_on(documents, on)
    return [_make_row(measure, states.get(measure.code)) for measure in list_terms(documents)]


def _make_row(measure: MeasureTerms, terms: MeasureStateTerms | None) -> RegisterRow:
    if terms is None:
        return RegisterRow(measure, "not_yet", None, None, None)
    return RegisterRow(measure, terms.state, terms.since, terms.reference, terms.note)


def list_terms(documents: Iterable[Document]) -> tuple[MeasureTerms, ...]:
    """The measures of the paper, in its order."""
    return next((found.values[-1].measures for found in documents if isinstance(found, Measures)), ())


def list_effects(documents: Iterable[Document]) -> tuple[EffectTerms, ...]:
    """The numbers that the register shows, with their words."""
    return next((found.values[-1].effects for found in documents if isinstance(found, Measures)), ())


def find_results(documents: Iterable[Document]) -> ResultList:
    """The results a desk may record."""
    return next(found.values[-1] for found in documents if isinstance(found, Results))


def _states_on(documents: Iterable[Document], on: date) -> dict[str, MeasureStateTerms]:
    found: dict[str, MeasureStateTerms] = {}
    for document in documents:
        if isinstance(document, MeasureStates):
            terms = [each for each in document.values if each.valid_from <= on] or list(document.values[:1])
            for row in terms[-1].states:
                if row.since is None or row.since <= on:
                    found[row.code] = row
    return found


def check_results(document: Document) -> Iterator[Problem]:
    """Codes once each; a promise holds to its day, every other hold for its days; each channel can be answered."""
    if not isinstance(document, Results):
        return
    for number, terms in enumerate(document.values):
        field = f"values.{number}.results"
        for code in _repeated(result.code for result in terms.results):
            yield Problem(document.id, field, f"code {code} is given twice")
        for result in terms.results:
            if result.promise and (result.hold is None or result.hold.days is not None):
                yield Problem(document.id, field, f"{result.code}: a promise needs a hold without days")
            if not result.promise and result.hold is not None and result.hold.days is None:
                yield Problem(document.id, field, f"{result.code}: its hold needs days")
            if result.promise and not result.reached:
                yield Problem(document.id, field, f"{result.code}: nobody promises who was not reached")


def check_measures(document: Document) -> Iterator[Problem]:
    """Codes begin with their section and stand once; every effect named is defined."""
    if not isinstance(document, Measures):
        return
    for number, terms in enumerate(document.values):
        field = f"values.{number}.measures"
        for code in _repeated(measure.code for measure in terms.measures):
            yield Problem(document.id, field, f"code {code} is given twice")
        known = {effect.code for effect in terms.effects}
        for measure in terms.measures:
            if not measure.code.startswith(f"{measure.section}."):
                yield Problem(document.id, field, f"{measure.code} is not of section {measure.section}")
            for effect in sorted(set(measure.effects) - known):
                yield Problem(document.id, field, f"{measure.code}: unknown effect {effect}")


def check_states(documents: tuple[Document, ...]) -> Iterator[Problem]:
    """Every measure has a state from the first day on, and what the state promises stands in the measure."""
    measures = {measure.code: measure for measure in list_terms(documents)}
    for document in documents:
        if isinstance(document, MeasureStates):
            for number, terms in enumerate(document.values):
                field = f"values.{number}.states"
                rows: dict[str, list[MeasureStateTerms]] = {code: [] for code in measures}
                for row in terms.states:
                    if row.code not in rows:
                        yield Problem(document.id, field, f"unknown measure {row.code}")
                    else:
                        rows[row.code].append(row)
                for code, dated in rows.items():
                    yield from (Problem(document.id, field, f"{code}: {told}") for told in _find_faults(dated))
                    for row in dated:
                        yield from (
                            Problem(document.id, field, f"{code}: {told}") for told in _find_gaps(row, measures[code])
                        )


def _find_faults(dated: list[MeasureStateTerms]) -> Iterator[str]:
    if not dated or dated[0].since is not None:
        yield "has no state from the first day on"
    days = [row.since for row in dated]
    if any(after is None or (before is not None and after <= before) for before, after in pairwise(days)):
        yield "its states are not in the order of their days"


def _find_gaps(row: MeasureStateTerms, measure: MeasureTerms) -> Iterator[str]:
    if row.state == "off" and not (row.reference and row.note):
        yield "is off without the reference that forces it and words that say so"
    if row.state in WORKING and not ((measure.pages or measure.commands) and measure.proofs):
        yield f"is {row.state} without a page or command and a proof"


def _repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
