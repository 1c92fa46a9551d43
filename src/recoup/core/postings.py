"""Entries and postings: every bill, payment, charge and piece of money as double entry.

Grain: `entries` one row per fact with money (an item, or a credit item on one day), `postings` one row per line,
debit > 0; the lines of an entry sum to zero per denom. Which subject stands against which is data: the
rulebook's subjects by component and role.
"""

import polars as pl

from recoup.core import money
from recoup.core.frames import Schema, conform
from recoup.core.outcome import Outcome, gather, issue, no_issues

BILL = "BILL"
LATE_CHARGE = "LATE_CHARGE"
PAYMENT = "PAYMENT"
PAYMENT_REVERSAL = "PAYMENT_REVERSAL"
ALLOCATION = "ALLOCATION"
OPENING = "OPENING"

# One row per entry. (kind, origin_key) is unique; `reverses` names the entry it undoes.
ENTRIES: Schema = {
    "entry_id": pl.Int64(),
    "kind": pl.String(),
    "origin_key": pl.String(),
    "contract_id": pl.Int64(),
    "value_on": pl.Date(),
    "reverses": pl.Int64(),
}

# One row per line of an entry, numbered from 1; `amount_minor` debit > 0.
POSTINGS: Schema = {
    "entry_id": pl.Int64(),
    "line": pl.Int64(),
    "subject": pl.String(),
    "contract_id": pl.Int64(),
    "denom": pl.String(),
    "amount_minor": pl.Int64(),
}

# A fact of two lines: what `_post_pairs` takes.
_PAIR = ("origin_key", "contract_id", "denom", "value_on", "debit", "credit", "amount_minor")


def post_bills(items: pl.DataFrame, subjects: pl.DataFrame, *, id_from: int) -> Outcome:
    """Post debit items (ITEMS): debit their receivable, credit the revenue of their component, on `issued_on`.

    `subjects` has subject, component, role. One entry per item, ids `id_from` + row. Frames `entries`, `postings`;
    issues for items whose component has no revenue subject.
    """
    pairs = items.select(
        *_item_columns("issued_on"),
        debit="subject",
        credit=_subject_of("component", subjects, "REVENUE"),
        amount_minor="amount_minor",
    )
    return _post_pairs(pairs, BILL, id_from)


def post_charges(
    charges: pl.DataFrame, charge_credits: pl.DataFrame, subjects: pl.DataFrame, *, id_from: int
) -> Outcome:
    """Post late charges (ITEMS) like bills, and charges lowered (CREDITS): debit the revenue, credit the customer.

    Late charges are non-operating income, apart from the revenue of energy. Arguments and result as `post_bills`.
    """
    revenue = _subject_of("component", subjects, "REVENUE")
    raised = charges.select(*_item_columns("issued_on"), debit="subject", credit=revenue, amount_minor="amount_minor")
    lowered = charge_credits.with_columns(component=pl.lit(LATE_CHARGE)).select(
        *_item_columns("value_on"), debit=revenue, credit="subject", amount_minor="amount_minor"
    )
    return _post_pairs(pl.concat([raised, lowered]), LATE_CHARGE, id_from)


def post_payments(credits: pl.DataFrame, subjects: pl.DataFrame, *, id_from: int) -> Outcome:
    """Post money received (CREDITS): debit the bank, credit what is not yet applied, on `value_on`.

    Arguments and result as `post_bills`; raises nothing for states: money in transit is not to be passed.
    """
    bank = pl.lit(_only_subject(subjects, "BANK"), pl.String)
    pairs = credits.select(*_item_columns("value_on"), debit=bank, credit="subject", amount_minor="amount_minor")
    return _post_pairs(pairs, PAYMENT, id_from)


def post_reversals(reversals: pl.DataFrame, subjects: pl.DataFrame, *, id_from: int) -> Outcome:
    """Post money taken back (ITEMS) as the mirror of its receipt: debit what is not applied, credit the bank.

    On `issued_on`, the receipt's own value day. Arguments and result as `post_bills`.
    """
    bank = pl.lit(_only_subject(subjects, "BANK"), pl.String)
    pairs = reversals.select(*_item_columns("issued_on"), debit="subject", credit=bank, amount_minor="amount_minor")
    return _post_pairs(pairs, PAYMENT_REVERSAL, id_from)


def post_opening(items: pl.DataFrame, credits: pl.DataFrame, subjects: pl.DataFrame, *, id_from: int) -> Outcome:
    """Post items carried over from another system (ITEMS, CREDITS) against the opening balances.

    What was open at the take-over is posted (`open_minor`). Arguments and result as `post_bills`.
    """
    opening = pl.lit(_only_subject(subjects, "OPENING"), pl.String)
    owed = items.select(*_item_columns("issued_on"), debit="subject", credit=opening, amount_minor="open_minor")
    owing = credits.select(*_item_columns("value_on"), debit=opening, credit="subject", amount_minor="open_minor")
    return _post_pairs(pl.concat([owed, owing]), OPENING, id_from)


