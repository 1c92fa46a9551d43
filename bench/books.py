"""The measured book: a generated city that comes from a system which billed until the eve of the month.

Loaded like any other: the city's folder, then one with the open items of the former system.
"""

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from recoup.city import generate
from recoup.city.generation import BLOCK_ACCOUNTS
from recoup.city.writing import Format, Writer

SEED = 20250101
JURISDICTION = "cn/shandong"
EVE = date(2025, 5, 31)
MONTH = (date(2025, 6, 1), date(2025, 6, 30))
# A month of its own for the steps measured one by one; each books on a day of its own.
STEPS_FROM = date(2025, 7, 1)

_OLDER_EVERY = 10


def write_city(accounts: int, folder: Path) -> None:
    """Generate the city: an opening reading in the month before, one reading in the measured month."""
    generate(accounts, seed=SEED, start=MONTH[0], months=1, folder=folder, format=Format.PARQUET)


def write_debts(city: Path, folder: Path) -> None:
    """Write the former system's open items: last month's bill of everybody, and every tenth one's before that.

    Block by block as the city was written, one opening reading and one of the month per account.
    """
    writer = Writer(folder, Format.PARQUET, {"open_items": ("amount", "open")})
    services = pl.read_parquet(city / "services.parquet", columns=["service_point", "contract"])
    readings = pl.scan_parquet(city / "readings.parquet")
    for low in range(0, services.height, BLOCK_ACCOUNTS):
        read = readings.slice(2 * low, 2 * BLOCK_ACCOUNTS).filter(pl.col("read_on") <= EVE).collect()
        block = services.slice(low, BLOCK_ACCOUNTS)
        last = block.join(read, on="service_point", maintain_order="left").select("contract", issued_on="read_on")
        if last.height != block.height:
            raise AssertionError(f"{last.height} opening readings of {block.height} accounts from {low} on")
        older = last.gather_every(_OLDER_EVERY).with_columns(pl.col("issued_on").dt.offset_by("-1mo"))
        writer.append("open_items", _as_open_items(pl.concat([last, older])))
    stamp = f"{EVE.isoformat()}T00:00:00+08:00"
    writer.finish({"feed": "bench-debts", "source": "recoup bench (simulated)", "as_of": stamp, "simulated": True})


def _as_open_items(billed: pl.DataFrame) -> pl.DataFrame:
    issued_on = pl.col("issued_on")
    due_on = issued_on + timedelta(days=30)
    amount = pl.format("{}.50", 20 + pl.int_range(pl.len()) * 37 % 300)
    return billed.select(
        item_key=pl.format("OLD-{}-{}", "contract", issued_on.dt.strftime("%Y%m")),
        contract="contract",
        component=pl.lit("ENERGY"),
        amount=amount.cast(pl.Decimal(18, 2)),
        open=amount.cast(pl.Decimal(18, 2)),
        denom=pl.lit("CNY"),
        issued_on=issued_on,
        due_on=due_on,
        overdue_from_on=due_on + timedelta(days=1),
        period_from=issued_on.dt.offset_by("-1mo"),
        bill_no=pl.lit(None, pl.String),
    )
