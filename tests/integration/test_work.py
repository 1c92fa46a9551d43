"""The collectors' list: what the last day ordered, by stage and amount, until somebody says what came of it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tiny_book
from entering import leave, named
from tiny_book import END

from recoup.database.connect import connect

type Enter = Callable[[str], str]


@pytest.fixture(scope="module")
def staffed(closed_book: str, template: str) -> Iterator[str]:
    """The tiny book after its five weeks, with a collector of one district; enter a copy, or only read."""
    from recoup.database import roles
    from recoup.domains.access.operations import add_staff

    with named("recoup_staffed"):
        tiny_book.copy_book(closed_book, "recoup_staffed")
        for username, unit in (("lin", "D1"), ("chief", "S1")):
            add_staff(username=username, name=username, role="collector", org_unit=unit, password="Long-enough-7")
        leave()
    yield "recoup_staffed"
    roles.drop_database("recoup_staffed")


@pytest.fixture
def book(staffed: str, enter_copy: Enter) -> str:
    return enter_copy(staffed)


def read(scope: Any = None, **chosen: Any) -> dict[str, Any]:
    from recoup.domains.access.scope import Scope
    from recoup.engine.work import read_work

    with connect("reader") as connection:
        return read_work(connection, scope or Scope.EVERYTHING, limit=500, **chosen)


def run(*arguments: str) -> Any:
    """The answer of a command as JSON; UserError's text where it refuses."""
    import typer
    from typer.testing import CliRunner

    from recoup.cli import measures, work
    from recoup.cli.errors import UserError

    app = typer.Typer()
    work.register(app)
    measures.register(app)
    answer = CliRunner().invoke(app, [*arguments, "--json"])
    if isinstance(answer.exception, UserError):
        return str(answer.exception)
    assert answer.exception is None, answer.exception
    return json.loads(answer.stdout)


def test_the_list_is_what_the_last_day_ordered_by_stage_and_amount(book: str) -> None:
    told = read()
    with connect("reader") as connection:
        ordered = connection.execute("SELECT count(*) FROM action WHERE decided_on = %s", [END]).fetchone()
    rows = told["rows"]
    assert (len(rows),) == ordered and rows
    assert [(row["stage"], -minor(row)) for row in rows] == sorted(
        ((row["stage"], -minor(row)) for row in rows), key=lambda each: (-each[0], each[1])
    )
    assert sum(each["actions"] for each in told["counts"]) == len(rows)
    assert all(row["oldest_overdue_days"] >= 1 and "*" in row["name"] for row in rows)


def minor(row: dict[str, Any]) -> int:
    return int(row["overdue"].replace(".", ""))


def test_an_answered_action_leaves_the_list_and_stands_among_the_done(book: str) -> None:
    first = read(channel="CALL")["rows"][0]
    told = run("outcome", first["account_no"], "REMINDED", "--by", "chief", "--note", "会来缴")
    assert (told["fresh"], told["title"]["zh"]) == (True, "忘记，已提醒")
    assert first["account_no"] not in {row["account_no"] for row in read()["rows"]}
    (done,) = read(done=True)["rows"]
    assert (done["account_no"], done["result"], done["recorded_by"]) == (first["account_no"], "REMINDED", "chief")
    assert not run("outcome", first["account_no"], "REMINDED", "--by", "chief", "--note", "会来缴")["fresh"]


def test_simulated_people_were_touched_already_and_are_not_touched_twice(book: str) -> None:
    with connect("reader") as connection:
        before = connection.execute("SELECT count(*) FROM touch").fetchone()
    run("outcome", read(channel="CALL")["rows"][0]["account_no"], "REMINDED", "--by", "chief")
    with connect("reader") as connection:
        assert connection.execute("SELECT count(*) FROM touch").fetchone() == before
    assert tiny_book.find_failures() == []


