"""What a contract owes now, item by item: what is open, since when it is overdue, which late charge it has drawn."""

from datetime import date

import polars as pl

from recoup.core import late_charge
from recoup.core.flows.settle import PAID
from recoup.core.frames import HOLDS, ITEMS
from recoup.database.bulk import read_rows
from recoup.database.listing import Row, read_dicts
from recoup.domains.access.scope import Scope
from recoup.engine import book as loading
from recoup.engine.runs import Connection, Cut, current_snapshot
from recoup.engine.why import Law

_OPEN = """
    SELECT i.item_id, i.item_key, i.origin_kind, i.component, i.denom, i.amount_minor, o.open_minor, i.issued_on,
           i.due_on, i.overdue_from_on, i.charge_of, split_part(i.item_key, ':', 1) AS bill_no,
           EXISTS (SELECT 1 FROM bill b WHERE b.bill_no = split_part(i.item_key, ':', 1)) AS has_bill
    FROM item_open o JOIN open_item i USING (item_id) JOIN contract c ON c.contract_id = i.contract_id
    JOIN account a USING (account_id)
    WHERE i.contract_id = %s AND o.open_minor > 0 AND i.amount_minor > 0 AND i.origin_kind <> 'PAYMENT_REVERSAL'
      AND {scope}
    ORDER BY i.overdue_from_on, i.item_key
"""


def list_owed(connection: Connection, scope: Scope, contract: Row, on: date, law: Law) -> list[Row]:
    """List the open debts of a contract at the end of `on`, one row per bill (or debt of another system), oldest first.

    `open_minor` is the principal, `late_open_minor` its late charge booked and not paid, `unbooked_minor` what the late
    charge has come to beyond what is booked, `total_minor` all three; `days_overdue` counts from 1 (minor units).
    """
    where, parameters = scope.condition("a.org_unit")
    items = read_dicts(connection, _OPEN.format(scope=where), [contract["contract_id"], *parameters])
    unbooked = _reckon_unbooked(connection, contract, on, law) if any(item["overdue_from_on"] for item in items) else {}
    rows: dict[str, Row] = {}
    for item in sorted(items, key=lambda item: item["charge_of"] is not None):
        row = rows.setdefault(item["bill_no"], _open_row(item, on))
        row["late_open_minor" if item["charge_of"] else "open_minor"] += item["open_minor"]
        row["unbooked_minor"] += unbooked.get(item["item_id"], 0)
    for row in rows.values():
        row["total_minor"] = row["open_minor"] + row["late_open_minor"] + row["unbooked_minor"]
    return list(rows.values())


def _open_row(item: Row, on: date) -> Row:
    since = item["overdue_from_on"]
    told = {name: item[name] for name in ("bill_no", "has_bill", "component", "denom", "due_on", "overdue_from_on")}
    days = (on - since).days + 1 if since and since <= on else None
    return {**told, "days_overdue": days, "open_minor": 0, "late_open_minor": 0, "unbooked_minor": 0}


_HELD = """
    SELECT h.hold_key, h.contract_id, i.item_id, h.stops_late_charge, h.stops_dun, h.stops_debit, h.stops_disconnect,
           h.reason, h.valid_from, h.valid_to
    FROM (SELECT DISTINCT ON (hold_key) * FROM hold WHERE contract_id = %s ORDER BY hold_key, version DESC) h
    LEFT JOIN open_item i ON i.item_key = h.item_key
    WHERE h.stops_late_charge
"""


def _reckon_unbooked(connection: Connection, contract: Row, on: date, law: Law) -> dict[int, int]:
    """By item: the late charge it comes to by the end of `on`, less what of it is booked."""
    with connection.cursor() as cursor:
        history = loading.load_history(cursor, [contract["group_id"]], Cut(0, on, current_snapshot(connection)))
        holds = read_rows(cursor, _HELD, HOLDS, [contract["contract_id"]])
    mine = pl.col("contract_id") == contract["contract_id"]
    charged = pl.col("component").is_in(law.rules.late_charge_components) & pl.col("charge_of").is_null()
    items = history.items.filter(mine & charged).select(list(ITEMS))
    paid = history.allocations.rename({"debit_id": "item_id"}).select(list(PAID))
    assessed = late_charge.assess(items, paid, law.rules.late_charge, holds, on)
    booked: dict[int, int] = {}
    for charge in history.items.filter(mine & pl.col("charge_of").is_not_null()).to_dicts():
        booked[charge["charge_of"]] = booked.get(charge["charge_of"], 0) + charge["amount_minor"]
    comes_to = assessed.select("item_id", "amount_minor").rows()
    return {item: max(amount - booked.get(item, 0), 0) for item, amount in comes_to}
