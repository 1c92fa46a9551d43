"""Money that comes in, and money that is taken back: a bounced cheque, a returned debit, a mistaken receipt.

A payment becomes a credit item. A reversal becomes a debit item of unapplied money on the receipt's own value day,
and the receipt's credit is designated to it: derived afresh from that day, the reversal takes the whole receipt, so
that whatever the receipt had paid is open again. It has no due day: it is never aged, dunned or charged.
"""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core.allocation import FREE
from recoup.core.flows.settle import REVERSAL, UNAPPLIED
from recoup.core.frames import CREDITS, ITEMS, Schema, conform
from recoup.core.outcome import gather, issue

# One row per payment of a channel. `reverses` is the channel_key of the receipt it takes back; such a row counts on
# the value day of that receipt, not on its own. `waits`: the receipt was looked for in vain, and that was told.
PAYMENTS: Schema = {
    "contract_id": pl.Int64(),
    "channel": pl.String(),
    "channel_key": pl.String(),
    "version": pl.Int64(),
    "value_on": pl.Date(),
    "received_on": pl.Date(),
    "amount_minor": pl.Int64(),
    "denom": pl.String(),
    "designation": pl.String(),
    "reverses": pl.String(),
    "waits": pl.Boolean(),
}

# One row per reversal booked: a debit item, and the credit item it takes back.
REVERSALS: Schema = {**ITEMS, "credit_id": pl.Int64()}

SIMULATOR = "SIMULATOR"

# What a reversal must have in common with its receipt.
_AGREE = ("contract_id", "denom", "amount_minor")

FOREIGN_DENOM = "FOREIGN_DENOM"
UNKNOWN_RECEIPT = "REVERSAL_OF_UNKNOWN"
# Refused for good: only a newer version of the row is looked at again.
REFUSED = (FOREIGN_DENOM, "REVERSAL_DIFFERS", "REVERSED_TWICE")


class Received(NamedTuple):
    """Payments of a day (PAYMENTS), reversals to be tried that day (with `receipt_key`), and refusals."""

    payments: pl.DataFrame
    reversals: pl.DataFrame
    issues: pl.DataFrame


def name_payment() -> pl.Expr:
    """The key of a payment's open item."""
    return pl.col("channel") + ":" + pl.col("channel_key")


def name_version() -> pl.Expr:
    """The key under which a payment is refused: each version of it once."""
    first = pl.col("version") == 1
    return pl.when(first).then(name_payment()).otherwise(pl.format("{}#{}", name_payment(), pl.col("version")))


def receive(payments: pl.DataFrame, simulated: pl.DataFrame, on: date, denom: str) -> Received:
    """Take the payments known by `on` and those simulated for it; those of another denom become issues."""
    told = pl.concat([payments.filter(pl.col("received_on") <= on), _as_payments(simulated, on)])
    known = pl.col("denom") == denom
    refused = issue(
        told.filter(~known), kind=FOREIGN_DENOM, key=name_version(), field="denom", detail=_say_foreign(denom)
    )
    ours = told.filter(known)
    return Received(ours.filter(pl.col("reverses").is_null()), find_due(ours, on), refused)


def _as_payments(simulated: pl.DataFrame, on: date) -> pl.DataFrame:
    rows = simulated.with_columns(
        channel=pl.lit(SIMULATOR),
        channel_key="key",
        version=pl.lit(1, pl.Int64),
        received_on=pl.lit(on),
        designation=pl.lit(None, pl.String),
        reverses=pl.lit(None, pl.String),
        waits=pl.lit(False),
    )
    return conform(rows, PAYMENTS)


def _say_foreign(denom: str) -> pl.Expr:
    return pl.format("{}: this book keeps {}; correct the row's denom, or book it elsewhere", "denom", pl.lit(denom))


