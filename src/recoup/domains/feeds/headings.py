"""Which heading of a clerk's sheet means which of our fields: synonyms as data (headings.yaml), proposals from them.

A heading is compared without spaces, punctuation, letter case and units. Of a heading in two rows the whole is tried
first, then its lower and its upper part. What two fields or two headings claim is not guessed: it is asked.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from recoup.domains.feeds.layouts import LAYOUTS, Column, Kind, required_columns

_BRACKETS = re.compile(r"[(\[【]([^)\]】]*)[)\]】]")
_DROPPED = re.compile(r"[\s:;,.*_\-/\\、。·‘’“”'\"()\[\]【】#|]+")


class Field(NamedTuple):
    """A column of a kind of sheet: its titles, the headings that mean it, whether it is a month."""

    name: str
    zh: str
    en: str
    headings: frozenset[str]
    month: bool = False


class Part(NamedTuple):
    """Rows of one entity that a kind of sheet makes; `of` says which unit of the row (station, district)."""

    entity: str
    of: str = ""


class SheetKind(NamedTuple):
    """A kind of sheet a clerk keeps, and how its columns become those of our layouts."""

    name: str
    zh: str
    en: str
    parts: tuple[Part, ...]
    fields: Mapping[str, Field]
    asked: tuple[str, ...]
    constants: Mapping[str, str]
    same: Mapping[str, tuple[str, ...]]
    keys: Mapping[str, tuple[str, ...]]
    watched: bool


class Words(NamedTuple):
    """Words that say what a row or a heading is, and how clerks write codes and units."""

    totals: frozenset[str]
    notes: tuple[str, ...]
    as_of: tuple[str, ...]
    firms: tuple[str, ...]
    units: Mapping[str, Mapping[str, int]]
    values: Mapping[str, Mapping[str, str]]


class Heading(NamedTuple):
    """A column's heading as it stands: upper part (of two rows), lower part, the unit it names, its place."""

    place: int
    upper: str
    lower: str
    unit: str | None

    @property
    def text(self) -> str:
        """The heading as a person reads it."""
        return f"{self.upper}·{self.lower}" if self.upper and self.lower else self.upper or self.lower

    @property
    def key(self) -> str:
        """The heading as it is compared and remembered."""
        return simplify(self.upper) + simplify(self.lower)


class Proposal(NamedTuple):
    """A kind with headings for its fields; what is missing, and what more than one heading or field claims."""

    kind: SheetKind
    fields: Mapping[str, str]
    missing: tuple[str, ...]
    ambiguous: tuple[str, ...]


def simplify(text: str) -> str:
    """A heading as it is compared: NFKC, no unit in brackets, no spaces or punctuation, small letters."""
    plain = unicodedata.normalize("NFKC", text)
    without = _BRACKETS.sub(lambda found: "" if find_unit(found[1]) else found[1], plain)
    return _DROPPED.sub("", without).casefold()


def name_unit(text: str) -> str | None:
    """The unit that a heading names in brackets (万元, kWh), as it is known here."""
    for inside in _BRACKETS.findall(unicodedata.normalize("NFKC", text)):
        if unit := find_unit(inside):
            return unit
    return None


def find_unit(text: str) -> str | None:
    """A text that is a unit and nothing else, as the list writes it."""
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold().removeprefix("单位:")
    return plain if any(plain in units for units in words().units.values()) else None


def split_heading(place: int, upper: str, lower: str) -> Heading:
    """Make a heading of its one or two texts."""
    return Heading(place, " ".join(upper.split()), " ".join(lower.split()), name_unit(lower) or name_unit(upper))


