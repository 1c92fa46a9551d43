"""The billing oracle: real bills state how their energy fell into blocks; rating must split it the same way."""

from pathlib import Path

import polars as pl
import pytest

from recoup.core import frames
from recoup.core.rating import rate
from recoup.rulebook import load

BOOK = Path(__file__).parents[2].parent / "shared" / "data" / "steg" / "dev.parquet"
TIERS = ["kwh_tier1", "kwh_tier2", "kwh_tier3", "kwh_tier4"]

# Rows whose printed tiers contradict their own total or months.
BROKEN_AT_MOST = 3

pytestmark = pytest.mark.skipif(not BOOK.exists(), reason="the real bills (../shared/data/steg) are not here")


def read_bills(tariffs: list[int], first_year: int) -> pl.DataFrame:
    return (
        pl.scan_parquet(BOOK)
        .filter(
            (pl.col("counter_type") == "ELEC")
            & pl.col("tarif_type").is_in(tariffs)
            & (pl.col("invoice_date").dt.year() >= first_year)
            & pl.col("months_number").is_between(1, 36)
        )
        .with_columns(pl.col(TIERS).cast(pl.Int64), total=pl.sum_horizontal(pl.col(TIERS).cast(pl.Int64)))
        .filter(pl.col("total") > 0)
        .collect()
        .with_row_index("contract_id")
    )


def as_determinants(bills: pl.DataFrame) -> pl.DataFrame:
    rows = bills.select(
        pl.col("contract_id").cast(pl.Int64),
        service_id=pl.lit(1, pl.Int64),
        service_point=pl.lit("P"),
        tariff=pl.col("tarif_type").cast(pl.String),
        kind=pl.lit("ENERGY_TOTAL"),
        bill_on="invoice_date",
        part=pl.lit(1, pl.Int64),
        period_from="invoice_date",
        period_to="invoice_date",
        months=pl.col("months_number").cast(pl.Int64),
        quantity=pl.col("total") * 1_000,
        ytd_wh=pl.lit(0, pl.Int64),
        tier_months=pl.lit(12, pl.Int64),
        free_wh=pl.lit(0, pl.Int64),
        read_wh=pl.col("total") * 1_000,
        source=pl.lit("ACTUAL"),
        reading_key=pl.lit("R"),
    )
    return frames.conform(rows, frames.DETERMINANTS)


def list_differences(bills: pl.DataFrame) -> pl.DataFrame:
    """Bills whose printed tiers are not what rating makes of their printed total and months."""
    outcome = rate(as_determinants(bills), load("tn").resolve().tariffs)
    assert outcome.issues.is_empty()
    split = outcome.frames["lines"].pivot("block", index="contract_id", values="quantity", sort_columns=True)
    rated = split.rename({str(n): f"rated_{n}" for n in range(1, 5) if str(n) in split.columns})
    columns = [name for name in (f"rated_{n}" for n in range(1, 5)) if name in rated.columns]
    both = bills.with_columns(pl.col("contract_id").cast(pl.Int64)).join(rated, on="contract_id", how="left")
    is_same = pl.all_horizontal(
        pl.col(tier) * 1_000 == (pl.col(f"rated_{n}").fill_null(0) if f"rated_{n}" in columns else 0)
        for n, tier in enumerate(TIERS, start=1)
    )
    return both.filter(~is_same).select("id", "invoice_date", "months_number", *TIERS, *columns)


def test_tariff_11_splits_as_printed_since_2015() -> None:
    bills = read_bills([11], 2015)
    differing = list_differences(bills)
    print(f"{differing.height} of {bills.height} bills differ", differing)

    assert bills.height > 600_000
    assert 1 - differing.height / bills.height >= 0.99999
    assert differing.height <= BROKEN_AT_MOST


def test_tariff_10_splits_as_printed_in_2018_and_2019() -> None:
    assert list_differences(read_bills([10], 2018)).is_empty()


def test_the_other_tariffs_have_one_block_in_2018_and_2019() -> None:
    assert list_differences(read_bills([9, 12, 13, 14, 15, 21, 29], 2018)).is_empty()


def test_every_tariff_of_the_cycle_has_a_price() -> None:
    used = (
        pl.scan_parquet(BOOK)
        .filter((pl.col("counter_type") == "ELEC") & pl.col("invoice_date").dt.year().is_in([2018, 2019]))
        .select(pl.col("tarif_type").cast(pl.String).unique())
        .collect()
        .to_series()
    )

    assert set(used) <= set(load("tn").resolve().tariffs["tariff"])
