"""`recoup verify` holds for a book that was run, and each of its checks fails when its invariant is broken."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import date

import polars as pl
import pytest
import tiny_book
from typer.testing import CliRunner

from recoup.database.bulk import Cursor
from recoup.database.connect import connect
from recoup.engine import lake
from recoup.engine.verify import CHECKS
from recoup.engine.verify.scene import Finding, Scene, read_days

BY_NAME = {check.name: check for check in CHECKS}

# One way to break each invariant in the tables, as an owner without scruples; what is true stays true elsewhere.
TAMPERINGS = {
    "entries_sum_to_zero": [
        "UPDATE posting SET amount_minor = amount_minor + 1 WHERE (entry_id, line) = "
        "(SELECT entry_id, line FROM posting ORDER BY 1, 2 LIMIT 1)"
    ],
    "entries_and_postings_belong_together": ["DELETE FROM entry WHERE entry_id = (SELECT min(entry_id) FROM entry)"],
    "balances_are_sums_of_postings": ["UPDATE balance SET amount_minor = amount_minor + 1 WHERE subject = 'BANK'"],
    "receivables_are_open_items": [
        "UPDATE posting SET contract_id = contract_id + 1 WHERE entry_id = (SELECT min(entry_id) FROM posting)"
    ],
    "keys_have_one_effect": [
        "UPDATE open_item SET item_key = (SELECT min(item_key) FROM open_item) "
        "WHERE item_id = (SELECT max(item_id) FROM open_item)"
    ],
    "a_contract_is_acted_upon_once_a_day": [
        "UPDATE action SET action_code = 'OTHER' WHERE run_no = (SELECT max(run_no) FROM action)"
    ],
    "rows_have_their_parents": ["DELETE FROM bill WHERE bill_id = (SELECT min(bill_id) FROM bill)"],
    "files_account_for_every_row": [
        "INSERT INTO loaded_file (load_id, name, entity, sha256, rows_read, rows_loaded, rows_known, rows_superseding,"
        " rows_conflicting, rows_quarantined, rows_skipped, state) VALUES (9, 'f', 'party', '', 3, 1, 0, 0, 0, 1, 0,"
        " 'LOADED')"
    ],
    "readings_are_billed_or_refused": ["DELETE FROM run_issue WHERE kind = 'NEGATIVE_INDEX'"],
    "payments_become_credits": [
        "UPDATE payment SET amount_minor = amount_minor + 1 WHERE channel_key = (SELECT min(channel_key) FROM payment)"
    ],
    "allocations_stay_within_their_items": [
        "UPDATE allocation SET amount_minor = 99999999 WHERE (group_id, seq, line) = "
        "(SELECT group_id, seq, line FROM allocation LIMIT 1)"
    ],
    "runs_name_one_cut": ["UPDATE run SET cut_no = cut_no + 1"],
    "lake_files_are_those_of_their_slices": [
        "UPDATE slice SET keys_out = keys_out + 1 WHERE run_no = (SELECT max(run_no) FROM slice)"
    ],
    "content_hashes_are_those_of_the_lake": [
        "UPDATE run SET content_hash = '00' WHERE run_no = (SELECT max(run_no) FROM run)"
    ],
    "groups_derive_to_what_is_booked": [
        "UPDATE allocation SET value_on = value_on - 1 WHERE debit_id = "
        "(SELECT charge_of FROM open_item WHERE charge_of IS NOT NULL ORDER BY item_key LIMIT 1)"
    ],
    "lines_sum_to_their_bill": ["UPDATE bill SET amount_minor = 1 WHERE bill_id = (SELECT min(bill_id) FROM bill)"],
    "lines_say_where_they_come_from": [
        "UPDATE bill_line SET param_id = '' WHERE bill_id = (SELECT min(bill_id) FROM bill)"
    ],
    "every_contract_is_answered_once": ["UPDATE contract SET valid_to = '2025-01-01' WHERE contract_key = 'K0001'"],
    "actions_are_those_decided": ["UPDATE action SET stage = stage + 1"],
    "open_amounts_rebuild": [
        "UPDATE item_open SET open_minor = open_minor + 1 WHERE item_id = (SELECT min(item_id) FROM item_open)"
    ],
    "rollups_rebuild": ["UPDATE rollup SET contacts = contacts + 1 WHERE month_on = '2025-01-01'"],
    "episodes_rebuild": ["UPDATE episode SET episode_from_on = episode_from_on - 1"],
    "a_mirrored_book_posts_nothing": ["SELECT 1"],
    "cutoffs_are_as_they_were_signed": [
        "INSERT INTO cutoff (business_on, signed_by, signed_at, snapshot, closed_to_on, run_no, rulebook_hash, denom, "
        "content_hash) VALUES ('2025-01-31', 'x', now(), pg_current_snapshot()::text, '2025-01-31', 1, '', 'CNY', '00')"
    ],
    "differences_are_explained": [
        "INSERT INTO cutoff (business_on, signed_by, signed_at, snapshot, closed_to_on, run_no, rulebook_hash, denom, "
        "content_hash) VALUES ('2025-01-31', 'x', now(), pg_current_snapshot()::text, '2025-01-31', 1, '', 'CNY', '00')"
    ],
    "prepared_sums_follow_from_the_book": [
        "INSERT INTO figure_day (business_on, run_no, snapshot, prepared_at, denom, content_hash, debtors_file) "
        "SELECT business_on, run_no, pg_current_snapshot()::text, now(), 'CNY', '00', '' FROM run "
        "WHERE business_on = '2025-01-31'"
    ],
    "nothing_is_done_on_a_stale_feed": ["""UPDATE run SET feeds = '{"billing": "2025-01-01T00:00:00+08:00"}'"""],
}
EXTERNAL = ("a_mirrored_book_posts_nothing", "nothing_is_done_on_a_stale_feed")


@pytest.fixture(scope="module", autouse=True)
def entered(closed_book: str) -> Iterator[None]:
    """The closed book, entered for all tests of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", closed_book)
        yield


