"""`recoup load`: what a folder of the documented format becomes, and that the same facts told twice change nothing."""

import json
from pathlib import Path
from typing import Any

import feed_folder as given
import polars as pl
import pytest

from recoup.database.connect import connect

FACTS = (
    *("org_unit", "party", "party_secret", "account", "contract", "agreement", "service", "installation", "reading"),
    *("payment", "bill", "open_item", "item_open", "touch", "touch_item", "hold", "entry", "posting", "imported"),
    *("quarantine", "conflict"),
)


@pytest.fixture
def book(database: str) -> str:
    """An evaluation book of Shandong that keeps its own ledger."""
    from recoup.domains.book.operations import create_book

    create_book(kind="evaluation", jurisdiction="cn/shandong", seed=1, name="test")
    return database


def load(folder: Path) -> Any:
    """Load a folder and check that no row of any file is without an outcome."""
    from recoup.usecases.load import load_folder

    report = load_folder(folder)
    for file in report.files:
        r = file.record
        if r.state == "LOADED":
            assert r.read == r.loaded + r.known + r.superseding + r.conflicting + r.quarantined + r.skipped, r
    return report


def counts(report: Any, entity: str) -> dict[str, int]:
    """The outcomes of one entity that are not zero."""
    record = next(file.record for file in report.files if file.record.entity == entity)
    names = ("loaded", "known", "superseding", "conflicting", "quarantined", "skipped")
    return {name: getattr(record, name) for name in names if getattr(record, name)}


def ask(query: str) -> list[tuple[Any, ...]]:
    """Rows of a query, as the reader."""
    with connect("reader") as connection:
        return connection.execute(query).fetchall()


def state() -> dict[str, int]:
    """How many rows each table of facts has."""
    return {table: ask(f"SELECT count(*) FROM {table}")[0][0] for table in FACTS}


FULL: dict[str, given.Rows] = {
    **given.base(),
    "installations": [
        {"meter": "M1", "service_point": "SP1", "register": "1", "multiplier": "40", "valid_from": "2020-01-01"}
    ],
    "readings": given.readings(3),
    "payments": [given.payment("a", "12.34")],
    "bills": [
        {
            "bill_no": "B1",
            "contract": "K1",
            "period_from": "2024-12-01",
            "period_to": "2025-01-01",
            "issued_on": "2025-01-05",
            "due_on": "2025-02-05",
            "energy_kwh": "100.5",
            "amount": "56.70",
        }
    ],
    "open_items": [
        {
            "item_key": key,
            "contract": "K1",
            "component": component,
            "amount": "56.70",
            "open": opened,
            "issued_on": "2025-01-05",
            "due_on": "2025-02-05",
        }
        for key, component, opened in (("I1", "ENERGY", "50"), ("I2", "LATE_CHARGE", "1.05"), ("I3", "ENERGY", "0"))
    ],
    "credits": [{"credit_key": "C1", "contract": "K2", "amount": "10", "value_on": "2025-01-01", "state": "FREE"}],
    "touches": [
        {
            "contract": "K1",
            "action_code": "SMS",
            "stage": 2,
            "channel": "SMS",
            "sent_on": "2025-02-20",
            "delivered_on": delivered,
        }
        for delivered in ("2025-02-21",)
    ],
    "touch_items": [
        {"contract": "K1", "action_code": "SMS", "sent_on": "2025-02-20", "item_key": "I1", "amount": "50"}
    ],
    "holds": [
        {
            "hold": "H1",
            "contract": "K1",
            "processes": "DUN|LATE_CHARGE",
            "reason": "dispute",
            "valid_from": "2025-02-10",
            "valid_to": "",
        }
    ],
}


def test_a_folder_becomes_facts_with_exact_scaled_numbers(book: str, tmp_path: Path) -> None:
    report = load(given.write(tmp_path, FULL))
    assert report.complete
    assert ask("SELECT index_from_e4, index_e4, multiplier_e4, stated_wh FROM reading LIMIT 1") == [
        (0, 1_005_000, 10_000, None)
    ]
    assert ask("SELECT amount_minor, denom, simulated FROM payment") == [(1234, "CNY", False)]
    assert ask("SELECT energy_wh, amount_minor, denom FROM bill") == [(100_500, 5670, "CNY")]
    assert ask("SELECT multiplier_e4 FROM installation") == [(400_000,)]
    assert ask("SELECT agreed_rate_ppm, due_days FROM agreement ORDER BY contract_id") == [
        (1500, 30),
        (None, 30),
        (None, 30),
    ]
    assert ask("SELECT stops_late_charge, stops_dun, stops_debit FROM hold") == [(True, True, False)]
    assert ask("SELECT proven, decided_on = sent_on, origin FROM touch") == [(True, True, "IMPORT")]


