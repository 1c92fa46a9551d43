"""Money taken back: on the receipt's own day, from whatever it had paid, and only when it is that receipt."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from money_facts import bill, credits, items, no_charges, payment, rules
from tariff_facts import contract, contracts

from recoup.core.flows.receive import PAYMENTS, designate, find_due, leave_open, make_credits, take_back
from recoup.core.flows.rederive import rederive
from recoup.core.flows.settle import PAID, settle
from recoup.core.frames import HOLDS, ITEMS, empty

PAID_ON, LEARNT_ON = date(2025, 2, 10), date(2025, 4, 3)
JAN = items(bill("JAN", 300_00, date(2025, 1, 20), item_id=1))
CUSTOMERS = contracts(contract(contract_id=1, group_id=1), contract(contract_id=2, group_id=2))
ID = 900


def a_payment(key: str, **changes: Any) -> dict[str, Any]:
    row = {"contract_id": 1, "channel": "BANK", "channel_key": key, "version": 1, "value_on": PAID_ON}
    money = {"received_on": LEARNT_ON, "amount_minor": 300_00, "denom": "CNY", "waits": False}
    return {**dict.fromkeys(PAYMENTS), **row, **money, **changes}


def payments(*made: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(made), schema=dict(PAYMENTS))


RECEIPT = credits(payment("BANK:P", 300_00, PAID_ON, item_id=2))


def take(*reversals: dict[str, Any], known: pl.DataFrame = RECEIPT, debts: pl.DataFrame = JAN):
    asked = find_due(payments(*reversals), LEARNT_ON)
    return take_back(asked, CUSTOMERS, debts, known, id_from=ID)


def test_a_reversal_is_a_debt_of_the_receipts_own_day_that_never_falls_due() -> None:
    made, issues = take(a_payment("R", reverses="P", value_on=LEARNT_ON))
    shown = made.select("item_key", "issued_on", "due_on", "overdue_from_on", "amount_minor", "credit_id").row(0)
    assert shown == ("BANK:R", PAID_ON, None, None, 300_00, 2)
    assert issues.is_empty()


def test_what_the_receipt_had_paid_is_open_again_and_other_money_stays() -> None:
    small = credits(payment("BANK:Q", 50_00, date(2025, 2, 20), item_id=3))
    both = pl.concat([RECEIPT, small])
    paid = settle(
        JAN,
        both,
        empty(PAID),
        no_charges(),
        empty(HOLDS),
        PAID_ON,
        rules().without_charges(),
        month_end=False,
        id_from=10,
    )
    assert paid.frames["allocations"]["amount_minor"].to_list() == [300_00]

    made, _ = take(a_payment("R", reverses="P"), known=both)
    again = rederive(
        pl.concat([JAN, made.select(list(ITEMS))]),
        designate(both, made),
        paid.frames["allocations"],
        no_charges(),
        empty(HOLDS),
        LEARNT_ON,
        rules().without_charges(),
        id_from=20,
        from_on=PAID_ON,
    )

    pieces = again.frames["allocations"].select("credit_id", "debit_id", "amount_minor", "value_on")
    assert sorted(pieces.rows()) == [
        (2, 1, -300_00, PAID_ON),
        (2, ID, 300_00, PAID_ON),
        (3, 1, 50_00, date(2025, 2, 20)),
    ]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"reverses": "OTHER"}, "REVERSAL_OF_UNKNOWN"),
        ({"reverses": "P", "channel": "POST"}, "REVERSAL_OF_UNKNOWN"),
        ({"reverses": "P", "contract_id": 2}, "REVERSAL_OF_UNKNOWN"),
        ({"reverses": "P", "amount_minor": 299_99}, "REVERSAL_DIFFERS"),
    ],
)
def test_a_reversal_that_is_not_of_that_receipt_is_refused(changes: dict[str, Any], kind: str) -> None:
    made, issues = take(a_payment("R", **changes))
    assert made.is_empty()
    assert issues["kind"].to_list() == [kind]


def test_one_receipt_is_taken_back_once() -> None:
    made, issues = take(a_payment("R2", reverses="P"), a_payment("R1", reverses="P"))
    assert made["item_key"].to_list() == ["BANK:R1"]
    assert issues.select("kind", "key").rows() == [("REVERSED_TWICE", "BANK:R2")]

    debts = pl.concat([JAN, made.select(list(ITEMS))])
    again, told = take(a_payment("R3", reverses="P"), known=designate(RECEIPT, made), debts=debts)
    assert again.is_empty() and told["kind"].to_list() == ["REVERSED_TWICE"]


def test_a_reversal_whose_receipt_is_unknown_waits_until_that_comes_and_is_told_once() -> None:
    waiting = payments(a_payment("R", reverses="P"))
    _, issues = take(*waiting.to_dicts(), known=RECEIPT.clear())
    left = leave_open(waiting, waiting.clear(), take(known=RECEIPT)[0], issues)
    assert left["waits"].to_list() == [True]
    assert find_due(left, LEARNT_ON).is_empty()

    _, told = take(*left.with_columns(waits=False).to_dicts(), known=RECEIPT.clear())
    assert told.height == 1
    arriving = payments(a_payment("P"))
    due = find_due(pl.concat([left, arriving]), LEARNT_ON)
    assert due["channel_key"].to_list() == ["R"]
    known = make_credits(arriving, CUSTOMERS, JAN, id_from=70)
    made, told = take_back(due, CUSTOMERS, JAN, known, id_from=ID)
    assert made["credit_id"].to_list() == [70] and told.is_empty()


def test_a_newer_version_of_a_refused_row_is_looked_at_again() -> None:
    wrong = a_payment("R", reverses="P", amount_minor=1)
    _, issues = take(wrong)
    told = leave_open(payments(wrong), payments(), take()[0], issues)
    assert told.is_empty()
    corrected = payments(a_payment("R", reverses="P", version=2))
    assert leave_open(corrected, payments(), take()[0], issues).equals(corrected)
