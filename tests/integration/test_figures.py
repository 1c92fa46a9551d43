"""Prepared sums: the same as the book's, in every scope, and the same as the report's of the night."""

from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest
import tiny_book

from recoup.database import roles
from recoup.database.connect import connect

DENOM, DIGITS = "CNY", 2


NAME = "recoup_figures"


@pytest.fixture(scope="module")
def book(closed_book: str) -> Iterator[str]:
    """A copy of the tiny book after its five weeks, its last day prepared."""
    from django.db import connections

    from recoup.engine.indicator_sheet import prepare

    with pytest.MonkeyPatch.context() as patch:
        connections.close_all()
        tiny_book.copy_book(closed_book, NAME)
        patch.setenv("RECOUP_DATABASE_NAME", NAME)
        with connect("app") as connection:
            prepare(connection, tiny_book.END, DENOM)
        yield NAME
        connections.close_all()
        roles.drop_database(NAME)


def read_sum(figures: pl.DataFrame, measure: str) -> int:
    return int(figures.filter(pl.col("measure") == measure)["amount_minor"].sum())


def test_prepared_sums_are_those_of_the_nights_report(book: str) -> None:
    from recoup.domains.access.scope import Scope
    from recoup.engine.figures import as_major
    from recoup.engine.indicator_sheet import read_sheet, share_by
    from recoup.engine.report import build_report

    with connect("reader") as connection:
        report = build_report(connection, None)
        sheet = read_sheet(connection, Scope.EVERYTHING, None, DENOM)
    bases = share_by(sheet.figures).row(0, named=True)
    # Nothing of the tiny book is told after its last day: as it stood that night is as known now.
    for name in ("receivable", "received", "carried", "received_prior"):
        assert as_major(bases[f"{name}_minor"], DIGITS) == report[name], name
    assert as_major(read_sum(sheet.figures, "OPEN"), DIGITS) == report["receivable_open"]
    assert as_major(read_sum(sheet.figures, "UNAPPLIED"), DIGITS) == report["unapplied"]
    assert as_major(read_sum(sheet.figures, "LATE_CHARGES_OPEN"), DIGITS) == report["late_charges_open"]
    assert as_major(read_sum(sheet.figures, "BILLED"), DIGITS) == report["billed"]
    ages = {
        part: (rows, as_major(minor, DIGITS))
        for part, rows, minor in sheet.figures.filter(pl.col("measure") == "OPEN")
        .group_by("part")
        .agg(pl.col("rows", "amount_minor").sum())
        .iter_rows()
    }
    told = {name: (each["items"], each["amount"]) for name, each in report["ageing"].items() if each["items"]}
    assert ages == told


def test_every_scope_sums_to_its_part_and_a_district_is_summed_from_the_book(book: str) -> None:
    from recoup.domains.access.scope import Scope, scope_of_unit
    from recoup.engine.indicator_sheet import read_sheet

    with connect("reader") as connection:
        whole = read_sheet(connection, Scope.EVERYTHING, None, DENOM)
        station = read_sheet(connection, scope_of_unit("S1"), None, DENOM)
        parts = [read_sheet(connection, scope_of_unit(code), None, DENOM) for code in ("D1", "D2", "D3")]
        nothing = read_sheet(connection, Scope(frozenset()), None, DENOM)
    assert station.figures.equals(whole.figures)
    assert all(part.prepared is None for part in parts)
    together = pl.concat([part.figures for part in parts])
    key = ["org_unit", "class", "measure", "part"]
    summed = together.group_by(key).agg(pl.col("rows", "amount_minor").sum()).sort(key)
    assert summed.equals(whole.figures)
    assert nothing.figures.is_empty()


def test_the_prepared_gap_list_is_the_one_read_from_the_book(book: str) -> None:
    from recoup.domains.access.scope import Scope, scope_of_unit
    from recoup.domains.analytics.operations import set_target
    from recoup.engine.gap import Wanted, list_gap

    with connect("app") as connection, connection.cursor() as cursor:
        set_target(cursor, unit="*", measure="current", share_ppm=990_000, valid_from=date(2025, 1, 1), by="someone")
    for scope in (Scope.EVERYTHING, scope_of_unit("D2")):
        with connect("reader") as connection:
            both = [list_gap(connection, scope, None, DENOM, Wanted(limit=None), live=live) for live in (False, True)]
        assert both[0].rows and both[0].rows == both[1].rows
        assert both[0]._replace(known_at=None) == both[1]
        missing = both[0].missing
        wanted = (missing.receivable_minor * 99 * 2 + 100) // 200
        assert missing.gap_minor == wanted - missing.received_minor


def test_nothing_of_another_unit_is_in_a_gap_list(book: str) -> None:
    from recoup.domains.access.scope import scope_of_unit
    from recoup.engine.gap import Wanted, list_gap

    with connect("reader") as connection:
        inside = list_gap(connection, scope_of_unit("D1"), None, DENOM, Wanted(limit=None, needed_only=False))
        outside = list_gap(connection, scope_of_unit("D1"), None, DENOM, Wanted(unit="D2", limit=None))
    assert inside.rows and {row["org_unit"] for row in inside.rows} == {"D1"}
    assert (outside.rows, outside.debtors.contracts) == ([], 0)


def test_a_book_prepared_twice_holds_one_sheet_of_the_day(book: str) -> None:
    from recoup.domains.analytics.queries import list_prepared
    from recoup.engine.indicator_sheet import prepare

    with connect("app") as connection:
        first = prepare(connection, tiny_book.END, DENOM)
        second = prepare(connection, tiny_book.END, DENOM)
        days = list_prepared(connection)
    assert first.content_hash == second.content_hash
    assert [day.business_on for day in days] == [tiny_book.END]


def test_a_late_fact_makes_the_days_it_touches_be_prepared_again(book: str) -> None:
    from recoup.engine.indicator_sheet import list_days_to_prepare

    with connect("app") as connection:
        assert list_days_to_prepare(connection, tiny_book.END, tiny_book.END) == []
        # A month end within the range, never prepared.
        assert list_days_to_prepare(connection, tiny_book.START, tiny_book.END) == [date(2025, 1, 31)]
        connection.execute("UPDATE figure_day SET snapshot = '3:3:'")
        connection.commit()
        assert list_days_to_prepare(connection, tiny_book.END, tiny_book.END) == [tiny_book.END]
        connection.execute("DELETE FROM figure_day")
        connection.commit()
