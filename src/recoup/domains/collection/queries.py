"""Reads of actions, outcomes and contacts: the work list, what an action named, what came of it.

Every read takes the scope of whoever asks; a row outside it does not exist. Amounts are minor units of `denom`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from recoup.database.listing import Connection, read_dicts
from recoup.domains.access.scope import Scope
from recoup.domains.parties.masking import mask_name


class ActionKey(NamedTuple):
    """What names one action."""

    contract_id: int
    decided_on: date
    action_code: str


@dataclass(frozen=True)
class WorkFilter:
    """Which actions: decided on `decided_on` or the `days` - 1 before it, still to be done or (`done`) answered.

    `today` is the business day in hand, the one after the last closed.
    """

    decided_on: date
    today: date
    days: int = 1
    units: Scope = Scope.EVERYTHING
    stage: int | None = None
    channel: str | None = None
    minimum_minor: int = 0
    done: bool = False
    only: ActionKey | None = None


_FROM = """
    FROM action x
    JOIN contract c ON c.contract_id = x.contract_id
    JOIN account a ON a.account_id = c.account_id
"""
_ANSWERED = """
    EXISTS (SELECT 1 FROM outcome o
            WHERE (o.contract_id, o.decided_on, o.action_code) = (x.contract_id, x.decided_on, x.action_code))
"""
# A hold that stops dunning and was told after the decision takes the action from the list.
_HELD = """
    EXISTS (SELECT 1 FROM hold h
            WHERE h.contract_id = x.contract_id AND h.stops_dun AND h.item_key IS NULL AND h.valid_from <= %s
              AND (h.valid_to IS NULL OR h.valid_to > %s)
              AND NOT EXISTS (SELECT 1 FROM hold n WHERE n.hold_key = h.hold_key AND n.version > h.version))
"""


def _filter(scope: Scope, wanted: WorkFilter) -> tuple[str, list[Any]]:
    """The condition of a list, in the order of its parameters."""
    seen, seen_params = scope.condition("a.org_unit")
    chosen, chosen_params = wanted.units.condition("a.org_unit")
    clauses = ["x.decided_on > %s AND x.decided_on <= %s AND x.overdue_minor >= %s", seen, chosen]
    first = date.fromordinal(wanted.decided_on.toordinal() - wanted.days)
    params: list[Any] = [first, wanted.decided_on, wanted.minimum_minor, *seen_params, *chosen_params]
    for column, value in (("x.stage", wanted.stage), ("x.channel", wanted.channel)):
        if value is not None:
            clauses.append(f"{column} = %s")
            params.append(value)
    if wanted.only is not None:
        clauses.append("(x.contract_id, x.decided_on, x.action_code) = (%s, %s, %s)")
        params += wanted.only
    if wanted.done:
        return " AND ".join([*clauses, _ANSWERED]), params
    return " AND ".join([*clauses, f"NOT {_ANSWERED}", f"NOT {_HELD}"]), [*params, wanted.today, wanted.today]


def count_work(connection: Connection, scope: Scope, wanted: WorkFilter) -> list[dict[str, Any]]:
    """Count the list by stage and channel: actions and amount, the highest stage first."""
    condition, params = _filter(scope, wanted)
    return read_dicts(
        connection,
        f"""
        SELECT x.stage, x.channel, x.denom, count(*) AS actions, sum(x.overdue_minor)::bigint AS overdue_minor
        {_FROM} WHERE {condition} GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
        """,
        params,
    )


_DETAILS = """
    SELECT l.*, p.name, p.kind AS party_kind, u.name AS unit_name,
           owed.open_minor, l.decided_on - owed.overdue_from_on + 1 AS oldest_overdue_days,
           fresh.received_minor, last.sent_on AS last_contact_on, last.channel AS last_contact_channel,
           said.result, said.happened_on, said.version, said.recorded_by, said.note, said.promise_on,
           said.promise_minor, before.promise_on AS earlier_promise_on, before.promise_minor AS earlier_promise_minor,
           before.paid_minor AS earlier_promise_paid_minor
    FROM listed l
    JOIN party p ON p.party_id = l.party_id
    LEFT JOIN org_unit u ON u.code = l.org_unit
    LEFT JOIN fresh ON fresh.contract_id = l.contract_id
    LEFT JOIN LATERAL (
        SELECT sum(w.open_minor)::bigint AS open_minor, min(i.overdue_from_on) AS overdue_from_on
        FROM item_open w JOIN open_item i ON i.item_id = w.item_id
        WHERE w.contract_id = l.contract_id AND i.amount_minor > 0 AND i.denom = l.denom
          AND i.overdue_from_on <= l.decided_on) owed ON true
    LEFT JOIN LATERAL (
        SELECT coalesce(t.sent_on, t.decided_on) AS sent_on, t.channel FROM touch t
        WHERE t.contract_id = l.contract_id AND t.decided_on < l.decided_on ORDER BY 1 DESC LIMIT 1) last ON true
    LEFT JOIN LATERAL (
        SELECT * FROM outcome o
        WHERE (o.contract_id, o.decided_on, o.action_code) = (l.contract_id, l.decided_on, l.action_code)
        ORDER BY version DESC LIMIT 1) said ON true
    LEFT JOIN LATERAL (
        SELECT o.promise_on, o.promise_minor, (
            SELECT coalesce(-sum(m.amount_minor), 0)::bigint FROM open_item m
            WHERE m.contract_id = l.contract_id AND m.origin_kind = 'PAYMENT' AND m.denom = l.denom
              AND m.value_on BETWEEN o.happened_on AND o.promise_on
              AND NOT EXISTS (SELECT 1 FROM open_item r
                              WHERE r.designation = m.item_id AND r.origin_kind = 'PAYMENT_REVERSAL')) AS paid_minor
        FROM outcome o
        WHERE o.contract_id = l.contract_id AND o.decided_on < l.decided_on AND o.promise_on IS NOT NULL
          AND NOT EXISTS (
              SELECT 1 FROM outcome n WHERE (n.contract_id, n.decided_on, n.action_code)
                  = (o.contract_id, o.decided_on, o.action_code) AND n.version > o.version)
        ORDER BY o.promise_on DESC LIMIT 1) before ON true
    ORDER BY l.stage DESC, l.overdue_minor DESC, l.contract_key
