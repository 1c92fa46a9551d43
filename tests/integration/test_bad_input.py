"""Bad input: a clear message, the good rows loaded, nothing lost."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import feed_folder as given
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from recoup.database.connect import connect

MIB = 1 << 20


@pytest.fixture(scope="module")
def book(module_database: str) -> str:
    """A small evaluation book of Shandong, shared: every test brings files of its own feed."""
    from recoup.domains.book.operations import create_book

    create_book(kind="evaluation", jurisdiction="cn/shandong", seed=1, name="test")
    return module_database


@pytest.fixture(scope="module", autouse=True)
def masters(book: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three contracts with a service point each."""
    assert load(given.write(tmp_path_factory.mktemp("masters"), given.base(), feed="masters")).complete


def load(folder: Path) -> Any:
    """Load a folder."""
    from recoup.usecases.load import load_folder

    return load_folder(folder)


def record(folder: Path) -> Any:
    """Load a folder of one file and return what became of it."""
    (file,) = load(folder).files
    r = file.record
    outcomes = r.loaded + r.known + r.superseding + r.conflicting + r.quarantined + r.skipped
    assert r.state == "REFUSED" or r.read == outcomes, r
    return r


def quarantined(sha256: str) -> list[tuple[Any, ...]]:
    """Row, field and reason of the refused rows of a file."""
    with connect("reader") as connection:
        return connection.execute(
            "SELECT row_no, field, reason FROM quarantine WHERE file_sha256 = %s ORDER BY row_no", [sha256]
        ).fetchall()


GOOD = "service_point,meter,read_on,part,index,months\nSP1,{m},2025-01-01,1,10,1\n{bad}\nSP2,{m},2025-01-01,1,10,1\n"


def readings(meter: str, bad: str) -> str:
    """Two good readings of a meter of its own, and a bad line between."""
    return GOOD.format(m=meter, bad=bad)


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        ("SP1,m,2025-01-02,1,ten,1", "index", "NOT_A_NUMBER"),
        ("SP1,m,2025-01-02,1,1.23456,1", "index", "TOO_MANY_DIGITS"),
        ("SP1,m,2025-01-02,1,-5,1", "index", "NEGATIVE_VALUE"),
        ("SP1,m,2025-01-02,1,,1", "index", "MISSING_VALUE"),
        ("SP1,m,2025-01-02,1,99999999999999999999,1", "index", "OUT_OF_BOUNDS"),
        ("SP1,m,1977-06-09,1,10,1", "read_on", "DATE_OUT_OF_BOUNDS"),
        ("SP1,m,1989-12-31,1,10,1", "read_on", "DATE_OUT_OF_BOUNDS"),
        ("SP1,m,2099-01-01,1,10,1", "read_on", "DATE_OUT_OF_BOUNDS"),
        ("SP1,m,2026-04-06,1,10,1", "read_on", "DATE_OUT_OF_BOUNDS"),
        ("SP1,m,2025-02-30,1,10,1", "read_on", "NOT_A_DATE"),
        ("SP1,m,2025-01-02,1,10,636624", "months", "OUT_OF_BOUNDS"),
        ("SP1,m,2025-01-02,1,10,241", "months", "OUT_OF_BOUNDS"),
        ("SP1,m,2025-01-02,1,10,0", "months", "OUT_OF_BOUNDS"),
        ("SP1,m,2025-01-02,1,10,1.5", "months", "NOT_A_NUMBER"),
        ("SP1,m,2025-01-02,1,10", "line", "RAGGED_LINE"),
        ("SP1,m,2025-01-02,1,10,1,7", "line", "RAGGED_LINE"),
        ('SP1,"m,2025-01-02,1,10,1', "line", "BROKEN_QUOTES"),
        ('SP1,m"m,2025-01-02,1,10,1', "line", "BROKEN_QUOTES"),
        ("SP1,m\0m,2025-01-02,1,10,1", "line", "CONTROL_CHARACTER"),
        (f"SP1,{'m' * 65},2025-01-02,1,10,1", "meter", "TOO_LONG"),
        ("SP9,m,2025-01-02,1,10,1", "service_point", "UNKNOWN_SERVICE_POINT"),
    ],
)
def test_a_bad_row_is_quarantined_by_row_and_field_and_the_good_ones_load(
    tmp_path: Path, bad: str, field: str, reason: str
) -> None:
    r = record(given.write(tmp_path, {"readings": readings(tmp_path.name, bad)}))
    assert (r.state, r.read, r.loaded, r.quarantined) == ("LOADED", 3, 2, 1)
    assert quarantined(r.sha256) == [(3, field, reason)]


@pytest.mark.parametrize(
    "good",
    [
        "SP1,{m},1990-01-01,1,10,1",
        "SP1,{m},2026-04-05,1,10,1",
        "SP1,{m},2025-01-02,1,0,240",
        'SP1,"{m}, ""new""",2025-01-02,1,10,1',
        "SP1, {m} ,2025-01-02,1, 10.0 ,1\r",
    ],
)
def test_a_row_at_the_bounds_is_good(tmp_path: Path, good: str) -> None:
    r = record(given.write(tmp_path, {"readings": readings(tmp_path.name, good.format(m=tmp_path.name))}))
    assert (r.loaded, r.quarantined) == (3, 0)


