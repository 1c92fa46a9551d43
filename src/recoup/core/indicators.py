"""Indicators: how much of what was receivable has been received, and how old the rest is.

Grain in: one row per debt, or per group of debts that share issue day and days overdue. Amounts are exact Int64
minor units of one denom; a rate is ppm (Int64), rounded once, half away from zero. Late charges are no receivable
of these rates: the caller leaves them out.

Prior debts are those issued in an earlier calendar year; what of them was still open at 1 January is carried over.
Source of the three rates: published case I01.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from recoup.core import money
from recoup.core.frames import Schema, conform

# `received_minor` is all that was applied to the debts by the end of the day, `received_before_minor` what of it
# was applied before 1 January of the day's year.
RECEIVABLES: Schema = {
    "issued_on": pl.Date(),
    "amount_minor": pl.Int64(),
    "received_minor": pl.Int64(),
    "received_before_minor": pl.Int64(),
}

# What a rate is made of: all of it, and what of it belongs to debts carried over at 1 January.
SUMS: Schema = {
    "receivable_minor": pl.Int64(),
    "received_minor": pl.Int64(),
    "carried_minor": pl.Int64(),
    "received_prior_minor": pl.Int64(),
}
MEASURES = ("cumulative", "current", "prior")

# Upper bounds in days of the ageing buckets. No source states them: a convention of reporting, not of law.
BUCKET_BOUNDS_DAYS = (30, 60, 90, 180, 365)
NOT_OVERDUE = "not_overdue"
BUCKETS = ("0-30", "31-60", "61-90", "91-180", "181-365", ">365")


def collection_rates(receivables: pl.DataFrame, on: date, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the collection rates at the end of `on`: one row, or one per value of the columns `by`.

    Cumulative = all received / all receivable; current = (received - prior received) / (receivable - carried);
    prior = prior received / carried. Columns receivable_minor, received_minor, carried_minor,
    received_prior_minor and rate_{cumulative,current,prior}_ppm, null where nothing was receivable.
    """
    checked = conform(receivables.select(list(RECEIVABLES)), RECEIVABLES).with_columns(receivables.select(by))
    parts = checked.with_columns(*_split_by_year(on))
    sums = [money.exact_sum(name).alias(name) for name in ("_new", "_new_received", "_carried", "_prior_received")]
    totals = parts.group_by(by, maintain_order=True).agg(sums) if by else parts.select(sums)
    return share_sums(
        totals.select(
            *by,
            receivable_minor=money.narrow(money.exact("_new") + money.exact("_carried")),
            received_minor=money.narrow(money.exact("_new_received") + money.exact("_prior_received")),
            carried_minor="_carried",
            received_prior_minor="_prior_received",
        )
    )


def share_sums(sums: pl.DataFrame) -> pl.DataFrame:
    """Add rate_{cumulative,current,prior}_ppm to rows of SUMS, null where nothing was receivable."""
    return sums.with_columns(
        share_ppm(received_in(measure), receivable_in(measure)).alias(f"rate_{measure}_ppm") for measure in MEASURES
    )


def receivable_in(measure: str) -> pl.Expr:
    """What was receivable in the base of a rate, of rows of SUMS (Int64 minor units)."""
    return _in_base(measure, "receivable_minor", "carried_minor")


def received_in(measure: str) -> pl.Expr:
    """What was received in the base of a rate, of rows of SUMS (Int64 minor units)."""
    return _in_base(measure, "received_minor", "received_prior_minor")


def _in_base(measure: str, whole: str, prior: str) -> pl.Expr:
    """The base of a rate: everything, what is carried over, or the difference of both."""
    bases = {
        "cumulative": pl.col(whole),
        "current": money.narrow(money.exact(whole) - money.exact(prior)),
        "prior": pl.col(prior),
    }
    return bases[measure]


def gap_minor(measure: str, target: str = "target_ppm") -> pl.Expr:
    """Minor units that rows of SUMS miss to the target (ppm): target x receivable - received, rounded once.

    Nothing (0) where the target is met; null where nothing was receivable or no target is set.
    """
    receivable, received = money.exact(receivable_in(measure)), money.exact(received_in(measure))
    missing = money.round_minor(receivable * money.exact(target) - received * money.PPM, money.PPM)
    return pl.when(receivable > 0).then(missing.clip(lower_bound=0))


def order_debtors(debtors: pl.LazyFrame) -> pl.LazyFrame:
    """Order debtors by `open_minor`, the largest first, ties by `contract_key`; who owes nothing is left out."""
    owing = debtors.filter(pl.col("open_minor") > 0)
    return owing.sort("open_minor", "contract_key", descending=[True, False])


def run_through(ordered: pl.DataFrame, missing_minor: int) -> pl.DataFrame:
    """Add rank (1 is the first), through_minor (exact running sum) and is_needed to debtors in their order.

    A debtor is needed while the sum before it does not reach what is missing: the needed ones stand first.
    """
    through = money.exact("open_minor").cum_sum()
    return ordered.with_columns(
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        through_minor=money.narrow(through),
        is_needed=through - money.exact("open_minor") < missing_minor,
    )


def _split_by_year(on: date) -> list[pl.Expr]:
    """Part each debt and its receipts into this year's and those carried over at 1 January."""
    is_prior = pl.col("issued_on") < date(on.year, 1, 1)
    none = pl.lit(0, dtype=pl.Int64)
    return [
        pl.when(is_prior).then(none).otherwise("amount_minor").alias("_new"),
        pl.when(is_prior).then(none).otherwise("received_minor").alias("_new_received"),
        pl.when(is_prior)
        .then(pl.col("amount_minor") - pl.col("received_before_minor"))
        .otherwise(none)
        .alias("_carried"),
        pl.when(is_prior)
        .then(pl.col("received_minor") - pl.col("received_before_minor"))
        .otherwise(none)
        .alias("_prior_received"),
    ]


def share_ppm(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Return part / whole in ppm (Int64), rounded once; null where the whole is nothing or less."""
    divisor = pl.when(whole > 0).then(whole)
    return money.round_minor(money.exact(part) * money.PPM, divisor)


def name_bucket(days_overdue: str = "days_overdue") -> pl.Expr:
    """Name the ageing bucket of a column of days overdue; 0 or less is NOT_OVERDUE (String)."""
    days = pl.col(days_overdue)
    name = pl.lit(BUCKETS[-1])
    for bound, bucket in reversed(list(zip(BUCKET_BOUNDS_DAYS, BUCKETS, strict=False))):
        name = pl.when(days <= bound).then(pl.lit(bucket)).otherwise(name)
    return pl.when(days <= 0).then(pl.lit(NOT_OVERDUE)).otherwise(name)


def sum_ageing(debts: pl.DataFrame) -> pl.DataFrame:
    """Sum open debts by bucket: bucket, items, open_minor; every bucket has its row, NOT_OVERDUE first.

    Needs days_overdue (1 on the first day overdue), items (count) and open_minor. Rows with nothing open count
    for nothing.
    """
    rows = debts.filter(pl.col("open_minor") != 0).with_columns(bucket=name_bucket())
    sums = rows.group_by("bucket").agg(
        items=pl.col("items").sum().cast(pl.Int64), open_minor=money.exact_sum("open_minor")
    )
    order = pl.DataFrame({"bucket": [NOT_OVERDUE, *BUCKETS]})
    return order.join(sums, on="bucket", how="left", maintain_order="left").with_columns(
        pl.col("items", "open_minor").fill_null(0)
    )
