"""The debts of a described case: due days and payments as dates, whether the case gives days or counts them."""

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from recoup.core import frames
from recoup.core.flows.quote import PAID, RATED_ITEM
from recoup.core.late_charge import SEGMENT_BY_DAY
from recoup.core.money import PPM
from recoup.rulebook.case import CaseBill, CaseFile, CaseInvalid
from recoup.rulebook.case_rules import CaseRules, to_minor
from recoup.rulebook.resolve import Row, scale

_CONTRACT_ID = 1
_DAY = timedelta(days=1)


class Debts(NamedTuple):
    """Items and payments of a case, the day the late charge runs to, and the dates that had to be assumed."""

    items: pl.DataFrame
    paid: pl.DataFrame
    charged_to_on: date
    assumptions: tuple[str, ...]


class _Dated(NamedTuple):
    """One debt with its days."""

    due_on: date
    paid_on: date | None
    assumption: str | None


def debt_frames(file: CaseFile, found: CaseRules) -> Debts:
    """Date every debt of the case; raise CaseInvalid naming the field whose day is missing."""
    items: list[Row] = []
    paid: list[Row] = []
    assumptions: list[str] = []
    for number, bill in enumerate(file.bills):
        field = f"bills.{number}"
        dated = _date_debt(bill, file, found, field)
        items.append(_item(bill, number, dated, file, found))
        paid += _payments(bill, number, dated, found)
        assumptions += [f"{field}: {dated.assumption}"] if dated.assumption else []
    days = [row["value_on"] for row in paid]
    latest = max((day for day in days if isinstance(day, date)), default=date(1900, 1, 1))
    return Debts(
        pl.DataFrame(items, schema=dict(frames.ITEMS)),
        pl.DataFrame(paid, schema=dict(PAID)),
        file.on or latest,
        tuple(assumptions),
    )


def _date_debt(bill: CaseBill, file: CaseFile, found: CaseRules, field: str) -> _Dated:
    paid_on = bill.paid_on
    due_on = bill.due_on or (bill.due_window and bill.due_window[1])
    if due_on is not None:
        if paid_on is None and file.on is None:
            raise CaseInvalid([f"{field}.paid_on: when was it paid? State it, or `on` for a debt still open"])
        return _Dated(due_on, paid_on, None)
    days = timedelta(days=bill.days_late or 0)
    known = paid_on or file.on
    if known is not None:
        return _Dated(known - days, paid_on, None)
    return _assume_days(bill, found, field)


def _assume_days(bill: CaseBill, found: CaseRules, field: str) -> _Dated:
    """Give a debt known only by its days late a place in the newest calendar, within one year or across its end."""
    days = bill.days_late or 0
    newest: object = found.rules.late_charge["valid_from"].max()
    year = (newest.year if isinstance(newest, date) else 2000) + 1
    if bill.crosses_year:
        if days < 2:
            raise CaseInvalid([f"{field}.days_late: a debt that crosses the year end is at least 2 days late"])
        _refuse_unknown_split(found, field)
        paid_on = date(year + 1, 1, 1)
        place = "across a year end"
    else:
        if days > 365:
            raise CaseInvalid([f"{field}.days_late: more than a year; state due_on and paid_on"])
        paid_on = date(year, 12, 31)
        place = "within one calendar year"
    return _Dated(paid_on - timedelta(days=days), paid_on, f"no dates given; {days} days taken {place}")


def _refuse_unknown_split(found: CaseRules, field: str) -> None:
    """Days split at the year end need their dates, unless both sides cost the same."""
    rates = found.rules.late_charge.filter(pl.col("class") == found.customer_class).tail(1)
    for row in rates.iter_rows(named=True):
        if row["cross_year"] == SEGMENT_BY_DAY and row["rate_ppm"] != row["rate_next_year_ppm"]:
            why = "SEGMENT_BY_DAY needs the days before and after the year end; state due_on and paid_on"
            raise CaseInvalid([f"{field}.crosses_year: {why}"])


def _item(bill: CaseBill, number: int, dated: _Dated, file: CaseFile, found: CaseRules) -> Row:
    owed = None if isinstance(bill.amount, str) else to_minor(bill.amount, found.rules, f"bills.{number}.amount")
    agreed = file.contract.agreed_rate
    row: Row = {
        "item_id": _item_id(bill, number),
        "item_key": bill.name or f"bills.{number}",
        "contract_id": _CONTRACT_ID,
        "group_id": _CONTRACT_ID,
        "component": "ENERGY",
        "subject": "RECEIVABLE_ENERGY",
        "denom": found.rules.denom,
        "amount_minor": owed,
        "open_minor": owed,
        "due_on": dated.due_on,
        "overdue_from_on": bill.overdue_from_on or dated.due_on + _DAY,
        "class": found.customer_class,
        "agreed_rate_ppm": None if agreed is None else scale(agreed, PPM),
    }
    return {name: row.get(name) for name in frames.ITEMS}


def _payments(bill: CaseBill, number: int, dated: _Dated, found: CaseRules) -> list[Row]:
    """Stated payments, then the rest on `paid_on` (a null amount pays all that is owed)."""
    item_id = _item_id(bill, number)
    rows: list[Row] = []
    for place, payment in enumerate(bill.payments):
        amount = to_minor(payment.amount, found.rules, f"bills.{number}.payments.{place}.amount")
        rows.append({"item_id": item_id, "value_on": payment.on, "amount_minor": amount})
    if dated.paid_on is None:
        return rows
    rest: int | None = None
    if bill.payments:
        if isinstance(bill.amount, str):
            raise CaseInvalid([f"bills.{number}.paid_on: state each payment of a rated bill by its amount"])
        parts = sum((payment.amount for payment in bill.payments), Decimal(0))
        rest = to_minor(max(bill.amount - parts, Decimal(0)), found.rules, f"bills.{number}.amount")
    return [*rows, {"item_id": item_id, "value_on": dated.paid_on, "amount_minor": rest}]


def _item_id(bill: CaseBill, number: int) -> int:
    return RATED_ITEM if bill.amount == "rated" else number + 1
