"""A cycle across a change of documents follows the old ones before that day and the new ones from it on."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from test_reversal import rows
from tiny_book import END, START

from recoup import rulebook
from recoup.rulebook.library import SHIPPED

type Enter = Callable[[str], str]

CHANGE_ON = START + timedelta(days=20)


def make_site(folder: Path) -> Path:
    """Own documents: from a day on, late charges are paid before energy, and calls have another name and capacity."""
    allocation = (SHIPPED / "cn/allocation.yaml").read_text(encoding="utf-8")
    second = f"  - {{from: {CHANGE_ON}, code: CIVIL_561, components: [LATE_CHARGE, ENERGY], due_first: true}}\n"
    ladder = (SHIPPED / "cn/strategy/paper-ladder.yaml").read_text(encoding="utf-8")
    first_version = ladder[ladder.index("  - from:") :]
    renewed = first_version.replace("1996-10-08", str(CHANGE_ON)).replace("version: 1", "version: 2")
    renewed = renewed.replace("capacity_per_10k: 150", "capacity_per_10k: 9000").replace(
        "action_code: CALL", "action_code: PHONE"
    )
    (folder / "cn/strategy").mkdir(parents=True)
    (folder / "cn/allocation.yaml").write_text(allocation + second, encoding="utf-8")
    (folder / "cn/strategy/paper-ladder.yaml").write_text(ladder + renewed, encoding="utf-8")
    return folder


def test_each_day_follows_the_documents_in_force_on_it(enter_copy: Enter, loaded_book: str, tmp_path: Path) -> None:
    from recoup.engine.cycle import run_cycle
    from recoup.engine.profile import read_profile
    from recoup.engine.verify import run_checks

    rules = rulebook.load("cn/shandong", make_site(tmp_path)).resolve()
    enter_copy(loaded_book)
    run_cycle(START, END, rules, read_profile())

    eve = CHANGE_ON - timedelta(days=1)
    spans = {
        code: (first, last)
        for code, first, last in rows("SELECT action_code, min(decided_on), max(decided_on) FROM action GROUP BY 1")
    }
    assert spans["CALL"] == (START, eve)
    assert spans["PHONE"][0] == CHANGE_ON
    pieces = rows(
        "SELECT rule, min(value_on), max(value_on) FROM allocation WHERE rule IN ('STATE_GRID', 'CIVIL_561') GROUP BY 1"
    )
    days = {rule: (first, last) for rule, first, last in pieces}
    assert days["STATE_GRID"][1] < CHANGE_ON <= days["CIVIL_561"][0]
    late = "SELECT count(*) FROM allocation WHERE rule = 'STATE_GRID' AND value_on < '{0}' AND booked_on >= '{0}'"
    assert rows(late.format(CHANGE_ON))[0][0] > 0
    found = run_checks(rules, read_profile(), everything=True)
    assert [f"{check.name}: {finding.detail}" for check, finding in found if not finding.ok] == []