def post_allocations(
    allocations: pl.DataFrame, items: pl.DataFrame, credits: pl.DataFrame, *, id_from: int, batch: str
) -> Outcome:
    """Post pieces (ALLOCATIONS): debit the credit item's subject, credit each debit item's, on the value day.

    `items` ITEMS and `credits` CREDITS hold at least the items named (any open amount). One entry per credit item
    and value day, its first line the whole, then a line per piece; pieces that undo are negative. `batch` makes
    the origin key unique when the same credit and day are booked again. Issues: pieces whose item is not given or
    is of another denom.
    """
    debts = items.select("denom", debit_id="item_id", to_subject="subject", to_contract="contract_id")
    money_of = credits.select(
        "item_key", "denom", credit_id="item_id", from_subject="subject", from_contract="contract_id"
    )
    joined = allocations.join(money_of, on="credit_id", how="left", maintain_order="left").join(
        debts, on=["debit_id", "denom"], how="left", maintain_order="left"
    )
    is_known = pl.col("to_subject").is_not_null() & pl.col("from_subject").is_not_null()
    pieces = joined.filter(is_known)
    heads = (
        pieces.group_by("credit_id", "value_on", maintain_order=True)
        .agg(
            pl.col("item_key", "denom", "from_subject", "from_contract").first(),
            money.exact_sum("amount_minor"),
        )
        .with_columns(entry_id=id_from + pl.int_range(pl.len(), dtype=pl.Int64))
    )
    entries = heads.select(
        "entry_id",
        kind=pl.lit(ALLOCATION),
        origin_key=pl.format("{}:{}:{}", "item_key", "value_on", pl.lit(batch)),
        contract_id="from_contract",
        value_on="value_on",
        reverses=pl.lit(None, pl.Int64),
    )
    frames = {"entries": conform(entries, ENTRIES), "postings": _allocation_lines(heads, pieces)}
    return Outcome(frames, _unknown_pieces(joined.filter(~is_known)))


def _allocation_lines(heads: pl.DataFrame, pieces: pl.DataFrame) -> pl.DataFrame:
    """Write the first line of each entry (none where its pieces cancel out) and one line per piece."""
    firsts = heads.filter(pl.col("amount_minor") != 0).select(
        "entry_id",
        "denom",
        "amount_minor",
        line=pl.lit(1, pl.Int64),
        subject="from_subject",
        contract_id="from_contract",
    )
    entry = heads.select("credit_id", "value_on", "entry_id")
    rest = pieces.join(entry, on=["credit_id", "value_on"], maintain_order="left").select(
        "entry_id",
        "denom",
        amount_minor=0 - pl.col("amount_minor"),
        line=pl.int_range(pl.len(), dtype=pl.Int64).over("entry_id") + 2,
        subject="to_subject",
        contract_id="to_contract",
    )
    lines = pl.concat([conform(firsts, POSTINGS), conform(rest, POSTINGS)])
    return lines.sort("entry_id", "line")


def _unknown_pieces(pieces: pl.DataFrame) -> pl.DataFrame:
    if pieces.is_empty():
        return no_issues()
    key = pl.format("{}>{}@{}", "credit_id", "debit_id", "value_on")
    detail = pl.format("{} minor units between items that are not given or differ in denom", "amount_minor")
    return issue(pieces, kind="UNKNOWN_ITEM", key=key, field="debit_id", detail=detail)


def _item_columns(day: str) -> list[pl.Expr]:
    return [
        pl.col("item_key").alias("origin_key"),
        pl.col("contract_id"),
        pl.col("denom"),
        pl.col(day).alias("value_on"),
    ]


def _subject_of(component: str, subjects: pl.DataFrame, role: str) -> pl.Expr:
    """Map a component to its subject in a role; null where the rulebook names none."""
    rows = subjects.filter((pl.col("role") == role) & pl.col("component").is_not_null())
    pairs = dict(rows.select("component", "subject").iter_rows())
    return pl.col(component).replace_strict(pairs, default=None, return_dtype=pl.String)


def _only_subject(subjects: pl.DataFrame, role: str) -> str | None:
    """Return the one subject of a role that no component divides; none where the rulebook names none."""
    named = subjects.filter(pl.col("role") == role)["subject"]
    return named.item() if named.len() == 1 else None


def _post_pairs(pairs: pl.DataFrame, kind: str, id_from: int) -> Outcome:
    """Turn facts of one debit and one credit line into entries and postings."""
    pairs = pairs.select(_PAIR)
    is_complete = pl.col("debit").is_not_null() & pl.col("credit").is_not_null()
    posted = pairs.filter(is_complete).with_columns(entry_id=id_from + pl.int_range(pl.len(), dtype=pl.Int64))
    entries = posted.with_columns(kind=pl.lit(kind), reverses=pl.lit(None, pl.Int64))
    to_debit = posted.with_columns(line=pl.lit(1, pl.Int64), subject="debit")
    to_credit = posted.with_columns(line=pl.lit(2, pl.Int64), subject="credit", amount_minor=0 - pl.col("amount_minor"))
    lines = pl.concat([conform(to_debit, POSTINGS), conform(to_credit, POSTINGS)])
    frames = {
        "entries": conform(entries, ENTRIES),
        "postings": lines.sort("entry_id", maintain_order=True),
    }
    return Outcome(frames, gather([_without_subject(pairs.filter(~is_complete), kind)]))


def _without_subject(pairs: pl.DataFrame, kind: str) -> pl.DataFrame:
    if pairs.is_empty():
        return no_issues()
    side = pl.when(pl.col("debit").is_null()).then(pl.lit("debit")).otherwise(pl.lit("credit"))
    detail = pl.format("{}: no subject to {}", pl.lit(kind), side)
    return issue(pairs, kind="NO_SUBJECT", key=pl.col("origin_key"), field="subject", detail=detail)
