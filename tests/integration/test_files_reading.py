"""Cells, headings and rows of clerks' sheets, without a database."""

import zipfile
from datetime import date
from pathlib import Path

import clerk_files as given
import polars as pl
import pytest

from recoup.domains.feeds import cells, headings, shape
from recoup.domains.feeds.encoding import FileRefused
from recoup.domains.feeds.layouts import LAYOUTS, Kind
from recoup.domains.feeds.sheets import DAY, NUMBER, open_file, write_number


def silent(_done: int, _total: int) -> None:
    """Show nothing."""


def read(found: cells.Read, cell: str) -> tuple[str | None, str | None]:
    """The text and the first flaw of one cell."""
    row = pl.DataFrame({"c": [cell]}, schema={"c": pl.String})
    flaws = [pl.when(broken.fill_null(False)).then(pl.lit(reason)) for reason, broken in found.flaws]
    return row.select(found.value, flaw=pl.coalesce(*flaws, pl.lit(None, pl.String))).row(0)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234.50", "1234.50"),
        ("1 234.50", "1234.50"),
        ("￥12元", "12"),
        ("RMB 12", "12"),
        ("（3.2）", "-3.2"),
        ("-¥5", "-5"),
        ("１２３．４５", "123.45"),
        (NUMBER + "123.45", "123.45"),
        ("5万元", "50000"),
        ("1.2345万", "12345"),
        ('="12"', "12"),
        ("—", None),
        ("12,34", "12,34"),
        ("1.234,50", "1.234,50"),
        ("5%", "5%"),
        ("abc", "abc"),
    ],
)
def test_an_amount_is_read_as_meant_or_left_as_it_stands(cell: str, value: str | None) -> None:
    assert read(cells.read_number(pl.col("c"), kind=Kind.AMOUNT), cell) == (value, None)


@pytest.mark.parametrize(
    ("cell", "places", "value"),
    [
        ("1.23456789", 4, "12345.6789"),
        ("-0.5", 4, "-05000"),
        (".5", 4, "5000"),
        ("99999999999999999999", 4, "999999999999999999990000"),
        ("12345", -2, "123.45"),
        ("-5", -2, "-0.05"),
        ("7", -2, "0.07"),
        ("x", 4, "x"),
    ],
)
def test_a_unit_moves_the_point_and_loses_no_digit(cell: str, places: int, value: str) -> None:
    assert read(cells.read_number(pl.col("c"), shift=places), cell)[0] == value


@pytest.mark.parametrize(
    ("cell", "value", "flaw"),
    [
        ("0012345678", "0012345678", None),
        ("'00123", "00123", None),
        ('="00123"', "00123", None),
        ("００１２３", "00123", None),
        ("\t37 01\t", "3701", None),
        (NUMBER + "1234567890", "1234567890", None),
        (NUMBER + "1234567890123", "1234567890123", None),
        (NUMBER + "12345678", "12345678", "WRONG_LENGTH"),
        ("1.23457E+12", "1.23457E+12", "DIGITS_LOST"),
        ("1E+12", "1E+12", "DIGITS_LOST"),
        (NUMBER + "1234570000000", "1234570000000", "DIGITS_LOST"),
        (NUMBER + write_number(1.23456789012345678e17), None, "DIGITS_LOST"),
        (NUMBER + "12.5", "12.5", "NUMBER_AS_KEY"),
        (DAY + "2025-03-01", "2025-03-01", "NUMBER_AS_KEY"),
    ],
)
def test_an_account_number_is_text_and_no_digit_is_guessed(cell: str, value: str | None, flaw: str | None) -> None:
    found = read(cells.read_key(pl.col("c"), lengths=(10, 13), tight=True), cell)
    assert found == (value or found[0], flaw)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2025/3/1", "2025-03-01"),
        ("2025年3月1日", "2025-03-01"),
        ("2025.3.1 08:00", "2025-03-01"),
        ("20250301", "2025-03-01"),
        ("20250301103000", "2025-03-01"),
        (NUMBER + "45717", "2025-03-01"),
        (NUMBER + "45717.5", "2025-03-01"),
        (DAY + "2025-03-01 10:00:00", "2025-03-01"),
        ("3/1/2025", "3/1/2025"),
        ("25-3-1", "25-3-1"),
        ("202503", "202503"),
    ],
)
def test_a_day_is_read_in_the_ways_people_write_it_and_an_ambiguous_one_is_left(cell: str, value: str) -> None:
    assert read(cells.read_day(pl.col("c")), cell)[0] == value


@pytest.mark.parametrize("cell", ["202503", "2025-03", "2025年3月", NUMBER + "202503", "2025/3/1", DAY + "2025-03-01"])
def test_a_billing_month_is_its_first_day(cell: str) -> None:
    assert read(cells.read_day(pl.col("c"), month=True), cell)[0] == "2025-03-01"


@pytest.mark.parametrize(
    ("value", "text"),
    [(123.45, "123.45"), (1e-7, "0.0000001"), (0.1 + 0.2, "0.3"), (3.3000000000000003, "3.3"), (12.345, "12.345")],
)
def test_a_float_is_the_decimal_that_the_spreadsheet_shows(value: float, text: str) -> None:
    assert write_number(value) == text


def test_every_field_of_every_layout_has_headings_in_both_languages() -> None:
    of_entity: dict[str, set[str]] = {}
    for kind in headings.kinds().values():
        for part in kind.parts:
            of_entity.setdefault(part.entity, {"as_of", "supersedes"}).update(kind.fields)
    lacking = {
        entity: {column.name for column in layout.columns} - of_entity[entity] for entity, layout in LAYOUTS.items()
    }
    assert {entity: names for entity, names in lacking.items() if names} == _WITHOUT_HEADING
    assert all(field.zh and field.en for kind in headings.kinds().values() for field in kind.fields.values())


