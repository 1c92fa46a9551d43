"""Validation of a block of rows against its layout: what can be loaded, and why the rest cannot.

Grain: one row per data row of a file. Each row is either in `valid` or in `refused`, never both, never neither;
`refused` names the first field of the layout that is wrong.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from recoup.domains.feeds import parsing
from recoup.domains.feeds.layouts import AMOUNT_SCALE, Column, Kind, Layout

REFUSED: dict[str, pl.DataType] = {"row_no": pl.Int64(), "field": pl.String(), "reason": pl.String()}

_RAW = "raw."
_E4 = "e4."


class Terms(NamedTuple):
    """What a load says about all its rows: its day, the digits of each denom, the denom where a file has none."""

    as_of_on: date
    digits: Mapping[str, int]
    denom: str


class Validated(NamedTuple):
    """`valid` (row_no and staged columns), `refused` (REFUSED), and exact sums of numbers by column, scaled."""

    valid: pl.DataFrame
    refused: pl.DataFrame
    sums: Mapping[str, int]


class Flaw(NamedTuple):
    """One way in which a row can be wrong."""

    field: str
    reason: str
    broken: pl.Expr


# Stands for "cannot be read": the true reason is found for the few rows that have it.
_UNREAD = "UNREAD"


def validate(raw: pl.DataFrame, layout: Layout, terms: Terms, summed: tuple[str, ...] = ()) -> Validated:
    """Read and check rows: `raw` has row_no and String columns by the file's names (absent ones count as empty)."""
    frame = _parse(raw, layout, terms)
    flaws = [flaw for column in layout.columns for flaw in _flaws(column, terms)]
    flaws += [Flaw(*check) for check in layout.checks]
    first = pl.coalesce(
        *(pl.when(flaw.broken).then(pl.lit(n, pl.Int16)) for n, flaw in enumerate(flaws)), pl.lit(None, pl.Int16)
    )
    frame = frame.with_columns(first.alias("flaw"))
    bad = frame.filter(pl.col("flaw").is_not_null())
    valid = frame if bad.is_empty() else frame.filter(pl.col("flaw").is_null())
    return Validated(
        valid=valid.select("row_no", *(column.staged for column in layout.columns)),
        refused=_explain(bad, flaws, layout),
        sums={name: _sum(frame, layout, name) for name in summed},
    )


def _parse(raw: pl.DataFrame, layout: Layout, terms: Terms) -> pl.DataFrame:
    """Put cleaned texts (`raw.*`), amounts at four digits (`e4.*`) and staged values side by side."""
    cleaned = raw.select(
        "row_no", *(_cleaned(column, raw, terms).alias(_RAW + column.name) for column in layout.columns)
    )
    wide = cleaned.with_columns(
        parsing.parse_scaled(pl.col(_RAW + column.name), AMOUNT_SCALE).alias(_E4 + column.name)
        for column in layout.columns
        if column.kind is Kind.AMOUNT
    )
    return wide.with_columns(_parsed(column, terms).alias(column.staged) for column in layout.columns)


def _cleaned(column: Column, raw: pl.DataFrame, terms: Terms) -> pl.Expr:
    given = parsing.clean(pl.col(column.name)) if column.name in raw.columns else pl.lit(None, pl.String)
    default = terms.denom if column.name == "denom" else column.default
    return given if default is None else given.fill_null(default)


def _parsed(column: Column, terms: Terms) -> pl.Expr:
    text = pl.col(_RAW + column.name)
    match column.kind:
        case Kind.TEXT:
            return text
        case Kind.INT:
            return parsing.parse_int(text)
        case Kind.DATE:
            return parsing.parse_day(text)
        case Kind.INSTANT:
            return parsing.parse_instant(text)
        case Kind.DECIMAL:
            return parsing.parse_scaled(text, column.scale)
        case Kind.AMOUNT:
            return parsing.rescale(pl.col(_E4 + column.name), _divisor(terms))


def _divisor(terms: Terms) -> pl.Expr:
    """10^(4 - digits of the row's denom), null for an unknown denom."""
    divisors = {denom: 10 ** (AMOUNT_SCALE - digits) for denom, digits in terms.digits.items()}
    return pl.col(_RAW + "denom").replace_strict(divisors, default=None, return_dtype=pl.Int64)


