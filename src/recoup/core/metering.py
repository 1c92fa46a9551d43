"""Metering: from readings to determinants, the only seam through which energy reaches a price.

Grain in: one row per reading event. Grain out: one row per reading that closes a period. Closed under service
point: any split of the readings by service point gives the same rows.
"""

import polars as pl

from recoup.core import money, outcome, periods, stretches
from recoup.core.frames import DETERMINANTS, READINGS, Schema, conform
from recoup.core.outcome import Outcome

ENERGY_TOTAL = "ENERGY_TOTAL"
CORRECTED = "CORRECTED"

# Index x 10^4 kWh times multiplier x 10^4 is kWh x 10^8; one kWh is 1,000 Wh.
_E8_KWH_PER_WH = 100_000

# One row per reading that a bill stands on, with the period of that bill.
BILLED: Schema = {"reading_key": pl.String(), "period_from": pl.Date(), "period_to": pl.Date()}

# A bound of sanity, not of law: no bill covers more than a century.
MONTHS_BOUND = 1_200

_REGISTER = ("service_point", "meter", "register")

# In this order: the first that holds is the reason why a reading gives no determinant.
_REFUSALS = {
    "DUPLICATE_READING": "read_on",
    "NO_INDEX": "index_e4",
    "NO_SERVICE": "service_point",
    "NO_CONTRACT": "contract_id",
    "NO_MULTIPLIER": "multiplier_e4",
    "NEGATIVE_INDEX": "index_e4",
    "BAD_MONTHS": "months",
    "OUT_OF_BOUNDS": "quantity",
}


def determine(
    readings: pl.DataFrame,
    installations: pl.DataFrame,
    services: pl.DataFrame,
    contracts: pl.DataFrame,
    *,
    tier_year_starts_month: int,
) -> Outcome:
    """Turn readings into ENERGY_TOTAL determinants; frames `determinants` and `openings`.

    Each reading ends in `determinants`, `openings` (the first of its register: billed nothing) or the issues.
    `ytd_wh` sums the determinants made here, so pass a service point's readings from the tier year's start.
    Tier months: calendar months in service, first and last whole (cases B03-B17).
    """
    rows = _sort(conform(readings, READINGS))
    chained = _chain(rows.filter(~_is_broken()))
    openings = chained.filter(_is_opening())
    closing = pl.concat([chained.filter(~_is_opening()), rows.filter(_is_broken())], how="diagonal")
    placed = _place(closing, installations, services, contracts)
    judged = _measure(placed).with_columns(refusal=_refusal())
    billed = judged.filter(pl.col("refusal").is_null())
    frames = {
        "determinants": _accumulate(_tenure(billed, services, tier_year_starts_month)),
        "openings": openings.select(list(READINGS)),
    }
    return Outcome(frames, _refuse(judged))


def refuse_between_billed(late: pl.DataFrame, readings: pl.DataFrame, billed: pl.DataFrame) -> pl.DataFrame:
    """Return issues for late determinants whose energy a bill of the same register holds already.

    `late` are DETERMINANTS not billed though their day is closed, `billed` BILLED, `readings` READINGS of both. A
    reading that states its own start is no link of a chain and is never refused.
    """
    links = readings.filter(pl.col("index_from_e4").is_null()).select("reading_key", *_REGISTER)
    ours = late.join(links, on="reading_key", how="inner")
    if ours.is_empty():
        return outcome.no_issues()
    theirs = billed.join(links, on="reading_key", how="inner").select(
        *_REGISTER, bill_from="period_from", bill_to="period_to"
    )
    covered = ours.join(theirs, on=_REGISTER, how="inner").filter(
        (pl.col("bill_from") < pl.col("bill_on")) & (pl.col("bill_to") >= pl.col("bill_on"))
    )
    said = "a bill from {} to {} holds this energy already: to bill it apart, cancel that bill by hand"
    return outcome.issue(
        covered.unique("reading_key", maintain_order=True),
        kind="READING_BETWEEN_BILLED",
        key=pl.col("reading_key"),
        field="read_on",
        detail=pl.format(said, "bill_from", "bill_to"),
    )


def tier_year_start(day: pl.Expr, starts_month: int) -> pl.Expr:
    """Return the first day of the tier year that holds `day`."""
    year = pl.when(day.dt.month() >= starts_month).then(day.dt.year()).otherwise(day.dt.year() - 1)
    return pl.date(year, starts_month, 1)


