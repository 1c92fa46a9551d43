"""The rulebook: what prevails where, what is refused at load, and hashes that only content moves."""

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from recoup import rulebook
from recoup.core import guards
from recoup.rulebook.library import SHIPPED, RulebookInvalid, UnknownJurisdiction, digest_all, open_library

PAYS_CHARGES_FIRST_BEFORE = (
    "  - {from: 1990-01-01, code: CIVIL_561, components: [LATE_CHARGE, ENERGY], due_first: true}\n"
)
TIERED = "cn/shandong/tariff/residential-tiered"


def document(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Copy a shipped document into a site folder, with changes to its text."""
    text = (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    place = folder / f"{name}.yaml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return folder


def test_a_province_falls_back_to_its_country() -> None:
    rules = rulebook.load("cn/shandong").resolve()

    assert rules.denom == "CNY"
    assert rules.allocation.components == ("ENERGY", "LATE_CHARGE")
    assert "RESIDENTIAL_TIERED" in rules.tariffs["tariff"]


def test_a_country_does_not_see_its_provinces_prices() -> None:
    assert rulebook.load("cn").resolve().tariffs.is_empty()


def test_the_late_charge_has_one_row_per_class_and_validity() -> None:
    rates = rulebook.load("cn").resolve().late_charge
    resident = rates.filter(pl.col("class") == "RESIDENTIAL").select("rate_ppm", "rate_next_year_ppm", "minimum_minor")

    assert resident.rows() == [(1_000, 1_000, 100), (1_000, 1_000, None)]
    other = rates.filter(pl.col("class") == "INDUSTRIAL").row(0, named=True)
    assert (other["rate_ppm"], other["rate_next_year_ppm"], other["cap_ppm"]) == (2_000, 3_000, 300_000)
    assert other["valid_to"] == date(2024, 6, 1)


def test_rules_of_a_day_are_those_in_force_on_it(tmp_path: Path) -> None:
    """Allocation and ladder change on one day: the day before has the old ones, the day itself the new ones."""
    changes = ("values:\n", f"values:\n{PAYS_CHARGES_FIRST_BEFORE}"), ("from: 1996-10-08", "from: 2025-01-26")
    site = document(tmp_path, "cn/allocation", *changes)
    rules = rulebook.load("cn", site).resolve()

    before, after = rules.at(date(2025, 1, 25)), rules.at(date(2025, 1, 26))
    assert (before.allocation.code, after.allocation.code) == ("CIVIL_561", "STATE_GRID")
    assert before.allocation.param_id == "cn/allocation@1990-01-01"
    assert rules.at(date(1980, 1, 1)).allocation == before.allocation
    assert rules.allocation == after.allocation
    assert rules.at(date(1995, 1, 1)).strategies == () and len(after.strategies) == 1


def test_the_papers_ladder_is_data() -> None:
    (ladder,) = rulebook.load("cn").resolve().strategies

    assert ladder.code == "paper-ladder"
    assert [(rung.channel, rung.overdue_days_from, rung.bills_from) for rung in ladder.rungs] == [
        ("CALL", 1, None),
        ("SMS", 16, None),
        ("VISIT", 31, 3),
    ]
    assert [rung.feed_limit_hours for rung in ladder.rungs] == [12, 24, 4]


def test_every_class_that_pays_a_late_charge_has_a_strategy() -> None:
    for place in ("cn", "tn"):
        rules = rulebook.load(place).resolve()
        assert set(rules.late_charge["class"]) == {name for found in rules.strategies for name in found.classes}


def test_the_reasons_are_those_of_the_guards_in_their_order() -> None:
    reasons = rulebook.load_reasons()

    assert [reason.code for reason in reasons if reason.bit is not None] == [guard.name for guard in guards.Guard]
    assert reasons[-1].code == "ACTED"
    assert all(reason.title.zh and reason.title.en and reason.hint.zh and reason.hint.en for reason in reasons)


def test_the_money_of_each_denom_has_its_digits() -> None:
    assert rulebook.load("cn").digits == {"CNY": 2, "USD": 2, "TND": 3, "TWD": 0, "POINT": 0}


def test_late_charges_are_no_energy_revenue() -> None:
    subjects = rulebook.load("cn").resolve().subjects
    kinds = dict(subjects.filter(pl.col("role") == "REVENUE").select("subject", "kind").iter_rows())

    assert kinds == {"REVENUE_ENERGY": "INCOME", "REVENUE_LATE_CHARGE": "NON_OPERATING_INCOME"}


def test_every_parameter_of_the_rules_can_be_cited() -> None:
    for place in ("cn/shandong", "tn"):
        book = rulebook.load(place)
        rules = book.resolve()
        for param_id in {*rules.tariffs["param_id"], *rules.late_charge["param_id"], rules.allocation.param_id}:
            citation = book.cite(param_id)
            assert citation is not None and citation.reference
    assert rulebook.load("cn").cite("nowhere@2025-01-01") is None


def test_an_unknown_jurisdiction_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownJurisdiction, match="cn/shandong"):
        rulebook.load("cn/atlantis")


def test_the_hash_does_not_depend_on_the_order_of_documents() -> None:
    documents = rulebook.load("cn/shandong").documents

    assert digest_all(documents) == digest_all(tuple(reversed(documents)))


def test_a_comment_does_not_move_the_hash_but_a_price_does(tmp_path: Path) -> None:
    name = "cn/shandong/tariff/residential-tiered"
    shipped = rulebook.load("cn/shandong").content_hash
    commented = document(tmp_path / "a", name, ("id:", "# a remark\nid:"))
    dearer = document(tmp_path / "b", name, ("0.5469", "0.5470"))

    assert rulebook.load("cn/shandong", commented).content_hash == shipped
    assert rulebook.load("cn/shandong", dearer).content_hash != shipped


def test_another_provinces_price_does_not_move_the_hash(tmp_path: Path) -> None:
    changed = document(tmp_path, "tn/tariff/11", ("0.176", "0.177"))

    assert rulebook.load("cn/shandong", changed).content_hash == rulebook.load("cn/shandong").content_hash


def test_a_sites_document_replaces_the_shipped_one(tmp_path: Path) -> None:
    site = document(tmp_path, "cn/shandong/free-quota", ("kwh_month: 15", "kwh_month: 10"))

    assert rulebook.load("cn/shandong", site).free_quota_kwh("LOW_INCOME") == Decimal(10)
    assert rulebook.load("cn/shandong").free_quota_kwh("LOW_INCOME") == Decimal(15)


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        (TIERED, "upto_kwh: 400", "upto_kwh: 210", "bounds do not rise"),
        (
            "cn/shandong/tariff/residential-tiered",
            '{price: "0.8469"}',
            '{upto_kwh: 900, price: "0.8469"}',
            "must be open",
        ),
        (TIERED, "denom: CNY", "denom: XYZ", "unknown denom XYZ"),
        ("cn/shandong/tariff/residential-collective", "reference:", "remark:", "Field required"),
        ("cn/late-charge", "from: 2024-06-01", "from: 1996-10-08", "is not after the one before"),
        ("cn/late-charge", "from: 1996-10-08", "from: 1996-10-08\n    to: 2025-01-01", "overlaps the next"),
        ("cn/late-charge", "from: 1996-10-08", "from: 1996-10-08\n    to: 2020-01-01", "leaves days without"),
        ("cn/late-charge", "classes: [RESIDENTIAL]", "classes: [RESIDENT]", "unknown class RESIDENT"),
        ("cn/late-charge", '"1.00"', '"1.005"', "not a whole number of minor units"),
        ("cn/allocation", "[ENERGY,", "[WATER,", "no receivable subject for component WATER"),
        ("cn/strategy/paper-ladder", "stage: 2", "stage: 4", "without a gap"),
        ("cn/strategy/paper-ladder", "overdue_days_from: 16", "overdue_days_from: 1", "does not rise"),
        ("subjects", "code: UNAPPLIED", "code: SUSPENSE", "UNAPPLIED is missing"),
        ("reasons", "bit: 3", "bit: 30", "bits must count"),
        ("cn/book", "id: cn/book", "id: cn/terms", "the file's place says"),
    ],
)
def test_a_wrong_document_is_refused_at_load(tmp_path: Path, name: str, old: str, new: str, why: str) -> None:
    site = document(tmp_path, name, (old, new))

    with pytest.raises(RulebookInvalid, match=why):
        rulebook.load("cn/shandong", site)

    assert rulebook.check(open_library(site))


def test_all_shipped_jurisdictions_are_sound(tmp_path: Path) -> None:
    library = open_library()

    assert rulebook.jurisdictions(library) == ["cn", "cn/shandong", "tn"]
    assert rulebook.check(library) == []


def test_a_site_folder_may_hold_a_new_province(tmp_path: Path) -> None:
    site = document(tmp_path, "cn/shandong/tariff/residential-collective")
    shutil.move(site / "cn" / "shandong", site / "cn" / "hebei")
    moved = site / "cn" / "hebei" / "tariff" / "residential-collective.yaml"
    moved.write_text(moved.read_text(encoding="utf-8").replace("cn/shandong", "cn/hebei"), encoding="utf-8")

    assert rulebook.load("cn/hebei", site).resolve().tariffs["tariff"].to_list() == ["RESIDENTIAL_COLLECTIVE"]
