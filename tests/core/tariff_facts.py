"""Small tariffs, determinants, readings and debts for the tests of rating, metering, late charge and bills."""

from datetime import date
from typing import Any

import polars as pl

from recoup.core import frames
from recoup.core.rules import LATE_CHARGE_RATES, TARIFF_BLOCKS, AllocationPolicy, Rules

FIRST_DAY = date(2012, 7, 1)


def frame(schema: frames.Schema, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows under a column contract; what a row leaves out is null."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def tariff(code: str, rule: str, *blocks: tuple[int | None, int], **changes: Any) -> list[dict[str, Any]]:
    """Blocks of one validity as (upper bound in Wh a month, price x 10^8)."""
    lows = [0, *(upto for upto, _ in blocks)]
    return [
        {
            "tariff": code,
            "rule": rule,
            "block": number,
            "from_wh": lows[number - 1],
            "upto_wh": upto,
            "price_e8": price,
            "denom": "CNY",
            "minor_per_major": 100,
            "valid_from": FIRST_DAY,
            "valid_to": None,
            "rule_id": f"rating.{rule}",
            "param_id": f"{code}@2012",
            **changes,
        }
        for number, (upto, price) in enumerate(blocks, start=1)
    ]


TIERED = tariff("TIERED", "BLOCKS_PER_TIER_YEAR", (210_000, 54_690_000), (400_000, 59_690_000), (None, 84_690_000))
MONTHLY = tariff("MONTHLY", "BLOCKS_PER_MONTH", (200_000, 16_000_000), (300_000, 20_000_000), (None, 34_000_000))
FLAT = tariff("FLAT", "FLAT", (None, 55_500_000))
FLAT_DEARER = tariff("FLAT", "FLAT", (None, 60_000_000), valid_from=date(2026, 1, 1), param_id="FLAT@2026")
FLAT_BEFORE = [{**FLAT[0], "valid_to": date(2026, 1, 1)}]
TARIFFS = frame(TARIFF_BLOCKS, *TIERED, *MONTHLY, *FLAT_BEFORE, *FLAT_DEARER)


def determinant(quantity: int | None = 100_000, code: str | None = "TIERED", **changes: Any) -> dict[str, Any]:
    """One month's energy of contract 1, July 2025, whole year in service."""
    return {
        "contract_id": 1,
        "service_id": 10,
        "service_point": "P1",
        "tariff": code,
        "kind": "ENERGY_TOTAL",
        "bill_on": date(2025, 8, 1),
        "part": 1,
        "period_from": date(2025, 7, 1),
        "period_to": date(2025, 8, 1),
        "months": 1,
        "quantity": quantity,
        "ytd_wh": 0,
        "tier_months": 12,
        "free_wh": 0,
        "read_wh": quantity,
        "source": "ACTUAL",
        "reading_key": "R1",
        **changes,
    }


def determinants(*rows: dict[str, Any]) -> pl.DataFrame:
    return frame(frames.DETERMINANTS, *rows)


def contract(contract_id: int = 1, **changes: Any) -> dict[str, Any]:
    """A residential contract in force since 2020, fifteen days to pay."""
    return {
        "contract_id": contract_id,
        "contract_key": f"C{contract_id}",
        "group_id": contract_id,
        "class": "RESIDENTIAL",
        "valid_from": date(2020, 1, 1),
        "due_days": 15,
        **changes,
    }


def contracts(*rows: dict[str, Any]) -> pl.DataFrame:
    return frame(frames.CONTRACTS, *rows)


def rules(tariffs: pl.DataFrame = TARIFFS) -> Rules:
    """Rules with these tariffs and no other parameter."""
    return Rules(
        jurisdiction="test",
        denom="CNY",
        minor_digits=2,
        tariffs=tariffs,
        late_charge=frames.empty(LATE_CHARGE_RATES),
        late_charge_components=("ENERGY",),
        allocation=AllocationPolicy("TEST", ("ENERGY",), "test"),
        strategies=(),
        subjects=pl.DataFrame(),
        tier_year_starts_month=1,
        content_hash="",
    )
