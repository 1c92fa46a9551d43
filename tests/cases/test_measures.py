"""The register of the source paper's measures: complete, cited, and true about what works."""

import importlib
import importlib.util
import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from recoup import rulebook
from recoup.rulebook.library import SHIPPED, open_library
from recoup.rulebook.register import WORKING, RegisterRow
from recoup.rulebook.schema import MeasureTerms

# The core is also tested where there is no command line.
typer = pytest.importorskip("typer")

ROOT = Path(__file__).resolve().parents[2]
PAPER = ROOT.parent / "shared" / "seed.md"
NOW = date(2026, 11, 23)

# Our own enumeration of the paper: section, and how many measures or goals it names there.
NAMED = {
    **{"intro": 1, "1(3)": 1, "1(4)": 2, "1(5)": 2, "2(1)": 2, "2(2)": 3, "2(3)": 2},
    **{"3.1(1)": 4, "3.1(2)": 3, "3.1(3)": 3, "3.1(4)": 1},
    **{"3.2(1)": 3, "3.2(2)": 2, "3.2(3)": 2, "3.2(4)": 3},
    **{"3.3(1)": 3, "3.3(2)": 3, "3.3(3)": 2, "3.3(4)": 1},
    **{"3.4": 1, "3.4(1)": 3, "3.4(2)": 2, "3.4(3)": 2},
    **{"3.5(1)": 2, "3.5(2)": 2, "3.5(3)": 3, "3.5(4)": 2, "3.5(5)": 2},
    **{"3.6(1)": 1, "3.6(2)": 2, "3.6(3)": 2},
    **{"4(1)": 3, "4(2)": 3, "4(3)": 2},
}
UNLAWFUL_AS_WRITTEN = {
    "3.1(3).1": "电力法",
    "3.4.1": "电力法 art. 44",
    "3.6(1).1": "银保监办发〔2021〕9号",
    "3.6(3).1": "QB:4b78f8",
    "1(5).2": "征信业管理条例",
}


def list_rows(place: str = "cn", on: date = NOW) -> list[RegisterRow]:
    return rulebook.load(place).list_measures(on)


MEASURES = {row.measure.code: row.measure for row in list_rows()}


def test_every_measure_of_the_paper_has_a_row() -> None:
    wanted = [f"{section}.{n}" for section, count in NAMED.items() for n in range(1, count + 1)]
    assert [row.measure.code for row in list_rows()] == wanted


@pytest.mark.skipif(not PAPER.exists(), reason="the paper is not here")
def test_every_numbered_item_of_the_papers_measures_has_a_row() -> None:
    assert list_items(PAPER.read_text(encoding="utf-8")) <= set(NAMED)


def list_items(text: str) -> set[str]:
    """The numbered items of sections 3 and 4, as section(number)."""
    found, section = set(), ""
    body = text.split("参考文献")[0]
    for piece in re.findall(r"^(\d(?:\.\d)?) \S|\((\d)\)", body, flags=re.M):
        section = piece[0] or section
        if piece[1] and section[:1] in ("3", "4"):
            found.add(f"{section}({piece[1]})")
    assert len(found) >= 26
    return found


def test_every_requirement_of_the_paper_is_named_by_a_measure() -> None:
    assert {measure.row for measure in MEASURES.values()} == {f"S{n}" for n in range(1, 24)}


@pytest.mark.parametrize("place", ["cn", "tn"])
def test_every_row_says_what_there_is_and_what_forces_it(place: str) -> None:
    for row in list_rows(place):
        assert row.measure.now.zh and row.measure.now.en
        assert row.state != "off" or (row.reference and row.note)


@pytest.mark.parametrize(("code", "law"), UNLAWFUL_AS_WRITTEN.items())
def test_what_the_law_forbids_as_written_is_off_in_china_and_cites_it(code: str, law: str) -> None:
    row = next(row for row in list_rows() if row.measure.code == code)
    assert row.state == "off" and law in str(row.reference)


def test_the_law_of_china_switches_nothing_off_in_tunisia() -> None:
    assert {row.state for row in list_rows("tn")} == {"as_written", "modern", "not_yet"}


