"""Money taken back: after a reversal, told whenever, the book is as if the receipt had never come."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
import tiny_book
from fault_scenes import differences
from tiny_book import START

from recoup.database.connect import connect

type Enter = Callable[[str], str]

CONTRACTS = 60
LAST = START + timedelta(days=40)

# Debts and charges per principal and day as they stand, money on account, and what the ledger says.
STANDING = """
    SELECT 'open', i.item_key, ''::text, o.open_minor FROM open_item i JOIN item_open o USING (item_id)
    WHERE i.charge_of IS NULL
    UNION ALL
    SELECT 'charge', p.item_key, i.value_on::text, sum(i.amount_minor)::bigint FROM open_item i
    JOIN open_item p ON p.item_id = i.charge_of GROUP BY 1, 2, 3 HAVING sum(i.amount_minor) <> 0
    UNION ALL
    SELECT c.item_key, d.item_key, a.value_on::text, sum(a.amount_minor)::bigint FROM allocation a
    JOIN open_item c ON c.item_id = a.credit_id JOIN open_item d ON d.item_id = a.debit_id
    WHERE c.origin_kind <> 'CHARGE_CREDIT' AND d.charge_of IS NULL AND d.origin_kind <> 'PAYMENT_REVERSAL'
    GROUP BY 1, 2, 3 HAVING sum(a.amount_minor) <> 0
    UNION ALL
    SELECT 'balance', subject, denom, sum(amount_minor)::bigint FROM balance
    GROUP BY 1, 2, 3 HAVING sum(amount_minor) <> 0
    UNION ALL
    SELECT 'late', c.contract_key, r.month_on::text, r.late_bills * 1000 + r.days_late
    FROM rollup r JOIN contract c USING (contract_id) WHERE r.late_bills > 0
    ORDER BY 1, 2, 3
