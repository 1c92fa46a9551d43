"""Invariant 8: every account is answered."""

import polars as pl

from recoup.core.guards import ACTED
from recoup.database.bulk import read_rows
from recoup.engine import lake
from recoup.engine.book import Known
from recoup.engine.verify.scene import ClosedDay, Finding, Scene, check

_ID = {"contract_id": pl.Int64()}

# Pieces carry the contract of their debit: a credit may pay any contract of its group.
_GROUP = """
    SELECT m.contract_id FROM contract m
    WHERE m.contract_id = c.contract_id OR coalesce(m.group_key, m.contract_key) = coalesce(c.group_key, c.contract_key)
"""


@check(8, "a contract was left without an answer: replay the run and compare")
def every_contract_is_answered_once(scene: Scene) -> Finding:
    """Each contract that was active, owed or was owed at a cut has exactly one decision in its run."""
    answered = 0
    for day in scene.deep_days:
        decided = _read_decided(scene, day)
        concerned = _list_concerned(scene, day)
        missing = concerned.join(decided, on="contract_id", how="anti").height
        beyond = decided.join(concerned, on="contract_id", how="anti").height
        twice = decided.height - decided["contract_id"].n_unique()
        if missing or beyond or twice:
            return Finding(
                False, f"{day.on}: {missing:,} without an answer, {twice:,} answered twice, {beyond:,} not concerned"
            )
        answered += decided.height
    return Finding(True, f"{answered:,} answers of {len(scene.deep_days):,} runs")


def _read_decided(scene: Scene, day: ClosedDay) -> pl.DataFrame:
    files = scene.rows("SELECT file FROM slice WHERE run_no = %s", [day.run_no])
    paths = [lake.lake_folder() / name for (name,) in files if (lake.lake_folder() / name).is_file()]
    return pl.read_parquet(paths, columns=["contract_id"]) if paths else pl.DataFrame(schema=_ID)


def _list_concerned(scene: Scene, day: ClosedDay) -> pl.DataFrame:
    """Contracts known at the cut that are active on the day, or have something open after its money was booked."""
    known = Known(day.cut)
    query = f"""
        SELECT c.contract_id FROM contract c WHERE {known.fact("c")} AND (
            (c.valid_from <= %s AND (c.valid_to IS NULL OR c.valid_to > %s))
            OR EXISTS (
                SELECT FROM open_item i WHERE i.contract_id = c.contract_id AND {known.derived("i")}
                AND (i.run_no IS NULL OR i.run_no <= %s)
                AND abs(i.amount_minor) > coalesce((
                    SELECT sum(a.amount_minor) FROM allocation a WHERE a.seq <= %s
                    AND CASE WHEN i.amount_minor > 0 THEN a.debit_id ELSE a.credit_id END = i.item_id
                    AND a.contract_id IN ({_GROUP})), 0)))
    """
    return read_rows(scene.cursor, query, _ID, [day.on, day.on, day.run_no, day.run_no])


@check(8, "an action without its decision, or the reverse: the run was stored in part")
def actions_are_those_decided(scene: Scene) -> Finding:
    """The actions of a run are its decisions with reason ACTED, with the same channel and stage."""
    for day in scene.deep_days:
        files = scene.rows("SELECT file FROM slice WHERE run_no = %s", [day.run_no])
        paths = [lake.lake_folder() / name for (name,) in files]
        if not all(path.is_file() for path in paths):
            return Finding(False, f"{day.on}: a file of the lake is missing")
        acted = pl.scan_parquet(paths).filter(pl.col("reason").cast(pl.String) == ACTED)
        decided = acted.select(
            "contract_id", pl.col("action", "channel").cast(pl.String), pl.col("stage_to").cast(pl.Int64)
        ).collect()
        query = "SELECT contract_id, action_code, channel, stage FROM action WHERE run_no = %s"
        stored = read_rows(scene.cursor, query, decided.schema, [day.run_no])
        if not decided.sort("contract_id").equals(stored.sort("contract_id")):
            return Finding(False, f"{day.on}: {decided.height:,} decided, {stored.height:,} stored, or not the same")
    return Finding(True, f"{len(scene.deep_days):,} runs compared")


CHECKS = (every_contract_is_answered_once, actions_are_those_decided)
