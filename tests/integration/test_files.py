"""Files as clerks have them: mapped once and remembered, the same state from every format, previewed, undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import clerk_files as given
import feed_folder
import pytest

from recoup.database.connect import connect

MAPPED = {"valid_from": "2020-01-01", "due_days": "30"}


@pytest.fixture(scope="module")
def opened(template: str) -> Iterator[str]:
    """A live book with four customers, brought by a clerk's sheet; nobody stays connected to it."""
    from django.db import connections

    from recoup.database import roles
    from recoup.domains.book.operations import create_book

    name = "recoup_files"
    with entered(name):
        roles.copy_database(template, name)
        create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="test")
        with feed_folder_path() as folder:
            path = given.write_xlsx(folder / "客户档案.xlsx", given.customers())
            assert load(path, constants=MAPPED, new_units=True).complete
        connections.close_all()
    yield name
    roles.drop_database(name)


@contextmanager
def feed_folder_path() -> Iterator[Path]:
    """A folder for as long as a fixture needs it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Enter a database while the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", name)
        yield


@pytest.fixture
def book(opened: str) -> Iterator[str]:
    """A copy of that book for one test."""
    from django.db import connections

    from recoup.database import roles

    name = f"{opened}_copy"
    with entered(name):
        connections.close_all()
        roles.copy_database(opened, name)
        yield name
        connections.close_all()
        roles.drop_database(name)


def request(path: Path, **said: Any) -> Any:
    """What a person says of a file; its proposed mapping is taken unless the test says otherwise."""
    from recoup.usecases.files.request import Request

    return Request(**{"path": path, "name": path.name, "who": "clerk", "accept": True, **said})


def silent(_name: str, _done: int, _size: int) -> None:
    """Show nothing."""


def load(path: Path, **said: Any) -> Any:
    """Load a file."""
    from recoup.usecases.files.loading import load_file

    return load_file(request(path, **said), silent)


def preview(path: Path, **said: Any) -> Any:
    """Preview a file."""
    from recoup.usecases.files.previewing import preview_file

    return preview_file(request(path, **said), silent)


def counts(report: Any) -> list[tuple[int, ...]]:
    """Read, loaded, known and quarantined rows of each file of a load."""
    assert report.complete, [file.record.detail for file in report.files]
    return [(r.read, r.loaded, r.known, r.quarantined) for r in (file.record for file in report.files)]


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Rows of the entered book."""
    with connect("reader") as connection:
        return connection.execute(query, parameters).fetchall()


PAID = """
    SELECT a.account_no, p.channel, p.channel_key, p.value_on, p.received_on, p.amount_minor, p.denom
    FROM payment p JOIN contract c USING (contract_id) JOIN account a USING (account_id) ORDER BY p.channel_key
"""
PAYMENTS = [(row[1], row[4], row[5], row[6], row[6], round(row[7] * 100), "CNY") for row in given.PAYMENTS]


def test_a_sheet_of_customers_makes_units_parties_accounts_and_contracts(book: str) -> None:
    assert rows("SELECT code, kind, parent FROM org_unit ORDER BY code") == [
        ("城东供电所", "STATION", None),
        ("城东供电所-1号公变", "DISTRICT", "城东供电所"),
        ("城东供电所-2号公变", "DISTRICT", "城东供电所"),
        ("城西供电所", "STATION", None),
        ("城西供电所-1号公变", "DISTRICT", "城西供电所"),
    ]
    found = rows(
        "SELECT a.account_no, a.org_unit, p.name, p.kind, c.class, c.contract_key FROM contract c "
        "JOIN account a USING (account_id) JOIN party p USING (party_id) ORDER BY 1"
    )
    assert found[0] == ("0012345678", "城东供电所-1号公变", "张三", "PERSON", "RESIDENTIAL", "0012345678")
    assert found[2] == ("0012345680", "城东供电所-2号公变", "某某机械有限公司", "FIRM", "INDUSTRIAL", "0012345680")
    assert rows("SELECT count(*) FROM party_secret WHERE phone_cipher IS NOT NULL") == [(3,)]


