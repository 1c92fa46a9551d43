"""The answer to a described case: amounts as decimal strings in major units, each step with its rule and source."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from recoup.core.flows.quote import quote
from recoup.core.outcome import Outcome
from recoup.rulebook.case import CaseFile, CaseInvalid, Expect
from recoup.rulebook.case_frames import Prepared, prepare
from recoup.rulebook.library import Library
from recoup.rulebook.schema import Words

LATE_CHARGE_RULE = "late_charge"


class Answer(NamedTuple):
    """What a case came to (as JSON), and where that differs from what the case expects."""

    body: dict[str, Any]
    differences: list[str]

    @property
    def is_right(self) -> bool:
        """Whether everything could be quoted and came to what was expected, or the case says what it waits for."""
        return self.body["waits_for"] is not None or (
            not self.differences and ("differences" in self.body or not self.body["issues"])
        )


def answer(case: CaseFile, library: Library) -> Answer:
    """Quote one case and compare it with what it expects."""
    try:
        prepared = prepare(case, library)
    except CaseInvalid as error:
        raise CaseInvalid([f"{case.id}: {text}" if case.id else text for text in error.problems]) from error
    outcome = quote(prepared.case, prepared.rules)
    body = describe(case, prepared, outcome)
    differences = [] if case.expect is None else _compare(body, case.expect)
    if case.expect is not None:
        body["differences"] = differences
    return Answer(body, differences)


def describe(case: CaseFile, prepared: Prepared, outcome: Outcome) -> dict[str, Any]:
    """Put an outcome into words and decimal strings in major units."""
    digits = prepared.rules.minor_digits
    totals = outcome.frames["totals"].row(0, named=True)
    to_pay = totals["grand_total_minor"] - totals["paid_minor"]
    lines, thresholds = _lines(prepared, outcome), _thresholds(prepared, outcome)
    segments, charges = _segments(prepared, outcome), _charges(prepared, outcome)
    return {
        "id": case.id,
        "title": case.title.model_dump() if isinstance(case.title, Words) else case.title,
        "waits_for": case.waits_for,
        "jurisdiction": case.jurisdiction,
        "denom": prepared.case.denom,
        "lines": lines,
        "total": _major(totals["total_minor"], digits),
        "late_charge": _major(totals["late_charge_minor"], digits),
        "grand_total": _major(totals["grand_total_minor"], digits),
        "paid": _major(totals["paid_minor"], digits),
        "to_pay": _major(to_pay, digits),
        "bills": charges,
        "thresholds": thresholds,
        "explanation": [*lines, *segments, *_limits(charges), *thresholds, *_assumptions(prepared)],
        "issues": outcome.issues.select("kind", "key", "field", "detail").to_dicts(),
        "rulebook_hash": prepared.rules.content_hash or None,
    }


def _lines(prepared: Prepared, outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {
            "step": "line",
            "bill_on": row["bill_on"].isoformat(),
            "period_from": row["period_from"].isoformat(),
            "part": row["part"],
            "line": row["line"],
            "component": row["component"],
            "block": row["block"],
            "quantity_kwh": _scaled(row["quantity"], 3),
            "price": _scaled(row["price_e8"], 8),
            "amount": _major(row["amount_minor"], prepared.rules.minor_digits),
            "rule": row["rule_id"],
            "parameter": row["param_id"],
            "reference": prepared.references.get(row["param_id"]),
        }
        for row in outcome.frames["lines"].iter_rows(named=True)
    ]


def _segments(prepared: Prepared, outcome: Outcome) -> list[dict[str, Any]]:
    names = dict(outcome.frames["items"].select("item_id", "item_key").iter_rows())
    policies = dict(prepared.rules.late_charge.select("param_id", "cross_year").iter_rows())
    return [
        {
            "step": "late_charge",
            "bill": names[row["item_id"]],
            "from": row["segment_from"].isoformat(),
            "to": row["segment_to"].isoformat(),
            "days": row["days"],
            "held_days": row["held_days"],
            "principal": _major(row["principal_minor"], prepared.rules.minor_digits),
            "rate_per_day": _scaled(row["rate_ppm"], 6),
            "rule": f"{LATE_CHARGE_RULE}.{policies[row['param_id']]}",
            "parameter": row["param_id"],
            "reference": prepared.references.get(row["param_id"]),
        }
        for row in outcome.frames["segments"].iter_rows(named=True)
    ]


def _charges(prepared: Prepared, outcome: Outcome) -> list[dict[str, Any]]:
    """The debts with their late charge before and after the limits."""
    digits = prepared.rules.minor_digits
    rows = outcome.frames["items"].join(outcome.frames["charges"], on="item_id", how="left", suffix="_charge")
    return [
        {
            "bill": row["item_key"],
            "amount": _major(row["amount_minor"], digits),
            "due_on": row["due_on"].isoformat(),
            "overdue_from_on": row["overdue_from_on"].isoformat(),
            "charged_to_on": row["charged_to_on"].isoformat() if row["charged_to_on"] else None,
            "accrued": _major(row["accrued_minor"] or 0, digits),
            "minimum": None if row["minimum_minor"] is None else _major(row["minimum_minor"], digits),
            "cap": None if row["cap_minor"] is None else _major(row["cap_minor"], digits),
            "late_charge": _major(row["amount_minor_charge"] or 0, digits),
            "parameter": row["param_id"],
            "reference": prepared.references.get(row["param_id"]),
        }
        for row in rows.iter_rows(named=True)
    ]


def _limits(charges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say where a minimum or a cap changed the late charge."""
    return [
        {
            "step": "late_charge_limit",
            "bill": charge["bill"],
            "accrued": charge["accrued"],
            "amount": charge["late_charge"],
            "rule": f"{LATE_CHARGE_RULE}." + ("minimum" if _is_lifted(charge) else "cap"),
            "parameter": charge["parameter"],
            "reference": charge["reference"],
        }
        for charge in charges
        if charge["accrued"] != charge["late_charge"]
    ]


