"""The quote flow: one described case through the same rules that bill and charge a city.

Grain: one case of one contract. What the case leaves out is empty; the day of every fact is in the case.
"""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core import late_charge, metering, money, outcome, rating
from recoup.core.frames import Schema
from recoup.core.outcome import Outcome
from recoup.core.rules import Rules

# Item id of a debt whose amount is the energy rated by this very case.
RATED_ITEM = 0

PAID: Schema = {"item_id": pl.Int64(), "value_on": pl.Date(), "amount_minor": pl.Int64()}
SPANS: Schema = {"tariff": pl.String(), "on": pl.Date(), "months": pl.Int64(), "tier_months": pl.Int64()}


class Case(NamedTuple):
    """One described case. `items` with a null amount owe the rated total; `paid` with a null amount pays all.

    `used_before_wh` was used in the tier year of the first period before it; `spans` asks for the thresholds of a
    tariff when nothing is rated; `is_last_only` quotes the last bill day alone, the earlier ones only count.
    """

    readings: pl.DataFrame
    installations: pl.DataFrame
    services: pl.DataFrame
    contracts: pl.DataFrame
    determinants: pl.DataFrame
    spans: pl.DataFrame
    items: pl.DataFrame
    paid: pl.DataFrame
    holds: pl.DataFrame
    charged_to_on: date
    used_before_wh: int
    is_last_only: bool
    denom: str


def quote(case: Case, rules: Rules) -> Outcome:
    """Rate the case and charge what is late.

    Frames: `determinants`, `lines`, `thresholds`, `items`, `segments`, `charges` (one row per item) and `totals`
    (one row: total, late charge, grand total = energy, stated debts and late charge, paid, to pay).
    """
    measured = metering.determine(
        case.readings,
        case.installations,
        case.services,
        case.contracts,
        tier_year_starts_month=rules.tier_year_starts_month,
    )
    determinants = _gather_determinants(case, measured.frames["determinants"], rules)
    rated = rating.rate(determinants, rules.tariffs)
    lines = rated.frames["lines"].sort("bill_on", "part", "line")
    items, paid = _complete(case, lines)
    late = (items, paid, rules.late_charge, case.holds, case.charged_to_on)
    charges = late_charge.assess(*late)
    frames = {
        "determinants": determinants,
        "lines": lines,
        "thresholds": _thresholds(case, determinants, rules),
        "items": items,
        "segments": late_charge.explain(*late),
        "charges": charges,
        "totals": _total(case, lines, items, paid, charges),
    }
    refused = late_charge.refused(items, rules.late_charge)
    return Outcome(frames, outcome.gather([measured.issues, rated.issues, refused]))


def _gather_determinants(case: Case, measured: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Put stated and measured determinants together and add the energy used before the case begins."""
    year = metering.tier_year_start(pl.col("period_to").dt.offset_by("-1d"), rules.tier_year_starts_month)
    first_year = year.sort_by("bill_on", "part").first()
    used = pl.when(year == first_year).then(pl.lit(case.used_before_wh, pl.Int64)).otherwise(0)
    begun = measured.with_columns(ytd_wh=pl.col("ytd_wh") + used) if measured.height else measured
    both = pl.concat([case.determinants, begun]).sort("bill_on", "part")
    return both.filter(pl.col("bill_on") == pl.col("bill_on").max()) if case.is_last_only else both


def _complete(case: Case, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fill in the rated total where an item owes it, and the whole amount where a payment pays it."""
    total = lines.select(money.exact_sum("amount_minor")).item()
    items = case.items.with_columns(pl.col("amount_minor", "open_minor").fill_null(total))
    whole = items.select("item_id", whole_minor="amount_minor")
    paid = case.paid.join(whole, on="item_id", how="left").select(
        "item_id", "value_on", amount_minor=pl.coalesce("amount_minor", "whole_minor")
    )
    return items, paid


def _thresholds(case: Case, determinants: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Explain where the blocks of each tariff used begin and end."""
    used = determinants.select(
        "tariff",
        pl.col("period_to").dt.offset_by("-1d").alias("on"),
        "months",
        "tier_months",
    )
    return rating.thresholds(pl.concat([case.spans, used]).unique(maintain_order=True), rules.tariffs)


def _total(
    case: Case, lines: pl.DataFrame, items: pl.DataFrame, paid: pl.DataFrame, charges: pl.DataFrame
) -> pl.DataFrame:
    """Sum up: the rated energy counts once, whether or not an item owes it."""
    energy = lines.select(money.exact_sum("amount_minor")).item()
    stated = items.filter(pl.col("item_id") != RATED_ITEM).select(money.exact_sum("amount_minor")).item()
    late = charges.select(money.exact_sum("amount_minor")).item()
    received = paid.select(money.exact_sum("amount_minor")).item()
    return pl.DataFrame(
        {
            "total_minor": [energy],
            "stated_minor": [stated],
            "late_charge_minor": [late],
            "grand_total_minor": [energy + stated + late],
            "paid_minor": [received],
            "denom": [case.denom],
        }
    )
