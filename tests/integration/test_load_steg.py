"""The reader of the real book: every row has a place, only what cannot be billed is refused."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recoup.database.connect import connect

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "steg"

SCHEMA = {
    "id": pl.String,
    "invoice_date": pl.Date,
    "tarif_type": pl.Int16,
    "counter_number": pl.Int64,
    "counter_status": pl.String,
    "counter_code": pl.Int32,
    "reading_remark": pl.Int16,
    "counter_coefficient": pl.Int16,
    "kwh_tier1": pl.Int32,
    "kwh_tier2": pl.Int32,
    "kwh_tier3": pl.Int32,
    "kwh_tier4": pl.Int32,
    "old_index": pl.Int32,
    "new_index": pl.Int32,
    "months_number": pl.Int32,
    "counter_type": pl.String,
    "district": pl.Int16,
    "client_catg": pl.Int16,
    "region": pl.Int16,
    "creation_date": pl.Date,
    "fraud": pl.Int8,
}

BILL = {
    **{"id": "c1", "invoice_date": date(2018, 3, 1), "tarif_type": 11, "counter_number": 77, "counter_status": "0"},
    **{"counter_code": 203, "reading_remark": 6, "counter_coefficient": 1, "kwh_tier1": 400, "kwh_tier2": 50},
    **{"kwh_tier3": 0, "kwh_tier4": 0, "old_index": 1000, "new_index": 1450, "months_number": 2},
    **{"counter_type": "ELEC", "district": 60, "client_catg": 11, "region": 101, "creation_date": date(2010, 5, 1)},
    "fraud": 0,
}


def bills(*changed: dict[str, Any]) -> pl.DataFrame:
    """Bills like BILL, each changed in some columns."""
    return pl.DataFrame([{**BILL, **columns} for columns in changed], schema=SCHEMA)


DIRTY = bills(
    {},
    {},  # the same row again
    {"counter_number": 78, "old_index": 9000, "new_index": 5, "kwh_tier1": 30, "kwh_tier2": 0},  # meter came round
    {"counter_coefficient": 30, "invoice_date": date(2018, 7, 1)},  # 450 x 30 was not what was printed
    {"counter_type": "GAZ", "tarif_type": 40},
    {"counter_type": "GAZ", "tarif_type": 40},
    {"invoice_date": date(1977, 6, 9)},
    {"invoice_date": date(2099, 1, 1)},
    {"months_number": 636_624},
    {"months_number": 88, "invoice_date": date(2008, 1, 1)},
    {"new_index": -1},
    {"id": "c2", "client_catg": 51, "tarif_type": 15, "invoice_date": date(2009, 1, 1), "district": 62},
    {"id": "c3", "invoice_date": date(1985, 1, 1), "creation_date": date(1985, 2, 1)},
    {"id": "c4", "counter_type": "GAZ"},
    {"counter_coefficient": 0, "invoice_date": date(2012, 1, 1), "tarif_type": 8},
)


@pytest.fixture
def book(database: str) -> str:
    """An evaluation book of Tunisia."""
    from recoup.domains.book.operations import create_book

    create_book(kind="evaluation", jurisdiction="tn", seed=1, name="test", timezone="Africa/Tunis")
    return database


def load(folder: Path, rows: pl.DataFrame) -> Any:
    """Write bills to a folder and load them; return the record of the bills."""
    from recoup.usecases.load.steg import load_steg

    folder.mkdir(exist_ok=True)
    rows.write_parquet(folder / "dev.parquet")
    rows.select("id", "district", "region").unique().write_parquet(folder / "dev_clients.parquet")
    report = load_steg(folder, lambda *_: None)
    assert report.complete
    return report.files[-1].record


def ask(query: str) -> list[tuple[Any, ...]]:
    with connect("reader") as connection:
        return connection.execute(query).fetchall()


def test_every_row_of_the_file_has_a_place(book: str, tmp_path: Path) -> None:
    r = load(tmp_path, DIRTY)
    assert (r.read, r.loaded, r.quarantined, r.skipped) == (15, 6, 5, 4)
    assert r.detail == "skipped: 3 gas, 1 exact duplicates"
    assert ask("SELECT row_no, field, reason FROM quarantine ORDER BY 1") == [
        (7, "invoice_date", "DATE_OUT_OF_BOUNDS"),
        (8, "invoice_date", "DATE_OUT_OF_BOUNDS"),
        (9, "months_number", "OUT_OF_BOUNDS"),
        (11, "new_index", "NEGATIVE_VALUE"),
        (13, "invoice_date", "DATE_OUT_OF_BOUNDS"),
    ]


def test_each_row_keeps_its_own_pair_of_indexes_and_the_printed_total(book: str, tmp_path: Path) -> None:
    load(tmp_path, DIRTY)
    rows = ask(
        "SELECT service_point, meter, part, index_from_e4, index_e4, multiplier_e4, months, stated_wh FROM reading "
        "WHERE read_on >= '2018-01-01' ORDER BY read_on, part"
    )
    assert rows == [
        ("c1-11", "77", 1, 10_000_000, 14_500_000, 10_000, 2, 450_000),
        ("c1-11", "78", 2, 90_000_000, 50_000, 10_000, 2, 30_000),
        ("c1-11", "77", 1, 10_000_000, 14_500_000, 300_000, 2, 450_000),
    ]


def test_a_client_is_a_contract_from_its_creation_or_first_bill(book: str, tmp_path: Path) -> None:
    load(tmp_path, DIRTY)
    assert ask("SELECT contract_key, class, valid_from::text, valid_to FROM contract ORDER BY 1") == [
        ("c1", "RESIDENTIAL", "2008-01-01", None),
        ("c2", "INDUSTRIAL", "2009-01-01", None),
        ("c3", "RESIDENTIAL", "1985-02-01", None),
    ]
    assert ask("SELECT service_point, tariff FROM service ORDER BY 1") == [
        ("c1-11", "11"),
        ("c1-8", "8"),
        ("c2-15", "15"),
        ("c3-11", "11"),
    ]
    assert ask("SELECT code, kind, parent FROM org_unit ORDER BY 1") == [
        ("D60", "STATION", "STEG"),
        ("D60-R101", "DISTRICT", "D60"),
        ("D62", "STATION", "STEG"),
        ("D62-R101", "DISTRICT", "D62"),
        ("STEG", "COMPANY", None),
    ]


def test_loaded_twice_it_is_all_known(book: str, tmp_path: Path) -> None:
    load(tmp_path, DIRTY)
    r = load(tmp_path, DIRTY)
    assert (r.loaded, r.known, r.quarantined, r.skipped) == (0, 6, 5, 4)
    assert ask("SELECT count(*) FROM reading") == [(6,)]
    assert ask("SELECT count(*) FROM quarantine") == [(5,)]


@pytest.mark.parametrize(
    ("kind", "jurisdiction", "told"), [("live", "tn", "evaluation book"), ("evaluation", "cn/shandong", "book of tn")]
)
def test_it_goes_into_no_other_book(database: str, tmp_path: Path, kind: str, jurisdiction: str, told: str) -> None:
    from recoup.domains.book.operations import create_book
    from recoup.domains.feeds.manifest import LoadRefused

    create_book(kind=kind, jurisdiction=jurisdiction, seed=1, name="test")
    with pytest.raises(LoadRefused, match=told):
        load(tmp_path, DIRTY)


def test_a_folder_without_bills_is_refused(book: str, tmp_path: Path) -> None:
    from recoup.domains.feeds.manifest import LoadRefused
    from recoup.usecases.load.steg import load_steg

    with pytest.raises(LoadRefused, match="no Parquet file with bills"):
        load_steg(tmp_path, lambda *_: None)


@pytest.mark.skipif(not (REAL / "dev.parquet").exists(), reason=f"the real book is not at {REAL}")
def test_the_real_book_adds_up_to_the_row() -> None:
    from recoup.usecases.load.steg import split_bills

    split = split_bills(pl.read_parquet(REAL / "dev.parquet"))
    refused = split.refused.with_columns(day=pl.col("content").str.split(",").list.get(1).str.to_date())
    cycle = pl.col("read_on") >= date(2018, 1, 1)
    assert split.gas == 973_737
    assert split.readings.filter(cycle).height + refused.filter(pl.col("day") >= date(2018, 1, 1)).height == 274_777
    history = split.readings.filter(~cycle).height + refused.filter(pl.col("day") < date(2018, 1, 1)).height
    assert history + split.duplicates == 1_878_054
    assert (split.duplicates, refused.height) == (7, 2_958)
    assert split.clients["id"].n_unique() == 94_385