def test_a_hold_or_money_told_since_is_seen_before_the_call(book: str) -> None:
    held, paid = (row["account_no"] for row in read()["rows"][:2])
    with connect("app") as connection:
        ours = "SELECT contract_id FROM contract JOIN account USING (account_id) WHERE account_no = %s"
        connection.execute(
            "INSERT INTO hold (hold_key, version, contract_id, stops_late_charge, stops_dun, stops_debit, "
            f"stops_disconnect, stops_refund, reason, valid_from, content_hash) VALUES ('H', 1, ({ours}), false, true, "
            "false, false, false, 'DISPUTE', %s, 0)",
            [held, END],
        )
        connection.execute(
            "INSERT INTO payment (channel, channel_key, version, contract_id, value_on, received_on, amount_minor, "
            f"denom, simulated, content_hash) VALUES ('BANK', 'new', 1, ({ours}), %s, %s, 1234, 'CNY', false, 0)",
            [paid, END, END.replace(day=END.day + 1)],
        )
    rows = {row["account_no"]: row for row in read()["rows"]}
    assert held not in rows
    assert rows[paid]["received"] == "12.34"


def test_a_collector_sees_and_answers_the_own_district_only(book: str) -> None:
    from recoup.domains.access.queries import find_staff
    from recoup.domains.access.scope import scope_of

    lin = find_staff("lin")
    assert lin is not None
    ours, everything = read(scope_of(lin))["rows"], read()["rows"]
    assert {row["org_unit"] for row in ours} == {"D1"} and len(ours) < len(everything)
    assert run("work", "--unit", "D1")["rows"] == ours
    other = next(row for row in everything if row["org_unit"] != "D1")
    assert "nothing was ordered" in run("outcome", other["account_no"], "DELIVERED", "--by", "lin")
    assert "no unit" in run("work", "--unit", "D9")


def test_a_broken_promise_is_told_with_the_next_action(book: str) -> None:
    from datetime import timedelta

    account = read(channel="SMS")["rows"][0]["account_no"]
    with connect("app") as connection:
        connection.execute(
            "INSERT INTO outcome (contract_id, decided_on, action_code, result, happened_on, promise_on, "
            "promise_minor, recorded_by, request_key, version, note) "
            "SELECT contract_id, %s, 'CALL', 'PROMISED', %s, %s, 500000, 'x', 'k', 1, '' "
            "FROM contract JOIN account USING (account_id) WHERE account_no = %s",
            [END - timedelta(days=9), END - timedelta(days=9), END - timedelta(days=1), account],
        )
    row = next(row for row in read()["rows"] if row["account_no"] == account)
    assert (row["earlier_promise_state"], row["earlier_promise"]) == ("BROKEN", "5000.00")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nobody", "REMINDED", "--by", "chief"), "nothing was ordered for nobody"),
        (("x", "REMINDED", "--by", "ghost"), "no person signs in as ghost"),
        (("x", "PROMISED", "--by", "chief", "--amount", "1.234"), "nothing was ordered"),
    ],
)
def test_the_command_says_what_to_give_instead(book: str, arguments: tuple[str, ...], told: str) -> None:
    assert told in run("outcome", *arguments)


def test_the_register_counts_what_the_month_did(book: str) -> None:
    first = read(channel="CALL")["rows"][0]
    promised_on = END.replace(day=END.day + 3).isoformat()
    run("outcome", first["account_no"], "PROMISED", "--by", "chief", "--promise-on", promised_on)
    told = run("measures", "--section", "3.2(1)")
    assert [row["code"] for row in told["measures"]] == ["3.2(1).1", "3.2(1).2", "3.2(1).3"]
    counted = {each["code"]: each["count"] for row in told["measures"] for each in row["effects"]}
    assert counted["OUTCOMES_RECORDED"] == 0  # the contact is of tomorrow's business day, still open
    tiny_book.close(END.replace(day=END.day + 1), END.replace(day=END.day + 1))
    counted = {each["code"]: each["count"] for row in run("measures")["measures"] for each in row["effects"]}
    assert (counted["OUTCOMES_RECORDED"], counted["PROMISES_MADE"]) == (1, 1)
    assert counted["CALLS_REACHED"] == counted["CALLS_LISTED"] > 0  # simulated people always answer
    assert counted["CONTRACTS_STAGE_1"] > 0 and counted["CONTRACTS_DECIDED"] > 200
    assert "no section 9" in run("measures", "--section", "9")


def test_the_terminal_prints_list_and_register(book: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from recoup.cli.measures import _read, draw_measures
    from recoup.cli.work import draw_work
    from recoup.labels import Labels

    console = Console(width=200)
    console.print(draw_work(read(), Labels("zh")))
    console.print(draw_measures(_read("3.6", None), Labels("en")))
    printed = capsys.readouterr().out
    assert "催收工作清单" in printed and "not yet" in printed
