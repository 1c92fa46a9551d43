"""Stores what a day derived for one slice, in the transaction that also moves the slice's state."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from recoup.core.flows.day import Book
from recoup.core.outcome import Outcome
from recoup.core.postings import PAYMENT, PAYMENT_REVERSAL
from recoup.database.bulk import Cursor, copy_rows, read_rows
from recoup.database.failpoints import hit
from recoup.domains.ledger.operations import post

_BILL = [
    "bill_id", "booked_on", "bill_no", "contract_id", "service_id", "period_from", "period_to", "part", "version",
    "issued_on", "due_on", "months", "energy_wh", "read_wh", "energy_source", "reading_key", "amount_minor", "denom",
    "run_no",
]  # fmt: skip
_LINE = [
    "bill_id", "line", "booked_on", "component", "rule_id", "param_id", "block", "quantity", "price_e8",
    "amount_minor",
]  # fmt: skip
_ITEM = [
    "item_id", "booked_on", "item_key", "origin_kind", "contract_id", "component", "subject", "denom",
    "amount_minor", "issued_on", "value_on", "due_on", "overdue_from_on", "period_from", "charge_of", "designation",
    "state", "run_no",
]  # fmt: skip
_PAYMENT = [
    "channel", "channel_key", "version", "contract_id", "value_on", "received_on", "amount_minor", "denom",
    "designation", "simulated", "content_hash", "run_no",
]  # fmt: skip
_ALLOCATION = [
    "group_id", "seq", "line", "booked_on", "contract_id", "credit_id", "debit_id", "amount_minor", "value_on",
    "rule",
]  # fmt: skip
_ACTION = [
    "contract_id", "decided_on", "action_code", "channel", "stage", "org_unit", "overdue_minor", "denom", "items",
    "run_no", "simulated",
]  # fmt: skip
_TOUCH = [
    "contract_id", "decided_on", "action_code", "stage", "channel", "sent_on", "delivered_on", "proof", "proven",
    "simulated", "origin",
]  # fmt: skip
_TOUCH_ITEM = ["contract_id", "decided_on", "action_code", "item_key", "amount_minor"]
_ISSUE = ["run_no", "slice_no", "contract_id", "kind", "key", "field", "detail"]


def store_money(
    cursor: Cursor, made: Outcome, before: Book, after: Book, *, on: date, run_no: int, own_ledger: bool
) -> None:
    """Append a slice's bills, payments, items, allocations and postings, and bring `item_open` up to `after`.

    In a book whose ledger is kept elsewhere nothing is posted.
    """
    frames = made.frames
    stamp = {"booked_on": pl.lit(on), "run_no": pl.lit(run_no, pl.Int64)}
    bills = frames["bills"].with_columns(**stamp)
    copy_rows(cursor, "bill", bills, _BILL)
    lines = frames["lines"].join(bills.select("bill_no", "bill_id"), on="bill_no", how="left")
    copy_rows(cursor, "bill_line", lines.with_columns(booked_on=pl.lit(on)), _LINE)
    hit("store.bills_copied")
    copy_rows(cursor, "payment", _simulated_payments(frames["payments"], run_no), _PAYMENT)
    copy_rows(cursor, "open_item", _as_open_items(made).with_columns(**stamp), _ITEM)
    hit("store.items_copied")
    copy_rows(cursor, "allocation", _number(frames["allocations"], run_no).with_columns(**stamp), _ALLOCATION)
    if own_ledger:
        entries = _name_reversed(cursor, frames["entries"], frames["reversals"])
        post(cursor, entries, frames["postings"], booked_on=on, run_no=run_no)
    hit("store.posted")
    _update_item_open(cursor, _open_amounts(before), _open_amounts(after))


def _simulated_payments(payments: pl.DataFrame, run_no: int) -> pl.DataFrame:
    """Payments that no file brought: they become facts here, marked simulated."""
    return payments.filter(pl.col("channel") == "SIMULATOR").with_columns(
        version=pl.lit(1), simulated=pl.lit(True), content_hash=pl.lit(0), run_no=pl.lit(run_no, pl.Int64)
    )


def _as_open_items(made: Outcome) -> pl.DataFrame:
    """Debits as they are, credits with their sign: money received is negative. A reversal names what it takes back."""
    frames = made.frames
    parts = [
        _debits(frames["items"], "BILL"),
        _debits(frames["charges"], "CHARGE"),
        _debits(frames["reversals"], "PAYMENT_REVERSAL").with_columns(designation="credit_id"),
        _credits(frames["credits"], "PAYMENT", "MONEY", pl.lit(None, pl.Int64)),
        _credits(frames["charge_credits"], "CHARGE_CREDIT", "LATE_CHARGE", _lowered_principals(frames)),
    ]
    columns = [name for name in _ITEM if name not in ("booked_on", "run_no")]
    return pl.concat([part.select(columns) for part in parts])


def _debits(items: pl.DataFrame, kind: str) -> pl.DataFrame:
    return items.with_columns(
        origin_kind=pl.lit(kind),
        value_on=pl.col("issued_on"),
        designation=pl.lit(None, pl.Int64),
        state=pl.lit(None, pl.String),
    )


def _credits(credits: pl.DataFrame, kind: str, component: str, charge_of: pl.Expr | pl.Series) -> pl.DataFrame:
    no_day = pl.lit(None, pl.Date)
    return credits.with_columns(
        origin_kind=pl.lit(kind),
        component=pl.lit(component),
        amount_minor=pl.col("amount_minor") * -1,
        issued_on=pl.col("value_on"),
        due_on=no_day,
        overdue_from_on=no_day,
        period_from=no_day,
        charge_of=charge_of,
    )


def _lowered_principals(frames: Mapping[str, pl.DataFrame]) -> pl.Series:
    """The principal item of each lowered late charge: both frames come in the order of the charge's key."""
    lowered = frames["charges_booked"].filter(pl.col("amount_minor") < 0)
    assert lowered["amount_minor"].to_list() == [-a for a in frames["charge_credits"]["amount_minor"]]
    return lowered["item_id"]


