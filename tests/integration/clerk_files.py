"""Writes files as clerks have them: title rows, headings in two rows, totals, notes; the same rows in every format."""

import csv
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
import xlwt

type Value = str | int | float | Decimal | date | None
type Row = Sequence[Value]
type Sheet = Sequence[Row]

CUSTOMER_HEADINGS: Row = ("户号", "户名", "用电地址", "供电所", "台区", "联系电话", "用电类别", "备注")
CUSTOMERS: Sheet = [
    ("0012345678", "张三", "和平路1号", "城东供电所", "1号公变", "13800000001", "居民生活"),
    ("0012345679", "李四", "和平路2号", "城东供电所", "1号公变", "13800000002", "居民生活"),
    ("0012345680", "某某机械有限公司", "工业路3号", "城东供电所", "2号公变", "05311234567", "大工业"),
    ("0012345681", "王五", "和平路4号", "城西供电所", "1号公变", None, "居民生活"),
]
# Two readings of 户号 with its leading zeros; amounts as a spreadsheet keeps them.
PAYMENTS: Sheet = [
    (1, "0012345678", "张三", "202502", "微信", "20250301000001", date(2025, 3, 1), 109.38),
    (2, "0012345679", "李四", "202502", "现金", "20250302000002", date(2025, 3, 2), 1234.5),
    (3, "0012345680", "某某机械有限公司", "202502", "银行代收", "20250303000003", date(2025, 3, 3), 600000.0),
    (4, "0012345681", "王五", "202502", "支付宝", "20250304000004", date(2025, 3, 4), 50.05),
]
ITEM_HEADINGS: Row = ("户号", "户名", "电费年月", "应收电费", "实收", "欠费", "应收日期", "到期日")


def customers(rows: Sheet = CUSTOMERS) -> Sheet:
    """A list of customers: a title that says its day, a count for a total, who made it."""
    count = f"{len(rows)}户"
    return [
        ("客户档案清册（截止日期：2025年2月28日）",),
        CUSTOMER_HEADINGS,
        *rows,
        (),
        ("合计", count),
        ("制表人：赵六", None, None, None, "审核：孙七"),
    ]


def payments(rows: Sheet = PAYMENTS, total: Value = "sum", unit: str = "元") -> Sheet:
    """A list of payments: two title rows, a heading in two rows, a subtotal after two rows, a total, two notes."""
    stated = sum((Decimal(str(row[7])) for row in rows), Decimal()) if total == "sum" else total
    part = sum((Decimal(str(row[7])) for row in rows[:2]), Decimal())
    return [
        ("某市供电公司收费明细表",),
        (f"单位：{unit}", None, None, None, "统计日期：2025-03-01至2025-03-31"),
        (),
        ("序号", "用户信息", None, None, "缴费信息", None, None, None),
        (None, "户号", "户名", "电费年月", "缴费方式", "流水号", "缴费日期", f"实收金额（{unit}）"),
        *(tuple(row) + ((None, None, "已与银行核对") if place == 0 else ()) for place, row in enumerate(rows[:2])),
        ("小计", *[None] * 6, part),
        *rows[2:],
        (),
        ("合计", *[None] * 6, stated),
        (),
        ("注：本表数据来自营销系统，仅供内部使用。",),
        ("制表人：李某", None, None, None, None, None, "制表日期：2025-04-01"),
    ]


def open_items(rows: Sheet, headings: Row = ITEM_HEADINGS) -> Sheet:
    """A list of debts with its total."""
    total = sum(Decimal(str(row[5])) for row in rows)
    return [
        ("欠费明细表",),
        ("截止日期:2025年3月31日 单位:元",),
        headings,
        *rows,
        ("总计", None, None, None, None, total),
    ]


def write_xlsx(path: Path, sheet: Sheet, name: str = "明细", hidden: Sequence[str] = ()) -> Path:
    """Write a workbook of one sheet, and hidden ones."""
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet(name)
        day = book.add_format({"num_format": "yyyy/m/d"})
        money = book.add_format({"num_format": "#,##0.00"})
        for place, row in enumerate(sheet):
            for column, value in enumerate(row):
                _put(page, place, column, value, day, money)
        for title in hidden:
            other = book.add_worksheet(title)
            other.write_string(0, 0, "x")
            other.hide()
    return path


def _put(page: Any, row: int, column: int, value: Value, day: Any, money: Any) -> None:
    if isinstance(value, str):
        page.write_string(row, column, value)
    elif isinstance(value, date):
        page.write_datetime(row, column, datetime(value.year, value.month, value.day), day)
    elif isinstance(value, int):
        page.write_number(row, column, value)
    elif value is not None:
        page.write_number(row, column, float(value), money)


def write_xls(path: Path, sheet: Sheet, name: str = "明细") -> Path:
    """Write an old workbook (BIFF)."""
    book = xlwt.Workbook(encoding="utf-8")
    page = book.add_sheet(name)
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for place, row in enumerate(sheet):
        for column, value in enumerate(row):
            if isinstance(value, date):
                page.write(place, column, value, day)
            elif value is not None:
                page.write(place, column, float(value) if isinstance(value, Decimal) else value)
    book.save(str(path))
    return path


def write_csv(path: Path, sheet: Sheet, encoding: str = "gb18030") -> Path:
    """Write what a spreadsheet shows, as it saves it: every line with as many fields as the widest."""
    wide = max(len(row) for row in sheet)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerows([*map(_show, row), *[""] * (wide - len(row))] for row in sheet)
    return path


def _show(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value.year}/{value.month}/{value.day}"
    return f"{value:,.2f}" if isinstance(value, float | Decimal) else str(value)


WRITERS: dict[str, Callable[[Path, Sheet], Path]] = {
    "xlsx": write_xlsx,
    "xls": write_xls,
    "gb18030.csv": write_csv,
    "utf8.csv": lambda path, sheet: write_csv(path, sheet, "utf-8"),
    "utf8mark.csv": lambda path, sheet: write_csv(path, sheet, "utf-8-sig"),
    "utf16.csv": lambda path, sheet: write_csv(path, sheet, "utf-16"),
}
