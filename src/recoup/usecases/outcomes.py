"""Record what came of an action: the outcome, the hold it causes, the contact it proves, and who said so, as one.

A promise acts through its hold, which lasts to the end of the promised day; unpaid, the contract is decided as before.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connections, transaction

from recoup.database.failpoints import hit
from recoup.database.listing import Connection
from recoup.domains.access.models import Staff
from recoup.domains.access.permissions import RECORD_OUTCOME, require
from recoup.domains.access.scope import scope_of
from recoup.domains.audit.operations import record
from recoup.domains.collection.operations import append_outcome, append_touch, has_desk_touch
from recoup.domains.collection.queries import (
    ActionKey,
    list_named_items,
    read_action,
    read_outcome,
    read_outcome_of_request,
)
from recoup.domains.receivables.operations import append_hold
from recoup.rulebook.schema import ResultList, ResultTerms

OUTCOME = "OUTCOME"
NOTE_MAX = 500


class OutcomeRefused(Exception):
    """The outcome cannot be recorded as told; the words, in both languages, say what to tell instead."""

    def __init__(self, zh: str, en: str) -> None:
        self.words = {"zh": zh, "en": en}
        super().__init__(en)


class UnknownAction(OutcomeRefused):
    """No action of this key lies in the person's units."""


class AlreadyRecorded(OutcomeRefused):
    """Another outcome of this action is recorded; only a correction may follow it."""


@dataclass(frozen=True)
class Told:
    """What a person tells of an action. `promise_minor` None: all that the action named; `correct`: replaces the last.

    `request_key` names the request, so that a second click is not a second outcome.
    """

    result: str
    promise_on: date | None = None
    promise_minor: int | None = None
    note: str = ""
    happened_on: date | None = None
    correct: bool = False
    request_key: str | None = None


class Recorded(NamedTuple):
    """What stands now. `fresh` is false when the same was recorded before; `held_to` ends the hold it caused."""

    fresh: bool
    version: int
    result: str
    account_no: str
    promise_on: date | None
    promise_minor: int | None
    held_to: date | None


@transaction.atomic
def record_outcome(staff: Staff, key: ActionKey, told: Told, terms: ResultList, today: date) -> Recorded:
    """Record the outcome of an action on the business day `today`; raise OutcomeRefused or NotPermitted."""
    require(staff, RECORD_OUTCOME)
    connection: Connection = connections["default"].connection
    # One at a time per action: of two clicks the second finds what the first recorded.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"outcome/{key}"])
    action = read_action(connection, scope_of(staff), key)
    if action is None:
        raise UnknownAction(
            "您管辖范围内没有这项行动，可能已失效，请回到清单查看",
            "no such action in your units: look at the work list, it may have lapsed",
        )
    result = _find_result(told.result, action["channel"], terms)
    known = _find_known(connection, key, told)
    if known is not None and (not told.correct or _is_same(known, told)):
        return _answer_known(known, told, action, result)
    happened_on = _check_day(told.happened_on or today, key.decided_on, today)
    promise_minor = _check_promise(told, result, action, terms, happened_on, today)
    _check_correction(connection, action, result, known)
    version = known["version"] + 1 if known else 1
    append_outcome(
        connection,
        action,
        version=version,
        result=result.code,
        happened_on=happened_on,
        promise_on=told.promise_on,
        promise_minor=promise_minor,
        note=_check_note(told.note),
        recorded_by=staff.username,
        request_key=told.request_key or _make_request_key(action, told, version),
    )
    hit("outcomes.outcome_stored")
    held_to = _store_effects(connection, action, result, version, happened_on, told.promise_on)
    detail = {"action": key.action_code, "decided_on": key.decided_on.isoformat(), "result": result.code}
    record(staff, OUTCOME, action["account_no"], detail={**detail, "version": version})
    hit("outcomes.before_commit")
    return Recorded(True, version, result.code, action["account_no"], told.promise_on, promise_minor, held_to)


