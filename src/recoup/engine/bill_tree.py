"""A bill as a tree: what was measured, what each line charges and by which parameter, what came of the debt.

Every figure is read as it was stored; the segments of a late charge come from the rule that charges it.
"""

from datetime import date
from typing import Any

import polars as pl

from recoup.core import late_charge
from recoup.core.flows.settle import PAID
from recoup.core.frames import HOLDS, ITEMS
from recoup.database.bulk import read_rows
from recoup.engine import book as loading
from recoup.engine.figures import as_kwh, as_major, as_share
from recoup.engine.report import is_invented
from recoup.engine.runs import Connection, Cut, current_snapshot, last_done_on
from recoup.engine.why import Law, Row, read_dicts


class UnknownBill(Exception):
    """No bill has this number."""


_BILL = """
    SELECT b.*, c.contract_key, a.account_no, coalesce(g.contract_id, c.contract_id) AS group_id
    FROM bill b JOIN contract c USING (contract_id) JOIN account a USING (account_id)
    LEFT JOIN contract g ON g.contract_key = c.group_key
    WHERE b.bill_no = %(number)s ORDER BY b.version DESC LIMIT 1
"""


def explain_bill(connection: Connection, number: str, law: Law) -> Row:
    """Lay out a bill, its debts and what became of them up to the last closed day; raise UnknownBill."""
    found = read_dicts(connection, _BILL, {"number": number})
    if not found:
        raise UnknownBill(_tell_nearest(connection, number))
    bill, digits = found[0], law.rules.minor_digits
    on = last_done_on(connection) or bill["booked_on"]
    told = {
        "bill": _describe_bill(bill, digits),
        "as_of": on.isoformat(),
        "simulated": is_invented(),
        "denom": bill["denom"],
        "determinant": _describe_determinant(connection, bill),
        "lines": _describe_lines(connection, bill, law),
        "items": _describe_items(connection, bill, on, law),
    }
    connection.rollback()
    return told


def _tell_nearest(connection: Connection, number: str) -> str:
    stem = number.split("-")[0]
    near = read_dicts(
        connection,
        """
        SELECT bill_no FROM bill JOIN contract USING (contract_id) JOIN account USING (account_id)
        WHERE account_no = %(stem)s OR contract_key = %(stem)s OR contract_key = %(number)s
        ORDER BY issued_on DESC LIMIT 3
        """,
        {"stem": stem, "number": number},
    )
    if near:
        return f"no bill {number}: the latest bills there are {', '.join(row['bill_no'] for row in near)}"
    return f"no bill {number}: a bill number is <contract>-<first day>-<part>-<version>, as `recoup why ACCOUNT` shows"


def _describe_bill(bill: Row, digits: int) -> Row:
    days = ("period_from", "period_to", "issued_on", "due_on", "booked_on")
    return {
        **{
            name: bill[name]
            for name in ("bill_no", "contract_key", "account_no", "part", "version", "months", "run_no")
        },
        **{name: _day(bill[name]) for name in days},
        "amount": as_major(bill["amount_minor"], digits),
    }


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


_READING = """
    SELECT service_point, meter, register, read_on, part, source, index_from_e4, index_e4, multiplier_e4, months,
           stated_wh, (SELECT index_e4 FROM reading p WHERE p.service_point = r.service_point AND p.meter = r.meter
                       AND p.register = r.register AND p.read_on < r.read_on
                       ORDER BY p.read_on DESC, p.version DESC LIMIT 1) AS before_e4,
           (SELECT i.multiplier_e4 FROM installation i WHERE i.service_point = r.service_point AND i.meter = r.meter
            AND i.register = r.register AND i.valid_from <= r.read_on
            ORDER BY i.valid_from DESC, i.version DESC LIMIT 1) AS installed_e4
    FROM reading r
    WHERE service_point || '/' || meter || '/' || register || '/' || read_on || '/' || part || '/' || source = %(key)s
      AND service_point = coalesce((SELECT service_point FROM service WHERE service_id = %(service_id)s LIMIT 1),
                                   split_part(%(key)s, '/', 1))
    ORDER BY version DESC LIMIT 1
"""


