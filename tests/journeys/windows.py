"""A real server over a real book, windows of a real browser, and eyes on everything that must not happen in them."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import lively_book
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, expect

WIDE, NARROW = 1280, 360
HEIGHTS = {WIDE: 800, NARROW: 740}
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    # Whatever a page asks of another host is not found, wherever that host is.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_SECONDS_TO_START = 60
_BAD = ("error", "warning")
expect.set_options(timeout=30_000)  # a machine at its limit is slow, not wrong


@dataclass(frozen=True)
class House:
    """The home of the book and the address of its console."""

    home: Path
    base: str

    def recoup(self, *words: str) -> str:
        """Give a command to the book; return what it prints."""
        return run([find_program("recoup"), *words], self.home)


@dataclass
class Window:
    """One person's browser window; `wrongs` is what happened in it that must not."""

    context: BrowserContext
    page: Page
    base: str
    wrongs: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page of the console; it must answer 200."""
        answer = self.page.goto(f"{self.base}{path}")
        assert answer is not None and answer.status == 200, f"{path}: {answer and answer.status}"
        return self.page

    def post(self, path: str, **form: str) -> int:
        """Send a form that no page of this person offers; return the status."""
        token = self.page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))['X-CSRFToken']")
        return self.context.request.post(
            f"{self.base}{path}", form=form, headers={"X-CSRFToken": token}, max_redirects=0
        ).status

    def status_of(self, path: str) -> int:
        """The status of a guessed address."""
        return self.context.request.get(f"{self.base}{path}", max_redirects=0).status

    def read(self, path: str) -> bytes:
        """What an address sends."""
        answer = self.context.request.get(f"{self.base}{path}")
        assert answer.status == 200, path
        return answer.body()

    def forgive(self, status: int) -> None:
        """Take back the wrongs that a refusal with this status makes; there must be one."""
        kept = [each for each in self.wrongs if str(status) not in each]
        assert len(kept) < len(self.wrongs), f"no answer with {status}"
        self.wrongs[:] = kept


def make_window(
    browser: Browser, house: House, states: dict[str, Any], username: str | None = None, width: int = WIDE
) -> Window:
    """A window of its own, signed in as a person of the lively book or not at all."""
    if username is not None and username not in states:
        window = make_window(browser, house, states)
        sign_in(window, username)
        states[username] = window.context.storage_state()
        window.context.close()
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHTS[width]},
        storage_state=states.get(username) if username else None,
        locale="zh-CN",
        accept_downloads=True,
    )
    context.set_default_timeout(30_000)
    window = Window(context, context.new_page(), house.base)
    _watch(window)
    return window


def sign_in(window: Window, username: str, password: str = lively_book.PASSWORD) -> None:
    """Fill in the form of the door and send it."""
    window.go("/sign-in/")
    window.page.fill("[name=username]", username)
    window.page.fill("[name=password]", password)
    window.page.click(".entry-card form button >> nth=0")
    window.page.wait_for_load_state()


def find_chromium() -> str | None:
    """The browser of the system."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def _watch(window: Window) -> None:
    host, wrongs = urlsplit(window.base).netloc, window.wrongs

    def note_request(request: Request) -> None:
        if request.url.startswith("http") and urlsplit(request.url).netloc != host:
            wrongs.append(f"asked another host: {request.url}")

    def note_response(response: Response) -> None:
        if response.status >= 400:
            wrongs.append(f"{response.status} {response.url}")

    def note_failure(request: Request) -> None:
        # A page left before its pictures came, or a download taken over, is no failure.
        if request.failure != "net::ERR_ABORTED":
            wrongs.append(f"failed: {request.url} {request.failure}")

    page = window.page
    page.on("request", note_request)
    page.on("response", note_response)
    page.on("requestfailed", note_failure)
    page.on("pageerror", lambda error: wrongs.append(f"script: {error}"))
    page.on(
        "console", lambda said: wrongs.append(f"console: {said.text}") if said.type in ("error", "warning") else None
    )


class Served:
    """`recoup serve` in a process of its own; its address while the block lasts."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.told = (self.home / "serve.log").open("w")
        command = [find_program("recoup"), "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=make_environment(self.home), stdout=self.told, stderr=self.told)
        self._wait()
        return f"http://127.0.0.1:{self.port}"

    def _wait(self) -> None:
        until = monotonic() + _SECONDS_TO_START
        while monotonic() < until and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            sleep(0.1)
        self.__exit__()
        raise AssertionError((self.home / "serve.log").read_text())

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.told.close()


def make_environment(home: Path) -> dict[str, str]:
    """The caller's environment without whatever names a book of the caller."""
    others = ("RECOUP_DATABASE_URL", "RECOUP_DATABASE_NAME", "RECOUP_ROLE", "RECOUP_HOSTS")
    kept = {name: value for name, value in os.environ.items() if name not in others}
    return {**kept, "RECOUP_HOME": str(home), "RECOUP_SHARED_BUFFERS": "64MB"}


def find_program(name: str) -> str:
    """A command of the environment we run in."""
    return str(Path(sys.executable).parent / name)


def run(command: list[str], home: Path) -> str:
    """Run a command on the book of a home; it must succeed. Returns what it prints."""
    done = subprocess.run(command, env=make_environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
