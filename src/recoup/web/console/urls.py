"""The addresses of the console: each desk states its own in `urlpatterns` of its module of `views/`."""

import importlib
import importlib.util

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path

from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.navigation import NAVIGATION

app_name = "console"

DESKS = (
    "entry",
    "dashboard",
    "gap",
    "work",
    "cutoffs",
    "targets",
    "measures",
    "accounts",
    "account",
    "bills",
    "payments",
    "files",
    "quarantine",
    "feeds",
    "runs",
    "rulebook",
    "staff",
    "audit",
)


@page()
def wait_for_page(request: ConsoleRequest) -> HttpResponse:
    """Stands where a page of the navigation is not there yet."""
    return render(request, "console/placeholder.html")


def _gather() -> list[URLPattern | URLResolver]:
    found: list[URLPattern | URLResolver] = []
    for desk in DESKS:
        module = f"recoup.web.console.views.{desk}"
        if importlib.util.find_spec(module) is not None:
            found += importlib.import_module(module).urlpatterns
    names = {each.name for each in found if isinstance(each, URLPattern)}
    missing = [entry.name for _, entries in NAVIGATION for entry in entries if entry.name not in names]
    return found + [path("" if name == "dashboard" else f"{name}/", wait_for_page, name=name) for name in missing]


urlpatterns = _gather()
