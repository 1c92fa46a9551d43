"""Cuts, runs and slices: who works on what, under which fence, and what is already done.

A day is one run. A slice is a contiguous range of `group_id`; it commits twice, once when its money is booked and
once when its decisions are, each time after its fence was checked. A killed worker's lease runs out, the next
worker raises the fence, and what the dead one might still send is refused.
"""

import json
import os
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

import psycopg

LEASE_MINUTES = 15
# A slice makes about a thousand calls a day however small it is: 200,000 contracts spend less on calls than on rows,
# and what a slice needs besides the book stays far below a gibibyte.
SLICE_CONTRACTS = 200_000
SLICES_MAX = 64

# A block of ids per slice, from its numbers alone: a retry takes the same block again.
_RUN_SHIFT = 40
_SLICE_SHIFT = 34


class LeaseLost(Exception):
    """Another worker took this slice over: nothing was written; start the command again."""


class RunBusy(Exception):
    """Another worker holds the lease of a slice."""


class Cut(NamedTuple):
    """A known-as-of: business date and snapshot."""

    cut_no: int
    business_on: date
    snapshot: str


class Slice(NamedTuple):
    """A slice as its worker holds it."""

    run_no: int
    slice_no: int
    group_from: int
    group_to: int
    state: str
    fence: int
    id_from: int


class Run(NamedTuple):
    """A run of one business day."""

    run_no: int
    business_on: date
    cut_no: int
    state: str


type Connection = psycopg.Connection[tuple[Any, ...]]


def current_snapshot(connection: Connection) -> str:
    """Return the snapshot text of now: which transactions had told us their facts."""
    return str(_one(connection, "SELECT pg_current_snapshot()::text")[0])


def make_cut(connection: Connection, business_on: date, snapshot: str) -> Cut:
    """Write a cut; the caller commits."""
    row = _one(
        connection,
        "INSERT INTO cut (business_on, snapshot, made_at) VALUES (%s, %s, now()) RETURNING cut_no",
        [business_on, snapshot],
    )
    return Cut(row[0], business_on, snapshot)


def get_cut(connection: Connection, cut_no: int) -> Cut:
    """Return a stored cut."""
    row = _one(connection, "SELECT cut_no, business_on, snapshot FROM cut WHERE cut_no = %s", [cut_no])
    return Cut(*row)


def last_done_on(connection: Connection) -> date | None:
    """Return the last business day whose run is done: the book is closed to that day."""
    return _one(connection, "SELECT max(business_on) FROM run WHERE state = 'DONE' AND mode = 'live'")[0]


def first_run_on(connection: Connection) -> date | None:
    """Return the first business day of the book."""
    return _one(connection, "SELECT min(business_on) FROM run WHERE mode = 'live'")[0]


def get_open_run(connection: Connection) -> Run | None:
    """Return the unfinished run, if a worker was killed in it."""
    row = connection.execute(
        "SELECT run_no, business_on, cut_no, state FROM run WHERE state <> 'DONE' AND mode = 'live' "
        "ORDER BY business_on LIMIT 1"
    ).fetchone()
    return Run(*row) if row else None


def open_run(connection: Connection, cut: Cut, *, rulebook_hash: str, code_version: str, feeds: dict[str, Any]) -> Run:
    """Write the run of a business day under a cut; the caller commits it with its slices."""
    row = _one(
        connection,
        """
        INSERT INTO run (flow, business_on, cut_no, rulebook_hash, code_version, mode, state, feeds, started_at)
        VALUES ('close_day', %s, %s, %s, %s, 'live', 'OPEN', %s, now()) RETURNING run_no
        """,
        [cut.business_on, cut.cut_no, rulebook_hash, code_version, json.dumps(feeds)],
    )
    return Run(row[0], cut.business_on, cut.cut_no, "OPEN")


