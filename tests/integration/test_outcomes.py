"""What a collector records of an action: once, within reason, and felt by the next day's decision."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import small_book
from entering import leave, named

from recoup.database.connect import connect

# The capacity of so small a station is one call a day: on this day two bills make this customer owe the most.
ACTED_ON = date(2025, 2, 26)
TODAY = date(2025, 2, 27)
PROMISED_ON = date(2025, 3, 2)
OWED = 2 * small_book.BILL_FEN + 66  # with the late charge booked at the end of January
STATION = "370100"

type Tell = Callable[..., Any]


@pytest.fixture(scope="module")
def acted_book(template: str) -> Iterator[str]:
    """The small live book on the evening on which the customer who owes is first called; enter a copy of it."""
    from recoup.database import roles
    from recoup.domains.access.operations import add_staff
    from recoup.domains.book.operations import create_book

    with named("recoup_acted"):
        roles.copy_database(template, "recoup_acted")
        create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="Test")
        small_book.fill()
        with connect("app") as connection:
            connection.execute(
                "INSERT INTO org_unit (code, name, kind, content_hash, load_id) "
                "VALUES ('999', 'Other', 'STATION', 0, 1)"
            )
        for role, unit in (("collector", STATION), ("auditor", STATION), ("manager", "999")):
            add_staff(username=f"{role}", name=role, role=role, org_unit=unit, password="Long-enough-7")
        close(date(2025, 1, 1), ACTED_ON)
        leave()
    yield "recoup_acted"
    roles.drop_database("recoup_acted")


@pytest.fixture
def book(acted_book: str, enter_copy: Callable[[str], str]) -> str:
    return enter_copy(acted_book)


def close(start: date, end: date) -> None:
    from recoup.engine.cycle import run_cycle
    from recoup.engine.profile import read_profile, read_rules

    run_cycle(start, end, read_rules(), read_profile())


def tell(result: str, by: str = "collector", customer: int = small_book.OWES, today: date = TODAY, **told: Any) -> Any:
    """Record an outcome of the customer's latest action."""
    from recoup.domains.access.queries import find_staff
    from recoup.domains.access.scope import Scope
    from recoup.domains.collection.queries import find_action
    from recoup.engine.report import read_rulebook
    from recoup.usecases.outcomes import Told, record_outcome

    staff = find_staff(by)
    assert staff is not None
    with connect("reader") as connection:
        key = find_action(connection, Scope.EVERYTHING, small_book.account_no(customer))
    assert key is not None
    return record_outcome(staff, key, Told(result, **told), read_rulebook().results, today)


def promise(**told: Any) -> Any:
    return tell("PROMISED", **{"promise_on": PROMISED_ON, **told})


def rows(query: str) -> list[tuple]:
    with connect("reader") as connection:
        return connection.execute(query).fetchall()


def count(table: str) -> int:
    return int(rows(f"SELECT count(*) FROM {table}")[0][0])


def decide(on: date) -> tuple[str, str | None]:
    """The reason of the customer who owes, and the reason of the hold, as decided on a day."""
    from recoup.engine.report import read_rulebook
    from recoup.engine.why import answer, read_law

    with connect("reader") as connection:
        (found,) = answer(connection, small_book.account_no(small_book.OWES), on, read_law(read_rulebook()))["answers"]
    return found["reason"]["code"], found["decision"]["hold_reason"]


def test_a_promise_is_the_next_days_reason_until_its_day_has_passed_unpaid(book: str) -> None:
    made = promise()
    assert (made.fresh, made.held_to, made.promise_minor) == (True, PROMISED_ON + timedelta(days=1), OWED)
    close(TODAY, date(2025, 3, 6))
    assert [decide(TODAY + timedelta(days=n)) for n in range(4)] == [("HOLD_DUN", "PROMISE")] * 4
    # The wait of three days since the call stood still for four days of promise.
    assert [decide(date(2025, 3, day)) for day in (3, 5)] == [("STAGE_WAIT", None)] * 2
    assert decide(date(2025, 3, 6)) == ("ACTED", None)


def test_without_a_recorded_contact_the_action_is_ordered_again_the_next_day(book: str) -> None:
    close(TODAY, TODAY)
    assert decide(TODAY) == ("ACTED", None)


@pytest.mark.parametrize(("result", "touches", "reason"), [("REMINDED", 1, "STAGE_WAIT"), ("NO_ANSWER", 0, "ACTED")])
def test_in_a_live_book_only_what_reached_the_customer_is_a_contact(
    book: str, result: str, touches: int, reason: str
) -> None:
    tell(result)
    assert count("touch") == touches
    items = rows("SELECT item_key, amount_minor FROM touch_item ORDER BY 1")
    named = [("C2-20241205-1-1:ENERGY", 109_38), ("C2-20241205-1-1:ENERGY:LC:20250131", 66)]
    assert items == [*named, ("C2-20250105-1-1:ENERGY", 109_38)] * touches
    assert rows("SELECT overdue_minor FROM action WHERE contract_id = 2 ORDER BY decided_on DESC LIMIT 1") == [(OWED,)]
    close(TODAY, TODAY)
    assert decide(TODAY)[0] == reason


