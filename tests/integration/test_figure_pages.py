"""Overview, gap list, month end and targets: who sees what, who may sign, and what leaves as a file."""

import io
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
import tiny_book
from python_calamine import CalamineWorkbook

from recoup.database import roles
from recoup.database.connect import connect

NAME = "recoup_figure_pages"
PASSWORD = "not a common one 7"
PEOPLE = (
    ("admin", "admin", "*"),
    ("manager", "manager", "D1"),
    ("collector", "collector", "D2"),
    ("auditor", "auditor", "*"),
)


@pytest.fixture(scope="module")
def enter(closed_book: str) -> Iterator[Callable[[str], Any]]:
    """A copy of the tiny book with its last day prepared; gives a signed-in client for a user name."""
    from django.db import connections

    from recoup.domains.access.operations import add_staff
    from recoup.engine.indicator_sheet import prepare

    with pytest.MonkeyPatch.context() as patch:
        connections.close_all()
        tiny_book.copy_book(closed_book, NAME)
        patch.setenv("RECOUP_DATABASE_NAME", NAME)
        with connect("app") as connection:
            prepare(connection, tiny_book.END, "CNY")
        staff = {
            name: add_staff(username=name, name=f"{name}甲", role=role, org_unit=unit, password=PASSWORD)
            for name, role, unit in PEOPLE
        }

        def sign_in(username: str) -> Any:
            from django.test import Client

            client = Client(SERVER_NAME="localhost")
            client.force_login(staff[username], backend="django.contrib.auth.backends.ModelBackend")
            return client

        yield sign_in
        connections.close_all()
        roles.drop_database(NAME)


def read(client: Any, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(body.decode())


def set_target(client: Any, **changed: str) -> int:
    form = {"unit": "*", "measure": "current", "percent": "99", "from": "2025-01-01", **changed}
    return int(client.post("/targets/set/", form).status_code)


def count(table: str) -> int:
    with connect("reader") as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_target_is_set_by_those_who_may_and_within_their_unit(enter: Callable[[str], Any]) -> None:
    assert (set_target(enter("collector")), set_target(enter("auditor"))) == (403, 403)
    for wrong in ({"percent": "101"}, {"percent": "ninety"}, {"percent": "1.23456"}, {"unit": "X"}, {"from": ""}):
        assert set_target(enter("admin"), **wrong) == 302
    assert set_target(enter("manager"), unit="D2") == 302
    assert count("target") == 0
    assert (set_target(enter("admin")), set_target(enter("admin"))) == (302, 302)
    assert set_target(enter("manager"), unit="D1", percent="50") == 302
    assert count("target") == 2
    assert "99.00 %" in read(enter("admin"), "/targets/")


def test_the_overview_shows_rates_gap_and_definitions_in_both_languages(enter: Callable[[str], Any]) -> None:
    client = enter("admin")
    page = read(client, "/")
    assert all(told in page for told in ("当年电费回收率", "未达标", "99.00 %", "缺口清单", "账龄", "现已知"))
    assert all(f"spec-{chart}" in page for chart in ("months", "ages", "stages"))
    assert "(已收" in page or "（已收 − 收回陈欠）" in page
    client.post("/language/", {"language": "en", "next": "/"})
    page = read(client, "/")
    assert all(
        told in page for told in ("Current rate", "below target", "Gap list", "Ageing", "As it stood that night")
    )
    client.post("/language/", {"language": "zh-hans", "next": "/"})


def test_a_unit_sees_its_own_figures_only_whatever_it_asks_for(enter: Callable[[str], Any]) -> None:
    client = enter("collector")
    for path in ("/", "/?unit=D1", "/?unit=S1", "/gap/?all=1", "/gap/?all=1&unit=D1", "/gap/?all=1&unit=*"):
        accounts = set_of_accounts(read(client, path))
        assert accounts and accounts <= accounts_of("D2"), path
    assert set_of_accounts(read(client, "/gap/?all=1&export=csv")) <= accounts_of("D2")
    assert set_of_accounts(read(enter("admin"), "/gap/?all=1")) - accounts_of("D2")


def set_of_accounts(page: str) -> set[str]:
    import re

    return set(re.findall(r"\b37000000\d{4}\b", page))


def accounts_of(unit: str) -> set[str]:
    with connect("reader") as connection:
        rows = connection.execute("SELECT account_no FROM account WHERE org_unit = %s", [unit]).fetchall()
    return {number for (number,) in rows}


def test_the_gap_list_leaves_as_a_spreadsheet_with_exact_amounts_and_is_recorded(enter: Callable[[str], Any]) -> None:
    answer = enter("admin").get("/gap/?measure=current&export=xlsx")
    assert answer.status_code == 200
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(b"".join(answer.streaming_content))).get_sheet_by_index(0)
    rows = sheet.to_python()
    assert rows[0][:3] == ["序", "户号", "户名"]
    opened, through = rows[0].index("未收"), rows[0].index("累计")
    body = [row for row in rows[1:] if isinstance(row[opened], float)]
    assert round(sum(row[opened] for row in body), 2) == round(body[-1][through], 2) > 0
    with connect("reader") as connection:
        event = connection.execute("SELECT subject FROM audit_event WHERE kind = 'EXPORT' ORDER BY 1").fetchall()
    assert (f"gap-current-{tiny_book.END}",) in event


def test_only_who_sees_the_whole_book_and_may_sign_signs_and_only_once(enter: Callable[[str], Any]) -> None:
    day = {"day": str(tiny_book.END)}
    refused = [enter(name).post("/cutoffs/sign/", day).status_code for name in ("manager", "collector", "auditor")]
    assert (refused, count("cutoff")) == ([403, 403, 403], 0)
    signed = enter("admin").post("/cutoffs/sign/", day)
    assert (signed.status_code, signed["Location"]) == (302, f"/cutoffs/{tiny_book.END}/")
    again = enter("admin").post("/cutoffs/sign/", day, follow=True)
    assert "不能签报" in again.content.decode() and count("cutoff") == 1
    assert enter("admin").post("/cutoffs/sign/", {"day": "2025-13-01"}).status_code == 404
    with connect("reader") as connection:
        told = connection.execute("SELECT subject, username FROM audit_event WHERE kind = 'SIGN_CUTOFF'").fetchall()
    assert told == [(str(tiny_book.END), "admin")]


def test_a_signed_day_shows_who_signed_and_that_nothing_has_changed_since(enter: Callable[[str], Any]) -> None:
    page = read(enter("collector"), f"/cutoffs/{tiny_book.END}/")
    assert "admin甲 (admin)" in page and "没有改变该日的事实" in page
    assert enter("admin").get(f"/cutoffs/{date(2025, 1, 15)}/").status_code == 404