@pytest.fixture
def owner() -> Iterator[Cursor]:
    """A cursor that may do anything, and nothing of it stays."""
    with connect("owner") as connection, connection.cursor() as cursor:
        yield cursor
        connection.rollback()


def look(cursor: Cursor, name: str, *, external: bool = False) -> Finding:
    from recoup.engine.profile import read_profile, read_rules

    profile = read_profile()
    if external:
        profile = profile._replace(external=True, own_ledger=False)
    return BY_NAME[name].find(Scene(cursor, read_rules(), profile, read_days(cursor), runs=None, groups=None))


def test_every_check_holds_for_a_book_that_was_run() -> None:
    assert tiny_book.find_failures() == []


def test_the_book_has_what_the_checks_are_about(owner: Cursor) -> None:
    """Late charges at a month end, money known late, disputes, refusals, groups, ended contracts that owe."""
    wanted = {
        "late charges": "SELECT count(*) FROM open_item WHERE charge_of IS NOT NULL AND amount_minor > 0",
        "charges lowered": "SELECT count(*) FROM open_item WHERE origin_kind = 'CHARGE_CREDIT'",
        "pieces undone": "SELECT count(*) FROM allocation WHERE amount_minor < 0",
        "money known late": "SELECT count(*) FROM open_item WHERE origin_kind = 'PAYMENT' AND value_on < booked_on",
        "designations": "SELECT count(*) FROM open_item WHERE designation IS NOT NULL",
        "money left over": "SELECT count(*) FROM open_item JOIN item_open USING (item_id) WHERE amount_minor < 0",
        "refusals": "SELECT count(*) FROM run_issue",
        "actions": "SELECT count(*) FROM action",
        "payments of another contract of the group": "SELECT count(*) FROM allocation a JOIN open_item c "
        "ON c.item_id = a.credit_id WHERE c.contract_id <> a.contract_id",
        "episodes": "SELECT count(*) FROM episode",
    }
    counts = {what: owner.execute(query.encode()).fetchone() for what, query in wanted.items()}
    assert [what for what, count in counts.items() if count == (0,)] == []


def test_every_check_has_a_way_to_fail() -> None:
    assert set(TAMPERINGS) == set(BY_NAME)


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_check_fails_when_its_invariant_is_broken(owner: Cursor, name: str) -> None:
    external = name in EXTERNAL
    assert external or look(owner, name).ok
    owner.execute("SET session_replication_role = replica")
    for statement in TAMPERINGS[name]:
        owner.execute(statement.encode())
    finding = look(owner, name, external=external)
    assert not finding.ok
    assert finding.detail


