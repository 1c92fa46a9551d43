"""The collectors' list of a closed day as one document: counts by stage and channel, and the rows.

Terminal and JSON print it; the console reads the same rows. Amounts are decimal strings in major units.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from recoup.domains.access.scope import Scope
from recoup.domains.collection.queries import WorkFilter, count_work, list_work
from recoup.engine.figures import as_major, find_run
from recoup.engine.report import read_rulebook
from recoup.engine.runs import Connection

KEPT, BROKEN, WAITING = "KEPT", "BROKEN", "WAITING"


def find_filter(connection: Connection, **chosen: Any) -> WorkFilter:
    """The filter of the last closed day, whose outcomes belong to the day after; raise NothingClosed."""
    closed_on = find_run(connection, None).business_on
    return WorkFilter(decided_on=closed_on, today=closed_on + timedelta(days=1), **chosen)


def read_work(
    connection: Connection, scope: Scope, *, limit: int = 50, offset: int = 0, **chosen: Any
) -> dict[str, Any]:
    """Read the list of a scope; `chosen` are fields of WorkFilter (units, stage, channel, days, done)."""
    wanted = find_filter(connection, **chosen)
    digits = read_rulebook().digits
    counts = count_work(connection, scope, wanted)
    rows = list_work(connection, scope, wanted, limit=limit, offset=offset)
    return {
        "decided_on": wanted.decided_on.isoformat(),
        "today": wanted.today.isoformat(),
        "counts": [
            {**_without_minor(each), "overdue": as_major(each["overdue_minor"], digits[each["denom"]])}
            for each in counts
        ],
        "rows": [_tell(row, digits[row["denom"]]) for row in rows],
    }


def judge_promise(row: Mapping[str, Any], decided_on: date) -> str | None:
    """Whether the last promise was kept, broken, or still has time, by what was paid within its days; None if none."""
    if row["earlier_promise_on"] is None:
        return None
    if row["earlier_promise_paid_minor"] >= row["earlier_promise_minor"]:
        return KEPT
    return BROKEN if row["earlier_promise_on"] < decided_on else WAITING


_NOT_TOLD = ("contract_id", "party_id", "party_kind")


def _tell(row: dict[str, Any], digits: int) -> dict[str, Any]:
    told = {name: _plain(value) for name, value in _without_minor(row).items() if name not in _NOT_TOLD}
    amounts = {
        name.removesuffix("_minor"): None if value is None else as_major(value, digits)
        for name, value in row.items()
        if name.endswith("_minor")
    }
    return {**told, **amounts, "earlier_promise_state": judge_promise(row, row["decided_on"])}


def _without_minor(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("_minor")}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