def test_units_that_are_not_there_are_made_only_when_somebody_says_so(book: str, tmp_path: Path) -> None:
    new = ("0012345699", "周九", "和平路9号", "城南供电所", "1号公变", None, "居民生活")
    path = given.write_csv(tmp_path / "a.csv", given.customers([*given.CUSTOMERS, new]))
    assert counts(load(path))[1] == (5, 0, 4, 1)
    assert rows("SELECT reason FROM quarantine WHERE row_no = 7 ORDER BY 1") == [
        ("UNKNOWN_ACCOUNT",),
        ("UNKNOWN_ORG_UNIT",),
    ]
    assert counts(load(path, new_units=True))[:2] == [(1, 1, 0, 0), (1, 1, 0, 0)]


def test_every_format_holds_the_same_payments(book: str, tmp_path: Path) -> None:
    first, *others = [write(tmp_path / f"收费.{form}", given.payments()) for form, write in given.WRITERS.items()]
    assert counts(load(first)) == [(4, 4, 0, 0)]
    assert rows(PAID) == PAYMENTS
    for path in others:
        assert counts(load(path, accept=False)) == [(4, 0, 4, 0)], path.name
    assert rows("SELECT count(*) FROM payment UNION ALL SELECT count(*) FROM conflict") == [(4,), (0,)]
    assert rows("SELECT watermark_at::text FROM feed WHERE code = 'payments'") == [("2025-03-31 16:00:00+00",)]


def test_a_mapping_told_once_serves_the_same_sheet_in_any_format_and_twice_is_nothing(
    book: str, tmp_path: Path
) -> None:
    sheet = [
        ("收费",),
        ("用电户", "方式", "编号", "收费日", "收了多少"),
        *(row[1:2] + row[4:] for row in given.PAYMENTS),
    ]
    path = given.write_xlsx(tmp_path / "a.xlsx", sheet)
    fields = {
        "account_no": "用电户",
        "channel": "方式",
        "channel_key": "编号",
        "value_on": "收费日",
        "amount": "收了多少",
    }
    said = {"fields": fields, "kind": "payments", "as_of_on": date(2025, 3, 31), "accept": False}
    assert counts(load(path, **said)) == [(4, 4, 0, 0)]
    twin = given.write_csv(tmp_path / "b.csv", [sheet[0], *sheet[1:]])
    assert counts(load(twin, as_of_on=date(2025, 3, 31), accept=False)) == [(4, 0, 4, 0)]
    assert rows(PAID) == PAYMENTS


def test_a_sheet_never_seen_is_not_loaded_before_somebody_has_looked(book: str, tmp_path: Path) -> None:
    from recoup.domains.feeds.encoding import FileRefused

    path = given.write_xlsx(tmp_path / "a.xlsx", given.payments())
    with pytest.raises(FileRefused, match=r"never loaded.*--yes"):
        load(path, accept=False)
    assert rows("SELECT count(*) FROM file_mapping WHERE feed = 'payments'") == [(0,)]


def test_a_mapping_is_replaced_and_forgotten_by_a_version_of_its_own(book: str, tmp_path: Path) -> None:
    from recoup.domains.feeds import mappings

    path = given.write_csv(tmp_path / "a.csv", given.payments())
    load(path)
    load(path, constants={"denom": "CNY"})
    (kept,) = [one for one in mappings.list_mappings() if one.feed == "payments"]
    assert (kept.version, dict(kept.mapping.constants), kept.who) == (2, {"denom": "CNY"}, "clerk")
    mappings.forget(kept.mapping_id, who="head")
    assert mappings.find(kept.shape) == []
    assert rows("SELECT version, withdrawn, who FROM file_mapping WHERE feed = 'payments' ORDER BY 1") == [
        (1, False, "clerk"),
        (2, False, "clerk"),
        (3, True, "head"),
    ]


