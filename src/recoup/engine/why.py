"""Why a contract was, or was not, acted upon on a day: the stored decision, guard by guard, and what would change it.

The decision is read from the lake (one slice's file, one row group), explained by the code that computed it; items,
holds and touches beside it are those booked by that day.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from recoup.core.flows.explain_decision import Step, explain_decision
from recoup.core.guards import ACTED
from recoup.core.rules import Rules
from recoup.engine import lake
from recoup.engine.figures import ClosedRun, as_major, find_run
from recoup.engine.report import is_invented
from recoup.engine.runs import Connection
from recoup.rulebook import Rulebook
from recoup.rulebook.schema import StrategyDocument

type Row = dict[str, Any]

_SURROGATES = ("contract_id", "group_id", "account_id")


class UnknownNumber(Exception):
    """No account or contract has this number; the message shows the nearest ones."""


class Law(NamedTuple):
    """The documents in force and what they resolve to; read once, used for many answers."""

    documents: Rulebook
    rules: Rules


def read_law(documents: Rulebook) -> Law:
    """Resolve the documents for answering."""
    return Law(documents, documents.resolve())


def answer(connection: Connection, number: str, on: date | None, law: Law) -> Row:
    """Answer for every contract of an account number (13 digits, or the old 10) or a contract key.

    Raises UnknownNumber, or NothingClosed when the day has no decisions.
    """
    contracts = find_contracts(connection, number)
    run = find_run(connection, on)
    law = law._replace(rules=law.rules.at(run.business_on))
    answers = [_answer_one(connection, contract, run, law) for contract in contracts]
    connection.rollback()
    return {
        "asked": number,
        "on": run.business_on.isoformat(),
        "simulated": is_invented(),
        "denom": law.rules.denom,
        "run": {
            "run_no": run.run_no,
            "rulebook_hash": run.rulebook_hash,
            "rulebook_changed_since": run.rulebook_hash != law.rules.content_hash,
        },
        "answers": answers,
    }


_FIND = """
    WITH wanted AS (
        SELECT contract_id FROM contract WHERE contract_key = %(number)s
        UNION
        SELECT contract_id FROM contract WHERE account_id IN (
            SELECT account_id FROM account WHERE account_no = %(number)s
            UNION SELECT account_id FROM account WHERE old_account_no = %(number)s))
    SELECT c.contract_id, c.contract_key, a.account_no, a.old_account_no, c.class, a.org_unit, c.valid_from,
           c.valid_to, c.group_key, coalesce(g.contract_id, c.contract_id) AS group_id
    FROM contract c JOIN account a USING (account_id) LEFT JOIN contract g ON g.contract_key = c.group_key
    WHERE c.contract_id IN (SELECT contract_id FROM wanted) ORDER BY c.valid_from DESC, c.contract_key
"""


def find_contracts(connection: Connection, number: str) -> list[Row]:
    """Find the contracts of a number, the latest first; raise UnknownNumber."""
    found = read_dicts(connection, _FIND, {"number": number})
    if not found:
        raise UnknownNumber(_tell_nearest(connection, number))
    return found


def read_dicts(connection: Connection, query: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Read a SELECT as rows by column name."""
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


_NEAREST = """
    SELECT account_no AS number FROM (
        (SELECT account_no FROM account WHERE account_no < %(number)s ORDER BY account_no DESC LIMIT 2)
        UNION ALL (SELECT account_no FROM account WHERE account_no >= %(number)s ORDER BY account_no LIMIT 2)) near
    ORDER BY account_no
"""


def _tell_nearest(connection: Connection, number: str) -> str:
    if read_dicts(connection, "SELECT 1 FROM bill WHERE bill_no = %(number)s LIMIT 1", {"number": number}):
        return f"{number} is the number of a bill: ask `recoup why bill {number}`"
    near = [row["number"] for row in read_dicts(connection, _NEAREST, {"number": number})]
    if not near:
        return f"no account {number}: the book holds no account yet; load a folder first: `recoup load DIR`"
    return (
        f"no account or contract {number}: give an account number (13 digits), an old number (10 digits) or a "
        f"contract key; the nearest account numbers are {', '.join(near)}"
    )


