"""Reading cells of clerks' sheets into the texts that our layouts read: exact, by expressions on a column of cells.

What a person means is taken (1,234.50 · ￥12元 · （3.2） · 2025年3月1日 · 20250301 · 45717), what is ambiguous is left
as it stands, so that validation refuses it. A number as a key is taken only when no digit can be missing.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.domains.feeds.layouts import Kind
from recoup.domains.feeds.sheets import DAY, NUMBER

# Digits that a spreadsheet keeps of a number, and the least length at which it shows 1.23457E+12.
EXACT_DIGITS = 15
_SHOWN_DIGITS, _SCIENTIFIC_FROM = 6, 12

_SERIAL_ZERO = date(1899, 12, 30)
_SERIALS = (20_000, 80_000)

_UNSEEN = "[\u200b-\u200f\u2060\ufeff]"
_NOTHING = ["", "-", "--", "—", "——", "–", "/", "\\", "\\N"]
_SCIENTIFIC = r"^[+-]?\d(\.\d+)?[eE]\+?\d+$"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)$"
_THOUSANDS = r"^[+-]?\d{1,3}([, ]\d{3})+(\.\d*)?$"
_FULL_DAY = r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T].*)?$"
_TIGHT_DAY = r"^(\d{4})(\d{2})(\d{2})(?:\d{6}|[ T].*)?$"
_MONTH = r"^(\d{4})[-/.年](\d{1,2})月?$"
_TIGHT_MONTH = r"^(\d{4})(\d{2})$"

DIGITS_LOST, WRONG_LENGTH, NUMBER_AS_KEY = "DIGITS_LOST", "WRONG_LENGTH", "NUMBER_AS_KEY"


class Read(NamedTuple):
    """The text that the layout reads, and what may be wrong with a cell: reason and condition, in order."""

    value: pl.Expr
    flaws: tuple[tuple[str, pl.Expr], ...] = ()


def strip_mark(cell: pl.Expr) -> pl.Expr:
    """The text of a cell without the mark of its kind."""
    return cell.str.strip_prefix(NUMBER).str.strip_prefix(DAY)


def is_number(cell: pl.Expr) -> pl.Expr:
    """Whether the spreadsheet keeps a number there."""
    return cell.str.starts_with(NUMBER)


def _plain(cell: pl.Expr) -> pl.Expr:
    """NFKC (full-width digits become digits), without marks and characters that nobody sees; nothing is null."""
    text = strip_mark(cell).str.normalize("NFKC").str.replace_all(_UNSEEN, "")
    text = text.str.replace_all(r"[\x00-\x1f\x7f\u00a0\u3000]+", " ").str.strip_chars()
    text = text.str.replace(r'^="(.*)"$', "$1").str.strip_prefix("'").str.strip_chars()
    return pl.when(~text.is_in(_NOTHING)).then(text)


def read_text(cell: pl.Expr) -> Read:
    """Prose: names, addresses. Line breaks become spaces; full-width brackets and letters stay."""
    text = strip_mark(cell).str.replace_all(_UNSEEN, "").str.replace_all(r"[\x00-\x1f\x7f\u00a0\u3000]+", " ")
    text = text.str.strip_chars()
    return Read(pl.when(text != "").then(text))


def read_key(cell: pl.Expr, *, lengths: Sequence[int] = (), tight: bool = False) -> Read:
    """A number or code that names something. `lengths`: digits that one stored as a number must have."""
    text = _plain(cell)
    if tight:
        text = text.str.replace_all(r"\s+", "")
    number = is_number(cell)
    digits = text.str.len_chars()
    whole = text.str.contains(r"^\d+$")
    cut = text.str.slice(_SHOWN_DIGITS).str.contains(r"^0+$") & (digits >= _SCIENTIFIC_FROM)
    lost = text.str.contains(_SCIENTIFIC) | (number & whole & (cut | (digits > EXACT_DIGITS)))
    flaws = [(DIGITS_LOST, lost), (NUMBER_AS_KEY, (number & ~whole) | cell.str.starts_with(DAY))]
    if lengths:
        flaws.append((WRONG_LENGTH, number & ~digits.is_in(list(lengths))))
    return Read(text, tuple(flaws))


def read_number(cell: pl.Expr, *, shift: int = 0, kind: Kind = Kind.DECIMAL, rate: bool = False) -> Read:
    """A number, its point moved right by `shift` places: the unit it is written in. No digit is dropped.

    A `rate` may be written in per cent.
    """
    text = _plain(cell)
    text = (
        text.str.replace(r"^(?i:rmb|cny|¥)\s*", "").str.replace(r"^\((.*)\)$", "-$1").str.replace(r"^([+-])¥\s*", "$1")
    )
    big = text.str.contains(r"万(元|千瓦时|度|kWh)?$") & pl.lit(shift == 0)
    text = text.str.replace(r"(?i)\s*(万?(元整?|圆|千瓦时|度|kwh)|万)$", "")
    if kind is Kind.INT:
        text = text.str.replace("[日天号月人户级次笔]$", "")
    percent = text.str.ends_with("%") & pl.lit(rate)
    if rate:
        text = text.str.strip_suffix("%").str.strip_suffix("‰")
    text = pl.when(text.str.contains(_THOUSANDS)).then(text.str.replace_all("[, ]", "")).otherwise(text)
    lost = text.str.contains(_SCIENTIFIC)
    moved = pl.when(big).then(move_point(text, 4)).when(percent & pl.lit(shift == 0)).then(move_point(text, 1))
    return Read(moved.otherwise(move_point(text, shift)), ((DIGITS_LOST, lost),))


def move_point(text: pl.Expr, places: int) -> pl.Expr:
    """A decimal text times 10^places, exactly; a text that is no number stays as it is."""
    if places == 0:
        return text
    sign = text.str.extract("^([+-])").fill_null("")
    parts = text.str.strip_chars_start("+-").str.splitn(".", 2)
    whole = parts.struct.field("field_0")
    fraction = parts.struct.field("field_1").fill_null("")
    if places > 0:
        padded = fraction.str.pad_end(places, "0")
        moved = pl.concat_str(sign, whole, padded.str.slice(0, places), pl.lit("."), padded.str.slice(places))
    else:
        padded = whole.str.zfill(1 - places)
        moved = pl.concat_str(sign, padded.str.head(places), pl.lit("."), padded.str.tail(-places), fraction)
    return pl.when(text.str.contains(_NUMBER)).then(moved.str.strip_suffix(".")).otherwise(text)


def read_day(cell: pl.Expr, *, month: bool = False) -> Read:
    """A day as YYYY-MM-DD; with `month` also a month, by its first day."""
    text = _plain(cell)
    forms = [_join_day(text, _FULL_DAY), _join_day(text, _TIGHT_DAY), _from_serial(text)]
    if month:
        forms += [_join_day(text, _MONTH), _join_day(text, _TIGHT_MONTH)]
    return Read(pl.coalesce(*forms, text))


def _join_day(text: pl.Expr, form: str) -> pl.Expr:
    parts = text.str.extract_groups(form)
    year, month, *day = (parts.struct.field(str(n + 1)).str.zfill(width) for n, width in _widths(form))
    return pl.concat_str([year, month, *(day or [pl.lit("01")])], separator="-")


def _widths(form: str) -> list[tuple[int, int]]:
    return [(0, 4), (1, 2)] if form in (_MONTH, _TIGHT_MONTH) else [(0, 4), (1, 2), (2, 2)]


def _from_serial(text: pl.Expr) -> pl.Expr:
    """The day that a spreadsheet's serial number means."""
    serial = text.str.extract(r"^(\d{5})(?:\.\d+)?$").cast(pl.Int32, strict=False)
    day = pl.lit(_SERIAL_ZERO) + pl.duration(days=serial)
    return pl.when(serial.is_between(*_SERIALS)).then(day.cast(pl.Date).dt.strftime("%Y-%m-%d"))


def read_code(read: Read, codes: Mapping[str, str]) -> Read:
    """A code by what clerks write for it; a text that stands for none stays as it is."""
    plain = read.value.str.normalize("NFKC").str.strip_chars().str.to_lowercase()
    return Read(plain.replace_strict(dict(codes), default=read.value, return_dtype=pl.String), read.flaws)
