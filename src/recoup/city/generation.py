"""Generates a city as a folder in the documented load format, block by block, the same for the same seed."""

from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recoup.city import papers, people, places, plan, usage
from recoup.city.dice import Dice
from recoup.city.writing import File, Format, Writer

BLOCK_ACCOUNTS = 50_000

_SUMMED = {
    "accounts": ("reading_day",),
    "contracts": ("due_days",),
    "services": ("capacity_kva", "free_kwh_month"),
    "installations": ("multiplier",),
    "readings": ("index",),
}

# One row per kind of customer. Energy of all months generated.
USE = {
    "kind": pl.String(),
    "class": pl.String(),
    "tariff": pl.String(),
    "is_high_voltage": pl.Boolean(),
    "accounts": pl.Int64(),
    "energy_wh": pl.Int64(),
}


class City(NamedTuple):
    """What was generated: the files, and use by kind of customer (USE)."""

    folder: Path
    files: tuple[File, ...]
    use: pl.DataFrame


def generate(
    accounts: int,
    *,
    seed: int,
    start: date,
    months: int,
    folder: Path,
    format: Format | str = Format.PARQUET,
    dirty: bool = False,
) -> City:
    """Write a city of `accounts` into `folder`: opening readings, then `months` monthly ones from `start`'s month on.

    Writes org_units, parties, accounts, contracts, services, installations, readings, holds and last the manifest,
    replacing files of these names. `dirty` adds a few readings that a load must refuse. Raises ValueError.
    """
    if accounts < 1 or months < 1:
        raise ValueError("a city needs at least one account and one month")
    first = start.replace(day=1)
    dice = Dice(seed)
    writer = Writer(folder, Format(format), _SUMMED)
    districts = places.lay_out_districts(accounts, dice)
    writer.append("org_units", places.list_org_units(districts, dice))
    used = []
    for low in range(0, accounts, BLOCK_ACCOUNTS):
        block = _settle(low, min(low + BLOCK_ACCOUNTS, accounts), accounts, first, districts, dice)
        readings = usage.read_meters(block, first, months, dice)
        used.append(_sum_use(readings, months))
        _write_papers(writer, block, first, months, dice)
        writer.append("readings", _as_load(readings, is_dirty=dirty and low == 0))
    files = writer.finish(_state(first, months, seed))
    return City(folder, tuple(files), _add_up(used))


def _settle(low: int, high: int, accounts: int, start: date, districts: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Gather everything known about accounts `[low, high)`."""
    found = places.place(people.list_people(low, high, dice), districts, dice)
    sized = usage.size_up(papers.name_things(found, accounts, start, dice), dice)
    return sized.with_columns(multiplier=papers.multiplier())


def _write_papers(writer: Writer, block: pl.DataFrame, start: date, months: int, dice: Dice) -> None:
    writer.append("parties", people.list_parties(block, dice))
    writer.append("accounts", papers.list_accounts(block))
    writer.append("contracts", papers.list_contracts(block, dice))
    writer.append("services", papers.list_services(block, dice))
    writer.append("installations", papers.list_installations(block))
    writer.append("holds", papers.list_holds(block, start, months, dice))


def _as_load(readings: pl.DataFrame, *, is_dirty: bool) -> pl.DataFrame:
    """Give readings their load columns; the index as an exact decimal of two digits."""
    none = pl.lit(None, dtype=pl.String)
    load = readings.select(
        *("service_point", "meter", "register", "read_on", "part", "source"),
        none.alias("index_from"),
        (pl.col("index_e2").cast(pl.Decimal(38, 2)) / 100).alias("index"),
        "multiplier",
        none.alias("months"),
        none.alias("stated_kwh"),
        none.alias("supersedes"),
    )
    return pl.concat([load, _spoil(load)]) if is_dirty else load


def _spoil(load: pl.DataFrame) -> pl.DataFrame:
    """Make readings that a load must refuse or skip: wrong index, days, months and meter; one exact duplicate."""
    one = load.head(1)
    return pl.concat(
        [
            one.with_columns(read_on=pl.lit(date(1977, 5, 1))),
            one.with_columns(read_on=pl.lit(date(2099, 5, 1))),
            one.with_columns(pl.lit(7).cast(pl.Int64).alias("part"), -pl.col("index") - 1),
            one.with_columns(pl.lit(8).cast(pl.Int64).alias("part"), months=pl.lit("636624")),
            one.with_columns(service_point=pl.lit("JL-UNKNOWN")),
            one,
        ]
    )


def _state(start: date, months: int, seed: int) -> dict[str, object]:
    """Say what the manifest says besides its files: complete to the end of the last month."""
    ends = start.month - 1 + months
    as_of = date(start.year + ends // 12, ends % 12 + 1, 1)
    return {
        "feed": plan.FEED,
        "source": f"{plan.SOURCE}, seed {seed}",
        "as_of": f"{as_of.isoformat()}T00:00:00{plan.UTC_OFFSET}",
        "simulated": True,
    }


def _sum_use(readings: pl.DataFrame, months: int) -> pl.DataFrame:
    return readings.group_by("kind", "class", "tariff", "is_high_voltage").agg(
        accounts=pl.len().cast(pl.Int64) // (months + 1), energy_wh=pl.col("energy_ckwh").sum() * 10
    )


def _add_up(used: list[pl.DataFrame]) -> pl.DataFrame:
    keys = ("kind", "class", "tariff", "is_high_voltage")
    return pl.concat(used).group_by(keys).agg(pl.col("accounts", "energy_wh").sum()).sort("kind").select(list(USE))