def _answer_one(connection: Connection, contract: Row, run: ClosedRun, law: Law) -> Row:
    on = run.business_on
    keys = {name: contract[name] for name in ("contract_id", "group_id")} | {"on": on, "snapshot": run.snapshot}
    row = _read_row(connection, contract, run)
    items = read_dicts(connection, _ITEMS, keys)
    holds = read_dicts(connection, _HOLDS, keys)
    digits = law.rules.minor_digits
    told: Row = {
        "contract": {
            name: _plain(value) for name, value in contract.items() if name not in ("contract_id", "group_id")
        },
        "items": [_in_words(item, digits) for item in items],
        "holds": [_in_words(hold, digits) for hold in holds],
        "touches": [_in_words(touch, digits) for touch in read_dicts(connection, _TOUCHES, keys)],
    }
    if row is None:
        return {**told, "decision": None, "not_decided": _why_not_decided(contract, on)}
    steps = explain_decision(row, law.rules)
    return {
        **told,
        "reason": _name_reason(str(row["reason"]), law),
        "failed": [_name_reason(step.guard, law) for step in steps if not step.passed],
        "change": _find_changes(row, steps, items, holds, law),
        "decision": _in_words(row, digits),
        "stage": _describe_stage(row, law),
        "steps": [_describe_step(step, law) for step in steps],
    }


def _read_row(connection: Connection, contract: Row, run: ClosedRun) -> Row | None:
    """Read the decision of a contract from the one file of its slice."""
    files = read_dicts(
        connection,
        "SELECT file FROM slice WHERE run_no = %(run)s AND group_from <= %(group)s AND group_to > %(group)s",
        {"run": run.run_no, "group": contract["group_id"]},
    )
    names = [row["file"] for row in files if row["file"]]
    found = lake.read_decision(names, contract["contract_id"]) if names else None
    return None if found is None or found.is_empty() else found.row(0, named=True)


_ITEMS = """
    SELECT i.item_key, i.component, i.amount_minor, i.amount_minor - coalesce(a.total, 0) AS open_minor,
           i.due_on, i.overdue_from_on
    FROM open_item i LEFT JOIN (
        SELECT debit_id, sum(amount_minor)::bigint AS total FROM allocation
        WHERE group_id = %(group_id)s AND booked_on <= %(on)s GROUP BY debit_id) a ON a.debit_id = i.item_id
    WHERE i.contract_id = %(contract_id)s AND i.amount_minor > 0 AND i.amount_minor > coalesce(a.total, 0)
      AND CASE WHEN i.run_no IS NOT NULL THEN i.booked_on <= %(on)s
               ELSE pg_visible_in_snapshot(i.recorded_tx, %(snapshot)s::pg_snapshot) END
    ORDER BY i.overdue_from_on, i.item_key
"""

_HOLDS = """
    SELECT hold_key, reason, valid_from, valid_to, item_key, stops_dun, stops_late_charge FROM (
        SELECT DISTINCT ON (hold_key) * FROM hold WHERE contract_id = %(contract_id)s
        ORDER BY hold_key, version DESC) h
    WHERE valid_from <= %(on)s AND (valid_to IS NULL OR valid_to > %(on)s) ORDER BY hold_key
"""

_TOUCHES = """
    SELECT decided_on, action_code, stage, channel, sent_on, delivered_on, proven, simulated FROM touch
    WHERE contract_id = %(contract_id)s AND decided_on <= %(on)s ORDER BY decided_on DESC, action_code LIMIT 5
"""


def _why_not_decided(contract: Row, on: date) -> dict[str, str]:
    if contract["valid_from"] > on:
        begins = contract["valid_from"].isoformat()
        return {
            "zh": f"合同自 {begins} 起生效，此前不作决定",
            "en": f"the contract begins on {begins}: not decided before",
        }
    ended = _plain(contract["valid_to"])
    return {
        "zh": f"合同已于 {ended} 终止，且无欠费、无余款，不再作决定",
        "en": f"the contract ended on {ended} and neither owes nor is owed: no longer decided",
    }


def _name_reason(code: str, law: Law) -> Row:
    terms = next(each for each in law.documents.reasons if each.code == code)
    return {"code": code, "zh": terms.title.zh, "en": terms.title.en}


def _describe_stage(row: Row, law: Law) -> Row:
    """Stage reached and stage offered, with the words and the source of the ladder."""
    titles = _title_rungs(str(row["strategy"]), row["strategy_version"], law)
    strategy = next((each for each in law.rules.strategies if each.code == row["strategy"]), None)
    cited = law.documents.cite(strategy.param_id) if strategy else None
    return {
        "strategy": row["strategy"],
        "version": row["strategy_version"],
        "from": row["stage_from"],
        "from_title": titles.get(row["stage_from"]),
        "to": row["stage_to"],
        "to_title": titles.get(row["stage_to"]),
        "param_id": strategy.param_id if strategy else None,
        "reference": cited.reference if cited else None,
    }


