"""Story 1 of the head of collections, through the commands: rates, gap, signature, and what came after.

Seven debtors and another system's bills (published case I01), then the same course with other numbers: debts told
late, a receipt that moves another one from this year's debt to a prior one, a receipt both late and taken back.
"""

import importlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import feed_folder as given
import pytest
import typer
from typer.testing import CliRunner

from recoup.database.connect import connect

type Receipt = tuple[str, str, str, str, str]

DEBTS = (
    ("P1", "300000.00", "2024-10-20"),
    ("P2", "120000.00", "2024-11-20"),
    ("P3", "80000.00", "2024-12-20"),
    ("C1", "400000.00", "2025-01-20"),
    ("C2", "200000.00", "2025-01-20"),
    ("C3", "100000.00", "2025-02-20"),
    ("C4", "50500.00", "2025-02-20"),
)
RECEIPTS = (
    ("R1", "P1", "300000.00", "2025-01-20", "2025-01-20"),
    ("R2", "P2", "40000.00", "2025-03-10", "2025-03-10"),
    ("R3", "C1", "400000.00", "2025-03-25", "2025-03-25"),
    ("R4", "C2", "140000.00", "2025-03-28", "2025-03-28"),
    ("CHEQUE", "C2", "60000.00", "2025-03-28", "2025-03-28"),
    ("R6", "C4", "40000.00", "2025-03-27", "2025-03-27"),
)
MARCH_END = "2025-03-31"


@pytest.fixture
def recoup(database: str) -> Callable[..., Any]:
    """Runs a command in a live book beside another system; with --json its document, else what it printed."""
    app = typer.Typer()
    for name in ("load", "cycle", "modes", "report", "cutoff", "target", "gap", "verify"):
        importlib.import_module(f"recoup.cli.{name}").register(app)

    def run(*words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == code, (words, done.output, done.exception)
        told = done.output if done.exception is None or not code else f"{done.output}{done.exception}"
        return json.loads(done.output) if "--json" in words else told

    from recoup.domains.book.operations import create_book

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="Test")
    run("modes", "external")
    return run


def debt(contract: str, amount: str, issued_on: str) -> dict[str, str]:
    due_on = f"{date.fromisoformat(issued_on).replace(day=28)}"
    common = {"contract": contract, "amount": amount, "denom": "CNY", "issued_on": issued_on, "due_on": due_on}
    return {**common, "item_key": f"{contract}-{issued_on}", "component": "ENERGY", "open": amount}


def receipt(
    key: str, contract: str, amount: str, value_on: str, received_on: str, reverses: str = ""
) -> dict[str, str]:
    told = given.payment(key, amount, contract=contract, value_on=value_on, received_on=received_on)
    return {**told, "reverses": reverses}


def masters(contracts: list[str], units: dict[str, str] | None = None) -> dict[str, Any]:
    numbered = list(enumerate(contracts, 1))
    stations = sorted(set((units or {}).values()) | {"S1"})
    return {
        "org_units": [
            {"code": "C", "name": "公司", "kind": "COMPANY", "parent": ""},
            *({"code": code, "name": code, "kind": "STATION", "parent": "C"} for code in stations),
        ],
        "parties": [{"party": f"B{name}", "name": f"客户{name}公司", "kind": "FIRM"} for name in contracts],
        "accounts": [{"account_no": f"37{n:011}", "org_unit": (units or {}).get(name, "S1")} for n, name in numbered],
        "contracts": [
            {
                **{"contract": name, "account_no": f"37{n:011}", "party": f"B{name}", "class": "COMMERCIAL"},
                **{"jurisdiction": "cn/shandong", "valid_from": "2020-01-01", "due_days": 15},
            }
            for n, name in numbered
        ],
    }


def tell(recoup: Callable[..., Any], folder: Path, entities: dict[str, Any], as_of: str) -> None:
    """Load a folder, twice: the second time nothing may change."""
    given.write(folder, entities, as_of=f"{as_of}T23:59:00+08:00")
    recoup("load", str(folder))
    recoup("load", str(folder))


def rates(document: dict[str, Any], side: str) -> list[str | None]:
    """Cumulative, current, prior in percent with one digit, as the story tells them."""
    shares = [document["rates"][name][side] for name in ("cumulative", "current", "prior")]
    return [None if share is None else f"{(int(share.replace('.', '')) + 500) // 1000 / 10:.1f}" for share in shares]


def explained(document: dict[str, Any]) -> None:
    """Every base's difference is the exact sum of the effects of the facts listed, and nothing is unexplained."""
    assert document["holds"] is True
    for base, compared in document["bases"].items():
        effects = sum(round(float(fact[base]) * 100) for fact in document["facts"])
        assert effects == round(float(compared["difference"]) * 100), base
        assert compared["unexplained"] == "0.00"


