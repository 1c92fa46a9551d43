"""Invariant 4: a run names one cut, and its content is what its hash says."""

from pathlib import Path

import polars as pl

from recoup.core.hashing import decision_hash
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


@check(4, "restore the lake folder from its backup, or replay the run")
def lake_files_are_those_of_their_slices(scene: Scene) -> Finding:
    """Each decided slice of a closed run names a file that is there with the rows it counted."""
    slices = scene.rows(
        "SELECT s.file, s.keys_out FROM slice s JOIN run r USING (run_no) WHERE r.state = 'DONE' AND s.file IS NOT NULL"
    )
    root = lake.lake_folder()
    missing = [name for name, _ in slices if not (root / name).is_file()]
    if missing:
        return Finding(False, f"{len(missing):,} files are missing, first: {missing[0]}")
    short = [name for name, rows in slices if _count_rows(root / name) != rows]
    if short:
        return Finding(False, f"{len(short):,} files have other rows than their slice counted, first: {short[0]}")
    told = f"{len(slices):,} files, {sum(rows for _, rows in slices):,} decisions"
    stray = _count_strays(scene)
    return Finding(True, told + (f"; {stray} left by killed workers, which no slice names" if stray else ""))


def _count_rows(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def _count_strays(scene: Scene) -> int:
    """Files that no slice names: abandoned attempts, harmless until the sweeper comes."""
    named = {name for (name,) in scene.rows("SELECT file FROM slice WHERE file IS NOT NULL")}
    root = lake.lake_folder()
    found = {str(path.relative_to(root)) for path in (root / "decisions").rglob("slice=*")}
    return len(found - named)


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