def list_channel_results(terms: ResultList, channel: str) -> list[ResultTerms]:
    """The results that can be recorded on a channel, in the order of the desk's buttons."""
    return [result for result in terms.results if channel in result.channels]


def _find_result(code: str, channel: str, terms: ResultList) -> ResultTerms:
    offered = {result.code: result for result in list_channel_results(terms, channel)}
    if code not in offered:
        names = "、".join(result.title.zh for result in offered.values())
        raise OutcomeRefused(
            f"该渠道没有结果 {code}，可选：{names}",
            f"{code} is no result of a {channel}: give one of {', '.join(offered)}",
        )
    return offered[code]


def _find_known(connection: Connection, key: ActionKey, told: Told) -> dict[str, Any] | None:
    """The outcome this request recorded, else the latest of the action; raise for a request key of another action."""
    if told.request_key:
        sent = read_outcome_of_request(connection, told.request_key)
        if sent is not None:
            if ActionKey(sent["contract_id"], sent["decided_on"], sent["action_code"]) != key:
                raise OutcomeRefused(
                    "这次提交已登记了另一项行动，请重新打开清单",
                    "this request already recorded another action: open the list again",
                )
            if not _is_same(sent, told):
                raise AlreadyRecorded(
                    "这次提交已登记了另一个结果，请重新打开清单",
                    "this request already recorded another result: open the list again",
                )
            return sent
    return read_outcome(connection, key)


def _is_same(known: dict[str, Any], told: Told) -> bool:
    said = (told.result, told.promise_on, told.note.strip())
    same_amount = told.promise_minor is None or told.promise_minor == known["promise_minor"]
    return same_amount and said == (known["result"], known["promise_on"], known["note"])


def _answer_known(known: dict[str, Any], told: Told, action: dict[str, Any], result: ResultTerms) -> Recorded:
    """The same again is the same answer; anything else is refused unless it says that it corrects."""
    if not _is_same(known, told):
        raise AlreadyRecorded(
            f"{action['account_no']} 已由 {known['recorded_by']} 于 {known['happened_on']} 登记结果，如有误请更正",
            f"{action['account_no']}: {known['result']} was recorded by {known['recorded_by']} on "
            f"{known['happened_on']}: record a correction if it was wrong",
        )
    held_to = _end_hold(result, known["happened_on"], known["promise_on"])
    return Recorded(
        False,
        known["version"],
        known["result"],
        action["account_no"],
        known["promise_on"],
        known["promise_minor"],
        held_to,
    )


def _check_day(happened_on: date, decided_on: date, today: date) -> date:
    if not decided_on <= happened_on <= today:
        raise OutcomeRefused(
            f"联系日期应在 {decided_on} 至 {today} 之间",
            f"the contact happened between {decided_on} and {today}: give a day among them",
        )
    return happened_on


def _check_note(note: str) -> str:
    if len(note.strip()) > NOTE_MAX:
        raise OutcomeRefused(
            f"备注最多 {NOTE_MAX} 字", f"the note has {len(note.strip())} characters: at most {NOTE_MAX}"
        )
    return note.strip()


def _check_promise(
    told: Told, result: ResultTerms, action: dict[str, Any], terms: ResultList, happened_on: date, today: date
) -> int | None:
    """The amount promised (minor units): what was said, else what the action named as far as it is still open."""
    if not result.promise:
        if told.promise_on is not None or told.promise_minor is not None:
            raise OutcomeRefused(
                f"“{result.title.zh}”不含承诺，请去掉日期和金额，或改登记承诺",
                f"{result.code} promises nothing: leave out day and amount, or record a promise",
            )
        return None
    if told.promise_on is None:
        raise OutcomeRefused("请填写承诺缴费的日期", "by which day was payment promised? Give the day")
    if told.promise_on < max(happened_on, today):
        first = max(happened_on, today)
        raise OutcomeRefused(
            f"{told.promise_on} 已过，承诺日期应为 {first} 或以后",
            f"{told.promise_on} is past: a promise names {first} or a later day",
        )
    last = happened_on + timedelta(days=terms.promise_days_max)
    if told.promise_on > last:
        raise OutcomeRefused(
            f"{told.promise_on} 过远，承诺日期最晚为 {last}",
            f"{told.promise_on} is too far ahead: a promise names a day up to {last}",
        )
    return _check_amount(told.promise_minor, action)


