"""What is told late or anew: taken into account by its true day, or refused aloud, once."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import tiny_book
from test_reversal import STANDING, a_row, as_payments, rows
from tiny_book import START

from recoup.engine import lake

type Enter = Callable[[str], str]

ISSUES = """
    SELECT kind, key, business_on, detail FROM run_issue JOIN run USING (run_no)
    WHERE kind NOT IN ('NO_MULTIPLIER', 'NEGATIVE_INDEX', 'NO_SERVICE') ORDER BY 1, 2, 3
"""


def day(after: int) -> date:
    return START + timedelta(days=after)


def open_book(enter: Enter, template: str, contracts: int = 12, **others: pl.DataFrame) -> None:
    enter(template)
    tiny_book.open_book("live")
    tiny_book.fill(contracts, others=others)


def close_to(*stops: int) -> None:
    """Close up to each of these days by a cycle of its own."""
    for after in stops:
        tiny_book.close(START, day(after))


def a_reading(point: int, read_on: date, index: int, *, supersedes: bool = False) -> pl.DataFrame:
    number = f"{point:04d}"
    row = {"service_point": f"SP{number}", "meter": f"M{number}", "read_on": read_on, "index": index}
    return pl.DataFrame([row | ({"supersedes": "wrong index"} if supersedes else {})])


def test_money_of_another_currency_is_told_once_ever(enter_copy: Enter, template: str) -> None:
    foreign = as_payments(a_row("P1", 2, 50, 1), a_row("P2", 4, 60, 3)).with_columns(denom=pl.lit("USD"))
    open_book(enter_copy, template, payments=foreign)
    close_to(2, 3, 6)
    assert [(kind, key, on) for kind, key, on, _ in rows(ISSUES)] == [
        ("FOREIGN_DENOM", "BANK:P1", day(1)),
        ("FOREIGN_DENOM", "BANK:P2", day(3)),
    ]
    assert tiny_book.find_failures() == []


def test_a_payment_said_otherwise_after_its_booking_is_told_once_and_mended_by_a_reversal(
    enter_copy: Enter, template: str
) -> None:
    open_book(enter_copy, template, payments=as_payments(a_row("P1", 2, 50, 1)))
    close_to(3)
    said = as_payments(a_row("P1", 2, 70, 1)).with_columns(supersedes=pl.lit("P1"))
    tiny_book.load({"payments": said}, as_of_on=day(3))
    close_to(5, 7)
    ((kind, key, on, detail),) = rows(ISSUES)
    assert (kind, key, on) == ("SUPERSEDED_AFTER_BOOKING", "BANK:P1#2", day(4))
    assert "5000 minor units" in detail and "7000" in detail
    assert tiny_book.find_failures() == []

    tiny_book.load({"payments": as_payments(a_row("R1", 2, 50, 8, "P1"), a_row("P1b", 2, 70, 1))}, as_of_on=day(7))
    close_to(9)
    assert len(rows(ISSUES)) == 1
    paid = """
        SELECT c.item_key, sum(a.amount_minor)::bigint FROM allocation a JOIN open_item c ON c.item_id = a.credit_id
        JOIN open_item d ON d.item_id = a.debit_id AND d.origin_kind = 'BILL' GROUP BY 1 HAVING sum(a.amount_minor) <> 0
    """
    assert rows(paid) == [("BANK:P1b", 70_00)]
    assert tiny_book.find_failures() == []


def billed(point: int) -> list[tuple]:
    return rows(
        f"SELECT period_from, period_to, energy_wh / 1000 FROM bill WHERE reading_key LIKE 'SP{point:04d}/%' ORDER BY 1"
    )


def test_a_reading_corrected_after_its_bill_is_told_once_and_nothing_is_billed_twice(
    enter_copy: Enter, template: str
) -> None:
    """Read 1187 on the second day and billed; said later to be 1150. The next bill starts where the last one ended."""
    open_book(enter_copy, template)
    close_to(4)
    tiny_book.load({"readings": a_reading(1, day(1), 1150, supersedes=True)}, as_of_on=day(4))
    close_to(6, 8, 16)
    bill_no = rows("SELECT bill_no FROM bill WHERE reading_key LIKE 'SP0001/%' ORDER BY issued_on")[0][0]
    ((kind, key, on, detail),) = rows(ISSUES)
    assert (kind, on) == ("READING_CORRECTED_AFTER_BILL", day(5))
    assert key.startswith("SP0001/M0001/1/") and key.endswith("#2") and bill_no in detail
    assert billed(1) == [(day(-30), day(1), 187), (day(1), day(15), 187)]
    assert tiny_book.find_failures() == []


def test_a_reading_between_two_billed_ones_is_refused(enter_copy: Enter, template: str) -> None:
    open_book(enter_copy, template)
    close_to(17)
    before = billed(2)
    assert [to for _, to, _ in before] == [day(2), day(16)]
    tiny_book.load({"readings": a_reading(2, day(9), 1250)}, as_of_on=day(17))
    close_to(19, 31)
    ((kind, key, on, _),) = rows(ISSUES)
    assert (kind, on) == ("READING_BETWEEN_BILLED", day(18))
    assert key == f"SP0002/M0002/1/{day(9)}/1/ACTUAL"
    assert billed(2) == [*before, (day(16), day(30), before[0][2])]
    assert tiny_book.find_failures() == []


def test_a_meter_not_read_for_years_is_billed_from_its_last_reading(enter_copy: Enter, template: str) -> None:
    """The last reading lies before the readings that a cycle loads for the tier year and the chains."""
    long_ago = date(2022, 6, 1)
    readings = pl.concat([a_reading(3, date(2021, 6, 1), 100), a_reading(3, long_ago, 400), a_reading(3, day(2), 1000)])
    open_book(enter_copy, template, readings=readings)
    close_to(4)
    assert billed(3) == [(long_ago, day(2), 600)]
    assert tiny_book.find_failures() == []


def test_a_hold_told_late_takes_back_the_charges_of_its_days(enter_copy: Enter, template: str) -> None:
    """The same debts, charges and ledger as told in time: of debts open, paid already, and of one item; a hold that
    is shortened later gives its days back.
    """
    paid = as_payments(a_row("P1", 10, 900, 25), a_row("P2", 5, 300, 22))
    held = tiny_book.as_holds(
        [
            ("L05", tiny_book.key(5), None, day(-40), day(24)),
            ("L06", tiny_book.key(6), None, day(20), None),
            ("L10", tiny_book.key(10), "OLD0010", day(10), day(23)),
        ]
    )
    long = tiny_book.as_holds([("L02", tiny_book.key(2), None, day(8), None)])
    short = tiny_book.as_holds([("L02", tiny_book.key(2), None, day(8), day(12))])

    open_book(enter_copy, template, payments=paid, holds=pl.concat([held, short]))
    close_to(40)
    in_time = rows(STANDING)

    open_book(enter_copy, template, payments=paid, holds=long)
    close_to(27)
    charged = rows("SELECT count(*) FROM open_item WHERE origin_kind = 'CHARGE'")[0][0]
    later = pl.concat([held, short.with_columns(supersedes=pl.lit("L02"))], how="diagonal")
    tiny_book.load({"holds": later}, as_of_on=day(27))
    close_to(28)
    assert rows("SELECT count(*) FROM open_item WHERE origin_kind = 'CHARGE_CREDIT'")[0][0] > 0 < charged
    assert tiny_book.find_failures() == []
    close_to(40)
    assert sorted(set(in_time) ^ set(rows(STANDING)), key=str)[:6] == []
    assert tiny_book.find_failures() == []


def test_a_cycle_removes_what_killed_workers_left_but_no_sign_of_a_lost_run(
    enter_copy: Enter, closed_book: str
) -> None:
    enter_copy(closed_book)
    (run_no, on) = rows("SELECT run_no, business_on FROM run ORDER BY run_no LIMIT 1")[0]
    abandoned = lake.decisions_folder(on, run_no) / "slice=000.99.parquet"
    lost = lake.decisions_folder(tiny_book.END + timedelta(days=9), run_no + 10_000) / "slice=000.1.parquet"
    lost.parent.mkdir(parents=True)
    for stray in (abandoned, lost):
        stray.write_bytes(b"half")
    tiny_book.close(tiny_book.END, tiny_book.END + timedelta(days=1))
    assert not abandoned.exists() and lost.exists()
    assert [failure.split(":")[0] for failure in tiny_book.find_failures()] == ["lake_files_are_those_of_their_slices"]