def test_a_preview_shows_what_a_load_does_and_stores_nothing(book: str, tmp_path: Path) -> None:
    unknown = (5, "9999999999", "查无", "202502", "微信", "20250304000005", date(2025, 3, 4), 10.0)
    path = given.write_xlsx(tmp_path / "a.xlsx", given.payments([*given.PAYMENTS, unknown]), hidden=["辅助"])
    before = rows("SELECT count(*) FROM feed_load")
    found = preview(path)
    (sheet,) = found.sheets
    (source,) = sheet.sources
    assert (found.hidden, found.as_of_on, sheet.kind, sheet.known) == (("辅助",), "2025-03-31", "payments", False)
    assert (sheet.rows, sheet.total_rows, sheet.sums) == (5, 2, {"amount": "601403.93"})
    assert [note for note, _ in sheet.notes] == [15, 16]
    assert [(t["row_no"], t["stated"], t["agrees"]) for t in sheet.totals] == [
        (8, "1343.88", True),
        (13, "601403.93", True),
    ]
    assert (source.record.read, source.record.loaded, source.reasons) == (5, 4, {"UNKNOWN_ACCOUNT": 1})
    assert [(row.row_no, row.field, row.reason) for row in source.refused] == [
        (11, "用户信息·户号", "UNKNOWN_ACCOUNT")
    ] or [(row.row_no, row.field) for row in source.refused] == [(11, "户号")]
    assert rows("SELECT count(*) FROM payment") == [(0,)]
    assert rows("SELECT count(*) FROM feed_load") == before
    assert counts(load(path)) == [(5, 4, 0, 1)]


def test_a_total_that_is_not_the_sum_refuses_the_sheet_unless_somebody_insists(book: str, tmp_path: Path) -> None:
    path = given.write_csv(tmp_path / "a.csv", given.payments(total=1.0))
    report = load(path)
    assert not report.complete
    assert "row 12 实收金额（元）: states 1.00, the rows sum to 601393.93" in report.files[0].record.detail
    assert rows(PAID) == []
    assert counts(load(path, despite_totals=True)) == [(4, 4, 0, 0)]


def test_a_sheet_in_ten_thousands_of_yuan_says_so_itself(book: str, tmp_path: Path) -> None:
    in_wan = [(*row[:7], row[7] / 10_000) for row in given.PAYMENTS]
    path = given.write_xlsx(tmp_path / "a.xlsx", given.payments(in_wan, unit="万元"))
    assert counts(load(path)) == [(4, 4, 0, 0)]
    assert rows(PAID) == PAYMENTS


BAD: list[tuple[given.Value, str, str]] = [
    (12345678, "户号", "WRONG_LENGTH"),
    ("1.23457E+12", "户号", "DIGITS_LOST"),
    (1.23457e12, "户号", "DIGITS_LOST"),
    (None, "户号", "MISSING_VALUE"),
]


@pytest.mark.parametrize("form", ["xlsx", "xls"])
def test_refused_rows_are_found_by_file_sheet_row_and_heading(book: str, tmp_path: Path, form: str) -> None:
    good = ("0012345678", "张三", "202502", 100, 0, 100, "2025/2/20", "2025年3月20日")
    bad = [(number, "某", "202502", 100, 0, 100, "20250220", 45736) for number, _, _ in BAD]
    odd = [
        ("0012345679", "李四", "202502", 100, 30, 60, "2025-02-20", "2025-03-20"),
        ("0012345679", "李四", "202502", 100.123, 0, 100.123, "2025-02-20", "2025-03-20"),
        ("0012345679", "李四", "202502", 100, 0, 100, "2025-02-30", "2025-03-20"),
    ]
    path = given.WRITERS[form](tmp_path / f"欠费.{form}", given.open_items([good, *bad, *odd]))
    assert counts(load(path)) == [(8, 1, 0, 7)]
    found = rows("SELECT file, row_no, field, reason FROM quarantine ORDER BY row_no")
    expected = [(n, field, reason) for n, (_, field, reason) in enumerate(BAD, start=5)]
    expected += [(9, "欠费", "SUM_DIFFERS"), (10, "应收电费", "TOO_MANY_DIGITS"), (11, "应收日期", "NOT_A_DATE")]
    assert found == [(f"欠费.{form} [明细]", *row) for row in expected]
    assert rows("SELECT item_key, amount_minor, due_on FROM open_item") == [
        ("0012345678-2025-02-01:ENERGY", 10000, date(2025, 3, 20))
    ]


