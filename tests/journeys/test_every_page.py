"""Every page, wide and narrow, in both languages: nothing sticks out, nothing goes wrong, everybody can use it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from addresses import find_paths, list_addresses
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page
from windows import HEIGHTS, NARROW, WIDE, House, Window, make_window

SHOTS = Path(__file__).resolve().parents[2] / "shots"
PEOPLE = {"zh": "boss", "en": "boss-en"}
# Asked for by a page while it waits, gone when the work is done.
_PARTS = {"file-progress"}
_PAGES = {each.name: each.route for each in list_addresses() if not each.takes_forms and each.name not in _PARTS}
# Opened before the figures are drawn, a page is judged by what is not there yet.
_DRAWN = "() => [...document.querySelectorAll('[data-chart]')].every(each => 'drawn' in each.dataset)"
_OVER = "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
_WIDEST = """() => [...document.querySelectorAll('body *')].filter(each =>
    each.getBoundingClientRect().right > document.scrollingElement.clientWidth + 1 && !each.closest('.box'))
    .slice(0, 5).map(each => `${each.tagName}.${each.className} ${each.textContent.trim().slice(0, 40)}`)"""
_AXE = """() => axe.run({resultTypes: ['violations']}).then(told => told.violations
    .filter(each => ['serious', 'critical'].includes(each.impact))
    .map(each => [each.id, each.help, each.nodes.slice(0, 4).map(node => node.html.slice(0, 200))]))"""
_RECEIPTS = """收费明细表,,,,
截止日期：2025-02-28,,,,
户号,收费渠道,流水号,收费日期,实收金额
3706000000017,柜台,G-1,2025-02-26,12.50
3706000000024,柜台,G-2,2025-02-26,30.00
37060000,柜台,G-3,2025-02-26,1.00
合计,,,,43.50
制表人：赵核算,,,,
"""


@pytest.fixture(scope="module", params=sorted(PEOPLE))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reader(language: str, browser: Browser, house: House, states: dict[str, Any]) -> Iterator[Window]:
    """One window of an administrator for all pages of a language."""
    window = make_window(browser, house, states, PEOPLE[language])
    yield window
    window.context.close()


@pytest.fixture(scope="module")
def paths(reader: Window) -> dict[str, str]:
    """Where each page is, followed from link to link; a dropped file has pages of its own."""
    page = reader.go("/files/")
    page.set_input_files("[name=file]", {"name": "收费.csv", "mimeType": "text/csv", "buffer": _RECEIPTS.encode()})
    page.wait_for_url("**/files/*/")
    page.locator(".working").wait_for(state="detached")
    return find_paths(lambda path: reader.read(path).decode())


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", _PAGES)
def test_a_page_fits_reads_and_makes_no_error(
    reader: Window, language: str, paths: dict[str, str], name: str, width: int
) -> None:
    assert name in paths, f"no page leads to {_PAGES[name]}"
    if _is_page(reader, paths[name]):
        reader.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        _judge(reader, paths[name], name, language, width)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_door_fits_reads_and_makes_no_error(enter: Callable[..., Window], language: str, width: int) -> None:
    window = enter(width=width)
    window.go("/sign-in/")
    if language == "en":
        window.page.click(".entry-language button")
    _judge(window, "/sign-in/", "sign-in", language, width)


def _is_page(window: Window, path: str) -> bool:
    """Whether an address shows something, rather than sends a script or leads on."""
    answer = window.context.request.get(f"{window.base}{path}", max_redirects=0)
    assert answer.status in (200, 204, 302), f"{path}: {answer.status}"
    return answer.status == 200 and answer.headers["content-type"].startswith("text/html")


def _judge(window: Window, path: str, name: str, language: str, width: int) -> None:
    """Open a page and find everything wrong with it; with RECOUP_SHOTS set, only keep how it looks."""
    page = window.go(path)
    page.wait_for_function(_DRAWN)
    if "RECOUP_SHOTS" in os.environ:
        SHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}-{width}-{language}.png", full_page=True)
        return
    over = page.evaluate(_OVER)
    assert over <= 0, f"{over} px too wide: {page.evaluate(_WIDEST)}"
    assert page.get_attribute("html", "lang") == ("en" if language == "en" else "zh-CN")
    assert find_barriers(page) == []
    assert window.wrongs == []


def find_barriers(page: Page) -> list[Any]:
    """What axe finds serious or critical."""
    page.evaluate(AXE_SCRIPT)
    return page.evaluate(_AXE)
