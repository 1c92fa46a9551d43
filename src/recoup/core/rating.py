"""Rating: what the energy of a period costs, block by block.

Grain in: one row per determinant. Grain out: one row per determinant x block with energy in it, and one for the
free energy. Closed under determinant: any split of the rows gives the same lines. The order of the rows is not
stated; `line` numbers them within their determinant.
"""

from typing import NamedTuple

import polars as pl

from recoup.core import money, outcome
from recoup.core.frames import DETERMINANTS, LINES, conform, empty
from recoup.core.outcome import Outcome
from recoup.core.rules import TARIFF_BLOCKS

ENERGY = "ENERGY"
ENERGY_TOTAL = "ENERGY_TOTAL"
FLAT = "FLAT"
BLOCKS_PER_MONTH = "BLOCKS_PER_MONTH"
BLOCKS_PER_TIER_YEAR = "BLOCKS_PER_TIER_YEAR"

# Suffix of the rule of a line whose energy is free.
FREE = ":FREE"

# Bounds of sanity: with them no product of a block's bound and a count of months leaves Int64.
MONTHS_BOUND = 1_000_000
BLOCK_BOUND_WH = 10**12

_KEY = ("contract_id", "service_id", "bill_on", "part", "period_from")
_NEEDED = (*_KEY, "tariff", "kind", "period_to", "months", "quantity", "ytd_wh", "tier_months", "free_wh")
_PRICE = ("rule_id", "param_id", "price_e8", "denom", "minor_per_major")

# In this order: the first that holds is the reason why a determinant is not rated, with the field to look at.
_REFUSALS = {
    "UNRATED_KIND": "kind",
    "NEGATIVE_QUANTITY": "quantity",
    "OUT_OF_BOUNDS": "quantity",
    "NO_PERIOD": "period_to",
    "UNKNOWN_TARIFF": "tariff",
    "NO_TARIFF_ON_DAY": "period_to",
    "NO_MONTHS": "months",
    "NO_TIER_YEAR": "tier_months",
}


class TariffOverlap(Exception):
    """Two validities of one tariff hold on one day."""


class _Tariffs(NamedTuple):
    """Tariffs as arrays. A version is one tariff x validity; `blocks[k]` is the k-th block, row = version."""

    days: pl.Series
    cells: pl.DataFrame
    blocks: list[pl.DataFrame]


def rate(determinants: pl.DataFrame, tariffs: pl.DataFrame) -> Outcome:
    """Charge each determinant by the tariff in force on the last day of its period; frame `lines` (LINES).

    FLAT prices all energy alike. BLOCKS_PER_MONTH widens each block by the months billed, BLOCKS_PER_TIER_YEAR
    by the months in service of the tier year and starts where the year's earlier energy ended. Free energy is
    priced at zero, from the lowest block the period touches; its quantity stays. Each line is rounded on its own
    (case B28). Each determinant ends in lines (zero energy in one zero line) or in one issue.
    """
    arrays = _tabulate(conform(tariffs, TARIFF_BLOCKS))
    rows = conform(determinants, DETERMINANTS)
    placed = _place(rows.select(_NEEDED), arrays)
    is_sound = placed.select(_is_sound())["sound"]
    if is_sound.all():
        return Outcome({"lines": _charge(_position(placed), arrays.blocks)}, outcome.no_issues())
    refused = placed.select("version", "rule").hstack(rows).filter(~is_sound)
    lines = _charge(_position(placed.filter(is_sound)), arrays.blocks)
    return Outcome({"lines": lines}, _refuse(refused, tariffs))


def thresholds(services: pl.DataFrame, tariffs: pl.DataFrame) -> pl.DataFrame:
    """List the blocks of services on a day, in watt-hours of the whole span billed together.

    `services` has columns tariff, on, months, tier_months. One row per service x block; the annual threshold of a
    block is its bound per month times the months in service (cases B03-B17).
    """
    on, ends = pl.col("on"), pl.col("valid_to")
    in_force = services.join(tariffs, on="tariff", how="inner").filter(
        (pl.col("valid_from") <= on) & (ends.is_null() | (ends > on))
    )
    spans = in_force.with_columns(span_months=_span_months())
    return spans.with_columns(
        from_month_wh="from_wh",
        upto_month_wh="upto_wh",
        from_wh=pl.col("from_wh") * pl.col("span_months"),
        upto_wh=pl.col("upto_wh") * pl.col("span_months"),
    ).sort("tariff", "on", "block")


