"""The report as one page: figures, charts as drawings inside it, tables. No script, nothing fetched; prints on A4."""

import html
import re
from typing import Any

import altair as alt
import vl_convert

from recoup.cli.report import COMPARED, list_sides, name_stage, show, show_measure
from recoup.definitions import define
from recoup.labels import Labels, grouped

_BLUE, _GREEN, _TEAL, _VIOLET = "#2f6fb2", "#2e9d6a", "#2a8f9e", "#7a5cb0"
_AGES = ("#8fbf9f", "#e8c95a", "#e3ab45", "#dd8b3d", "#d36a3a", "#c04a3a", "#8e2f35")
_FONT = "'Noto Sans SC','Noto Sans CJK SC','PingFang SC','Microsoft YaHei',system-ui,sans-serif"

_STYLE = """
:root { --ink:#1d2733; --soft:#5d6b7a; --line:#e1e6ec; --paper:#fff; --ground:#f4f6f9; --blue:#2f6fb2; }
* { box-sizing:border-box; }
body { margin:0; background:var(--ground); color:var(--ink); font:15px/1.5 FONT; }
main { max-width:1080px; margin:0 auto; padding:28px 24px 40px; }
header { display:flex; flex-wrap:wrap; align-items:baseline; gap:4px 18px; padding-bottom:14px;
  border-bottom:3px solid var(--blue); }
h1 { font-size:26px; margin:0; letter-spacing:.02em; }
header .day { font-size:19px; font-weight:600; color:var(--blue); }
header .mark { margin-left:auto; padding:4px 14px; border:2px solid #b3261e; color:#b3261e; font-weight:700;
  border-radius:4px; letter-spacing:.08em; }
header p { flex-basis:100%; margin:0; color:var(--soft); font-size:13px; overflow-wrap:anywhere; }
.tiles { display:grid; grid-template-columns:repeat(4,1fr); gap:12px; margin:20px 0; }
.tile { background:var(--paper); border:1px solid var(--line); border-radius:8px; padding:12px 16px; }
.tile span { display:block; color:var(--soft); font-size:13px; }
.tile b { font-size:21px; font-variant-numeric:tabular-nums; white-space:nowrap; }
.tile small { display:block; color:var(--soft); font-size:12px; line-height:1.35; }
.tile.lead b { color:var(--blue); font-size:25px; }
.sheets { display:grid; grid-template-columns:1fr 1fr; gap:14px; }
section { background:var(--paper); border:1px solid var(--line); border-radius:8px; padding:14px 18px; min-width:0; }
section.wide { grid-column:1 / -1; }
h2 { font-size:15px; margin:0 0 10px; }
svg { display:block; width:100%; height:auto; }
table { width:100%; border-collapse:collapse; font-size:13.5px; font-variant-numeric:tabular-nums; }
th { text-align:left; color:var(--soft); font-weight:500; }
th,td { padding:4px 8px; border-bottom:1px solid var(--line); vertical-align:top; }
tr:last-child td { border-bottom:0; }
td.n,th.n { text-align:right; white-space:nowrap; }
.ok { color:#2e9d6a; } .bad { color:#b3261e; font-weight:700; }
ul { margin:0; padding-left:18px; color:var(--soft); font-size:13px; }
@media (max-width:760px) { .tiles { grid-template-columns:1fr 1fr; } .sheets { grid-template-columns:1fr; } }
@media print { body { background:#fff; font-size:12px; } main { max-width:none; padding:0; }
  section,.tile { break-inside:avoid; border-color:#ccc; } @page { size:A4; margin:14mm; } }
"""


def draw_page(document: dict[str, Any], labels: Labels) -> str:
    """The report as one HTML page."""
    sections = [
        ("wide", labels("by_month"), draw_months(document, labels)),
        ("", labels("ageing"), draw_ageing(document, labels)),
        ("", labels("receivables"), _list_receivables(document, labels)),
        ("wide", labels("decisions_by_reason"), _draw_reasons(document, labels)),
        ("", labels("accounts_by_stage"), _draw_stages(document, labels)),
        ("", labels("actions_by_channel"), _draw_actions(document, labels)),
        ("wide", labels("quality"), _list_quality(document, labels)),
    ]
    if list_sides(document):
        sections.insert(0, ("wide", labels("beside"), _list_beside(document, labels)))
    if document["feeds"]:
        sections.append(("wide", labels("feeds"), _list_feeds(document["feeds"], labels)))
    if document["simulation"]:
        sections.append(("wide", labels("simulation"), _list_simulation(document["simulation"], labels)))
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in labels.definitions())
    sections.append(("wide", labels("definitions"), f"<ul>{lines}</ul>"))
    sheets = "".join(
        f'<section class="{shape}"><h2>{html.escape(title)}</h2>{_own_ids(body, number)}</section>'
        for number, (shape, title, body) in enumerate(sections)
    )
    language = {"zh": "zh-CN", "en": "en"}[labels.language]
    title = html.escape(f"{labels('title')} {document['as_of']}")
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE.replace('FONT', _FONT)}</style></head><body><main>{_head(document, labels)}"
        f'{_tiles(document, labels)}<div class="sheets">{sheets}</div></main></body></html>\n'
    )


