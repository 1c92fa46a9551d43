"""From a case file to the frames of the quote flow: scales applied, days filled in, the rulebook looked up."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from recoup.core import frames, metering
from recoup.core.flows.quote import SPANS, Case
from recoup.core.money import WH_PER_KWH
from recoup.core.rules import Rules
from recoup.rulebook.case import CaseFile, CaseInvalid
from recoup.rulebook.case_debts import debt_frames
from recoup.rulebook.case_rules import CaseRules, find_rules
from recoup.rulebook.library import Library
from recoup.rulebook.resolve import Row, scale

LONG_AGO = date(1900, 1, 1)
_INDEX_SCALE = 10_000
_CONTRACT_ID = 1
_SERVICE_ID = 1
_POINT = "point"
_REGISTER = "TOTAL"


class Prepared(NamedTuple):
    """A case ready to be quoted, the rules to quote it by, where their parameters come from, what was assumed."""

    case: Case
    rules: Rules
    references: Mapping[str, str]
    assumptions: tuple[str, ...]


def prepare(file: CaseFile, library: Library) -> Prepared:
    """Turn a case file into frames; raise CaseInvalid when it does not fit the rulebook."""
    found = find_rules(file, library)
    debts = debt_frames(file, found)
    tenure = _tenure(file)
    anchor = _anchor(file, found)
    case = Case(
        readings=_readings(file),
        installations=frames.empty(frames.INSTALLATIONS),
        services=_services(file, found, tenure),
        contracts=_contracts(file, tenure),
        determinants=_determinants(file, found, tenure, anchor),
        spans=_spans(file, found, tenure, anchor),
        items=debts.items,
        paid=debts.paid,
        holds=_holds(file),
        charged_to_on=debts.charged_to_on,
        used_before_wh=scale(file.used_this_year_kwh, WH_PER_KWH),
        is_last_only=file.quote == "last",
        denom=found.rules.denom,
    )
    undated = any(stated.period_from is None for stated in file.determinants)
    read_as = [f"determinants: no dates given; read by the prices of {anchor.isoformat()}"] if undated else []
    return Prepared(case, found.rules, found.references, (*read_as, *debts.assumptions))


def _tenure(file: CaseFile) -> tuple[date, date | None]:
    """`[valid_from, valid_to)` of the contract; a day of closure is the last day in service."""
    contract = file.contract
    begin = contract.valid_from or contract.connected_on or LONG_AGO
    end = contract.valid_to or (contract.closed_on and contract.closed_on + timedelta(days=1))
    if end is not None and end <= begin:
        raise CaseInvalid([f"contract: ends on {end} before it begins on {begin}"])
    return begin, end


def _anchor(file: CaseFile, found: CaseRules) -> date:
    """The day by which an undated case is read: the latest day it names, else the newest price in force."""
    begin, end = _tenure(file)
    if file.on is not None:
        return file.on
    if end is not None:
        return end - timedelta(days=1)
    newest: object = found.rules.tariffs.filter(pl.col("tariff").eq_missing(pl.lit(found.tariff)))["valid_from"].max()
    in_force = newest if isinstance(newest, date) else LONG_AGO
    return max(begin, in_force)


def _readings(file: CaseFile) -> pl.DataFrame:
    rows: list[Row] = [
        {
            "reading_key": f"readings.{number}",
            "service_point": _POINT,
            "meter": reading.meter,
            "register": _REGISTER,
            "read_on": reading.on,
            "part": reading.part,
            "source": "ACTUAL",
            "index_from_e4": None if reading.index_from is None else scale(reading.index_from, _INDEX_SCALE),
            "index_e4": scale(reading.index, _INDEX_SCALE),
            "multiplier_e4": scale(reading.multiplier, _INDEX_SCALE),
            "months": reading.months,
            "stated_wh": None if reading.stated_kwh is None else scale(reading.stated_kwh, WH_PER_KWH),
        }
        for number, reading in enumerate(file.readings)
    ]
    return pl.DataFrame(rows, schema=dict(frames.READINGS))


def _services(file: CaseFile, found: CaseRules, tenure: tuple[date, date | None]) -> pl.DataFrame:
    row: Row = {
        "service_id": _SERVICE_ID,
        "service_point": _POINT,
        "contract_id": _CONTRACT_ID,
        "tariff": found.tariff,
        "class": file.contract.customer_class,
        "free_wh_month": scale(found.free_kwh_month, WH_PER_KWH),
        "valid_from": tenure[0],
        "valid_to": tenure[1],
    }
    return _one_row(row, frames.SERVICES)


def _contracts(file: CaseFile, tenure: tuple[date, date | None]) -> pl.DataFrame:
    row: Row = {
        "contract_id": _CONTRACT_ID,
        "contract_key": file.id or "case",
        "group_id": _CONTRACT_ID,
        "class": file.contract.customer_class,
        "jurisdiction": file.jurisdiction,
        "valid_from": tenure[0],
        "valid_to": tenure[1],
        "due_days": file.contract.due_days,
    }
    return _one_row(row, frames.CONTRACTS)


def _determinants(file: CaseFile, found: CaseRules, tenure: tuple[date, date | None], anchor: date) -> pl.DataFrame:
    """Stated determinants; undated ones follow each other from the day by which the case is read."""
    rows: list[Row] = []
    begin = anchor if file.on is None else _add_months(anchor, -sum(d.months for d in file.determinants))
    used: dict[date, Decimal] = {}
    for number, stated in enumerate(file.determinants):
        period_from = stated.period_from or begin
        period_to = stated.period_to or _add_months(period_from, stated.months)
        begin = period_to
        year = _tier_year(period_to - timedelta(days=1), found.rules.tier_year_starts_month)
        earlier = used.get(year, file.used_this_year_kwh if not used else Decimal(0))
        ytd = earlier if stated.used_this_year_kwh is None else stated.used_this_year_kwh
        used[year] = ytd + stated.kwh
        free = found.free_kwh_month * stated.months if stated.free_kwh is None else stated.free_kwh
        rows.append(
            {
                "contract_id": _CONTRACT_ID,
                "service_id": _SERVICE_ID,
                "service_point": _POINT,
                "tariff": found.tariff,
                "kind": metering.ENERGY_TOTAL,
                "bill_on": period_to,
                "part": number + 1,
                "period_from": period_from,
                "period_to": period_to,
                "months": stated.months,
                "quantity": scale(stated.kwh, WH_PER_KWH),
                "ytd_wh": scale(ytd, WH_PER_KWH),
                "tier_months": stated.tier_months,
                "free_wh": scale(free, WH_PER_KWH),
                "source": "STATED",
                "reading_key": f"determinants.{number}",
            }
        )
    made = pl.DataFrame(rows, schema=dict(frames.DETERMINANTS))
    last_day = pl.col("period_to").dt.offset_by("-1d")
    return made.with_columns(tier_months=pl.coalesce("tier_months", _months_in_service(tenure, last_day, found.rules)))


def _spans(file: CaseFile, found: CaseRules, tenure: tuple[date, date | None], anchor: date) -> pl.DataFrame:
    """The tier year whose thresholds are asked for when a case names a tariff and no energy."""
    if found.tariff is None or file.readings or file.determinants:
        return frames.empty(SPANS)
    day = pl.DataFrame({"tariff": [found.tariff], "on": [anchor], "months": [1]})
    return frames.conform(day.with_columns(tier_months=_months_in_service(tenure, pl.col("on"), found.rules)), SPANS)


def _months_in_service(tenure: tuple[date, date | None], day: pl.Expr, rules: Rules) -> pl.Expr:
    begin, end = pl.lit(tenure[0]), pl.lit(tenure[1], dtype=pl.Date)
    return metering.tier_months(begin, end, metering.tier_year_start(day, rules.tier_year_starts_month))


def _holds(file: CaseFile) -> pl.DataFrame:
    rows: list[Row] = [
        {
            "hold_key": f"holds.{number}",
            "contract_id": _CONTRACT_ID,
            "stops_late_charge": True,
            "valid_from": hold.valid_from,
            "valid_to": hold.valid_to,
        }
        for number, hold in enumerate(file.holds)
    ]
    return pl.DataFrame(rows, schema=dict(frames.HOLDS))


def _one_row(row: Row, schema: frames.Schema) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema}], schema=dict(schema))


def _add_months(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    first = date(number // 12, number % 12 + 1, 1)
    following = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), following - timedelta(days=1))


def _tier_year(day: date, starts_month: int) -> date:
    return date(day.year if day.month >= starts_month else day.year - 1, starts_month, 1)