@pytest.mark.parametrize("what", ["missing", "cut short", "changed"])
def test_a_file_of_the_lake_that_is_not_the_one_written_is_noticed(owner: Cursor, what: str) -> None:
    (name,) = owner.execute("SELECT file FROM slice ORDER BY run_no DESC LIMIT 1").fetchone() or ("",)
    path = lake.lake_folder() / name
    kept = path.read_bytes()
    rows = pl.read_parquet(kept)
    try:
        if what == "missing":
            path.unlink()
        else:
            other = (
                rows.head(5) if what == "cut short" else rows.with_columns(overdue_minor=pl.col("overdue_minor") + 1)
            )
            other.write_parquet(path)
        checks = ("lake_files_are_those_of_their_slices", "content_hashes_are_those_of_the_lake")
        assert not all(look(owner, check).ok for check in checks)
    finally:
        path.write_bytes(kept)


def test_files_of_killed_workers_are_counted_and_do_no_harm(owner: Cursor) -> None:
    stray = lake.decisions_folder(date(2025, 1, 6), 1) / "slice=000.99.parquet"
    stray.write_bytes(b"half")
    try:
        finding = look(owner, "lake_files_are_those_of_their_slices")
        assert finding.ok and "1 left by killed workers" in finding.detail
    finally:
        stray.unlink()


@pytest.fixture
def command() -> Callable[..., tuple[int, str]]:
    """Runs a recoup command in this process: exit code and what it printed."""
    import typer

    from recoup.cli import dump, verify

    app = typer.Typer()
    verify.register(app)
    dump.register(app)

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, words)
        return result.exit_code, result.stdout

    return run


def test_the_command_prints_json_and_ends_with_zero_when_all_hold(command: Callable[..., tuple[int, str]]) -> None:
    code, told = command("verify", "--json")
    answer = json.loads(told)
    assert (code, answer["ok"]) == (0, True)
    assert [set(check) for check in answer["checks"]] == [{"name", "ok", "detail"}] * len(CHECKS)


def test_the_command_ends_with_one_and_says_what_to_do_when_a_check_fails(
    command: Callable[..., tuple[int, str]], enter_copy: Callable[[str], str], closed_book: str
) -> None:
    enter_copy(closed_book)
    with connect("owner") as connection:
        connection.execute("UPDATE balance SET amount_minor = amount_minor + 1")
    code, told = command("verify", "--json")
    assert code == 1
    assert [check["name"] for check in json.loads(told)["checks"] if not check["ok"]] == [
        "balances_are_sums_of_postings"
    ]
    code, told = command("verify")
    assert code == 1
    assert "✗" in told and "rebuild" in told
    assert os.environ["RECOUP_DATABASE_NAME"] != closed_book


def test_a_book_without_a_closed_day_verifies(
    command: Callable[..., tuple[int, str]], enter_copy: Callable[[str], str], loaded_book: str
) -> None:
    enter_copy(loaded_book)
    assert command("verify", "--json")[0] == 0


def test_two_dumps_of_one_state_are_equal(command: Callable[..., tuple[int, str]], tmp_path) -> None:
    code, told = command("dump", "--canonical")
    assert code == 0
    assert command("dump", "--canonical", "--out", str(tmp_path / "state.jsonl"))[0] == 0
    assert (tmp_path / "state.jsonl").read_text() == told


def test_a_dump_shows_no_id_instant_or_run_number() -> None:
    rows = [json.loads(line) for line in tiny_book.dump()]
    names = {name for row in rows for name in row}
    assert not {n for n in names if n.endswith(("_at", "_id", "run_no", "_tx")) or n == "id"} - {"rule_id", "param_id"}
    sections = {row["section"] for row in rows}
    assert {"contracts", "bills", "open_items", "allocations", "entries", "postings", "runs"} <= sections


def test_hashes_of_sections_change_with_the_state(
    command: Callable[..., tuple[int, str]], enter_copy: Callable[[str], str], closed_book: str
) -> None:
    _, before = command("dump", "--canonical", "--hash")
    enter_copy(closed_book)
    assert command("dump", "--canonical", "--hash")[1] == before
    with connect("owner") as connection:
        connection.execute("UPDATE hold SET reason = 'OTHER' WHERE hold_key = 'H0017'")
    _, after = command("dump", "--canonical", "--hash")
    changed = [a.split()[0] for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert changed == ["holds"]