def test_story_1_from_the_month_end_to_the_bounced_cheque(recoup: Callable[..., Any], tmp_path: Path) -> None:
    files = {
        **masters([name for name, _, _ in DEBTS]),
        "open_items": [debt(*each) for each in DEBTS],
        "payments": [receipt(*each) for each in RECEIPTS],
    }
    tell(recoup, tmp_path / "a", files, MARCH_END)
    assert "only a closed day" in recoup("cutoff", "sign", MARCH_END, "--by", "王主任", code=1)
    recoup("cycle", "--from", "2025-01-01", "--to", MARCH_END)
    report = recoup("report", "--on", MARCH_END, "--json")
    assert (report["collection_rate_cumulative"], report["collection_rate_current"]) == ("0.783687", "0.852765")
    assert (report["arrears_prior"], report["arrears_current"]) == ("160000.00", "110500.00")
    assert (report["reported"], report["known_now"]) == (None, None)

    ask_for_the_gap(recoup)
    signed = recoup("cutoff", "sign", MARCH_END, "--by", "王主任", "--json")
    assert "was signed by 王主任" in recoup("cutoff", "sign", MARCH_END, "--by", "别人", code=1)
    assert [each["signed_by"] for each in recoup("cutoff", "list", "--json")] == ["王主任"]

    bring_a_late_receipt(recoup, tmp_path / "b")
    bounce_the_cheque(recoup, tmp_path / "c")
    report = recoup("report", "--on", MARCH_END, "--json")
    assert report["collection_rate_current"] == "0.852765"  # as it stood that night
    assert report["reported"]["collection_rate_current"] == "0.852765"
    assert report["known_now"]["collection_rate_current"] == "0.786143"
    assert report["reported"]["content_hash"] == signed["content_hash"]
    april = recoup("report", "--json")
    assert (april["collected"], april["payments_reversed"]) == ("930000.00", 1)
    assert april["collection_rate_current"] == "0.786143"
    recoup("verify")


def ask_for_the_gap(recoup: Callable[..., Any]) -> None:
    recoup("target", "set", "--measure", "current", "--percent", "99", "--on", MARCH_END, "--by", "王主任")
    gap = recoup("gap", "--on", MARCH_END, "--json")
    assert (gap["gap"], gap["target"], gap["rate"]) == ("102995.00", "0.990000", "0.852765")
    assert [(row["contract_key"], row["open"]) for row in gap["rows"]] == [("C3", "100000.00"), ("C4", "10500.00")]
    assert gap["rest"] == {"contracts": 0, "amount": "0.00"}


def bring_a_late_receipt(recoup: Callable[..., Any], folder: Path) -> None:
    tell(recoup, folder, {"payments": [receipt("LATE", "C4", "10000.00", MARCH_END, "2025-04-02")]}, "2025-04-02")
    waiting = recoup("cutoff", "show", MARCH_END, "--json")
    assert (waiting["waiting"], waiting["facts"]) == ({"receipts": 1, "amount": "10000.00"}, [])
    recoup("cycle", "--from", "2025-04-01", "--to", "2025-04-02")
    shown = recoup("cutoff", "show", MARCH_END, "--json")
    assert (rates(shown, "reported"), rates(shown, "known")) == (["78.4", "85.3", "68.0"], ["79.2", "86.6", "68.0"])
    assert [(f["kind"], f["number"], f["amount"], f["value_on"], f["received_on"]) for f in shown["facts"]] == [
        ("LATE_RECEIPT", "LATE", "10000.00", MARCH_END, "2025-04-02")
    ]
    explained(shown)


def bounce_the_cheque(recoup: Callable[..., Any], folder: Path) -> None:
    bounced = receipt("CHEQUE-R", "C2", "60000.00", "2025-03-28", "2025-04-03", "CHEQUE")
    tell(recoup, folder, {"payments": [bounced]}, "2025-04-03")
    recoup("cycle", "--from", "2025-04-03", "--to", "2025-04-03")
    shown = recoup("cutoff", "show", MARCH_END, "--json")
    assert (rates(shown, "reported"), rates(shown, "known")) == (["78.4", "85.3", "68.0"], ["74.4", "78.6", "68.0"])
    first = shown["facts"][0]
    assert (first["kind"], first["number"], first["amount"]) == ("REVERSED_RECEIPT", "CHEQUE", "60000.00")
    assert (first["value_on"], first["reversed_on"], first["received"]) == ("2025-03-28", "2025-04-03", "-60000.00")
    explained(shown)


OTHER_DEBTS = (
    ("A", "1000.01", "2024-12-31"),
    ("A", "700.00", "2025-01-01"),
    ("B", "333.33", "2025-02-10"),
    ("D", "250.00", "2025-02-11"),
)
OTHER_RECEIPTS = (
    ("N1", "A", "500.00", "2025-01-15", "2025-01-15"),
    ("N2", "B", "100.10", "2025-02-20", "2025-02-20"),
    ("N3", "D", "250.00", "2025-02-25", "2025-02-25"),
)


