"""What each role may do: facts are appended through their parents and never changed, whoever asks."""

from collections.abc import Iterator

import psycopg
import pytest

from recoup.database.bulk import Cursor
from recoup.database.connect import connect

FACTS = (
    *("entry", "posting", "bill", "bill_line", "open_item", "allocation"),
    *("payment", "reading", "hold", "touch", "touch_item", "action", "enrolment"),
    *("party", "account", "contract", "agreement", "service", "installation", "org_unit"),
    *("book", "quarantine", "conflict", "cut", "run_issue"),
)
PROJECTIONS = ("item_open", "balance", "episode", "rollup", "run", "slice", "feed", "feed_load", "loaded_file")
DENIED = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module", autouse=True)
def entered(closed_book: str) -> Iterator[None]:
    """A book that was run, so that tables have rows and partitions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", closed_book)
        yield


@pytest.fixture
def app() -> Iterator[Cursor]:
    """A cursor as the application; nothing of it stays."""
    with connect("app") as connection, connection.cursor() as cursor:
        yield cursor
        connection.rollback()


@pytest.fixture
def reader() -> Iterator[Cursor]:
    with connect("reader") as connection, connection.cursor() as cursor:
        yield cursor
        connection.rollback()


def first_column(cursor: Cursor, table: str) -> str:
    row = cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1", [table]
    ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("table", FACTS)
@pytest.mark.parametrize("change", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "TRUNCATE {0}"])
def test_the_app_cannot_change_a_fact(app: Cursor, table: str, change: str) -> None:
    command = change.format(table, first_column(app, table))
    with pytest.raises(DENIED):
        app.execute(command.encode())


@pytest.mark.parametrize("table", PROJECTIONS)
def test_the_app_cannot_truncate_a_projection(app: Cursor, table: str) -> None:
    with pytest.raises(DENIED):
        app.execute(f"TRUNCATE {table}".encode())


def test_every_table_is_granted_as_one_of_these_kinds(app: Cursor) -> None:
    """A new table must be named above, so that what the app may do to it was thought about."""
    tables = app.execute(
        """
        SELECT relname, has_table_privilege('recoup_app', oid, 'UPDATE, DELETE, TRUNCATE') FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
          AND has_table_privilege('recoup_app', oid, 'INSERT')
        """
    ).fetchall()
    changeable = {name for name, may_change in tables if may_change}
    appendable = {name for name, may_change in tables if not may_change}
    assert changeable & set(FACTS) == set()
    assert set(FACTS) - appendable == set()
    assert set(PROJECTIONS) <= changeable


def list_partitions(cursor: Cursor) -> list[str]:
    rows = cursor.execute("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1").fetchall()
    return [str(row[0]) for row in rows]


def test_the_app_reaches_partitions_through_their_parent_only(app: Cursor) -> None:
    partitions = list_partitions(app)
    assert {name.rsplit("_", 1)[0] for name in partitions} >= {"entry", "posting", "bill", "open_item", "allocation"}
    for partition in partitions:
        for command in (
            f"SELECT FROM {partition}",
            f"INSERT INTO {partition} DEFAULT VALUES",
            f"DELETE FROM {partition}",
        ):
            with pytest.raises(DENIED):
                app.execute(command.encode())
            app.connection.rollback()


def test_the_app_cannot_switch_off_what_guards_the_ledger(app: Cursor) -> None:
    for command in (
        "ALTER TABLE posting DISABLE TRIGGER posting_sums_to_zero",
        "SET session_replication_role = replica",
        "DROP TRIGGER posting_sums_to_zero ON posting",
        "CREATE TABLE mine (n int)",
    ):
        with pytest.raises(DENIED):
            app.execute(command.encode())
        app.connection.rollback()


_POSTING = "INSERT INTO posting (entry_id, line, booked_on, subject, contract_id, denom, amount_minor) VALUES "


def test_one_posting_alone_is_refused(app: Cursor) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="does not sum to zero"):
        app.execute(f"{_POSTING} (1, 1, '2025-01-10', 'BANK', 1, 'CNY', 5)".encode())


def test_postings_of_an_entry_in_two_statements_are_refused(app: Cursor) -> None:
    """Even in one transaction: the statement is the unit, so that nothing has to wait for the commit."""
    with pytest.raises(psycopg.errors.CheckViolation):
        app.execute(f"{_POSTING} (1, 1, '2025-01-10', 'BANK', 1, 'CNY', 5)".encode())
        app.execute(f"{_POSTING} (1, 2, '2025-01-10', 'UNAPPLIED', 1, 'CNY', -5)".encode())


def test_denoms_balance_each_on_its_own(app: Cursor) -> None:
    lines = "(1, 1, '2025-01-10', 'BANK', 1, 'CNY', 5), (1, 2, '2025-01-10', 'BANK', 1, 'POINT', -5)"
    with pytest.raises(psycopg.errors.CheckViolation):
        app.execute(f"{_POSTING} {lines}".encode())


def test_entries_balance_each_on_its_own(app: Cursor) -> None:
    lines = "(1, 1, '2025-01-10', 'BANK', 1, 'CNY', 5), (2, 1, '2025-01-10', 'BANK', 1, 'CNY', -5)"
    with pytest.raises(psycopg.errors.CheckViolation):
        app.execute(f"{_POSTING} {lines}".encode())


def test_balanced_postings_are_taken(app: Cursor) -> None:
    lines = "(1, 1, '2025-01-10', 'BANK', 1, 'CNY', 5), (1, 2, '2025-01-10', 'UNAPPLIED', 1, 'CNY', -5)"
    app.execute(f"{_POSTING} {lines}".encode())
    assert app.rowcount == 2


@pytest.mark.parametrize(("second", "taken"), [(-5, True), (-4, False)])
def test_copied_postings_are_held_to_the_same(app: Cursor, second: int, taken: bool) -> None:
    def copy() -> None:
        columns = "entry_id, line, booked_on, subject, contract_id, denom, amount_minor"
        with app.copy(f"COPY posting ({columns}) FROM STDIN".encode()) as rows:
            rows.write_row((1, 1, "2025-01-10", "BANK", 1, "CNY", 5))
            rows.write_row((1, 2, "2025-01-10", "UNAPPLIED", 1, "CNY", second))

    if taken:
        copy()
        return
    with pytest.raises(psycopg.errors.CheckViolation):
        copy()


def test_a_posting_of_nothing_is_refused(app: Cursor) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        app.execute(f"{_POSTING} (1, 1, '2025-01-10', 'BANK', 1, 'CNY', 0)".encode())


def test_the_partition_maker_is_the_apps_only_way_to_make_tables(app: Cursor) -> None:
    app.execute("SELECT recoup_make_partitions('2031-03-09')")
    assert app.execute("SELECT to_regclass('posting_203103') IS NOT NULL").fetchone() == (True,)


@pytest.mark.parametrize("table", (*FACTS, *PROJECTIONS))
def test_the_reader_reads_and_does_nothing_else(reader: Cursor, table: str) -> None:
    reader.execute(f"SELECT count(*) FROM {table}".encode())
    column = first_column(reader, table)
    for command in (
        f"INSERT INTO {table} DEFAULT VALUES",
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
    ):
        with pytest.raises(DENIED):
            reader.execute(command.encode())
        reader.connection.rollback()


def test_the_reader_makes_no_partitions(reader: Cursor) -> None:
    with pytest.raises(DENIED):
        reader.execute("SELECT recoup_make_partitions('2031-03-09')")
