"""Reads of accounts and contracts, within a scope."""

from typing import Any

from recoup.database.listing import (
    COUNTED_ROWS,
    Asked,
    Condition,
    Connection,
    Listing,
    Page,
    Row,
    read_dicts,
    read_list,
)
from recoup.domains.access.scope import Scope
from recoup.domains.parties.masking import mask_address, mask_name
from recoup.domains.parties.operations import hash_for_search, load_keys

ACCOUNT_DIGITS, OLD_ACCOUNT_DIGITS, PHONE_DIGITS = 13, 10, 11
_PREFIX_DIGITS = 4

# The customer of an account is the party of its latest contract.
_DEBT = "i.amount_minor > 0 AND i.origin_kind <> 'PAYMENT_REVERSAL'"
_ACCOUNTS = Listing(
    columns=f"""
        a.account_id, a.account_no, a.old_account_no, a.org_unit, u.name AS unit_name, a.address, a.route,
        c.class, p.name, p.kind, c.valid_to,
        (SELECT coalesce(sum(o.open_minor), 0)::bigint FROM contract d JOIN item_open o USING (contract_id)
         JOIN open_item i USING (item_id) WHERE d.account_id = a.account_id AND {_DEBT}) AS owed_minor
    """,
    tables="""
        account a
        LEFT JOIN org_unit u ON u.code = a.org_unit
        LEFT JOIN LATERAL (SELECT * FROM contract k WHERE k.account_id = a.account_id
                           ORDER BY k.valid_from DESC, k.contract_id DESC LIMIT 1) c ON TRUE
        LEFT JOIN party p ON p.party_id = c.party_id
    """,
    orders={"account_no": "a.account_no", "org_unit": "a.org_unit", "owed_minor": "owed_minor"},
    tie="a.account_no",
    counted="account a",
)
_OWING = f"""
    EXISTS (SELECT 1 FROM contract d JOIN item_open o USING (contract_id) JOIN open_item i USING (item_id)
            WHERE d.account_id = a.account_id AND {_DEBT} AND o.open_minor > 0)
"""
_CLASS = "EXISTS (SELECT 1 FROM contract k WHERE k.account_id = a.account_id AND k.class = %s)"
_UNIT = """
    a.org_unit IN (WITH RECURSIVE below AS (SELECT code FROM org_unit WHERE code = %s
                   UNION SELECT o.code FROM org_unit o JOIN below b ON o.parent = b.code) SELECT code FROM below)
"""


