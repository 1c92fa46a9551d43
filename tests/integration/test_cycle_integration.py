"""The cycle against a real database: repeatable, the same in any slices, as reloaded, in any order of arrival."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest
import tiny_book
from fault_scenes import differences
from tiny_book import END, START

from recoup.core import frames
from recoup.core.flows.day import Book
from recoup.database.connect import connect

type Enter = Callable[[str], str]

MONTH_END = date(2025, 1, 31)


def hashes() -> list[tuple]:
    with connect("reader") as connection:
        return connection.execute("SELECT business_on, content_hash FROM run ORDER BY 1").fetchall()


def test_closing_closed_days_again_changes_nothing(enter_copy: Enter, closed_book: str) -> None:
    enter_copy(closed_book)
    before = tiny_book.dump()
    assert tiny_book.close(START, END) == 0
    assert tiny_book.dump() == before


def test_stops_and_slices_change_nothing_and_the_resident_book_is_the_one_a_reload_finds(
    enter_copy: Enter, loaded_book: str, closed_book: str
) -> None:
    """In one go and one slice, or started three times over three slices: the same rows and the same content hashes.

    Invariant 9 on the way: on the first day, with late money, on both sides of a month end.
    """
    enter_copy(loaded_book)
    compared = {START, START + timedelta(days=9), MONTH_END, MONTH_END + timedelta(days=2), END}
    for first, last in ((0, 0), (1, 11), (12, (END - START).days)):
        until = START + timedelta(days=last)
        for on, resident in close_and_keep(START + timedelta(days=first), until):
            if on in compared:
                reloaded = reload(on, until)
                found = {name: not_in_both(getattr(resident, name), getattr(reloaded, name), name) for name in _KEYS}
                assert found == {name: [] for name in _KEYS}, on
    assert slices_per_run() == {3}
    assert tiny_book.find_failures() == []
    ours, whole = hashes(), tiny_book.dump()
    enter_copy(closed_book)
    assert ours == hashes()
    assert differences(whole, tiny_book.dump()) == []


def slices_per_run() -> set[int]:
    with connect("reader") as connection:
        return {row[0] for row in connection.execute("SELECT count(*) FROM slice GROUP BY run_no")}


def test_a_gap_in_days_is_refused(enter_copy: Enter, closed_book: str) -> None:
    from recoup.engine.cycle import GapInDays

    enter_copy(closed_book)
    with pytest.raises(GapInDays, match="start from"):
        tiny_book.close(END + timedelta(days=2), END + timedelta(days=3))


_KEYS = {
    "contracts": ["contract_key"],
    "determinants": ["reading_key"],
    "payments": ["channel", "channel_key"],
    "holds": ["hold_key"],
    "items": ["item_key"],
    "credits": ["item_key"],
    "paid": ["item_id", "value_on", "amount_minor"],
    "booked": ["item_id", "accrued_to_on", "amount_minor"],
    "touches": ["contract_id", "decided_on", "action_code"],
    "touch_items": ["contract_id", "decided_on", "action_code", "item_id"],
    "episodes": ["contract_id"],
    "rollups": ["contract_id", "month_on"],
}


def close_and_keep(start: date, end: date):
    """Close day by day and yield the resident book of each evening."""
    from recoup.engine import cycle
    from recoup.engine.profile import read_profile, read_rules

    with connect("app") as connection:
        worker = cycle._Cycle(connection, read_rules(), read_profile(), start, end, 80)
        for offset in range((end - start).days + 1):
            worker.close(start + timedelta(days=offset))
            yield start + timedelta(days=offset), join(worker.books)


def join(books: list[Book]) -> Book:
    return Book(*(pl.concat([getattr(book, name) for book in books]) for name in Book._fields))


def reload(on: date, until: date) -> Book:
    """The book as a worker would load it the next morning, to close the days up to `until`."""
    from recoup.engine import cycle, runs
    from recoup.engine.profile import read_rules

    next_on = on + timedelta(days=1)
    with connect("app") as connection:
        cut = runs.Cut(0, next_on, runs.current_snapshot(connection))
        return cycle.load_book(connection, cut, next_on, until, read_rules())[0]


def not_in_both(resident: pl.DataFrame, reloaded: pl.DataFrame, name: str) -> list:
    """Rows that only one of the two has; what no later day will read is left aside."""
    if name == "determinants":
        resident = resident.join(reloaded.select("reading_key"), on="reading_key", how="semi")
    a, b = (frame.select(sorted(frame.columns)).sort(_KEYS[name]) for frame in (resident, reloaded))
    counted = [f.group_by(f.columns).agg(n=pl.len()) for f in (a, b)]
    keys = counted[0].columns
    lost = counted[0].join(counted[1], on=keys, how="anti", nulls_equal=True)
    won = counted[1].join(counted[0], on=keys, how="anti", nulls_equal=True)
    return [*lost.head(2).rows(named=True), *won.head(2).rows(named=True)]


OPEN = """
    SELECT i.item_key, i.amount_minor, o.open_minor FROM open_item i JOIN item_open o USING (item_id)
    WHERE i.charge_of IS NULL ORDER BY 1
