"""`recoup cycle`: day by day over the resident book, resumable at any instant.

Each day is one run under one cut. Per slice: money is derived and booked in one transaction; then, over the whole
run, decisions are proposed, rationed and made, and committed slice by slice. The book never reloads between days;
after a kill it is loaded from what was committed and the open day goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from recoup.core import ageing, money, rollups
from recoup.core.flows import close_day
from recoup.core.flows.day import (
    CLOSED,
    Book,
    Conduct,
    Late,
    accrue,
    apply_decisions,
    apply_money,
    book_money,
    find_closed,
    find_touches,
    late_groups,
    prune_touches,
    rederive_episodes,
)
from recoup.core.frames import BILLS, HOLDS, conform
from recoup.core.hashing import decision_hash
from recoup.core.outcome import Outcome
from recoup.core.rules import Rules
from recoup.database.connect import connect
from recoup.database.failpoints import hit
from recoup.engine import book as loading
from recoup.engine import lake, runs, store
from recoup.engine import late as late_facts
from recoup.engine.due_readings import determine_due
from recoup.engine.freshness import feed_ages, read_watermarks
from recoup.engine.runs import Connection, Cut, Run, Slice


class DayDone(NamedTuple):
    """What a closed day reports to whoever watches."""

    on: date
    decisions: int
    acted: int
    bills: int
    payments: int
    issues: int


class Profile(NamedTuple):
    """What the cycle must know of its book."""

    kind: str
    external: bool
    own_ledger: bool
    timezone: str
    seed: int

    @property
    def simulated(self) -> bool:
        """Only demo and evaluation books have simulated people."""
        return self.kind in ("demo", "evaluation") and not self.external


class GapInDays(Exception):
    """Days between the last closed day and the first asked one were never run."""


class CycleNotStarted(Exception):
    """The book has no contract to run over."""


def run_cycle(
    start: date,
    end: date,
    rules: Rules,
    profile: Profile,
    *,
    watch: Callable[[DayDone], None] = lambda _: None,
    contracts_per_slice: int = runs.SLICE_CONTRACTS,
) -> int:
    """Close every day of `[start, end]` not closed yet; return how many were. Safe to kill and to repeat."""
    with connect("app") as connection:
        runs.hold_cycle_lock(connection)
        _sweep_lake(connection)
        first = _first_day(connection, start)
        if first > end:
            return 0
        cycle = _Cycle(connection, rules, profile, first, end, contracts_per_slice)
        days = (end - first).days + 1
        for offset in range(days):
            watch(cycle.close(first + timedelta(days=offset)))
        connection.execute("SELECT recoup_analyze()")
        connection.commit()
        return days


def _sweep_lake(connection: Connection) -> None:
    """Remove what killed workers left in the lake: nobody else writes while the cycle's lock is held.

    Only of runs that the database knows: others are a sign that it is older than its lake, which `verify` tells.
    """
    files = {str(name) for (name,) in connection.execute("SELECT file FROM slice WHERE file IS NOT NULL").fetchall()}
    known = {int(no) for (no,) in connection.execute("SELECT run_no FROM run").fetchall()}
    connection.commit()
    lake.sweep(files, known)


def _first_day(connection: Connection, start: date) -> date:
    opened = runs.get_open_run(connection)
    if opened is not None:
        return opened.business_on
    done = runs.last_done_on(connection)
    if done is None:
        return start
    if start > done + timedelta(days=1):
        raise GapInDays(f"the book is closed to {done}: start from {done + timedelta(days=1)}")
    return done + timedelta(days=1)


class _Cycle:
    """The resident book, cut into slices, and the connection that stores it."""

    def __init__(
        self,
        connection: Connection,
        rules: Rules,
        profile: Profile,
        first: date,
        end: date,
        contracts_per_slice: int,
    ) -> None:
        self.connection, self.rules, self.profile = connection, rules, profile
        self.run = runs.get_open_run(connection)
        if self.run is not None:  # whoever left it open is dead: this session holds the cycle's lock
            runs.free_dead_leases(connection, self.run)
        self.snapshot = (
            runs.get_cut(connection, self.run.cut_no).snapshot if self.run else runs.current_snapshot(connection)
        )
        self.conduct = Conduct(
            bills=not profile.external,
            charges=not profile.external,
            simulate=profile.simulated,
            seed=profile.seed,
        )
        self.watermarks = read_watermarks(connection)
        whole, self.metering_issues = load_book(connection, Cut(0, first, self.snapshot), first, end, rules)
        if whole.contracts.is_empty():
            raise CycleNotStarted("the book holds no contract yet: run `recoup load DIR` first")
        with connection.cursor() as cursor:
            self.waiting_holds = loading.load_waiting_holds(cursor, Cut(0, first, self.snapshot))
            self.late_holds = late_facts.find_late_holds(cursor, self.snapshot)
        connection.commit()
        self.ranges = self._plan(whole, contracts_per_slice)
        self.books = [_part(whole, a, b) for a, b in self.ranges]

    def _plan(self, whole: Book, contracts_per_slice: int) -> list[tuple[int, int]]:
        if self.run is not None:
            return [(s.group_from, s.group_to) for s in runs.list_slices(self.connection, self.run)]
        return runs.plan_slices(whole.contracts["group_id"].sort().to_list(), contracts_per_slice)

    def close(self, on: date) -> DayDone:
        """Close one business day."""
        self.rules = self.rules.at(on)
        run = self.run or self._open(on)
        self.run = None
        hit("cycle.run_opened")
        slices = runs.lease_slices(self.connection, run)
        made = [self._book_money(run, piece, n) for n, piece in enumerate(slices)]
        hit("cycle.money_booked")
        self.late_holds = self.late_holds.clear()
        slices = runs.list_slices(self.connection, run)
        decisions, issues = self._decide(run, slices)
        hit("cycle.before_close")
        runs.close_run(self.connection, run, decision_hash(decisions))
        self.connection.commit()
        hit("cycle.day_closed")
        return _report(on, decisions, made, issues)

    def _open(self, on: date) -> Run:
        # A day's partitions are made first, in a transaction of their own: that takes a short lock.
        self.connection.execute("SELECT recoup_make_partitions(%s)", [on])
        self.connection.commit()
        cut = runs.make_cut(self.connection, on, self.snapshot)
        run = runs.open_run(
            self.connection,
            cut,
            rulebook_hash=self.rules.content_hash,
            code_version=runs.code_version(),
            feeds={code: mark.isoformat() for code, mark in self.watermarks.items()},
        )
        runs.add_slices(self.connection, run, self.ranges)
        self.connection.commit()
        return run

    def _book_money(self, run: Run, piece: Slice, n: int) -> Outcome | None:
        """Derive and book a slice's money; a slice booked before a kill is already in the loaded book."""
        if piece.state != "OPEN":
            return None
        before, on = self.books[n], run.business_on
        late = self._load_late(before, on)
        made = book_money(before, on, self.rules, self.conduct, late, id_from=piece.id_from)
        after = self._bind_holds(prune_touches(self._apply_money(before, made, late, on)), made)
        if late is not None:
            after = after._replace(episodes=rederive_episodes(before, made, late, self.rules, on))
        moved = self._money_rollups(before, made, after, late, on)
        after = after._replace(rollups=rollups.replace_rollups(after.rollups, moved))
        with self.connection.cursor() as cursor:
            store.store_money(cursor, made, before, after, on=on, run_no=run.run_no, own_ledger=self.profile.own_ledger)
            store.replace_episodes(cursor, before.episodes, after.episodes)
            store.replace_rollups(cursor, moved)
            store.store_issues(cursor, self._issues(made, after, on, n), run_no=run.run_no, slice_no=piece.slice_no)
            hit("cycle.money_stored")
            runs.advance_slice(cursor, piece, "BOOKED")
        self.connection.commit()
        hit("cycle.slice_booked")
        self.books[n] = after
        return made

    def _apply_money(self, before: Book, made: Outcome, late: Late | None, on: date) -> Book:
        after = apply_money(before, made, late)
        if late is None:
            return after
        with self.connection.cursor() as cursor:
            return late_facts.recall_touches(cursor, before, made, after, Cut(0, on, self.snapshot))

    def _bind_holds(self, book: Book, made: Outcome) -> Book:
        """Holds that waited for an item made today take effect on it."""
        items = made.frames["items"].select("item_key", found_id="item_id")
        bound = self.waiting_holds.join(items, on="item_key", how="inner").with_columns(item_id="found_id")
        if bound.is_empty():
            return book
        self.waiting_holds = self.waiting_holds.join(bound, on="hold_key", how="anti")
        return book._replace(holds=pl.concat([book.holds, conform(bound, HOLDS)]))

    def _money_rollups(self, before: Book, made: Outcome, after: Book, late: Late | None, on: date) -> pl.DataFrame:
        calm = before.items if late is None else before.items.filter(~pl.col("group_id").is_in(late_groups(late)))
        moved = rollups.advance_rollups(
            before.rollups,
            bills=made.frames["bills"],
            closed_items=find_closed(calm, after.items, made.frames["allocations"]),
            arrears=ageing.summarise_arrears(after.items, on),
            touches=before.touches.clear(),
            on=on,
        )
        if late is None:
            return moved
        with self.connection.cursor() as cursor:
            return late_facts.correct_rollups(cursor, before, moved, made, late)

    def _issues(self, made: Outcome, book: Book, on: date, n: int) -> pl.DataFrame:
        """Refusals of the day, with those of metering on the day the reading was due; nobody's are told once."""
        today = self.metering_issues.filter(pl.col("read_on") == on).drop("read_on")
        ours = today.filter(
            (pl.col("contract_id").is_null() & (n == 0))
            | pl.col("contract_id").is_in(book.contracts["contract_id"].implode())
        )
        return pl.concat([made.issues, ours])

    def _load_late(self, book: Book, on: date) -> Late | None:
        """Read the history of groups that learn today of something with an earlier day."""
        held = self.late_holds.join(book.contracts, on="contract_id", how="semi")
        with self.connection.cursor() as cursor:
            return late_facts.load_late(cursor, book, held, Cut(0, on, self.snapshot))

    def _decide(self, run: Run, slices: Sequence[Slice]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Propose per slice, ration over the whole run, decide and store per slice."""
        on = run.business_on
        ages = feed_ages(self.watermarks, on, self.profile.timezone) if self.profile.external else {}
        mode: close_day.Mode = "external" if self.profile.external else "own"
        proposals = [close_day.propose(book.as_day_book(), on, self.rules, ages, mode) for book in self.books]
        rationed = close_day.ration(pl.concat(proposals), self.rules, on, self.profile.seed)
        decided = [self._decide_slice(run, piece, n, rationed) for n, piece in enumerate(slices)]
        return pl.concat([d.frames["decisions"] for d in decided]), pl.concat([d.issues for d in decided])

    def _decide_slice(self, run: Run, piece: Slice, n: int, rationed: Outcome) -> Outcome:
        before, on = self.books[n], run.business_on
        allowed = rationed.frames["proposals"]
        ours = allowed.filter(pl.col("group_id").is_between(piece.group_from, piece.group_to, closed="left"))
        decided = close_day.decide(
            ours,
            rationed.frames["cutoffs"],
            before.as_day_book(),
            self.rules,
            on,
            run.run_no,
            _accrued_by_contract(before, on, self.rules),
        )
        touches, touch_items = find_touches(decided, on) if self.profile.simulated else _no_touches(before)
        stored = piece.state == "DECIDED"
        changed = before.rollups.clear() if stored else _count_contacts(before, touches, on)
        episodes = ours.filter(pl.col("episode_from_on").is_not_null())
        after = apply_decisions(before, touches, touch_items, episodes, changed)
        if not stored:
            self._store_decisions(run, piece, decided, before, after, touches, touch_items, changed)
        self.books[n] = after
        return decided

    def _store_decisions(
        self,
        run: Run,
        piece: Slice,
        decided: Outcome,
        before: Book,
        after: Book,
        touches: pl.DataFrame,
        touch_items: pl.DataFrame,
        changed: pl.DataFrame,
    ) -> None:
        on, decisions = run.business_on, decided.frames["decisions"]
        file = lake.write_decisions(decisions, on=on, run_no=run.run_no, slice_no=piece.slice_no, fence=piece.fence)
        hit("cycle.lake_written")
        with self.connection.cursor() as cursor:
            store.store_decisions(
                cursor,
                decided,
                touches,
                touch_items,
                after,
                on=on,
                run_no=run.run_no,
                denom=self.rules.denom,
                simulated=self.profile.simulated,
            )
            store.replace_episodes(cursor, before.episodes, after.episodes)
            store.replace_rollups(cursor, changed)
            store.store_enrolments(cursor, before, after, decisions)
            store.store_issues(cursor, decided.issues, run_no=run.run_no, slice_no=piece.slice_no)
            hit("cycle.decisions_stored")
            runs.advance_slice(
                cursor,
                piece,
                "DECIDED",
                keys_in=before.contracts.height,
                keys_out=decisions.height,
                issues=decided.issues.height,
                file=file,
                content_hash=decision_hash(decisions),
            )
        self.connection.commit()
        hit("cycle.slice_decided")


def load_book(connection: Connection, cut: Cut, first: date, end: date, rules: Rules) -> tuple[Book, pl.DataFrame]:
    """Load the whole book for a cycle over `[first, end]` and issues not told yet (with the day to tell: `read_on`)."""
    with connection.cursor() as cursor:
        facts = loading.load_facts(cursor, cut, first, end)
        determinants, issues = determine_due(cursor, facts, cut, rules)
        superseded = late_facts.tell_superseded(cursor, cut).with_columns(read_on=pl.lit(first))
        told = loading.list_issue_keys(cursor)
        book = Book(
            contracts=facts.contracts,
            determinants=determinants,
            payments=facts.payments,
            holds=facts.holds,
            items=loading.load_items(cursor, cut),
            credits=loading.load_credits(cursor, cut),
            paid=loading.load_paid(cursor),
            booked=loading.load_booked(cursor),
            touches=loading.load_touches(cursor, cut),
            touch_items=loading.load_touch_items(cursor, cut),
            episodes=loading.load_episodes(cursor),
            rollups=loading.load_rollups(cursor, first),
        )
    connection.commit()
    return book, pl.concat([issues, superseded]).join(told, on="key", how="anti")


def _part(book: Book, group_from: int, group_to: int) -> Book:
    """The slice of a book: whole groups of `[group_from, group_to)`."""
    contracts = book.contracts.filter(pl.col("group_id").is_between(group_from, group_to, closed="left"))
    if contracts.height == book.contracts.height:
        return book
    keep = contracts.select("contract_id")
    mine = {
        name: getattr(book, name).join(keep, on="contract_id", how="semi")
        for name in Book._fields
        if name not in ("contracts", "paid", "booked")
    }
    items = mine["items"].select("item_id")
    return Book(
        contracts=contracts,
        paid=book.paid.join(items, on="item_id", how="semi"),
        booked=book.booked.join(items, on="item_id", how="semi"),
        **mine,
    )


def _accrued_by_contract(book: Book, on: date, rules: Rules) -> pl.DataFrame:
    accrued = accrue(book.items, book, on, rules).join(book.items.select("item_id", "contract_id"), on="item_id")
    return accrued.group_by("contract_id").agg(accrued_minor=money.exact_sum("amount_minor"))


def _no_touches(book: Book) -> tuple[pl.DataFrame, pl.DataFrame]:
    return book.touches.clear(), book.touch_items.clear()


def _count_contacts(book: Book, touches: pl.DataFrame, on: date) -> pl.DataFrame:
    return rollups.advance_rollups(
        book.rollups,
        bills=pl.DataFrame(schema=dict(BILLS)),
        closed_items=pl.DataFrame(schema=dict(CLOSED)),
        arrears=ageing.summarise_arrears(book.items.clear(), on),
        touches=touches,
        on=on,
    )


def _report(on: date, decisions: pl.DataFrame, made: Sequence[Outcome | None], issues: pl.DataFrame) -> DayDone:
    known = [m.frames for m in made if m is not None]
    count: Mapping[str, int] = {name: sum(f[name].height for f in known) for name in ("bills", "payments")}
    acted = int((decisions["reason"] == "ACTED").sum())
    return DayDone(on, decisions.height, acted, count["bills"], count["payments"], issues.height)