def _name_reversed(cursor: Cursor, entries: pl.DataFrame, reversals: pl.DataFrame) -> pl.DataFrame:
    """Let the entry of each reversal name the entry of its receipt."""
    if reversals.is_empty():
        return entries
    receipts = read_rows(
        cursor,
        "SELECT item_id, item_key, booked_on FROM open_item WHERE item_id = ANY(%s)",
        {"credit_id": pl.Int64(), "receipt_key": pl.String(), "booked_on": pl.Date()},
        [reversals["credit_id"].to_list()],
    )
    query = """
        SELECT entry_id, origin_key FROM entry
        WHERE booked_on = ANY(%s) AND origin_key = ANY(%s) AND kind IN ('PAYMENT', 'OPENING')
    """
    parameters = [receipts["booked_on"].unique().to_list(), receipts["receipt_key"].to_list()]
    stored = read_rows(cursor, query, {"reversed": pl.Int64(), "receipt_key": pl.String()}, parameters)
    today = entries.filter(pl.col("kind") == PAYMENT).select(reversed="entry_id", receipt_key="origin_key")
    named = (
        reversals.select("credit_id", kind=pl.lit(PAYMENT_REVERSAL), origin_key="item_key")
        .join(receipts, on="credit_id")
        .join(pl.concat([stored, today]), on="receipt_key")
    )
    return entries.join(named, on=["kind", "origin_key"], how="left", maintain_order="left").with_columns(
        reverses=pl.coalesce("reversed", "reverses")
    )


def _number(allocations: pl.DataFrame, run_no: int) -> pl.DataFrame:
    """Lines of a group in the order of the allocation."""
    line = pl.int_range(1, pl.len() + 1).over("group_id")
    return allocations.with_columns(seq=pl.lit(run_no, pl.Int64), line=line)