def list_accounts(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List accounts, names and addresses masked. Filters: q (numbers, name, phone), unit (and below), class, owing."""
    conditions = [scope.condition("a.org_unit"), *_search(connection, scope, asked.get("q")), *filter_unit(asked)]
    if asked.get("class"):
        conditions.append((_CLASS, [asked.get("class")]))
    if asked.get("owing"):
        conditions.append((_OWING, []))
    page = read_list(connection, _ACCOUNTS, conditions, asked)
    for row in page.rows:
        row["name"], row["address"] = mask_name(row["name"], row["kind"] or "PERSON"), mask_address(row["address"])
    return page


def filter_unit(asked: Asked) -> list[Condition]:
    """The filter `unit` over the alias `a` of account: a unit and all below it."""
    return [(_UNIT, [asked.get("unit")])] if asked.get("unit") else []


def _search(connection: Connection, scope: Scope, text: str) -> list[Condition]:
    """By what a person types: a whole number, new or old, or a phone; else the beginning of a number or of a name.

    What is exact is found first, each way through its own index; one condition with OR would read every account.
    """
    if not text:
        return []
    where, parameters = scope.condition("a.org_unit")
    found: list[Condition] = [("a.account_no = %s", [text]), ("a.old_account_no = %s", [text])]
    if text.isascii() and sum(c.isdigit() for c in text) >= PHONE_DIGITS:
        found.append((f"a.account_id IN ({_BY_PHONE})", [hash_for_search(load_keys(), "phone", text).hex()]))
    elif not text.isascii() or text.isalpha() or " " in text:
        found.append((f"a.account_id IN ({_BY_NAME})", [f"{_escape(text)}%"]))
    ids: set[int] = set()
    for sql, values in found:
        query = f"SELECT a.account_id FROM account a WHERE {sql} AND {where} LIMIT %s"
        rows = connection.execute(query, [*values, *parameters, COUNTED_ROWS + 1]).fetchall()
        ids.update(account_id for (account_id,) in rows)
    if not ids and text.isascii() and text.isdigit() and len(text) >= _PREFIX_DIGITS:
        return [("a.account_no >= %s AND a.account_no < %s", [text, f"{text}:"])]
    return [("a.account_id = ANY(%s)", [sorted(ids)])]


_BY_NAME = "SELECT k.account_id FROM contract k JOIN party q USING (party_id) WHERE q.name LIKE %s"
_BY_PHONE = """
    SELECT k.account_id FROM contract k JOIN party_secret s USING (party_id) WHERE s.phone_hash = decode(%s, 'hex')
"""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def find_account(connection: Connection, scope: Scope, number: str) -> Row | None:
    """The account of a number, old or new, inside the scope; None for one that is not there or not to be seen."""
    where, parameters = scope.condition("a.org_unit")
    found = read_dicts(
        connection,
        f"""
        SELECT a.account_id, a.account_no, a.old_account_no, a.org_unit, u.name AS unit_name, s.name AS parent_name,
               a.address, a.route, a.reading_day, a.premise
        FROM account a LEFT JOIN org_unit u ON u.code = a.org_unit LEFT JOIN org_unit s ON s.code = u.parent
        WHERE (a.account_no = %s OR a.old_account_no = %s) AND {where}
        ORDER BY a.account_no = %s DESC, a.account_no LIMIT 1
        """,
        [number, number, *parameters, number],
    )
    return {**found[0], "address": mask_address(found[0]["address"])} if found else None


def list_contracts(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    """The contracts of an account, the latest first: party (masked), class, agreement and tariff of today.

    A contract settled with one of another unit says so (`grouped`) without naming it.
    """
    where, parameters = scope.condition("a.org_unit")
    head_seen, head_parameters = scope.condition("n.org_unit")
    rows = read_dicts(
        connection,
        f"""
        SELECT c.contract_id, c.contract_key, c.group_key IS NOT NULL AS grouped,
               CASE WHEN {head_seen} THEN c.group_key END AS group_key, c.class, c.valid_from, c.valid_to, c.party_id,
               p.name, p.kind, g.payment_mode, g.due_days, g.agreed_rate_ppm, s.service_point, s.tariff,
               s.household_size, s.free_wh_month,
               coalesce(h.contract_id, c.contract_id) AS group_id,
               (SELECT coalesce(sum(o.open_minor), 0)::bigint FROM item_open o JOIN open_item i USING (item_id)
                WHERE o.contract_id = c.contract_id AND {_DEBT}) AS owed_minor
        FROM contract c JOIN account a USING (account_id) LEFT JOIN party p ON p.party_id = c.party_id
        LEFT JOIN contract h ON h.contract_key = c.group_key LEFT JOIN account n ON n.account_id = h.account_id
        LEFT JOIN LATERAL (SELECT * FROM agreement x WHERE x.contract_id = c.contract_id AND NOT x.withdrawn
                           ORDER BY x.valid_from DESC, x.version DESC LIMIT 1) g ON TRUE
        LEFT JOIN LATERAL (SELECT * FROM service y WHERE y.contract_id = c.contract_id AND NOT y.withdrawn
                           ORDER BY y.valid_from DESC, y.version DESC LIMIT 1) s ON TRUE
        WHERE c.account_id = %s AND {where} ORDER BY c.valid_from DESC, c.contract_key
        """,
        [*head_parameters, account_id, *parameters],
    )
    return [{**row, "name": mask_name(row["name"], row["kind"] or "PERSON")} for row in rows]


def list_units(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """The stations and companies of a scope, for filters: code and name. Districts are found by their station."""
    where, parameters = scope.condition("code")
    return read_dicts(
        connection,
        f"SELECT code, name FROM org_unit WHERE kind <> 'DISTRICT' AND {where} ORDER BY code LIMIT 500",
        parameters,
    )


def find_contract_ids(connection: Connection, number: str) -> list[int]:
    """The contracts of an account number, new or old; for conditions, which apply the scope beside it."""
    rows = connection.execute(
        """
        SELECT contract_id FROM contract WHERE account_id IN (
            SELECT account_id FROM account WHERE account_no = %s
            UNION SELECT account_id FROM account WHERE old_account_no = %s)
        """,
        [number, number],
    ).fetchall()
    return [contract_id for (contract_id,) in rows]


LARGE_ACCOUNTS = 300_000


def is_large(connection: Connection) -> bool:
    """Whether the book is too large to be sorted as a whole while a person waits (by the planner's estimate)."""
    row = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'account'::regclass").fetchone()
    return row is not None and row[0] > LARGE_ACCOUNTS