def _is_lifted(charge: dict[str, Any]) -> bool:
    return Decimal(charge["late_charge"]) > Decimal(charge["accrued"])


def _thresholds(prepared: Prepared, outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {
            "step": "threshold",
            "tariff": row["tariff"],
            "tier": row["block"],
            "on": row["on"].isoformat(),
            "from_kwh": _scaled(row["from_wh"], 3),
            "upto_kwh": None if row["upto_wh"] is None else _scaled(row["upto_wh"], 3),
            "from_kwh_per_month": _scaled(row["from_month_wh"], 3),
            "months": row["span_months"],
            "price": _scaled(row["price_e8"], 8),
            "rule": row["rule_id"],
            "parameter": row["param_id"],
            "reference": prepared.references.get(row["param_id"]),
        }
        for row in outcome.frames["thresholds"].iter_rows(named=True)
    ]


def _assumptions(prepared: Prepared) -> list[dict[str, Any]]:
    return [{"step": "assumption", "text": text} for text in prepared.assumptions]


def _major(minor: int, digits: int) -> str:
    """Print minor units as a decimal in major units, with all the digits of the denom."""
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"


def _scaled(value: int, digits: int) -> str:
    """Print a scaled integer as the shortest exact decimal."""
    text = f"{Decimal(value).scaleb(-digits):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _compare(body: dict[str, Any], expect: Expect) -> list[str]:
    """List where a quote differs from what the case expects, amounts compared as numbers."""
    found: list[str] = []
    for name in ("total", "late_charge", "grand_total"):
        wanted = getattr(expect, name)
        if wanted is not None and Decimal(body[name]) != wanted:
            found.append(f"{name} is {body[name]}, expected {wanted}")
    amounts = tuple(Decimal(line["amount"]) for line in body["lines"])
    if expect.line_amounts is not None and amounts != expect.line_amounts:
        found.append(f"line amounts are {_join(amounts)}, expected {_join(expect.line_amounts)}")
    starts = {row["tier"]: Decimal(row["from_kwh"]) for row in body["thresholds"]}
    for tier, wanted in expect.thresholds.items():
        if starts.get(tier) != wanted:
            found.append(f"tier {tier} begins above {starts.get(tier)} kWh, expected {wanted}")
    kinds = sorted(issue["kind"] for issue in body["issues"])
    if kinds != sorted(expect.issues):
        found.append(f"issues are {_join(kinds)}, expected {_join(expect.issues)}")
    return found


def _join(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values) or "none"