def find_due(payments: pl.DataFrame, on: date) -> pl.DataFrame:
    """Find the reversals to be tried on `on`: new ones, and waiting ones whose receipt comes today.

    PAYMENTS with `receipt_key`, the key of the receipt's credit item.
    """
    due = payments.filter(pl.col("received_on") <= on)
    asked = due.filter(pl.col("reverses").is_not_null()).with_columns(
        receipt_key=pl.col("channel") + ":" + pl.col("reverses")
    )
    arriving = due.filter(pl.col("reverses").is_null()).select(name_payment()).to_series()
    return asked.filter(~pl.col("waits") | pl.col("receipt_key").is_in(arriving.implode()))


def make_credits(payments: pl.DataFrame, contracts: pl.DataFrame, debts: pl.DataFrame, *, id_from: int) -> pl.DataFrame:
    """Make one free credit item (CREDITS) per payment, in the order of its key; `debts` are what payers may name."""
    naming = payments.filter(pl.col("designation").is_not_null())
    named = debts.join(naming, on="contract_id", how="semi").select(
        "contract_id", designation="item_key", named_id="item_id"
    )
    groups = contracts.select("contract_id", "group_id").join(payments, on="contract_id", how="semi")
    rows = (
        payments.with_columns(item_key=name_payment())
        .sort("item_key")
        .with_row_index("row")
        .join(groups, on="contract_id", how="left")
        .join(named, on=["contract_id", "designation"], how="left")
        .with_columns(
            item_id=pl.col("row").cast(pl.Int64) + id_from,
            subject=pl.lit(UNAPPLIED),
            open_minor="amount_minor",
            designation="named_id",
            state=pl.lit(FREE),
        )
        .sort("item_key")
    )
    return conform(rows, CREDITS)


