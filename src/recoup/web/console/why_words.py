"""A decision in the words of the person who asks: the verdict, what would change it, and every check."""

from collections.abc import Mapping
from typing import Any

from recoup.database.listing import Row
from recoup.labels import Labels
from recoup.web.console.language import EN, say


def describe_answer(each: Row, language: str) -> Row:
    """One contract's answer of `engine.why` as a template shows it."""
    labels = Labels("en" if language == EN else "zh")
    told: Row = {"contract": each["contract"], "decision": each["decision"]}
    if each["decision"] is None:
        return {**told, "not_decided": say(each["not_decided"], language)}
    stage = each["stage"]
    # Where nothing is owed every other check fails too, and no hint but the first says anything.
    changes = each["change"][: 1 if each["reason"]["code"] == "NO_DEBT" else None]
    return {
        **told,
        "acted": each["reason"]["code"] == "ACTED",
        "code": each["reason"]["code"],
        "reason": say(each["reason"], language),
        "action": labels(each["decision"]["channel"]) if each["decision"]["action"] else "",
        "stage_from": stage["from"],
        "stage_to": stage["to"],
        "stage_title": say(stage["to_title"] or stage["from_title"], language),
        "strategy": stage["strategy"],
        "version": stage["version"],
        "source": " · ".join(filter(None, (stage["param_id"], stage["reference"]))),
        "changes": [(say(each["hint"], language), word_values(each["values"], labels)) for each in changes],
        "steps": [_describe_step(step, labels, language) for step in each["steps"]],
        "items": each["items"],
        "holds": each["holds"],
        "touches": each["touches"],
    }


def _describe_step(step: Row, labels: Labels, language: str) -> Row:
    passed = step["passed"]
    return {
        "passed": passed,
        "title": labels(f"pass:{step['guard']}") if passed else say(step["title"], language),
        "values": word_values(step["values"], labels),
        "limits": word_values(step["limits"], labels),
    }


def word_values(values: Mapping[str, Any], labels: Labels) -> str:
    """Values read or reckoned, as name and value; what is not there is left out."""
    return "　".join(f"{labels(name)} {value}" for name, value in values.items() if value is not None)