def _own_ids(body: str, number: int) -> str:
    """Give the ids inside a drawing a prefix of their own: several drawings share one page."""
    return re.sub(r'(\bid="|url\(#|href="#)(?=[A-Za-z])', rf"\1s{number}-", body)


def _head(document: dict[str, Any], labels: Labels) -> str:
    book, run = document["book"], document["run"]
    mark = f'<span class="mark">{labels("simulated")}</span>' if document["simulated"] else ""
    about = f"{book['name']} · {book['kind']} · {book['jurisdiction']} · {document['denom']}"
    source = f"{labels('run')} {run['run_no']} · {labels('rulebook')} {run['rulebook_hash'][:12]}"
    if run["rulebook_changed_since"]:
        source += f" ({labels('rulebook_changed')})"
    return (
        f'<header><h1>{labels("title")}</h1><span class="day">{labels("as_of")} {document["as_of"]}</span>{mark}'
        f"<p>{html.escape(about)} · {html.escape(source)}</p></header>"
    )


_TILES = (
    *("collection_rate_current", "collection_rate_cumulative", "collection_rate_prior", "arrears"),
    *("billed", "collected", "receivable_open", "unapplied"),
    *("accounts", "contracts_in_force", "bills", "payments"),
)


def _tiles(document: dict[str, Any], labels: Labels) -> str:
    tiles = [
        f'<div class="tile{" lead" if number < 4 else ""}"><span>{html.escape(labels(name))}</span>'
        f"<b>{show(name, document[name])}</b><small>{html.escape(define(name, labels.language))}</small></div>"
        for number, name in enumerate(_TILES)
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _draw(chart: alt.Chart | alt.LayerChart | alt.FacetChart, width: int, height: int | dict[str, int]) -> str:
    """Draw a chart as SVG that fills its section."""
    styled = (
        chart.properties(width=width, height=height, background="transparent", padding={"left": 4, "right": 12})
        .configure(font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, labelColor="#445", gridColor="#e8ecf0", domain=False, ticks=False, title=None)
        .configure_legend(orient="top", title=None, labelFontSize=12, symbolType="square", offset=4)
    )
    drawn: str = vl_convert.vegalite_to_svg(styled.to_json())
    # Only the view box counts: the section says how wide a drawing is.
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", drawn, count=1)


def draw_months(document: dict[str, Any], labels: Labels) -> str:
    """Billed and collected by month, as SVG."""
    series = {labels("billed"): document["billed_by_month"], labels("collected"): document["collected_by_month"]}
    rows = [
        {"month": month, "kind": kind, "amount": float(amount)}
        for kind, amounts in series.items()
        for month, amount in amounts.items()
    ]
    chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("month:N", axis=alt.Axis(labelAngle=-45 if len(series[labels("billed")]) > 14 else 0)),
            xOffset=alt.XOffset("kind:N", sort=list(series)),
            y=alt.Y("amount:Q", axis=alt.Axis(format="~s", tickCount=5)),
            color=alt.Color("kind:N", sort=list(series), scale=alt.Scale(domain=list(series), range=[_BLUE, _GREEN])),
        )
    )
    return _draw(chart, 960, 230)


def _draw_bars(rows: list[dict[str, Any]], colours: list[str], width: int) -> str:
    """Horizontal bars with their figure at the end: rows of name, value, told."""
    if not rows:
        return ""
    order = [row["name"] for row in rows]
    largest = max(row["value"] for row in rows) or 1
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("name:N", sort=order, axis=alt.Axis(labelLimit=460, labelPadding=8, minExtent=_text_width(order))),
        x=alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, largest * 1.28])),
    )
    bars = base.mark_bar(cornerRadiusEnd=2, size=17).encode(
        color=alt.Color("name:N", scale=alt.Scale(domain=order, range=colours), legend=None)
    )
    figures = base.mark_text(align="left", dx=6, fontSize=12, color="#333").encode(text="told:N")
    return _draw(alt.layer(bars, figures), width, {"step": 27})


def _text_width(names: list[str]) -> int:
    """Room in pixels for the longest name, reckoned here: the drawing machine may lack Chinese fonts."""
    return max(sum(13 if ord(letter) > 0x2E80 else 7 for letter in name) for name in names) + 8


def draw_ageing(document: dict[str, Any], labels: Labels) -> str:
    """Open principal by age, as SVG."""
    rows = [
        {"name": labels.bucket(name), "value": float(each["amount"]), "told": grouped(each["amount"])}
        for name, each in document["ageing"].items()
    ]
    return _draw_bars(rows, list(_AGES), 330)