"""
# Per charge and per (credit, debit, day) what is booked in all, however many rows it took.
BOOKED = """
    SELECT 'charge', p.item_key, i.value_on::text, sum(i.amount_minor)::bigint FROM open_item i
    JOIN open_item p ON p.item_id = i.charge_of GROUP BY 1, 2, 3 HAVING sum(i.amount_minor) <> 0
    UNION ALL
    SELECT c.item_key, d.item_key, a.value_on::text, sum(a.amount_minor)::bigint FROM allocation a
    JOIN open_item c ON c.item_id = a.credit_id JOIN open_item d ON d.item_id = a.debit_id
    WHERE c.origin_kind = 'PAYMENT' AND d.charge_of IS NULL GROUP BY 1, 2, 3 HAVING sum(a.amount_minor) <> 0
    ORDER BY 1, 2, 3
"""
REVENUE = "SELECT subject, sum(amount_minor)::bigint FROM balance GROUP BY 1 ORDER BY 1"


def state() -> list[list[tuple]]:
    """Open items, sums booked, balances of the ledger, and the decisions of the last day."""
    with connect("reader") as connection:
        counted = [connection.execute(query).fetchall() for query in (OPEN, BOOKED, REVENUE)]
        (last,) = connection.execute("SELECT max(business_on) FROM run").fetchone() or (None,)
    surrogates = ("run_no", "contract_id", "account_id")
    return [*counted, read_decisions(last).drop(surrogates).cast(pl.String).rows()]


def test_money_known_late_gives_what_it_would_have_given_in_time(enter_copy: Enter, template: str) -> None:
    """Invariant 5: the same open items, sums booked per item and value day, balances, and next decisions.

    Some payments are known days after they were made; those of every other contract come in a file of their own, loaded
    when most of their days are closed.
    """
    paid = tiny_book.make_payments(48).with_columns(i=pl.col("contract").str.slice(1).cast(pl.Int64))
    known_at_once = paid.with_columns(received_on="value_on")
    delayed = paid.with_columns(received_on=pl.col("value_on") + pl.duration(days=pl.col("i") % 12))
    is_in_time = pl.col("i") % 2 == 0
    in_time = close_live(enter_copy, template, known_at_once)
    late = close_live(enter_copy, template, delayed.filter(is_in_time), known_at_once.filter(~is_in_time))
    for ours, theirs in zip(late, in_time, strict=True):
        assert sorted(set(ours) ^ set(theirs), key=str)[:6] == []


def close_live(
    enter_copy: Enter, template: str, paid: pl.DataFrame, paid_later: pl.DataFrame | None = None
) -> list[list[tuple]]:
    """A live book with these payments, some of them loaded after three weeks, closed when all are known."""
    loaded_on, last = START + timedelta(days=22), START + timedelta(days=45)
    enter_copy(template)
    tiny_book.open_book("live")
    tiny_book.fill(48, others={"payments": paid.drop("i")})
    tiny_book.close(START, loaded_on)
    if paid_later is not None:
        tiny_book.load({"payments": paid_later.drop("i")}, as_of_on=loaded_on)
    tiny_book.close(START, last)
    assert tiny_book.find_failures() == []
    return state()


def test_readings_told_late_are_billed_or_refused_on_the_first_open_day(enter_copy: Enter, template: str) -> None:
    """Two meters are read on closed days and their readings come later; one of them ran backwards."""
    late = ["SP0005", "SP0013"]
    readings = tiny_book.make_readings(20)
    told_late = pl.col("service_point").is_in(late) & (pl.col("read_on") > START + timedelta(days=13))
    enter_copy(template)
    tiny_book.open_book("live")
    tiny_book.fill(20, others={"readings": readings.filter(~told_late)})
    tiny_book.close(START, START + timedelta(days=24))
    tiny_book.load({"readings": readings.filter(told_late)}, as_of_on=START + timedelta(days=24))
    tiny_book.close(START, START + timedelta(days=26))
    assert tiny_book.find_failures() == []
    first_open = START + timedelta(days=25)
    with connect("reader") as connection:
        billed = connection.execute(
            "SELECT count(*) FROM bill WHERE issued_on = %s AND read_wh > 0 AND reading_key LIKE 'SP0005/%%'",
            [first_open],
        ).fetchone()
        refused = connection.execute("SELECT DISTINCT kind FROM run_issue WHERE key LIKE 'SP0013/%%'").fetchall()
    assert billed == (1,)
    assert refused == [("NEGATIVE_INDEX",)]


def test_a_hold_on_a_bill_holds_that_bill_only_though_told_before_the_bill(enter_copy: Enter, loaded_book: str) -> None:
    """The same decisions whether the cycle began before the bill was made or was started again after it."""
    holds = [(f"N{i:04d}", tiny_book.key(i), tiny_book.item_key(i), START, END) for i in (19, 38, 57, 228)]
    found = []
    for first_stop in (0, 12):
        enter_copy(loaded_book)
        tiny_book.load({"holds": tiny_book.as_holds(holds)})
        tiny_book.close(START, START + timedelta(days=first_stop))
        tiny_book.close(START + timedelta(days=first_stop + 1), START + timedelta(days=14))
        found.append(hashes())
    assert found[0] == found[1]


def test_a_mirrored_book_posts_nothing_and_is_silent_when_its_feed_is_stale(enter_copy: Enter, template: str) -> None:
    """Invariant 11. The feed's mark is the noon of a day: the next day it is older than any limit of the ladder."""
    from recoup.domains.book.operations import set_modes

    fed_on = START + timedelta(days=12)
    enter_copy(template)
    tiny_book.open_book("live")
    set_modes("external")
    tiny_book.fill(60, as_of_on=fed_on)
    tiny_book.close(START, fed_on + timedelta(days=3))
    with connect("reader") as connection:
        ours = [
            connection.execute(f"SELECT count(*) FROM {table} WHERE run_no IS NOT NULL".encode()).fetchone()
            for table in ("entry", "bill")
        ]
        acted = connection.execute("SELECT min(decided_on), max(decided_on), count(*) FROM action").fetchone()
    assert ours == [(0,), (0,)]
    assert acted is not None and acted[2] > 0
    assert acted[1] <= fed_on
    assert reasons(fed_on)["ACTED"] > 0
    after = reasons(fed_on + timedelta(days=2))
    assert "ACTED" not in after and after["STALE_FEED"] > 0
    assert tiny_book.find_failures() == []


def reasons(on: date) -> dict[str, int]:
    counted = read_decisions(on)["reason"].cast(pl.String).value_counts()
    return {str(reason): count for reason, count in counted.rows()}


def read_decisions(on: date) -> pl.DataFrame:
    from recoup.engine import lake

    with connect("reader") as connection:
        files = connection.execute(
            "SELECT file FROM slice JOIN run USING (run_no) WHERE business_on = %s", [on]
        ).fetchall()
    return lake.read_decisions([name for (name,) in files])


def test_frames_of_a_loaded_book_keep_their_contracts(enter_copy: Enter, closed_book: str) -> None:
    enter_copy(closed_book)
    loaded = reload(END, END)
    for name, schema in (("items", frames.ITEMS), ("credits", frames.CREDITS), ("holds", frames.HOLDS)):
        assert frames.conform(getattr(loaded, name), schema).equals(getattr(loaded, name))