"""


def rows(query: str) -> list[tuple]:
    with connect("reader") as connection:
        return connection.execute(query.encode()).fetchall()


def paid() -> pl.DataFrame:
    """All payments, some of them reversed: `told_after` days after they were known."""
    number = pl.col("contract").str.slice(1).cast(pl.Int64)
    bounces = (number % 2 == 0) | (pl.col("channel_key").str.ends_with("-2") & (number % 5 == 0))
    return (
        tiny_book.make_payments(CONTRACTS)
        .with_columns(reverses=pl.lit(None, pl.String), bounces=bounces, told_after=number % 11)
        .filter(pl.col("received_on") < LAST - timedelta(days=11))
    )


def bounced(payments: pl.DataFrame) -> pl.DataFrame:
    """The reversals of the payments that bounce, each under its own key and with a value day that does not count."""
    told_on = pl.col("received_on") + pl.duration(days="told_after")
    return payments.filter("bounces").with_columns(
        channel_key=pl.format("{}-R", "channel_key"),
        reverses="channel_key",
        value_on=told_on,
        received_on=told_on,
        designation=pl.lit(None, pl.String),
    )


def as_file(*parts: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(parts).drop("bounces", "told_after")


def open_book(enter: Enter, template: str, payments: pl.DataFrame, *, external: bool = False) -> None:
    from recoup.domains.book.operations import set_modes

    enter(template)
    tiny_book.open_book("live")
    if external:
        set_modes("external")
    tiny_book.fill(CONTRACTS, others={"payments": payments})


@pytest.mark.parametrize("external", [False, True])
def test_a_receipt_taken_back_leaves_the_book_as_if_it_had_never_come(
    enter_copy: Enter, template: str, external: bool
) -> None:
    """Own ledger or beside another: in one file, or receipts first and their reversals in a later file."""
    everything = paid()
    open_book(enter_copy, template, as_file(everything.filter(~pl.col("bounces"))), external=external)
    tiny_book.close(START, LAST)
    never = rows(STANDING)

    reversals = bounced(everything)
    assert reversals.height > 8
    open_book(enter_copy, template, as_file(everything, reversals), external=external)
    tiny_book.close(START, LAST)
    assert rows("SELECT kind, key FROM run_issue WHERE field = 'reverses'") == []
    assert sorted(set(never) ^ set(rows(STANDING)), key=str)[:6] == []
    assert tiny_book.find_failures() == []

    first_half = START + timedelta(days=28)
    open_book(enter_copy, template, as_file(everything), external=external)
    tiny_book.close(START, first_half)
    tiny_book.load({"payments": as_file(reversals)}, as_of_on=first_half)
    tiny_book.close(START, LAST)
    assert sorted(set(never) ^ set(rows(STANDING)), key=str)[:6] == []
    assert tiny_book.find_failures() == []
    assert rows("SELECT count(*) FROM entry WHERE run_no IS NOT NULL")[0][0] == 0 or not external


def test_stops_change_nothing_and_notices_of_a_debt_that_is_open_again_count_again(
    enter_copy: Enter, loaded_book: str
) -> None:
    """With simulated contacts: a debt paid after its notice and re-opened has that notice, restarted or not."""
    payments = tiny_book.make_payments(tiny_book.CONTRACTS).with_columns(
        reverses=pl.lit(None, pl.String), bounces=pl.lit(True), told_after=pl.lit(9)
    )
    reversals = as_file(bounced(payments)).filter(pl.col("received_on") <= tiny_book.END)
    ends = tiny_book.END
    found = []
    for stops in ([ends], [START + timedelta(days=n) for n in (13, 19, 20, 27, 31)] + [ends]):
        enter_copy(loaded_book)
        tiny_book.load({"payments": reversals})
        for stop in stops:
            tiny_book.close(START, stop)
        assert tiny_book.find_failures() == []
        found.append((rows("SELECT business_on, content_hash FROM run ORDER BY 1"), tiny_book.dump()))
    again = """
        SELECT count(*) FROM touch_item n JOIN open_item i USING (item_key) JOIN allocation a ON a.debit_id = i.item_id
        JOIN item_open o ON o.item_id = i.item_id WHERE a.amount_minor < 0 AND a.booked_on > n.decided_on
    """
    assert rows(again)[0][0] > 0
    assert found[0][0] == found[1][0]
    assert differences(found[0][1], found[1][1]) == []


REFUSALS = "SELECT kind, key, business_on FROM run_issue JOIN run USING (run_no) WHERE field = 'reverses' ORDER BY 2, 3"


def a_row(key: str, contract: int, yuan: int, after: int, reverses: str | None = None) -> dict:
    day = START + timedelta(days=after)
    return {
        **{"channel": "BANK", "channel_key": key, "contract": tiny_book.key(contract), "value_on": day},
        **{"received_on": day, "amount": yuan, "reverses": reverses},
    }


def as_payments(*made: dict) -> pl.DataFrame:
    return pl.DataFrame(list(made), schema_overrides={"reverses": pl.String})


def test_a_reversal_that_cannot_be_booked_is_told_once_and_one_that_comes_first_waits(
    enter_copy: Enter, template: str
) -> None:
    """A wrong amount, a second reversal, a stranger's receipt; a reversal whose receipt comes days later."""
    given = as_payments(
        a_row("P1", 4, 50, 2),
        a_row("P2", 5, 60, 2),
        a_row("R1", 4, 51, 4, "P1"),
        a_row("R2", 5, 60, 4, "P2"),
        a_row("R3", 5, 60, 6, "P2"),
        a_row("R4", 16, 60, 4, "P2"),
        a_row("R5", 8, 70, 3, "P5"),
        a_row("P5", 8, 70, 9),
        a_row("R6", 8, 70, 3, "NEVER"),
    )
    open_book(enter_copy, template, given)
    for stop in (3, 4, 6, 12):
        tiny_book.close(START, START + timedelta(days=stop))
    told = [(kind, key, (on - START).days) for kind, key, on in rows(REFUSALS)]
    assert told == [
        ("REVERSAL_DIFFERS", "BANK:R1", 4),
        ("REVERSED_TWICE", "BANK:R3", 6),
        ("REVERSAL_OF_UNKNOWN", "BANK:R4", 4),
        ("REVERSAL_OF_UNKNOWN", "BANK:R5", 3),
        ("REVERSAL_OF_UNKNOWN", "BANK:R6", 3),
    ]
    taken = """
        SELECT r.item_key, c.item_key, r.value_on, r.booked_on - c.value_on FROM open_item r
        JOIN open_item c ON c.item_id = r.designation WHERE r.origin_kind = 'PAYMENT_REVERSAL' ORDER BY 1
    """
    days = [START + timedelta(days=n) for n in (2, 9)]
    assert rows(taken) == [("BANK:R2", "BANK:P2", days[0], 2), ("BANK:R5", "BANK:P5", days[1], 0)]
    assert tiny_book.find_failures() == []

    corrected = as_payments(a_row("R1", 4, 50, 4, "P1")).with_columns(supersedes=pl.lit("R1"))
    tiny_book.load({"payments": corrected}, as_of_on=START + timedelta(days=12))
    tiny_book.close(START, START + timedelta(days=14))
    assert [key for key, *_ in rows(taken)] == ["BANK:R1", "BANK:R2", "BANK:R5"]
    assert len(rows(REFUSALS)) == len(told)
    assert tiny_book.find_failures() == []


def test_money_of_another_system_and_money_of_a_later_day_can_be_taken_back_too(
    enter_copy: Enter, template: str
) -> None:
    """A credit carried over is named by its own key; a receipt whose value day is still to come never pays anything."""
    ahead = a_row("P1", 10, 90, 2) | {"value_on": START + timedelta(days=12)}
    carried = tiny_book.make_files(CONTRACTS)["credits"]
    balances = "    UNION ALL\n    SELECT 'balance'"
    standing = STANDING[: STANDING.index(balances)]  # the carried money was opened against the opening balances
    found = []
    for taken in (False, True):
        paid_back = as_payments(ahead, a_row("R1", 10, 90, 4, "P1"), a_row("R2", 23, 35, 9, "OLDC0023"))
        enter_copy(template)
        tiny_book.open_book("live")
        others = {"payments": paid_back} if taken else {"payments": None, "credits": carried.filter(contract="K0046")}
        tiny_book.fill(CONTRACTS, others=others)
        for stop in (6, 15, 33):
            tiny_book.close(START, START + timedelta(days=stop))
            assert tiny_book.find_failures() == []
        found.append(rows(standing))
    assert rows(REFUSALS) == []
    assert sorted(set(found[0]) ^ set(found[1]), key=str)[:6] == []
