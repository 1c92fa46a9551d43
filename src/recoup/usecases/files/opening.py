"""From a file to tables with a mapping each: remembered for their shape, told by a person, or proposed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from recoup.domains.feeds import mappings
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.headings import (
    Heading,
    Proposal,
    SheetKind,
    find_missing,
    find_unit,
    kinds,
    propose,
    reads_as,
    simplify,
    words,
)
from recoup.domains.feeds.layouts import Kind
from recoup.domains.feeds.mapping import SheetMapping
from recoup.domains.feeds.shape import Table, find_as_of, find_stated_unit, find_table
from recoup.domains.feeds.sheets import Opened, Watch, open_file
from recoup.usecases.files.request import Asked, Question, Request

_NAMED_DAY = re.compile(r"(?<!\d)(20\d{2})[-_.年]?(0[1-9]|1[0-2])[-_.月]?([0-2]\d|3[01])日?(?!\d)")


class Sheet(NamedTuple):
    """One table of a file, ready to be read. `known` when its mapping was remembered for its shape."""

    table: Table
    kind: SheetKind
    mapping: SheetMapping
    feed: str
    known: bool
    proposal: Proposal | None = None

    @property
    def name(self) -> str:
        """The sheet's name."""
        return self.table.name


class Workbook(NamedTuple):
    """A file opened: its tables, the sheets without one, the hidden sheets (not read), the day it says it is of."""

    format: str
    sheets: tuple[Sheet, ...]
    without_table: tuple[str, ...]
    hidden: tuple[str, ...]
    as_of_on: date | None


def open_workbook(request: Request, watch: Watch) -> Workbook:
    """Read a file and find the mapping of every table in it; raise FileRefused, or Asked for what must be told."""
    opened = open_file(request.path)
    tables, without = _find_tables(opened, request, watch)
    if not tables:
        raise FileRefused(
            f"no heading found in {', '.join(without) or 'the file'}: a table needs a row with names such as 户号, "
            "收费日期, 实收金额. Say which heading is which with --map HEADING=field",
            f"{'、'.join(without) or '文件'}中没有找到表头：表格要有一行列名，例如 户号、收费日期、实收金额",
        )
    sheets = tuple(sorted((_map(table, request) for table in tables), key=_place))
    return Workbook(opened.format, sheets, without, opened.hidden, _find_day(request, tables))


def _place(sheet: Sheet) -> int:
    return list(kinds()).index(sheet.kind.name)


def _find_tables(opened: Opened, request: Request, watch: Watch) -> tuple[list[Table], tuple[str, ...]]:
    wanted = [name for name in opened.sheets if request.sheet in (None, name)]
    if not wanted:
        raise FileRefused(
            f"no sheet {request.sheet}: the file has {', '.join(opened.sheets)}",
            f"没有工作表 {request.sheet}：文件中有 {'、'.join(opened.sheets)}",
        )
    told = set(request.fields.values())
    tables, without = [], []
    for name in wanted:
        table = find_table(opened.read(name, watch), lambda shape: bool(mappings.find(shape, request.feed)), told)
        if table is None:
            without.append(name)
        else:
            tables.append(table)
    return tables, tuple(without)


def _map(table: Table, request: Request) -> Sheet:
    remembered = _recall(table, request)
    if remembered and not _says_more(request) and not request.exact:
        feed, mapping = remembered
        kind = kinds()[mapping.kind]
        _refuse_twice(table, mapping.fields.values())
        return Sheet(table, kind, mapping, feed, known=True)
    base = remembered[1] if remembered and not request.exact else None
    proposal = _propose(table, request, base)
    kind = proposal.kind
    constants = {**(base.constants if base else {}), **request.constants}
    mapping = SheetMapping(
        kind=kind.name, fields=dict(proposal.fields), constants=constants, units=_check_units(request, base)
    )
    feed = request.feed or (remembered[0] if remembered else kind.name)
    return Sheet(
        table, kind, mapping, feed, known=remembered is not None and mapping == remembered[1], proposal=proposal
    )


def _says_more(request: Request) -> bool:
    return bool(request.fields or request.constants or request.units)


def _recall(table: Table, request: Request) -> tuple[str, SheetMapping] | None:
    """The one mapping remembered for this shape; None when there is none, or several feeds have one."""
    found = [
        (feed, mapping)
        for feed, mapping in mappings.find(table.shape, request.feed)
        if request.kind in (None, mapping.kind)
    ]
    return found[0] if len(found) == 1 else None


def _refuse_twice(table: Table, keys: Iterable[str]) -> None:
    wanted = set(keys)
    for heading in table.headings:
        if heading.key in wanted and sum(other.key == heading.key for other in table.headings) > 1:
            raise FileRefused(
                f"the heading {heading.text} stands twice: rename one of the two in the file",
                f"列名 {heading.text} 出现两次：请在文件中改掉一个",
            )


