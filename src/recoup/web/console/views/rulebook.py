"""The rulebook: every document in force, dated and cited, and what changed from one validity to the next."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from recoup.database.listing import Asked, Connection, Page, Row
from recoup.domains.access.scope import Scope
from recoup.rulebook.schema import Document
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import EN, Title
from recoup.web.console.lists import ListPage, show_list
from recoup.web.console.reading import current_law
from recoup.web.console.tables import Column, Filter

KINDS = {
    "book": Title("基本约定", "general terms"),
    "late_charge": Title("违约金", "late charge"),
    "allocation": Title("冲抵顺序", "allocation"),
    "tariff": Title("电价", "tariff"),
    "free_quota": Title("免费电量", "free quota"),
    "strategy": Title("催收策略", "strategy"),
    "subjects": Title("科目", "subjects"),
    "denoms": Title("币种", "currencies"),
    "classes": Title("用电类别", "classes"),
    "reasons": Title("决定原因", "reasons"),
    "results": Title("催收结果", "results"),
    "measures": Title("措施", "measures"),
    "measure_states": Title("措施状态", "states of measures"),
}
STATUSES = {"in_force": Title("现行", "in force"), "illustrative": Title("示例", "illustrative")}


def _to_document(row: Row) -> str:
    return reverse("console:rulebook-document", args=[row["id"]])


def _tone_status(row: Row) -> str:
    return "good" if row["status"] == "in_force" else "warn"


def list_documents(connection: Connection, scope: Scope, asked: Asked) -> Page:
    """The documents that prevail in the book, searched in both languages. The law is the same for every scope."""
    rows = [_describe(document) for document in current_law().documents.documents]
    wanted, kind = asked.get("q").casefold(), asked.get("kind")
    chosen = [row for row in rows if wanted in row["haystack"] and kind in ("", row["kind"])]
    ordered = sorted(chosen, key=lambda row: (row[asked.sort or "id"], row["id"]), reverse=asked.descending)
    return Page(ordered[asked.offset : asked.offset + asked.limit], len(ordered))


def _describe(document: Document) -> Row:
    text = f"{document.id} {document.title.zh} {document.title.en} {document.reference} {document.model_dump_json()}"
    return {
        "id": document.id,
        "kind": document.kind,
        "title": Title(document.title.zh, document.title.en),
        "jurisdiction": document.jurisdiction,
        "status": document.status,
        "since": document.values[-1].valid_from,
        "validities": len(document.values),
        "reference": document.reference,
        "haystack": text.casefold(),
    }


DOCUMENTS = ListPage(
    name="rulebook",
    title=Title("规则集", "Rulebook"),
    lead=Title("每个数字都来自一份注明日期和依据的文件。", "Every number comes from a dated, cited document."),
    columns=(
        Column("id", "文件", "Document", "code", sortable=True, link=_to_document),
        Column("kind", "类别", "Kind", "mark", sortable=True, words=KINDS),
        Column("title", "名称", "Title"),
        Column("since", "现值起始", "Latest from", "day", sortable=True),
        Column("validities", "版次", "Validities", "count"),
        Column("status", "状态", "Status", "mark", words=STATUSES, tone=_tone_status),
        Column("reference", "依据", "Reference"),
    ),
    read=list_documents,
    filters=(
        Filter("q", "关键词", "Words"),
        Filter("kind", "类别", "Kind", "choice", choices={"": Title("全部", "all"), **KINDS}),
    ),
    sort="id",
)


@page()
def documents(request: ConsoleRequest) -> HttpResponse:
    """All documents in force for the book."""
    return show_list(request, DOCUMENTS)


@page()
def document(request: ConsoleRequest, name: str) -> HttpResponse:
    """One document: its values by date, the latest first, each with what it changed."""
    law = current_law()
    found = next((each for each in law.documents.documents if each.id == name), None)
    if found is None:
        raise Http404
    flat = [dict(_flatten(each.model_dump(mode="json", by_alias=True, exclude_none=True))) for each in found.values]
    validities = []
    for at, (terms, values) in enumerate(zip(found.values, flat, strict=True)):
        before = flat[at - 1] if at else None
        validities.append(
            {
                "since": terms.valid_from,
                "until": terms.valid_to,
                "reference": terms.reference,
                "values": [(key, value) for key, value in values.items() if key not in _TOLD],
                "changes": _compare(before, values) if before is not None else [],
            }
        )
    told = {
        "document": found,
        "kind": KINDS.get(found.kind, found.kind),
        "status": STATUSES[found.status],
        "good": found.status == "in_force",
        "digest": law.documents.digests[found.id],
        "validities": validities[::-1],
        "english": request.language == EN,
    }
    return render(request, "console/document.html", told)


_TOLD = ("from", "to", "reference")


def _flatten(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """A nested value as paths and texts: rates[1].rate → 0.002."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for number, inner in enumerate(value, start=1):
            yield from _flatten(inner, f"{at}[{number}]")
    else:
        yield at, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _compare(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    keys = [key for key in {**before, **after} if key not in _TOLD]
    return [
        (key, before.get(key, "–"), after.get(key, "–")) for key in keys if before.get(key, "–") != after.get(key, "–")
    ]


urlpatterns = [
    path("rulebook/", documents, name="rulebook"),
    path("rulebook/<path:name>/", document, name="rulebook-document"),
]
