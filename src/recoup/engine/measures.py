"""The register of the source paper's measures as it stands: states of a day, and what each did this month.

Page, terminal and JSON print this same document. A number is counted over the month of the last closed day up to it;
a measure that does not work yet has none.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from recoup.domains.access.scope import Scope
from recoup.domains.collection.queries import count_effects
from recoup.engine.runs import Connection, last_done_on
from recoup.rulebook import Rulebook
from recoup.rulebook.register import STATES, WORKING, RegisterRow

PROTECTED = "PROTECTED"


def read_measures(
    connection: Connection, scope: Scope, documents: Rulebook, *, section: str | None = None, on: date | None = None
) -> dict[str, Any]:
    """Read the register on a day (else the last closed one): rows by section with state, citation, place and effect.

    `section` is a section of the paper ("3.2") or one of its parts ("3.2(1)"); none matches nothing.
    """
    day = on or last_done_on(connection)
    effects = count_month(connection, scope, documents, day) if day else {}
    titles = {each.code: {"zh": each.title.zh, "en": each.title.en} for each in documents.effects}
    rows = [
        _describe(row, effects, titles)
        for row in documents.list_measures(day or date.max)
        if section is None or _lies_in(row.measure.section, section)
    ]
    return {
        "jurisdiction": documents.jurisdiction,
        "on": day.isoformat() if day else None,
        "month": f"{day:%Y-%m}" if day else None,
        "counts": {state: sum(row["state"] == state for row in rows) for state in STATES},
        "measures": rows,
    }


def _lies_in(section: str, asked: str) -> bool:
    return section == asked or section.startswith(f"{asked}(")


def _describe(row: RegisterRow, effects: Mapping[str, int], titles: Mapping[str, Any]) -> dict[str, Any]:
    measure, works = row.measure, row.state in WORKING
    return {
        "code": measure.code,
        "section": measure.section,
        "row": measure.row,
        "title": {"zh": measure.title.zh, "en": measure.title.en},
        "state": row.state,
        "since": row.since.isoformat() if row.since else None,
        "reference": row.reference,
        "note": {"zh": row.note.zh, "en": row.note.en} if row.note else None,
        "now": {"zh": measure.now.zh, "en": measure.now.en},
        "pages": list(measure.pages) if works else [],
        "commands": list(measure.commands) if works else [],
        "proofs": list(measure.proofs) if works else [],
        "effects": [
            {"code": code, "title": titles[code], "count": effects[code]}
            for code in measure.effects
            if works and code in effects
        ],
    }


def count_month(connection: Connection, scope: Scope, documents: Rulebook, day: date) -> dict[str, int]:
    """Count every effect of the register over the month of a closed day, up to that day, in a scope."""
    counts = count_effects(connection, scope, day.replace(day=1), day)
    helped = [each for each in documents.results.results if each.hold and each.hold.reason == PROTECTED]
    return {
        "CONTRACTS_DECIDED": _count_decided(connection, day),
        "CALLS_LISTED": counts.get("LISTED:CALL", 0),
        "MESSAGES_LISTED": counts.get("LISTED:SMS", 0),
        "VISITS_LISTED": counts.get("LISTED:VISIT", 0),
        "CALLS_REACHED": counts.get("REACHED:CALL", 0),
        "VISITS_REACHED": counts.get("REACHED:VISIT", 0),
        **{f"CONTRACTS_STAGE_{stage}": counts.get(f"STAGE:{stage}", 0) for stage in (1, 2, 3)},
        "OUTCOMES_RECORDED": counts.get("OUTCOMES", 0),
        "PROMISES_MADE": counts.get("PROMISES", 0),
        "HELD_FOR_HELP": sum(
            counts.get(f"RESULT:{channel}:{each.code}", 0) for each in helped for channel in each.channels
        ),
    }


def _count_decided(connection: Connection, day: date) -> int:
    """Contracts decided on the day, each with its one reason; the whole book's, whoever asks."""
    row = connection.execute(
        "SELECT coalesce(sum(keys_out), 0)::bigint FROM slice JOIN run USING (run_no) WHERE business_on = %s "
        "AND mode = 'live'",
        [day],
    ).fetchone()
    return int(row[0]) if row else 0
