"""Rules a reviewer should not have to repeat. Each failure says what to do instead."""

import ast
import re
from pathlib import Path

import polars as pl
import pytest

from recoup.core import frames

SOURCE = Path(__file__).resolve().parents[2] / "src" / "recoup"
FILES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
LINES_MAX = 500
FUNCTION_LINES_MAX = 60


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def test_only_the_ledgers_door_writes_entries_and_postings() -> None:
    writes = re.compile(r'(copy_rows\([^)]*"(entry|posting)"|INSERT INTO (entry|posting)\b)', re.S)
    doors = [named(path) for path in FILES if writes.search(path.read_text())]
    assert doors == ["domains/ledger/operations.py"], "post through domains.ledger.operations.post instead"


def test_nothing_updates_or_deletes_a_fact() -> None:
    facts = "entry|posting|bill|bill_line|open_item|allocation|payment|reading|touch|action|outcome|hold|quarantine"
    changes = re.compile(rf"\b(UPDATE|DELETE FROM|TRUNCATE)\s+({facts})\b")
    guilty = [named(path) for path in FILES if changes.search(path.read_text())]
    assert guilty == [], "append another fact instead"


def test_no_frame_contract_holds_a_float() -> None:
    contracts = {name: value for name, value in vars(frames).items() if name.isupper() and isinstance(value, dict)}
    kinds = [(name, column, kind) for name, schema in contracts.items() for column, kind in schema.items()]
    assert kinds and [kind for kind in kinds if kind[2] in (pl.Float32, pl.Float64)] == []


def test_core_rounds_in_one_place() -> None:
    rounding = re.compile(r"\.round\(|\.truediv\(|\bfloat\(|Float(32|64)")
    pure = [path for path in FILES if path.is_relative_to(SOURCE / "core")]
    guilty = [named(path) for path in pure if rounding.search(path.read_text())]
    assert guilty == [], "use core.money.round_minor"


def test_rule_families_do_not_import_one_another() -> None:
    ground = {"stretches", "money", "periods", "outcome", "frames", "rules", "draws", "hashing", "guards"}
    families = {path.stem for path in (SOURCE / "core").glob("*.py")} - ground - {"__init__"}
    crossed = []
    for name in families:
        text = (SOURCE / "core" / f"{name}.py").read_text()
        imported = set(re.findall(r"from recoup\.core\.(\w+) import", text))
        for group in re.findall(r"from recoup\.core import \(?([^)\n]*)", text):
            imported |= {part.strip() for part in group.split(",")}
        crossed += [(name, other) for other in imported & families]
    assert crossed == [], "compose families in core/flows"


@pytest.mark.parametrize("banned", ["utils", "helpers", "common", "manager", "misc"])
def test_no_module_has_a_name_that_says_nothing(banned: str) -> None:
    assert [named(path) for path in FILES if path.stem == banned] == []


def test_files_and_functions_stay_readable() -> None:
    long_files = [(named(path), len(path.read_text().splitlines())) for path in FILES]
    assert [item for item in long_files if item[1] > LINES_MAX] == []
    sizes = [(named(p), f.name, (f.end_lineno or 0) - f.lineno + 1) for p in FILES for f in functions(p)]
    assert [item for item in sizes if item[2] > FUNCTION_LINES_MAX] == []


def test_every_failpoint_has_a_name_of_its_own() -> None:
    points = [name for path in FILES for name in re.findall(r'\bhit\("([\w.]+)"\)', path.read_text())]
    assert len(points) == len(set(points)) and len(points) >= 12
