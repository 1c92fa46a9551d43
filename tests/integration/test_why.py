"""Why an account was acted upon or not, and how a bill came about: told from what was stored and by the same rules."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import small_book

from recoup.database.connect import connect

START, END = date(2025, 1, 1), date(2025, 3, 31)


@pytest.fixture(scope="module")
def book(module_database: str) -> Iterator[str]:
    """The small book, closed to the end of March."""
    from recoup.domains.book.operations import create_book
    from recoup.engine.cycle import run_cycle
    from recoup.engine.profile import read_profile, read_rules

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="Test")
    small_book.fill()
    run_cycle(START, END, read_rules(), read_profile())
    yield module_database


@pytest.fixture(scope="module")
def law(book: str) -> Any:
    from recoup.engine.report import read_rulebook
    from recoup.engine.why import read_law

    return read_law(read_rulebook())


def ask(number: str, law: Any, on: date | None = None) -> dict[str, Any]:
    from recoup.engine.why import answer

    with connect("reader") as connection:
        return answer(connection, number, on, law)


@pytest.mark.parametrize("name", ["account_no", "old_account_no", "contract_key"])
def test_a_contract_is_found_by_each_of_its_numbers(name: str, law: Any) -> None:
    number = getattr(small_book, name)(small_book.OWES)
    (found,) = ask(number, law)["answers"]
    assert found["contract"]["contract_key"] == "C2"


def test_the_reason_is_the_first_guard_that_failed_and_all_are_told(law: Any) -> None:
    (found,) = ask(small_book.account_no(small_book.PAYS), law)["answers"]
    assert found["reason"] == {"code": "NO_DEBT", "zh": "没有欠费", "en": "nothing is owed"}
    failed = [each["code"] for each in found["failed"]]
    assert failed[0] == "NO_DEBT"
    assert {"NOT_OVERDUE", "BELOW_MINIMUM"} <= set(failed)
    assert failed == [step["guard"] for step in found["steps"] if not step["passed"]]
    assert [change["guard"] for change in found["change"]] == failed


def test_values_read_are_told_in_major_units_beside_the_parameter(law: Any) -> None:
    (found,) = ask(small_book.account_no(small_book.OWES), law)["answers"]
    step = next(each for each in found["steps"] if each["guard"] == "BELOW_MINIMUM")
    assert (step["values"], step["limits"]) == ({"overdue": "332.19"}, {"minimum": "5.00"})
    assert step["param_id"] == "cn/strategy/paper-ladder@1996-10-08"
    assert "3.2" in found["stage"]["reference"]
    assert [item["open"] for item in found["items"] if item["component"] == "ENERGY"] == ["109.38"] * 3


def test_the_day_named_as_the_change_is_the_day_it_changes(law: Any) -> None:
    """The January bill is due on 25 January: told on the 24th, true on the day told."""
    (before,) = ask(small_book.account_no(small_book.OWES), law, date(2025, 1, 24))["answers"]
    assert before["reason"]["code"] == "NOT_OVERDUE"
    day = next(each["values"]["on"] for each in before["change"] if each["guard"] == "NOT_OVERDUE")
    assert day == "2025-01-26"
    (still,) = ask(small_book.account_no(small_book.OWES), law, date.fromisoformat(day) - timedelta(days=1))["answers"]
    (then,) = ask(small_book.account_no(small_book.OWES), law, date.fromisoformat(day))["answers"]
    assert still["reason"]["code"] == "NOT_OVERDUE"
    assert then["reason"]["code"] != "NOT_OVERDUE"


def test_what_was_open_on_the_day_is_told_not_what_is_open_now(law: Any) -> None:
    (then,) = ask(small_book.account_no(small_book.PAYS), law, date(2025, 1, 7))["answers"]
    assert [item["open"] for item in then["items"]] == ["109.38"]
    (now,) = ask(small_book.account_no(small_book.PAYS), law)["answers"]
    assert now["items"] == []


def test_a_contract_that_ended_and_owes_nothing_is_told_so(law: Any) -> None:
    (found,) = ask(small_book.account_no(small_book.GONE), law)["answers"]
    assert found["decision"] is None
    assert "2024-12-31" in found["not_decided"]["en"]


def test_an_unknown_number_is_answered_with_the_nearest(law: Any) -> None:
    from recoup.engine.why import UnknownNumber

    with pytest.raises(UnknownNumber, match=small_book.account_no(3)):
        ask(small_book.account_no(3) + "x", law)


def test_the_number_of_a_bill_leads_to_the_bill(law: Any) -> None:
    from recoup.engine.why import UnknownNumber

    with pytest.raises(UnknownNumber, match="recoup why bill C2-20250105-1-1"):
        ask("C2-20250105-1-1", law)


def test_a_decision_is_found_in_a_tenth_of_a_second(law: Any) -> None:
    from recoup.engine.why import answer

    with connect("reader") as connection:
        number = small_book.account_no(small_book.OWES)
        answer(connection, number, None, law)
        begun = time.perf_counter()
        answer(connection, number, None, law)
        assert time.perf_counter() - begun < 0.1


def bill(number: str, law: Any) -> dict[str, Any]:
    from recoup.engine.bill_tree import explain_bill

    with connect("reader") as connection:
        return explain_bill(connection, number, law)


def test_a_bill_names_the_reading_it_rests_on(law: Any) -> None:
    told = bill("C2-20250105-1-1", law)["determinant"]
    assert (told["energy_kwh"], told["read_kwh"], told["corrected"]) == ("200.000", "200.000", False)
    reading = told["reading"]
    assert (reading["index_from"], reading["index_to"], reading["difference"]) == ("200.0000", "400.0000", "200.0000")
    assert (reading["read_on"], reading["multiplier"]) == ("2025-02-05", "1.0000")


def test_a_line_cites_the_dated_parameter_and_its_source(law: Any) -> None:
    told = bill("C2-20250105-1-1", law)
    (line,) = told["lines"]
    assert (line["kwh"], line["price"], line["amount"]) == ("200.000", "0.54690000", "109.38")
    assert line["parameter"]["param_id"] == "cn/shandong/tariff/residential-tiered@2012-07-01"
    assert line["parameter"]["reference"]
    assert told["bill"]["amount"] == "109.38"


def test_a_stated_total_that_replaced_the_difference_is_told(law: Any) -> None:
    numbers = [row["bill_no"] for row in corrections()]
    (number,) = numbers
    told = bill(number, law)["determinant"]
    assert (told["corrected"], told["read_kwh"], told["energy_kwh"]) == (True, "250.000", "200.000")


def corrections() -> list[dict[str, Any]]:
    from recoup.cli.corrections import read_corrections

    return read_corrections()


def test_corrections_show_both_numbers(book: str) -> None:
    (row,) = corrections()
    assert (row["read_kwh"], row["billed_kwh"], row["difference_kwh"]) == ("250.000", "200.000", "-50.000")


def test_payments_and_late_charge_hang_under_their_debt(law: Any) -> None:
    told = bill("C3-20241205-1-1", law)
    (item,) = told["items"]
    assert (item["open"], [piece["amount"] for piece in item["allocations"]]) == ("0.00", ["109.38"])
    charge = item["late_charge"]
    assert (charge["comes_to"], charge["booked"]) == ("1.20", "1.20")
    (segment,) = charge["segments"]
    assert (segment["days"], segment["principal"], segment["rate_a_day"]) == (11, "109.38", "0.001000")
    assert segment["parameter"]["param_id"] == "cn/late-charge@2024-06-01"


def test_an_unknown_bill_is_answered_with_the_latest_of_its_contract(law: Any) -> None:
    from recoup.engine.bill_tree import UnknownBill

    with pytest.raises(UnknownBill, match="C2-20250205-1-1"):
        bill("C2-19990101-1-1", law)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_terminal_tells_reason_stage_and_hint(language: str, law: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from recoup.cli.labels import Labels
    from recoup.cli.why import draw_answer, draw_bill

    labels, console = Labels(language), Console(width=160)
    told = ask(small_book.account_no(small_book.PAYS), law)
    console.print(draw_answer(told["answers"][0], told, labels))
    console.print(draw_bill(bill("C3-20241205-1-1", law), labels))
    printed = capsys.readouterr().out
    wanted = {
        "zh": ("没有欠费", "怎样会改变", "违约金"),
        "en": ("nothing is owed", "What would change it", "Late charge"),
    }
    assert all(word in printed for word in (*wanted[language], "C3-20241205-1-1", "0.54690000"))