@pytest.mark.parametrize(("on", "state"), [(date(2021, 1, 12), "not_yet"), (date(2021, 1, 13), "off")])
def test_a_state_changes_on_the_day_of_its_law(on: date, state: str) -> None:
    assert next(row.state for row in list_rows(on=on) if row.measure.code == "3.6(1).1") == state


WORKS = sorted({row.measure.code for place in ("cn", "tn") for row in list_rows(place) if row.state in WORKING})


@pytest.mark.parametrize("code", WORKS)
def test_a_row_said_to_work_names_a_command_and_a_test_that_exist(code: str) -> None:
    measure = MEASURES[code]
    assert set(measure.commands) <= list_commands() and (measure.commands or measure.pages)
    assert measure.proofs and [proof for proof in measure.proofs if not (ROOT / proof).exists()] == []


@cache
def list_commands() -> set[str]:
    """The commands that `recoup` really has."""
    from recoup.cli.main import COMMANDS

    app = typer.Typer()
    for name in COMMANDS:
        if importlib.util.find_spec(f"recoup.cli.{name}") is not None:
            importlib.import_module(f"recoup.cli.{name}").register(app)
    named = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]
    return {*named, *(str(group.name) for group in app.registered_groups)}


def test_every_page_named_is_there() -> None:
    from django.urls import reverse

    from recoup.cli import django

    django.setup()
    pages = {page for measure in MEASURES.values() for page in measure.pages}
    assert pages and all(reverse(page).startswith("/") for page in pages)


def test_the_register_is_no_part_of_what_a_run_decides_by(tmp_path: Path) -> None:
    text = (SHIPPED / "measures.yaml").read_text(encoding="utf-8")
    (tmp_path / "measures.yaml").write_text(text.replace("电话沟通", "致电"), encoding="utf-8")
    assert rulebook.load("cn", tmp_path).content_hash == rulebook.load("cn").content_hash


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("measures", "code: 1(3).1", "code: 1(4).1", "is given twice"),
        ("measures", "section: 1(3)", "section: 1(2)", "1(3).1 is not of section 1(2)"),
        ("measures", "effects: [PROMISES_MADE]", "effects: [SMILES]", "unknown effect SMILES"),
        ("measures", "proofs: [tests/integration/test_report.py]", "proofs: []", "without a page or command and a"),
        ("cn/measures", 'code: "intro.1"', 'code: "intro.9"', "unknown measure intro.9"),
        ("cn/measures", '{code: "1(3).1", state: not_yet}', '{code: "1(3).1", state: "off"}', "is off without"),
        ("cn/measures", '{code: "1(3).1", state', '{code: "1(3).1", since: 2020-01-01, state', "from the first day on"),
        ("results", "days: 5", "days: ~", "its hold needs days"),
        ("results", "code: REMINDED", "code: REFUSED", "REFUSED is given twice"),
        ("results", "processes: [DUN]", "processes: [LATE_CHARGE]", "Input should be 'DUN'"),
    ],
)
def test_a_faulty_register_is_refused(tmp_path: Path, name: str, old: str, new: str, told: str) -> None:
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / f"{name}.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    assert told in "; ".join(str(problem) for problem in rulebook.check(open_library(tmp_path)))


def test_every_number_the_register_shows_can_be_counted() -> None:
    shown = {code for measure in MEASURES.values() for code in measure.effects}
    assert shown <= {effect.code for effect in rulebook.load("cn").effects}


def name_words(measure: MeasureTerms) -> list[str]:
    return [measure.title.zh, measure.now.zh]


@pytest.mark.skipif(not PAPER.exists(), reason="the paper is not here")
def test_no_sentence_of_the_paper_is_copied() -> None:
    paper = re.sub(r"\s", "", PAPER.read_text(encoding="utf-8"))
    words = [text for measure in MEASURES.values() for text in name_words(measure)]
    runs = {text[i : i + 14] for text in words for i in range(len(text) - 13)}
    assert {run for run in runs if run in paper} == set()
