"""The steps, each through the engine's own functions, each durable where it stores, each with its limit."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import books
import limits
import polars as pl
from memory import watch_memory

from recoup.core import ageing, draws, frames, money, postings, rating, rollups
from recoup.core.flows import close_day, day, receive
from recoup.core.flows.bill import bill
from recoup.core.flows.day import Book, Conduct
from recoup.core.hashing import decision_hash
from recoup.core.outcome import Outcome
from recoup.core.rules import Rules
from recoup.database import server
from recoup.database.connect import connect
from recoup.domains.ledger import operations as ledger
from recoup.engine import cycle, lake, runs, store
from recoup.engine.profile import read_profile, read_rules
from recoup.engine.runs import Connection, Cut

LOOKUPS = 1_000
LOOKUP_GOAL_S = 0.1
REPEATS = 5  # of steps that store nothing

_MILLION = 1_000_000


class Step(NamedTuple):
    """One line of the table: what was done, how fast, against which limit; `goal` is the ratio asked for."""

    name: str
    accounts: int
    rows: int
    seconds: float
    rows_per_s: float
    peak_mib: float
    limit: str
    limit_rows_per_s: float
    ratio: float
    goal: str | None = None
    met: bool | None = None
    detail: Mapping[str, Any] = {}


class Timed(NamedTuple):
    """Seconds, highest memory and processor seconds of this process for a block, filled when it ends."""

    seconds: list[float]
    peak_mib: list[float]
    cpu_seconds: list[float]


@contextmanager
def timed() -> Iterator[Timed]:
    """Time a block on a server at rest."""
    limits.settle_server()
    taken = Timed([], [], [])
    with watch_memory() as peak:
        start, worked = perf_counter(), process_time()
        yield taken
        taken.seconds.append(perf_counter() - start)
        taken.cpu_seconds.append(process_time() - worked)
    taken.peak_mib.append(peak.mib)


def put_beside(
    name: str, accounts: int, rows: int, taken: Timed, limit: str, limit_rows_per_s: float, **judged: Any
) -> Step:
    """Put a step beside its limit. `judged`: goal, met and detail; the processor time of this process is added."""
    seconds = taken.seconds[0]
    detail = {"python_cpu_s": round(taken.cpu_seconds[0], 3), **judged.pop("detail", {})}
    speed = rows / seconds
    ratio = speed / limit_rows_per_s
    return Step(
        *(name, accounts, rows, seconds, speed, taken.peak_mib[0], limit, limit_rows_per_s, ratio),
        detail=detail,
        **judged,
    )


def beside_copy(name: str, accounts: int, taken: Timed, chosen: Mapping[str, str], at_least: float | None) -> Step:
    """Put a step beside the bare COPY of the rows it stored."""
    rows, bare_seconds = limits.copy_bare(chosen)
    step = put_beside(name, accounts, rows, taken, limits.BARE_COPY, rows / bare_seconds)
    if at_least is None:
        return step
    return step._replace(goal=f">= {at_least:g} x limit", met=step.ratio >= at_least)


def measure_load(accounts: int, folder: Path) -> Step:
    """Load the generated city's folder: files to facts, checks, quarantine and control totals included."""
    from recoup.usecases.load import load_folder

    with timed() as taken:
        report = load_folder(folder)
    if not report.complete:
        raise AssertionError("the generated city was not loaded whole")
    tables = ("org_unit", "party", "party_secret", "account", "contract", "agreement", "service", "installation")
    return beside_copy("load", accounts, taken, dict.fromkeys((*tables, "reading", "hold"), "true"), 0.5)