def _describe_determinant(connection: Connection, bill: Row) -> Row:
    """Energy billed and energy read, with the reading it rests on; a stated total that replaced it is marked."""
    told: Row = {
        "source": bill["energy_source"],
        "energy_kwh": None if bill["energy_wh"] is None else as_kwh(bill["energy_wh"]),
        "read_kwh": None if bill["read_wh"] is None else as_kwh(bill["read_wh"]),
        "corrected": bill["energy_source"] == "CORRECTED",
        "reading_key": bill["reading_key"],
    }
    if bill["reading_key"] is None:
        return told
    key = {"key": bill["reading_key"], "service_id": bill["service_id"]}
    for reading in read_dicts(connection, _READING, key):
        told["reading"] = _describe_reading(reading)
    return told


def _describe_reading(reading: Row) -> Row:
    start = reading["index_from_e4"] if reading["index_from_e4"] is not None else reading["before_e4"]
    end, multiplier = reading["index_e4"], reading["multiplier_e4"] or reading["installed_e4"]
    return {
        **{name: reading[name] for name in ("service_point", "meter", "register", "part", "source", "months")},
        "read_on": _day(reading["read_on"]),
        "index_from": None if start is None else as_major(start, 4),
        "index_to": as_major(end, 4),
        "difference": None if start is None else as_major(end - start, 4),
        "multiplier": None if multiplier is None else as_major(multiplier, 4),
        "stated_kwh": None if reading["stated_wh"] is None else as_kwh(reading["stated_wh"]),
    }


_LINES = """
    SELECT line, component, rule_id, param_id, block, quantity, price_e8, amount_minor FROM bill_line
    WHERE bill_id = %(bill_id)s AND booked_on = %(booked_on)s ORDER BY line
"""


def _describe_lines(connection: Connection, bill: Row, law: Law) -> list[Row]:
    lines = read_dicts(connection, _LINES, {"bill_id": bill["bill_id"], "booked_on": bill["booked_on"]})
    return [
        {
            **{name: line[name] for name in ("line", "component", "rule_id", "block")},
            "kwh": as_kwh(line["quantity"]),
            "price": as_major(line["price_e8"], 8),
            "amount": as_major(line["amount_minor"], law.rules.minor_digits),
            "parameter": cite(line["param_id"], law),
        }
        for line in lines
    ]


def cite(param_id: str | None, law: Law) -> Row:
    """Name a parameter with its title, source and status in the rulebook; only its id when the rulebook lost it."""
    cited = law.documents.cite(param_id) if param_id else None
    return {
        "param_id": param_id,
        "title": {"zh": cited.title_zh, "en": cited.title_en} if cited else None,
        "reference": cited.reference if cited else None,
        "status": cited.status if cited else None,
    }


def _describe_items(connection: Connection, bill: Row, on: date, law: Law) -> list[Row]:
    with connection.cursor() as cursor:
        history = loading.load_history(cursor, [bill["group_id"]], Cut(0, on, current_snapshot(connection)))
    prefix = f"{bill['bill_no']}:"
    principal = pl.col("item_key").str.starts_with(prefix) & pl.col("charge_of").is_null()
    return [
        _describe_item(connection, item, history.items, bill["group_id"], on, law)
        for item in history.items.filter(principal).sort("item_key").to_dicts()
    ]


_PIECES = """
    SELECT a.value_on, a.booked_on, a.amount_minor, a.rule, i.item_key AS payment
    FROM allocation a LEFT JOIN open_item i ON i.item_id = a.credit_id
    WHERE a.group_id = %(group_id)s AND a.debit_id = %(item_id)s AND a.booked_on <= %(on)s
    ORDER BY a.booked_on, a.seq, a.line
"""


