"""`recoup quote` and `recoup rulebook` as a person calls them: one process, files in, text and JSON out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

typer = pytest.importorskip("typer", reason="the command line is not installed here")

from typer.testing import CliRunner, Result  # noqa: E402

from recoup.cli import quote, rulebook  # noqa: E402
from recoup.cli.errors import UserError  # noqa: E402

CASES = Path(__file__).parent
CALL = [sys.executable, "-c", "from recoup.cli.main import run; run()"]


KEYS = {"lines", "total", "late_charge", "grand_total", "thresholds", "explanation", "issues", "denom"}


def recoup(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A process of its own, as in a terminal."""
    return subprocess.run([*CALL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def invoke(*arguments: object) -> Result:
    """The same commands inside this process."""
    app = typer.Typer()
    app.callback()(lambda: None)
    quote.register(app)
    rulebook.register(app)
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.mark.parametrize("name", ["late_charge.yaml", "tiers.yaml"])
def test_all_cases_come_right_through_the_command(name: str) -> None:
    done = recoup("quote", CASES / name, "--json")

    bodies = json.loads(done.stdout)["cases"]
    differing = [body["id"] for body in bodies if body["differences"] and not body["waits_for"]]
    assert differing == []
    assert done.returncode == 0
    assert set(bodies[0]) >= KEYS


def test_a_person_reads_amounts_and_sources() -> None:
    done = invoke("quote", CASES / "late_charge.yaml")

    assert "late charge 190.00 CNY" in done.stdout
    assert "cn/late-charge@1996-10-08" in done.stdout


def test_no_django_is_loaded_for_a_quote() -> None:
    program = (
        "import sys; sys.argv = ['recoup', 'quote', sys.argv[1]]\n"
        "import recoup.cli.quote\n"
        "assert 'django' not in sys.modules and 'psycopg' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", program, "x"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ("tariff: X\ndeterminants: [{kwh: 1}]", "jurisdiction", "needed to find the tariff"),
        ("jurisdiction: cn/shandong\ntariff: X\ndeterminants: [{kwh: 1}]", "tariff", "no tariff 'X' in cn/shandong"),
        ("jurisdiction: xx\nbills: [{amount: 1, due_on: 2025-01-01}]\non: 2025-02-01", "jurisdiction", "no rulebook"),
        ("jurisdiction: cn\nbills: [{amount: 1, due_on: 2025-01-01}]\non: 2025-02-01", "contract.class", "needed"),
        (
            "jurisdiction: cn\nbills: [{amount: 1.005, days_late: 2}]\ncontract: {class: PUBLIC}",
            "bills.0.amount",
            "2 dec",
        ),
        ("jurisdiction: cn\nbills: [{amount: x, days_late: 2}]", "bills.0.amount", "decimal"),
        ("jurisdiction: cn\nbills: [{amount: 1, due_on: 2025-02-30}]", "bills.0.due_on", "date"),
        ("jurisdiction: cn\nbills: [{amount: 1, due_on: 2025-02-01, days_late: 3}]", "bills.0", "exactly one of"),
        ("jurisdiction: cn\ncolour: red", "colour", "not permitted"),
        (
            "jurisdiction: cn\ncontract: {class: PUBLIC}\nbills: [{amount: 1, days_late: 9, crosses_year: true}]",
            "bills.0.crosses_year",
            "state due_on and paid_on",
        ),
        ("tariff: {rule: FLAT, blocks: [{price: 1}]}\ndeterminants: [{kwh: 1}]", "tariff.currency", "CNY"),
        ("a: 1\na: 2", "a", "given twice"),
        ("- 1\n- 2", "file", "mapping of fields"),
        ("{", "line 1", ""),
    ],
)
def test_a_bad_case_names_the_field_and_why(tmp_path: Path, text: str, field: str, why: str) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(text, encoding="utf-8")
    done = invoke("quote", file)

    assert isinstance(done.exception, UserError)
    assert field in str(done.exception)
    assert why in str(done.exception)


def test_a_bad_case_ends_with_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text("tariff: X", encoding="utf-8")

    done = recoup("quote", file)

    assert done.returncode == 2
    assert "jurisdiction" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_expectation_ends_with_exit_1(tmp_path: Path) -> None:
    file = tmp_path / "case.json"
    case = {
        "jurisdiction": "cn",
        "contract": {"class": "RESIDENTIAL"},
        "bills": [{"amount": 78.0, "due_on": "2024-12-25", "paid_on": "2025-01-05"}],
        "expect": {"late_charge": "1.00"},
    }
    file.write_text(json.dumps(case), encoding="utf-8")

    done = invoke("quote", file, "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["differences"] == ["late_charge is 0.86, expected 1.00"]


def test_the_shipped_rulebook_is_sound() -> None:
    done = invoke("rulebook", "check", "--json")

    found = json.loads(done.stdout)
    assert (found["ok"], found["problems"]) == (True, [])
    assert done.exit_code == 0


def test_a_wrong_document_ends_with_exit_1(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("id: prices\nkind: prices\n", encoding="utf-8")

    done = invoke("rulebook", "check", "--folder", tmp_path, "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["problems"][0]["document"] == "prices"


def test_the_list_names_every_document_with_its_hash() -> None:
    listed = json.loads(invoke("rulebook", "list", "--json").stdout)["documents"]

    assert {"cn/late-charge", "tn/tariff/11", "reasons"} <= {row["id"] for row in listed}
    assert all(len(row["sha256"]) == 64 for row in listed)
