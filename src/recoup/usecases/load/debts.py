"""Targets of what another system billed and is owed: bills, open items, credits.

Their tables are partitioned and cannot hold a key of their own, so `imported` keeps key, id and content hash. An
item enters our books with what is open of it: what was paid elsewhere before is not ours. Where the ledger is ours,
each item is opened by one balanced entry.
"""

import polars as pl

from recoup.database.bulk import Cursor, read_rows
from recoup.domains.ledger.operations import post
from recoup.usecases.load.targets import FOUND_CONTRACT, Context, Target

OPENING = "OPENING"
UNAPPLIED = "UNAPPLIED"


def _known(entity: str, key: str) -> str:
    return f"(SELECT i.*, i.key AS {key} FROM imported i WHERE i.entity = '{entity}')"


def _claim_key(entity: str, key: str) -> str:
    """The first insert of a debt: its key, and the id of the row to come."""
    return f"""
        INSERT INTO imported (entity, key, version, row_id, row_no, content_hash, load_id)
        SELECT '{entity}', s.{key}, s.version, nextval('derived_id'), s.row_no, {{hash}}, %(load)s
        FROM {{rows}} s JOIN contract c ON c.contract_key = s.contract
    """


def _claimed(entity: str, key: str) -> str:
    """The rows whose keys this transaction claimed, with their ids."""
    return f"""
        {{rows}} s JOIN contract c ON c.contract_key = s.contract
        JOIN imported i ON i.entity = '{entity}' AND i.key = s.{key} AND i.version = s.version
                       AND i.recorded_tx = pg_current_xact_id()
    """


BILLS = Target(
    entity="bills",
    key=("bill_no",),
    payload=("contract", "period_from", "period_to", "issued_on", "due_on", "energy_wh", "amount_minor", "denom"),
    known=_known("bills", "bill_no"),
    shown="""
        (SELECT i.*, b.bill_no, c.contract_key AS contract, b.period_from, b.period_to, b.issued_on, b.due_on,
                b.energy_wh, b.amount_minor, b.denom
         FROM imported i JOIN bill b ON b.bill_id = i.row_id JOIN contract c USING (contract_id)
         WHERE i.entity = 'bills')
    """,
    references=(FOUND_CONTRACT,),
    inserts=(
        _claim_key("bills", "bill_no"),
        f"""
        INSERT INTO bill (bill_id, booked_on, bill_no, contract_id, period_from, period_to, part, version, issued_on,
                          due_on, energy_wh, energy_source, amount_minor, denom)
        SELECT i.row_id, %(booked_on)s, s.bill_no, c.contract_id, s.period_from, s.period_to, 1, s.version,
               s.issued_on, s.due_on, s.energy_wh, 'IMPORT', s.amount_minor, s.denom
        FROM {_claimed("bills", "bill_no")}
        """,
    ),
)

_OPENED: dict[str, pl.DataType] = {
    "entry_id": pl.Int64(),
    "origin_key": pl.String(),
    "contract_id": pl.Int64(),
    "subject": pl.String(),
    "denom": pl.String(),
    "amount_minor": pl.Int64(),
}


def _post_opening(entity: str, cursor: Cursor, context: Context) -> None:
    """Post one entry per imported item, debit receivable against opening (a credit the other way round).

    In a book whose ledger is kept elsewhere nothing is posted.
    """
    if not context.posts:
        return
    query = """
        SELECT i.row_id, o.item_key, o.contract_id, o.subject, o.denom, o.amount_minor
        FROM imported i JOIN open_item o ON o.item_id = i.row_id AND o.booked_on = %s
        WHERE i.entity = %s AND i.load_id = %s AND i.recorded_tx = pg_current_xact_id() ORDER BY i.row_id
    """
    items = read_rows(cursor, query, _OPENED, [context.as_of_on, entity, context.load_id])
    entries = items.select(
        "entry_id",
        "origin_key",
        "contract_id",
        kind=pl.lit(OPENING),
        value_on=pl.lit(context.as_of_on),
        reverses=pl.lit(None, pl.Int64),
    )
    against = items.with_columns(subject=pl.lit(OPENING), amount_minor=pl.col("amount_minor") * -1)
    postings = pl.concat([items.with_columns(line=pl.lit(1)), against.with_columns(line=pl.lit(2))])
    post(cursor, entries, postings, booked_on=context.as_of_on, run_no=None)


