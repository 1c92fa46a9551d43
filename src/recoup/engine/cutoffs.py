"""Cut-offs: the figures of a closed day, signed once and unchangeable, beside what is known now and why they differ."""

from datetime import date, datetime
from typing import Any, NamedTuple

import polars as pl

from recoup.core.indicators import MEASURES, SUMS
from recoup.database.bulk import Cursor
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.operations import append_cutoff
from recoup.domains.analytics.queries import Signed, find_cutoff, find_prepared, read_figures
from recoup.engine.clock import now
from recoup.engine.debtors import drop_others
from recoup.engine.differences import FACTS, count_waiting, list_differences, sum_effects
from recoup.engine.figures import NothingClosed, as_major, as_share
from recoup.engine.figures_known import View, sum_debts
from recoup.engine.indicator_sheet import (
    free_figures_lock,
    hash_figures,
    hold_figures_lock,
    share_by,
    store_sheet,
    take_figures,
)
from recoup.engine.runs import Connection, current_snapshot, last_done_on

FACTS_SHOWN = 1_000


class CutoffRefused(Exception):
    """A day that cannot be signed, or was never signed; the message says what to do."""


def sign(connection: Connection, on: date, by: str, denom: str) -> Signed:
    """Freeze the figures of a closed day as known now under a name; commit them.

    Raises CutoffRefused for a day not closed, signed before, or a name that is none.
    """
    if not by.strip():
        raise CutoffRefused("a cut-off needs the name of who signs it: --by NAME")
    hold_figures_lock(connection)
    try:
        _refuse_second(connection, on)
        taken = take_figures(connection, on, denom)
        closed_to = last_done_on(connection)
        signed = Signed(
            on,
            by.strip(),
            now(),
            taken.view.snapshot or "",
            closed_to or on,
            taken.run.run_no,
            taken.run.rulebook_hash,
            denom,
            taken.content_hash,
        )
        with connection.cursor() as cursor:
            append_cutoff(cursor, signed, taken.figures)
        day = store_sheet(connection, taken)
        connection.commit()
        drop_others(taken.view, day.debtors_file)
        return signed
    except NothingClosed as error:
        raise CutoffRefused(f"only a closed day can be signed: {error}") from error
    finally:
        free_figures_lock(connection)


def _refuse_second(connection: Connection, on: date) -> None:
    known = find_cutoff(connection, on)
    connection.rollback()
    if known is not None:
        raise CutoffRefused(
            f"{on} was signed by {known.signed_by} at {known.signed_at:%Y-%m-%d %H:%M} UTC, and a cut-off is signed "
            f"once: `recoup cutoff show {on}` shows what has changed since and why"
        )


def find_signed(connection: Connection, on: date) -> Signed:
    """Return the cut-off of a day; raise CutoffRefused when it was never signed."""
    signed = find_cutoff(connection, on)
    if signed is None:
        raise CutoffRefused(f"{on} was never signed: `recoup cutoff sign {on} --by NAME`, `recoup cutoff list`")
    return signed


class Compared(NamedTuple):
    """A signed day beside what is known of it: bases and rates of both (one row of share_by), and the facts between.

    `holds`: the signed figures still have their hash (null: only a part of them is in scope). `waiting`: receipts told
    and not settled yet, and their sum. `units`: both sides by unit.
    """

    signed: Signed
    holds: bool | None
    known_at: datetime
    reported: dict[str, Any]
    known: dict[str, Any]
    facts: pl.DataFrame
    waiting: tuple[int, int]
    units: pl.DataFrame

    def difference(self, base: str) -> int:
        """Known less reported (minor units)."""
        return int(self.known[base] - self.reported[base])

    def unexplained(self, base: str) -> int:
        """What of the difference no fact makes (minor units): nothing, unless a row was changed."""
        return self.difference(base) - sum_effects(self.facts)[base]


def compare(connection: Connection, on: date, scope: Scope, *, prepared: bool = False) -> Compared:
    """Compare a signed day with what is known of it; the caller ends the read. Raises CutoffRefused.

    `prepared` takes what is known from the day's prepared sums, and the facts told until then, in place of summing
    the book again.
    """
    signed = find_signed(connection, on)
    with connection.cursor() as cursor:
        reported = read_figures(cursor, "cutoff_figure", on, scope)
        view, known, known_at = _look_again(connection, cursor, signed, scope, prepared=prepared)
        facts = list_differences(cursor, view, signed.snapshot)
        waiting = count_waiting(cursor, view)
    sides = [share_by(figures, ["org_unit"]) for figures in (reported, known)]
    return Compared(
        signed,
        hash_figures(reported, on) == signed.content_hash if scope.units is None else None,
        known_at,
        share_by(reported).row(0, named=True),
        share_by(known).row(0, named=True),
        facts,
        waiting,
        _join_units(connection, *sides),
    )