def tier_months(valid_from: pl.Expr, valid_to: pl.Expr, year_start: pl.Expr) -> pl.Expr:
    """Count the calendar months of a tenure inside the tier year; the first and last count whole.

    A null `valid_to` has no end. Source: practice-bank cases B03-B17.
    """
    year_end = pl.date(year_start.dt.year() + 1, year_start.dt.month(), 1)
    begin = pl.max_horizontal(valid_from, year_start)
    return periods.months_touched(begin, pl.min_horizontal(valid_to, year_end))


def _sort(readings: pl.DataFrame) -> pl.DataFrame:
    """Sort the readings of each register in time and mark what repeats a reading (of one key the first stands)."""
    ordered = readings.sort(*_REGISTER, "read_on", "part", "reading_key").with_row_index("row")
    return ordered.with_columns(is_duplicate=~stretches.begins(*_REGISTER, "read_on", "part"))


def _is_broken() -> pl.Expr:
    """Whether a reading can neither be billed nor start another: repeated, or without any figure."""
    return pl.col("is_duplicate") | (pl.col("index_e4").is_null() & pl.col("stated_wh").is_null())


def _is_opening() -> pl.Expr:
    """Whether a reading only starts its register: nothing before it, and no bill of its own stated."""
    return pl.col("start_e4").is_null() & (pl.col("months").is_null() | pl.col("stated_wh").is_null())


def _chain(readings: pl.DataFrame) -> pl.DataFrame:
    """Give each reading its starting index and day: stated, else the one before it in its register."""
    states_start = pl.col("index_from_e4").is_not_null() & pl.col("months").is_not_null()
    return (
        readings.with_columns(begins=stretches.begins(*_REGISTER))
        .with_columns(
            start_e4=pl.coalesce("index_from_e4", stretches.value_before("index_e4", "begins")),
            previous_on=pl.when(~states_start).then(stretches.value_before("read_on", "begins")),
        )
        .drop("begins")
    )


def _place(
    rows: pl.DataFrame, installations: pl.DataFrame, services: pl.DataFrame, contracts: pl.DataFrame
) -> pl.DataFrame:
    """Add the service, contract and multiplier in force when the reading closed its period."""
    served = _join_valid(
        rows, services, on=["service_point"], take=["service_id", "contract_id", "tariff", "free_wh_month"]
    )
    metered = _join_valid(
        served, installations.rename({"multiplier_e4": "installed_e4"}), on=list(_REGISTER), take=["installed_e4"]
    )
    tenures = contracts.select("contract_id", tenure_from="valid_from", tenure_to="valid_to")
    return metered.join(tenures, on="contract_id", how="left", validate="m:1")


def _join_valid(rows: pl.DataFrame, dated: pl.DataFrame, *, on: list[str], take: list[str]) -> pl.DataFrame:
    """Left-join the validity that holds on the last day before the reading, else one that begins on its day.

    A final reading is taken on the day a tenure ends, which `[valid_from, valid_to)` no longer holds.
    """
    near = (
        rows.select("row", "read_on", *on)
        .join(dated.select(*on, *take, "valid_from", "valid_to"), on=on, how="inner")
        .filter(
            (pl.col("valid_from") <= pl.col("read_on"))
            & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("read_on")))
        )
    )
    if near["row"].is_duplicated().any():
        near = near.sort("row", "valid_from").unique("row", keep="first", maintain_order=True)
    return rows.join(near.select("row", *take), on="row", how="left", validate="1:1")


def _measure(placed: pl.DataFrame) -> pl.DataFrame:
    """Add the energy read, the energy billed and the period it was used in."""
    multiplier = pl.coalesce("multiplier_e4", "installed_e4")
    wide = (money.exact("index_e4") - money.exact("start_e4")) * money.exact(multiplier)
    sane = pl.when(wide.abs() < money.ENERGY_BOUND_WH * _E8_KWH_PER_WH).then(wide)
    elapsed = periods.month_number(pl.col("read_on")) - periods.month_number(pl.col("previous_on"))
    stated = pl.col("stated_wh")
    return (
        placed.with_columns(
            read_wh=money.round_minor(sane, _E8_KWH_PER_WH),
            months=pl.coalesce("months", elapsed.clip(lower_bound=1)),
            multiplier_e4=multiplier,
        )
        .with_columns(
            quantity=pl.coalesce("stated_wh", "read_wh"),
            source=pl.when(stated.is_not_null() & stated.ne_missing(pl.col("read_wh")))
            .then(pl.lit(CORRECTED))
            .otherwise("source"),
        )
        .with_columns(period_from=pl.coalesce("previous_on", _months_before(pl.col("read_on"), pl.col("months"))))
    )


