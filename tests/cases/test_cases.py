"""Every described case comes to its published or worked answer, through the same call as `recoup quote`."""

from pathlib import Path

import pytest

from recoup.rulebook.case import CaseFile, parse_cases
from recoup.rulebook.case_answer import answer
from recoup.rulebook.library import open_library
from recoup.rulebook.reading import read

FILES = sorted(Path(__file__).parent.glob("*.yaml"))
LIBRARY = open_library()
CASES = [case for file in FILES for case in parse_cases(read(file))]

# Published cases of groups A and B that this version answers, and those that wait.
PUBLISHED = {
    *("A01", "A02", "A04", "A06", "A08", "A09"),
    *("B03", "B05", "B08", "B09", "B10", "B11", "B13", "B14", "B15", "B16", "B17", "B20", "B21", "B27", "B28"),
}
WAITING = {"B27-b": "time of use", "B27-c": "time of use"}


def _mark(case: CaseFile) -> object:
    waits = [pytest.mark.xfail(reason=f"waits for {case.waits_for}", strict=True)] if case.waits_for else []
    return pytest.param(case, id=case.id, marks=waits)


@pytest.mark.parametrize("case", [_mark(case) for case in CASES])
def test_a_case_comes_to_its_answer(case: CaseFile) -> None:
    found = answer(case, LIBRARY)

    assert found.differences == []


def test_every_published_case_is_here() -> None:
    ids = {str(case.id).split("-")[0] for case in CASES}

    assert ids >= PUBLISHED


def test_only_the_listed_cases_wait() -> None:
    assert {case.id: case.waits_for for case in CASES if case.waits_for} == WAITING


def test_every_case_has_its_own_id() -> None:
    ids = [case.id for case in CASES]

    assert len(set(ids)) == len(ids)


def test_no_reading_of_the_rule_gives_126_in_case_a01() -> None:
    charges = {answer(case, LIBRARY).body["late_charge"] for case in CASES if str(case.id).startswith("A01")}

    assert charges == {"190.00", "222.00"}


def test_every_step_names_rule_parameter_and_reference() -> None:
    for case in CASES:
        for step in answer(case, LIBRARY).body["explanation"]:
            assert step["step"] == "assumption" or (step["rule"] and step["parameter"] and step["reference"])
