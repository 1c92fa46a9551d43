"""What a sheet leaves unsaid and its other columns say: dates, open amounts, keys, contracts of accounts.

All columns are texts as the layouts read them. Nothing is invented: a rule takes what another column states.
"""

import re
from collections.abc import Mapping

import polars as pl

from recoup.domains.feeds import parsing
from recoup.domains.feeds.headings import SheetKind, words
from recoup.domains.feeds.layouts import AMOUNT_SCALE

_SHORTEST_FIRM = 4


def derive(kind: SheetKind, texts: pl.DataFrame) -> pl.DataFrame:
    """Add the fields that the kind of sheet makes out of others."""
    rows = _derive_amounts(texts) if kind.name == "open_items" else texts
    rows = _derive_due_day(rows)
    rows = _take_same(kind, rows)
    rows = _derive_customer(rows) if kind.name == "customers" else rows
    return _make_keys(kind, rows)


def find_flaws(kind: SheetKind, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose columns contradict each other: row_no, field, reason."""
    if kind.name == "open_items" and {"amount", "paid", "open"} <= set(rows.columns):
        owed, paid, left = (parsing.parse_scaled(pl.col(n), AMOUNT_SCALE) for n in ("amount", "paid", "open"))
        wrong = rows.filter((owed - paid.fill_null(0) != left).fill_null(False))
        return wrong.select("row_no", field=pl.lit("open"), reason=pl.lit("SUM_DIFFERS"))
    return rows.clear().select("row_no", field=pl.lit(""), reason=pl.lit(""))


def _derive_amounts(rows: pl.DataFrame) -> pl.DataFrame:
    """open = amount − paid; amount = open + paid; exact, and only where both can be read."""
    have = set(rows.columns)
    paid = parsing.parse_scaled(pl.col("paid"), AMOUNT_SCALE).fill_null(0) if "paid" in have else pl.lit(0)
    if "open" not in have and {"amount", "paid"} <= have:
        owed = parsing.parse_scaled(pl.col("amount"), AMOUNT_SCALE)
        return rows.with_columns(open=_write_scaled(owed - paid))
    if "amount" not in have and "open" in have:
        left = parsing.parse_scaled(pl.col("open"), AMOUNT_SCALE)
        return rows.with_columns(amount=pl.coalesce(_write_scaled(left + paid), "open"))
    return rows


def _write_scaled(value: pl.Expr) -> pl.Expr:
    """A number at four digits as a decimal text."""
    size = 10**AMOUNT_SCALE
    whole, rest = value.abs() // size, value.abs() % size
    sign = pl.when(value < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, whole.cast(pl.String), pl.lit("."), rest.cast(pl.String).str.zfill(AMOUNT_SCALE))


def _derive_due_day(rows: pl.DataFrame) -> pl.DataFrame:
    """The due day is so many days after the issue, where the sheet has none."""
    if "due_on" in rows.columns or not {"due_days", "issued_on"} <= set(rows.columns):
        return rows
    issued = parsing.parse_day(pl.col("issued_on"))
    due = issued + pl.duration(days=parsing.parse_int(pl.col("due_days")))
    return rows.with_columns(due_on=due.cast(pl.Date).dt.strftime("%Y-%m-%d"))


def _take_same(kind: SheetKind, rows: pl.DataFrame) -> pl.DataFrame:
    for name, others in kind.same.items():
        there = [other for other in others if other in rows.columns]
        if name not in rows.columns and there:
            rows = rows.with_columns(pl.coalesce(there).alias(name))
    return rows


def _derive_customer(rows: pl.DataFrame) -> pl.DataFrame:
    """A party is a firm when its name ends like one; a sheet that says it is believed."""
    if "kind" in rows.columns or "name" not in rows.columns:
        return rows
    ends = "|".join(map(re.escape, words().firms))
    name = pl.col("name").str.replace(r"[（(].*[)）]$", "").str.strip_chars()
    firm = name.str.contains(rf"(?i)({ends})\.?$") & (name.str.len_chars() >= _SHORTEST_FIRM)
    return rows.with_columns(kind=pl.when(firm).then(pl.lit("FIRM")).otherwise(pl.lit("PERSON")))


def _make_keys(kind: SheetKind, rows: pl.DataFrame) -> pl.DataFrame:
    """A key that the sheet lacks is made of columns that together name the row, the first form that has them all."""
    for name, forms in kind.keys.items():
        if name in rows.columns:
            continue
        made = [_fill(form) for form in forms if set(re.findall(r"{(\w+)}", form)) <= set(rows.columns)]
        if made:
            rows = rows.with_columns(pl.coalesce(made).alias(name))
    return rows


def _fill(form: str) -> pl.Expr:
    """A form with its fields filled in; null where one of them is."""
    pieces = re.split(r"{(\w+)}", form)
    parts = [pl.col(piece) if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces) if piece]
    return pl.concat_str(parts)


def day_field(kind: SheetKind, columns: Mapping[str, object] | list[str]) -> str | None:
    """The day of a row on which its contract is looked for."""
    ways = ("value_on", "issued_on", "sent_on", "valid_from", "due_on")
    return next((name for name in ways if name in columns and (name in kind.fields or name == "due_on")), None)
