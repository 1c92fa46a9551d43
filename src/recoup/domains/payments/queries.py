"""Reads of payments, within a scope. Of a payment told again, the latest version counts."""

from recoup.database.listing import Asked, Condition, Connection, Listing, Page, Row, read_dicts, read_list
from recoup.domains.access.scope import Scope
from recoup.domains.billing.queries import filter_month
from recoup.domains.contracts.queries import filter_unit, find_contract_ids
from recoup.domains.parties.masking import mask_name

_PAYMENTS = Listing(
    columns="""
        m.channel, m.channel_key, m.version, m.value_on, m.received_on, m.amount_minor, m.denom, m.designation,
        m.reverses, m.simulated, a.account_no, c.contract_key, p.name, p.kind, u.name AS unit_name
    """,
    tables="""
        payment m JOIN contract c USING (contract_id) JOIN account a USING (account_id)
        LEFT JOIN org_unit u ON u.code = a.org_unit LEFT JOIN party p ON p.party_id = c.party_id
    """,
    orders={
        "received_on": "m.received_on",
        "value_on": "m.value_on",
        "amount_minor": "m.amount_minor",
        "channel": "m.channel",
    },
    tie="m.channel_key",
    counted="payment m JOIN contract c USING (contract_id) JOIN account a USING (account_id)",
    sums={"amount_minor": "sum(m.amount_minor)::bigint"},
)
_LATEST = """
    NOT EXISTS (SELECT 1 FROM payment n WHERE n.channel = m.channel AND n.channel_key = m.channel_key
                AND n.version > m.version)
"""


def _by_number(connection: Connection, number: str) -> Condition:
    contracts = find_contract_ids(connection, number)
    if contracts:
        return "m.contract_id = ANY(%s)", [contracts]
    return "m.channel = ANY(%s) AND m.channel_key = %s", [list_channels(connection), number]


def list_payments(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """List payments, names masked. Filters: q (account or receipt number), month (received), unit, channel."""
    conditions = [scope.condition("a.org_unit"), *filter_unit(asked), *filter_month(asked, "m.received_on")]
    conditions.append((_LATEST, []))
    if asked.get("q"):
        conditions.append(_by_number(connection, asked.get("q")))
    if asked.get("channel"):
        conditions.append(("m.channel = %s", [asked.get("channel")]))
    page = read_list(connection, _PAYMENTS, conditions, asked)
    for row in page.rows:
        row["name"] = mask_name(row["name"], row["kind"] or "PERSON")
    return page


def list_payments_of_account(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    """List the payments of an account, the latest first, at most 200."""
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"SELECT {_PAYMENTS.columns} FROM {_PAYMENTS.tables} WHERE c.account_id = %s AND {where} AND {_LATEST} "
        "ORDER BY m.value_on DESC, m.channel_key LIMIT 200",
        [account_id, *parameters],
    )


def list_channels(connection: Connection) -> list[str]:
    """List the channels payments came by, each found by one step through the index."""
    rows = read_dicts(
        connection,
        """
        WITH RECURSIVE each AS (
            (SELECT channel FROM payment ORDER BY channel LIMIT 1)
            UNION ALL SELECT (SELECT m.channel FROM payment m WHERE m.channel > e.channel ORDER BY m.channel LIMIT 1)
            FROM each e WHERE e.channel IS NOT NULL)
        SELECT channel FROM each WHERE channel IS NOT NULL
        """,
    )
    return [row["channel"] for row in rows]
