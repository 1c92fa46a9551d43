"""Accounts, contracts, services, installations and holds of the city, in the documented load format.

Grain: one row per account in each but holds (one per hold). Input: accounts placed and with their use.
"""

from datetime import date

import polars as pl

from recoup.city import plan
from recoup.city.dice import Dice
from recoup.city.people import party_code

_NONE = pl.lit(None, dtype=pl.String)


def account_no(n: pl.Expr) -> pl.Expr:
    """Thirteen digits: the city, the number, a last digit."""
    return pl.format("{}{}{}", pl.lit(plan.CITY_CODE), n.cast(pl.String).str.zfill(8), n * 7 % 10)


def name_things(people: pl.DataFrame, accounts: int, start: date, dice: Dice) -> pl.DataFrame:
    """Add account_no, contract, service_point, meter and the first day of the contract."""
    n = pl.col("n")
    is_old = n * 100 < accounts * plan.OLD_NUMBERS_PERCENT
    years = pl.when(is_old).then(9 + dice.below(n, "tenure", 16)).otherwise(1 + dice.below(n, "tenure", 8))
    month, day = dice.below(n, "tenure-month", 11) + 1, dice.below(n, "tenure-day", 28) + 1
    return people.with_columns(
        is_old=is_old,
        account_no=account_no(n),
        valid_from=pl.date(start.year - years, month, day),
    ).with_columns(
        contract=pl.format("HT{}01", "account_no"),
        service_point=pl.format("JL{}", "account_no"),
        meter=pl.format("DB{}", n.cast(pl.String).str.zfill(10)),
    )


def list_accounts(people: pl.DataFrame) -> pl.DataFrame:
    """List accounts; the older ones also carry a ten-digit number that begins with a zero."""
    old = pl.format("0{}", ((pl.col("n") * 7_919 + 104_729) % 10**9).cast(pl.String).str.zfill(9))
    return people.select(
        "account_no",
        pl.when("is_old").then(old).alias("old_account_no"),
        pl.format("YD{}", pl.col("n").cast(pl.String).str.zfill(9)).alias("premise"),
        "address",
        "org_unit",
        "route",
        "reading_day",
    )


def list_contracts(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """List contracts: the holder pays for himself; a few firms agreed a late-charge rate of their own."""
    agreed = dice.happens(pl.col("n"), "agreed", plan.AGREED_RATE_PPM) & ~pl.col("is_person")
    return people.select(
        "contract",
        "account_no",
        party_code(pl.col("holder")).alias("party"),
        party_code(pl.col("holder")).alias("payer"),
        _NONE.alias("group"),
        "class",
        pl.lit(plan.JURISDICTION).alias("jurisdiction"),
        "valid_from",
        pl.lit(None, dtype=pl.Date).alias("valid_to"),
        pl.lit(plan.PAYMENT_MODE).alias("payment_mode"),
        pl.lit(plan.DUE_DAYS, dtype=pl.Int64).alias("due_days"),
        pl.when(agreed)
        .then(dice.pick(pl.col("n"), "agreed-rate", plan.AGREED_RATES_PERMILLE))
        .alias("agreed_rate_permille"),
        _NONE.alias("strategy"),
    )


def list_services(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """List services: one service point per account."""
    home = pl.col("kind") == plan.RESIDENT.code
    low_income = home & dice.happens(pl.col("n"), "low-income", plan.LOW_INCOME_PPM)
    return people.select(
        "service_point",
        "contract",
        "tariff",
        "class",
        _by_use(plan.CAPACITIES).alias("capacity_kva"),
        pl.when(home).then(1 + dice.below(pl.col("n"), "household", 5)).alias("household_size"),
        pl.when(pl.col("kind") == plan.COLLECTIVE.code).then(plan.COLLECTIVE_HOMES).alias("households"),
        pl.when(low_income).then(plan.LOW_INCOME_FREE_KWH).otherwise(0).alias("free_kwh_month"),
        "valid_from",
        pl.lit(None, dtype=pl.Date).alias("valid_to"),
    )


def multiplier() -> pl.Expr:
    """CT x PT by the size of the customer."""
    by_use = pl.when(pl.col("is_person")).then(1).otherwise(_by_use(plan.MULTIPLIERS))
    return pl.when(pl.col("kind") == plan.COLLECTIVE.code).then(plan.COLLECTIVE_MULTIPLIER).otherwise(by_use)


def list_installations(people: pl.DataFrame) -> pl.DataFrame:
    """List installations: one meter with one register per service point."""
    return people.select(
        "meter",
        "service_point",
        pl.lit("1").alias("register"),
        "multiplier",
        "valid_from",
        pl.lit(None, dtype=pl.Date).alias("valid_to"),
    )


def list_holds(people: pl.DataFrame, start: date, months: int, dice: Dice) -> pl.DataFrame:
    """List holds: protected customers are never disconnected; a few dispute a bill for some weeks."""
    n = pl.col("n")
    public = pl.col("kind") == plan.PUBLIC.code
    medical = pl.col("is_person") & dice.happens(n, "medical", plan.MEDICAL_PPM)
    protected = people.filter(public | medical).select(
        **_hold_keys("B"),
        processes=pl.lit("DISCONNECT"),
        reason=pl.lit("PROTECTED"),
        valid_from="valid_from",
        valid_to=pl.lit(None, dtype=pl.Date),
        evidence=pl.when(public).then(pl.lit("重要用户名册（模拟）")).otherwise(pl.lit("家用医疗设备证明（模拟）")),
    )
    shortest, longest = plan.DISPUTE_DAYS
    begins = pl.lit(start) + pl.duration(days=dice.below(n, "dispute-on", max(1, months * 30)))
    lasts = shortest + dice.below(n, "dispute-days", longest - shortest + 1)
    disputed = people.filter(dice.happens(n, "dispute", plan.DISPUTE_PPM)).select(
        **_hold_keys("Z"),
        processes=pl.lit("DUN|LATE_CHARGE"),
        reason=pl.lit("DISPUTE"),
        valid_from=begins,
        valid_to=begins + pl.duration(days=lasts),
        evidence=pl.lit("电量异议工单（模拟）"),
    )
    return pl.concat([protected, disputed]).sort("contract", "hold")


def _hold_keys(letter: str) -> dict[str, pl.Expr]:
    return {
        "hold": pl.format(f"{letter}{{}}", pl.col("n").cast(pl.String).str.zfill(9)),
        "contract": pl.col("contract"),
        "item_key": _NONE,
    }


def _by_use(steps: tuple[tuple[int | None, int], ...]) -> pl.Expr:
    """Look up a size by the monthly use."""
    size = pl.lit(steps[-1][1], dtype=pl.Int64)
    for bound, value in reversed(steps[:-1]):
        size = pl.when(pl.col("usage_ckwh") < bound).then(value).otherwise(size)
    return size