def test_a_stored_number_is_an_account_number_when_it_has_the_digits_of_one(book: str, tmp_path: Path) -> None:
    headings: given.Row = (*given.ITEM_HEADINGS, "备注")
    ten = ("0012345678", "张三", "202502", 5, 0, 5, "20250220", "20250320")
    path = given.write_xlsx(tmp_path / "a.xlsx", given.open_items([(1212345678, *ten[1:]), ten], headings))
    assert counts(load(path)) == [(2, 1, 0, 1)]
    assert rows("SELECT reason FROM quarantine") == [("UNKNOWN_ACCOUNT",)]


def test_what_a_sheet_leaves_unsaid_is_asked_with_the_headings_it_has(book: str, tmp_path: Path) -> None:
    from recoup.usecases.files.request import Asked

    sheet = [("户号", "流水号", "缴费日期", "金额"), ("0012345678", "1", "2025-03-01", 5)]
    path = given.write_csv(tmp_path / "a.csv", sheet)
    with pytest.raises(Asked, match=r"no column for channel.*--set field=value.*户号, 流水号, 缴费日期, 金额"):
        load(path, as_of_on=date(2025, 3, 31))
    assert counts(load(path, as_of_on=date(2025, 3, 31), constants={"channel": "柜台"})) == [(1, 1, 0, 0)]
    assert counts(load(path, as_of_on=date(2025, 4, 1), accept=False)) == [(1, 0, 1, 0)]


def test_a_comma_too_many_is_refused_not_shifted(book: str, tmp_path: Path) -> None:
    text = "户号,渠道,流水号,缴费日期,实收金额\n0012345678,微信,1,2025-03-01,1,234.50\n0012345678,微信,2,2025-03-01,5\n"
    path = tmp_path / "20250331.csv"
    path.write_text(text)
    assert counts(load(path)) == [(2, 1, 0, 1)]
    assert rows("SELECT row_no, reason FROM quarantine") == [(2, "RAGGED_LINE")]


def test_somebody_of_one_station_touches_only_its_accounts(book: str, tmp_path: Path) -> None:
    from recoup.domains.access.scope import scope_of_unit

    path = given.write_xlsx(tmp_path / "a.xlsx", given.payments())
    assert counts(load(path, scope=scope_of_unit("城西供电所"))) == [(4, 1, 0, 3)]
    assert [row[0] for row in rows(PAID)] == ["0012345681"]
    assert rows("SELECT DISTINCT reason FROM quarantine") == [("UNKNOWN_ACCOUNT",)]


def test_a_load_is_undone_whole_and_the_same_file_loads_again(book: str, tmp_path: Path) -> None:
    from recoup.usecases.files.undoing import UndoRefused, undo_load

    debts = [("0012345678", "张三", "202502", 100, 0, 100, "2025/2/20", "2025/3/20")]
    path = given.write_xls(tmp_path / "欠费.xls", given.open_items(debts))
    before = state()
    report = load(path)
    loaded = state()
    assert loaded != before
    undo_load(report.load_id, reason="wrong month")
    assert state() == before
    kept = rows(
        "SELECT l.state, f.state, f.rows_loaded FROM feed_load l JOIN loaded_file f USING (load_id) WHERE load_id = %s",
        report.load_id,
    )
    assert kept == [("UNDONE", "UNDONE", 1)]
    assert rows("SELECT subject, reason FROM audit_event WHERE kind = 'UNDO_LOAD'") == [
        (f"load {report.load_id}", "wrong month")
    ]
    with pytest.raises(UndoRefused, match="undone already"):
        undo_load(report.load_id)
    assert counts(load(path)) == [(1, 1, 0, 0)]
    assert state() == loaded


