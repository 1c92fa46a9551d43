"""The lake: Parquet files of runs, found by day and run; a slice row in the database says which file is real."""

import os
from datetime import date
from pathlib import Path

import polars as pl

from recoup.database.connect import database_name
from recoup.database.home import home

ROW_GROUP_ROWS = 16_384


def lake_folder() -> Path:
    """Return the folder of this book's lake."""
    return home() / "lake" / database_name()


def decisions_folder(on: date, run_no: int) -> Path:
    """Return the folder of one run's decisions."""
    return lake_folder() / "decisions" / f"on={on.isoformat()}" / f"run={run_no}"


def write_decisions(decisions: pl.DataFrame, *, on: date, run_no: int, slice_no: int, fence: int) -> str:
    """Write a slice's decisions durably and return the path relative to the lake.

    Written before the slice commits, under a name with its fence: an abandoned attempt leaves a file nobody names.
    """
    folder = decisions_folder(on, run_no)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"slice={slice_no:03d}.{fence}.parquet"
    draft = path.with_suffix(".draft")
    decisions.write_parquet(draft, compression="zstd", compression_level=1, row_group_size=ROW_GROUP_ROWS)
    _make_durable(draft)
    draft.rename(path)
    return str(path.relative_to(lake_folder()))


def read_decision(files: list[str], contract_id: int) -> pl.DataFrame:
    """Read the one decision row of a contract from a run's files (row groups are pruned by contract_id)."""
    found = pl.scan_parquet([lake_folder() / name for name in files]).filter(pl.col("contract_id") == contract_id)
    return found.collect()


def read_decisions(files: list[str]) -> pl.DataFrame:
    """Read all decisions of a run."""
    return pl.read_parquet([lake_folder() / name for name in files])


def sweep(real: set[str], runs: set[int] | None = None) -> list[str]:
    """Remove decision files that no slice names, of these runs only when they are given; return their names."""
    folder = lake_folder() / "decisions"
    stray = [
        path
        for path in (folder.rglob("slice=*") if folder.exists() else [])
        if str(path.relative_to(lake_folder())) not in real and (runs is None or _run_of(path) in runs)
    ]
    for path in stray:
        path.unlink()
    return [str(path.relative_to(lake_folder())) for path in stray]


def _run_of(path: Path) -> int:
    return int(path.parent.name.removeprefix("run="))


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