"""


def list_work(
    connection: Connection, scope: Scope, wanted: WorkFilter, *, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """List actions by stage (highest first), within it by amount, with what a collector must know before calling.

    `received_minor` is money told since the day was closed and not booked yet; `open_minor` is what of the overdue debt
    is open now; `earlier_promise_*` is the last promise of the contract and what was paid within its days. Names are
    masked.
    """
    condition, params = _filter(scope, wanted)
    query = f"""
        WITH listed AS (
            SELECT x.contract_id, x.decided_on, x.action_code, x.channel, x.stage, x.overdue_minor, x.denom, x.items,
                   x.simulated, a.account_no, a.old_account_no, a.org_unit, c.contract_key, c.party_id, c.class
            {_FROM} WHERE {condition}
            ORDER BY x.stage DESC, x.overdue_minor DESC, c.contract_key LIMIT %s OFFSET %s),
        fresh AS (
            SELECT contract_id, sum(amount_minor)::bigint AS received_minor FROM (
                SELECT DISTINCT ON (channel, channel_key) contract_id, amount_minor FROM payment
                WHERE received_on >= %s AND received_on <= %s AND run_no IS NULL AND reverses IS NULL
                ORDER BY channel, channel_key, version DESC) p
            GROUP BY 1)
        {_DETAILS}
    """
    rows = read_dicts(connection, query, [*params, limit, offset, wanted.today, wanted.today])
    return [{**row, "name": mask_name(row["name"], row["party_kind"])} for row in rows]


def find_action(connection: Connection, scope: Scope, number: str, decided_on: date | None = None) -> ActionKey | None:
    """Find the latest action of an account (by either number) or contract, or the one of a day; None if none."""
    condition, params = scope.condition("a.org_unit")
    rows = read_dicts(
        connection,
        f"""
        SELECT x.contract_id, x.decided_on, x.action_code {_FROM}
        WHERE (a.account_no = %s OR a.old_account_no = %s OR c.contract_key = %s) AND {condition}
          AND (%s::date IS NULL OR x.decided_on = %s)
        ORDER BY x.decided_on DESC, x.overdue_minor DESC, c.contract_key LIMIT 1
        """,
        [number, number, number, *params, decided_on, decided_on],
    )
    return ActionKey(**rows[0]) if rows else None


def read_action(connection: Connection, scope: Scope, key: ActionKey) -> dict[str, Any] | None:
    """Read an action inside the scope, with the snapshot its run saw and what is owed and open now; None if none."""
    condition, params = scope.condition("a.org_unit")
    rows = read_dicts(
        connection,
        f"""
        SELECT x.contract_id, x.decided_on, x.action_code, x.channel, x.stage, x.overdue_minor, x.denom, x.simulated,
               a.account_no, a.org_unit, c.contract_key, coalesce(g.contract_id, c.contract_id) AS group_id,
               cut.snapshot, (
                   SELECT coalesce(sum(w.open_minor), 0)::bigint FROM item_open w
                   JOIN open_item i ON i.item_id = w.item_id
                   WHERE w.contract_id = x.contract_id AND i.amount_minor > 0 AND i.denom = x.denom
                     AND i.origin_kind <> 'PAYMENT_REVERSAL') AS debt_minor
        {_FROM}
        LEFT JOIN contract g ON g.contract_key = c.group_key
        JOIN run r ON r.run_no = x.run_no JOIN cut ON cut.cut_no = r.cut_no
        WHERE (x.contract_id, x.decided_on, x.action_code) = (%s, %s, %s) AND {condition}
        """,
        [*key, *params],
    )
    return rows[0] if rows else None


def list_named_items(connection: Connection, action: dict[str, Any]) -> list[dict[str, Any]]:
    """List the items an action named: overdue, open and free of holds of their own as its run saw them."""
    return read_dicts(
        connection,
        """
        SELECT i.item_key, i.amount_minor - coalesce(p.total, 0) AS amount_minor
        FROM open_item i
        LEFT JOIN (
            SELECT debit_id, sum(amount_minor)::bigint AS total FROM allocation
            WHERE group_id = %s AND booked_on <= %s GROUP BY debit_id) p ON p.debit_id = i.item_id
        WHERE i.contract_id = %s AND i.denom = %s AND i.overdue_from_on <= %s
          AND i.amount_minor > 0 AND i.amount_minor > coalesce(p.total, 0)
          AND CASE WHEN i.run_no IS NOT NULL THEN i.booked_on <= %s
                   ELSE pg_visible_in_snapshot(i.recorded_tx, %s::pg_snapshot) END
          AND NOT EXISTS (
              SELECT 1 FROM (
                  SELECT DISTINCT ON (hold_key) * FROM hold h
                  WHERE h.contract_id = i.contract_id AND pg_visible_in_snapshot(h.recorded_tx, %s::pg_snapshot)
                  ORDER BY hold_key, version DESC) h
              WHERE h.item_key = i.item_key AND h.stops_dun AND h.valid_from <= %s
                AND (h.valid_to IS NULL OR h.valid_to > %s))
        ORDER BY i.item_key
        """,
        [
            *(action["group_id"], action["decided_on"], action["contract_id"], action["denom"]),
            *(action["decided_on"], action["decided_on"], action["snapshot"], action["snapshot"]),
            *(action["decided_on"], action["decided_on"]),
        ],
    )


_OUTCOME = """
    SELECT contract_id, decided_on, action_code, version, result, happened_on, promise_on, promise_minor, note,
           recorded_by FROM outcome
