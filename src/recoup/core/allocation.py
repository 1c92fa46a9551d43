"""Money meets debts: which credit pays which debt (Civil Code 560-561, or the company's own order).

Grain: one row per piece of a credit item applied to a debit item. Inside a group and denom the debts stand in
the order of the policy and the credits in the order of their value day; both are laid along one line of minor
units, and a piece is where a credit and a debt overlap. No loop over groups, no surrogate id in any order.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from recoup.core import money
from recoup.core.frames import ALLOCATIONS, Schema, conform, empty
from recoup.core.rules import AllocationPolicy

FREE = "FREE"
DESIGNATED = "DESIGNATED"

_MEET = ("group_id", "denom")
_SIDE = (*_MEET, "contract_id", "item_id", "item_key", pl.col("open_minor").alias("amount_minor"))
_PIECES: Schema = {"left_row": pl.UInt32(), "right_row": pl.UInt32(), "amount_minor": pl.Int64()}


def allocate(debits: pl.DataFrame, credits: pl.DataFrame, on: date, policy: AllocationPolicy) -> pl.DataFrame:
    """Allocate free money to open debts on one day, for all groups at once.

    `debits` are ITEMS, `credits` CREDITS. Takes part: a credit that is FREE, open and valued on or before
    `on`; a debt that is open and issued on or before `on`. A credit first pays the debt of its group that its
    payer named (Civil Code 560); then what is left of the credits (earliest value day, then key) meets what
    is left of the debts (with `policy.due_first` those due by `on` first, Civil Code 560 again; the policy's
    components, then earliest due, then key) until one side is used up. A component that the policy does not
    name comes last. Returns ALLOCATIONS valued on `on`, amounts positive
    minor units.
    """
    debits, credits = _that_can_meet(debits, credits, on)
    if credits.is_empty():
        return empty(ALLOCATIONS)
    owed = _in_order(
        debits.select(*_SIDE, _is_later(policy, on), _rank(policy), "due_on"), "is_later", "rank", "due_on"
    )
    paid_in = _in_order(credits.select(*_SIDE, "value_on", "designation"), "value_on")
    named = _named(owed, paid_in)
    ordered = overlap(_less(owed, named, "left_row"), _less(paid_in, named, "right_row"), _MEET)
    pieces = pl.concat([named.with_columns(rule=pl.lit(DESIGNATED)), ordered.with_columns(rule=pl.lit(policy.code))])
    return _as_allocations(pieces.sort("left_row", maintain_order=True), owed, paid_in, on)


def overlap(left: pl.DataFrame, right: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Lay two lists of positive amounts along one line per key and return the pieces where they overlap.

    Both frames have the key columns `by`, `row` (UInt32, what to report) and `amount_minor`, and stand in the
    order in which they are laid. Returns `left_row`, `right_row`, `amount_minor` (positive), in the order of
    the keys and of the line. What one side has more than the other is left out.
    """
    if left.is_empty() or right.is_empty():
        return empty(_PIECES)
    ends = pl.concat(
        [
            left.lazy().select(*by, _end(by), left_row="row", right_row=pl.lit(None, pl.UInt32)),
            right.lazy().select(*by, _end(by), left_row=pl.lit(None, pl.UInt32), right_row="row"),
        ]
    ).sort(*by, "end")
    is_same = pl.col("run") == pl.col("run").shift()
    cut = ends.with_columns(run=pl.struct(by).rle_id()).select(
        *(pl.col(side).fill_null(strategy="backward") for side in ("left_row", "right_row")),
        length=pl.col("end") - pl.when(is_same).then(pl.col("end").shift()).otherwise(0),
        is_covered=_next_is_of_run("left_row") & _next_is_of_run("right_row"),
    )
    pieces = cut.filter(pl.col("is_covered") & (pl.col("length") > 0))
    return pieces.select("left_row", "right_row", amount_minor=money.narrow(pl.col("length"))).collect()


def _end(by: Sequence[str]) -> pl.Expr:
    return money.exact("amount_minor").cum_sum().over(by).alias("end")


def _next_is_of_run(side: str) -> pl.Expr:
    """True where the next end of this side belongs to the same key, so the side still covers the piece."""
    run = pl.when(pl.col(side).is_not_null()).then(pl.col("run")).fill_null(strategy="backward")
    return (run == pl.col("run")).fill_null(False)


def _that_can_meet(debits: pl.DataFrame, credits: pl.DataFrame, on: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    credits = credits.filter((pl.col("state") == FREE) & (pl.col("open_minor") > 0) & (pl.col("value_on") <= on))
    debits = debits.join(credits, on=_MEET, how="semi").filter((pl.col("open_minor") > 0) & (pl.col("issued_on") <= on))
    return debits, credits.join(debits, on=_MEET, how="semi")


def _in_order(items: pl.DataFrame, *order: str) -> pl.DataFrame:
    """Sort by group, denom, the given order and the natural key, and number the rows."""
    return items.sort(*_MEET, *order, "item_key", nulls_last=True).with_row_index("row")


def _is_later(policy: AllocationPolicy, on: date) -> pl.Expr:
    """Whether a debt waits until all that is due by now is paid."""
    later = (pl.col("due_on") > on).fill_null(False) if policy.due_first else pl.lit(False)
    return later.alias("is_later")


def _rank(policy: AllocationPolicy) -> pl.Expr:
    ranks = {component: rank for rank, component in enumerate(policy.components)}
    return pl.col("component").replace_strict(ranks, default=len(ranks), return_dtype=pl.Int64).alias("rank")


def _named(owed: pl.DataFrame, paid_in: pl.DataFrame) -> pl.DataFrame:
    """Give the money of designated credits to the debts they name; credits of one debt in their order."""
    if paid_in["designation"].null_count() == paid_in.height:
        return empty(_PIECES)
    targets = owed.select(*_MEET, "amount_minor", debit="row", designation="item_id", row="row")
    naming = paid_in.filter(pl.col("designation").is_not_null()).join(
        targets.select(*_MEET, "designation", "debit"), on=[*_MEET, "designation"], maintain_order="left"
    )
    return overlap(targets.join(naming, on="debit", how="semi", maintain_order="left"), naming, ["debit"])


def _less(side: pl.DataFrame, pieces: pl.DataFrame, row: str) -> pl.DataFrame:
    """Return the side with what the pieces took subtracted, without the rows that are used up."""
    if pieces.is_empty():
        return side
    taken = pieces.group_by(pl.col(row).alias("row")).agg(taken=money.exact_sum("amount_minor"))
    return (
        side.join(taken, on="row", how="left", maintain_order="left")
        .with_columns(amount_minor=pl.col("amount_minor") - pl.col("taken").fill_null(0))
        .filter(pl.col("amount_minor") > 0)
    )


def _as_allocations(pieces: pl.DataFrame, owed: pl.DataFrame, paid_in: pl.DataFrame, on: date) -> pl.DataFrame:
    debts = owed.select("group_id", "contract_id", debit_id="item_id").gather(pieces["left_row"])
    money_of = paid_in.select(credit_id="item_id").gather(pieces["right_row"])
    rows = pl.concat([debts, money_of, pieces.select("amount_minor", "rule", value_on=pl.lit(on))], how="horizontal")
    return conform(rows, ALLOCATIONS)