def test_an_item_enters_with_what_is_open_of_it_and_a_paid_one_not_at_all(book: str, tmp_path: Path) -> None:
    report = load(given.write(tmp_path, FULL))
    assert counts(report, "open_items") == {"loaded": 2, "skipped": 1}
    items = ask(
        "SELECT item_key, origin_kind, subject, amount_minor, open_minor, overdue_from_on::text, booked_on::text, "
        "value_on::text FROM open_item JOIN item_open USING (item_id) ORDER BY item_key"
    )
    assert items == [
        ("C1", "IMPORT", "UNAPPLIED", -1000, 1000, None, "2025-03-01", "2025-01-01"),
        ("I1", "IMPORT", "RECEIVABLE_ENERGY", 5000, 5000, "2025-02-06", "2025-03-01", "2025-01-05"),
        ("I2", "IMPORT", "RECEIVABLE_LATE_CHARGE", 105, 105, "2025-02-06", "2025-03-01", "2025-03-01"),
    ]


def test_each_item_is_opened_by_a_balanced_entry(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path, FULL))
    assert ask("SELECT subject, sum(amount_minor)::bigint FROM posting GROUP BY 1 ORDER BY 1") == [
        ("OPENING", -4105),
        ("RECEIVABLE_ENERGY", 5000),
        ("RECEIVABLE_LATE_CHARGE", 105),
        ("UNAPPLIED", -1000),
    ]
    assert ask("SELECT kind, origin_key FROM entry ORDER BY origin_key") == [
        ("OPENING", "C1"),
        ("OPENING", "I1"),
        ("OPENING", "I2"),
    ]
    assert ask("SELECT sum(amount_minor)::bigint FROM balance") == [(0,)]


def test_a_book_whose_ledger_is_kept_elsewhere_posts_nothing(book: str, tmp_path: Path) -> None:
    from recoup.domains.book.operations import set_modes

    set_modes("external")
    load(given.write(tmp_path, FULL))
    assert (state()["open_item"], state()["posting"], state()["entry"]) == (3, 0, 0)


def test_the_same_folder_twice_changes_nothing(book: str, tmp_path: Path) -> None:
    folder = given.write(tmp_path, {**FULL, "payments": [given.payment("a", "1"), given.payment("b", "bad")]})
    load(folder)
    before, again = state(), load(folder)
    assert state() == before
    assert again.complete
    assert {name for file in again.files for name in counts(again, file.record.entity)} <= {
        "known",
        "quarantined",
        "skipped",
    }


def test_the_watermark_moves_to_the_latest_complete_load_and_never_back(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path / "1", given.base(), as_of="2025-03-02T00:00:00+08:00"))
    load(given.write(tmp_path / "2", {"readings": given.readings(3)}, as_of="2025-03-01T00:00:00+08:00"))
    assert ask("SELECT watermark_at::text FROM feed") == [("2025-03-01 16:00:00+00",)]
    broken = given.write(
        tmp_path / "3", {"readings": given.readings(1)}, as_of="2025-03-09T00:00:00+08:00", rows={"readings": 7}
    )
    assert not load(broken).complete
    assert ask("SELECT watermark_at::text FROM feed") == [("2025-03-01 16:00:00+00",)]


def test_a_known_key_with_other_content_is_a_conflict_that_shows_both(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path / "1", {**given.base(), "payments": [given.payment("a", "10.00")]}))
    report = load(given.write(tmp_path / "2", {"payments": [given.payment("a", "10.01")]}))
    assert counts(report, "payments") == {"conflicting": 1}
    stored, offered = ask("SELECT stored, offered FROM conflict")[0]
    assert (stored["amount_minor"], offered["amount_minor"]) == (1000, 1001)
    assert ask("SELECT version, amount_minor FROM payment") == [(1, 1000)]


@pytest.mark.parametrize("entity", ["org_units", "parties", "accounts", "contracts", "services"])
def test_changed_master_data_is_a_conflict(book: str, tmp_path: Path, entity: str) -> None:
    load(given.write(tmp_path / "1", given.base()))
    field = {"org_units": "name", "parties": "phone", "accounts": "address", "contracts": "due_days"}
    changed = [{**row, field.get(entity, "tariff"): "77"} for row in given.base()[entity][:1]]
    report = load(given.write(tmp_path / "2", {entity: changed}))
    assert counts(report, entity) == {"conflicting": 1}
    stored, offered = ask("SELECT stored, offered FROM conflict")[0]
    assert [name for name in stored if stored[name] != offered[name]] == [
        {"parties": "phone_hash"}.get(entity, field.get(entity, "tariff"))
    ]