def _open_amounts(book: Book) -> pl.DataFrame:
    columns = ("item_id", "contract_id", "open_minor")
    return pl.concat([book.items.select(columns), book.credits.select(columns)])


def _update_item_open(cursor: Cursor, before: pl.DataFrame, after: pl.DataFrame) -> None:
    changed = after.join(before, on=["item_id", "open_minor"], how="anti")
    gone = before.join(after, on="item_id", how="anti")
    stale = pl.concat([changed["item_id"], gone["item_id"]]).to_list()
    if stale:
        cursor.execute("DELETE FROM item_open WHERE item_id = ANY(%s)", [stale])
    copy_rows(cursor, "item_open", changed, ["item_id", "contract_id", "open_minor"])


def store_decisions(
    cursor: Cursor,
    decided: Outcome,
    touches: pl.DataFrame,
    touch_items: pl.DataFrame,
    after: Book,
    *,
    on: date,
    run_no: int,
    denom: str,
    simulated: bool,
) -> None:
    """Append a slice's actions and the touches that really happened."""
    actions = decided.frames["actions"].with_columns(
        run_no=pl.lit(run_no, pl.Int64), denom=pl.lit(denom), simulated=pl.lit(simulated)
    )
    copy_rows(cursor, "action", actions, _ACTION)
    done = touches.with_columns(proof=pl.lit("SIMULATED"), simulated=pl.lit(simulated), origin=pl.lit("OWN"))
    copy_rows(cursor, "touch", done, _TOUCH)
    keyed = touch_items.join(after.items.select("item_id", "item_key"), on="item_id", how="left")
    copy_rows(cursor, "touch_item", keyed, _TOUCH_ITEM)
    hit("store.actions_copied")


def replace_episodes(cursor: Cursor, before: pl.DataFrame, after: pl.DataFrame) -> None:
    """Bring the running episodes (EPISODES) from `before` to `after`."""
    fresh = after.join(before, on=["contract_id", "episode_from_on"], how="anti")
    ended = before.join(after, on="contract_id", how="anti")
    stale = pl.concat([fresh["contract_id"], ended["contract_id"]]).to_list()
    if stale:
        cursor.execute("DELETE FROM episode WHERE contract_id = ANY(%s)", [stale])
    copy_rows(cursor, "episode", fresh, ["contract_id", "episode_from_on"])


def replace_rollups(cursor: Cursor, changed: pl.DataFrame) -> None:
    """Put changed month rows in place of the old ones."""
    for month_on, rows in changed.partition_by("month_on", as_dict=True).items():
        cursor.execute(
            "DELETE FROM rollup WHERE month_on = %s AND contract_id = ANY(%s)",
            [month_on[0], rows["contract_id"].to_list()],
        )
    columns = ["contract_id", "month_on", "bills", "late_bills", "days_late", "max_overdue_minor", "contacts"]
    copy_rows(cursor, "rollup", changed, columns)


def store_enrolments(cursor: Cursor, before: Book, after: Book, decisions: pl.DataFrame) -> None:
    """Write which strategy version a new episode follows."""
    begun = after.episodes.join(before.episodes, on=["contract_id", "episode_from_on"], how="anti")
    chosen = decisions.filter(pl.col("strategy").is_not_null()).select(
        "contract_id", pl.col("strategy").cast(pl.String), version="strategy_version", arm=pl.col("arm").cast(pl.String)
    )
    rows = begun.join(chosen, on="contract_id", how="inner").with_columns(pl.col("arm").fill_null("ALL"))
    copy_rows(cursor, "enrolment", rows, ["contract_id", "episode_from_on", "strategy", "version", "arm"])


def store_issues(cursor: Cursor, issues: pl.DataFrame, *, run_no: int, slice_no: int) -> None:
    """Append the input keys a slice refused."""
    rows = issues.with_columns(run_no=pl.lit(run_no, pl.Int64), slice_no=pl.lit(slice_no))
    copy_rows(cursor, "run_issue", rows, _ISSUE)
