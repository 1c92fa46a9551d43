"""A clerk's file loaded, or undone, by a command that is killed: the same command again makes it whole."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import clerk_files as given
import pytest
from test_files import MAPPED, PAID, PAYMENTS, load, rows

RUN = [sys.executable, "-c", "from recoup.cli.main import run; run()"]


@pytest.fixture(scope="module")
def book(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A live book with four customers."""
    from django.db import connections

    from recoup.domains.book.operations import create_book

    create_book(kind="live", jurisdiction="cn/shandong", seed=1, name="test")
    path = given.write_xlsx(tmp_path_factory.mktemp("killed") / "客户.xlsx", given.customers())
    assert load(path, constants=MAPPED, new_units=True).complete
    connections.close_all()
    yield module_database


def run(*words: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own."""
    environment = {**os.environ, "COLUMNS": "200", "POLARS_MAX_THREADS": "1"}
    if failpoint:
        environment["RECOUP_FAILPOINT"] = failpoint
    return subprocess.run([*RUN, *words], env=environment, capture_output=True, text=True, check=False)


POINTS = ("files.mapping_remembered", "load.file_inserted", "load.before_watermark")


def test_a_load_killed_anywhere_and_an_undo_killed_in_it_are_made_whole(book: str, tmp_path: Path) -> None:
    path = str(given.write_csv(tmp_path / "收费.csv", given.payments()))
    told = ("files", "load", path, "--yes")
    for point in POINTS:
        assert run(*told, failpoint=point).returncode == -9, point
    done = run(*told)
    assert done.returncode == 0, done.stderr
    assert rows(PAID) == PAYMENTS
    (load_id,) = rows("SELECT load_id FROM feed_load WHERE feed = 'payments'")[0]
    assert run("undo", str(load_id), failpoint="files.undone").returncode == -9
    assert rows(PAID) == PAYMENTS
    assert rows("SELECT state FROM feed_load WHERE feed = 'payments'") == [("COMPLETE",)]
    assert rows("SELECT count(*) FROM audit_event") == [(0,)]
    done = run("undo", str(load_id))
    assert done.returncode == 0, done.stderr
    assert (rows(PAID), rows("SELECT count(*) FROM audit_event")) == ([], [(1,)])
    assert run(*told).returncode == 0
    assert rows(PAID) == PAYMENTS


def test_a_dropped_file_whose_worker_is_killed_goes_on_when_pressed_again(book: str, tmp_path: Path) -> None:
    from recoup.domains.access.operations import add_staff
    from recoup.usecases.files import uploads

    staff = add_staff(username="li", name="li", role="clerk", org_unit="*", password="Long-enough-7")
    path = given.write_csv(
        tmp_path / "2025-04-02.csv", given.payments([(9, *given.PAYMENTS[0][1:5], "N9", *given.PAYMENTS[0][6:])] * 2)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "_start", lambda _: None)
        upload = uploads.keep(staff, path.name, [path.read_bytes()], path.stat().st_size)
        uploads.work(upload.upload_id)
        upload.refresh_from_db()
        assert (upload.state, upload.message) == ("READY", {})
        uploads.begin(staff, upload, uploads.LOAD, upload.said)
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "recoup.settings"}
        command = uploads.name_worker(upload.upload_id)
        killed = subprocess.run(command, env={**environment, "RECOUP_FAILPOINT": "files.upload_loaded"}, check=False)
        assert killed.returncode == -9
        patch.setattr(uploads, "_GRACE_SECONDS", 0)
        upload.refresh_from_db()
        assert uploads.is_interrupted(upload)
        uploads.begin(staff, upload, uploads.LOAD, upload.said)
        subprocess.run(command, env=environment, check=True)
    upload.refresh_from_db()
    assert (upload.state, uploads.path_of(upload).exists()) == ("DONE", False)
    assert rows("SELECT count(*) FROM payment WHERE channel_key = 'N9'") == [(1,)]


def test_a_preview_and_a_list_are_for_people_and_for_programs(book: str, tmp_path: Path) -> None:
    import json

    path = str(given.write_xlsx(tmp_path / "收费.xlsx", given.payments(total=1.0)))
    shown = run("files", "preview", path, "--lang", "zh")
    assert shown.returncode == 1
    assert "✗" in shown.stdout and "表上 1.00，各行之和 601393.93" in shown.stdout
    told = json.loads(run("files", "preview", path, "--json", "--despite-totals").stdout)
    assert (told["ready"], told["sheets"][0]["rows"]) == (True, 4)
    listed = json.loads(run("files", "mappings", "--json").stdout)["mappings"]
    assert {one["mapping"]["kind"] for one in listed} >= {"customers"}
    missing = run("files", "load", str(tmp_path / "none.xlsx"))
    assert (missing.returncode, missing.stderr) == (2, "recoup: the file is not there\n")
