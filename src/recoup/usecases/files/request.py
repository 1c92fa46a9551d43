"""What a person says of a file, and what we ask back."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from recoup.domains.access.scope import Scope
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.headings import kinds


class Request(NamedTuple):
    """A file and what was said of it. `fields` maps our fields to headings; `name` is the file's name for people.

    `accept` takes the proposed mapping of a shape never seen; `new_units` makes the units a sheet of customers names;
    `despite_totals` loads rows whose sum is not the stated total. With `exact` only the named headings are read, and
    none is proposed. Only accounts in `scope` are touched.
    """

    path: Path
    name: str
    who: str
    scope: Scope = Scope.EVERYTHING
    feed: str | None = None
    kind: str | None = None
    sheet: str | None = None
    fields: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}
    units: Mapping[str, str] = {}
    as_of_on: date | None = None
    simulated: bool = False
    corrections: bool = False
    accept: bool = False
    exact: bool = False
    new_units: bool = False
    despite_totals: bool = False


AS_OF, KIND = "as_of", "kind"


class Question(NamedTuple):
    """What is settled of a sheet, and what is not: fields without a column, claims of several, kinds it may be."""

    sheet: str
    headings: tuple[str, ...]
    kind: str | None
    fields: Mapping[str, str]
    missing: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()


class Asked(FileRefused):
    """A person must say more of a sheet before it can be shown or loaded."""

    def __init__(self, question: Question) -> None:
        self.question = question
        super().__init__(f"{question.sheet}: {_tell(question)}", f"{question.sheet}：{_say(question, 0)}")

    def in_words(self) -> dict[str, str]:
        """What is asked, as a form asks it."""
        return {"zh": self.zh, "en": f"{self.question.sheet}: {_say(self.question, 1)}"}


_FORM = {
    "kind": ("请选择这是什么表", "choose what this is"),
    "as_of": ("文件没有写明数据截至哪一天：请填写", "the file does not say up to which day it is: fill it in"),
    "missing": ("缺少 {names}", "nothing for {names}"),
    "ambiguous": ("无法确定 {names}", "ambiguous: {names}"),
    "choose": ("请选择对应的列，或填写适用于所有行的值", "choose the columns, or give values for all rows"),
}


def _say(question: Question, place: int) -> str:
    """A question as a form asks it, in Chinese (0) or English (1)."""
    if question.kind is None:
        return _FORM["kind"][place]
    if question.missing == (AS_OF,):
        return _FORM["as_of"][place]
    fields, comma = kinds()[question.kind].fields, ("、", ", ")[place]
    titles = [(fields[n].zh, fields[n].en)[place] if n in fields else n for n in question.missing]
    told = [_FORM["missing"][place].format(names=comma.join(titles))] if titles else []
    told += [_FORM["ambiguous"][place].format(names=comma.join(question.ambiguous))] if question.ambiguous else []
    return (("；", "; ")[place]).join([*told, _FORM["choose"][place]])


def _tell(question: Question) -> str:
    if question.kind is None:
        return f"what is this? Say it with --entity, one of {', '.join(question.candidates)}"
    if question.missing == (AS_OF,):
        return (
            "the file does not say of which day it is: say it with --as-of YYYY-MM-DD (or write 截止日期：2025-03-31 "
            "above the table, or the day into the file's name)"
        )
    told = [f"no column for {', '.join(question.missing)}"] if question.missing else []
    told += [f"ambiguous: {'; '.join(question.ambiguous)}"] if question.ambiguous else []
    return (
        f"{'; '.join(told)}. Say which heading is which (--map HEADING=field), or give a value for all rows "
        f"(--set field=value). The headings are: {', '.join(question.headings)}"
    )