def state() -> list[Any]:
    """What a book holds of debts, and up to when its feeds are known."""
    return [
        rows("SELECT item_key, amount_minor, booked_on FROM open_item ORDER BY 1"),
        rows("SELECT count(*), sum(open_minor) FROM item_open"),
        rows("SELECT origin_key, kind, subject, amount_minor FROM entry JOIN posting USING (entry_id) ORDER BY 1, 3"),
        rows("SELECT subject, amount_minor FROM balance WHERE amount_minor <> 0 ORDER BY 1"),
        rows("SELECT entity, key FROM imported ORDER BY 1, 2"),
        rows("SELECT code, watermark_at FROM feed WHERE watermark_at IS NOT NULL ORDER BY 1"),
        rows("SELECT count(*) FROM quarantine"),
    ]


def test_what_stands_on_a_load_is_named_and_goes_first(book: str, tmp_path: Path) -> None:
    from recoup.usecases.files.undoing import UndoRefused, undo_load

    first = load(given.write_xlsx(tmp_path / "a.xlsx", given.payments()))
    again = load(given.write_csv(tmp_path / "b.csv", given.payments()))
    (customers,) = rows("SELECT load_id FROM feed_load WHERE feed = 'customers'")
    with pytest.raises(UndoRefused, match=f"load {again.load_id} knew or corrected rows of it"):
        undo_load(first.load_id)
    with pytest.raises(UndoRefused, match=rf"payments \(load {first.load_id}\)"):
        undo_load(customers[0])
    undo_load(again.load_id)
    undo_load(first.load_id)
    undo_load(customers[0])
    assert rows("SELECT count(*) FROM contract UNION ALL SELECT count(*) FROM org_unit") == [(0,), (0,)]


def test_a_correction_is_undone_to_what_it_corrected(book: str, tmp_path: Path) -> None:
    from recoup.usecases.files.undoing import undo_load

    load(given.write_csv(tmp_path / "a.csv", given.payments()))
    changed = [(*row[:7], row[7] + 1) for row in given.PAYMENTS]
    newer = given.write_csv(tmp_path / "b.csv", given.payments(changed))
    report = load(newer, corrections=True, as_of_on=date(2025, 4, 1))
    assert report.files[0].record.superseding == 4
    undo_load(report.load_id)
    assert rows(PAID) == PAYMENTS


def test_a_closed_day_holds_what_it_saw(book: str, tmp_path: Path) -> None:
    import tiny_book

    from recoup.usecases.files.undoing import UndoRefused, undo_load

    seen = load(given.write_csv(tmp_path / "a.csv", given.payments()))
    tiny_book.close(date(2025, 4, 1), date(2025, 4, 1))
    later = (9, "0012345681", "王五", "202502", "支付宝", "20250402000009", date(2025, 4, 2), 1.0)
    unseen = load(given.write_csv(tmp_path / "b.csv", given.payments([later, later])), as_of_on=date(2025, 4, 2))
    with pytest.raises(UndoRefused, match="the day 2025-04-01 was closed with it: correct it by a file"):
        undo_load(seen.load_id)
    undo_load(unseen.load_id)
    assert tiny_book.find_failures() == []


def test_the_application_cannot_remove_a_fact_around_the_door(book: str) -> None:
    import psycopg

    with connect("app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("DELETE FROM contract")
    with connect("reader") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT recoup_undo_load(1)")


def test_a_folder_of_the_documented_format_is_undone_too(book: str, tmp_path: Path) -> None:
    from recoup.usecases.files.undoing import undo_load
    from recoup.usecases.load import load_folder

    report = load_folder(feed_folder.write(tmp_path, {**feed_folder.base(3), "readings": feed_folder.readings(3)}))
    assert report.complete
    undo_load(report.load_id)
    assert rows("SELECT count(*) FROM reading UNION ALL SELECT count(*) FROM service") == [(0,), (0,)]
    assert rows("SELECT count(*) FROM contract") == [(4,)]
