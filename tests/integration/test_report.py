"""The report of a closed day: figures of a small book worked out by hand, and what terminal and page make of them."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import small_book

from recoup.database.connect import connect

START, END = date(2025, 1, 1), date(2025, 3, 31)


@pytest.fixture(scope="module")
def book(module_database: str) -> Iterator[str]:
    """The small book, closed to the end of March."""
    from recoup.domains.book.operations import create_book
    from recoup.engine.cycle import run_cycle
    from recoup.engine.profile import read_profile, read_rules

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="Test")
    small_book.fill()
    run_cycle(START, END, read_rules(), read_profile())
    yield module_database


@pytest.fixture(scope="module")
def report(book: str) -> dict[str, Any]:
    return build(None)


def build(on: date | None) -> dict[str, Any]:
    from recoup.engine.report import build_report

    with connect("reader") as connection:
        return build_report(connection, on)


def test_it_speaks_of_the_last_closed_day(report: dict[str, Any]) -> None:
    assert (report["as_of"], report["denom"], report["simulated"]) == ("2025-03-31", "CNY", False)
    assert (report["accounts"], report["contracts"], report["contracts_in_force"]) == (6, 6, 5)
    assert report["days_closed"] == 90


def test_billed_and_collected_are_exact(report: dict[str, Any]) -> None:
    assert (report["bills"], report["billed"], report["billed_kwh"]) == (12, "1312.56", "2400.000")
    assert (report["payments"], report["collected"]) == (8, "1025.48")
    assert report["billed_by_month"] == {"2025-01": "437.52", "2025-02": "437.52", "2025-03": "437.52"}
    assert report["collected_by_month"] == {"2025-01": "286.76", "2025-02": "329.34", "2025-03": "409.38"}


def test_the_three_rates_part_this_year_from_what_was_carried_over(report: dict[str, Any]) -> None:
    assert report["collection_rate_current"] == "0.583333"  # 765.66 of 1,312.56
    assert report["collection_rate_prior"] == "0.680000"  # 68 of 100
    assert report["collection_rate_cumulative"] == "0.590177"  # 833.66 of 1,412.56


def test_arrears_are_overdue_principal_and_sum_to_their_ages(report: dict[str, Any]) -> None:
    assert (report["arrears"], report["arrears_prior"], report["arrears_current"]) == ("578.90", "32.00", "546.90")
    assert report["ageing"] == {
        "not_overdue": {"items": 0, "amount": "0.00"},
        "0-30": {"items": 2, "amount": "218.76"},
        "31-60": {"items": 2, "amount": "218.76"},
        "61-90": {"items": 1, "amount": "109.38"},
        "91-180": {"items": 1, "amount": "32.00"},
        "181-365": {"items": 0, "amount": "0.00"},
        ">365": {"items": 0, "amount": "0.00"},
    }


def test_late_charges_are_booked_at_the_month_end_and_accrued_between(report: dict[str, Any]) -> None:
    assert (report["late_charges_booked"], report["late_charges_accrued"]) == ("22.96", "0.00")
    before = build(date(2025, 3, 30))
    assert before["late_charges_accrued"] != "0.00"
    assert float(before["late_charges_booked"]) < 22.96


def test_money_nobody_owes_waits_unapplied(report: dict[str, Any]) -> None:
    assert (report["unapplied"], report["unapplied_by_state"]) == ("190.07", {"FREE": "190.07"})


def test_a_corrected_determinant_is_told_with_both_figures(report: dict[str, Any]) -> None:
    assert report["determinants_corrected"] == {
        "bills": 1,
        "read_kwh": "250.000",
        "billed_kwh": "200.000",
        "difference_kwh": "-50.000",
    }


def test_every_decided_contract_has_one_reason(report: dict[str, Any]) -> None:
    assert sum(report["decisions_by_reason"].values()) == report["decisions"] == 5
    assert report["decisions_by_reason"]["NO_DEBT"] == 2
    assert sum(report["accounts_by_stage"].values()) == 5


def test_the_report_of_an_earlier_day_does_not_know_what_came_later(report: dict[str, Any]) -> None:
    earlier = build(date(2025, 1, 31))
    assert (earlier["bills"], earlier["collected"]) == (4, "286.76")
    assert earlier["collection_rate_current"] == "0.500000"
    assert earlier["arrears_current"] == "218.76"


def test_a_day_never_closed_is_refused_with_those_that_are(book: str) -> None:
    from recoup.engine.figures import NothingClosed

    with pytest.raises(NothingClosed, match="closed from 2025-01-01 to 2025-03-31"):
        build(date(2026, 1, 1))


GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "indicators.md"


def test_every_key_is_defined_in_the_guide(report: dict[str, Any]) -> None:
    defined = set(re.findall(r"^\| `(\w+)` \|", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(report) - defined == set()
    assert defined - set(report) == set(), "the guide defines what the report does not tell"


def test_a_live_book_has_no_simulator_to_measure(report: dict[str, Any]) -> None:
    assert report["simulation"] is None


@pytest.mark.parametrize(
    ("language", "words"), [("zh", ("电费回收报告", "模拟数据")), ("en", ("Collection report", "SIMULATED"))]
)
def test_the_page_stands_alone_and_says_when_it_is_simulated(
    language: str, words: tuple[str, str], report: dict[str, Any]
) -> None:
    from recoup.cli.charts import draw_page
    from recoup.cli.labels import Labels

    page = draw_page({**report, "simulated": True}, Labels(language))
    assert all(word in page for word in words)
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert page.count("<svg") == 5
    assert words[1] not in draw_page(report, Labels(language))


def test_the_terminal_prints_the_same_figures(report: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    from recoup.cli.labels import Labels
    from recoup.cli.report import print_report

    print_report(report, Labels("zh"))
    printed = capsys.readouterr().out
    assert all(told in printed for told in ("58.33 %", "68.00 %", "1,312.56", "578.90", "22.96", "没有欠费"))
    assert "模拟数据" not in printed


def test_amounts_keep_every_digit_when_written() -> None:
    from recoup.cli.labels import grouped, percent
    from recoup.engine.figures import as_major

    assert [as_major(minor, 2) for minor in (0, 5, -5, 100, -123456)] == ["0.00", "0.05", "-0.05", "1.00", "-1234.56"]
    assert (as_major(7, 0), as_major(7, 3)) == ("7", "0.007")
    written = {"1234.50": "1,234.50", "-1234.50": "-1,234.50", "-0.05": "-0.05", "1234": "1,234"}
    assert {text: grouped(text) for text in written} == written
    assert [percent(share) for share in ("0.784000", "0.784050", "0.784049", "1.000000", None)] == [
        "78.40 %",
        "78.41 %",
        "78.40 %",
        "100.00 %",
        "–",
    ]


def test_a_bar_is_never_nothing_for_something() -> None:
    from recoup.cli.report import draw_bar

    assert (draw_bar(0, 10), draw_bar(10, 10, 4), draw_bar(5, 10, 3)) == ("", "████", "█▌")
    assert draw_bar(1, 10**9) == "▏"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_paper_is_pdf_a_and_the_same_for_the_same_report(language: str, report: dict[str, Any]) -> None:
    from recoup.cli.paper import set_paper
    from recoup.labels import Labels

    paper = set_paper({**report, "simulated": True}, Labels(language))
    assert paper.startswith(b"%PDF-") and b"pdfaid" in paper
    assert paper == set_paper({**report, "simulated": True}, Labels(language))
    assert paper != set_paper(report, Labels(language))


def test_the_form_holds_exact_figures_each_with_its_definition(report: dict[str, Any], tmp_path: Path) -> None:
    from python_calamine import CalamineWorkbook

    from recoup.cli.workbook import write_workbook
    from recoup.definitions import define
    from recoup.labels import Labels

    write_workbook({**report, "simulated": True}, tmp_path / "form.xlsx", Labels("zh"))
    sheets = CalamineWorkbook.from_path(str(tmp_path / "form.xlsx"))
    rows = {row[0]: row for name in sheets.sheet_names for row in sheets.get_sheet_by_name(name).to_python()}
    assert rows["应收（含年初结转）"][1:] == [1412.56, define("receivable", "zh")]
    assert rows["当年电费回收率"][1:] == [0.583333, define("collection_rate_current", "zh")]
    assert rows["31-60 天"][:3] == ["31-60 天", 2.0, 218.76]
    assert "模拟数据" in rows


def test_every_figure_of_the_papers_has_its_definition_in_both_languages() -> None:
    from recoup.cli import report_form
    from recoup.definitions import define

    names = (*report_form.RATES, *report_form.BASES, *report_form.OPEN, *report_form.MONEY, *report_form.COUNTS)
    assert [(name, lang) for name in names for lang in ("zh", "en") if not define(name, lang)] == []