@pytest.mark.parametrize(
    ("result", "reason", "days"),
    [
        ("SAYS_PAID", "IN_TRANSIT_CLAIM", 5),
        ("DISPUTED", "DISPUTE", 15),
        ("NEEDS_HELP", "PROTECTED", 30),
        ("WRONG_CONTACT", "FIND_CONTACT", 15),
    ],
)
def test_a_result_holds_dunning_for_its_days_and_never_the_late_charge(
    book: str, result: str, reason: str, days: int
) -> None:
    assert tell(result).held_to == TODAY + timedelta(days=days)
    hold = rows("SELECT reason, stops_dun, stops_late_charge, valid_to - valid_from, load_id FROM hold")
    assert hold == [(reason, True, False, days, None)]


def test_the_same_told_twice_is_one_outcome_and_anything_else_is_refused(book: str) -> None:
    from recoup.usecases.outcomes import AlreadyRecorded

    assert promise(request_key="click").fresh
    assert not promise(request_key="click").fresh
    assert not promise().fresh
    with pytest.raises(AlreadyRecorded, match="collector"):
        tell("REFUSED")
    with pytest.raises(AlreadyRecorded, match="open the list again"):
        tell("REFUSED", request_key="click", correct=True)
    assert (count("outcome"), count("hold"), count("touch"), audited()) == (1, 1, 1, 1)


def audited() -> int:
    return int(rows("SELECT count(*) FROM audit_event WHERE kind = 'OUTCOME'")[0][0])


@pytest.mark.parametrize("point", ["outcomes.outcome_stored", "outcomes.before_commit"])
def test_killed_half_way_nothing_is_recorded_and_the_same_command_again_records_it_once(book: str, point: str) -> None:
    from fault_scenes import KILLED, recoup, run, succeed

    account = small_book.account_no(small_book.OWES)
    command = recoup("outcome", account, "PROMISED", "--by", "collector", "--promise-on", str(PROMISED_ON))
    assert run(command, book, point).returncode == KILLED
    assert (count("outcome"), count("hold"), count("touch"), audited()) == (0, 0, 0, 0)
    assert "已登记" in succeed(command, book) and "未重复" in succeed(command, book)
    assert (count("outcome"), count("hold"), count("touch"), audited()) == (1, 1, 1, 1)


def test_a_correction_is_a_second_version_that_takes_its_hold_back(book: str) -> None:
    promise()
    assert tell("REFUSED", correct=True, note="wrong line").version == 2
    assert rows("SELECT version, result FROM outcome ORDER BY 1") == [(1, "PROMISED"), (2, "REFUSED")]
    close(TODAY, TODAY)
    assert decide(TODAY) == ("STAGE_WAIT", None)  # the contact stays, the promise is gone


def test_a_contact_that_reached_the_customer_cannot_be_unmade(book: str) -> None:
    from recoup.usecases.outcomes import OutcomeRefused

    promise()
    with pytest.raises(OutcomeRefused, match="contact history"):
        tell("NO_ANSWER", correct=True)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"promise_on": TODAY - timedelta(days=1)}, "is past"),
        ({"promise_on": TODAY + timedelta(days=32)}, "too far ahead"),
        ({"promise_on": None}, "by which day"),
        ({"promise_minor": OWED + 1}, "give at most that"),
        ({"promise_minor": 0}, "more than nothing"),
        ({"result": "VANISHED"}, "PROMISED, SAYS_PAID"),
        ({"result": "DELIVERED", "promise_on": None}, "no result of a CALL"),
        ({"result": "REFUSED"}, "promises nothing"),
        ({"happened_on": ACTED_ON - timedelta(days=1)}, "give a day among them"),
        ({"happened_on": TODAY + timedelta(days=1)}, "give a day among them"),
        ({"note": "x" * 501}, "at most 500"),
    ],
)
def test_what_cannot_be_so_is_refused_with_what_to_tell_instead(acted_book: str, told: dict, message: str) -> None:
    from recoup.usecases.outcomes import OutcomeRefused

    with named(acted_book):
        with pytest.raises(OutcomeRefused, match=message):
            tell(**{"result": "PROMISED", "promise_on": PROMISED_ON, **told})
        assert count("outcome") == 0
        leave()


def test_the_whole_debt_and_today_can_be_promised(book: str) -> None:
    made = promise(promise_on=TODAY, promise_minor=OWED)
    assert (made.promise_minor, made.held_to) == (OWED, TODAY + timedelta(days=1))


def test_nobody_records_for_another_unit_and_an_auditor_records_nothing(book: str) -> None:
    from recoup.domains.access.permissions import NotPermitted
    from recoup.usecases.outcomes import UnknownAction

    with pytest.raises(UnknownAction, match="your units"):
        tell("REMINDED", by="manager")
    with pytest.raises(NotPermitted, match="ask one of"):
        tell("REMINDED", by="auditor")
    assert (count("outcome"), audited()) == (0, 0)


def test_the_outcome_is_part_of_the_dump_and_of_the_checks(book: str) -> None:
    import tiny_book

    promise()
    with connect("owner") as connection:
        connection.execute("DELETE FROM action WHERE contract_id = 2 AND decided_on = %s", [ACTED_ON])
    assert len([line for line in tiny_book.dump() if '"section":"outcomes"' in line]) == 1
    assert [told for told in tiny_book.find_failures() if "outcome without action" in told or "actions or" in told]
