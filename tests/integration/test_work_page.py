"""The collectors' desk as pages: recorded in place, in the own units only, by those who may, in both languages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tiny_book
from entering import leave, named

type Enter = Callable[[str], str]


@pytest.fixture(scope="module")
def staffed(closed_book: str, template: str) -> Iterator[str]:
    """The tiny book after its five weeks with a chief, a collector of one district, and an auditor."""
    from django.test.utils import setup_test_environment, teardown_test_environment

    from recoup.database import roles
    from recoup.domains.access.operations import add_staff

    with named("recoup_desk"):
        tiny_book.copy_book(closed_book, "recoup_desk")
        for username, role, unit in (
            ("chief", "collector", "S1"),
            ("lin", "collector", "D1"),
            ("eye", "auditor", "S1"),
        ):
            add_staff(username=username, name=username, role=role, org_unit=unit, password="Long-enough-7")
        leave()
    setup_test_environment()  # answers then carry what their templates were given
    yield "recoup_desk"
    teardown_test_environment()
    roles.drop_database("recoup_desk")


@pytest.fixture
def book(staffed: str, enter_copy: Enter) -> str:
    return enter_copy(staffed)


def enter(username: str) -> Any:
    """A browser of a person who has signed in."""
    from django.test import Client

    from recoup.domains.access.queries import find_staff

    client = Client(headers={"host": "localhost"})
    client.force_login(find_staff(username))
    return client


def rows(client: Any, address: str = "/work/") -> list[dict[str, Any]]:
    """The rows that a page shows."""
    answer = client.get(address)
    assert answer.status_code == 200
    return [item["row"] for item in answer.context["items"]]


def post(client: Any, row: dict[str, Any], result: str, **more: str) -> Any:
    told = {"contract": str(row["contract_id"]), "decided_on": row["decided_on"].isoformat()}
    form = {**told, "action_code": row["action_code"], "result": result, "request_key": "k", **more}
    return client.post("/work/outcome/", form, headers={"hx-request": "true"})


def tabs(answer: Any) -> dict[str, int]:
    return {tab.value: tab.actions for tab in answer.context["tabs"]}


def test_a_result_recorded_in_place_changes_row_and_counts_once(book: str) -> None:
    chief = enter("chief")
    before, (first, *others) = tabs(chief.get("/work/")), rows(chief)
    answers = [post(chief, first, "DELIVERED" if first["channel"] == "SMS" else "REMINDED") for _ in range(2)]
    assert [answer.context["item"]["said"].reached for answer in answers] == [True, True]
    after = tabs(answers[1])
    assert (after[""], after["done"]) == (before[""] - 1, before["done"] + 1)
    assert 'hx-swap-oob="true"' in answers[1].content.decode()
    assert [row["contract_id"] for row in rows(chief)] == [row["contract_id"] for row in others]
    assert [row["contract_id"] for row in rows(chief, "/work/?tab=done")] == [first["contract_id"]]


def test_a_promise_of_one_tap_and_a_refusal_in_the_language_of_the_person(book: str) -> None:
    chief = enter("chief")
    row = next(row for row in rows(chief) if row["channel"] != "SMS")
    refused = post(chief, row, "PROMISED", promise_on="1999-01-01", amount="1.00")
    assert "已过" in refused.content.decode() and "1999-01-01" in refused.content.decode()
    assert "没有结果" in post(chief, row, "VANISHED").content.decode()
    assert "不是金额" in post(chief, row, "PROMISED", promise_on="2025-02-11", amount="abc").content.decode()
    made = post(chief, row, "PROMISED/2025-02-11")
    assert made.context["item"]["row"]["promise_minor"] == row["overdue_minor"]
    corrected = post(chief, row, "REFUSED", correct="1", request_key="k2", note="听错")
    assert (corrected.context["item"]["row"]["result"], corrected.context["item"]["row"]["version"]) == ("REFUSED", 2)


@pytest.mark.parametrize("form", [{"contract": "1e9"}, {"contract": ""}, {"decided_on": "soon"}])
def test_a_form_that_cannot_be_read_is_refused(book: str, form: dict[str, str]) -> None:
    chief = enter("chief")
    answer = post(chief, rows(chief)[0], "REMINDED", **form)
    assert answer.status_code == 200 and "表单不完整" in answer.content.decode()


def test_a_collector_reaches_the_own_district_only_by_page_export_or_guessed_form(book: str) -> None:
    chief, lin = enter("chief"), enter("lin")
    ours, everything = rows(lin), rows(chief)
    foreign = next(row for row in everything if row["org_unit"] != "D1")
    assert {row["org_unit"] for row in ours} == {"D1"}
    assert {row["org_unit"] for row in rows(lin, f"/work/?unit={foreign['org_unit']}")} <= {"D1"}
    exported = b"".join(lin.get("/work/?export=csv").streaming_content).decode()
    assert ours[0]["account_no"] in exported and foreign["account_no"] not in exported
    answer = post(lin, foreign, "DELIVERED" if foreign["channel"] == "SMS" else "REMINDED")
    assert answer.context["item"] is None and "管辖范围" in answer.content.decode()
    assert len(rows(chief)) == len(everything)


def test_an_auditor_reads_and_writes_nothing(book: str) -> None:
    eye = enter("eye")
    shown = eye.get("/work/")
    assert shown.status_code == 200 and "登记结果" not in shown.content.decode()
    assert post(eye, rows(eye)[0], "REMINDED").status_code == 403
    assert tabs(eye.get("/work/"))["done"] == 0


def test_tabs_and_filters_narrow_the_list(book: str) -> None:
    chief = enter("chief")
    counted = tabs(chief.get("/work/"))
    for value, actions in counted.items():
        assert len(rows(chief, f"/work/?tab={value}")) == actions
    top = max(row["overdue_minor"] for row in rows(chief))
    assert [row["overdue_minor"] for row in rows(chief, f"/work/?minimum={top / 100:.2f}")] == [top]
    assert rows(chief, "/work/?tab=99999-X&minimum=zzz") == []


def test_the_register_shows_every_measure_by_section_in_both_languages(book: str) -> None:
    from recoup.domains.access.operations import set_language
    from recoup.domains.access.queries import find_staff

    chief = enter("chief")
    told = chief.get("/measures/")
    shown = [row for group in told.context["groups"] for row in group["rows"]]
    assert len(shown) == 75 and "尚未提供" in told.content.decode()
    assert {row["state"] for group in chief.get("/measures/?state=off").context["groups"] for row in group["rows"]} == {
        "off"
    }
    staff = find_staff("chief")
    assert staff is not None
    set_language(staff, "en")
    assert "works as written" in chief.get("/measures/").content.decode()
    assert "Ordered by the close of" in chief.get("/work/").content.decode()
