"""Tags: two languages, tables, charts, icons, addresses of static files."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.template import Context
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString

from recoup.engine.figures import as_major
from recoup.labels import Labels, grouped
from recoup.web.console.charts import Chart, stamp_bundle
from recoup.web.console.language import EN, say
from recoup.web.console.tables import Table, name_code

register = template.Library()


@register.simple_tag(takes_context=True)
def tr(context: Context, zh: str, en: str) -> str:
    """`{% tr "中文" "English" %}`: the text in the person's language."""
    return en if context.get("language") == EN else zh


@register.simple_tag(takes_context=True)
def word(context: Context, words: Any) -> str:
    """`{% word title %}`: a Title, a pair {"zh", "en"} or a document's words in the person's language."""
    return say(words, context.get("language") or "")


@register.simple_tag(takes_context=True)
def code(context: Context, value: Any) -> str:
    """`{% code "SMS" %}`: a coded value in words."""
    return name_code(str(value), {}, context.get("language") or "") if value not in (None, "") else ""


@register.simple_tag(takes_context=True)
def label(context: Context, key: str) -> str:
    """`{% label "open_items" %}`: a word shared with terminal and page (recoup.labels)."""
    return Labels("en" if context.get("language") == EN else "zh")(key)


@register.filter
def money(value: Any, digits: int = 2) -> str:
    """`{{ minor|money:digits }}`: minor units, or a decimal string, as an amount with its thousands apart."""
    if value is None or value == "":
        return ""
    return grouped(as_major(value, digits) if isinstance(value, int) else str(value))


@register.inclusion_tag("console/_table.html", takes_context=True, name="table")
def table_tag(context: Context, table: Table) -> dict[str, Any]:
    """`{% table table %}`: a table with its filters, pages and export."""
    return {"table": table, "language": context.get("language"), "staff": context.get("staff")}


@register.inclusion_tag("console/_chart.html", takes_context=True, name="chart")
def chart_tag(context: Context, chart: Chart) -> dict[str, Any]:
    """`{% chart chart %}`: a drawing with its figures as a table below."""
    return {"chart": chart, "language": context.get("language"), "spec": chart.whole()}


@register.simple_tag
def chart_data(spec: dict[str, Any], key: str) -> SafeString:
    """The specification of a chart as data inside the page."""
    return json_script(spec, f"spec-{key}")


@register.simple_tag
def vega_address() -> str:
    """Where the script that draws charts is found; it is fetched by pages that have one."""
    return reverse("console:vega", args=[stamp_bundle()])


@register.simple_tag
def export_address(table: Table, form: str) -> str:
    """The address of a table's export."""
    return table.address(export=form)


@register.simple_tag
def icon(name: str) -> SafeString:
    """`{% icon "bill" %}`: a drawing beside a word; the word says it."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        asset("console/icons.svg"),
        name,
    )


@register.simple_tag
def asset(name: str) -> str:
    """The address of a static file with the hash of its content, so that a browser may keep it for ever."""
    return f"{static(name)}?{_hash_asset(name)}"


@lru_cache(maxsize=64)
def _hash_asset(name: str) -> str:
    found = finders.find(name)
    return hashlib.sha256(Path(str(found)).read_bytes()).hexdigest()[:12] if found else "0"
