"""Soak tests: seeds from the command line's environment or from chance, always printed; results kept in the docs."""

import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

SEED = int(os.environ.get("RECOUP_SOAK_SEED") or secrets.randbelow(1_000_000))
_RESULTS = ROOT / "docs" / "verification.md"
_ours: dict[str, int] = {}


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of this run: RECOUP_SOAK_SEED, else a new one."""
    return SEED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _ours:
        terminalreporter.write_line(f"soak seed: {SEED} (the same again: RECOUP_SOAK_SEED={SEED} make soak)")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what became of the soak tests; a failed set-up counts as a failure."""
    if "soak" in report.keywords and (report.when == "call" or report.failed):
        _ours[report.outcome] = _ours.get(report.outcome, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Append this run to the table of results; one that was cut short, chosen from, or did nothing leaves no line."""
    if not _ours or session.exitstatus not in (0, 1) or session.config.option.keyword:
        return
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(_ours.items()))
    line = f"| {datetime.now(UTC):%Y-%m-%d} | `make soak` | {SEED} | {told} |\n"  # noqa: TID251
    text = _RESULTS.read_text()
    _RESULTS.write_text(text + ("" if text.endswith("\n") else "\n") + line)
