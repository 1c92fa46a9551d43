"""Every address of the console, read from the source of its desks, so that a new page cannot be forgotten."""

import ast
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import NamedTuple

DESKS = Path(__file__).resolve().parents[2] / "src" / "recoup" / "web" / "console" / "views"
_PARAMETER = re.compile(r"<(?:(\w+):)?\w+>")
_LEADS = re.compile(r'(?:href|action|hx-get|data-vega)="(/[^"?#]*)')


class Address(NamedTuple):
    """An address: its name, its route, whether it only takes forms."""

    name: str
    route: str
    takes_forms: bool

    @property
    def is_open(self) -> bool:
        """Whether something must be filled in."""
        return "<" in self.route

    def fits(self, path: str) -> bool:
        """Whether a path is one of this address."""
        return re.fullmatch("/" + _PARAMETER.sub(_as_pattern, self.route), path) is not None


def list_addresses() -> list[Address]:
    """Every `path("route/", view, name="name")` of the desks."""
    return sorted(each for desk in DESKS.glob("*.py") for each in _read(ast.parse(desk.read_text())))


def find_paths(read: Callable[[str], str]) -> dict[str, str]:
    """A path for every address by name, followed from page to page; one that nothing leads to is left out."""
    plain = [each for each in list_addresses() if not each.is_open]
    found = {each.name: f"/{each.route}" for each in plain}
    known, waiting = set(found.values()), [f"/{each.route}" for each in plain if not each.takes_forms]
    missing = [each for each in list_addresses() if each.is_open]
    while waiting and missing:
        led_to = {unescape(path) for path in _LEADS.findall(read(waiting.pop(0)))} - known
        for address in list(missing):
            path = next((path for path in sorted(led_to) if address.fits(path)), None)
            if path is not None:
                found[address.name] = path
                missing.remove(address)
                waiting += [] if address.takes_forms else [path]
    return found


def _as_pattern(parameter: re.Match[str]) -> str:
    return r"\d+" if parameter.group(1) == "int" else "[^/]+"


def _read(desk: ast.Module) -> Iterator[Address]:
    views = {each.name: each for each in desk.body if isinstance(each, ast.FunctionDef)}
    for call in ast.walk(desk):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "path":
            route, view = call.args
            name = next(ast.literal_eval(each.value) for each in call.keywords if each.arg == "name")
            marks = [ast.unparse(each) for each in views[ast.unparse(view)].decorator_list]
            yield Address(name, ast.literal_eval(route), "require_POST" in marks)