def plan_slices(group_ids: Sequence[int], contracts_per_slice: int = SLICE_CONTRACTS) -> list[tuple[int, int]]:
    """Cut sorted group ids (one per contract) into contiguous ranges `[from, to)` that never split a group."""
    count = min(SLICES_MAX, max(1, len(group_ids) // contracts_per_slice))
    size = -(-len(group_ids) // count) if group_ids else 0
    starts = sorted({group_ids[i * size] for i in range(count) if i * size < len(group_ids)})
    if not starts:
        return []
    bounds = [0, *starts[1:], 2**62]
    return list(pairwise(bounds))


def add_slices(connection: Connection, run: Run, ranges: Sequence[tuple[int, int]]) -> None:
    """Write the slices of a run."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO slice (run_no, slice_no, group_from, group_to, state, attempts, fence, id_from) "
            "VALUES (%s, %s, %s, %s, 'OPEN', 0, 0, %s)",
            [(run.run_no, n, a, b, run.run_no << _RUN_SHIFT | n << _SLICE_SHIFT) for n, (a, b) in enumerate(ranges)],
        )


def lease_slices(connection: Connection, run: Run) -> list[Slice]:
    """Take over every slice of a run that is not decided and whose lease is free or over; raise RunBusy else.

    Raises the fence: a worker that still believes in the old one is refused at its commit.
    """
    taken = connection.execute(
        """
        UPDATE slice SET attempts = attempts + 1, fence = fence + 1, lease_until = now() + %s * interval '1 minute'
        WHERE (run_no, slice_no) IN (
            SELECT run_no, slice_no FROM slice
            WHERE run_no = %s AND state <> 'DECIDED' AND (lease_until IS NULL OR lease_until < now())
            FOR UPDATE SKIP LOCKED)
        RETURNING slice_no
        """,
        [LEASE_MINUTES, run.run_no],
    ).fetchall()
    slices = list_slices(connection, run)
    free = {row[0] for row in taken}
    if any(s.state != "DECIDED" and s.slice_no not in free for s in slices):
        connection.rollback()
        raise RunBusy(
            f"another worker is closing {run.business_on}: wait for it, or up to {LEASE_MINUTES} minutes after it died"
        )
    connection.commit()
    return slices


def list_slices(connection: Connection, run: Run) -> list[Slice]:
    """Return the slices of a run in order."""
    rows = connection.execute(
        "SELECT run_no, slice_no, group_from, group_to, state, fence, id_from FROM slice WHERE run_no = %s "
        "ORDER BY slice_no",
        [run.run_no],
    ).fetchall()
    return [Slice(*row) for row in rows]


def advance_slice(cursor: psycopg.Cursor[Any], piece: Slice, state: str, **columns: Any) -> None:
    """Move a slice to `state` inside the transaction that carries its rows; raise LeaseLost for an old fence."""
    assignments = "".join(f", {name} = %s" for name in columns)
    moved = cursor.execute(
        f"UPDATE slice SET state = %s, lease_until = now() + {LEASE_MINUTES} * interval '1 minute'{assignments} "
        "WHERE run_no = %s AND slice_no = %s AND fence = %s AND state = %s",
        [state, *columns.values(), piece.run_no, piece.slice_no, piece.fence, piece.state],
    ).rowcount
    if moved != 1:
        raise LeaseLost(f"slice {piece.slice_no} of run {piece.run_no} was taken over by another worker")


def close_run(connection: Connection, run: Run, content_hash: str) -> None:
    """Mark a run done when every slice is decided; the caller commits."""
    left = _one(connection, "SELECT count(*) FROM slice WHERE run_no = %s AND state <> 'DECIDED'", [run.run_no])[0]
    if left:
        raise LeaseLost(f"{left} slices of run {run.run_no} are not decided")
    connection.execute(
        "UPDATE run SET state = 'DONE', finished_at = now(), content_hash = %s WHERE run_no = %s",
        [content_hash, run.run_no],
    )


def free_dead_leases(connection: Connection, run: Run) -> None:
    """Free the leases of a run whose worker no longer lives: no other session of ours holds the cycle's lock."""
    connection.execute("UPDATE slice SET lease_until = NULL WHERE run_no = %s", [run.run_no])
    connection.commit()


def hold_cycle_lock(connection: Connection) -> None:
    """Take the session lock of the cycle, freed by the server when its holder dies; raise RunBusy when held."""
    if not _one(connection, "SELECT pg_try_advisory_lock(hashtext('recoup_cycle'))")[0]:
        raise RunBusy("another `recoup cycle` works on this book: wait until it ends")
    connection.commit()


def code_version() -> str:
    """Return the version of the code that decides."""
    from recoup import __version__

    return os.environ.get("RECOUP_CODE_VERSION", __version__)


def _one(connection: Connection, query: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row
