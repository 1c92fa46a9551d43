"""Tables: columns with words and kinds, filters, sorting, pages, and the address of every link they need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils.timezone import localtime

from recoup.database.listing import COUNTED_ROWS, Asked, Page, Row
from recoup.domains.parties.masking import mask_address, mask_name, mask_phone
from recoup.engine.figures import as_kwh, as_major, as_share
from recoup.labels import Labels, grouped, percent
from recoup.web.console.language import EN, Title, say

ROWS_A_PAGE = 50
PAGES_MAX = COUNTED_ROWS // ROWS_A_PAGE
# Kinds whose cells stand right and whose digits stand under one another.
NOTHING = Title("没有符合条件的记录。", "Nothing matches.")

NUMBERS = ("money", "count", "kwh", "percent", "number")


@dataclass(frozen=True)
class Column:
    """A column: key in the row, words, kind, whether it sorts, where a cell leads, words of coded values.

    Kinds: text, code, name, phone, address (the last three masked), money (minor units), kwh (watt-hours), percent
    (ppm), count, number, day, instant, yesno, mark (a coded value shown as a badge; `words` or the labels name it).
    A `narrow` column of a large book sorts only within a unit: over the whole it would keep the person waiting.
    """

    key: str
    zh: str
    en: str
    kind: str = "text"
    sortable: bool = False
    link: Callable[[Row], str | None] | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    tone: Callable[[Row], str] | None = None
    narrow: bool = False


@dataclass(frozen=True)
class Filter:
    """A filter above a table. Kinds: text, day, month, flag (a box), choice (with `choices` of value → words)."""

    key: str
    zh: str
    en: str
    kind: str = "text"
    choices: Mapping[str, Any] = field(default_factory=dict)
    default: str = ""


class Cell(NamedTuple):
    """One cell as it is shown."""

    text: str
    kind: str
    label: str
    href: str | None = None
    tone: str = ""


class Head(NamedTuple):
    """One heading, with the address that sorts by it and how it is sorted now."""

    text: str
    kind: str
    href: str | None
    sorted: str


@dataclass
class Table:
    """A table for `{% table table %}`: give rows alone, or rows with what was asked and how many there are."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    language: str
    digits: int = 2
    title: Title | None = None
    empty: Title = NOTHING
    asked: Asked | None = None
    total: int | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)
    filters: Sequence[Filter] = ()
    path: str = ""
    exports: bool = False
    note: Title | None = None
    region: str = "list"

    def heads(self) -> list[Head]:
        """The headings."""
        return [
            Head(
                self._word(column),
                column.kind,
                self._sort_address(column) if column.sortable and self.asked else None,
                self._sorted(column),
            )
            for column in self.columns
        ]

    def lines(self) -> list[list[Cell]]:
        """The rows as cells."""
        return [[self._cell(column, row) for column in self.columns] for row in self.rows]

    def sums(self) -> list[Cell]:
        """The totals under their columns; nothing when there are none."""
        if not self.totals:
            return []
        cells = [self._cell(c, self.totals) if c.key in self.totals else Cell("", c.kind, "") for c in self.columns]
        first = Cell("合计" if self.language != EN else "Total", "text", "")
        return [first if not cells[0].text else cells[0], *cells[1:]]

    def counted(self) -> str:
        """How many rows there are, in words."""
        zh = self.language != EN
        if self.total is None:
            return f"超过 {COUNTED_ROWS:,} 条" if zh else f"more than {COUNTED_ROWS:,}"
        return f"共 {self.total:,} 条" if zh else f"{self.total:,} in all"

    def page_number(self) -> int:
        """The page shown, from 1."""
        return self.asked.offset // self.asked.limit + 1 if self.asked else 1

    def previous(self) -> str | None:
        """The address of the page before."""
        return self.address(page=str(self.page_number() - 1)) if self.page_number() > 1 else None

    def following(self) -> str | None:
        """The address of the page after; after PAGES_MAX a filter helps more than turning."""
        if self.asked is None or self.page_number() >= PAGES_MAX:
            return None
        more = self.total is None or self.asked.offset + len(self.rows) < self.total
        return self.address(page=str(self.page_number() + 1)) if more else None

    def address(self, **changes: str) -> str:
        """This list's address with changes; empty values fall away."""
        kept: dict[str, str] = {}
        if self.asked is not None:
            kept = {**self.asked.filters, "sort": self.asked.sort, "order": "desc" if self.asked.descending else ""}
        chosen = {key: value for key, value in {**kept, **changes}.items() if value}
        return f"{self.path}?{urlencode(chosen)}" if chosen else self.path

    def fields(self) -> list[dict[str, Any]]:
        """The filters with their present values."""
        return [
            {
                "key": each.key,
                "kind": each.kind,
                "label": each.en if self.language == EN else each.zh,
                "value": self.asked.get(each.key) if self.asked else each.default,
                "choices": [(value, say(words, self.language)) for value, words in each.choices.items()],
            }
            for each in self.filters
        ]

    def is_filtered(self) -> bool:
        """Whether any filter is set away from its default."""
        return self.asked is not None and any(self.asked.get(each.key) != each.default for each in self.filters)

    def export_heads(self) -> list[str]:
        """The headings of an export."""
        return [self._word(column) for column in self.columns]

    def _word(self, column: Column) -> str:
        return column.en if self.language == EN else column.zh

    def _cell(self, column: Column, row: Mapping[str, Any]) -> Cell:
        text = show(row.get(column.key), column, self.language, self.digits)
        href = column.link(dict(row)) if column.link and text else None
        tone = column.tone(dict(row)) if column.tone else ""
        return Cell(text, column.kind, self._word(column), href, tone)

    def _sorted(self, column: Column) -> str:
        if self.asked is None or not column.sortable or self.asked.sort != column.key:
            return ""
        return "descending" if self.asked.descending else "ascending"

    def _sort_address(self, column: Column) -> str:
        down = self._sorted(column) == "ascending"
        return self.address(sort=column.key, order="desc" if down else "", page="")


