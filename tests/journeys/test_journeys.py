"""What people of a power company do in a day, in a real browser."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import lively_book
import pytest
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook
from windows import NARROW, House, Window, sign_in

type Enter = Callable[..., Window]

_SHARE = re.compile(r"^\d{1,3}\.\d\d %$")
_FIRST, _SECOND = "37060001T001", "37060001T002"


def find(page: Page, words: str) -> None:
    """Look something up in the search box of every page."""
    page.fill("#find", words)
    page.press("#find", "Enter")
    page.wait_for_load_state()


def read_numbers(page: Page) -> list[str]:
    """The account numbers of the list on a page."""
    return page.locator("#list tbody td.code:first-child").all_inner_texts()


def test_a_wrong_password_is_told_and_the_right_one_opens_the_overview(enter: Enter) -> None:
    window = enter()
    sign_in(window, "head", "not-the-password")
    expect(window.page.get_by_role("alert")).to_contain_text("用户名或密码不正确")
    window.forgive(403)
    sign_in(window, "head")
    expect(window.page.locator(".rate .share")).to_have_text([_SHARE] * 3)
    expect(window.page.locator(".rate h2 span:first-child")).to_contain_text(
        ["当年电费回收率", "累计电费回收率", "陈欠回收率"]
    )


def test_who_is_not_signed_in_comes_back_to_the_page_that_was_wanted(enter: Enter) -> None:
    window = enter()
    window.go("/accounts/?owing=1")
    expect(window.page).to_have_url(re.compile("/sign-in/"))
    window.page.fill("[name=username]", "eye")
    window.page.fill("[name=password]", lively_book.PASSWORD)
    window.page.press("[name=password]", "Enter")
    expect(window.page).to_have_url(re.compile(r"/accounts/\?owing=1$"))


def test_the_gap_leads_to_the_accounts_that_make_it_and_on_to_one_of_them(enter: Enter) -> None:
    page = enter("head").go("/")
    gap = page.locator(".rate.short .gap b").first.inner_text()
    page.locator(".rate.short .gap a").first.click()
    expect(page.locator("dl.facts")).to_contain_text(gap)
    owed, through = (page.locator(f"tbody td[data-label={label}]") for label in ("未收", "累计"))
    amounts = [int(re.sub(r"[,.]", "", each)) for each in owed.all_inner_texts()]
    assert amounts == sorted(amounts, reverse=True) and len(amounts) > 10
    assert int(re.sub(r"[,.]", "", through.nth(2).inner_text())) == sum(amounts[:3])
    number = page.locator("tbody a").first.inner_text()
    page.locator("tbody a").first.click()
    expect(page.locator("h1")).to_contain_text(number)


def test_an_account_is_found_by_its_new_and_by_its_old_number(enter: Enter) -> None:
    page = enter("head").go("/accounts/")
    new, old = page.locator("#list tbody tr").first.locator("td").all_inner_texts()[:2]
    assert re.fullmatch(r"\d{13}", new) and re.fullmatch(r"\d{10}", old)
    for number in (new, old):
        find(page, number)
        expect(page).to_have_url(re.compile(f"/accounts/{new}/$"))
    find(page, "0000000000")
    expect(page.locator(".empty")).to_be_visible()


def test_why_and_why_not_are_told_for_any_closed_day(enter: Enter) -> None:
    window = enter("head")
    acted = window.go("/work/").locator(".work-item .number").first.inner_text()
    page = window.go(f"/accounts/{acted}/why/?on={lively_book.FEBRUARY[1]}")
    expect(page.locator(".verdict.acted")).to_contain_text("怎样会改变")
    expect(page.locator("tr.failed")).to_have_count(0)
    page.fill("[name=on]", "2025-01-02")
    page.press("[name=on]", "Enter")
    expect(page).to_have_url(re.compile("on=2025-01-02"))
    expect(page.locator(".verdict .mark.warn")).to_be_visible()
    expect(page.locator("tr.failed")).not_to_have_count(0)


def test_a_full_name_is_shown_once_for_a_reason_that_the_audit_record_keeps(enter: Enter) -> None:
    window = enter("head")
    number = window.go("/work/").locator(".work-item .number").first.inner_text()
    page = window.go(f"/accounts/{number}/")
    customer = page.locator("dl.contract dd").first
    expect(customer).to_contain_text("*")
    page.locator(".reveal summary").click()
    page.fill(".reveal [name=reason]", "上门前核对户主")
    page.locator(".reveal button").click()
    expect(customer).not_to_contain_text("*")
    window.go(f"/accounts/{number}/")
    expect(customer).to_contain_text("*")
    row = window.go("/audit/").locator("tbody tr", has_text="上门前核对户主")
    expect(row).to_contain_text([number])
    expect(row).to_contain_text(["head"])


def test_an_auditor_sees_the_desks_without_a_way_to_write(enter: Enter) -> None:
    window = enter("eye")
    for path in ("/", "/work/", "/cutoffs/", "/targets/", "/files/", "/gap/"):
        page = window.go(path)
        forms = page.locator("main form[method=post]")
        assert forms.count() == 0, f"{path}: {forms.first.inner_text()}"


def test_a_page_is_read_in_both_languages_and_the_choice_is_kept(enter: Enter) -> None:
    window = enter("eye")
    page = window.go("/")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).to_have_text("Overview")
    again = enter()
    sign_in(again, "eye")
    expect(again.page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("总览")


def test_a_signed_month_end_stands_beside_what_is_known_now_with_the_bounced_cheque_by_name(enter: Enter) -> None:
    page = enter("head").go(f"/cutoffs/{lively_book.JANUARY[1]}/")
    reported, known = page.locator(".pair").first.locator("b").all_inner_texts()
    assert _SHARE.match(reported) and _SHARE.match(known) and reported != known
    expect(page.locator("tr", has_text="收款被冲回")).to_contain_text(["CH-0001"])
    expect(page.locator("tr", has_text="CH-0001")).to_contain_text("2025-02-04")
    expect(page.locator("tbody tr", has_text="迟报收款")).to_have_count(9)
    assert page.locator(".alarm").count() == 0


def test_a_manager_signs_a_day_once_and_a_clerk_may_not(enter: Enter) -> None:
    clerk = enter("clerk")
    assert clerk.go("/cutoffs/").locator("main form").count() == 0
    assert clerk.post("/cutoffs/sign/", day=f"{lively_book.FEBRUARY[1]}") == 403
    window = enter("head")
    page = window.go("/cutoffs/")
    day = page.locator("[name=day] option").first.get_attribute("value")
    page.get_by_role("button", name="以我的名义签报").click()
    expect(page.locator("h1")).to_contain_text(f"{day}")
    expect(page.locator(".page-head")).to_contain_text("李经理")
    assert window.go("/cutoffs/").locator(f"option[value='{day}']").count() == 0


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_export_holds_the_filtered_rows_with_their_numbers_as_text(enter: Enter, form: str, tmp_path: Path) -> None:
    page = enter("head").go(f"/accounts/?owing=1&unit={_SECOND}")
    shown = read_numbers(page)
    with page.expect_download() as caught:
        page.locator(".exports a", has_text=form.upper()).click()
    caught.value.save_as(tmp_path / f"accounts.{form}")
    if form == "csv":
        rows = list(csv.reader(io.StringIO((tmp_path / "accounts.csv").read_text("utf-8-sig"))))
    else:
        rows = CalamineWorkbook.from_path(str(tmp_path / "accounts.xlsx")).get_sheet_by_index(0).to_python()
    head, *lines, mark = rows
    assert head[0] == "户号" and "李经理" in mark[0] and "SIMULATED" in mark[0]
    assert [line[0] for line in lines][: len(shown)] == shown and len(lines) >= len(shown) > 3
    assert all("*" in line[head.index("户名")] or "公司" in line[head.index("户名")] for line in lines[:5])


def test_the_way_from_the_door_to_an_account_needs_no_mouse(enter: Enter) -> None:
    window = enter()
    page = window.go("/sign-in/")
    page.keyboard.type("head")
    page.keyboard.press("Tab")
    page.keyboard.type(lively_book.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("总览")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    tab_to(page, "#find")
    page.keyboard.type("3706000000017")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("3706000000017")
    tab_to(page, "main .tabs a:last-child")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/accounts/3706000000017/why/$"))


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something has the focus, and see that the focus is visible on the way."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate("() => document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_a_collector_records_a_promise_on_a_phone_and_the_next_day_waits_for_it(enter: Enter, house: House) -> None:
    window = enter("qiu", width=NARROW)
    page = window.go("/work/")
    waiting, answered = (int(page.locator(".tabs .mark").nth(place).inner_text()) for place in (0, -1))
    item = page.locator(".work-item", has=page.locator(".rung", has_text="上门")).first
    number, action = item.locator(".number").inner_text(), item.get_attribute("id")
    item.locator("summary").click()
    item.get_by_label("备注").fill("本人在家")
    item.get_by_role("button", name="7 天内").click()
    row = page.locator(f"#{action}")
    expect(row).to_contain_text("承诺缴费")
    expect(page.locator(".tabs .mark").first).to_have_text(f"{waiting - 1}")
    expect(page.locator(".tabs .mark").last).to_have_text(f"{answered + 1}")
    assert number not in window.go("/work/").locator(".work-item .number").all_inner_texts()
    expect(window.go(f"/accounts/{number}/contacts/").locator("tbody tr").first).to_contain_text("承诺缴费")

    closed_on = date.fromisoformat(page.locator(".as-of b").inner_text()) + timedelta(days=1)
    house.recoup("cycle", "--from", f"{closed_on}", "--to", f"{closed_on}")
    verdict = window.go(f"/accounts/{number}/why/").locator(".verdict")
    expect(verdict).to_contain_text(f"{closed_on}")
    expect(verdict.locator(".mark.warn")).to_contain_text("承诺")


def test_a_clerk_drops_a_sheet_in_looks_loads_and_takes_it_back(enter: Enter, tmp_path: Path) -> None:
    window = enter("clerk")
    page = window.go("/files/")
    page.set_input_files("[name=file]", _write_receipts(tmp_path))
    page.wait_for_url("**/files/*/")
    expect(page.locator(".page-head .mark").first).to_have_text("待装入")
    expect(page.locator("main")).to_contain_text("112.40")
    expect(page.locator(".agrees .mark.good").first).to_have_text("相符")
    page.get_by_role("button", name="装入", exact=True).click()
    expect(page.locator(".page-head .mark").first).to_have_text("已装入")
    number = "3706000000031"
    expect(window.go(f"/accounts/{number}/payments/").locator("tbody")).to_contain_text("GT-0001")
    window.page.go_back()
    page.locator("a[href*='/files/loads/']").first.click()
    page.fill("[name=reason]", "选错了文件")
    page.get_by_role("button", name="撤销这次装入").click()
    expect(page.locator(".notice")).to_contain_text("已撤销")
    assert "GT-0001" not in window.go(f"/accounts/{number}/payments/").content()


def _write_receipts(folder: Path) -> Path:
    """A counter's list as the clerk has it: a title, a day, leading words, a total, a signature."""
    import xlsxwriter

    with xlsxwriter.Workbook(folder / "柜台收费.xlsx") as book:
        sheet = book.add_worksheet("明细")
        rows = (
            ("柜台收费明细表",),
            ("截止日期：2025-02-28",),
            ("户号", "户名", "缴费方式", "流水号", "缴费日期", "实收金额"),
            ("3706000000031", "某某", "柜台", "GT-0001", "2025-02-28", 100.0),
            ("3706000000048", "某某", "柜台", "GT-0002", "2025-02-28", 12.4),
            ("合计", None, None, None, None, 112.4),
            ("制表人：赵核算",),
        )
        for place, row in enumerate(rows):
            for column, value in enumerate(row):
                if value is not None:
                    sheet.write(place, column, value)
    return folder / "柜台收费.xlsx"
