"""The addresses of the console: each desk states its own in `urlpatterns` of its module of `views/`."""

from importlib import import_module

from django.urls import URLPattern, URLResolver

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


_DESKS = [import_module(f"recoup.web.console.views.{desk}") for desk in DESKS]
urlpatterns: list[URLPattern | URLResolver] = [address for desk in _DESKS for address in desk.urlpatterns]