class Scene:
    """The loaded book in memory and the connection that stores; each step books on a day of its own."""

    def __init__(self, accounts: int, connection: Connection) -> None:
        self.accounts, self.connection = accounts, connection
        self.rules, self.profile = read_rules(), read_profile()
        for offset in range(62):
            connection.execute("SELECT recoup_make_partitions(%s)", [books.STEPS_FROM + timedelta(days=offset)])
        connection.commit()
        cut = Cut(0, books.MONTH[0], runs.current_snapshot(connection))
        self.book, issues = cycle.load_book(connection, cut, *books.MONTH, self.rules)
        if issues.height or self.book.determinants.height != accounts:
            raise AssertionError(f"{self.book.determinants.height} determinants, {issues.height} issues")

    def measure(self) -> Iterator[Step]:
        """Measure the steps from determinants to decisions, in this order."""
        yield self.rate()
        yield self.bill(books.STEPS_FROM)
        yield self.post(books.STEPS_FROM + timedelta(days=1))
        yield self.settle(books.STEPS_FROM + timedelta(days=34))
        yield self.close_day(books.STEPS_FROM + timedelta(days=40))
        yield self.decide(books.STEPS_FROM + timedelta(days=41))

    def rate(self) -> Step:
        """Determinants to bill lines, joins and issues included; the best of some, as of the loop."""
        measured = []
        for _ in range(REPEATS):
            with timed() as taken:
                lines = rating.rate(self.book.determinants, self.rules.tariffs).frames["lines"]
            measured.append(taken)
        best = min(measured, key=lambda each: each.seconds[0])
        limit = limits.rate_in_decimal(self.book.determinants, self.rules)
        step = put_beside("rate", self.accounts, lines.height, best, limits.DECIMAL_LOOP, limit)
        return step._replace(goal=">= 30 x limit", met=step.ratio >= 30)

    def bill(self, on: date) -> Step:
        """Determinants to stored bills, lines and open items."""
        before, run_no = self.book, 1
        with timed() as taken:
            made = bill(before.determinants, before.contracts, on, self.rules, id_from=run_no << 40)
            self.book = before._replace(
                items=pl.concat([before.items, made.frames["items"]]), determinants=before.determinants.clear()
            )
            self._store(_complete(made), before, self.book, on, run_no, own_ledger=False)
        self.billed = made.frames["items"]
        booked = f"booked_on = '{on}'"
        fresh = f"item_id >= {run_no << 40}"
        chosen = {"bill": booked, "bill_line": booked, "open_item": booked, "item_open": fresh}
        return beside_copy("bill", self.accounts, taken, chosen, 0.5)

    def post(self, on: date) -> Step:
        """Billed items to stored entries and postings, the check of the sums and the balance included."""
        with timed() as taken:
            made = postings.post_bills(self.billed, self.rules.subjects, id_from=2 << 40)
            with self.connection.cursor() as cursor:
                ledger.post(cursor, made.frames["entries"], made.frames["postings"], booked_on=on, run_no=2)
            self.connection.commit()
        booked = f"booked_on = '{on}'"
        return beside_copy("post", self.accounts, taken, {"entry": booked, "posting": booked}, 0.5)

    def settle(self, on: date) -> Step:
        """Money of four contracts in five: received, set against late charges and bills, posted, stored."""
        before, run_no = self.book._replace(payments=_pay(self.book, on, self.rules)), 3
        with timed() as taken:
            conduct = Conduct(bills=False, charges=True, simulate=False, seed=books.SEED)
            made = day.book_money(before, on, self.rules, conduct, None, id_from=run_no << 40)
            self.book = day.apply_money(before, made, None)
            self._store(made, before, self.book, on, run_no, own_ledger=True)
        booked = f"booked_on = '{on}'"
        chosen = {name: booked for name in ("open_item", "allocation", "entry", "posting")}
        return beside_copy("settle", self.accounts, taken, {"payment": f"run_no = {run_no}", **chosen}, None)

    def _store(self, made: Outcome, before: Book, after: Book, on: date, run_no: int, *, own_ledger: bool) -> None:
        with self.connection.cursor() as cursor:
            store.store_money(cursor, made, before, after, on=on, run_no=run_no, own_ledger=own_ledger)
        self.connection.commit()

    def close_day(self, on: date) -> Step:
        """Age, late charge, roll-ups, facts, decisions: hashed, in the lake and in the database."""
        before, run_no = self.book, 4
        with timed() as taken:
            moved = rollups.advance_rollups(
                before.rollups,
                bills=frames.empty(frames.BILLS),
                closed_items=frames.empty(day.CLOSED),
                arrears=ageing.summarise_arrears(before.items, on),
                touches=before.touches,
                on=on,
            )
            book = before._replace(rollups=rollups.replace_rollups(before.rollups, moved))
            accrued = _sum_accrued(book, on, self.rules)
            decided = self._decide(book, on, run_no, accrued)
            decision_hash(decided.frames["decisions"])
            self._store_decisions(book, decided, moved, on, run_no)
        return self._beside_file("close_day", taken, decided.frames["decisions"], on, None)

    def decide(self, on: date) -> Step:
        """Facts of loaded frames to one decision per contract, the lake's file written durably; the best of some."""
        measured = []
        for nth in range(REPEATS):
            with timed() as taken:
                decided = self._decide(self.book, on, 5 + nth, None)
            measured.append(taken)
        best = min(measured, key=lambda each: each.seconds[0])
        return self._beside_file("decide", best, decided.frames["decisions"], on, _MILLION)

    def _decide(self, book: Book, on: date, run_no: int, accrued: pl.DataFrame | None) -> Outcome:
        loaded = book.as_day_book()
        proposals = close_day.propose(loaded, on, self.rules, {}, "own")
        rationed = close_day.ration(proposals, self.rules, on, books.SEED)
        frames_of = rationed.frames
        decided = close_day.decide(
            frames_of["proposals"], frames_of["cutoffs"], loaded, self.rules, on, run_no, accrued
        )
        lake.write_decisions(decided.frames["decisions"], on=on, run_no=run_no, slice_no=0, fence=1)
        return decided

    def _store_decisions(self, book: Book, decided: Outcome, moved: pl.DataFrame, on: date, run_no: int) -> None:
        decisions = decided.frames["decisions"]
        touches, touch_items = day.find_touches(decided, on)
        episodes = decisions.filter(pl.col("episode_from_on").is_not_null())
        after = day.apply_decisions(book, touches, touch_items, episodes, moved.clear())
        with self.connection.cursor() as cursor:
            store.store_decisions(
                *(cursor, decided, touches, touch_items, after),
                on=on,
                run_no=run_no,
                denom=self.rules.denom,
                simulated=True,
            )
            store.replace_episodes(cursor, book.episodes, after.episodes)
            store.replace_rollups(cursor, moved)
            store.store_enrolments(cursor, book, after, decisions)
        self.connection.commit()
        self.book = after

    def _beside_file(self, name: str, taken: Timed, decisions: pl.DataFrame, on: date, goal: int | None) -> Step:
        """Put a step beside writing its decisions alone to the lake."""
        start = perf_counter()
        lake.write_decisions(decisions, on=on, run_no=99, slice_no=0, fence=1)
        bare = perf_counter() - start
        limit = ("bare lake file of the same rows", decisions.height / bare)
        step = put_beside(name, self.accounts, decisions.height, taken, *limit)
        if goal is None:
            return step
        return step._replace(goal=f">= {goal:,} contracts/s", met=step.rows_per_s >= goal)