def test_the_same_with_other_numbers_units_and_facts(recoup: Callable[..., Any], tmp_path: Path) -> None:
    on = "2025-02-28"
    files = {
        **masters(["A", "B", "D"], {"B": "S2", "D": "S2"}),
        "open_items": [debt(*each) for each in OTHER_DEBTS],
        "payments": [receipt(*each) for each in OTHER_RECEIPTS],
    }
    tell(recoup, tmp_path / "a", files, on)
    recoup("cycle", "--from", "2025-01-01", "--to", on)
    recoup("target", "set", "--measure", "current", "--ppm", "900000", "--on", "2025-01", "--by", "x")
    recoup(
        "target", "set", "--unit", "S2", "--measure", "current", "--percent", "55.5", "--on", "2025-02-28", "--by", "x"
    )
    # S2: 583.33 receivable, 350.10 received; 55.5 % are 323.75: met. The company's 90 % of 1,283.33 are 1,155.00.
    assert recoup("gap", "--unit", "S2", "--json")["gap"] == "0.00"
    whole = recoup("gap", "--json")
    assert (whole["receivable"], whole["received"], whole["gap"]) == ("1283.33", "350.10", "804.90")
    assert [row["contract_key"] for row in whole["rows"]] == ["A", "B"]
    assert (whole["needed"], whole["rest"]["contracts"]) == ({"contracts": 2, "amount": "933.23"}, 0)
    recoup("cutoff", "sign", on, "--by", "x", "--json")

    # Told in March: a debt of February, a receipt of A before N1 that takes its place, one late and taken back at once.
    told = {
        "open_items": [debt("B", "66.67", "2025-02-27")],
        "payments": [
            receipt("N0", "A", "900.00", "2025-01-10", "2025-03-02"),
            receipt("N4", "B", "50.00", "2025-02-21", "2025-03-02"),
            receipt("N4-R", "B", "50.00", "2025-02-21", "2025-03-03", "N4"),
            receipt("N3-R", "D", "250.00", "2025-02-25", "2025-03-03", "N3"),
        ],
    }
    tell(recoup, tmp_path / "b", told, "2025-03-03")
    recoup("cycle", "--from", "2025-03-01", "--to", "2025-03-03")
    shown = recoup("cutoff", "show", on, "--json")
    explained(shown)
    assert {(f["kind"], f["number"]) for f in shown["facts"]} == {
        ("LATE_RECEIPT", "N0"),
        ("MOVED_RECEIPT", "N1"),
        ("REVERSED_RECEIPT", "N3"),
        ("LATE_DEBT", "B-2025-02-27"),
    }
    # N0 pays the prior debt, N1 what N0 leaves of it and then this year's: 1,000.01 prior, 399.99 of this year.
    assert shown["bases"]["received_prior"]["known"] == "1000.01"
    assert shown["bases"]["received"]["known"] == "1500.10"  # 1,400.00 of A, 100.10 of B, nothing of D
    assert shown["bases"]["receivable"]["difference"] == "66.67"
    assert rates(shown, "known") == ["63.8", "37.0", "100.0"]
    by_unit = {unit["org_unit"]: unit for unit in shown["units"]}
    assert (by_unit["S2"]["received_reported"], by_unit["S2"]["received_known"]) == ("350.10", "100.10")
    recoup("verify")


def test_a_row_changed_behind_the_books_back_is_told_as_unexplained(recoup: Callable[..., Any], tmp_path: Path) -> None:
    files = {**masters(["A"]), "open_items": [debt("A", "100.00", "2025-01-05")]}
    tell(recoup, tmp_path / "a", files, "2025-01-31")
    recoup("cycle", "--from", "2025-01-01", "--to", "2025-01-31")
    recoup("cutoff", "sign", "2025-01", "--by", "x", "--json")
    with connect("owner") as connection:
        connection.execute("UPDATE open_item SET amount_minor = 9000")
    shown = recoup("cutoff", "show", "2025-01", "--json", code=1)
    assert shown["bases"]["receivable"]["unexplained"] == "-10.00"
    with connect("owner") as connection:
        connection.execute("UPDATE cutoff_figure SET amount_minor = amount_minor - 1000 WHERE amount_minor > 0")
    assert recoup("cutoff", "show", "2025-01", "--json", code=1)["holds"] is False


def test_the_application_cannot_change_a_signature(recoup: Callable[..., Any]) -> None:
    import psycopg

    for statement in (
        "UPDATE cutoff SET signed_by = 'x'",
        "DELETE FROM cutoff_figure",
        "UPDATE target SET share_ppm = 0",
    ):
        with connect("app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
