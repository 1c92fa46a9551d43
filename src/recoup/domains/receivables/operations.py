"""Writes of holds that a person set at a desk, inside the caller's transaction."""

from collections.abc import Sequence
from datetime import date

from recoup.database.listing import Connection

PROCESSES = ("LATE_CHARGE", "DUN", "DEBIT", "DISCONNECT", "REFUND")


def append_hold(
    connection: Connection,
    *,
    hold_key: str,
    version: int,
    contract_id: int,
    processes: Sequence[str],
    reason: str,
    valid_from: date,
    valid_to: date,
    evidence: str,
) -> None:
    """Append one version of a hold on a whole contract over `[valid_from, valid_to)`; an empty span withdraws it."""
    stops = [process in processes for process in PROCESSES]
    connection.execute(
        """
        INSERT INTO hold (hold_key, version, contract_id, stops_late_charge, stops_dun, stops_debit, stops_disconnect,
                          stops_refund, reason, valid_from, valid_to, evidence, content_hash)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0)
        """,
        [hold_key, version, contract_id, *stops, reason, valid_from, valid_to, evidence],
    )
