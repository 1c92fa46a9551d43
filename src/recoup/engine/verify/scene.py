"""What every check reads: one consistent view of the book, its closed days, and how deep to look."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from recoup.core.rules import Rules
from recoup.database.bulk import Cursor
from recoup.engine.cycle import Profile
from recoup.engine.runs import Cut

LAST_RUNS = 3
SAMPLE_GROUPS = 400


class ClosedDay(NamedTuple):
    """A run that is done, with the cut it named."""

    run_no: int
    on: date
    cut: Cut
    content_hash: str
    rulebook_hash: str
    feeds: dict[str, str]


class Scene(NamedTuple):
    """The book under one database snapshot. `runs` and `groups` bound the deep checks; None looks at all."""

    cursor: Cursor
    rules: Rules
    profile: Profile
    days: tuple[ClosedDay, ...]
    runs: int | None = LAST_RUNS
    groups: int | None = SAMPLE_GROUPS

    @property
    def last(self) -> ClosedDay | None:
        """The last closed day."""
        return self.days[-1] if self.days else None

    @property
    def deep_days(self) -> tuple[ClosedDay, ...]:
        """The closed days whose lake files are read again."""
        return self.days if self.runs is None else self.days[-self.runs :]

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT."""
        return self.cursor.execute(query.encode(), parameters or None).fetchall()

    def count(self, query: str, parameters: Sequence[Any] = ()) -> int:
        """Return the number of rows of a SELECT."""
        counted = self.rows(f"SELECT count(*) FROM ({query}) counted", parameters)
        return int(counted[0][0])


class Finding(NamedTuple):
    """Whether a check held, and what it saw."""

    ok: bool
    detail: str


class Check(NamedTuple):
    """An invariant's line: its number in the design, what to do when it fails, and the reading itself."""

    name: str
    invariant: int
    hint: str
    find: Callable[[Scene], Finding]


def check(invariant: int, hint: str) -> Callable[[Callable[[Scene], Finding]], Check]:
    """Make a check of a function; its name is the check's."""
    return lambda find: Check(find.__name__, invariant, hint, find)


def expect_none(scene: Scene, query: str, what: str, told: str, parameters: Sequence[Any] = ()) -> Finding:
    """Hold when a SELECT of offenders is empty; else name their number and the first of them."""
    first = scene.rows(f"{query} LIMIT 3", parameters)
    if not first:
        return Finding(True, told)
    examples = "; ".join(" ".join(map(str, row)) for row in first)
    return Finding(False, f"{scene.count(query, parameters):,} {what}, first: {examples}")


def read_days(cursor: Cursor) -> tuple[ClosedDay, ...]:
    """Read the closed days in order."""
    rows = cursor.execute(
        """
        SELECT r.run_no, r.business_on, c.cut_no, c.business_on, c.snapshot, r.content_hash, r.rulebook_hash, r.feeds
        FROM run r JOIN cut c USING (cut_no) WHERE r.state = 'DONE' AND r.mode = 'live' ORDER BY r.business_on
        """
    ).fetchall()
    return tuple(ClosedDay(no, on, Cut(*cut), hashed, rules, feeds) for no, on, *cut, hashed, rules, feeds in rows)
