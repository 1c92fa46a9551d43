"""From staged rows to facts, conflicts and quarantine, all by set-based statements.

Every staged row gets exactly one outcome: loaded, known, superseding, conflicting, quarantined or skipped. Rows that
cannot simply be inserted are put `aside` first, so that the insert itself needs no ON CONFLICT (three times as slow).
"""

from dataclasses import dataclass
from typing import Any

from recoup.database.bulk import Cursor
from recoup.usecases.load.staging import Staged
from recoup.usecases.load.targets import Context, Target, hash_sql, same_key

# Smaller tables than this are read well enough without statistics.
_ANALYZE_FROM = 5_000


class LoadBroken(Exception):
    """The outcomes do not add up: a fault of ours, nothing is loaded."""


@dataclass(frozen=True)
class Outcomes:
    """What became of the staged rows of a file."""

    loaded: int = 0
    known: int = 0
    superseding: int = 0
    conflicting: int = 0
    lost: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All rows that have an outcome."""
        return self.loaded + self.known + self.superseding + self.conflicting + self.lost + self.skipped


def store(cursor: Cursor, target: Target, staged: Staged, context: Context, file: str) -> Outcomes:
    """Store the staged rows inside the caller's transaction and return what became of them.

    Raises LoadBroken when a row would end without an outcome.
    """
    if staged.valid > _ANALYZE_FROM:
        cursor.execute("ANALYZE staged")
    _set_aside_skipped(cursor, target)
    careful = staged.claims or staged.may_repeat_keys
    if careful:
        _set_aside_lost(cursor, target)
        _set_aside_repeats(cursor, target)
    _set_aside_known(cursor, target)
    loaded = _insert(cursor, target, context, _NEW if _count_aside(cursor) else _ALL)
    if not careful and loaded + _count_aside(cursor) < staged.valid:
        _set_aside_lost(cursor, target)
    judged = _judge(cursor, target, context, file)
    if target.finish:
        target.finish(cursor, context)
    outcomes = _sum_up(cursor, loaded, judged)
    if outcomes.total != staged.valid:
        raise LoadBroken(f"{file}: {staged.valid} rows staged, {outcomes.total} with an outcome")
    return outcomes


_ALL = "(SELECT *, 1 AS version FROM staged)"
_NEW = "(SELECT *, 1 AS version FROM staged s WHERE NOT EXISTS (SELECT 1 FROM aside a WHERE a.row_no = s.row_no))"
_SUPERSEDING = "(SELECT staged.*, v.version FROM staged JOIN superseding v USING (row_no))"


def _insert(cursor: Cursor, target: Target, context: Context, rows: str) -> int:
    """Run the inserts of a target over some staged rows; the first says how many they were."""
    parameters: dict[str, Any] = {
        "load": context.load_id,
        "simulated": context.simulated,
        "booked_on": context.as_of_on,
    }
    counts = []
    for statement in target.inserts:
        used = {name: value for name, value in parameters.items() if f"%({name})s" in statement}
        cursor.execute(statement.format(rows=rows, hash=hash_sql(target)), used)
        counts.append(cursor.rowcount)
    return counts[0]


def _set_aside_skipped(cursor: Cursor, target: Target) -> None:
    if target.skip:
        cursor.execute(f"INSERT INTO aside SELECT s.row_no, 'SKIP' FROM staged s WHERE {target.skip}")


def _set_aside_lost(cursor: Cursor, target: Target) -> None:
    """Quarantine staged rows that refer to something unknown, by the first such reference."""
    for reference in target.references:
        cursor.execute(
            f"""
            WITH lost AS (
                INSERT INTO aside SELECT s.row_no, 'LOST' FROM staged s
                WHERE NOT {reference.found} AND NOT EXISTS (SELECT 1 FROM aside a WHERE a.row_no = s.row_no)
                RETURNING row_no)
            INSERT INTO refused (row_no, field, reason, content)
            SELECT row_no, %s, %s, jsonb_strip_nulls(to_jsonb(s) - 'row_no')::text
            FROM staged s JOIN lost USING (row_no)
            """,
            [reference.field, reference.reason],
        )


def _set_aside_repeats(cursor: Cursor, target: Target) -> None:
    """Keep the first row of each key; those after it are judged once it is stored."""
    keys = ", ".join(f"s.{name}" for name in target.key)
    cursor.execute(
        f"""
        INSERT INTO aside SELECT row_no, 'REPEAT' FROM (
            SELECT s.row_no, row_number() OVER (PARTITION BY {keys} ORDER BY s.row_no) AS nth FROM staged s
            WHERE NOT EXISTS (SELECT 1 FROM aside a WHERE a.row_no = s.row_no)) ranked
        WHERE nth > 1
        """
    )


def _set_aside_known(cursor: Cursor, target: Target) -> None:
    """Find keys that are stored already; most come again with the same content and are done with."""
    cursor.execute(
        f"""
        INSERT INTO aside
        SELECT s.row_no, CASE WHEN t.content_hash = {hash_sql(target)} THEN 'SAME' ELSE 'OTHER' END
        FROM staged s JOIN {target.known} t ON {same_key(target, "t")} AND t.version = 1
        WHERE NOT EXISTS (SELECT 1 FROM aside a WHERE a.row_no = s.row_no)
        """
    )


def _count_aside(cursor: Cursor) -> int:
    return int(_row(cursor.execute("SELECT count(*) FROM aside"))[0])


def _judge(cursor: Cursor, target: Target, context: Context, file: str) -> dict[str, int]:
    """Decide the rows whose key is stored with other content; count them by outcome."""
    waiting = _row(cursor.execute("SELECT count(*) FROM aside WHERE outcome IN ('REPEAT', 'OTHER')"))[0]
    if not waiting:
        return {}
    cursor.execute(_JUDGED.format(**_names(target)), _judging(target, context))
    if target.versioned:
        cursor.execute(_VERSIONS.format(**_names(target)))
        _insert(cursor, target, context, _SUPERSEDING)
    cursor.execute(_CONFLICTS.format(**_names(target)), {"load": context.load_id, "file": file})
    return dict(cursor.execute("SELECT outcome, count(*) FROM judged GROUP BY 1").fetchall())


def _judging(target: Target, context: Context) -> dict[str, Any]:
    return {
        "versioned": target.versioned,
        "corrections": context.corrections,
        "as_of": context.as_of,
    }


def _names(target: Target) -> dict[str, str]:
    """The pieces of SQL in which targets differ."""
    return {
        "entity": target.entity,
        "keys": ", ".join(f"s.{name}" for name in target.key),
        "key_text": f"concat_ws('/', {', '.join(f's.{name}' for name in target.key)})",
        "hash": hash_sql(target),
        "known": target.known,
        "shown": target.shown,
        "same_key": same_key(target, "t"),
        "same_key_any": same_key(target, "v"),
        "stored_json": _json(target, "t"),
        "offered_json": _json(target, "s"),
    }


def _json(target: Target, alias: str) -> str:
    columns = (*target.payload, *target.payload_since)
    return f"jsonb_build_object({', '.join(f"'{name}', {alias}.{name}" for name in columns)})"


# `claims`: the row says that it replaces what is stored, or the feed sends corrections and the row is newer.
_JUDGED = """
    INSERT INTO judged
    SELECT row_no, offered_hash,
           CASE WHEN same THEN CASE WHEN fresh THEN 'SKIPPED' ELSE 'KNOWN' END
                WHEN claims AND nth > 1 THEN 'SKIPPED'
                WHEN claims THEN 'SUPERSEDING'
                ELSE 'CONFLICTING' END AS outcome
    FROM (
        SELECT s.row_no, {hash} AS offered_hash, o.claims, o.same, o.fresh,
               row_number() OVER (PARTITION BY {keys}, {hash}, o.claims ORDER BY s.row_no) AS nth
        FROM aside a JOIN staged s USING (row_no)
        JOIN LATERAL (SELECT * FROM {known} t WHERE {same_key} ORDER BY version DESC LIMIT 1) t ON true
        LEFT JOIN feed_load l ON l.load_id = t.load_id
        JOIN LATERAL (
            SELECT %(versioned)s AND (s.supersedes IS NOT NULL OR (
                       %(corrections)s AND coalesce(s.as_of, %(as_of)s) > l.as_of_at)) IS TRUE AS claims,
                   EXISTS (SELECT 1 FROM {known} v WHERE {same_key_any} AND v.content_hash = {hash}) AS same,
                   EXISTS (SELECT 1 FROM {known} v WHERE {same_key_any} AND v.content_hash = {hash}
                           AND v.recorded_tx = pg_current_xact_id()) AS fresh) o ON true
        WHERE a.outcome IN ('REPEAT', 'OTHER')) offered