def _title_rungs(code: str, version: int | None, law: Law) -> dict[int, dict[str, str]]:
    ladders = [each for each in law.documents.documents if isinstance(each, StrategyDocument) and each.code == code]
    versions = [terms for ladder in ladders for terms in ladder.values if terms.version == version]
    return {rung.stage: {"zh": rung.title.zh, "en": rung.title.en} for terms in versions for rung in terms.rungs}


def _describe_step(step: Step, law: Law) -> Row:
    digits = law.rules.minor_digits
    return {
        "guard": step.guard,
        "passed": step.passed,
        "title": _name_reason(step.guard, law),
        "rule": step.rule,
        "values": _in_words(step.values, digits),
        "limits": _in_words(step.limits, digits),
        "param_id": step.param_id if step.limits else None,
    }


def _find_changes(row: Row, steps: list[Step], items: list[Row], holds: list[Row], law: Law) -> list[Row]:
    """Say per failed guard what would make it pass; for a contract acted upon, what ends it."""
    failed = [step for step in steps if not step.passed]
    codes = [step.guard for step in failed] or [ACTED]
    values = {step.guard: _reckon_change(step, row, items, holds) for step in failed}
    hints = {each.code: each.hint for each in law.documents.reasons}
    digits = law.rules.minor_digits
    return [
        {
            "guard": code,
            "hint": {"zh": hints[code].zh, "en": hints[code].en},
            "values": _in_words(values.get(code, {}), digits),
        }
        for code in codes
    ]


def _reckon_change(step: Step, row: Row, items: list[Row], holds: list[Row]) -> Row:
    """Work out the day or the amount at which a guard would pass, all else left as it is."""
    on, limits = row["on"], step.limits
    match step.guard:
        case "NOT_OVERDUE":
            first = _first_overdue_on(items)
            return {"on": first} if first else {}
        case "BELOW_MINIMUM":
            return {"missing_minor": limits["minimum_minor"] - row["overdue_minor"]} if limits else {}
        case "MONEY_UNAPPLIED":
            return {"unapplied_minor": row["unapplied_minor"]}
        case "MONEY_IN_TRANSIT":
            return {"in_transit_minor": row["in_transit_minor"]}
        case "HOLD_DUN":
            ends = [hold["valid_to"] for hold in holds if hold["stops_dun"]]
            return {"on": max(ends)} if ends and None not in ends else {}
        case "STAGE_WAIT":
            return _reckon_wait(row, limits)
        case "STAGE_CONDITION":
            return _reckon_condition(row, limits, _first_overdue_on(items))
        case "CAPACITY":
            return {"capacity_cutoff_minor": row["capacity_cutoff_minor"]}
        case "STALE_FEED":
            return {"feed_age_hours": row["feed_age_hours"], **limits}
    return {"on": on + timedelta(days=1)} if step.guard == "MOVED" else {}


def _reckon_wait(row: Row, limits: Mapping[str, Any]) -> Row:
    """The day on which the wait is over, no hold coming between: of the next rung, or of the present one's repeat."""
    climbs = row["stage_to"] > row["stage_from"] or limits.get("repeat_days") is None
    days = limits.get("wait_days") if climbs else limits.get("repeat_days")
    if days is None or row["wait_days"] is None or days <= row["wait_days"]:
        return {}
    return {"on": row["on"] + timedelta(days=days - row["wait_days"])}


def _first_overdue_on(items: list[Row]) -> date | None:
    return min((item["overdue_from_on"] for item in items if item["overdue_from_on"]), default=None)


def _reckon_condition(row: Row, limits: Mapping[str, Any], overdue_from_on: date | None) -> Row:
    """The day on which the oldest debt is old enough for the next rung; a last rung without repeat has none."""
    days = limits.get("overdue_days_from")
    if days is None or overdue_from_on is None:
        return {}
    bills = {"bills_from": limits["bills_from"]} if limits.get("bills_from") else {}
    reached_on = overdue_from_on + timedelta(days=days - 1)
    return {"on": reached_on, **bills} if reached_on > row["on"] else bills


def _in_words(row: Mapping[str, Any], digits: int) -> Row:
    """Days as text, amounts as decimal strings in major units under the name without `_minor`."""
    told: Row = {}
    for name, value in row.items():
        if name.endswith("_minor") and value is not None:
            told[name.removesuffix("_minor")] = as_major(int(value), digits)
        elif name not in _SURROGATES:
            told[name.removesuffix("_minor")] = _plain(value)
    return told


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