def _flaws(column: Column, terms: Terms) -> list[Flaw]:
    raw, value = pl.col(_RAW + column.name), pl.col(column.staged)
    found = [Flaw(column.name, "MISSING_VALUE", raw.is_null())] if column.required else []
    if column.name == "denom":
        found.append(Flaw("denom", "UNKNOWN_DENOM", ~raw.is_in(list(terms.digits))))
    elif column.kind is Kind.TEXT:
        found += _text_flaws(column, value)
    else:
        readable = value.is_not_null()
        if column.kind is Kind.AMOUNT:  # an unknown denom is named as such, not as a bad amount
            readable = readable | (pl.col(_E4 + column.name).is_not_null() & _divisor(terms).is_null())
        found.append(Flaw(column.name, _UNREAD, raw.is_not_null() & ~readable))
        found += _bound_flaws(column, value, terms)
    return found


def _text_flaws(column: Column, value: pl.Expr) -> list[Flaw]:
    found = []
    if column.high is not None:
        found.append(Flaw(column.name, "TOO_LONG", value.str.len_chars() > column.high))
    if column.choices:
        found.append(Flaw(column.name, "UNKNOWN_VALUE", ~value.is_in(list(column.choices))))
    return found


def _bound_flaws(column: Column, value: pl.Expr, terms: Terms) -> list[Flaw]:
    if column.kind is Kind.DATE:
        low = value < pl.lit(column.low) if column.low is not None else pl.lit(False)
        last = None if column.high is None else terms.as_of_on + timedelta(days=column.high)
        high = value > pl.lit(last) if last is not None else pl.lit(False)
        return [Flaw(column.name, "DATE_OUT_OF_BOUNDS", low | high)]
    found = []
    if isinstance(column.low, int) and column.low >= 0:
        found.append(Flaw(column.name, "NEGATIVE_VALUE", value < 0))
    if isinstance(column.low, int):
        found.append(Flaw(column.name, "OUT_OF_BOUNDS", value < column.low))
    if column.high is not None:
        found.append(Flaw(column.name, "OUT_OF_BOUNDS", value > column.high))
    return found


def _explain(bad: pl.DataFrame, flaws: list[Flaw], layout: Layout) -> pl.DataFrame:
    """Turn flaw numbers into field and reason; say of unread values why they could not be read."""
    if bad.is_empty():
        return pl.DataFrame(schema=REFUSED)
    fields = pl.Series([flaw.field for flaw in flaws])
    reasons = pl.Series([flaw.reason for flaw in flaws])
    named = bad.with_columns(field=pl.lit(fields).gather("flaw"), reason=pl.lit(reasons).gather("flaw"))
    unread = pl.col("reason") == _UNREAD
    why = pl.coalesce(
        *(pl.when(unread & (pl.col("field") == c.name)).then(_why_unread(c)) for c in layout.columns), "reason"
    )
    return named.select("row_no", "field", reason=why)


def _why_unread(column: Column) -> pl.Expr:
    raw = pl.col(_RAW + column.name)
    match column.kind:
        case Kind.TEXT | Kind.DATE:
            return pl.lit("NOT_A_DATE")
        case Kind.INSTANT:
            return pl.lit("NOT_AN_INSTANT")
        case Kind.INT:
            return (
                pl.when(raw.str.contains(r"^[+-]?\d+$")).then(pl.lit("OUT_OF_BOUNDS")).otherwise(pl.lit("NOT_A_NUMBER"))
            )
        case Kind.DECIMAL | Kind.AMOUNT:
            lost = parsing.count_decimals(raw) > column.scale
            cut = lost | (pl.col(_E4 + column.name).is_not_null() if column.kind is Kind.AMOUNT else pl.lit(False))
            number = pl.when(cut).then(pl.lit("TOO_MANY_DIGITS")).otherwise(pl.lit("OUT_OF_BOUNDS"))
            return pl.when(parsing.is_number(raw)).then(number).otherwise(pl.lit("NOT_A_NUMBER"))


def _sum(frame: pl.DataFrame, layout: Layout, name: str) -> int:
    """Add up all numbers of a column that can be read, those of refused rows included."""
    column = next(c for c in layout.columns if c.name == name)
    values = frame[_E4 + name if column.kind is Kind.AMOUNT else column.staged]
    return int(values.cast(pl.Int128).sum() or 0)