def show(value: Any, column: Column, language: str, digits: int) -> str:
    """A value as a person reads it; masked where the kind says so."""
    plain = write(value, column, language, digits)
    match column.kind:
        case "money" | "kwh":
            return grouped(plain) if plain else ""
        case "percent":
            return percent(plain) if plain else ""
        case "count":
            return f"{int(plain):,}" if plain else ""
    return plain


def write(value: Any, column: Column, language: str, digits: int) -> str:
    """A value exactly, as an export holds it: no separators, days as 2025-12-31; masked where the kind says so."""
    if value is None or value == "":
        return ""
    exact: Mapping[str, Callable[[Any], str]] = {
        "money": lambda v: as_major(int(v), digits),
        "kwh": lambda v: as_kwh(int(v)),
        "percent": lambda v: as_share(int(v)) or "",
        "name": lambda v: mask_name(str(v)) or "",
        "phone": lambda v: mask_phone(str(v)) or "",
        "address": lambda v: mask_address(str(v)) or "",
    }
    if column.kind in exact:
        return exact[column.kind](value)
    if column.kind == "mark" or column.words:
        return name_code(str(value), column.words, language)
    return _write_plain(value, language)


def _write_plain(value: Any, language: str) -> str:
    if isinstance(value, Title):
        return value.say(language)
    if isinstance(value, bool):
        return ("yes" if value else "no") if language == EN else ("是" if value else "否")
    if isinstance(value, datetime):
        return (localtime(value) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M")
    return value.isoformat() if isinstance(value, date) else str(value)


def name_code(code: str, words: Mapping[str, Any], language: str) -> str:
    """A coded value in words: the column's own, else the labels', else the code."""
    if code in words:
        return say(words[code], language)
    return Labels("en" if language == EN else "zh")(code)


def read_asked(query: QueryDict, filters: Sequence[Filter], columns: Sequence[Column], sort: str) -> Asked:
    """What an address asks of a list; unknown names and pages out of bounds are left out. `sort` may be "-key"."""
    sortable = {column.key for column in columns if column.sortable}
    wanted = query.get("sort", "")
    chosen = wanted if wanted in sortable else sort.removeprefix("-")
    descending = query.get("order") == "desc" if wanted in sortable else sort.startswith("-")
    number = query.get("page", "1")
    page = min(max(int(number), 1), PAGES_MAX) if number.isascii() and number.isdigit() and len(number) < 9 else 1
    values = {each.key: _read_value(query, each) for each in filters}
    return Asked(values, chosen, descending, (page - 1) * ROWS_A_PAGE, ROWS_A_PAGE)


def _read_value(query: QueryDict, asked: Filter) -> str:
    value = query.get(asked.key, asked.default).strip().replace("\x00", "")[:200]
    if asked.kind == "choice" and value not in asked.choices:
        return asked.default
    if asked.kind == "flag":
        return "1" if value == "1" else ""
    if asked.kind in ("day", "month"):
        return value if _is_day(f"{value}-01" if asked.kind == "month" else value) else asked.default
    return value


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def as_table(page: Page, columns: Sequence[Column], asked: Asked, language: str, digits: int, **more: Any) -> Table:
    """The table of a page that `database.listing` read."""
    return Table(columns, page.rows, language, digits, asked=asked, total=page.total, totals=page.totals, **more)


def to_account(row: Row) -> str | None:
    """The address of the account page a row belongs to."""
    number = row.get("account_no")
    return reverse("console:account", args=[number]) if number else None


def to_bill(row: Row) -> str | None:
    """The address of a row's bill."""
    number = row.get("bill_no")
    return reverse("console:bill", args=[number]) if number else None
