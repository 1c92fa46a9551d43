"""The register of the source paper's measures: state, citation, where to click, what it did this month."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, path, reverse

from recoup.engine.measures import read_measures
from recoup.rulebook.register import STATES
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import Title
from recoup.web.console.navigation import NAVIGATION
from recoup.web.console.reading import current_law, reading

# Names of the paper's sections, in our words.
SECTIONS: Mapping[str, Title] = {
    "intro": Title("引言", "Introduction"),
    "1": Title("1 目标", "1 Goals"),
    "2": Title("2 问题", "2 Problems"),
    "3.1": Title("3.1 沟通与宣传", "3.1 Contact and publicity"),
    "3.2": Title("3.2 催收方式", "3.2 Ways of collecting"),
    "3.3": Title("3.3 风险预警", "3.3 Warning of risks"),
    "3.4": Title("3.4 保证金", "3.4 Deposit"),
    "3.5": Title("3.5 电费补贴", "3.5 Subsidy"),
    "3.6": Title("3.6 理财、分期与充值", "3.6 Wealth products, instalments, recharge"),
    "4": Title("4 发展趋势", "4 Trends"),
}
STATE_TITLES: Mapping[str, Title] = {
    "as_written": Title("按原文实施", "works as written"),
    "modern": Title("以合规方式实施", "works in a lawful form"),
    "off": Title("依法依规停用", "off, by law or rule"),
    "not_yet": Title("尚未提供", "not yet"),
}
TONES = {"as_written": "good", "modern": "info", "off": "bad", "not_yet": ""}


@page()
def measures(request: ConsoleRequest) -> HttpResponse:
    """Every measure by section, or only those of one state."""
    chosen = request.GET.get("state", "")
    with reading() as connection:
        told = read_measures(connection, request.scope, current_law().documents)
    rows = [_describe(row) for row in told["measures"] if chosen not in STATES or row["state"] == chosen]
    groups = [
        {"title": SECTIONS[section], "key": section.replace(".", "-"), "rows": list(each)}
        for section, each in groupby(rows, lambda row: name_section(row["section"]))
    ]
    tabs = [_make_tab("", Title("全部", "All"), sum(told["counts"].values()), chosen)]
    tabs += [_make_tab(state, STATE_TITLES[state], told["counts"][state], chosen) for state in STATES]
    context = {"title": Title("措施登记", "Measures of the source paper"), "told": told, "groups": groups, "tabs": tabs}
    return render(request, "console/measures.html", context)


def name_section(section: str) -> str:
    """The section that a part belongs to: 3.2(1) to 3.2, 2(1) to 2."""
    return section.partition("(")[0]


def _make_tab(state: str, title: Title, count: int, chosen: str) -> dict[str, Any]:
    address = reverse("console:measures")
    here = state == (chosen if chosen in STATES else "")
    return {"title": title, "count": count, "here": here, "address": f"{address}?state={state}" if state else address}


def _describe(row: dict[str, Any]) -> dict[str, Any]:
    links = [{"address": found, "title": name_page(page)} for page in row["pages"] if (found := _find(page))]
    effects = [{**effect, "told": f"{effect['count']:,}"} for effect in row["effects"]]
    return {
        **row,
        "effects": effects,
        "state_title": STATE_TITLES[row["state"]],
        "tone": TONES[row["state"]],
        "links": links,
    }


def _find(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def name_page(name: str) -> Title | str:
    """A page by its words in the navigation."""
    entries = {f"console:{entry.name}": entry.title for _, group in NAVIGATION for entry in group}
    return entries.get(name, name)


urlpatterns = [path("measures/", measures, name="measures")]
