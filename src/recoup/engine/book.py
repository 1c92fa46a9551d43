"""Loads the Book: the frames of whole groups at one cut, in one place, for a slice or for one contract.

Source facts (contracts, services, readings, payments, holds, imports) count when the cut's snapshot sees their
transaction; what our own runs derived counts when it is committed.
"""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core import frames
from recoup.core.flows.day import Late
from recoup.core.flows.receive import PAYMENTS, REVERSALS, leave_open
from recoup.core.flows.settle import PAID
from recoup.core.frames import Schema
from recoup.core.metering import BILLED
from recoup.database.bulk import Cursor, read_rows
from recoup.engine.runs import Cut

WAITING_HOLDS: Schema = {**frames.HOLDS, "item_key": pl.String()}


class Facts(NamedTuple):
    """Source facts of a cut that do not change while the cycle runs."""

    contracts: pl.DataFrame
    services: pl.DataFrame
    installations: pl.DataFrame
    readings: pl.DataFrame
    payments: pl.DataFrame
    holds: pl.DataFrame


class Known:
    """The SQL condition under which a fact is known at a cut."""

    def __init__(self, cut: Cut) -> None:
        self.snapshot = cut.snapshot

    def fact(self, alias: str = "") -> str:
        """Condition on a source fact's row."""
        prefix = f"{alias}." if alias else ""
        return f"pg_visible_in_snapshot({prefix}recorded_tx, '{self.snapshot}'::pg_snapshot)"

    def derived(self, alias: str = "") -> str:
        """Condition on a row of a table that holds both imports and what our runs derived."""
        prefix = f"{alias}." if alias else ""
        return f"({prefix}run_no IS NOT NULL OR {self.fact(alias)})"

    def touch(self, alias: str) -> str:
        """Condition on a touch: ours when committed, another system's when its load was known."""
        return f"({alias}.origin = 'OWN' OR {self.fact(alias)})"


def load_facts(cursor: Cursor, cut: Cut, on: date, to: date) -> Facts:
    """Load the source facts known at `cut` that a cycle over `[on, to]` reads."""
    known = Known(cut)
    contracts = load_contracts(cursor, known, on)
    return Facts(
        contracts=contracts,
        services=_load_services(cursor, known),
        installations=_load_installations(cursor, known),
        readings=_load_readings(cursor, known, on, to),
        payments=_load_payments(cursor, known, to),
        holds=_load_holds(cursor, known),
    )


def load_contracts(cursor: Cursor, known: Known, on: date) -> pl.DataFrame:
    """Load contracts with the agreement in force on `on` (else the first) and their station."""
    query = f"""
        SELECT c.contract_id, c.contract_key, p.key64, c.account_id, a.account_no,
               coalesce(g.contract_id, c.contract_id), c.party_id,
               coalesce(CASE WHEN u.kind = 'DISTRICT' THEN u.parent END, a.org_unit),
               c.class, c.jurisdiction, c.valid_from, c.valid_to, t.payment_mode, t.due_days, t.agreed_rate_ppm,
               t.strategy, NULL, NULL
        FROM contract c
        JOIN party p USING (party_id)
        JOIN account a USING (account_id)
        LEFT JOIN org_unit u ON u.code = a.org_unit
        LEFT JOIN contract g ON g.contract_key = c.group_key
        LEFT JOIN LATERAL (
            SELECT * FROM agreement t WHERE t.contract_id = c.contract_id AND {known.fact("t")} AND NOT t.withdrawn
            ORDER BY (t.valid_from <= %s) DESC, abs(t.valid_from - %s), version DESC LIMIT 1) t ON true
        WHERE {known.fact("c")}
        ORDER BY 6, 1
    """
    return read_rows(cursor, query, frames.CONTRACTS, [on, on])


def _load_services(cursor: Cursor, known: Known) -> pl.DataFrame:
    query = f"""
        SELECT service_id, service_point, contract_id, tariff, class, capacity_va, household_size, households,
               free_wh_month, valid_from, CASE WHEN ends IS NULL THEN valid_to
                                               WHEN valid_to IS NULL THEN ends ELSE least(valid_to, ends) END
        FROM (
            SELECT *, lead(valid_from) OVER (PARTITION BY service_point ORDER BY valid_from) AS ends
            FROM (
                SELECT DISTINCT ON (service_point, valid_from) * FROM service WHERE {known.fact()}
                ORDER BY service_point, valid_from, version DESC) latest
            WHERE NOT withdrawn) dated
        ORDER BY contract_id, service_point, valid_from
    """
    return read_rows(cursor, query, frames.SERVICES)