def _propose(table: Table, request: Request, base: SheetMapping | None) -> Proposal:
    if request.kind is not None and request.kind not in kinds():
        raise FileRefused(f"unknown kind {request.kind}: one of {', '.join(kinds())}")
    chosen = {**(base.fields if base else {}), **_find_headings(table, request)}
    kind = request.kind or (base.kind if base else None)
    constants = {**(base.constants if base else {}), **request.constants}
    found = propose(() if request.exact else table.headings, kind, chosen, constants)
    if len(found) != 1:
        candidates = tuple(one.kind.name for one in found) or tuple(kinds())
        texts = tuple(heading.text for heading in table.headings)
        raise Asked(Question(table.name, texts, None, {}, candidates=candidates))
    _refuse_unknown_fields(found[0].kind, request)
    return found[0]


def _refuse_unknown_fields(kind: SheetKind, request: Request) -> None:
    extra = {"account_digits", "due_days"}
    unknown = [name for name in (*request.fields, *request.constants) if name not in kind.fields and name not in extra]
    if unknown:
        raise FileRefused(f"{kind.name} has no field {unknown[0]}: one of {', '.join(kind.fields)}")


def _find_headings(table: Table, request: Request) -> Mapping[str, str]:
    """The headings that a person named, as they are compared."""
    chosen = {}
    for name, text in request.fields.items():
        wanted = simplify(text)
        found = [h for h in table.headings if wanted in (h.key, simplify(h.text))]
        found = found or [h for h in table.headings if wanted in (simplify(h.lower), simplify(h.upper))]
        if len(found) != 1:
            told = "is not there" if not found else "stands several times"
            listed = ", ".join(heading.text for heading in table.headings)
            raise FileRefused(f"{table.name}: the heading {text} {told}; the headings are: {listed}")
        chosen[name] = found[0].key
    return chosen


def _check_units(request: Request, base: SheetMapping | None) -> Mapping[str, str]:
    units = dict(base.units if base else {})
    for name, text in request.units.items():
        unit = find_unit(text)
        if unit is None:
            listed = ", ".join(unit for group in words().units.values() for unit in group)
            raise FileRefused(f"unknown unit {text}: one of {listed}")
        units[name] = unit
    return units


def find_questions(sheet: Sheet) -> Asked | None:
    """What a person must still say before a sheet can be loaded; None when nothing is open."""
    given = set(sheet.mapping.fields) | set(sheet.mapping.constants)
    missing = find_missing(sheet.kind, given)
    ambiguous = sheet.proposal.ambiguous if sheet.proposal else ()
    if not missing and not ambiguous:
        return None
    return Asked(ask(sheet, tuple(missing), ambiguous))


def ask(sheet: Sheet, missing: tuple[str, ...], ambiguous: tuple[str, ...] = ()) -> Question:
    """A question about a sheet, with what is settled."""
    fields = {name: heading.text for name in sheet.mapping.fields if (heading := heading_of(sheet, name))}
    texts = tuple(heading.text for heading in sheet.table.headings)
    return Question(sheet.name, texts, sheet.kind.name, fields, missing, ambiguous)


def unit_of(sheet: Sheet, name: str) -> str | None:
    """The unit a column is written in: told by a person, by its heading, or above the table; they may not differ."""
    heading = heading_of(sheet, name)
    money = reads_as(sheet.kind, name) is Kind.AMOUNT
    told = sheet.mapping.units.get(name)
    stated = (heading.unit if heading else None) or (find_stated_unit(sheet.table.above) if money else None)
    if told and stated and _power(told) != _power(stated):
        raise FileRefused(
            f"{sheet.name}: {name} was mapped as {told}, and the file says {stated}: map it again",
            f"{sheet.name}：{name} 记住的单位是{told}，文件上写的是{stated}：请重新对应",
        )
    return told or stated


def heading_of(sheet: Sheet, name: str) -> Heading | None:
    """The heading that a field is read from."""
    key = sheet.mapping.fields.get(name)
    return next((heading for heading in sheet.table.headings if heading.key == key), None) if key else None


def _power(unit: str) -> int | None:
    return next((powers[unit] for powers in words().units.values() if unit in powers), None)


def power_of(sheet: Sheet, name: str) -> int:
    """By how many places the point of a column moves right."""
    unit = unit_of(sheet, name)
    return (_power(unit) if unit else 0) or 0


def _find_day(request: Request, tables: Sequence[Table]) -> date | None:
    """The day a file is of: what the texts above its tables say, else the day in its name."""
    stated = {day for table in tables if (day := find_as_of(table.above))}
    if len(stated) == 1:
        return stated.pop()
    named = {found.groups() for found in _NAMED_DAY.finditer(request.name)}
    try:
        return date(*(int(part) for part in named.pop())) if len(named) == 1 and not stated else None
    except ValueError:
        return None
