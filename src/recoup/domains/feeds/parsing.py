"""Exact reading of text into scaled integers, days and instants; no float on the way.

Every function is an expression on a cleaned String column (stripped, empty is null) and gives null where the text
cannot be read.
"""

import polars as pl

# Blank, and what PostgreSQL writes for null.
_NOTHING = ("", "\\N")

# What would be read as zero once its digits are padded.
_NO_DIGIT = ("-", "+", ".", "-.", "+.")

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)$"


def clean(raw: pl.Expr) -> pl.Expr:
    """Strip a text; what is left of nothing is null."""
    stripped = raw.str.strip_chars()
    return pl.when(~stripped.is_in(_NOTHING)).then(stripped)


def parse_int(text: pl.Expr) -> pl.Expr:
    """Read a whole number as Int64."""
    return text.cast(pl.Int64, strict=False)


def parse_day(text: pl.Expr) -> pl.Expr:
    """Read YYYY-MM-DD as Date."""
    return text.str.to_date("%Y-%m-%d", strict=False)


def parse_instant(text: pl.Expr) -> pl.Expr:
    """Read an ISO instant with its offset as Datetime in UTC."""
    return text.str.replace(" ", "T", literal=True).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False)


def parse_scaled(text: pl.Expr, scale: int) -> pl.Expr:
    """Read a decimal number as Int64 of value x 10^scale; null when it has more digits than that.

    The digits are joined as text ("12.5" at scale 3 is "12" + "500"), so nothing is ever rounded.
    """
    parts = text.str.splitn(".", 2)
    whole = parts.struct.field("field_0")
    digits = parts.struct.field("field_1").fill_null("").str.strip_chars_end("0")
    joined = pl.concat_str(whole, digits.str.pad_end(scale, "0")).cast(pl.Int64, strict=False)
    fits = (digits.str.len_bytes() <= scale) & ~text.is_in(_NO_DIGIT)
    return pl.when(fits).then(joined)


def rescale(scaled: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    """Divide exactly by a power of ten; null where something would be lost."""
    return pl.when(scaled % divisor == 0).then(scaled // divisor)


def is_number(text: pl.Expr) -> pl.Expr:
    """Tell whether a text is a decimal number of any length."""
    return text.str.contains(_NUMBER)


def count_decimals(text: pl.Expr) -> pl.Expr:
    """Count the digits after the point that are not trailing zeros."""
    fraction = text.str.splitn(".", 2).struct.field("field_1").fill_null("")
    return fraction.str.strip_chars_end("0").str.len_chars()
