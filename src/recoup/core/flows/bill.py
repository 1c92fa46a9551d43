"""The bill flow: determinants of one bill day become bills, their lines and the items that fall due.

Grain: one determinant in, one bill out (contract x period x part), with its lines and one item. Closed under
contract.
"""

from datetime import date

import polars as pl

from recoup.core import money, outcome, rating
from recoup.core.frames import BILLS, CONTRACTS, DETERMINANTS, ITEMS, LINES, conform
from recoup.core.outcome import Outcome
from recoup.core.rules import Rules

RECEIVABLE_ENERGY = "RECEIVABLE_ENERGY"
FIRST_VERSION = 1

_BILL = ["contract_id", "period_from", "part"]


def bill(determinants: pl.DataFrame, contracts: pl.DataFrame, on: date, rules: Rules, *, id_from: int) -> Outcome:
    """Issue the bills of `on`; frames `bills` (BILLS), `lines` (LINES and bill_no), `items` (ITEMS).

    The caller passes the determinants whose bill day is `on`. A bill's lines sum to its amount; a bill of nothing
    makes no item. Ids count up from `id_from` in the order of contract_key, period_from, part; bills and items
    each from it. A determinant without contract, unrated, or second of its bill number ends in the issues.
    """
    rows = conform(determinants, DETERMINANTS)
    debtors = conform(contracts, CONTRACTS).join(rows, on="contract_id", how="semi")  # a day bills few of a book
    unknown = rows.join(debtors, on="contract_id", how="anti")
    known = rows.join(debtors.select("contract_id"), on="contract_id", how="semi")
    is_first = known.select(pl.struct(_BILL).is_first_distinct()).to_series()
    rated = rating.rate(known.filter(is_first), rules.tariffs)
    lines = rated.frames["lines"]
    bills = _issue_bills(known.filter(is_first), debtors, lines, on, id_from)
    numbers = bills.select(*_BILL, "bill_no")
    issues = outcome.gather(
        [rated.issues, _refuse(unknown, "UNKNOWN_CONTRACT", "contract_id"), _refuse(known.filter(~is_first))]
    )
    frames = {
        "bills": conform(bills, BILLS),
        "lines": conform(lines, LINES).join(numbers, on=_BILL, how="inner", validate="m:1"),
        "items": _open_items(bills, id_from),
    }
    return Outcome(frames, issues)


def _refuse(rows: pl.DataFrame, kind: str = "DUPLICATE_BILL", field: str = "part") -> pl.DataFrame:
    key = pl.concat_str(
        [pl.col(name).cast(pl.String).fill_null("?") for name in ("service_point", "period_from", "kind", "part")],
        separator="|",
    )
    return outcome.issue(rows, kind=kind, key=key, field=field, detail=pl.col("reading_key"))


def _issue_bills(
    determinants: pl.DataFrame, contracts: pl.DataFrame, lines: pl.DataFrame, on: date, id_from: int
) -> pl.DataFrame:
    """One row per rated determinant, numbered and dated, with what its contract says about paying."""
    totals = lines.group_by(_BILL).agg(amount_minor=money.exact_sum("amount_minor"), denom=pl.col("denom").first())
    debtors = contracts.select("contract_id", "contract_key", "group_id", "class", "due_days", "agreed_rate_ppm")
    number = pl.concat_str(
        ["contract_key", pl.col("period_from").dt.strftime("%Y%m%d"), "part", "version"], separator="-"
    )
    return (
        determinants.join(totals, on=_BILL, how="inner", validate="1:1")
        .join(debtors, on="contract_id", how="inner", validate="m:1")
        .sort("contract_key", "period_from", "part")
        .with_columns(
            version=pl.lit(FIRST_VERSION, pl.Int64),
            issued_on=pl.lit(on),
            due_on=pl.lit(on) + pl.duration(days=pl.col("due_days").fill_null(0)),
            energy_wh="quantity",
            energy_source="source",
            bill_id=pl.int_range(pl.len(), dtype=pl.Int64) + id_from,
        )
        .with_columns(bill_no=number, overdue_from_on=pl.col("due_on") + pl.duration(days=1))
    )


def _open_items(bills: pl.DataFrame, id_from: int) -> pl.DataFrame:
    """One ENERGY item per bill of more than nothing; it is overdue from the day after its last day to pay."""
    items = bills.filter(pl.col("amount_minor") != 0).with_columns(
        item_id=pl.int_range(pl.len(), dtype=pl.Int64) + id_from,
        item_key=pl.col("bill_no") + f":{rating.ENERGY}",
        component=pl.lit(rating.ENERGY),
        subject=pl.lit(RECEIVABLE_ENERGY),
        open_minor="amount_minor",
        charge_of=pl.lit(None, pl.Int64),
    )
    return conform(items, ITEMS)