"""


def read_outcome(connection: Connection, key: ActionKey) -> dict[str, Any] | None:
    """Read the latest version of what came of an action."""
    where = "WHERE (contract_id, decided_on, action_code) = (%s, %s, %s) ORDER BY version DESC LIMIT 1"
    rows = read_dicts(connection, f"{_OUTCOME} {where}", list(key))
    return rows[0] if rows else None


def read_outcome_of_request(connection: Connection, request_key: str) -> dict[str, Any] | None:
    """Read the outcome that a request already recorded."""
    rows = read_dicts(connection, f"{_OUTCOME} WHERE request_key = %s", [request_key])
    return rows[0] if rows else None


def count_effects(connection: Connection, scope: Scope, first: date, last: date) -> dict[str, int]:
    """Count what was done from `first` to `last`: actions and those that reached, by channel; contracts by stage;
    outcomes by channel and result, and promises.
    """
    condition, params = scope.condition("a.org_unit")
    listed = read_dicts(
        connection,
        f"""
        SELECT x.channel, x.stage, count(*) AS actions, count(t.contract_id) AS reached,
               count(DISTINCT x.contract_id) AS contracts
        {_FROM}
        LEFT JOIN touch t ON t.proven
          AND (t.contract_id, t.decided_on, t.action_code) = (x.contract_id, x.decided_on, x.action_code)
        WHERE x.decided_on BETWEEN %s AND %s AND {condition} GROUP BY 1, 2
        """,
        [first, last, *params],
    )
    said = read_dicts(
        connection,
        f"""
        SELECT x.channel, x.result, x.promise_on IS NOT NULL AS promised, count(*) AS outcomes FROM (
            SELECT DISTINCT ON (o.contract_id, o.decided_on, o.action_code) o.*, x.channel
            FROM outcome o JOIN action x USING (contract_id, decided_on, action_code)
            WHERE o.happened_on BETWEEN %s AND %s
            ORDER BY o.contract_id, o.decided_on, o.action_code, o.version DESC) x
        JOIN contract c ON c.contract_id = x.contract_id JOIN account a ON a.account_id = c.account_id
        WHERE {condition} GROUP BY 1, 2, 3
        """,
        [first, last, *params],
    )
    counts: dict[str, int] = {}
    for row in listed:
        _add(counts, f"LISTED:{row['channel']}", row["actions"])
        _add(counts, f"REACHED:{row['channel']}", row["reached"])
        _add(counts, f"STAGE:{row['stage']}", row["contracts"])
    for row in said:
        _add(counts, f"RESULT:{row['channel']}:{row['result']}", row["outcomes"])
        _add(counts, "OUTCOMES", row["outcomes"])
        _add(counts, "PROMISES", row["outcomes"] if row["promised"] else 0)
    return counts


def _add(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more


def list_contacts(connection: Connection, scope: Scope, account_id: int) -> list[dict[str, Any]]:
    """List the actions and contacts of an account, the latest first: what was decided, sent, delivered and answered."""
    condition, params = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT c.contract_key, k.decided_on, k.action_code, k.channel, k.stage, k.overdue_minor, k.sent_on,
               k.delivered_on, k.proven, k.origin, k.simulated, o.result, o.promise_on, o.promise_minor, o.note,
               o.recorded_by
        FROM contract c JOIN account a USING (account_id)
        JOIN LATERAL (
            SELECT decided_on, action_code, coalesce(t.channel, x.channel) AS channel,
                   coalesce(t.stage, x.stage) AS stage, x.overdue_minor, t.sent_on, t.delivered_on, t.proven, t.origin,
                   coalesce(t.simulated, x.simulated) AS simulated
            FROM (SELECT * FROM action WHERE action.contract_id = c.contract_id) x
            FULL JOIN (SELECT * FROM touch WHERE touch.contract_id = c.contract_id) t
                USING (decided_on, action_code)) k ON true
        LEFT JOIN LATERAL (
            SELECT * FROM outcome o WHERE (o.contract_id, o.decided_on, o.action_code)
                = (c.contract_id, k.decided_on, k.action_code) ORDER BY version DESC LIMIT 1) o ON true
        WHERE c.account_id = %s AND {condition} ORDER BY k.decided_on DESC, k.action_code LIMIT 300
        """,
        [account_id, *params],
    )


def list_episodes(connection: Connection, scope: Scope, account_id: int) -> list[dict[str, Any]]:
    """List the episodes of arrears of an account with the strategy each followed; the running one first."""
    condition, params = scope.condition("a.org_unit")
    return read_dicts(
        connection,
        f"""
        SELECT c.contract_key, coalesce(n.episode_from_on, e.episode_from_on) AS episode_from_on, n.strategy,
               n.version, n.arm, e.episode_from_on IS NOT NULL AS running
        FROM contract c JOIN account a USING (account_id)
        LEFT JOIN enrolment n ON n.contract_id = c.contract_id
        LEFT JOIN episode e ON e.contract_id = c.contract_id
             AND (n.episode_from_on IS NULL OR n.episode_from_on = e.episode_from_on)
        WHERE c.account_id = %s AND {condition} AND (n.contract_id IS NOT NULL OR e.contract_id IS NOT NULL)
        ORDER BY 2 DESC, 1
        """,
        [account_id, *params],
    )
