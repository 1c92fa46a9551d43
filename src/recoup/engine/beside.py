"""What stands beside the figures of a night: what was signed for the day, and what is known of it now."""

from datetime import date
from typing import Any

import polars as pl

from recoup.core.indicators import MEASURES, NOT_OVERDUE, SUMS
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.measures import Measure
from recoup.domains.analytics.queries import find_cutoff, read_figures
from recoup.engine.cutoffs import describe
from recoup.engine.differences import count_waiting
from recoup.engine.figures import as_major, as_share
from recoup.engine.figures_known import View, sum_debts
from recoup.engine.indicator_sheet import share_by, sum_parts
from recoup.engine.runs import Connection, last_done_on


def read_beside(connection: Connection, on: date, denom: str, digits: int) -> dict[str, Any]:
    """Read the signed figures of a day (null: never signed), the figures known now (null: the day is the last closed
    one, they are those of the report), and the receipts told that wait for the next day to be closed."""
    view = View(on, denom)
    last = last_done_on(connection)
    with connection.cursor() as cursor:
        signed = find_cutoff(connection, on)
        reported = read_figures(cursor, "cutoff_figure", on, Scope.EVERYTHING) if signed else None
        known = sum_debts(cursor, view) if last is not None and on < last else None
        receipts, waiting = count_waiting(cursor, view)
    connection.rollback()
    return {
        "reported": None if reported is None or signed is None else {**describe(signed), **_state(reported, digits)},
        "known_now": None
        if known is None or last is None
        else {"closed_to_on": last.isoformat(), **_state(known, digits)},
        "waiting": {"receipts": receipts, "amount": as_major(waiting, digits)},
    }


def _state(figures: pl.DataFrame, digits: int) -> dict[str, Any]:
    bases = share_by(figures).row(0, named=True)
    parts = {row["part"]: row["amount_minor"] for row in sum_parts(figures, Measure.OPEN).to_dicts()}
    prior = sum_parts(figures, Measure.ARREARS_PRIOR)["amount_minor"].sum()
    overdue = sum(minor for part, minor in parts.items() if part != NOT_OVERDUE)
    amounts = {
        **{name.removesuffix("_minor"): bases[name] for name in SUMS},
        "receivable_open": sum(parts.values()),
        "arrears": overdue,
        "arrears_current": overdue - prior,
        "arrears_prior": prior,
    }
    return {
        **{f"collection_rate_{measure}": as_share(bases[f"rate_{measure}_ppm"]) for measure in MEASURES},
        **{name: as_major(minor, digits) for name, minor in amounts.items()},
    }