def _complete(made: Outcome) -> Outcome:
    """Fill in what a day without money leaves empty."""
    nothing: dict[str, pl.DataFrame] = {
        "payments": frames.empty(receive.PAYMENTS),
        "reversals": frames.empty(receive.REVERSALS),
        "credits": frames.empty(frames.CREDITS),
        "charges": frames.empty(frames.ITEMS),
        "charge_credits": frames.empty(frames.CREDITS),
        "charges_booked": frames.empty(frames.CHARGES_BOOKED),
        "allocations": frames.empty(frames.ALLOCATIONS),
    }
    return made._replace(frames={**nothing, **made.frames})


def _pay(book: Book, on: date, rules: Rules) -> pl.DataFrame:
    """What four contracts in five owe by today, late charges included, paid today."""
    accrued = day.accrue(book.items, book, on, rules)
    owed = book.items.join(accrued.select("item_id", accrued="amount_minor"), on="item_id", how="left").with_columns(
        owed_minor=pl.col("open_minor") + pl.col("accrued").fill_null(0)
    )
    payers = owed.filter(pl.col("contract_id") % 5 != 0).group_by("contract_id", "denom")
    return payers.agg(money.exact_sum("owed_minor").alias("amount_minor")).select(
        "contract_id",
        channel=pl.lit(receive.SIMULATOR),
        channel_key=pl.format("BENCH-{}", "contract_id"),
        version=pl.lit(1, pl.Int64),
        value_on=pl.lit(on),
        received_on=pl.lit(on),
        amount_minor="amount_minor",
        denom="denom",
        designation=pl.lit(None, pl.String),
        reverses=pl.lit(None, pl.String),
        waits=pl.lit(False),
    )


