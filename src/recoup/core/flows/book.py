"""The book of a day: the frames from which every contract is decided, and the frames a decision leaves."""

from typing import NamedTuple

import polars as pl

from recoup.core import frames
from recoup.core.guards import REASON

_I = pl.Int64()
_S = pl.String()
_D = pl.Date()
_DAYS = pl.Int32()
_STAGE = pl.Int8()


class DayBook(NamedTuple):
    """Frames of whole settlement groups at one cut, under the contracts of `core.frames`."""

    contracts: pl.DataFrame
    items: pl.DataFrame
    credits: pl.DataFrame
    holds: pl.DataFrame
    touches: pl.DataFrame
    touch_items: pl.DataFrame
    episodes: pl.DataFrame
    rollups: pl.DataFrame


# One row per contract and run. Amounts are minor units of `denom`; `reason` is the first failed bit of
# `guards_failed`.
DECISIONS: frames.Schema = {
    "run_no": _I,
    "on": _D,
    "contract_id": _I,
    "account_id": _I,
    "account_no": _S,
    "contract_key": _S,
    "org_unit": _S,
    "reason": REASON,
    "guards_failed": pl.UInt64(),
    "action": _S,
    "channel": _S,
    "stage_from": _STAGE,
    "stage_to": _STAGE,
    "strategy": _S,
    "strategy_version": pl.Int32(),
    "rulebook_hash": _S,
    "arm": _S,
    "propensity_ppm": pl.Int32(),
    "denom": _S,
    "open_minor": _I,
    "overdue_minor": _I,
    "held_minor": _I,
    "oldest_overdue_days": _DAYS,
    "overdue_bills": _DAYS,
    "unapplied_minor": _I,
    "in_transit_minor": _I,
    "last_touch_on": _D,
    "wait_days": _DAYS,
    "episode_from_on": _D,
    "hold_reason": _S,
    "late_bills_12m": _DAYS,
    "capacity_cutoff_minor": _I,
    "feed_age_hours": _DAYS,
    "accrued_minor": _I,
}

# One row per capacity pool and org_unit with a candidate. A null capacity is unlimited; the cut-off is the
# last admitted.
CUTOFFS: frames.Schema = {
    "pool": _S,
    "org_unit": _S,
    "capacity": _I,
    "wanted": _I,
    "admitted": _I,
    "cutoff_minor": _I,
}

# One row per contract acted upon. `overdue_minor` and `items` are those of the items named in `action_items`.
ACTIONS: frames.Schema = {
    "contract_id": _I,
    "decided_on": _D,
    "action_code": _S,
    "channel": _S,
    "stage": _I,
    "org_unit": _S,
    "overdue_minor": _I,
    "items": _I,
}
