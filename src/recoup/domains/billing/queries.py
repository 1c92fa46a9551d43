"""Reads of bills, within a scope."""

from datetime import date

from recoup.database.listing import Asked, Condition, Connection, Listing, Page, Row, month_of, read_dicts, read_list
from recoup.domains.access.scope import Scope
from recoup.domains.contracts.queries import filter_unit, find_contract_ids
from recoup.domains.parties.masking import mask_name

_OPEN = """
    (SELECT coalesce(sum(o.open_minor), 0)::bigint FROM open_item i JOIN item_open o USING (item_id)
     WHERE i.contract_id = b.contract_id AND i.item_key >= b.bill_no || ':' AND i.item_key < b.bill_no || ';')
"""
_BILLS = Listing(
    columns=f"""
        b.bill_no, a.account_no, c.contract_key, p.name, p.kind, u.name AS unit_name, b.period_from, b.period_to,
        b.issued_on, b.due_on, b.booked_on, b.energy_wh, b.amount_minor, b.denom, b.version, {_OPEN} AS open_minor
    """,
    tables="""
        bill b JOIN contract c USING (contract_id) JOIN account a USING (account_id)
        LEFT JOIN org_unit u ON u.code = a.org_unit LEFT JOIN party p ON p.party_id = c.party_id
    """,
    orders={
        "bill_no": "b.bill_no",
        "issued_on": "b.issued_on",
        "due_on": "b.due_on",
        "amount_minor": "b.amount_minor",
        "energy_wh": "b.energy_wh",
    },
    tie="b.bill_no",
    counted="bill b JOIN contract c USING (contract_id) JOIN account a USING (account_id)",
    sums={"amount_minor": "sum(b.amount_minor)::bigint", "energy_wh": "sum(b.energy_wh)::bigint"},
)


def list_bills(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List bills, names masked. Filters: q (account or bill number), month (booked), unit (and below)."""
    conditions = [scope.condition("a.org_unit"), *filter_unit(asked), *filter_month(asked, "b.booked_on")]
    if asked.get("q"):
        conditions.append(_by_number(connection, asked.get("q")))
    page = read_list(connection, _BILLS, conditions, asked)
    for row in page.rows:
        row["name"] = mask_name(row["name"], row["kind"] or "PERSON")
    return page


def _by_number(connection: Connection, number: str) -> Condition:
    contracts = find_contract_ids(connection, number)
    return ("b.contract_id = ANY(%s)", [contracts]) if contracts else ("b.bill_no = %s", [number])


def filter_month(asked: Asked, column: str) -> list[Condition]:
    """The filter `month` (2025-12) over a day."""
    if not asked.get("month"):
        return []
    first, after = month_of(date.fromisoformat(f"{asked.get('month')}-01"))
    return [(f"{column} >= %s AND {column} < %s", [first, after])]


def list_bills_of_account(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    """List the bills of an account, the latest first, at most 200."""
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"SELECT {_BILLS.columns} FROM {_BILLS.tables} WHERE c.account_id = %s AND {where} "
        "ORDER BY b.issued_on DESC, b.bill_no DESC LIMIT 200",
        [account_id, *parameters],
    )


def find_bill(connection: Connection, scope: Scope, bill_no: str) -> Row | None:
    """The account, contract and unit of a bill inside the scope; None if it is not there or not to be seen."""
    where, parameters = scope.condition("a.org_unit")
    found = read_dicts(
        connection,
        f"""
        SELECT b.bill_no, a.account_no, c.contract_key, u.name AS unit_name
        FROM bill b JOIN contract c USING (contract_id) JOIN account a USING (account_id)
        LEFT JOIN org_unit u ON u.code = a.org_unit WHERE b.bill_no = %s AND {where} LIMIT 1
        """,
        [bill_no, *parameters],
    )
    return found[0] if found else None
