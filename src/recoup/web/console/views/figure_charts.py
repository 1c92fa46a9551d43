"""The drawings of the overview, each with its figures as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from recoup.core.indicators import NOT_OVERDUE
from recoup.engine.dashboard import UNITS_SHOWN, Dashboard
from recoup.engine.figures import as_major
from recoup.engine.why import Law
from recoup.labels import Labels, grouped
from recoup.rulebook.schema import StrategyDocument
from recoup.web.console.charts import Chart
from recoup.web.console.language import EN, Title
from recoup.web.console.tables import Column, Table

_AGES = ("#8fbf9f", "#e8c95a", "#e3ab45", "#dd8b3d", "#d36a3a", "#c04a3a", "#8e2f35")
_BAR = {"type": "bar", "cornerRadiusEnd": 3}
# Pixels of a letter: Chinese and other; the page's own reckoning fails where a font is missing.
_WIDE, _NARROW = 12.2, 6.6
_NAME_WIDTH_MAX = 210


def draw_all(found: Dashboard, language: str, digits: int, law: Law) -> list[Chart]:
    """The charts that have something to show."""
    drawn = [
        _draw_months(found.months, language, digits),
        _draw_trend(found.trend, language, digits),
        _draw_ages(found.ageing, language, digits),
        _draw_stages(found.stages, language, digits, law),
        _draw_units(found.units, language, digits),
        _draw_channels(found.channels, language, digits),
    ]
    return [chart for chart in drawn if chart is not None]


def _major(minor: int, digits: int) -> float:
    """An amount for a drawing; figures in words stay exact."""
    return float(as_major(minor, digits))


def _labels(language: str) -> Labels:
    return Labels("en" if language == EN else "zh")


def _say(language: str, zh: str, en: str) -> str:
    return en if language == EN else zh


def _names(field: str, order: Sequence[str]) -> dict[str, Any]:
    """The axis of names in a given order, with room for the longest."""
    width = max((sum(_WIDE if ord(letter) > 0x2E80 else _NARROW for letter in name) for name in order), default=0)
    room = min(int(width) + 8, _NAME_WIDTH_MAX)
    axis = {"title": None, "labelLimit": _NAME_WIDTH_MAX, "minExtent": room, "domain": False, "ticks": False}
    return {"field": field, "type": "nominal", "sort": list(order), "axis": axis}


def _amounts(**more: Any) -> dict[str, Any]:
    return {"type": "quantitative", "axis": {"format": "~s", "tickCount": 5, "title": None, **more}}


def _draw_months(months: pl.DataFrame, language: str, digits: int) -> Chart | None:
    if months.is_empty():
        return None
    kinds = {"billed_minor": _labels(language)("billed"), "collected_minor": _labels(language)("collected")}
    rows = [
        {"month": row["month"], "kind": word, "amount": _major(row[key], digits)}
        for row in months.to_dicts()
        for key, word in kinds.items()
    ]
    order = list(kinds.values())
    spec = {
        "mark": {**_BAR, "tooltip": True},
        "encoding": {
            "x": {
                "field": "month",
                "type": "nominal",
                "axis": {"title": None, "labelAngle": -45 if months.height > 8 else 0},
            },
            "xOffset": {"field": "kind", "sort": order},
            "y": {"field": "amount", **_amounts()},
            "color": {"field": "kind", "type": "nominal", "sort": order, "scale": {"domain": order}},
        },
    }
    columns = (
        Column("month", "月份", "Month"),
        Column("billed_minor", "应收发行", "Billed", "money"),
        Column("collected_minor", "实收", "Collected", "money"),
    )
    table = Table(columns, months.to_dicts(), language, digits, region="months")
    return Chart("months", Title("应收发行与实收（按月）", "Billed and collected by month"), spec, table, rows=rows)


def _draw_units(units: pl.DataFrame, language: str, digits: int) -> Chart | None:
    shown = units.head(UNITS_SHOWN).filter(pl.col("rate_current_ppm").is_not_null())
    if shown.height < 2:
        return None
    rows = [
        {
            "unit": row["unit_name"],
            "rate": row["rate_current_ppm"] / 1e6,
            "target": (row["target_ppm"] or 0) / 1e6 or None,
        }
        for row in shown.sort("rate_current_ppm").to_dicts()
    ]
    lowest = min(min(row["rate"], row["target"] or 1) for row in rows)
    floor = max(0.0, int(lowest * 20 - 1) / 20)
    y = _names("unit", [row["unit"] for row in rows])
    x = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"domain": [floor, 1], "clamp": True, "zero": False},
        "axis": {"format": ".0%", "title": None, "tickCount": 5},
    }
    target = {**x, "field": "target"}
    gap = {"y": y, "x": x, "x2": {"field": "target"}}
    spec = {
        "layer": [
            {"mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.35}, "encoding": gap},
            {"mark": {"type": "circle", "size": 110, "opacity": 1, "tooltip": True}, "encoding": {"y": y, "x": x}},
            {
                "mark": {"type": "tick", "thickness": 3, "size": 16, "color": "#c0392b", "tooltip": True},
                "encoding": {"y": y, "x": target},
            },
        ],
    }
    columns = (
        Column("unit_name", "供电单位", "Unit"),
        Column("rate_current_ppm", "当年回收率", "Current rate", "percent"),
        Column("target_ppm", "目标", "Target", "percent"),
    )
    table = Table(columns, shown.to_dicts(), language, digits, region="rates")
    summary = Title(
        "圆点为当年回收率，红线为目标；最低的单位在上。",
        "The dot is the rate, the red tick the target; the lowest unit stands first.",
    )
    title = Title("各单位当年回收率", "Current rate by unit")
    return Chart("units", title, spec, table, summary, 24 * len(rows) + 30, rows)


def _draw_ages(ages: pl.DataFrame, language: str, digits: int) -> Chart:
    labels = _labels(language)
    rows = [
        {"age": labels.bucket(row["part"]), "amount": _major(row["amount_minor"], digits), "items": row["rows"]}
        for row in ages.to_dicts()
    ]
    table_rows = [{**row, "age": labels.bucket(row["part"])} for row in ages.to_dicts()]
    columns = (
        Column("age", "逾期天数", "Days overdue"),
        Column("rows", "笔数", "Items", "count"),
        Column("amount_minor", "未收本金", "Open principal", "money"),
    )
    overdue = int(ages.filter(pl.col("part") != NOT_OVERDUE)["amount_minor"].sum())
    told = grouped(as_major(overdue, digits))
    summary = Title(f"逾期合计 {told}", f"overdue in all {told}")
    return _draw_bars(
        "ages",
        Title("账龄（未收本金）", "Ageing of open principal"),
        rows,
        "age",
        "amount",
        list(_AGES),
        Table(columns, table_rows, language, digits, region="ages"),
        summary,
    )


def _draw_stages(stages: pl.DataFrame, language: str, digits: int, law: Law) -> Chart | None:
    if stages.is_empty():
        return None
    names = _name_stages(law, language)
    told = [{**row, "stage": names.get(row["part"], row["part"])} for row in stages.to_dicts() if row["part"] != "0"]
    if not told:
        return None
    none = sum(row["rows"] for row in stages.to_dicts() if row["part"] == "0")
    rows = [{"stage": row["stage"], "contracts": row["rows"]} for row in told]
    columns = (
        Column("stage", "阶段", "Stage"),
        Column("rows", "合同数", "Contracts", "count"),
        Column("amount_minor", "逾期金额", "Overdue", "money"),
    )
    summary = Title(f"另有 {none:,} 份合同未进入催收。", f"{none:,} contracts are in no stage.")
    return _draw_bars(
        "stages",
        Title("各催收阶段合同数", "Contracts by stage"),
        rows,
        "stage",
        "contracts",
        None,
        Table(columns, told, language, digits, region="stages"),
        summary,
    )


def _name_stages(law: Law, language: str) -> dict[str, str]:
    """Stages by number, with their title where one ladder holds for all."""
    ladders = [each for each in law.documents.documents if isinstance(each, StrategyDocument)]
    rungs = ladders[0].values[-1].rungs if len(ladders) == 1 else ()
    return {str(rung.stage): f"{rung.stage} {_say(language, rung.title.zh, rung.title.en)}" for rung in rungs}


def _draw_trend(trend: pl.DataFrame, language: str, digits: int) -> Chart | None:
    if trend.height < 2:
        return None
    names = {f"rate_{m}_ppm": _labels(language)(f"collection_rate_{m}") for m in ("cumulative", "current", "prior")}
    rows = [
        {"day": row["business_on"].isoformat(), "rate": row[key] / 1e6, "name": word}
        for row in trend.to_dicts()
        for key, word in names.items()
        if row[key] is not None
    ]
    spec = {
        "mark": {"type": "line", "point": True, "tooltip": True},
        "encoding": {
            "x": {
                "field": "day",
                "type": "ordinal",
                "axis": {"title": None, "labelAngle": -45 if trend.height > 6 else 0},
            },
            "y": {
                "field": "rate",
                "type": "quantitative",
                "scale": {"zero": False},
                "axis": {"format": ".0%", "title": None},
            },
            "color": {"field": "name", "type": "nominal", "sort": list(names.values())},
        },
    }
    columns = (
        Column("business_on", "业务日", "Day", "day"),
        *(Column(key, word, word, "percent") for key, word in names.items()),
    )
    table = Table(columns, trend.to_dicts(), language, digits, region="trend")
    return Chart("trend", Title("三项回收率走势（月末）", "The three rates at month ends"), spec, table, rows=rows)


def _draw_channels(channels: pl.DataFrame, language: str, digits: int) -> Chart | None:
    shown = channels.filter(pl.col("amount_minor") != 0)
    if shown.is_empty():
        return None
    rows = [{"channel": row["part"], "amount": _major(row["amount_minor"], digits)} for row in shown.to_dicts()]
    columns = (
        Column("part", "渠道", "Channel"),
        Column("rows", "笔数", "Receipts", "count"),
        Column("amount_minor", "实收", "Collected", "money"),
    )
    table = Table(columns, shown.to_dicts(), language, digits, region="channels")
    return _draw_bars(
        "channels",
        Title("本年实收（按渠道）", "Collected this year by channel"),
        rows,
        "channel",
        "amount",
        None,
        table,
    )


def _draw_bars(
    key: str,
    title: Title,
    rows: Sequence[Mapping[str, Any]],
    name: str,
    value: str,
    colours: list[str] | None,
    table: Table,
    summary: Title | None = None,
) -> Chart:
    """Horizontal bars in the order given."""
    order = [row[name] for row in rows]
    encoding: dict[str, Any] = {
        "y": _names(name, order),
        "x": {"field": value, **_amounts()},
    }
    if colours:
        encoding["color"] = {
            "field": name,
            "type": "nominal",
            "scale": {"domain": order, "range": colours},
            "legend": None,
        }
    spec = {"mark": {**_BAR, "tooltip": True}, "encoding": encoding}
    return Chart(key, title, spec, table, summary, 26 * len(rows) + 30, list(rows))
