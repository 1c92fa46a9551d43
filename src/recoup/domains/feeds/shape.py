"""The shape of a clerk's sheet: where its heading stands, and which rows below it are rows of the table.

Everything a sheet holds is accounted for: each row is data, blank, a total, a note, or the heading again.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.domains.feeds import cells
from recoup.domains.feeds.headings import Heading, find_unit, known_headings, simplify, split_heading, words
from recoup.domains.feeds.mapping import name_shape
from recoup.domains.feeds.sheets import NUMBER, Grid

# How far down a heading is looked for.
_SEARCHED_ROWS = 40
_LEAST_KNOWN = 2

DATA, BLANK, TOTAL, NOTE, REPEATED = "DATA", "BLANK", "TOTAL", "NOTE", "REPEATED"

_ACCOUNT_LIKE = r"^[0-9A-Za-z][0-9A-Za-z_\-]{3,}$"
_ANY_DAY = re.compile(r"(\d{4})\s*[-/.年]?\s*(\d{1,2})\s*[-/.月]?\s*(\d{1,2})\s*日?(?!\d)")
_RANGE_END = re.compile(r"\s*(至|到|~|-+|—+|to)\s*")


class Table(NamedTuple):
    """A sheet with its heading found: headings by place, the rows below it, and the texts above it.

    `fields` is how many fields the heading's line has in a text file; null in a workbook.
    """

    name: str
    headings: tuple[Heading, ...]
    heading_rows: tuple[int, ...]
    rows: pl.DataFrame
    above: tuple[str, ...]
    fields: int | None = None

    @property
    def shape(self) -> str:
        """The name of its set of headings."""
        return name_shape(heading.key for heading in self.headings)

    @property
    def width(self) -> int:
        """Columns up to the last heading."""
        return max((heading.place for heading in self.headings), default=-1) + 1


class Roles(NamedTuple):
    """Columns (c0, c1, …) by what they say of a row: what it is about, its numbers and days, all that are mapped."""

    keys: tuple[str, ...]
    measures: tuple[str, ...]
    mapped: tuple[str, ...]


def find_table(grid: Grid, is_remembered: Callable[[str], bool], told: Collection[str] = ()) -> Table | None:
    """Find the heading: a remembered set of headings, else the row with the most that are known; None without one.

    `told` are headings that a person named: they are known too.
    """
    top = grid.cells.head(_SEARCHED_ROWS + 1).select(grid.columns).rows()
    tables = [made for row in range(min(len(top), _SEARCHED_ROWS)) for made in _read_headings(grid, top, row)]
    known = [table for table in tables if is_remembered(table.shape)]
    if known:
        return max(known, key=lambda table: len(table.headings))
    meant = known_headings() | {simplify(text) for text in told}
    best = max(tables, key=lambda table: (_count_known(table, meant), -len(table.heading_rows)), default=None)
    return best if best is not None and _count_known(best, meant) >= _LEAST_KNOWN else None


def _count_known(table: Table, meant: Collection[str]) -> int:
    """How many different headings mean something: a row of titles above a heading adds none."""
    return len(
        {
            heading.key
            for heading in table.headings
            if {heading.key, simplify(heading.lower), simplify(heading.upper)} & set(meant)
        }
    )


def _read_headings(grid: Grid, top: Sequence[tuple[str | None, ...]], row: int) -> list[Table]:
    """The heading that begins in a row: of two rows where the next goes on with it, else of one."""
    first = top[row]
    if _holds_number(first) or not any(first):
        return []
    made = []
    if row + 1 < len(top) and _continues(first, top[row + 1]):
        made.append(_make_table(grid, top, (row, row + 1), _join_rows(first, top[row + 1])))
    made.append(_make_table(grid, top, (row,), [(cell or "", "") for cell in first]))
    return [table for table in made if table.headings]


def _holds_number(row: Sequence[str | None]) -> bool:
    return any(cell and cell[0] < " " for cell in row)


def _continues(upper: Sequence[str | None], lower: Sequence[str | None]) -> bool:
    """Whether a row is the second row of a heading: words only, and some below a gap of the row above."""
    words_only = not _holds_number(lower) and not any(cell and re.search(r"\d", cell) for cell in lower)
    return words_only and any(below and not above for above, below in zip(upper, lower, strict=True))


def _join_rows(upper: Sequence[str | None], lower: Sequence[str | None]) -> list[tuple[str, str]]:
    """Pairs of upper and lower text; an upper text reaches right, over the gaps that have a lower text."""
    pairs: list[tuple[str, str]] = []
    reaching = ""
    for above, below in zip(upper, lower, strict=True):
        reaching = above or (reaching if below else "")
        pairs.append((reaching, below or ""))
    return pairs


def _make_table(
    grid: Grid, top: Sequence[tuple[str | None, ...]], rows: tuple[int, ...], pairs: Sequence[tuple[str, str]]
) -> Table:
    headings = [split_heading(place, upper, lower) for place, (upper, lower) in enumerate(pairs) if upper or lower]
    above = tuple(" ".join(filter(None, row)) for row in top[: rows[0]] if any(row))
    numbers = grid.cells["row_no"]
    below = grid.cells.slice(rows[-1] + 1)
    return Table(
        grid.name,
        tuple(heading for heading in headings if heading.key),
        tuple(numbers[row] for row in rows),
        below,
        above,
        grid.cells["width"][rows[-1]],
    )


def classify(table: Table, roles: Roles) -> pl.DataFrame:
    """The rows below the heading with `row_kind` (DATA, BLANK, TOTAL, NOTE, REPEATED)."""
    columns = [name for name in table.rows.columns if name not in ("row_no", "width")]
    within = [name for name in columns if int(name[1:]) < table.width]
    filled = pl.sum_horizontal(pl.col(name).is_not_null() for name in columns) if columns else pl.lit(0)
    kind = (
        pl.when(filled == 0)
        .then(pl.lit(BLANK))
        .when(_is_total(within, roles))
        .then(pl.lit(TOTAL))
        .when(_is_heading(table))
        .then(pl.lit(REPEATED))
        .when(_is_note(columns, roles))
        .then(pl.lit(NOTE))
        .otherwise(pl.lit(DATA))
    )
    return table.rows.with_columns(row_kind=kind)


def _simple(name: str) -> pl.Expr:
    return pl.col(name).str.normalize("NFKC").str.replace_all(r"[\s:：()（）、.]+", "").str.to_lowercase()


def _is_total(columns: Sequence[str], roles: Roles) -> pl.Expr:
    """A word for a total somewhere, and no key of a row."""
    listed = "|".join(sorted(map(re.escape, words().totals), key=len, reverse=True))
    said = [
        _simple(name).str.contains(rf"^({listed})(\d+[户笔条行])?(元|rmb)?$|^[^\d]{{1,10}}(小计|合计)$")
        for name in columns
    ]
    return pl.any_horizontal(one.fill_null(False) for one in said) & ~_has_key(roles) if said else pl.lit(False)


def is_part_total() -> pl.Expr:
    """Whether a totals row adds up only the rows since the one before (小计, a page)."""
    texts = pl.concat_str(pl.selectors.matches(r"^c\d+$"), ignore_nulls=True)
    return texts.str.replace_all(r"\s+", "").str.contains("(?i)小计|本页|subtotal|pagetotal")


def _has_key(roles: Roles) -> pl.Expr:
    found = [
        cells.strip_mark(pl.col(name)).str.normalize("NFKC").str.strip_chars(" '\t=\"").str.contains(_ACCOUNT_LIKE)
        & ~_simple(name).is_in(list(words().totals))
        for name in roles.keys
    ]
    return pl.any_horizontal(one.fill_null(False) for one in found) if found else pl.lit(False)


def _is_heading(table: Table) -> pl.Expr:
    """The heading again, as printed on every page."""
    same = [
        pl.col(f"c{h.place}")
        .str.replace_all(r"\s+", "")
        .is_in([re.sub(r"\s+", "", t) for t in (h.lower, h.upper) if t])
        for h in table.headings
        if f"c{h.place}" in table.rows.columns
    ]
    filled = pl.sum_horizontal(one.fill_null(False).cast(pl.Int32) for one in same)
    empty = pl.all_horizontal(
        (pl.col(f"c{h.place}").is_null() | one.fill_null(False))
        for h, one in zip([h for h in table.headings if f"c{h.place}" in table.rows.columns], same, strict=True)
    )
    return empty & (filled >= _LEAST_KNOWN)


def _is_note(columns: Sequence[str], roles: Roles) -> pl.Expr:
    """Words beside or under the table: no key, no number, no day; at most one cell of it, or said to be a note."""
    mapped = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int32) for name in roles.mapped)
    measured = (
        pl.any_horizontal(
            (
                pl.col(name).str.contains(f"^[{NUMBER}\x03]")
                | pl.col(name)
                .str.normalize("NFKC")
                .str.replace_all(r"[,\s¥元]", "")
                .str.contains(r"^[+-]?\d+(\.\d+)?$")
                | cells.read_day(pl.col(name)).value.str.contains(r"^\d{4}-\d{2}-\d{2}$")
            ).fill_null(False)
            for name in roles.measures
        )
        if roles.measures
        else pl.lit(False)
    )
    begins = "|".join(map(re.escape, words().notes))
    said = pl.any_horizontal(
        pl.col(name).str.strip_chars().str.contains(rf"(?i)^({begins}).*|[:：]").fill_null(False) for name in columns
    )
    return ~_has_key(roles) & ~measured & ((mapped <= 1) | said)


def find_as_of(texts: Sequence[str]) -> date | None:
    """The day that the texts above a table say it was drawn up to, when they say one."""
    begins = "|".join(map(re.escape, words().as_of))
    found = set()
    for text in texts:
        plain = unicodedata.normalize("NFKC", text)
        for told in re.finditer(rf"(?i)(?:{begins})[^\d]{{0,8}}", plain):
            day = _ANY_DAY.match(plain, told.end())
            if day and (last := _RANGE_END.match(plain, day.end())):
                day = _ANY_DAY.match(plain, last.end())
            if day:
                found |= _make_day(day)
    return found.pop() if len(found) == 1 else None


def _make_day(found: re.Match[str]) -> set[date]:
    try:
        return {date(*(int(part) for part in found.groups()))}
    except ValueError:
        return set()


def find_stated_unit(texts: Sequence[str]) -> str | None:
    """The unit of money that the texts above a table state (单位：万元)."""
    found = set()
    for text in texts:
        for told in re.findall(r"单位\s*[:：]\s*([^\s,，;；)）]+)", text):
            unit = find_unit(told)
            if unit in words().units["money"]:
                found.add(unit)
    return found.pop() if len(found) == 1 else None
