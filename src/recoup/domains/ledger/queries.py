"""Reads of the ledger, within a scope."""

from recoup.database.listing import Connection, Row, read_dicts
from recoup.domains.access.scope import Scope


def list_postings_of_account(connection: Connection, scope: Scope, account_id: int, limit: int = 300) -> list[Row]:
    """List the postings of an account, the latest entry first: debit > 0, credit < 0 (minor units)."""
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT e.entry_id, e.booked_on, e.value_on, e.kind, e.origin_key, e.run_no, p.line, p.subject, p.denom,
               p.amount_minor, c.contract_key
        FROM contract c JOIN account a USING (account_id) JOIN posting p ON p.contract_id = c.contract_id
        JOIN entry e ON e.entry_id = p.entry_id AND e.booked_on = p.booked_on
        WHERE c.account_id = %s AND {where}
        ORDER BY e.booked_on DESC, e.entry_id DESC, p.line LIMIT %s
        """,
        [account_id, *parameters, limit],
    )


def sum_subjects_of_account(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    """Sum the postings of an account by subject and denomination (minor units)."""
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT p.subject, p.denom, count(*) AS postings, sum(p.amount_minor)::bigint AS amount_minor
        FROM contract c JOIN account a USING (account_id) JOIN posting p ON p.contract_id = c.contract_id
        WHERE c.account_id = %s AND {where} GROUP BY 1, 2 ORDER BY 1, 2
        """,
        [account_id, *parameters],
    )
