"""From documents in major units to the frames and records that the rules read, in scaled integers."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl

from recoup.core.frames import Schema
from recoup.core.money import PPM, PRICE_SCALE, WH_PER_KWH
from recoup.core.rules import LATE_CHARGE_RATES, TARIFF_BLOCKS, AllocationPolicy, DayRules, Rung, Strategy
from recoup.rulebook.schema import (
    Allocation,
    AllocationTerms,
    Document,
    LateCharge,
    StrategyDocument,
    StrategyTerms,
    Subjects,
    Tariff,
    TariffTerms,
    Validity,
)

# One row per subject of the ledger.
SUBJECTS: Schema = {
    "subject": pl.String(),
    "component": pl.String(),
    "role": pl.String(),
    "kind": pl.String(),
    "title_zh": pl.String(),
    "title_en": pl.String(),
    "param_id": pl.String(),
}

type Row = dict[str, object]


class NotWhole(Exception):
    """An amount has more digits than its scale can hold."""


def scale(value: Decimal, factor: int) -> int:
    """Multiply by a power of ten into a whole number; raise NotWhole rather than round."""
    scaled = value * factor
    if scaled != scaled.to_integral_value():
        raise NotWhole(f"{value} has more digits than 1/{factor}")
    return int(scaled)


def name_parameter(document: Document, terms: Validity) -> str:
    """Name one validity of one document: the `param_id` that every line and decision cites."""
    return f"{document.id}@{terms.valid_from.isoformat()}"


def with_ends[V: Validity](values: tuple[V, ...]) -> Iterator[tuple[V, date | None]]:
    """Pair each validity with its last day (exclusive): stated, else where the next begins, else none."""
    following = [*(terms.valid_from for terms in values[1:]), None]
    for terms, next_from in zip(values, following, strict=True):
        yield terms, terms.valid_to or next_from


def tabulate_tariffs(documents: tuple[Document, ...], digits: dict[str, int]) -> pl.DataFrame:
    """One row per tariff x validity x block (TARIFF_BLOCKS)."""
    rows = [
        row
        for document in documents
        if isinstance(document, Tariff)
        for terms, valid_to in with_ends(document.values)
        for row in tabulate_blocks(document, terms, valid_to, digits[document.denom])
    ]
    return pl.DataFrame(rows, schema=dict(TARIFF_BLOCKS))


def tabulate_blocks(document: Tariff, terms: TariffTerms, valid_to: date | None, digits: int) -> list[Row]:
    """The rows of one validity of one tariff."""
    rows: list[Row] = []
    from_wh = 0
    for number, block in enumerate(terms.blocks, start=1):
        upto_wh = None if block.upto_kwh is None else scale(block.upto_kwh, WH_PER_KWH)
        rows.append(
            {
                "tariff": document.code,
                "rule": document.rule,
                "block": number,
                "from_wh": from_wh,
                "upto_wh": upto_wh,
                "price_e8": scale(block.price, PRICE_SCALE),
                "denom": document.denom,
                "minor_per_major": 10**digits,
                "valid_from": terms.valid_from,
                "valid_to": valid_to,
                "rule_id": f"rating.{document.rule}",
                "param_id": name_parameter(document, terms),
            }
        )
        from_wh = upto_wh or from_wh
    return rows


def tabulate_late_charge(documents: tuple[Document, ...], digits: int) -> pl.DataFrame:
    """One row per class x validity (LATE_CHARGE_RATES)."""
    rows: list[Row] = [
        {
            "class": name,
            "rate_ppm": scale(rates.rate, PPM),
            "rate_next_year_ppm": scale(rates.rate_next_year, PPM),
            "cross_year": terms.cross_year,
            "minimum_minor": None if terms.minimum is None else scale(terms.minimum, 10**digits),
            "cap_ppm": None if terms.cap is None else scale(terms.cap, PPM),
            "valid_from": terms.valid_from,
            "valid_to": valid_to,
            "param_id": name_parameter(document, terms),
        }
        for document in documents
        if isinstance(document, LateCharge)
        for terms, valid_to in with_ends(document.values)
        for rates in terms.rates
        for name in rates.classes
    ]
    return pl.DataFrame(rows, schema=dict(LATE_CHARGE_RATES))


def date_rules(documents: tuple[Document, ...], digits: int) -> tuple[DayRules, ...]:
    """What is in force from each day on which an allocation, a strategy or a late charge changes, in order.

    Of an allocation and a late charge the last validity that began holds (before all of them, the first); a strategy
    is in force within its validities only.
    """
    allocation = next(found for found in documents if isinstance(found, Allocation))
    late = next(found for found in documents if isinstance(found, LateCharge))
    ladders = [found for found in documents if isinstance(found, StrategyDocument)]
    validities: list[tuple[Validity, ...]] = [allocation.values, late.values, *(ladder.values for ladder in ladders)]
    changes = {day for values in validities for pair in with_ends(values) for day in _days(pair)}
    return tuple(
        DayRules(
            since=day,
            late_charge_components=_begun(late.values, day).components,
            allocation=_resolve_allocation(allocation, _begun(allocation.values, day)),
            strategies=tuple(
                _resolve_strategy(ladder, terms, digits)
                for ladder in ladders
                for terms, valid_to in with_ends(ladder.values)
                if terms.valid_from <= day and (valid_to is None or day < valid_to)
            ),
        )
        for day in sorted(changes)
    )


def _days(validity: tuple[Validity, date | None]) -> list[date]:
    terms, valid_to = validity
    return [terms.valid_from] if valid_to is None else [terms.valid_from, valid_to]


def _begun[V: Validity](values: tuple[V, ...], on: date) -> V:
    return next((terms for terms in reversed(values) if terms.valid_from <= on), values[0])


def _resolve_allocation(document: Allocation, terms: AllocationTerms) -> AllocationPolicy:
    return AllocationPolicy(terms.code, terms.components, name_parameter(document, terms), terms.due_first)


def _resolve_strategy(document: StrategyDocument, terms: StrategyTerms, digits: int) -> Strategy:
    return Strategy(
        code=document.code,
        version=terms.version,
        classes=terms.classes,
        minimum_minor=scale(terms.minimum, 10**digits),
        threshold_minor=scale(terms.threshold, 10**digits),
        rungs=tuple(Rung(**rung.model_dump(exclude={"title"})) for rung in terms.rungs),
        param_id=name_parameter(document, terms),
    )


def tabulate_subjects(documents: tuple[Document, ...]) -> pl.DataFrame:
    """One row per subject (SUBJECTS)."""
    rows: list[Row] = [
        {
            "subject": subject.code,
            "component": subject.component,
            "role": subject.role,
            "kind": subject.kind,
            "title_zh": subject.title.zh,
            "title_en": subject.title.en,
            "param_id": name_parameter(document, document.values[-1]),
        }
        for document in documents
        if isinstance(document, Subjects)
        for subject in document.values[-1].subjects
    ]
    return pl.DataFrame(rows, schema=dict(SUBJECTS))