def _tabulate(tariffs: pl.DataFrame) -> _Tariffs:
    version_key = ["tariff", "valid_from", "valid_to"]
    versions = tariffs.select(*version_key, "rule").unique(version_key, maintain_order=True).with_row_index("version")
    days = pl.concat([tariffs["valid_from"], tariffs["valid_to"]]).drop_nulls().unique().sort()
    ranked = (
        tariffs.join(versions.drop("rule"), on=version_key, nulls_equal=True)
        .sort("version", "block")
        .with_columns(rank=pl.int_range(pl.len()).over("version"))
    )
    blocks = [
        versions.select("version").join(ranked.filter(pl.col("rank") == k), on="version", how="left").sort("version")
        for k in ranked["rank"].unique().sort()
    ]
    return _Tariffs(days, _cells(versions, days), blocks)


def _cells(versions: pl.DataFrame, days: pl.Series) -> pl.DataFrame:
    """Say which version of each tariff holds in each span between two neighbouring days of change."""
    spans = days.to_frame("day").with_row_index("span", offset=1)
    holds = (pl.col("valid_from") <= pl.col("day")) & (
        pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("day"))
    )
    cells = versions.join(spans, how="cross").filter(holds).select("tariff", "span", "version", "rule")
    if cells.select("tariff", "span").is_duplicated().any():
        raise TariffOverlap("validities of one tariff overlap")
    return cells


def _place(determinants: pl.DataFrame, arrays: _Tariffs) -> pl.DataFrame:
    """Add the tariff's version in force on the last day of each period (null: none)."""
    last_day = determinants.select(pl.col("period_to") - pl.duration(days=1)).to_series()
    span = arrays.days.search_sorted(last_day, side="right").alias("span")
    return determinants.with_columns(span).join(
        arrays.cells, on=["tariff", "span"], how="left", validate="m:1", maintain_order="left"
    )


def _span_months() -> pl.Expr:
    """Months by which a block's monthly bounds are widened."""
    return (
        pl.when(pl.col("rule") == BLOCKS_PER_MONTH)
        .then("months")
        .when(pl.col("rule") == BLOCKS_PER_TIER_YEAR)
        .then("tier_months")
        .otherwise(1)
    )


def _is_sound() -> pl.Expr:
    return (
        (
            (pl.col("kind") == ENERGY_TOTAL)
            & pl.col("quantity").is_between(0, money.ENERGY_BOUND_WH, closed="left")
            & pl.col("period_to").is_not_null()
            & pl.col("version").is_not_null()
            & _has_months()
            & _has_tier_year()
            & (pl.col("free_wh").fill_null(0) >= 0)
        )
        .fill_null(False)
        .alias("sound")
    )


def _has_months() -> pl.Expr:
    return (pl.col("rule") != BLOCKS_PER_MONTH) | pl.col("months").is_between(1, MONTHS_BOUND).fill_null(False)


def _has_tier_year() -> pl.Expr:
    known = pl.col("tier_months").is_between(1, 12) & pl.col("ytd_wh").is_between(0, money.ENERGY_BOUND_WH)
    return (pl.col("rule") != BLOCKS_PER_TIER_YEAR) | known.fill_null(False)


def _position(placed: pl.DataFrame) -> pl.DataFrame:
    """Place the paid energy `[begin_wh, end_wh)` on the axis of the tariff's blocks, after the free energy."""
    start = pl.when(pl.col("rule") == BLOCKS_PER_TIER_YEAR).then("ytd_wh").otherwise(0)
    free = pl.min_horizontal(pl.col("free_wh").fill_null(0), "quantity")
    return placed.select(
        *_KEY,
        "version",
        "quantity",
        free_wh=free,
        begin_wh=start + free,
        end_wh=start + pl.col("quantity"),
        span_months=_span_months(),
        line=pl.when(free > 0).then(pl.lit(1, pl.Int64)).otherwise(pl.lit(0, pl.Int64)),
    )


