"""The files desk: a file is dropped, asked about, previewed, loaded and taken back, each by its own person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clerk_files as given
import pytest
from test_files import PAID, PAYMENTS, rows

PASSWORD = "Long-enough-7"
PEOPLE = (("chief", "admin", "*"), ("li", "clerk", "*"), ("eye", "auditor", "*"))


@pytest.fixture(scope="module")
def staffed(module_database: str) -> Iterator[str]:
    """An empty live book with four people, and work done at once instead of by a process of its own."""
    from django.db import connections

    from recoup.domains.access.operations import add_staff
    from recoup.domains.book.operations import create_book
    from recoup.usecases.files import uploads

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="test")
    for username, role, unit in PEOPLE:
        add_staff(username=username, name=username, role=role, org_unit=unit, password=PASSWORD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "_start", uploads.work)
        yield module_database
    connections.close_all()


@pytest.fixture
def enter(staffed: str) -> Any:
    """Gives a browser of a person who has signed in."""
    from django.test import Client

    from recoup.domains.access.queries import find_staff

    def sign_in(username: str) -> Any:
        client = Client(SERVER_NAME="localhost")
        client.force_login(find_staff(username))
        return client

    return sign_in


def drop(client: Any, path: Path) -> tuple[str, Any]:
    """Drop a file; return the address it got, and the page there."""
    with path.open("rb") as file:
        answer = client.post("/files/drop/", {"file": file})
    assert answer.status_code == 302, answer.content.decode()[:500]
    return answer.headers["Location"], client.get(answer.headers["Location"])


def test_a_clerk_is_asked_once_sees_what_would_become_of_a_file_and_loads_it(enter: Any, tmp_path: Path) -> None:
    client = enter("li")
    address, page = drop(client, given.write_xlsx(tmp_path / "客户.xlsx", given.customers()))
    assert "缺少 立户日期、缴费期限天数" in page.content.decode()
    columns = {f"column-{n}": field for n, field in enumerate(READ)}
    told = {"constant-valid_from": "2020-01-01", "constant-due_days": "30", "kind": "customers", **columns}
    client.post(f"{address}look/", {**told, "new_units": "1"})
    text = client.get(address).content.decode()
    assert "待装入" in text and "台区" in text
    assert rows("SELECT count(*) FROM contract") == [(0,)]
    client.post(f"{address}load/")
    assert "装入完成" in client.get(address).content.decode()
    assert rows("SELECT count(*) FROM contract") == [(4,)]
    assert rows("SELECT username, kind FROM audit_event WHERE kind = 'LOAD_FILE'") == [("li", "LOAD_FILE")]
    address, page = drop(client, given.write_csv(tmp_path / "收费.csv", given.payments()))
    assert "601,393.93" in page.content.decode() and "相符" in page.content.decode()
    client.post(f"{address}load/")
    assert rows(PAID) == PAYMENTS
    _undo_by_those_who_may(enter, client)


READ = ("account_no", "name", "address", "station", "district", "phone", "class", "")


def _undo_by_those_who_may(enter: Any, client: Any) -> None:
    from recoup.domains.access.operations import add_staff

    add_staff(username="west", name="west", role="clerk", org_unit="城西供电所", password=PASSWORD)
    (load_id,) = rows("SELECT max(load_id) FROM feed_load")[0]
    address = f"/files/loads/{load_id}/"
    assert enter("eye").post(f"{address}undo/", {"reason": "x"}).status_code == 403
    enter("west").post(f"{address}undo/", {"reason": "x"})
    assert rows(PAID) == PAYMENTS
    client.post(f"{address}undo/", {"reason": "装错了"})
    assert rows(PAID) == []
    assert rows("SELECT reason FROM audit_event WHERE kind = 'UNDO_LOAD'") == [("装错了",)]
    (customers,) = rows("SELECT min(load_id) FROM feed_load WHERE state = 'COMPLETE'")[0]
    page = client.get(f"/files/loads/{customers}/")
    assert "撤销这次装入" in page.content.decode()


def test_a_dropped_file_is_its_own_persons_and_only_of_who_may_load(enter: Any, tmp_path: Path) -> None:
    client, path = enter("chief"), given.write_csv(tmp_path / "a.csv", given.payments())
    address, _ = drop(client, path)
    assert enter("li").get(address).status_code == 404
    assert enter("li").post(f"{address}load/").status_code == 404
    with path.open("rb") as file:
        assert enter("eye").post("/files/drop/", {"file": file}).status_code == 403
    client.post(f"{address}discard/")
    assert client.get(address).status_code == 404


def test_a_file_too_large_or_unreadable_is_refused_in_words(
    enter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, path = enter("chief"), tmp_path / "a.xls"
    path.write_bytes(b"<html><table>")
    _, page = drop(client, path)
    assert "这是网页" in page.content.decode() and "不能装入" in page.content.decode()
    monkeypatch.setattr("recoup.web.console.uploads.UPLOAD_LIMIT", -(2 << 20))
    with path.open("rb") as file:
        answer = client.post("/files/drop/", {"file": file}, follow=True)
    assert "没有收到文件" in answer.content.decode()
