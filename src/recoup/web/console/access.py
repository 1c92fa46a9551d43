"""What a page asks of the person who opens it. A view without one of these marks is refused, not shown."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest

from recoup.domains.access.models import Staff
from recoup.domains.access.permissions import VIEW
from recoup.domains.access.scope import Scope

type View = Callable[..., Any]


class ConsoleRequest(HttpRequest):
    """A request after the middleware: who asks, which rows they may see, in which language."""

    staff: Staff
    scope: Scope
    language: str


def page(capability: str = VIEW, *, harmless: bool = False) -> Callable[[View], View]:
    """Mark a view: who has the capability may open it.

    A POST is refused to a role that writes nothing (auditor), unless it is `harmless`: it changes no fact.
    """

    def mark(view: View) -> View:
        view.capability = capability  # type: ignore[attr-defined]
        view.harmless = harmless  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Mark a view that needs nobody signed in: it shows no row of the book."""
    view.public = True  # type: ignore[attr-defined]
    return view
