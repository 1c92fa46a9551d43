"""Invariant 4: a run names one cut, and its content is what its hash says."""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from recoup.core.hashing import decision_hash
from recoup.database.connect import connect
from recoup.engine import lake
from recoup.engine.verify.scene import ClosedDay, Finding, Scene, check, expect_none


@check(4, "a run without its own cut cannot be replayed: restore the row from a backup")
def runs_name_one_cut(scene: Scene) -> Finding:
    """Each run names one cut of its own business day; closed days follow one another without a gap."""
    wrong = """
        SELECT r.business_on, 'run names no cut of its day' FROM run r LEFT JOIN cut c USING (cut_no)
        WHERE c.business_on IS DISTINCT FROM r.business_on
        UNION ALL
        SELECT business_on, 'cut used by several runs' FROM run GROUP BY cut_no, 1 HAVING count(*) > 1
        UNION ALL
        SELECT business_on, 'days before it were never closed' FROM (
            SELECT business_on, lag(business_on) OVER (ORDER BY business_on) AS before FROM run WHERE mode = 'live') d
        WHERE business_on - before > 1
        UNION ALL
        SELECT r.business_on, 'done with a slice undecided, or without a hash' FROM run r
        WHERE r.state = 'DONE' AND (r.content_hash IS NULL OR EXISTS (
            SELECT FROM slice s WHERE s.run_no = r.run_no AND (s.state <> 'DECIDED' OR s.file IS NULL)))
    """
    span = f"{scene.days[0].on} to {scene.days[-1].on}" if scene.days else "no day is closed yet"
    return expect_none(scene, wrong, "runs are wrong", f"{len(scene.days):,} closed days, {span}")


@check(4, "restore what is older, the lake folder or the database, or load and close the named days again")
def lake_files_are_those_of_their_slices(scene: Scene) -> Finding:
    """Each decided slice of a closed run names a file that is there with the rows it counted; no run is unknown."""
    slices = scene.rows(
        "SELECT s.file, s.keys_out, r.business_on, r.run_no FROM slice s JOIN run r USING (run_no) "
        "WHERE r.state = 'DONE' AND s.file IS NOT NULL ORDER BY r.business_on, s.slice_no"
    )
    root = lake.lake_folder()
    missing = [row for row in slices if not (root / row[0]).is_file()]
    if missing:
        runs = _name_runs((on, run_no) for _, _, on, run_no in missing)
        return Finding(False, f"{len(missing):,} files are missing: {runs}; first: {missing[0][0]}")
    short = [row for row in slices if _count_rows(root / row[0]) != row[1]]
    if short:
        runs = _name_runs((on, run_no) for _, _, on, run_no in short)
        return Finding(False, f"{len(short):,} files have other rows than their slice counted: {runs}")
    strays = _find_strays(scene)
    lost = _find_lost_runs(strays)
    if lost:
        return Finding(False, f"the database is older than its lake, which holds {_name_runs(lost)} besides")
    told = f"{len(slices):,} files, {sum(row[1] for row in slices):,} decisions"
    return Finding(True, told + (f"; {len(strays)} left by killed workers, which no slice names" if strays else ""))


def _count_rows(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def _find_strays(scene: Scene) -> list[str]:
    """Files that no slice names: abandoned attempts, harmless until the sweeper comes, or days the database lost."""
    named = {name for (name,) in scene.rows("SELECT file FROM slice WHERE file IS NOT NULL")}
    root = lake.lake_folder()
    return sorted({str(path.relative_to(root)) for path in (root / "decisions").rglob("slice=*")} - named)


def _find_lost_runs(strays: Iterable[str]) -> set[tuple[date, int]]:
    """Days and runs of stray files whose run is not in the database: a run is committed before its first file.

    Asked anew, for a cycle may have gone on after the scene's snapshot.
    """
    folders = {re.search(r"/on=([\d-]+)/run=(\d+)/", f"/{name}") for name in strays}
    runs = {(date.fromisoformat(found[1]), int(found[2])) for found in folders if found}
    if not runs:
        return set()
    with connect("reader") as connection:
        known = {row[0] for row in connection.execute("SELECT run_no FROM run").fetchall()}
    return {run for run in runs if run[1] not in known}


def _name_runs(runs: Iterable[tuple[date, int]]) -> str:
    """Name runs by their days, days that follow one another as a span: 2025-02-01 to 2025-02-28 (runs 32 to 59)."""
    spans: list[list[tuple[date, int]]] = []
    for run in sorted(set(runs)):
        if spans and run[0] == spans[-1][-1][0] + timedelta(days=1):
            spans[-1].append(run)
        else:
            spans.append([run])
    told = [
        f"{span[0][0]} (run {span[0][1]})"
        if len(span) == 1
        else f"{span[0][0]} to {span[-1][0]} (runs {span[0][1]} to {span[-1][1]})"
        for span in spans
    ]
    return ", ".join(told)


@check(4, "the decisions were changed after the run: restore the lake folder, or replay the run")
def content_hashes_are_those_of_the_lake(scene: Scene) -> Finding:
    """The content hash of a run and of each slice, computed again from the lake, is the one stored."""
    wrong = [day.on for day in scene.deep_days if not _hash_holds(scene, day)]
    if wrong:
        return Finding(False, f"{len(wrong)} runs have another content than their hash, first: {wrong[0]}")
    return Finding(True, f"{len(scene.deep_days):,} of {len(scene.days):,} runs hashed again")


def _hash_holds(scene: Scene, day: ClosedDay) -> bool:
    slices = scene.rows("SELECT file, content_hash FROM slice WHERE run_no = %s ORDER BY slice_no", [day.run_no])
    try:
        parts = [lake.read_decisions([name]) for name, _ in slices]
    except (OSError, pl.exceptions.PolarsError):
        return False
    hashes = [decision_hash(part) for part in parts]
    return hashes == [stored for _, stored in slices] and decision_hash(pl.concat(parts)) == day.content_hash


CHECKS = (runs_name_one_cut, lake_files_are_those_of_their_slices, content_hashes_are_those_of_the_lake)
