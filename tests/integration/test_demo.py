"""`recoup demo` in small: one month of a few customers, told, proved, and not done twice."""

from datetime import date

import pytest
from django.db import connections

from recoup.cli import demo
from recoup.database import roles, server

NAME = "recoup_demo_test"


@pytest.fixture
def small(own_server: server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration of one month, in a database of its own."""
    monkeypatch.setenv("RECOUP_DATABASE_NAME", NAME)
    monkeypatch.setattr(demo, "END", date(2025, 1, 31))
    monkeypatch.setattr(demo, "MONTHS", 1)
    yield
    connections.close_all()
    roles.drop_database(NAME)


def test_a_demo_ends_by_itself_verified_and_marked_and_a_second_call_only_reports(
    small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from recoup.cli.report import read_report

    demo.demo(accounts=40, seed=3, serve=0, lang="zh")
    first = capsys.readouterr().out
    assert "模拟数据" in first
    assert "recoup why" in first
    report = read_report(None)
    assert (report["simulated"], report["accounts"], report["days_closed"]) == (True, 40, 31)
    assert {row["measure"] for row in report["simulation"]} >= {"delay_p50", "late_share"}

    demo.demo(accounts=40, seed=3, serve=0, lang="en")
    assert "SIMULATED DATA" in capsys.readouterr().out
    assert read_report(None) == report


def test_another_city_is_refused_in_the_same_database(small: None) -> None:
    from recoup.cli.errors import UserError

    demo.demo(accounts=40, seed=3, serve=0, lang="zh")
    with pytest.raises(UserError, match="--accounts 40"):
        demo.demo(accounts=41, seed=3, serve=0, lang="zh")
    with pytest.raises(UserError, match="seed 3"):
        demo.demo(accounts=40, seed=4, serve=0, lang="zh")
