"""Writes of outcomes and of the contacts they prove, inside the caller's transaction."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from recoup.database.listing import Connection

DESK = "DESK"


def append_outcome(
    connection: Connection,
    action: dict[str, Any],
    *,
    version: int,
    result: str,
    happened_on: date,
    promise_on: date | None,
    promise_minor: int | None,
    note: str,
    recorded_by: str,
    request_key: str,
) -> None:
    """Append one version of what came of an action; a version or request key given twice is refused by its key."""
    connection.execute(
        """
        INSERT INTO outcome (contract_id, decided_on, action_code, version, result, happened_on, promise_on,
                             promise_minor, note, recorded_by, request_key)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            *(action["contract_id"], action["decided_on"], action["action_code"], version, result, happened_on),
            *(promise_on, promise_minor, note, recorded_by, request_key),
        ],
    )


def append_touch(
    connection: Connection, action: dict[str, Any], items: Sequence[dict[str, Any]], *, result: str, happened_on: date
) -> None:
    """Append the contact that reached a customer, proven by the desk, and the items it named; a known one stays."""
    connection.execute(
        """
        INSERT INTO touch (contract_id, decided_on, action_code, stage, channel, sent_on, delivered_on, proof, proven,
                           result, simulated, origin)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, true, %s, false, %s)
        ON CONFLICT DO NOTHING
        """,
        [
            *(action["contract_id"], action["decided_on"], action["action_code"], action["stage"], action["channel"]),
            *(happened_on, happened_on, DESK, result, DESK),
        ],
    )
    for item in items:
        connection.execute(
            """
            INSERT INTO touch_item (contract_id, decided_on, action_code, item_key, amount_minor)
            VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            [
                *(action["contract_id"], action["decided_on"], action["action_code"]),
                *(item["item_key"], item["amount_minor"]),
            ],
        )


def has_desk_touch(connection: Connection, action: dict[str, Any]) -> bool:
    """Whether a desk already recorded that this action reached the customer."""
    found = connection.execute(
        "SELECT 1 FROM touch WHERE (contract_id, decided_on, action_code) = (%s, %s, %s) AND origin = %s",
        [action["contract_id"], action["decided_on"], action["action_code"], DESK],
    )
    return found.fetchone() is not None
