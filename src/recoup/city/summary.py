"""Says what a generated city is like: counts, use, and an estimate of who pays the money."""

from datetime import date

import polars as pl

from recoup.core import money


class TariffMissing(Exception):
    """The rulebook knows no price on the day for a tariff of the city."""


def estimate_money(use: pl.DataFrame, tariffs: pl.DataFrame, on: date) -> pl.DataFrame:
    """Price a city's use (USE) at each tariff's first block in force on a day: adds amount_minor and denom.

    An estimate for one question only, where the money lies; bills are made by the rating flow. Raises TariffMissing.
    """
    in_force = (pl.col("valid_from") <= on) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > on))
    first_block = pl.col("block") == pl.col("block").min().over("tariff")
    prices = tariffs.filter(in_force).filter(first_block).select("tariff", "price_e8", "denom", "minor_per_major")
    missing = use.join(prices, on="tariff", how="anti")
    if not missing.is_empty():
        raise TariffMissing(", ".join(missing["tariff"].unique().sort()))
    amount = money.price_energy("energy_wh", "price_e8", pl.col("minor_per_major"))
    priced = use.join(prices, on="tariff", how="inner", validate="m:1", maintain_order="left")
    return priced.with_columns(amount_minor=amount).drop("price_e8", "minor_per_major")


def share_of_high_voltage_ppm(estimate: pl.DataFrame) -> int:
    """The share of the estimated money that high-voltage accounts pay, in ppm."""
    total = int(estimate["amount_minor"].sum())
    high = int(estimate.filter("is_high_voltage")["amount_minor"].sum())
    return high * money.PPM // total if total else 0
