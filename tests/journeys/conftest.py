"""The book, the browser, and windows that tell at the end what went wrong in them."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from windows import ARGUMENTS, WIDE, House, Served, Window, find_chromium, find_program, make_window, run

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """The lively book, served by `recoup serve` as a customer would run it.

    RECOUP_JOURNEYS_HOME names a folder where it is made once, kept and entered again, for whoever works on the pages.
    """
    kept = os.environ.get("RECOUP_JOURNEYS_HOME")
    # Straight below /tmp: the path of a socket is short, and the server's user must be able to enter.
    home = Path(kept or tempfile.mkdtemp(prefix="recoup-", dir="/tmp"))
    home.mkdir(exist_ok=True)
    home.chmod(0o755)
    try:
        if not (home / "in").exists():
            run([sys.executable, str(HERE / "lively_book.py"), str(home / "in")], home)
        with Served(home) as base:
            yield House(home, base)
    finally:
        run([find_program("recoup"), "server", "stop"], home)
        if not kept:
            shutil.rmtree(home)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, or any of that name; without one the journeys are skipped, except in CI."""
    program = find_chromium()
    if program is None:
        why = "no chromium: install the package chromium (apt-get install chromium) to run the journeys"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def states(browser: Browser, house: House) -> dict[str, Any]:
    """Who has signed in already, by user name: a password is checked slowly on purpose."""
    return {}


@pytest.fixture
def enter(browser: Browser, house: House, states: dict[str, Any]) -> Iterator[Callable[..., Window]]:
    """Opens a window, of a person who has signed in or of nobody; at the end nothing wrong may have happened."""
    windows: list[Window] = []

    def open_window(username: str | None = None, width: int = WIDE) -> Window:
        windows.append(make_window(browser, house, states, username, width))
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [wrong for window in windows for wrong in window.wrongs] == []
