"""Reads of the people who may sign in."""

from typing import Any

from recoup.domains.access.models import Staff
from recoup.domains.access.scope import Scope


def find_staff(username: str) -> Staff | None:
    """The person of a user name."""
    return Staff.objects.filter(username=username).first()


def list_staff(scope: Scope) -> list[dict[str, Any]]:
    """List the people whose unit lies in the scope, by user name: no password, no session."""
    columns = ("username", "name", "role", "org_unit", "language", "is_active", "locked_until", "last_login", "made_at")
    return [dict(row) for row in Staff.objects.order_by("username").values(*columns) if scope.holds(row["org_unit"])]
