"""Small books of bills, payments and rules for the tests of money. Amounts are fen, days are dates."""

from datetime import date, timedelta

import polars as pl

from recoup.core.frames import ALLOCATIONS, CHARGES_BOOKED, CREDITS, HOLDS, ITEMS, empty
from recoup.core.rules import LATE_CHARGE_RATES, TARIFF_BLOCKS, AllocationPolicy, Rules

STATE_GRID = AllocationPolicy("STATE_GRID", ("ENERGY", "LATE_CHARGE"), "test", due_first=True)
CIVIL_CODE_561 = AllocationPolicy("CIVIL_CODE_561", ("LATE_CHARGE", "ENERGY"), "test")


def bill(key: str, fen: int, due: date, *, item_id: int, **columns: object) -> dict[str, object]:
    """Describe one energy debt, issued ten days before it is due unless told otherwise."""
    row: dict[str, object] = {
        "item_id": item_id,
        "item_key": key,
        "contract_id": 1,
        "group_id": 1,
        "component": "ENERGY",
        "subject": "RECEIVABLE_ENERGY",
        "denom": "CNY",
        "amount_minor": fen,
        "issued_on": due - timedelta(days=10),
        "due_on": due,
        "overdue_from_on": due + timedelta(days=1),
        "class": "RESIDENTIAL",
    }
    return {"open_minor": fen} | row | columns


def payment(key: str, fen: int, value_on: date, *, item_id: int, **columns: object) -> dict[str, object]:
    """Describe one credit item of free money."""
    row: dict[str, object] = {
        "item_id": item_id,
        "item_key": key,
        "contract_id": 1,
        "group_id": 1,
        "subject": "UNAPPLIED",
        "denom": "CNY",
        "amount_minor": fen,
        "value_on": value_on,
        "state": "FREE",
    }
    return {"open_minor": fen} | row | columns


def items(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(ITEMS))


def credits(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(CREDITS))


def holds(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(HOLDS))


def no_pieces() -> pl.DataFrame:
    return empty(ALLOCATIONS)


def no_charges() -> pl.DataFrame:
    return empty(CHARGES_BOOKED)


def rates(*rows: dict[str, object]) -> pl.DataFrame:
    """Return late-charge rates of class RESIDENTIAL: one thousandth a day, also across the year."""
    rate = {"class": "RESIDENTIAL", "rate_ppm": 1_000, "rate_next_year_ppm": 1_000, "cross_year": "SEGMENT_BY_DAY"}
    validity = {"valid_from": date(1996, 1, 1), "valid_to": None, "param_id": "test"}
    return pl.DataFrame([rate | validity | row for row in rows], schema=dict(LATE_CHARGE_RATES))


def rules(policy: AllocationPolicy = STATE_GRID, late_charge: pl.DataFrame | None = None) -> Rules:
    """Return rules with one allocation policy and the rates of `rates`."""
    return Rules(
        jurisdiction="test",
        denom="CNY",
        minor_digits=2,
        tariffs=empty(TARIFF_BLOCKS),
        late_charge=rates({}) if late_charge is None else late_charge,
        late_charge_components=("ENERGY",),
        allocation=policy,
        strategies=(),
        subjects=pl.DataFrame(),
        tier_year_starts_month=1,
        content_hash="",
    )
