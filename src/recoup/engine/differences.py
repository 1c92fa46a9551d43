"""Why the figures of a day are others now than when they were signed: the facts told in between, by name.

Each fact carries its effect on the four bases of the rates. A base is a sum over rows, so the effects of all rows told
in between sum exactly to the difference; what they do not explain was not a fact told, and is shown as that.
Grain: FACTS, one row per receipt or debt with an effect.
"""

import polars as pl

from recoup.core import money
from recoup.core.frames import Schema
from recoup.core.indicators import SUMS
from recoup.database.bulk import Cursor, read_rows
from recoup.engine.figures_known import IS_CHARGE, PLACES, REVERSAL, STATION, View

LATE_RECEIPT = "LATE_RECEIPT"
REVERSED_RECEIPT = "REVERSED_RECEIPT"
MOVED_RECEIPT = "MOVED_RECEIPT"
LATE_DEBT = "LATE_DEBT"
KINDS = (REVERSED_RECEIPT, LATE_RECEIPT, LATE_DEBT, MOVED_RECEIPT)

# `channel` and `number` name a receipt; a debt has its key in `number`. `told_on` is the business day on which we
# learnt of it, `reversed_on` the day on which a receipt was taken back.
FACTS: Schema = {
    "kind": pl.String(),
    "channel": pl.String(),
    "number": pl.String(),
    "account_no": pl.String(),
    "contract_key": pl.String(),
    "org_unit": pl.String(),
    "class": pl.String(),
    "amount_minor": pl.Int64(),
    "value_on": pl.Date(),
    "received_on": pl.Date(),
    "told_on": pl.Date(),
    "reversed_on": pl.Date(),
    **SUMS,
}


def list_differences(cursor: Cursor, view: View, signed_snapshot: str) -> pl.DataFrame:
    """List the facts of a view that were told after a snapshot: FACTS, the largest effect first.

    Receipts told late, receipts taken back, receipts applied otherwise since, debts told late.
    """
    parts = [_list_receipts(cursor, view, signed_snapshot), _list_debts(cursor, view, signed_snapshot)]
    size = pl.max_horizontal(pl.col(list(SUMS)).abs())
    return pl.concat(parts).sort(
        size, "kind", "channel", "number", "contract_key", descending=[True, False, False, False, False]
    )


def sum_effects(facts: pl.DataFrame) -> dict[str, int]:
    """Sum the effects of facts on each base (exact minor units)."""
    return dict(facts.select(money.exact_sum(name).fill_null(0) for name in SUMS).row(0, named=True))


def _told(view: View, alias: str, signed: str) -> str:
    """Condition on a row: told after the signature, and known to the view."""
    return f"NOT pg_visible_in_snapshot({alias}.recorded_tx, '{signed}'::pg_snapshot) AND {view.known(alias)}"


def _list_receipts(cursor: Cursor, view: View, signed: str) -> pl.DataFrame:
    """Pieces told since on principal, by the receipt they come from."""
    condition, places = view.scope.condition("a.org_unit")
    is_prior, is_new = f"i.issued_on < {view.year}", f"i.issued_on >= {view.year}"
    query = f"""
        WITH moved AS (
            SELECT l.credit_id, i.contract_id,
                   coalesce(sum(l.amount_minor) FILTER (WHERE {is_new} OR l.value_on >= {view.year}), 0) AS received,
                   coalesce(sum(l.amount_minor) FILTER (WHERE {is_prior} AND l.value_on >= {view.year}), 0) AS prior,
                   coalesce(sum(l.amount_minor) FILTER (WHERE {is_prior} AND l.value_on < {view.year}), 0) AS before
            FROM allocation l JOIN open_item i ON i.item_id = l.debit_id
            WHERE {_told(view, "l", signed)} AND l.value_on <= {view.day} AND i.issued_on <= {view.day}
              AND i.denom = %s AND i.origin_kind <> '{REVERSAL}' AND NOT {IS_CHARGE} GROUP BY 1, 2),
        named AS (
            SELECT m.*, n.item_key, n.value_on, n.booked_on, -n.amount_minor AS amount,
                   NOT pg_visible_in_snapshot(n.recorded_tx, '{signed}'::pg_snapshot) AS is_late,
                   b.booked_on AS reversed_on, split_part(n.item_key, ':', 1) AS channel
            FROM moved m JOIN open_item n ON n.item_id = m.credit_id
            LEFT JOIN open_item b
                ON b.origin_kind = '{REVERSAL}' AND b.designation = n.item_id AND {_told(view, "b", signed)}
            WHERE m.received <> 0 OR m.prior <> 0 OR m.before <> 0),
        told AS (
            SELECT named.*, substr(item_key, length(channel) + 2) AS number FROM named)
        SELECT CASE WHEN reversed_on IS NOT NULL THEN '{REVERSED_RECEIPT}' WHEN is_late THEN '{LATE_RECEIPT}'
                    ELSE '{MOVED_RECEIPT}' END,
               channel, number, a.account_no, c.contract_key, {STATION}, c.class, amount, told.value_on,
               (SELECT p.received_on FROM payment p WHERE p.channel = told.channel AND p.channel_key = told.number
                ORDER BY p.version DESC LIMIT 1), told.booked_on, reversed_on,
               -before, received, -before, prior
        FROM told {PLACES} WHERE {condition}
    """
    return read_rows(cursor, query, FACTS, [view.denom, *places])


def _list_debts(cursor: Cursor, view: View, signed: str) -> pl.DataFrame:
    """Principal told since whose issue day lies within the view."""
    condition, places = view.scope.condition("a.org_unit")
    carried = f"CASE WHEN i.issued_on < {view.year} THEN i.amount_minor ELSE 0 END"
    query = f"""
        SELECT '{LATE_DEBT}', '', i.item_key, a.account_no, c.contract_key, {STATION}, c.class, i.amount_minor,
               i.issued_on, NULL::date, i.booked_on, NULL::date, i.amount_minor, 0, {carried}, 0
        FROM open_item i {PLACES}
        WHERE {_told(view, "i", signed)} AND i.amount_minor > 0 AND i.issued_on <= {view.day} AND i.denom = %s
          AND i.origin_kind <> '{REVERSAL}' AND NOT {IS_CHARGE} AND {condition}
    """
    return read_rows(cursor, query, FACTS, [view.denom, *places])


def count_waiting(cursor: Cursor, view: View) -> tuple[int, int]:
    """Count the receipts told and not yet settled whose value day lies within the view, and sum their amounts.

    They enter the figures when the next day is closed.
    """
    condition, places = view.scope.condition("a.org_unit")
    query = f"""
        SELECT count(*), coalesce(sum(CASE WHEN p.reverses IS NULL THEN p.amount_minor ELSE -p.amount_minor END), 0)
        FROM payment p {PLACES}
        WHERE p.run_no IS NULL AND p.value_on <= {view.day} AND p.denom = %s AND {condition}
          AND NOT EXISTS (SELECT FROM open_item i WHERE i.item_key = p.channel || ':' || p.channel_key)
          AND NOT EXISTS (SELECT FROM run_issue r WHERE r.key = p.channel || ':' || p.channel_key)
    """
    row = cursor.execute(query, [view.denom, *places]).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