def _check_amount(promise_minor: int | None, action: dict[str, Any]) -> int:
    debt = action["debt_minor"]
    if debt <= 0:
        raise OutcomeRefused(
            f"{action['account_no']} 已无欠费，无需承诺",
            f"{action['account_no']} owes nothing any more: there is nothing to promise",
        )
    amount = int(action["overdue_minor"]) if promise_minor is None else promise_minor
    if amount <= 0:
        raise OutcomeRefused(
            "承诺金额应大于零，留空则为全部逾期金额",
            "a promise is about more than nothing: give the amount, or leave it out for all",
        )
    if promise_minor is not None and amount > debt:
        raise OutcomeRefused(
            "承诺金额超过该户所欠，请改小或留空；未入账的违约金会自动另计",
            f"{amount} is more than the {debt} minor units that {action['account_no']} owes: give at most that; "
            "late charge not yet booked comes on top by itself",
        )
    return min(amount, debt)


def _check_correction(
    connection: Connection, action: dict[str, Any], result: ResultTerms, known: dict[str, Any] | None
) -> None:
    """A contact that was recorded as having reached the customer is a fact; a correction cannot unmake it."""
    if known and not result.reached and has_desk_touch(connection, action):
        raise OutcomeRefused(
            "该次联系已送达客户并记入联系记录，只能更正为另一个“已联系到”的结果，并在备注中说明",
            f"{known['result']} reached the customer and stands in the contact history: correct it by another result "
            "that reached, and say what happened in the note",
        )


def _store_effects(
    connection: Connection,
    action: dict[str, Any],
    result: ResultTerms,
    version: int,
    happened_on: date,
    promise_on: date | None,
) -> date | None:
    """Write the hold of a result and, where nobody is simulated, the contact it proves; return the hold's end."""
    held_to = _store_hold(connection, action, result, version, happened_on, promise_on)
    if result.reached and not action["simulated"]:
        items = list_named_items(connection, action)
        append_touch(connection, action, items, result=result.code, happened_on=happened_on)
    return held_to


def _store_hold(
    connection: Connection,
    action: dict[str, Any],
    result: ResultTerms,
    version: int,
    happened_on: date,
    promise_on: date | None,
) -> date | None:
    """Write the hold of a result; a correction to a result without one ends the hold before it began."""
    held_to = _end_hold(result, happened_on, promise_on)
    if result.hold is None and version == 1:
        return None
    append_hold(
        connection,
        hold_key=f"DESK/{action['contract_key']}/{action['decided_on']}/{action['action_code']}",
        version=version,
        contract_id=action["contract_id"],
        processes=result.hold.processes if result.hold else (),
        reason=result.hold.reason if result.hold else "CORRECTED",
        valid_from=happened_on,
        valid_to=held_to or happened_on,
        evidence=f"OUTCOME:{result.code}:{version}",
    )
    return held_to


def _end_hold(result: ResultTerms, happened_on: date, promise_on: date | None) -> date | None:
    """The first day on which the hold no longer stands: after the promised day, or after its own days."""
    if result.hold is None:
        return None
    if result.promise:
        return promise_on + timedelta(days=1) if promise_on else None
    return happened_on + timedelta(days=result.hold.days or 0)


def _make_request_key(action: dict[str, Any], told: Told, version: int) -> str:
    """A key of the content, for those who send none: the same words about the same action are one request."""
    parts = (action["contract_key"], action["decided_on"], action["action_code"], version, told.result, told.promise_on)
    return hashlib.sha256("\x1f".join(map(str, (*parts, told.promise_minor, told.note))).encode()).hexdigest()