def _months_before(day: pl.Expr, months: pl.Expr) -> pl.Expr:
    """Go back whole months to the same day, or to the last day of a shorter month; null outside the bound."""
    sane = pl.when(months.is_between(1, MONTHS_BOUND)).then(months)
    number = periods.month_number(day) - 1 - sane
    first = pl.date(number // 12, number % 12 + 1, 1)
    return pl.min_horizontal(first.dt.month_end(), first + pl.duration(days=day.dt.day().cast(pl.Int64) - 1))


def _refusal() -> pl.Expr:
    """Name the first reason why a reading cannot be billed, null when it can."""
    unstated = pl.col("stated_wh").is_null()
    outside = (pl.col("read_on") < pl.col("tenure_from")) | (pl.col("read_on") > pl.col("tenure_to"))
    return (
        pl.when("is_duplicate")
        .then(pl.lit("DUPLICATE_READING"))
        .when(unstated & (pl.col("index_e4").is_null() | pl.col("start_e4").is_null()))
        .then(pl.lit("NO_INDEX"))
        .when(pl.col("contract_id").is_null())
        .then(pl.lit("NO_SERVICE"))
        .when(pl.col("tenure_from").is_null() | outside)
        .then(pl.lit("NO_CONTRACT"))
        .when(unstated & pl.col("multiplier_e4").is_null())
        .then(pl.lit("NO_MULTIPLIER"))
        .when(unstated & (pl.col("read_wh") < 0))
        .then(pl.lit("NEGATIVE_INDEX"))
        .when(~pl.col("months").is_between(1, MONTHS_BOUND) | pl.col("months").is_null())
        .then(pl.lit("BAD_MONTHS"))
        .when(pl.col("quantity").is_null() | (pl.col("quantity").abs() >= money.ENERGY_BOUND_WH))
        .then(pl.lit("OUT_OF_BOUNDS"))
    )


def _refuse(judged: pl.DataFrame) -> pl.DataFrame:
    refused = judged.filter(pl.col("refusal").is_not_null())
    if refused.is_empty():
        return outcome.no_issues()
    return outcome.gather(
        outcome.issue(rows, kind=kind, key=pl.col("reading_key"), field=field, detail=_detail())
        for kind, field in _REFUSALS.items()
        if not (rows := refused.filter(pl.col("refusal") == kind)).is_empty()
    )


def _detail() -> pl.Expr:
    shown = [
        pl.concat_str(pl.lit(f"{name}="), pl.col(name).cast(pl.String).fill_null("none"))
        for name in ("service_point", "meter", "read_on", "start_e4", "index_e4", "months")
    ]
    return pl.concat_str(shown, separator=" ")


def _tenure(billed: pl.DataFrame, services: pl.DataFrame, starts_month: int) -> pl.DataFrame:
    """Add the tier year of the period's last day and the months in service in it."""
    served = services.group_by("service_point", "contract_id").agg(
        served_from=pl.col("valid_from").min(),
        served_to=pl.when(pl.col("valid_to").is_not_null().all()).then(pl.col("valid_to").max()),
    )
    last_day = pl.col("read_on") - pl.duration(days=1)
    begin = pl.max_horizontal("tenure_from", "served_from")
    end = pl.min_horizontal("tenure_to", "served_to")
    return (
        billed.join(served, on=["service_point", "contract_id"], how="left", validate="m:1")
        .with_columns(tier_year_on=tier_year_start(last_day, starts_month))
        .with_columns(tier_months=tier_months(begin, end, pl.col("tier_year_on")))
    )


def _accumulate(billed: pl.DataFrame) -> pl.DataFrame:
    """Add the energy used earlier in the tier year and put the rows into the contract of determinants.

    `part` numbers the bills of one contract that begin on one day: several meters, or rows that are not a chain.
    """
    group = ("contract_id", "service_point", "tier_year_on")
    in_year = billed.sort(*group, "read_on", "part", "reading_key").with_columns(begins=stretches.begins(*group))
    used = in_year.with_columns(ytd_wh=stretches.sum_before("quantity", "begins"))
    bill = ("contract_id", "period_from")
    in_bill = used.sort(*bill, "read_on", "part", "service_point", "reading_key")
    rows = in_bill.with_columns(begins=stretches.begins(*bill)).with_columns(
        kind=pl.lit(ENERGY_TOTAL),
        bill_on=pl.col("read_on"),
        period_to=pl.col("read_on"),
        part=stretches.number("begins"),
        free_wh=pl.col("free_wh_month").fill_null(0) * pl.col("months"),
    )
    return conform(rows, DETERMINANTS)