@pytest.mark.parametrize("entity", ["bills", "open_items", "credits", "touches", "touch_items"])
def test_a_changed_debt_or_touch_is_a_conflict(book: str, tmp_path: Path, entity: str) -> None:
    load(given.write(tmp_path / "1", FULL))
    field = {"credits": ("value_on", "2025-01-02"), "touches": ("proof", "receipt 7"), "touch_items": ("amount", "49")}
    name, value = field.get(entity, ("issued_on", "2025-01-06"))
    report = load(given.write(tmp_path / "2", {entity: [{**FULL[entity][0], name: value}]}))
    assert counts(report, entity) == {"conflicting": 1}
    assert len(ask("SELECT 1 FROM conflict")) == 1


def test_a_row_that_supersedes_becomes_a_new_version_once(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path / "1", {**given.base(), "payments": [given.payment("a", "10.00")]}))
    correction = given.write(tmp_path / "2", {"payments": [given.payment("a", "9.00", supersedes="a")]})
    assert counts(load(correction), "payments") == {"superseding": 1}
    assert counts(load(correction), "payments") == {"known": 1}
    assert counts(load(tmp_path / "1"), "payments") == {"known": 1}
    assert ask("SELECT version, amount_minor FROM payment ORDER BY version") == [(1, 1000), (2, 900)]


@pytest.mark.parametrize(
    ("corrections", "as_of", "outcome"),
    [
        (True, "2025-03-02T00:00:00+08:00", "superseding"),
        (True, given.AS_OF, "conflicting"),
        (True, "2025-02-28T00:00:00+08:00", "conflicting"),
        (False, "2025-03-02T00:00:00+08:00", "conflicting"),
    ],
)
def test_a_feed_of_corrections_replaces_only_what_is_older(
    book: str, tmp_path: Path, corrections: bool, as_of: str, outcome: str
) -> None:
    load(given.write(tmp_path / "1", {**given.base(), "readings": given.readings(1)}))
    newer = given.write(
        tmp_path / "2", {"readings": given.readings(1, index="101")}, as_of=as_of, corrections=corrections
    )
    assert counts(load(newer), "readings") == {outcome: 1}


def test_a_row_may_state_its_own_as_of(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path / "1", {**given.base(), "readings": given.readings(2)}))
    rows = [
        {**row, "as_of": as_of}
        for row, as_of in zip(given.readings(2, index="101"), ("2025-03-05T00:00:00+08:00", ""), strict=True)
    ]
    report = load(given.write(tmp_path / "2", {"readings": rows}, corrections=True))
    assert counts(report, "readings") == {"superseding": 1, "conflicting": 1}


def test_a_correction_that_names_another_payment_is_refused(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path / "1", {**given.base(), "payments": [given.payment("a", "10.00")]}))
    report = load(given.write(tmp_path / "2", {"payments": [given.payment("b", "9.00", supersedes="a")]}))
    assert counts(report, "payments") == {"quarantined": 1}
    assert ask("SELECT field, reason FROM quarantine") == [("supersedes", "SUPERSEDES_OTHER_KEY")]


def test_a_key_repeated_in_one_file_counts_once_and_another_content_is_a_conflict(book: str, tmp_path: Path) -> None:
    rows = [
        given.payment("a", "10.00"),
        given.payment("a", "10.00"),
        given.payment("a", "11.00"),
        given.payment("b", "1.00"),
        given.payment("b", "2.00", supersedes="b"),
        given.payment("b", "2.00", supersedes="b"),
        given.payment("c", "5.00", contract="K9"),
        given.payment("c", "5.00"),
    ]
    report = load(given.write(tmp_path, {**given.base(), "payments": rows}))
    assert counts(report, "payments") == {
        "loaded": 3,
        "superseding": 1,
        "conflicting": 1,
        "quarantined": 1,
        "skipped": 2,
    }
    assert ask("SELECT channel_key, version, amount_minor FROM payment ORDER BY 1, 2") == [
        ("a", 1, 1000),
        ("b", 1, 100),
        ("b", 2, 200),
        ("c", 1, 500),
    ]


@pytest.mark.parametrize("entity", ["bills", "open_items", "parties", "contracts"])
def test_a_repeated_key_of_a_debt_or_master_row_is_stored_once(book: str, tmp_path: Path, entity: str) -> None:
    doubled = {**FULL, entity: [*FULL[entity], FULL[entity][0]]}
    report = load(given.write(tmp_path, doubled))
    assert counts(report, entity)["skipped"] == counts(load(given.write(tmp_path / "x", FULL)), entity).get(
        "skipped", 0
    ) + (1)
    assert ask("SELECT count(*) - count(DISTINCT item_key) FROM open_item") == [(0,)]


