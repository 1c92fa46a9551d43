"""What is told late: facts of a day that is closed already, and the history of the groups they hit.

Late are a payment of an earlier day, a reversal (it counts on its receipt's day), and a hold that stops late charges
from an earlier day, new or changed since the last closed cut.
"""

from collections.abc import Iterator
from datetime import date

import polars as pl

from recoup.core import rollups
from recoup.core.flows.day import Book, Late, recount_late
from recoup.core.flows.receive import find_due, find_receipts
from recoup.core.frames import Schema
from recoup.core.outcome import Outcome, issue
from recoup.database.bulk import Cursor, read_rows
from recoup.engine import book as loading
from recoup.engine.book import Known
from recoup.engine.runs import Cut

# One row per contract and late fact: the day from which it is to be derived afresh.
LATE_FACTS: Schema = {"contract_id": pl.Int64(), "day": pl.Date()}
_SAID: Schema = {"amount_minor": pl.Int64(), "denom": pl.String(), "value_on": pl.Date()}


def load_late(cursor: Cursor, book: Book, held: pl.DataFrame, cut: Cut) -> Late | None:
    """Read the history of the groups that learn on the cut's day of something with an earlier day.

    `held` are LATE_FACTS of holds. None when nothing is late.
    """
    on = cut.business_on
    told = book.payments.filter(pl.col("received_on") <= on)
    asked = find_due(told, on)
    paid = told.filter(pl.col("reverses").is_null() & (pl.col("value_on") < on)).select("contract_id", day="value_on")
    late = pl.concat([paid, held, asked.select("contract_id", day=pl.lit(on))])
    groups = book.contracts.join(late, on="contract_id", how="semi")["group_id"].unique().to_list()
    if not groups:
        return None
    history = loading.load_history(cursor, groups, cut)
    begun = loading.first_billed_on(cursor) or on
    return history._replace(since=min([on, *late["day"], *_days_of_receipts(asked, book.contracts, history, begun)]))


def _days_of_receipts(asked: pl.DataFrame, contracts: pl.DataFrame, history: Late, begun: date) -> Iterator[date]:
    """The days from which reversals count; a credit of another system paid nothing here before our first day."""
    ours = set(asked["receipt_key"])
    for key, value_on in find_receipts(asked, contracts, history.credits).select("item_key", "value_on").iter_rows():
        yield value_on if key in ours else max(value_on, begun)


def find_late_holds(cursor: Cursor, snapshot: str) -> pl.DataFrame:
    """Holds on late charges told since the last closed cut, new or in a new version, that begin on a closed day.

    LATE_FACTS; no day is before the book's first, for nothing was booked then.
    """
    closed = cursor.execute(
        """
        SELECT c.snapshot, c.business_on, (SELECT min(business_on) FROM run WHERE mode = 'live')
        FROM run r JOIN cut c USING (cut_no) WHERE r.state = 'DONE' AND r.mode = 'live'
        ORDER BY r.business_on DESC LIMIT 1
        """
    ).fetchone()
    if closed is None:
        return pl.DataFrame(schema=dict(LATE_FACTS))
    query = """
        SELECT contract_id, greatest(min(valid_from), %s) FROM hold h
        WHERE pg_visible_in_snapshot(recorded_tx, %s::pg_snapshot) AND EXISTS (
            SELECT FROM hold n WHERE n.hold_key = h.hold_key
            AND pg_visible_in_snapshot(n.recorded_tx, %s::pg_snapshot)
            AND NOT pg_visible_in_snapshot(n.recorded_tx, %s::pg_snapshot))
        GROUP BY hold_key, contract_id HAVING bool_or(stops_late_charge) AND min(valid_from) <= %s
    """
    last_snapshot, last_on, begun = closed
    return read_rows(cursor, query, LATE_FACTS, [begun, snapshot, snapshot, last_snapshot, last_on])


_SUPERSEDED: Schema = {
    "contract_id": pl.Int64(),
    "key": pl.String(),
    "version": pl.Int64(),
    **{f"{name}{which}": kind for which in ("", "_now") for name, kind in _SAID.items()},
}


def tell_superseded(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    """Issues for payments of which a newer version came after they were booked, one per newest version."""
    query = f"""
        SELECT DISTINCT ON (i.item_key) i.contract_id, i.item_key, p.version, abs(i.amount_minor), i.denom, i.value_on,
               p.amount_minor, p.denom, p.value_on
        FROM payment p
        JOIN open_item i ON i.item_key = p.channel || ':' || p.channel_key
                        AND i.origin_kind IN ('PAYMENT', 'PAYMENT_REVERSAL')
        JOIN run r ON r.run_no = i.run_no JOIN cut c USING (cut_no)
        WHERE p.version > 1 AND {Known(cut).fact("p")}
          AND NOT pg_visible_in_snapshot(p.recorded_tx, c.snapshot::pg_snapshot)
        ORDER BY i.item_key, p.version DESC
    """
    said = (
        "booked are {} minor units {} of {}, said now are {} {} of {}: to change it, load a row with a key of its own "
        "that reverses this payment, and the right payment under another"
    )
    return issue(
        read_rows(cursor, query, _SUPERSEDED),
        kind="SUPERSEDED_AFTER_BOOKING",
        key=pl.format("{}#{}", "key", "version"),
        field="amount",
        detail=pl.format(said, *list(_SUPERSEDED)[3:]),
    )


def correct_rollups(cursor: Cursor, before: Book, moved: pl.DataFrame, made: Outcome, late: Late) -> pl.DataFrame:
    """Return the changed month rows (ROLLUPS): those `moved` by the day, and the months in which bills were paid late.

    A month that the resident book no longer holds is read from the database.
    """
    changes = recount_late(before, made, late)
    key = ["contract_id", "month_on"]
    known = pl.concat([before.rollups.join(moved, on=key, how="anti"), moved])
    unknown = changes.join(known, on=key, how="anti")
    stored = loading.load_rollup_months(
        cursor, unknown["contract_id"].unique().to_list(), unknown["month_on"].unique().to_list()
    ).join(unknown, on=key, how="semi")
    corrected = rollups.add_late(pl.concat([known, stored]), changes)
    return pl.concat([moved.join(corrected, on=key, how="anti"), corrected])


def recall_touches(cursor: Cursor, before: Book, made: Outcome, after: Book, cut: Cut) -> Book:
    """Return the book with the touches of debts that were paid before the day and are open again after it."""
    known = pl.concat([before.items["item_id"], *(made.frames[name]["item_id"] for name in _NEW_DEBTS)])
    reopened = after.items.filter(~pl.col("item_id").is_in(known.implode()))["item_id"].to_list()
    if not reopened:
        return after
    touches, named = loading.load_touches_naming(cursor, cut, reopened)
    key = ["contract_id", "decided_on", "action_code"]
    return after._replace(
        touches=pl.concat([after.touches, touches]).unique(key, maintain_order=True),
        touch_items=pl.concat([after.touch_items, named]).unique([*key, "item_id"], maintain_order=True),
    )


_NEW_DEBTS = ("items", "charges", "reversals")
