"""Published case I01 in a mirrored book: seven debtors, another system's debts, one quarter of receipts."""

from datetime import date
from pathlib import Path
from typing import Any

import feed_folder as given
import pytest

from recoup.database.connect import connect

# Contract, amount, day of issue: carried over at 1 January, then bills of the year.
DEBTS = (
    ("K1", "300000.00", "2024-10-20"),
    ("K2", "120000.00", "2024-11-20"),
    ("K3", "80000.00", "2024-12-20"),
    ("K4", "400000.00", "2025-01-20"),
    ("K5", "200000.00", "2025-01-20"),
    ("K6", "100000.00", "2025-02-20"),
    ("K7", "50500.00", "2025-02-20"),
)
RECEIPTS = (
    ("K1", "300000.00", "2025-01-20"),
    ("K2", "40000.00", "2025-03-10"),
    ("K4", "400000.00", "2025-03-25"),
    ("K5", "140000.00", "2025-03-28"),
    ("K5", "60000.00", "2025-03-28"),
    ("K7", "40000.00", "2025-03-27"),
)


def debt(contract: str, amount: str, issued_on: str) -> dict[str, str]:
    due_on = f"{date.fromisoformat(issued_on).replace(day=28)}"
    common = {"contract": contract, "amount": amount, "denom": "CNY", "issued_on": issued_on, "due_on": due_on}
    return {**common, "item_key": f"{contract}-{issued_on}", "component": "ENERGY", "open": amount}


def bill(contract: str, amount: str, issued_on: str) -> dict[str, str]:
    told = debt(contract, amount, issued_on)
    return {"bill_no": told["item_key"], **{k: told[k] for k in ("contract", "issued_on", "due_on", "amount", "denom")}}


@pytest.fixture
def report(database: str, tmp_path: Path) -> dict[str, Any]:
    """The report of 31 March 2025."""
    from recoup.domains.book.operations import create_book, set_modes
    from recoup.engine.cycle import run_cycle
    from recoup.engine.profile import read_profile, read_rules
    from recoup.engine.report import build_report
    from recoup.usecases.load import load_folder

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="Test")
    set_modes("external")
    receipts = [
        given.payment(f"R{n}", amount, contract=contract, value_on=day, received_on=day)
        for n, (contract, amount, day) in enumerate(RECEIPTS)
    ]
    files = {
        **given.base(7),
        "bills": [bill(*each) for each in DEBTS if each[2] >= "2025"],
        "open_items": [debt(*each) for each in DEBTS],
        "payments": receipts,
    }
    loaded = load_folder(given.write(tmp_path, files, as_of="2025-03-31T23:59:00+08:00"), lambda *_: None)
    assert loaded.complete
    run_cycle(date(2025, 1, 1), date(2025, 3, 31), read_rules(), read_profile())
    with connect("reader") as connection:
        return build_report(connection, None)


def test_the_three_rates_and_arrears_are_those_published(report: dict[str, Any]) -> None:
    assert (report["receivable"], report["received"]) == ("1250500.00", "980000.00")
    assert (report["carried"], report["received_prior"]) == ("500000.00", "340000.00")
    assert report["collection_rate_cumulative"] == "0.783687"  # 78.4 %
    assert report["collection_rate_current"] == "0.852765"  # 85.3 %
    assert report["collection_rate_prior"] == "0.680000"  # 68.0 %
    assert (report["arrears_prior"], report["arrears_current"]) == ("160000.00", "110500.00")


def test_mirrored_bills_and_receipts_are_counted_and_nothing_is_charged(report: dict[str, Any]) -> None:
    assert (report["bills"], report["billed"]) == (4, "750500.00")
    assert (report["payments"], report["collected"]) == (6, "980000.00")
    assert report["late_charges_booked"] == "0.00"
    assert report["book"]["modes"]["BILLS"] == "external"
    assert [feed["code"] for feed in report["feeds"]] == ["billing"]
    assert report["simulation"] is None
