"""The form of one dropped file: which column is what, what holds for all rows, and which day it is of."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from recoup.domains.feeds.headings import kinds, reads_as, words
from recoup.domains.feeds.layouts import Kind
from recoup.domains.feeds.models import FileUpload
from recoup.web.console.language import Title

_SWITCHES = {
    "new_units": Title("新建表中出现而账册没有的供电单位", "Make the units that the sheet names and the book lacks"),
    "despite_totals": Title("合计不符也装入", "Load although a total differs"),
    "corrections": Title("与已有记录不同时，以本文件更正", "Rows that differ from what is stored correct it"),
}
_TAKEN = Title("不装入", "not loaded")


def describe_form(upload: FileUpload, language: str) -> dict[str, Any] | None:
    """Everything the form shows; None when a file has several tables and one must be chosen first."""
    found: Mapping[str, Any] = upload.found or {}
    sheets = found.get("sheets")
    told = sheets[0] if sheets and len(sheets) == 1 else None if sheets else found
    common = {
        "as_of_on": upload.said.get("as_of_on") or found.get("as_of_on") or "",
        "sheets": [sheet["name"] for sheet in sheets] if sheets and len(sheets) > 1 else [],
        "sheet": told["name"] if told and sheets else upload.said.get("sheet", ""),
        "switches": [(name, title, bool(upload.said.get(name))) for name, title in _SWITCHES.items()],
        "feed": upload.said.get("feed") or found.get("feed") or "",
    }
    if told is None or told.get("headings") is None:
        return common
    kind = told.get("kind") or upload.said.get("kind")
    return {**common, "kinds": _list_kinds(language), "kind": kind, **_describe_columns(told, kind, upload, language)}


def _list_kinds(language: str) -> list[tuple[str, str]]:
    return [(kind.name, Title(kind.zh, kind.en).say(language)) for kind in kinds().values()]


def _describe_columns(told: Mapping[str, Any], name: str | None, upload: FileUpload, language: str) -> dict[str, Any]:
    if name is None or name not in kinds():
        return {"columns": [], "constants": []}
    kind = kinds()[name]
    titles = {field.name: Title(field.zh, field.en).say(language) for field in kind.fields.values()}
    meant = {heading: field for field, heading in told["fields"].items()}
    units = {**told.get("units", {}), **upload.said.get("units", {})}
    columns = [
        {
            "place": place,
            "heading": heading,
            "field": meant.get(heading, ""),
            "unit": units.get(meant.get(heading, ""), ""),
        }
        for place, heading in enumerate(told["headings"])
    ]
    return {
        "columns": columns,
        "fields": list(titles.items()),
        "units": [unit for unit in words().units["money"] if unit in ("元", "万元", "分")],
        "measured": [field for field in titles if reads_as(kind, field) is Kind.AMOUNT],
        "constants": _describe_constants(told, name, upload, titles, language),
        "taken": _TAKEN,
    }


def _describe_constants(
    told: Mapping[str, Any], name: str, upload: FileUpload, titles: Mapping[str, str], language: str
) -> list[dict[str, Any]]:
    """Fields that no column gives and a value for all rows may: those asked for, those missing, those given."""
    kind = kinds()[name]
    given = {**told.get("constants", {}), **upload.said.get("constants", {})}
    missing = [field for field in told.get("missing", ()) if field not in ("as_of", "contract")]
    wanted = dict.fromkeys([*missing, *kind.asked, *given])
    return [
        {
            "name": field,
            "title": titles.get(field) or _name_extra(field, language),
            "value": given.get(field, ""),
            "missing": field in missing,
            "day": reads_as(kind, field) is Kind.DATE,
            "choices": sorted(set(words().values.get(field, {}).values())),
        }
        for field in wanted
        if field not in told["fields"]
    ]


_EXTRA = {
    "due_days": Title("缴费期限天数", "Days to pay"),
    "account_digits": Title("户号位数", "Digits of an account number"),
}


def _name_extra(field: str, language: str) -> str:
    return _EXTRA[field].say(language) if field in _EXTRA else field


def read_said(upload: FileUpload, form: QueryDict) -> dict[str, Any]:
    """What the person said, from the form: a column left out is not read, whatever its heading."""
    found: Mapping[str, Any] = upload.found or {}
    sheets = found.get("sheets") or [found]
    told = sheets[0]
    said: dict[str, Any] = {name: True for name in _SWITCHES if form.get(name)}
    for name in ("as_of_on", "sheet", "feed"):
        if form.get(name):
            said[name] = form[name]
    if len(sheets) > 1 or not form.get("kind"):
        return said
    said["kind"] = form["kind"]
    if form["kind"] == told.get("kind") and "column-0" in form:
        chosen = {form.get(f"column-{place}", ""): heading for place, heading in enumerate(told["headings"])}
        said["fields"] = {field: heading for field, heading in chosen.items() if field}
        said["units"] = {field: unit for field in said["fields"] if (unit := form.get(f"unit-{field}"))}
        said["exact"] = True
    given = {key.removeprefix("constant-"): str(form[key]) for key in form if key.startswith("constant-")}
    constants = {field: value.strip() for field, value in given.items()}
    said["constants"] = {field: value for field, value in constants.items() if value}
    return said
