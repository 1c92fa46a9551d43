"""Who cares for a debtor, when it was last spoken to, and what it has promised: read for the rows that are shown."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from recoup.domains.access.models import WHOLE_BOOK, Role
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.queries import Connection
from recoup.domains.parties.masking import mask_name


class Care(NamedTuple):
    """What the desk knows of one debtor beside its debts. Days are days of the book."""

    name: str
    unit_name: str
    owners: tuple[str, ...]
    contact_on: date | None
    contact_channel: str | None
    contact_result: str | None
    promise_on: date | None
    promise_minor: int | None
    held_for: str | None
    held_until: date | None


# The collectors of the nearest unit that has any: the account's own, then the units above it.
_OWNERS = """
    WITH RECURSIVE above AS (
        SELECT u.code AS unit, u.code, u.parent, 0 AS far FROM org_unit u WHERE u.code = ANY(%s)
        UNION ALL
        SELECT a.unit, o.code, o.parent, far + 1 FROM above a JOIN org_unit o ON o.code = a.parent WHERE far < 20),
    everyone AS (SELECT unit, code, far FROM above UNION ALL SELECT DISTINCT unit, %s, 99 FROM above),
    found AS (
        SELECT e.unit, e.far, array_agg(s.name ORDER BY s.username) AS names FROM everyone e
        JOIN staff s ON s.org_unit = e.code AND s.role = %s AND s.is_active GROUP BY 1, 2)
    SELECT DISTINCT ON (unit) unit, names FROM found ORDER BY unit, far
"""

_CARE = """
    SELECT c.contract_id, p.name, p.kind, a.org_unit, coalesce(u.name, a.org_unit),
           t.sent_on, t.channel, t.result, o.promise_on, o.promise_minor, h.reason, h.valid_to
    FROM contract c JOIN account a USING (account_id) JOIN party p USING (party_id)
    LEFT JOIN org_unit u ON u.code = a.org_unit
    LEFT JOIN LATERAL (
        SELECT t.sent_on, t.channel, t.result FROM touch t WHERE t.contract_id = c.contract_id
        ORDER BY t.sent_on DESC, t.decided_on DESC LIMIT 1) t ON true
    LEFT JOIN LATERAL (
        SELECT o.promise_on, o.promise_minor FROM outcome o
        WHERE o.contract_id = c.contract_id AND o.promise_on IS NOT NULL AND NOT EXISTS (
            SELECT FROM outcome n WHERE (n.contract_id, n.decided_on, n.action_code)
                = (o.contract_id, o.decided_on, o.action_code) AND n.version > o.version)
        ORDER BY o.happened_on DESC, o.promise_on DESC LIMIT 1) o ON true
    LEFT JOIN LATERAL (
        SELECT h.reason, h.valid_to FROM hold h WHERE h.contract_id = c.contract_id AND h.stops_dun
          AND h.valid_from <= %s AND (h.valid_to IS NULL OR h.valid_to > %s) AND NOT EXISTS (
              SELECT FROM hold n WHERE n.hold_key = h.hold_key AND n.version > h.version)
        ORDER BY h.valid_to DESC NULLS FIRST LIMIT 1) h ON true
    WHERE c.contract_id = ANY(%s) AND {condition}
"""


def find_care(connection: Connection, scope: Scope, contract_ids: Sequence[int], today: date) -> dict[int, Care]:
    """Find what is known of the contracts in scope, by contract; names are masked."""
    condition, units = scope.condition("a.org_unit")
    rows = connection.execute(
        _CARE.replace("{condition}", condition), [today, today, list(contract_ids), *units]
    ).fetchall()
    owners = _find_owners(connection, sorted({row[3] for row in rows}))
    return {
        contract_id: Care(mask_name(name, kind) or "", unit_name, owners.get(unit, ()), *rest)
        for contract_id, name, kind, unit, unit_name, *rest in rows
    }


def _find_owners(connection: Connection, units: list[str]) -> dict[str, tuple[str, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(_OWNERS, [units, WHOLE_BOOK, Role.COLLECTOR.value]).fetchall()
    return {unit: tuple(names) for unit, names in found}