"""

_VERSIONS = """
    INSERT INTO superseding
    SELECT s.row_no, (t.version + row_number() OVER (PARTITION BY {keys} ORDER BY s.row_no))::integer AS version
    FROM judged j JOIN staged s USING (row_no)
    JOIN LATERAL (SELECT max(t.version) AS version FROM {known} t WHERE {same_key}) t ON true
    WHERE j.outcome = 'SUPERSEDING'
"""

_CONFLICTS = """
    INSERT INTO conflict (load_id, file, row_no, entity, key, stored, offered, offered_hash)
    SELECT %(load)s, %(file)s, s.row_no, '{entity}', {key_text}, {stored_json}, {offered_json}, j.offered_hash
    FROM judged j JOIN staged s USING (row_no)
    JOIN LATERAL (SELECT * FROM {shown} t WHERE {same_key} ORDER BY version DESC LIMIT 1) t ON true
    WHERE j.outcome = 'CONFLICTING' ORDER BY s.row_no
    ON CONFLICT DO NOTHING
"""


def _sum_up(cursor: Cursor, loaded: int, judged: dict[str, int]) -> Outcomes:
    aside: dict[str, int] = dict(cursor.execute("SELECT outcome, count(*) FROM aside GROUP BY 1").fetchall())
    return Outcomes(
        loaded=loaded,
        known=aside.get("SAME", 0) + judged.get("KNOWN", 0),
        superseding=judged.get("SUPERSEDING", 0),
        conflicting=judged.get("CONFLICTING", 0),
        lost=aside.get("LOST", 0),
        skipped=aside.get("SKIP", 0) + judged.get("SKIPPED", 0),
    )


def _row(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row
