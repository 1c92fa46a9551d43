"""Who may see and change what, tried at every address there is: by page, export, search, form and guess."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from addresses import find_paths, list_addresses
from playwright.sync_api import Browser
from windows import House, Window, make_window

type Enter = Callable[..., Window]

# What leaves the book as it is: anybody may do it.
_HARMLESS = {"sign-out", "language", "account-reveal", "quarantine-reveal"}
_NUMBER = re.compile(r"\b3706\d{9}\b")


@pytest.fixture(scope="module")
def boss(browser: Browser, house: House, states: dict[str, Any]) -> Iterator[Window]:
    window = make_window(browser, house, states, "boss")
    yield window
    window.context.close()


@pytest.fixture(scope="module")
def foreign(boss: Window) -> dict[str, str]:
    """Where everything is of an account of the first station, as found by who sees it."""
    boss.go("/")
    return find_paths(lambda path: boss.read(path).decode())


def list_accounts(boss: Window, unit: str) -> set[str]:
    return set(_NUMBER.findall(boss.read(f"/accounts/?unit={unit}&export=csv").decode()))


def test_an_auditor_is_refused_by_every_address_that_writes(enter: Enter, foreign: dict[str, str]) -> None:
    window = enter("eye")
    window.go("/")
    writing = [each for each in list_addresses() if each.takes_forms and each.name not in _HARMLESS]
    told = {each.name: window.post(foreign.get(each.name) or _guess(each.route)) for each in writing}
    assert {name: status for name, status in told.items() if status != 403} == {} and len(told) >= 5


def _guess(route: str) -> str:
    return "/" + re.sub(r"<[^>]+>", "1", route)


def test_a_forged_form_without_its_token_is_refused(enter: Enter) -> None:
    window = enter("head")
    answer = window.context.request.post(f"{window.base}/targets/set/", form={"unit": "*"}, max_redirects=0)
    assert answer.status == 403


def test_a_collector_reaches_no_account_of_another_station_by_any_address(
    enter: Enter, boss: Window, foreign: dict[str, str]
) -> None:
    window = enter("qiu")
    window.go("/")
    ours, theirs = list_accounts(boss, "37060002"), list_accounts(boss, "37060001")
    assert ours and theirs and not ours & theirs
    seen = {}
    for path in sorted({path for each, path in _open_pages(foreign)}):
        for form in ("", "?export=csv", "?export=csv&unit=37060001", "?all=1&unit=37060001T001"):
            answer = window.context.request.get(f"{window.base}{path}{form}", max_redirects=0)
            if answer.status == 200 and (numbers := set(_NUMBER.findall(answer.text())) - ours):
                seen[f"{path}{form}"] = sorted(numbers)[:3]
    assert seen == {}


def _open_pages(found: dict[str, str]) -> list[tuple[str, str]]:
    pages = {each.name for each in list_addresses() if not each.takes_forms}
    return [(name, path) for name, path in found.items() if name in pages]


def test_a_guessed_address_of_another_station_is_not_there(enter: Enter, foreign: dict[str, str], boss: Window) -> None:
    window = enter("qiu")
    window.go("/")
    theirs = sorted(list_accounts(boss, "37060001"))[0]
    pages = [path for name, path in _open_pages(foreign) if name.startswith(("account-", "bill"))]
    guessed = [re.sub(r"/accounts/\d+/", f"/accounts/{theirs}/", path) for path in pages if path != "/bills/"]
    assert len(guessed) >= 6
    assert {path: window.status_of(path) for path in guessed if window.status_of(path) != 404} == {}
    assert window.post(f"/accounts/{theirs}/reveal/", reason="想看看邻居") == 404


def test_a_search_finds_nothing_of_another_station(enter: Enter, boss: Window) -> None:
    window = enter("qiu")
    theirs = sorted(list_accounts(boss, "37060001"))[0]
    page = window.go(f"/search/?q={theirs}")
    assert page.locator("tbody tr").count() == 0
    assert window.go(f"/search/?q={theirs[:-1]}").locator("tbody tr").count() == 0


def test_a_collector_does_not_see_the_record_of_what_others_did(enter: Enter) -> None:
    window = enter("lin")
    page = window.go("/")
    assert page.locator("nav a[href='/audit/']").count() == 0 and page.locator("nav a[href='/staff/']").count() == 0
    assert (window.status_of("/audit/"), window.status_of("/staff/")) == (403, 403)
