"""The five people of a demonstration: one of each role, with passwords of this home alone."""

import json
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

KEPT = "demo_staff.json"


class Person(NamedTuple):
    """One person of a demonstration."""

    username: str
    role: str
    name: str
    at_station: bool


PEOPLE = (
    Person("admin", "admin", "管理员", False),
    Person("manager", "manager", "周经理", False),
    Person("clerk", "clerk", "郑核算", False),
    Person("collector", "collector", "吴催收", True),
    Person("auditor", "auditor", "孙审计", False),
)


def ensure_people() -> dict[str, str]:
    """Add whoever of the five is missing; return the passwords by user name, kept in the home folder (mode 0600)."""
    from recoup.database.home import keep
    from recoup.domains.access.operations import add_staff, make_password
    from recoup.domains.access.queries import find_staff

    made = keep(KEPT, lambda: json.dumps({person.username: make_password() for person in PEOPLE}))
    passwords: dict[str, str] = json.loads(made)
    whole, station = _find_units()
    for person in PEOPLE:
        if find_staff(person.username) is None:
            add_staff(
                username=person.username,
                name=person.name,
                role=person.role,
                org_unit=station if person.at_station else whole,
                password=passwords[person.username],
            )
    return passwords


def _find_units() -> tuple[str, str]:
    """The whole book, and its first station (where there is none, the whole book again)."""
    from recoup.database.connect import connect
    from recoup.domains.access.models import WHOLE_BOOK

    with connect("reader") as connection:
        row = connection.execute("SELECT code FROM org_unit WHERE kind = 'STATION' ORDER BY code LIMIT 1").fetchone()
    return WHOLE_BOOK, row[0] if row else WHOLE_BOOK


def print_people(console: Console, passwords: dict[str, str]) -> None:
    """Print user names, roles and passwords."""
    from recoup.domains.access.queries import list_staff
    from recoup.domains.access.scope import Scope

    units = {each["username"]: each["org_unit"] for each in list_staff(Scope.EVERYTHING)}
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("用户名 user", "密码 password", "角色 role", "单位 unit"):
        table.add_column(name)
    for person in PEOPLE:
        table.add_row(person.username, passwords[person.username], person.role, units.get(person.username, ""))
    console.print(table)