def take_back(
    asked: pl.DataFrame, contracts: pl.DataFrame, items: pl.DataFrame, credits: pl.DataFrame, *, id_from: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn reversals (`find_due`) into debit items (REVERSALS), and say why the others cannot be booked.

    `items` and `credits` are all that the groups of the asked ever had, today's included. A receipt is found by its
    channel and key, a credit of another system by its key alone.
    """
    judged = _find_receipts(asked, contracts, credits).join(_list_taken(items, credits), on="credit_id", how="left")
    judged = judged.sort(name_payment()).with_columns(refusal=_refusal())
    rows = (
        judged.filter(pl.col("refusal").is_null())
        .join(contracts.select("contract_id", "class", "agreed_rate_ppm"), on="contract_id", how="left")
        .with_columns(
            item_id=id_from + pl.int_range(pl.len(), dtype=pl.Int64),
            item_key=name_payment(),
            component=pl.lit(REVERSAL),
            subject=pl.lit(UNAPPLIED),
            open_minor="amount_minor",
            issued_on="receipt_on",
            **{name: pl.lit(None, pl.Date) for name in ("due_on", "overdue_from_on", "period_from")},
            charge_of=pl.lit(None, pl.Int64),
        )
    )
    return conform(rows, REVERSALS), _tell_refused(judged.filter(pl.col("refusal").is_not_null()))


def find_receipts(asked: pl.DataFrame, contracts: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Credit items (CREDITS) that reversals to be tried (`find_due`) would take back."""
    found = _find_receipts(asked, contracts, credits).select(item_id="credit_id")
    return credits.join(found, on="item_id", how="semi")


def _find_receipts(asked: pl.DataFrame, contracts: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Add the receipt's credit_id and receipt_on, and whether contract, denom and amount `agree` and it is free.

    Only receipts of the same settlement group are looked at: whose else are read today is chance.
    """
    receipts = credits.select(
        "group_id",
        receipt_key="item_key",
        credit_id="item_id",
        receipt_on="value_on",
        receipt_state="state",
        **{f"receipt_{name}": pl.col(name) for name in _AGREE},
    )
    grouped = asked.join(contracts.select("contract_id", "group_id"), on="contract_id", how="left")
    names = grouped.select("channel", "channel_key", "group_id", "receipt_key", "reverses")
    found = (
        pl.concat([names.drop("reverses"), names.drop("receipt_key").rename({"reverses": "receipt_key"})])
        .join(receipts, on=["group_id", "receipt_key"], how="inner", maintain_order="left")
        .unique(["channel", "channel_key"], keep="first", maintain_order=True)
    )
    agrees = pl.all_horizontal(
        pl.col("receipt_state") == FREE, *(pl.col(f"receipt_{name}") == pl.col(name) for name in _AGREE)
    )
    chosen = found.drop("group_id", "receipt_key")
    return grouped.join(chosen, on=["channel", "channel_key"], how="left").with_columns(agrees=agrees)


def _list_taken(items: pl.DataFrame, credits: pl.DataFrame) -> pl.DataFrame:
    """Credits that a reversal has taken back already: credit_id, `is_taken`."""
    reversals = items.filter(pl.col("component") == REVERSAL).select(designation="item_id")
    return credits.join(reversals, on="designation", how="semi").select(credit_id="item_id", is_taken=pl.lit(True))


def _refusal() -> pl.Expr:
    """Name why a reversal cannot be booked, null when it can; of several of one receipt the first by key stands."""
    agrees = pl.col("agrees")
    again = pl.col("is_taken").is_not_null() | (agrees.cum_sum().over("credit_id") > 1)
    return (
        pl.when(pl.col("credit_id").is_null())
        .then(pl.lit(UNKNOWN_RECEIPT))
        .when(~agrees)
        .then(pl.lit("REVERSAL_DIFFERS"))
        .when(again)
        .then(pl.lit("REVERSED_TWICE"))
    )


_SAID = {
    UNKNOWN_RECEIPT: "no receipt {} of this customer is booked: it waits until that payment is loaded; "
    "if the key is wrong, correct the row",
    "REVERSAL_DIFFERS": "contract, currency and amount must be those of receipt {}, and the receipt be booked as "
    "received: correct the row (supersedes)",
    "REVERSED_TWICE": "receipt {} is taken back already: if it was paid again, load that payment under its own key",
}


def _tell_refused(refused: pl.DataFrame) -> pl.DataFrame:
    """Issues of the refused; one that waits and was told is not told again."""
    new = refused.filter(~(pl.col("waits") & (pl.col("refusal") == UNKNOWN_RECEIPT)))
    return gather(
        issue(
            new.filter(pl.col("refusal") == kind),
            kind=kind,
            key=name_version(),
            field="reverses",
            detail=pl.format(said, "receipt_key"),
        )
        for kind, said in _SAID.items()
    )


def designate(credits: pl.DataFrame, reversals: pl.DataFrame) -> pl.DataFrame:
    """Let the credits that reversals take back pay those reversals and nothing else."""
    if reversals.is_empty():
        return credits
    taken = reversals.select("item_id", "credit_id").rename({"item_id": "taken_by", "credit_id": "item_id"})
    return (
        credits.join(taken, on="item_id", how="left", maintain_order="left")
        .with_columns(designation=pl.coalesce("taken_by", "designation"))
        .drop("taken_by")
    )


def leave_open(
    payments: pl.DataFrame, taken: pl.DataFrame, reversals: pl.DataFrame, issues: pl.DataFrame
) -> pl.DataFrame:
    """Payments (PAYMENTS) still to come or waiting, after those `taken` in, the reversals booked and the refused."""
    left = payments.join(taken.select("channel", "channel_key"), on=["channel", "channel_key"], how="anti")
    told = issues.filter(pl.col("kind").is_in([*REFUSED, UNKNOWN_RECEIPT]))
    if reversals.is_empty() and told.is_empty():
        return left
    refused = told.filter(pl.col("kind") != UNKNOWN_RECEIPT)["key"]
    waiting = told.filter(pl.col("kind") == UNKNOWN_RECEIPT)["key"]
    done = name_payment().is_in(reversals["item_key"].implode()) | name_version().is_in(refused.implode())
    return left.filter(~done).with_columns(waits=pl.col("waits") | name_version().is_in(waiting.implode()))