def _load_installations(cursor: Cursor, known: Known) -> pl.DataFrame:
    query = f"""
        SELECT service_point, meter, register, multiplier_e4, valid_from, valid_to FROM (
            SELECT DISTINCT ON (service_point, meter, register, valid_from) * FROM installation WHERE {known.fact()}
            ORDER BY service_point, meter, register, valid_from, version DESC) latest
        WHERE NOT withdrawn ORDER BY service_point, register, valid_from
    """
    return read_rows(cursor, query, frames.INSTALLATIONS)


READING_KEY = "service_point || '/' || meter || '/' || register || '/' || read_on || '/' || part || '/' || source"
READING_COLUMNS = f"""
    {READING_KEY}, service_point, meter, register, read_on, part, source, index_from_e4, index_e4, multiplier_e4,
    months, stated_wh
"""


def readings_from(on: date) -> date:
    """The first day of the readings that are loaded on `on`: the start of the year before."""
    return date(on.year - 1, 1, 1)


def _load_readings(cursor: Cursor, known: Known, on: date, to: date) -> pl.DataFrame:
    """Readings since the start of the year before: the tier year's use and the index each chain starts from."""
    query = f"""
        SELECT {READING_COLUMNS} FROM (
            SELECT DISTINCT ON (service_point, meter, register, read_on, part, source) * FROM reading
            WHERE read_on >= %s AND read_on <= %s AND {known.fact()}
            ORDER BY service_point, meter, register, read_on, part, source, version DESC) latest
    """
    return read_rows(cursor, query, frames.READINGS, [readings_from(on), to])


def _load_payments(cursor: Cursor, known: Known, to: date) -> pl.DataFrame:
    """Payments from files that have no open item yet; the latest version of each key, without those refused."""
    query = f"""
        SELECT contract_id, channel, channel_key, version, value_on, received_on, amount_minor, denom, designation,
               reverses, false
        FROM (
            SELECT DISTINCT ON (channel, channel_key) * FROM payment
            WHERE received_on <= %s AND run_no IS NULL AND {known.fact()}
            ORDER BY channel, channel_key, version DESC) p
        WHERE NOT EXISTS (
            SELECT 1 FROM open_item i WHERE i.item_key = p.channel || ':' || p.channel_key)
        ORDER BY received_on, channel, channel_key
    """
    payments = read_rows(cursor, query, PAYMENTS, [to])
    told = read_rows(cursor, "SELECT DISTINCT kind, key FROM run_issue", {"kind": pl.String(), "key": pl.String()})
    return leave_open(payments, payments.clear(), frames.empty(REVERSALS), told)


def _load_holds(cursor: Cursor, known: Known) -> pl.DataFrame:
    """Holds on contracts and on items that exist."""
    wanted = "h.item_key IS NULL OR i.item_id IS NOT NULL"
    return read_rows(cursor, _select_holds(known, "", wanted), frames.HOLDS)


