"""What every rule returns: frames, and issues as values.

Each input key is in one of the frames or in the issues, never both, never neither.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

ISSUES: dict[str, pl.DataType] = {
    "contract_id": pl.Int64(),
    "kind": pl.String(),
    "key": pl.String(),
    "field": pl.String(),
    "detail": pl.String(),
}


class Outcome(NamedTuple):
    """Frames by name, and issues (one row per refused input key, columns of ISSUES)."""

    frames: Mapping[str, pl.DataFrame]
    issues: pl.DataFrame


def no_issues() -> pl.DataFrame:
    """Return an empty issues frame."""
    return pl.DataFrame(schema=ISSUES)


def issue(rows: pl.DataFrame, *, kind: str, key: pl.Expr, field: str, detail: pl.Expr) -> pl.DataFrame:
    """Turn refused rows into issues; `contract_id` is kept when the rows have it."""
    contract = pl.col("contract_id") if "contract_id" in rows.columns else pl.lit(None, dtype=pl.Int64)
    return rows.select(
        contract_id=contract.cast(pl.Int64),
        kind=pl.lit(kind),
        key=key.cast(pl.String),
        field=pl.lit(field),
        detail=detail.cast(pl.String),
    )


def gather(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Concatenate issues of several steps."""
    return pl.concat([no_issues(), *parts])