def _join_units(connection: Connection, reported: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Both sides by unit, with its name."""
    both = reported.join(known, on="org_unit", how="full", coalesce=True, suffix="_known").sort("org_unit")
    codes = both["org_unit"].to_list()
    known_names = connection.execute("SELECT code, name FROM org_unit WHERE code = ANY(%s)", [codes]).fetchall()
    names: dict[str, str] = {code: name for code, name in known_names}
    return both.with_columns(pl.Series("unit_name", [names.get(code, code) for code in codes], pl.String))


def _look_again(
    connection: Connection, cursor: Cursor, signed: Signed, scope: Scope, *, prepared: bool
) -> tuple[View, pl.DataFrame, datetime]:
    """What is known of a signed day: its prepared sums, or the book summed now."""
    day = find_prepared(connection, signed.business_on) if prepared else None
    if day is not None:
        figures = read_figures(cursor, "figure_sheet", signed.business_on, scope)
        if scope.units is None or not figures.is_empty():
            return View(signed.business_on, signed.denom, day.snapshot, scope), figures, day.prepared_at
    view = View(signed.business_on, signed.denom, current_snapshot(connection), scope)
    return view, sum_debts(cursor, view), now()


def describe_compared(compared: Compared, digits: int) -> dict[str, Any]:
    """A comparison as a document: amounts as decimal strings in major units, shares of six digits, ISO days."""
    sides = {"reported": compared.reported, "known": compared.known}
    return {
        "business_on": compared.signed.business_on.isoformat(),
        **describe(compared.signed),
        "holds": compared.holds,
        "known_at": compared.known_at.isoformat(timespec="seconds"),
        "bases": {name.removesuffix("_minor"): _describe_base(compared, name, digits) for name in SUMS},
        "rates": {
            measure: {name: as_share(side[f"rate_{measure}_ppm"]) for name, side in sides.items()}
            for measure in MEASURES
        },
        "facts": [describe_fact(row, digits) for row in compared.facts.head(FACTS_SHOWN).to_dicts()],
        "facts_in_all": compared.facts.height,
        "waiting": {"receipts": compared.waiting[0], "amount": as_major(compared.waiting[1], digits)},
        "units": [_describe_unit(row, digits) for row in compared.units.to_dicts()],
    }


def _describe_base(compared: Compared, name: str, digits: int) -> dict[str, str]:
    difference, unexplained = compared.difference(name), compared.unexplained(name)
    parts = {
        "reported": compared.reported[name],
        "known": compared.known[name],
        "difference": difference,
        "explained": difference - unexplained,
        "unexplained": unexplained,
    }
    return {part: as_major(minor, digits) for part, minor in parts.items()}


def _describe_unit(row: dict[str, Any], digits: int) -> dict[str, Any]:
    sides = {"": "reported", "_known": "known"}
    return {
        "org_unit": row["org_unit"],
        "unit_name": row["unit_name"],
        **{
            f"{name}_{side}": as_major(row[f"{name}_minor{suffix}"] or 0, digits)
            for name in ("receivable", "received")
            for suffix, side in sides.items()
        },
        **{
            f"rate_{measure}_{side}": as_share(row[f"rate_{measure}_ppm{suffix}"])
            for measure in MEASURES
            for suffix, side in sides.items()
        },
    }


def describe(signed: Signed) -> dict[str, Any]:
    """The signature of a cut-off as a document."""
    return {
        "signed_by": signed.signed_by,
        "signed_at": signed.signed_at.isoformat(timespec="seconds"),
        "closed_to_on": signed.closed_to_on.isoformat(),
        "run_no": signed.run_no,
        "rulebook_hash": signed.rulebook_hash,
        "content_hash": signed.content_hash,
        "denom": signed.denom,
    }


def describe_fact(row: dict[str, Any], digits: int) -> dict[str, Any]:
    """A fact of a difference as a document: days as ISO texts, amounts as decimal strings."""
    told = {}
    for name in FACTS:
        value = row[name]
        if name.endswith("_minor"):
            told[name.removesuffix("_minor")] = as_major(value, digits)
        else:
            told[name] = value.isoformat() if isinstance(value, date) else value
    return told