def test_a_row_that_is_not_utf8_is_quarantined_alone(tmp_path: Path) -> None:
    data = readings(tmp_path.name, "SP1,表,2025-01-02,1,10,1").encode().replace("表".encode(), "表".encode("gb18030"))
    r = record(given.write(tmp_path, {"readings": data}))
    assert (r.loaded, quarantined(r.sha256)) == (2, [(3, "line", "NOT_UTF8")])


def test_empty_lines_and_a_byte_order_mark_do_not_count(tmp_path: Path) -> None:
    data = "\ufeff" + readings(tmp_path.name, "").replace("\n", "\r\n")
    r = record(given.write(tmp_path, {"readings": data}, rows={"readings": 2}))
    assert (r.read, r.loaded) == (2, 2)


PARTIES = "party,name,kind\nP7,张三,PERSON\nP8,李四,PERSON\n"


@pytest.mark.parametrize(
    ("entity", "data", "told"),
    [
        ("parties", b"", "the file is empty"),
        ("parties", "\ufeff\r\n".encode(), "the file is empty"),
        ("parties", PARTIES.encode("utf-16"), "UTF-16.*iconv"),
        ("parties", PARTIES.encode("utf-16-le"), "UTF-16.*iconv"),
        ("parties", PARTIES.encode("gb18030"), "GB18030.*iconv -f GB18030"),
        ("parties", "party,kind\nP7,PERSON\n", "missing column name; the header has: party, kind"),
        ("parties", "party,name,kind,name\nP7,a,PERSON,b\n", "column name stands in the header twice"),
        ("weather", "day,rain\n2025-01-01,3\n", "unknown entity 'weather': one of org_units"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(
    tmp_path: Path, entity: str, data: str | bytes, told: str
) -> None:
    folder = given.write(tmp_path, {entity: data, "readings": readings(tmp_path.name, "SP1,m,2025-01-02,1,x,1")})
    report = load(folder)
    refused, good = sorted((file.record for file in report.files), key=lambda r: r.state != "REFUSED")
    assert not report.complete
    assert refused.state == "REFUSED"
    assert re.search(told, refused.detail), refused.detail
    assert (good.loaded, good.quarantined) == (2, 1)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = given.write(tmp_path, {"readings": readings("m", "")})
    (folder / "readings.csv").unlink()
    assert record(folder).detail == "the file is not there"


@pytest.mark.parametrize(
    ("rows", "sums", "told"),
    [
        ({"payments": 3}, {}, "rows: the manifest states 3, the file has 2"),
        ({}, {"payments": {"amount": "30.01"}}, "sum of amount: the manifest states 30.01, the file has 30.0000"),
        ({}, {"payments": {"channel": "2"}}, "the manifest sums channel, which is no numeric column"),
    ],
)
def test_control_totals_that_disagree_refuse_the_file_with_both_numbers(
    tmp_path: Path, rows: Mapping[str, int], sums: Mapping[str, Mapping[str, str]], told: str
) -> None:
    keys = (f"{tmp_path.name}1", f"{tmp_path.name}2")
    paid = [given.payment(keys[0], "10.00"), given.payment(keys[1], "20.00")]
    r = record(given.write(tmp_path, {"payments": paid}, rows=rows, sums=sums))
    assert r.state == "REFUSED"
    assert told in r.detail
    with connect("reader") as connection:
        found = connection.execute("SELECT 1 FROM payment WHERE channel_key = ANY(%s)", [list(keys)]).fetchall()
        kept = connection.execute("SELECT rows_stated, rows_read FROM loaded_file WHERE detail = %s", [r.detail])
        assert (found, kept.fetchone()) == ([], ((rows or {}).get("payments", 2), r.read))


def test_control_totals_count_bad_rows_too(tmp_path: Path) -> None:
    paid = [given.payment("t1", "10.00"), given.payment("t2", "5.00", contract="K99"), given.payment("t3", "1.2.3")]
    r = record(given.write(tmp_path, {"payments": paid}, sums={"payments": {"amount": "15"}}))
    assert (r.state, r.read, r.loaded, r.quarantined) == ("LOADED", 3, 1, 2)


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (None, "has no manifest.json"),
        ("{", "is not JSON"),
        ('{"feed": "f"}', "source: Field required"),
        (
            '{"feed": "f", "source": "s", "as_of": "2025-01-01T00:00:00", "simulated": false, "files": []}',
            "as_of: Input should have timezone info",
        ),
        (
            '{"feed": "f", "source": "s", "as_of": "2025-01-01T00:00:00Z", "simulated": false, "files": '
            '[{"name": "../x.csv", "entity": "parties", "rows": 1}]}',
            "no path in its name",
        ),
    ],
)
def test_a_folder_without_a_sound_manifest_is_refused(tmp_path: Path, manifest: str | None, told: str) -> None:
    from recoup.domains.feeds.manifest import LoadRefused

    if manifest:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(LoadRefused, match=told):
        load(tmp_path)


def test_a_folder_of_everything_bad_loses_nothing(tmp_path: Path) -> None:
    """All at once: refused files leave the others alone, and every row of those has an outcome."""
    bad = {
        "org_units": b"",
        "parties": PARTIES.encode("gb18030"),
        "accounts": "account_no\n1\n",
        "readings": readings("all", "SP1,all,1977-01-01,1,10,1\nSP1,all,2025-01-03,1,-1,1\nSP1,all,2025-01-01,1,11,1"),
        "payments": [given.payment("all", "1"), given.payment("all", "1"), given.payment("all", "2")],
    }
    report = load(given.write(tmp_path, bad))
    found = {file.record.entity: file.record for file in report.files}
    assert [name for name, r in found.items() if r.state == "REFUSED"] == ["org_units", "parties", "accounts"]
    assert (found["readings"].loaded, found["readings"].quarantined, found["readings"].conflicting) == (2, 2, 1)
    assert (found["payments"].loaded, found["payments"].skipped, found["payments"].conflicting) == (1, 1, 1)


FIELDS = st.sampled_from(
    ["SP1", "SP9", "", "m", "2025-01-01", "2025-01-02", "1977-01-01", "1", "2", "x", "-1", "636624", '"', '"a,b"', "\0"]
)
LINES = st.lists(st.lists(FIELDS, min_size=4, max_size=7).map(",".join), max_size=40)


@drawn(LINES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_of_any_file_has_exactly_one_outcome(tmp_path: Path, lines: list[str]) -> None:
    text = "\n".join(["service_point,meter,read_on,part,index,months", *lines, ""])
    rows = sum(1 for line in lines if line)
    r = record(given.write(tmp_path, {"readings": text}, rows={"readings": rows}))
    assert (r.state, r.read) == ("LOADED", rows)


MEASURED = """
import json, sys
from pathlib import Path
from recoup.cli import django
django.setup()
from recoup.usecases.load import load_folder

def told(name):
    return int(next(l for l in open("/proc/self/status") if l.startswith(name)).split()[1]) // 1024

load_folder(Path(sys.argv[1]))
before = told("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
record = load_folder(Path(sys.argv[2])).files[0].record
print(json.dumps({"growth": told("VmHWM") - before, "record": record._asdict()}))
"""


def measure(folder: Path, small: Path) -> tuple[int, Any]:
    """Load a folder in a process of its own; return how many MiB it grew by, and the record of its file."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(small), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["growth"], told["record"]


_LINE = b"SP%d,%s,2025-01-%02d,%d,%d.5,1\n"


def write_big(folder: Path, meter: str, size: int, long_line: int) -> tuple[int, int]:
    """Write a file of readings of `size` bytes with one long line in its middle; return its offset and the rows."""
    folder.mkdir()
    rows, offset = 0, None
    with (folder / "readings.csv").open("wb") as file:
        file.write(b"service_point,meter,read_on,part,index,months\n")
        while file.tell() < size:
            if offset is None and file.tell() >= (size - long_line) // 2:
                offset, rows = file.tell(), rows + 1
                file.write(b"SP1,")
                for _ in range(long_line // MIB):
                    file.write(b"x" * MIB)
                file.write(b"\n")
            many = range(rows, rows + 10_000)
            file.writelines(_LINE % (n % 3 + 1, meter.encode(), n % 28 + 1, n // 84, n) for n in many)
            rows += 10_000
    assert offset is not None
    stated = {"name": "readings.csv", "entity": "readings", "rows": rows, "sums": {}}
    told = {"feed": meter, "source": "erp", "as_of": given.AS_OF, "simulated": False, "files": [stated]}
    (folder / "manifest.json").write_text(json.dumps(told))
    return offset, rows


@pytest.mark.parametrize(
    ("size", "long_line", "limit"),
    [
        pytest.param(64 * MIB, 56 * MIB, 256, id="64 MiB"),
        pytest.param(64 * MIB, 2 * MIB, 256, id="64 MiB of rows", marks=pytest.mark.soak),
        pytest.param(2048 * MIB, 1984 * MIB, 1024, id="2 GiB", marks=pytest.mark.soak),
    ],
)
def test_a_line_without_end_is_one_refused_row_at_its_byte_and_takes_no_memory(
    tmp_path: Path, size: int, long_line: int, limit: int
) -> None:
    from django.db import connections

    offset, rows = write_big(tmp_path / "big", f"big{size}{long_line}", size, long_line)
    connections.close_all()
    growth, found = measure(tmp_path / "big", given.write(tmp_path / "small", given.base(), feed="masters"))
    assert growth < limit
    assert (found["read"], found["loaded"], found["quarantined"]) == (rows, rows - 1, 1)
    with connect("reader") as connection:
        kept = connection.execute(
            "SELECT byte_offset, reason, content FROM quarantine WHERE file_sha256 = %s", [found["sha256"]]
        ).fetchall()
    assert [(place, reason) for place, reason, _ in kept] == [(offset, "LINE_TOO_LONG")]
    assert kept[0][2].endswith(f"… ({long_line + 4} bytes)")