def _describe_item(connection: Connection, item: Row, history: pl.DataFrame, group_id: int, on: date, law: Law) -> Row:
    digits = law.rules.minor_digits
    pieces = read_dicts(connection, _PIECES, {"group_id": group_id, "item_id": item["item_id"], "on": on})
    paid = sum(piece["amount_minor"] for piece in pieces)
    return {
        "item_key": item["item_key"],
        "component": item["component"],
        "due_on": _day(item["due_on"]),
        "overdue_from_on": _day(item["overdue_from_on"]),
        "amount": as_major(item["amount_minor"], digits),
        "open": as_major(item["amount_minor"] - paid, digits),
        "allocations": [
            {
                "value_on": _day(piece["value_on"]),
                "booked_on": _day(piece["booked_on"]),
                "amount": as_major(piece["amount_minor"], digits),
                "payment": piece["payment"],
                "rule": piece["rule"],
            }
            for piece in pieces
        ],
        "late_charge": _describe_charge(connection, item, pieces, history, on, law),
    }


_CHARGES = """
    SELECT item_key, value_on, booked_on, amount_minor FROM open_item
    WHERE contract_id = %(contract_id)s AND charge_of = %(item_id)s AND booked_on <= %(on)s ORDER BY booked_on, item_key
"""

_HOLDS_OF_ITEM = """
    SELECT h.hold_key, h.contract_id, i.item_id, h.stops_late_charge, h.stops_dun, h.stops_debit, h.stops_disconnect,
           h.reason, h.valid_from, h.valid_to
    FROM (SELECT DISTINCT ON (hold_key) * FROM hold WHERE contract_id = %s ORDER BY hold_key, version DESC) h
    LEFT JOIN open_item i ON i.item_key = h.item_key
    WHERE h.stops_late_charge
"""


def _describe_charge(
    connection: Connection, item: Row, pieces: list[Row], history: pl.DataFrame, on: date, law: Law
) -> Row:
    """The late charge of a principal item up to `on`: its segments, limits, what it comes to and what is booked."""
    digits = law.rules.minor_digits
    keys = {"contract_id": item["contract_id"], "item_id": item["item_id"], "on": on}
    booked = read_dicts(connection, _CHARGES, keys)
    told: Row = {
        "booked": as_major(sum(charge["amount_minor"] for charge in booked), digits),
        "charges": [
            {
                "item_key": c["item_key"],
                "accrued_to_on": _day(c["value_on"]),
                "amount": as_major(c["amount_minor"], digits),
            }
            for c in booked
        ],
    }
    if item["component"] not in law.rules.at(on).late_charge_components:
        return {**told, "segments": [], "comes_to": as_major(0, digits)}
    principal = history.filter(pl.col("item_id") == item["item_id"])
    paid = pl.DataFrame(
        [(item["item_id"], piece["value_on"], piece["amount_minor"]) for piece in pieces],
        schema=dict(PAID),
        orient="row",
    )
    with connection.cursor() as cursor:
        holds = read_rows(cursor, _HOLDS_OF_ITEM, HOLDS, [item["contract_id"]])
    facts = (principal.select(list(ITEMS)), paid, law.rules.late_charge, holds, on)
    return {**told, **_describe_assessment(late_charge.assess(*facts), law), **_describe_segments(facts, law)}


def _describe_assessment(assessed: pl.DataFrame, law: Law) -> Row:
    if assessed.is_empty():
        return {"comes_to": as_major(0, law.rules.minor_digits)}
    row, digits = assessed.row(0, named=True), law.rules.minor_digits
    amounts = {"accrued": "accrued_minor", "minimum": "minimum_minor", "cap": "cap_minor", "comes_to": "amount_minor"}
    return {
        **{name: None if row[column] is None else as_major(row[column], digits) for name, column in amounts.items()},
        "charged_to_on": _day(row["charged_to_on"]),
        "limits": cite(row["param_id"], law),
    }


def _describe_segments(facts: tuple[Any, ...], law: Law) -> Row:
    digits = law.rules.minor_digits
    segments = late_charge.explain(*facts).to_dicts()
    return {
        "segments": [
            {
                "from_on": _day(s["segment_from"]),
                "to_on": _day(s["segment_to"]),
                "days": s["days"],
                "held_days": s["held_days"],
                "principal": as_major(s["principal_minor"], digits),
                "rate_a_day": as_share(s["rate_ppm"]),
                "parameter": cite(s["param_id"], law),
            }
            for s in segments
        ]
    }