def load_waiting_holds(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    """Holds on items that do not exist yet: HOLDS without item_id, with the `item_key` they wait for."""
    wanted = "h.item_key IS NOT NULL AND i.item_id IS NULL"
    return read_rows(cursor, _select_holds(Known(cut), ", h.item_key", wanted), WAITING_HOLDS)


def _select_holds(known: Known, more: str, wanted: str) -> str:
    return f"""
        SELECT h.hold_key, h.contract_id, i.item_id, h.stops_late_charge, h.stops_dun, h.stops_debit,
               h.stops_disconnect, h.reason, h.valid_from, h.valid_to{more}
        FROM (
            SELECT DISTINCT ON (hold_key) * FROM hold WHERE {known.fact()} ORDER BY hold_key, version DESC) h
        LEFT JOIN open_item i ON i.item_key = h.item_key
        WHERE {wanted}
        ORDER BY h.hold_key
    """


_ITEM = """
    i.item_id, i.item_key, i.contract_id, coalesce(g.contract_id, c.contract_id), i.component, i.subject, i.denom,
    i.amount_minor, {opened}, i.issued_on, i.due_on, i.overdue_from_on, i.period_from, i.charge_of, c.class,
    t.agreed_rate_ppm
    FROM open_item i
    JOIN contract c USING (contract_id)
    LEFT JOIN contract g ON g.contract_key = c.group_key
    LEFT JOIN LATERAL (
        SELECT agreed_rate_ppm FROM agreement t WHERE t.contract_id = c.contract_id AND NOT t.withdrawn
        ORDER BY (t.valid_from <= i.issued_on) DESC, abs(t.valid_from - i.issued_on), version DESC LIMIT 1) t ON true
"""


def load_items(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    """Load the debit items with something open."""
    query = f"""
        SELECT {_ITEM.format(opened="o.open_minor")} JOIN item_open o ON o.item_id = i.item_id
        WHERE i.amount_minor > 0 AND {Known(cut).derived("i")} ORDER BY i.item_key
    """
    return read_rows(cursor, query, frames.ITEMS)


_CREDIT = """
    i.item_id, i.item_key, i.contract_id, coalesce(g.contract_id, c.contract_id), i.subject, i.denom,
    -i.amount_minor, {opened}, i.value_on, coalesce(r.item_id, i.designation), i.state
    FROM open_item i
    JOIN contract c USING (contract_id)
    LEFT JOIN contract g ON g.contract_key = c.group_key
    LEFT JOIN open_item r ON r.designation = i.item_id AND r.origin_kind = 'PAYMENT_REVERSAL'
"""


def load_credits(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    """Load the credit items with money not yet applied."""
    query = f"""
        SELECT {_CREDIT.format(opened="o.open_minor")} JOIN item_open o ON o.item_id = i.item_id
        WHERE i.amount_minor < 0 AND {Known(cut).derived("i")} ORDER BY i.item_key
    """
    return read_rows(cursor, query, frames.CREDITS)


def load_paid(cursor: Cursor) -> pl.DataFrame:
    """Load the pieces already applied to debit items still open: item_id, value_on, amount_minor."""
    query = """
        SELECT a.debit_id, a.value_on, a.amount_minor FROM allocation a JOIN item_open o ON o.item_id = a.debit_id
    """
    return read_rows(cursor, query, PAID)


_BOOKED = "SELECT i.charge_of, i.value_on, i.amount_minor FROM open_item i"


def load_booked(cursor: Cursor) -> pl.DataFrame:
    """Load the late charges booked on principal items still open."""
    query = f"{_BOOKED} JOIN item_open o ON o.item_id = i.charge_of WHERE i.charge_of IS NOT NULL"
    return read_rows(cursor, query, frames.CHARGES_BOOKED)


_NAMES_OPEN = """
    (EXISTS (SELECT 1 FROM touch_item n JOIN open_item d USING (item_key) JOIN item_open o ON o.item_id = d.item_id
             WHERE (n.contract_id, n.decided_on, n.action_code) = (t.contract_id, t.decided_on, t.action_code))
     OR NOT EXISTS (SELECT 1 FROM touch_item n
             WHERE (n.contract_id, n.decided_on, n.action_code) = (t.contract_id, t.decided_on, t.action_code)))
"""


def load_touches(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    """Load the touches decided before the cut's day that name an item still open, or name none."""
    query = f"""
        SELECT contract_id, decided_on, action_code, stage, channel, sent_on, delivered_on, proven FROM touch t
        WHERE decided_on < %s AND {Known(cut).touch("t")} AND {_NAMES_OPEN}
    """
    return read_rows(cursor, query, frames.TOUCHES, [cut.business_on])


def load_touch_items(cursor: Cursor, cut: Cut) -> pl.DataFrame:
    """Load which items still open those touches named."""
    query = """
        SELECT t.contract_id, t.decided_on, t.action_code, i.item_id, t.amount_minor
        FROM touch_item t JOIN open_item i USING (item_key) JOIN item_open o ON o.item_id = i.item_id
        WHERE t.decided_on < %s
    """
    return read_rows(cursor, query, frames.TOUCH_ITEMS, [cut.business_on])


def load_touches_naming(cursor: Cursor, cut: Cut, item_ids: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Load the touches decided before the cut's day that named one of these items, and which of them they named."""
    among = """
        FROM touch_item n JOIN touch t USING (contract_id, decided_on, action_code)
        JOIN open_item i ON i.item_key = n.item_key
        WHERE i.item_id = ANY(%s) AND t.decided_on < %s AND {known}
    """.format(known=Known(cut).touch("t"))
    touches = f"""
        SELECT DISTINCT t.contract_id, t.decided_on, t.action_code, t.stage, t.channel, t.sent_on, t.delivered_on,
               t.proven {among}
    """
    named = f"SELECT t.contract_id, t.decided_on, t.action_code, i.item_id, n.amount_minor {among}"
    parameters = [item_ids, cut.business_on]
    return read_rows(cursor, touches, frames.TOUCHES, parameters), read_rows(
        cursor, named, frames.TOUCH_ITEMS, parameters
    )


def load_episodes(cursor: Cursor) -> pl.DataFrame:
    """Load the running episodes."""
    return read_rows(cursor, "SELECT contract_id, episode_from_on FROM episode", frames.EPISODES)


_ROLLUP = "SELECT contract_id, month_on, bills, late_bills, days_late, max_overdue_minor, contacts FROM rollup"


def load_rollups(cursor: Cursor, on: date) -> pl.DataFrame:
    """Load the month rows of the twelve months up to `on`."""
    return read_rows(cursor, f"{_ROLLUP} WHERE month_on > %s", frames.ROLLUPS, [date(on.year - 1, on.month, 1)])


def load_rollup_months(cursor: Cursor, contract_ids: list[int], months: list[date]) -> pl.DataFrame:
    """Load the month rows of these contracts in these months."""
    if not contract_ids:
        return frames.empty(frames.ROLLUPS)
    query = f"{_ROLLUP} WHERE contract_id = ANY(%s) AND month_on = ANY(%s)"
    return read_rows(cursor, query, frames.ROLLUPS, [contract_ids, months])


def load_history(cursor: Cursor, groups: list[int], cut: Cut, since: date | None = None) -> Late:
    """Load the whole history of the given groups, to be derived again from the day `since` (null: from the start)."""
    among = """
        WHERE i.contract_id IN (
            SELECT m.contract_id FROM contract m LEFT JOIN contract h ON h.contract_key = m.group_key
            WHERE coalesce(h.contract_id, m.contract_id) = ANY(%s))
    """
    known = Known(cut).derived("i")
    items = f"SELECT {_ITEM.format(opened='i.amount_minor')} {among} AND i.amount_minor > 0 AND {known}"
    credits = f"SELECT {_CREDIT.format(opened='-i.amount_minor')} {among} AND i.amount_minor < 0 AND {known}"
    allocated = "SELECT group_id, contract_id, credit_id, debit_id, amount_minor, value_on, rule FROM allocation"
    return Late(
        since=since,
        items=read_rows(cursor, items, frames.ITEMS, [groups]),
        credits=read_rows(cursor, credits, frames.CREDITS, [groups]),
        allocations=read_rows(cursor, f"{allocated} WHERE group_id = ANY(%s)", frames.ALLOCATIONS, [groups]),
        booked=read_rows(cursor, f"{_BOOKED} {among} AND i.charge_of IS NOT NULL", frames.CHARGES_BOOKED, [groups]),
    )


def first_billed_on(cursor: Cursor) -> date | None:
    """Return the first business day the book ever ran: readings before it are history and owe nothing."""
    row = cursor.execute("SELECT min(business_on) FROM run WHERE mode = 'live'").fetchone()
    return row[0] if row else None


def list_billed_readings(cursor: Cursor, first: date) -> pl.DataFrame:
    """Return the readings of the two years before `first` and after that a bill already stands on: BILLED."""
    query = """
        SELECT reading_key, period_from, period_to FROM bill WHERE reading_key IS NOT NULL AND booked_on >= %s
    """
    return read_rows(cursor, query, BILLED, [date(first.year - 2, 1, 1)])


def list_issue_keys(cursor: Cursor) -> pl.DataFrame:
    """Return the input keys that some run already refused."""
    return read_rows(cursor, "SELECT DISTINCT key FROM run_issue", {"key": pl.String()})