def test_references_to_the_unknown_are_quarantined_by_name_and_load_once_they_are_known(
    book: str, tmp_path: Path
) -> None:
    late = given.write(
        tmp_path / "late", {"readings": given.readings(2), "payments": [given.payment("a", "1")]}, feed="late"
    )
    load(late)
    assert ask("SELECT DISTINCT field, reason FROM quarantine ORDER BY 1") == [
        ("contract", "UNKNOWN_CONTRACT"),
        ("service_point", "UNKNOWN_SERVICE_POINT"),
    ]
    load(given.write(tmp_path / "base", given.base()))
    again = load(late)
    assert counts(again, "readings") == {"loaded": 2}
    assert counts(again, "payments") == {"loaded": 1}


def test_parquet_and_csv_of_the_same_facts_are_the_same(book: str, tmp_path: Path) -> None:
    load(given.write(tmp_path, {**given.base(), "readings": given.readings(3)}))
    frame = pl.DataFrame(given.readings(3)).with_columns(
        pl.col("read_on").str.to_date(),
        pl.col("index").cast(pl.Decimal(12, 2)),
        pl.col("index_from", "months").cast(pl.Int32),
        pl.col("multiplier").cast(pl.Int8),
    )
    folder = tmp_path / "parquet"
    folder.mkdir()
    frame.write_parquet(folder / "readings.parquet")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    stated = {"name": "readings.parquet", "entity": "readings", "rows": 3, "sums": {"index": "301.5"}}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": [stated]}))
    assert counts(load(folder), "readings") == {"known": 3}


def test_phones_and_identity_numbers_are_kept_encrypted_and_found_by_hash(book: str, tmp_path: Path) -> None:
    from recoup.domains.parties.operations import decrypt, hash_for_search, load_keys

    load(given.write(tmp_path, given.base()))
    keys = load_keys()
    rows = ask("SELECT phone_cipher, identity_cipher, phone_hash FROM party_secret ORDER BY party_id")
    assert decrypt(keys, "phone", rows[0][0]) == "13800000001"
    assert decrypt(keys, "identity", rows[0][1]) == "370101198001010001"
    assert rows[0][2] == hash_for_search(keys, "phone", "138-0000 0001")
    assert len({row[0][:12] for row in rows}) == len(rows)
    assert all(b"1380000" not in bytes(row[0]) for row in rows)


def test_the_secret_keys_lie_in_a_private_file(book: str) -> None:
    from recoup.database.home import home
    from recoup.domains.parties.operations import KEY_FILE, load_keys

    load_keys()
    assert (home() / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_party_has_the_same_key64_in_every_book() -> None:
    from recoup.domains.parties.operations import key64

    assert key64("erp", "P1") == -1739683842361718293
    assert key64("erp", "P1") != key64("crm", "P1")


def test_amounts_take_the_digits_of_their_denom(book: str, tmp_path: Path) -> None:
    rows = [
        given.payment("a", "1.234", denom="TND"),
        given.payment("b", "5", denom="TWD"),
        given.payment("c", "5.5", denom="TWD"),
        given.payment("d", "5.500", denom=""),
        given.payment("e", "1", denom="XYZ"),
    ]
    report = load(given.write(tmp_path, {**given.base(), "payments": rows}))
    assert counts(report, "payments") == {"loaded": 3, "quarantined": 2}
    assert ask("SELECT amount_minor, denom FROM payment ORDER BY channel_key") == [
        (1234, "TND"),
        (5, "TWD"),
        (550, "CNY"),
    ]
    assert ask("SELECT reason FROM quarantine ORDER BY row_no") == [("TOO_MANY_DIGITS",), ("UNKNOWN_DENOM",)]


def test_two_loads_at_once_are_refused(book: str, tmp_path: Path) -> None:
    from recoup.domains.feeds.manifest import LoadRefused

    folder = given.write(tmp_path, given.base())
    with connect("app") as other, pytest.raises(LoadRefused, match="another load"):
        other.execute("SELECT pg_advisory_lock(hashtext('recoup.load'))")
        load(folder)


def test_simulated_data_stay_out_of_a_live_book(database: str, tmp_path: Path) -> None:
    from recoup.domains.book.operations import create_book
    from recoup.domains.feeds.manifest import LoadRefused

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="test")
    with pytest.raises(LoadRefused, match="live book"):
        load(given.write(tmp_path / "1", given.base(), simulated=True))
    assert load(given.write(tmp_path / "2", given.base())).complete