def _charge(rows: pl.DataFrame, blocks: list[pl.DataFrame]) -> pl.DataFrame:
    """Walk up the blocks; energy above one block's end goes on to the next."""
    lines = []
    free = rows.filter(pl.col("free_wh") > 0)
    if free.height:
        lines.append(_price(free.with_columns(quantity="free_wh"), blocks[0], is_free=True))
    for rank, block in enumerate(blocks):
        bounds = block.select("from_wh", "upto_wh")[rows["version"]]
        upto = pl.col("upto_wh") * pl.col("span_months")
        low = pl.max_horizontal("begin_wh", pl.col("from_wh") * pl.col("span_months"))
        inside = (pl.min_horizontal("end_wh", upto) - low).clip(lower_bound=0)
        is_zero_bill = (pl.col("quantity") == 0) if rank == 0 else pl.lit(False)
        step = rows.hstack(bounds).with_columns(inside=inside, upto=upto)
        taken = (pl.col("inside") > 0) | is_zero_bill
        step = step.with_columns(line=pl.col("line") + taken.cast(pl.Int64))
        lines.append(_price(step.filter(taken).with_columns(quantity="inside"), block, is_free=False))
        rows = step.filter(pl.col("end_wh") > pl.col("upto")).drop("from_wh", "upto_wh", "inside", "upto")
        if not rows.height:
            break
    return pl.concat(lines) if lines else empty(LINES)


def _price(rows: pl.DataFrame, block: pl.DataFrame, *, is_free: bool) -> pl.DataFrame:
    """Price the energy of one block, each line rounded once."""
    priced = rows.select(*_KEY, "line", "quantity").hstack(block.select("block", *_PRICE)[rows["version"]])
    if is_free:
        priced = priced.with_columns(
            price_e8=pl.lit(0, pl.Int64), block=pl.lit(0, pl.Int64), rule_id=pl.col("rule_id") + FREE
        )
    return priced.with_columns(
        component=pl.lit(ENERGY),
        amount_minor=money.price_energy("quantity", "price_e8", pl.col("minor_per_major")),
    ).select(list(LINES))


def _refuse(refused: pl.DataFrame, tariffs: pl.DataFrame) -> pl.DataFrame:
    named = refused.with_columns(refusal=_refusal(tariffs["tariff"].unique().to_list()))
    key = pl.concat_str(
        [pl.col(name).cast(pl.String).fill_null("?") for name in ("service_point", "period_from", "kind", "part")],
        separator="|",
    )
    return outcome.gather(
        outcome.issue(
            named.filter(pl.col("refusal") == kind),
            kind=kind,
            key=key,
            field=field,
            detail=pl.concat_str(pl.lit(f"{field}="), pl.col(field).cast(pl.String).fill_null("none")),
        )
        for kind, field in _REFUSALS.items()
    )


def _refusal(known_tariffs: list[str]) -> pl.Expr:
    """Name the first reason why a determinant is not rated."""
    quantity = pl.col("quantity")
    return (
        pl.when(pl.col("kind").ne_missing(pl.lit(ENERGY_TOTAL)))
        .then(pl.lit("UNRATED_KIND"))
        .when(quantity < 0)
        .then(pl.lit("NEGATIVE_QUANTITY"))
        .when(quantity.is_null() | (quantity >= money.ENERGY_BOUND_WH) | (pl.col("free_wh") < 0))
        .then(pl.lit("OUT_OF_BOUNDS"))
        .when(pl.col("period_to").is_null())
        .then(pl.lit("NO_PERIOD"))
        .when(~pl.col("tariff").is_in(known_tariffs).fill_null(False))
        .then(pl.lit("UNKNOWN_TARIFF"))
        .when(pl.col("version").is_null())
        .then(pl.lit("NO_TARIFF_ON_DAY"))
        .when(~_has_months())
        .then(pl.lit("NO_MONTHS"))
        .otherwise(pl.lit("NO_TIER_YEAR"))
    )