# What no clerk's sheet of customers or touches has: it takes the default of its layout.
_WITHOUT_HEADING = {"readings": {"part"}}


def split(*texts: str) -> list[headings.Heading]:
    """Headings of one row."""
    return [headings.split_heading(place, text, "") for place, text in enumerate(texts)]


def test_a_sheet_is_known_by_its_headings() -> None:
    (found,) = headings.propose(
        split("序号", "*户 号", "缴费方式", "流水号", "缴费日期", "实收金额（万元）"), None, {}, {}
    )
    assert (found.kind.name, found.missing, found.ambiguous) == ("payments", (), ())
    assert found.fields["amount"] == "实收金额"
    assert found.fields["account_no"] == "户号"


def test_two_headings_for_one_field_are_asked_not_guessed() -> None:
    (found,) = headings.propose(split("户号", "渠道", "流水号", "缴费日期", "实收金额", "缴费金额"), "payments", {}, {})
    assert found.ambiguous == ("amount: 实收金额 / 缴费金额",)
    assert "amount" in found.missing
    (told,) = headings.propose(
        split("户号", "渠道", "流水号", "缴费日期", "实收金额", "缴费金额"), "payments", {"amount": "缴费金额"}, {}
    )
    assert told.missing == ()


def test_what_no_column_says_is_missing_until_a_constant_says_it() -> None:
    columns = split("户号", "流水号", "缴费日期", "金额")
    (found,) = headings.propose(columns, "payments", {}, {})
    assert found.missing == ("channel",)
    (told,) = headings.propose(columns, "payments", {}, {"channel": "柜台"})
    assert told.missing == ()


def find(path: Path) -> shape.Table:
    """The table of a file's first sheet."""
    opened = open_file(path)
    table = shape.find_table(opened.read(opened.sheets[0], silent), lambda _: False)
    assert table is not None
    return table


@pytest.mark.parametrize("form", given.WRITERS)
def test_the_heading_and_the_kinds_of_rows_are_the_same_in_every_format(tmp_path: Path, form: str) -> None:
    table = find(given.WRITERS[form](tmp_path / f"a.{form}", given.payments()))
    assert [heading.text for heading in table.headings][1:3] == ["用户信息·户名", "用户信息·电费年月"] or (
        table.headings[0].text == "户号"
    )
    assert table.heading_rows[-1] == 5
    roles = shape.Roles(("c1",), ("c6", "c7"), ("c1", "c4", "c5", "c6", "c7"))
    kinds = shape.classify(table, roles).select("row_no", "row_kind").rows()
    assert [row for row, kind in kinds if kind == shape.DATA] == [6, 7, 9, 10]
    assert [row for row, kind in kinds if kind == shape.TOTAL] == [8, 12]
    assert [row for row, kind in kinds if kind == shape.NOTE] == [14, 15]
    assert shape.find_as_of(table.above) == date(2025, 3, 31)
    assert shape.find_stated_unit(table.above) == "元"


def test_a_heading_over_two_columns_tells_them_apart(tmp_path: Path) -> None:
    rows: given.Sheet = [
        ("户号", "电费", None, "违约金", None),
        (None, "应收", "实收", "应收", "实收"),
        ("0012345678", 10, 5, 1, 0),
    ]
    for form in ("xlsx", "gb18030.csv"):
        table = find(given.WRITERS[form](tmp_path / f"b.{form}", rows))
        assert [h.text for h in table.headings] == ["户号", "电费·应收", "电费·实收", "违约金·应收", "违约金·实收"]


def test_a_row_without_its_account_number_is_a_row_not_a_note(tmp_path: Path) -> None:
    rows = [*given.PAYMENTS, (5, None, "赵六", "202502", "现金", "20250305000005", date(2025, 3, 5), 7.0)]
    table = find(given.write_xlsx(tmp_path / "c.xlsx", given.payments(rows)))
    kinds = shape.classify(table, shape.Roles(("c1",), ("c6", "c7"), ("c1", "c4", "c5", "c6", "c7")))
    assert kinds.filter(pl.col("row_kind") == shape.DATA)["row_no"].to_list() == [6, 7, 9, 10, 11]


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.xlsx", b"", "the file is empty"),
        ("a.xlsx", b"PK\x03\x04 and nothing more", "the file is damaged"),
        ("a.xls", OLE + b"0" * 600, "damaged or no spreadsheet"),
        ("a.xls", b"<html><body><table><tr><td>1</td></tr></table>", "a web page with the name of a spreadsheet"),
        (
            "a.xls",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "protected by a password",
        ),
        ("a.csv", b"\xff\xfa\x00\x80" * 40, "neither"),
        ("a.csv", '户号,金额\n1,"2\n'.encode(), "a quote is not closed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(FileRefused, match=told):
        opened = open_file(path)
        opened.read(opened.sheets[0], silent)


def test_a_file_that_unpacks_beyond_measure_is_refused_before_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = given.write_xlsx(tmp_path / "a.xlsx", given.payments())
    monkeypatch.setattr("recoup.domains.feeds.sheets.UNPACKED_LIMIT", 1000)
    with pytest.raises(FileRefused, match="unpacks to more than"):
        open_file(path)


def test_a_cell_at_the_end_of_the_world_is_refused_not_allocated(tmp_path: Path) -> None:
    path = given.write_xlsx(tmp_path / "a.xlsx", given.payments())
    far = tmp_path / "far.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(far, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "xl/worksheets/sheet1.xml":
                data = data.replace(
                    b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
                )
            target.writestr(entry.filename, data)
    with pytest.raises(FileRefused, match="spans 1,048,576 rows and 16,384 columns"):
        open_file(far)