@cache
def _document() -> Mapping[str, Any]:
    text = files("recoup.domains.feeds").joinpath("headings.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


@cache
def words() -> Words:
    """The words that do not depend on the kind of sheet."""
    document = _document()
    told = document["words"]
    return Words(
        totals=frozenset(_DROPPED.sub("", word).casefold() for word in told["totals"]),
        notes=tuple(told["notes"]),
        as_of=tuple(told["as_of"]),
        firms=tuple(told["firms"]),
        units=document["units"],
        values={
            name: {_plain(text): code for text, code in codes.items()} for name, codes in document["values"].items()
        },
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


@cache
def kinds() -> Mapping[str, SheetKind]:
    """Every kind of sheet, by name, in the order in which they are loaded."""
    document = _document()
    made = [_read_kind(told, document["common"]) for told in document["kinds"]]
    order = {entity: place for place, entity in enumerate(LAYOUTS)}
    return {kind.name: kind for kind in sorted(made, key=lambda kind: order[kind.parts[0].entity])}


def _read_kind(told: Mapping[str, Any], common: Mapping[str, Any]) -> SheetKind:
    return SheetKind(
        name=told["kind"],
        zh=told["title"]["zh"],
        en=told["title"]["en"],
        parts=tuple(Part(**part) for part in told["parts"]),
        fields={name: _read_field(name, {**common.get(name, {}), **own}) for name, own in told["fields"].items()},
        asked=tuple(told.get("asked", ())),
        constants=told.get("constants", {}),
        same={name: tuple(others) for name, others in told.get("same", {}).items()},
        keys={name: tuple(forms) for name, forms in told.get("keys", {}).items()},
        watched=told.get("watched", True),
    )


def _read_field(name: str, told: Mapping[str, Any]) -> Field:
    also = (name, told["zh"], told["en"], *told.get("also", ()))
    return Field(name, told["zh"], told["en"], frozenset(simplify(word) for word in also), told.get("month", False))


def column_of(kind: SheetKind, name: str) -> Column | None:
    """The layout's column of a field; None for one of a sheet only (account_no of a payment, paid, station)."""
    for part in kind.parts:
        if part.of:
            continue
        for column in LAYOUTS[part.entity].columns:
            if column.name == name:
                return column
    return None


def reads_as(kind: SheetKind, name: str) -> Kind:
    """How a field is written."""
    column = column_of(kind, name)
    if column is not None:
        return column.kind
    return Kind.AMOUNT if name == "paid" else Kind.INT if name == "due_days" else Kind.TEXT


def required_fields(kind: SheetKind) -> list[str]:
    """Fields that a sheet of this kind must have, or be told, for its rows to be loaded."""
    needed = dict.fromkeys(
        name for part in kind.parts if not part.of for name in required_columns(LAYOUTS[part.entity])
    )
    return [name for name in needed if name not in _MADE.get(kind.name, ())]


# Fields that are made where a sheet lacks them, by rules that `usecases.files` holds.
_MADE: Mapping[str, tuple[str, ...]] = {"customers": ("kind", "jurisdiction")}


def find_missing(kind: SheetKind, given: set[str]) -> list[str]:
    """Required fields that neither the sheet, a constant nor a rule of the kind provides."""
    return [name for name in required_fields(kind) if not _provided(kind, name, given | set(kind.constants), ())]


def _provided(kind: SheetKind, name: str, given: set[str], asking: tuple[str, ...]) -> bool:
    if name in given:
        return True
    if name in asking:
        return False

    def known(other: str) -> bool:
        return _provided(kind, other, given, (*asking, name))

    made = {
        "contract": ["account_no"] if kind.name != "customers" else [],
        "open": ["amount"] if kind.name == "open_items" and "paid" in given else [],
        "amount": ["open"] if kind.name == "open_items" else [],
        "due_on": ["issued_on"] if "due_days" in given else [],
    }.get(name, [])
    forms = kind.keys.get(name, ())
    return any(known(other) for other in (*kind.same.get(name, ()), *made)) or any(
        all(known(part) for part in re.findall(r"{(\w+)}", form)) for form in forms
    )


def propose(
    headings: Sequence[Heading], kind: str | None, chosen: Mapping[str, str], constants: Mapping[str, str]
) -> list[Proposal]:
    """Propose fields for headings, best kind first; `chosen` maps our fields to headings, and overrules.

    More than one proposal comes back only when several kinds fit equally well.
    """
    asked = [kinds()[kind]] if kind else list(kinds().values())
    made = [_propose_kind(headings, one, chosen, constants) for one in asked]
    if kind:
        return made
    ranked = sorted(made, key=_fit, reverse=True)
    return [one for one in ranked if _fit(one) == _fit(ranked[0]) and one.fields]


def _fit(proposal: Proposal) -> tuple[int, int, int]:
    """The fewest columns that nothing can stand for, then the fewest constants to ask, then the most fields."""
    unaskable = set(proposal.missing) - set(proposal.kind.asked)
    return (-len(unaskable), -len(proposal.missing), len(proposal.fields))


def _propose_kind(
    headings: Sequence[Heading], kind: SheetKind, chosen: Mapping[str, str], constants: Mapping[str, str]
) -> Proposal:
    fields: dict[str, str] = {name: heading for name, heading in chosen.items() if name in kind.fields}
    taken = set(fields.values())
    claims: dict[str, list[str]] = {}
    ambiguous: list[str] = []
    for heading in headings:
        if heading.key in taken or not heading.key:
            continue
        claimed = [name for name in _claim(heading, kind) if name not in fields]
        if len(claimed) > 1:
            ambiguous.append(f"{heading.text}: {' / '.join(claimed)}")
        for name in claimed[:1] if len(claimed) == 1 else ():
            claims.setdefault(name, []).append(heading.key)
    for name, keys in claims.items():
        if len(keys) > 1:
            ambiguous.append(f"{name}: {' / '.join(_text_of(headings, key) for key in keys)}")
        else:
            fields[name] = keys[0]
    given = set(fields) | set(constants)
    return Proposal(kind, fields, tuple(find_missing(kind, given)), tuple(ambiguous))


def _claim(heading: Heading, kind: SheetKind) -> list[str]:
    """Fields that a heading may mean: by the whole of it, else by its lower, else by its upper part."""
    for text in (heading.key, simplify(heading.lower), simplify(heading.upper)):
        if found := [field.name for field in kind.fields.values() if text and text in field.headings]:
            return found
    return []


def _text_of(headings: Sequence[Heading], key: str) -> str:
    return next(heading.text for heading in headings if heading.key == key)


def known_headings() -> frozenset[str]:
    """Every heading that means anything in any kind of sheet."""
    return _known()


@cache
def _known() -> frozenset[str]:
    return frozenset(word for kind in kinds().values() for field in kind.fields.values() for word in field.headings)