def _post_items(cursor: Cursor, context: Context) -> None:
    _post_opening("open_items", cursor, context)


def _post_credits(cursor: Cursor, context: Context) -> None:
    _post_opening("credits", cursor, context)


def _open(entity: str, key: str, open_minor: str) -> str:
    return f"""
        INSERT INTO item_open (item_id, contract_id, open_minor)
        SELECT i.row_id, c.contract_id, s.{open_minor} FROM {_claimed(entity, key)}
    """


OPEN_ITEMS = Target(
    entity="open_items",
    key=("item_key",),
    payload=(
        *("contract", "component", "amount_minor", "open_minor", "denom", "issued_on", "due_on"),
        *("overdue_from_on", "period_from", "bill_no"),
    ),
    known=_known("open_items", "item_key"),
    shown="""
        (SELECT i.*, o.item_key, c.contract_key AS contract, o.component, NULL AS amount_minor,
                o.amount_minor AS open_minor, o.denom, o.issued_on, o.due_on, o.overdue_from_on, o.period_from,
                NULL AS bill_no
         FROM imported i JOIN open_item o ON o.item_id = i.row_id JOIN contract c USING (contract_id)
         WHERE i.entity = 'open_items')
    """,
    references=(FOUND_CONTRACT,),
    skip="s.open_minor = 0",
    inserts=(
        _claim_key("open_items", "item_key"),
        # A late charge of another system is stated up to the feed's day; anything else holds from its issue.
        f"""
        INSERT INTO open_item (item_id, booked_on, item_key, origin_kind, contract_id, component, subject, denom,
                               amount_minor, issued_on, value_on, due_on, overdue_from_on, period_from)
        SELECT i.row_id, %(booked_on)s, s.item_key, 'IMPORT', c.contract_id, s.component,
               'RECEIVABLE_' || s.component, s.denom, s.open_minor, s.issued_on,
               CASE s.component WHEN 'LATE_CHARGE' THEN %(booked_on)s ELSE s.issued_on END,
               s.due_on, coalesce(s.overdue_from_on, s.due_on + 1), s.period_from
        FROM {_claimed("open_items", "item_key")}
        """,
        _open("open_items", "item_key", "open_minor"),
    ),
    finish=_post_items,
)

CREDITS = Target(
    entity="credits",
    key=("credit_key",),
    payload=("contract", "amount_minor", "denom", "value_on", "state"),
    known=_known("credits", "credit_key"),
    shown="""
        (SELECT i.*, o.item_key AS credit_key, c.contract_key AS contract, -o.amount_minor AS amount_minor, o.denom,
                o.value_on, o.state
         FROM imported i JOIN open_item o ON o.item_id = i.row_id JOIN contract c USING (contract_id)
         WHERE i.entity = 'credits')
    """,
    references=(FOUND_CONTRACT,),
    inserts=(
        _claim_key("credits", "credit_key"),
        f"""
        INSERT INTO open_item (item_id, booked_on, item_key, origin_kind, contract_id, component, subject, denom,
                               amount_minor, issued_on, value_on, state)
        SELECT i.row_id, %(booked_on)s, s.credit_key, 'IMPORT', c.contract_id, 'MONEY', '{UNAPPLIED}', s.denom,
               -s.amount_minor, s.value_on, s.value_on, s.state
        FROM {_claimed("credits", "credit_key")}
        """,
        _open("credits", "credit_key", "amount_minor"),
    ),
    finish=_post_credits,
)
