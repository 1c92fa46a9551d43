"""The report as sections of rows, for papers and spreadsheets: every figure with its definition beside it."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from recoup.cli.report import list_sides, name_stage
from recoup.definitions import define
from recoup.labels import Labels

type Kind = Literal["text", "money", "share", "count"]

RATES = ("collection_rate_current", "collection_rate_cumulative", "collection_rate_prior")
BASES = ("receivable", "carried", "received", "received_prior")
OPEN = ("receivable_open", "arrears", "arrears_current", "arrears_prior")
MONEY = ("billed", "collected", "unapplied", "late_charges_booked", "late_charges_accrued", "late_charges_open")
COUNTS = ("accounts", "contracts_in_force", "bills", "payments", "actions", "quarantined", "conflicts")


class Cell(NamedTuple):
    """A value as the document holds it (decimal string, share of six digits, count or text), and its kind."""

    kind: Kind
    value: str | int | None


class Section(NamedTuple):
    """A table: its title, the heads of its columns, its rows."""

    title: str
    heads: list[str]
    rows: list[list[Cell]]


def compose(document: Mapping[str, Any], labels: Labels) -> list[Section]:
    """Every section of a report."""
    return [
        _figures(labels("collection_rates"), RATES, "share", document, labels),
        _figures(labels("receivables"), (*BASES, *OPEN), "money", document, labels),
        _months(document, labels),
        _ageing(document, labels),
        _figures(labels("money"), MONEY, "money", document, labels),
        _stages(document, labels),
        _figures(labels("counts"), COUNTS, "count", document, labels),
    ]


def _text(value: str) -> Cell:
    return Cell("text", value)


def _figures(title: str, names: tuple[str, ...], kind: Kind, document: Mapping[str, Any], labels: Labels) -> Section:
    """Figures by name: as it stood that night, beside it what was signed and what is known now, and what it means."""
    sides = [side for side in list_sides(document) if any(name in document[side] for name in names)]
    heads = [labels("figure"), labels("as_it_stood"), *(labels(side) for side in sides), labels("definition")]
    rows = [
        [
            _text(labels(name)),
            Cell(kind, document[name]),
            *(Cell(kind, document[side].get(name)) for side in sides),
            _text(define(name, labels.language)),
        ]
        for name in names
    ]
    return Section(title, heads, rows)


def _months(document: Mapping[str, Any], labels: Labels) -> Section:
    billed, collected = document["billed_by_month"], document["collected_by_month"]
    rows = [
        [_text(month), Cell("money", billed.get(month, "0")), Cell("money", collected.get(month, "0"))]
        for month in sorted({*billed, *collected})[-24:]
    ]
    return Section(labels("by_month"), [labels("month"), labels("billed"), labels("collected")], rows)


def _ageing(document: Mapping[str, Any], labels: Labels) -> Section:
    rows = [
        [_text(labels.bucket(name)), Cell("count", each["items"]), Cell("money", each["amount"])]
        for name, each in document["ageing"].items()
    ]
    return Section(labels("ageing"), [labels("days_overdue"), labels("items"), labels("amount")], rows)


def _stages(document: Mapping[str, Any], labels: Labels) -> Section:
    rows = [
        [_text(name_stage(stage, dict(document), labels)), Cell("count", count)]
        for stage, count in document["accounts_by_stage"].items()
    ]
    return Section(labels("accounts_by_stage"), [labels("stage"), labels("rows")], rows)


def list_notes(document: Mapping[str, Any], labels: Labels) -> list[str]:
    """Where the figures come from and what the words mean, line by line."""
    book, run, signed = document["book"], document["run"], document["reported"]
    notes = [
        f"{book['name']} · {book['kind']} · {book['jurisdiction']} · {document['denom']}",
        f"{labels('run')} {run['run_no']} · {labels('rulebook')} {run['rulebook_hash']} · {run['code_version']}",
    ]
    if signed:
        notes.append(f"{labels('signed_by')} {signed['signed_by']} · {signed['signed_at']} · {signed['content_hash']}")
    if document["waiting"]["receipts"]:
        notes.append(f"{labels('waiting')}: {document['waiting']['receipts']} · {document['waiting']['amount']}")
    words = ("as_it_stood", *list_sides(document))
    return [*notes, *(f"{labels(name)}: {define(name, labels.language)}" for name in words), *labels.definitions()]
