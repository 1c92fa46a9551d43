"""Who owes what on a day, per contract and base of a rate: read from the book, or from what was prepared.

Grain: DEBTORS, one row per contract with open principal by true days. A city of debtors is one file of the lake,
written when the day's sums are prepared and named by them; nothing of a person is in it but numbers.
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import polars as pl

from recoup.core.frames import Schema
from recoup.database.bulk import Cursor, read_rows
from recoup.domains.access.scope import Scope
from recoup.engine import lake
from recoup.engine.figures_known import PLACES, STATION, View, debts_of

DEBTORS: Schema = {
    "contract_id": pl.Int64(),
    "contract_key": pl.String(),
    "account_no": pl.String(),
    "station": pl.String(),
    "org_unit": pl.String(),
    "class": pl.String(),
    "current_minor": pl.Int64(),
    "prior_minor": pl.Int64(),
    "oldest_overdue_days": pl.Int64(),
}


def read_debtors(cursor: Cursor, view: View) -> pl.DataFrame:
    """Read every contract in scope with open principal by the end of the view's day: DEBTORS, by contract."""
    condition, places = view.scope.condition("a.org_unit")
    query = f"""
        WITH owed AS (
            SELECT contract_id, coalesce(sum(unpaid) FILTER (WHERE NOT is_prior), 0) AS current,
                   coalesce(sum(unpaid) FILTER (WHERE is_prior), 0) AS prior, max(days_overdue) AS oldest
            FROM ({debts_of(view)}) d WHERE NOT is_charge AND unpaid > 0 GROUP BY 1)
        SELECT contract_id, c.contract_key, a.account_no, {STATION}, a.org_unit, c.class, current, prior, oldest
        FROM owed {PLACES} WHERE {condition} ORDER BY contract_id
    """
    return read_rows(cursor, query, DEBTORS, [view.denom, *places])


def keep_debtors(debtors: pl.DataFrame, view: View) -> str:
    """Write the debtors of a prepared day beside its decisions; return the file's name in the lake.

    The name tells the state of the book they were read from: another state, another file.
    """
    state = blake2b(str(view.snapshot).encode(), digest_size=8).hexdigest()
    path = _folder(view) / f"debtors.{state}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    debtors.write_parquet(draft, compression="zstd", compression_level=1)
    draft.rename(path)
    return str(path.relative_to(lake.lake_folder()))


def drop_others(view: View, kept: str) -> None:
    """Remove the files of earlier preparations of the day."""
    for path in _folder(view).glob("debtors.*.parquet"):
        if str(path.relative_to(lake.lake_folder())) != kept:
            path.unlink(missing_ok=True)


def _folder(view: View) -> Path:
    return lake.lake_folder() / "figures" / f"on={view.on.isoformat()}"


def find_debtors(name: str, scope: Scope) -> pl.LazyFrame | None:
    """Return the prepared debtors of the units in scope, not read yet, or nothing when the file is gone."""
    path = lake.lake_folder() / name
    if not name or not path.is_file():
        return None
    rows = pl.scan_parquet(path)
    if scope.units is not None:
        rows = rows.filter(pl.col("org_unit").is_in(sorted(scope.units)))
    return rows


def owed_in(measure: str) -> pl.Expr:
    """What a debtor owes in the base of a rate, as `open_minor` (Int64)."""
    parts: dict[str, Sequence[str]] = {
        "cumulative": ("current_minor", "prior_minor"),
        "current": ("current_minor",),
        "prior": ("prior_minor",),
    }
    return pl.sum_horizontal(parts[measure]).cast(pl.Int64).alias("open_minor")
