"""Reads of holds and credits, within a scope."""

from recoup.database.listing import Connection, Row, read_dicts
from recoup.domains.access.scope import Scope


def list_holds_of_account(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    """List the holds of an account in their latest version, the newest first."""
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT h.* FROM (
            SELECT DISTINCT ON (hold_key) k.*, c.contract_key FROM hold k JOIN contract c USING (contract_id)
            JOIN account a USING (account_id) WHERE c.account_id = %s AND {where} ORDER BY hold_key, version DESC) h
        ORDER BY valid_from DESC, hold_key
        """,
        [account_id, *parameters],
    )


def list_credits_of_account(connection: Connection, scope: Scope, account_id: int) -> list[Row]:
    """List money of an account that is received and not yet applied, with its state (minor units, positive)."""
    where, parameters = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT i.item_key, i.origin_kind, i.state, i.value_on, i.denom, -i.amount_minor AS amount_minor, o.open_minor
        FROM item_open o JOIN open_item i USING (item_id) JOIN contract c ON c.contract_id = i.contract_id
        JOIN account a USING (account_id)
        WHERE c.account_id = %s AND i.amount_minor < 0 AND o.open_minor > 0 AND {where} ORDER BY i.value_on, i.item_key
        """,
        [account_id, *parameters],
    )
