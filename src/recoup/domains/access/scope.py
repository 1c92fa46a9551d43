"""The one door for rows: which units a person sees, and the condition every query of the console applies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import connections

from recoup.domains.access.models import WHOLE_BOOK, Staff


@dataclass(frozen=True)
class Scope:
    """The units whose rows may be seen; None is the whole book. A contract belongs to its account's unit."""

    units: frozenset[str] | None

    EVERYTHING: ClassVar["Scope"]

    def condition(self, column: str) -> tuple[str, list[Any]]:
        """The SQL condition on a column of unit codes, and its parameters."""
        if self.units is None:
            return "TRUE", []
        return f"{column} = ANY(%s::text[])", [sorted(self.units)]

    def holds(self, unit: str) -> bool:
        """Whether a unit lies inside."""
        return self.units is None or unit in self.units

    def within(self, other: "Scope") -> bool:
        """Whether every unit of this scope lies in the other."""
        if other.units is None:
            return True
        return self.units is not None and self.units <= other.units


Scope.EVERYTHING = Scope(None)

_BELOW = """
    WITH RECURSIVE below AS (
        SELECT code FROM org_unit WHERE code = %s
        UNION SELECT o.code FROM org_unit o JOIN below b ON o.parent = b.code)
    SELECT code FROM below
"""


def scope_of(staff: Staff) -> Scope:
    """The scope of a person: the own unit and all units below it; nothing for one who may not sign in."""
    return scope_of_unit(staff.org_unit) if staff.is_active else Scope(frozenset())


def scope_of_unit(unit: str) -> Scope:
    """The scope of a unit and all below it; the only root of the tree, like `*`, is the whole book."""
    if unit == WHOLE_BOOK or _find_roots() == [unit]:
        return Scope.EVERYTHING
    with connections["reader"].cursor() as cursor:
        cursor.execute(_BELOW, [unit])
        return Scope(frozenset(code for (code,) in cursor.fetchall()))


def _find_roots() -> Sequence[str]:
    with connections["reader"].cursor() as cursor:
        cursor.execute("SELECT code FROM org_unit WHERE parent IS NULL LIMIT 2")
        return [code for (code,) in cursor.fetchall()]