def _sum_accrued(book: Book, on: date, rules: Rules) -> pl.DataFrame:
    accrued = day.accrue(book.items, book, on, rules)
    owners = book.items.select("item_id", "contract_id")
    return accrued.join(owners, on="item_id").group_by("contract_id").agg(accrued_minor=money.exact_sum("amount_minor"))


def measure_month(accounts: int, watch: Callable[[cycle.DayDone], None]) -> Step:
    """A whole month, day by day as `recoup cycle` runs it: loading the book included, every decision of every day."""
    rules, profile = read_rules(), read_profile()
    cycle.run_cycle(books.EVE, books.EVE, rules, profile)
    with timed() as taken:
        cycle.run_cycle(*books.MONTH, rules, profile, watch=watch)
    booked = f"booked_on >= '{books.MONTH[0]}'"
    decided = f"decided_on >= '{books.MONTH[0]}'"
    tables = ("bill", "bill_line", "open_item", "allocation", "entry", "posting")
    chosen = {
        **dict.fromkeys(tables, booked),
        "payment": f"value_on >= '{books.MONTH[0]}'",
        "item_open": f"item_id IN (SELECT item_id FROM open_item WHERE {booked})",
        "rollup": f"month_on >= '{books.MONTH[0]}'",
        **dict.fromkeys(("action", "touch", "touch_item"), decided),
        "enrolment": f"episode_from_on >= '{books.MONTH[0]}'",
    }
    step = beside_copy("month", accounts, taken, chosen, 1 / 3)
    detail = {**step.detail, "times_limit": round(1 / step.ratio, 2)}
    return step._replace(goal="<= 3 x time of limit", detail=detail)


def measure_lookup(accounts: int) -> Iterator[Step]:
    """`recoup why` in a warm server, contracts drawn at random, one by one; then with no page cached before each."""
    from recoup import rulebook
    from recoup.engine import why

    law = why.read_law(rulebook.load(books.JURISDICTION))
    cache = limits.PageCache(_list_files())
    with connect("app") as connection:
        numbers = _draw_numbers(connection)
        bare = LOOKUPS / sum(_time(lambda n=n: _look_up(connection, n)) for n in numbers)
        for number in numbers:  # warms what the first pass reads
            why.answer(connection, number, None, law)
        for name, prepare in (("look-up", lambda: None), ("look-up, cold", cache.drop)):
            with timed() as taken:
                seconds = sorted(_time(lambda n=n: why.answer(connection, n, None, law), prepare) for n in numbers)
            yield _beside_row(name, accounts, seconds, taken, bare)
    print(f"\r  dropped before each cold look-up: {cache.told}", file=sys.stderr, flush=True)


def _beside_row(name: str, accounts: int, seconds: list[float], taken: Timed, bare: float) -> Step:
    """Put look-ups, their seconds ascending, beside reading one row."""
    p50, p99 = seconds[LOOKUPS // 2], seconds[LOOKUPS * 99 // 100]
    answering = taken._replace(seconds=[sum(seconds)])  # without what was done between them
    return put_beside(
        *(name, accounts, LOOKUPS, answering, "one indexed row per contract, warm", bare),
        goal=f"p99 < {LOOKUP_GOAL_S * 1_000:.0f} ms",
        met=p99 < LOOKUP_GOAL_S,
        detail={"p50_ms": _round_ms(p50), "p99_ms": _round_ms(p99)},
    )


def _list_files() -> list[Path]:
    """Files of the lake and of the server's data."""
    running = server.status()
    folders = [lake.lake_folder(), *([running.data_folder] if running else [])]
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def _draw_numbers(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT account_no, account_id FROM account ORDER BY account_id").fetchall()
    accounts = pl.DataFrame(rows, schema={"account_no": pl.String, "account_id": pl.Int64}, orient="row")
    drawn = draws.draw_u64(pl.col("account_id"), seed=books.SEED, purpose="bench.look-up")
    return accounts.sort(drawn)["account_no"].head(LOOKUPS).to_list()


def _look_up(connection: Connection, number: str) -> None:
    connection.execute("SELECT * FROM account WHERE account_no = %s", [number]).fetchone()
    connection.rollback()


def _time(what: Callable[[], object], prepare: Callable[[], None] = lambda: None) -> float:
    prepare()
    start = perf_counter()
    what()
    return perf_counter() - start


def _round_ms(seconds: float) -> float:
    return round(seconds * 1_000, 1)
