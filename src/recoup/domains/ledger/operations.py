"""The one door into the ledger."""

from datetime import date

import polars as pl
import psycopg

from recoup.database.bulk import copy_rows

_ENTRY = ["entry_id", "booked_on", "kind", "origin_key", "contract_id", "value_on", "run_no", "reverses"]
_POSTING = ["entry_id", "line", "booked_on", "subject", "contract_id", "denom", "amount_minor"]


def post(
    cursor: psycopg.Cursor, entries: pl.DataFrame, postings: pl.DataFrame, *, booked_on: date, run_no: int | None
) -> None:
    """Append balanced entries inside the caller's transaction and keep the monthly balance.

    `entries`: entry_id, kind, origin_key, contract_id, value_on, reverses. `postings`: entry_id, line, subject,
    contract_id, denom, amount_minor (debit > 0). All postings of an entry arrive in one statement; the database
    refuses those that do not sum to zero per denom. Every posting needs its entry and every entry its postings.
    """
    _refuse_orphans(entries, postings)
    if entries.is_empty():
        return
    day = pl.lit(booked_on)
    copy_rows(cursor, "entry", entries.with_columns(booked_on=day, run_no=pl.lit(run_no, pl.Int64)), _ENTRY)
    copy_rows(cursor, "posting", postings.with_columns(booked_on=day), _POSTING)
    _add_to_balance(cursor, postings, booked_on.replace(day=1))


class OrphanPosting(Exception):
    """A posting without its entry, or an entry without postings, reached the ledger's door."""


def _refuse_orphans(entries: pl.DataFrame, postings: pl.DataFrame) -> None:
    lost = postings.join(entries, on="entry_id", how="anti").height
    bare = entries.join(postings, on="entry_id", how="anti").height
    if lost or bare:
        raise OrphanPosting(f"{lost} postings without entry, {bare} entries without postings")


def _add_to_balance(cursor: psycopg.Cursor, postings: pl.DataFrame, month_on: date) -> None:
    moved = postings.group_by("subject", "denom").agg(
        amount_minor=pl.col("amount_minor").cast(pl.Int128).sum().cast(pl.Int64, strict=True)
    )
    cursor.executemany(
        """
        INSERT INTO balance (subject, denom, month_on, amount_minor) VALUES (%s, %s, %s, %s)
        ON CONFLICT (subject, denom, month_on) DO UPDATE SET amount_minor = balance.amount_minor + EXCLUDED.amount_minor
        """,
        [(subject, denom, month_on, amount) for subject, denom, amount in moved.sort("subject", "denom").rows()],
    )