def _draw_reasons(document: dict[str, Any], labels: Labels) -> str:
    words = document["reasons"]
    rows = [
        {"name": labels.of(words.get(code)) or code, "value": count, "told": f"{count:,}"}
        for code, count in document["decisions_by_reason"].items()
    ]
    return _draw_bars(rows, [_TEAL] * len(rows), 660)


def _draw_stages(document: dict[str, Any], labels: Labels) -> str:
    rows = [
        {"name": name_stage(stage, document, labels), "value": count, "told": f"{count:,}"}
        for stage, count in document["accounts_by_stage"].items()
    ]
    return _draw_bars(rows, [_VIOLET] * len(rows), 330)


def _draw_actions(document: dict[str, Any], labels: Labels) -> str:
    rows = [
        {"name": labels(channel), "value": count, "told": f"{count:,}"}
        for channel, count in document["actions_by_channel"].items()
    ]
    return _draw_bars(rows, [_BLUE] * len(rows), 330) or f"<p>{labels('none')}</p>"


def _table(heads: list[str], rows: list[list[str]], words: int = 1) -> str:
    """A table whose first `words` columns are words and the rest figures; cells may hold markup."""
    shape = ["" if n < words else ' class="n"' for n in range(len(rows[0]) if rows else len(heads))]
    head = "".join(f"<th{s}>{h}</th>" for s, h in zip(shape, heads, strict=True)) if heads else ""
    body = "".join(
        "<tr>" + "".join(f"<td{s}>{cell}</td>" for s, cell in zip(shape, row, strict=True)) + "</tr>" for row in rows
    )
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


_RECEIVABLES = (
    *("receivable", "carried", "received", "received_prior", "arrears", "arrears_current", "arrears_prior"),
    *("late_charges_booked", "late_charges_accrued", "late_charges_open"),
)


def _list_receivables(document: dict[str, Any], labels: Labels) -> str:
    return _table([], [[html.escape(labels(name)), show(name, document[name])] for name in _RECEIVABLES])


def _list_beside(document: dict[str, Any], labels: Labels) -> str:
    """The figures of the night beside the signed ones and those known now, with what each means."""
    sides = list_sides(document)
    heads = ["", labels("as_it_stood"), *(labels(side) for side in sides), labels("definition")]
    rows = [
        [
            html.escape(labels(name)),
            *(show(name, value) for value in (document[name], *(document[side][name] for side in sides))),
            html.escape(define(name, labels.language)),
        ]
        for name in COMPARED
    ]
    words = "".join(
        f"<li>{html.escape(labels(name))}: {html.escape(define(name, labels.language))}</li>"
        for name in ("as_it_stood", *sides)
    )
    return f"{_table(heads, rows)}<ul>{words}</ul>"


def _list_quality(document: dict[str, Any], labels: Labels) -> str:
    corrected = document["determinants_corrected"]
    rows = [
        [labels("quarantined"), f"{document['quarantined']:,}"],
        *([f"· {html.escape(why)}", f"{n:,}"] for why, n in document["quarantined_by_reason"].items()),
        [labels("conflicts"), f"{document['conflicts']:,}"],
        [labels("determinants_corrected"), f"{corrected['bills']:,}"],
        [f"· {labels('read_kwh')}", grouped(corrected["read_kwh"])],
        [f"· {labels('billed_kwh_short')}", grouped(corrected["billed_kwh"])],
        *([f"{labels('issues_by_kind')}: {html.escape(k)}", f"{n:,}"] for k, n in document["issues_by_kind"].items()),
    ]
    return _table([], rows)


def _list_feeds(feeds: list[dict[str, Any]], labels: Labels) -> str:
    rows = [
        [
            html.escape(f"{feed['code']} ({feed['source']})")
            + (f" · {labels('simulated')}" if feed["simulated"] else ""),
            html.escape(str(feed["watermark_at"] or "–")),
            "–" if feed["age_hours"] is None else str(feed["age_hours"]),
        ]
        for feed in feeds
    ]
    return _table([labels("feeds"), labels("watermark_at"), labels("age_hours")], rows)


def _list_simulation(measures: list[dict[str, Any]], labels: Labels) -> str:
    heads = ["", *(labels(name) for name in ("measure", "target", "measured", "tolerance", "cases"))]
    rows = [
        [
            '<span class="ok">✓</span>' if row["ok"] else f'<span class="bad">{"✗" if row["cases"] else "·"}</span>',
            labels(row["measure"]),
            *(show_measure(row[name], row["unit"]) for name in ("target", "measured", "tolerance")),
            f"{row['cases']:,}",
        ]
        for row in measures
    ]
    return _table(heads, rows, words=2)
