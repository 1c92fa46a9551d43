"""`recoup work` and `recoup outcome`: the collectors' list, and what came of it."""

import json
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, Group
from rich.table import Table

from recoup.cli import django
from recoup.cli.cycle import parse_day
from recoup.cli.errors import UserError
from recoup.cli.report import choose_labels
from recoup.labels import Labels, grouped


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("work")(work)
    app.command("outcome")(outcome)


def work(
    unit: Annotated[str | None, typer.Option("--unit", help="code of a unit: its accounts and those below it")] = None,
    stage: Annotated[int | None, typer.Option("--stage", help="only this stage")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="CALL, SMS or VISIT")] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=31, help="the last so many closed days")] = 1,
    done: Annotated[bool, typer.Option("--done", help="those with an outcome, instead of those without")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="rows to print")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="print the list as JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """List what the last closed day ordered and nobody has answered yet: calls, messages, visits."""
    labels = choose_labels(lang)
    django.setup()
    told = _read_work(unit, {"stage": stage, "channel": channel, "days": days, "done": done}, limit)
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        Console().print(draw_work(told, labels))


def _read_work(unit: str | None, chosen: dict[str, Any], limit: int) -> dict[str, Any]:
    from recoup.database.connect import connect
    from recoup.domains.access.scope import Scope, scope_of_unit
    from recoup.domains.book.queries import BookMissing
    from recoup.engine.figures import NothingClosed
    from recoup.engine.work import read_work

    units = scope_of_unit(unit) if unit else Scope.EVERYTHING
    if units.units == frozenset():
        raise UserError(f"no unit {unit}: give the code of a station or district, or leave --unit out")
    try:
        with connect("reader") as connection:
            return read_work(connection, Scope.EVERYTHING, units=units, limit=limit, **chosen)
    except (BookMissing, NothingClosed) as error:
        raise UserError(str(error)) from error


_COLUMNS = (
    *("account_no", "name", "stage", "channel", "overdue", "oldest_overdue_days", "last_contact_on"),
    *("earlier_promise", "result"),
)

# What is empty for all rows is left out; what a column is made of.
_FILLED = {"earlier_promise": "earlier_promise_on"}


def draw_work(told: dict[str, Any], labels: Labels) -> Group:
    """The list as a table, with its counts above and the next step below."""
    counts = "   ".join(
        f"{labels('stage')} {each['stage']} · {labels(each['channel'])} {each['actions']:,}: {grouped(each['overdue'])}"
        for each in told["counts"]
    )
    table = Table(title=f"{labels('work_list')} {told['decided_on']}\n{counts}", title_justify="left")
    shown = [name for name in _COLUMNS if any(row[_FILLED.get(name, name)] is not None for row in told["rows"])]
    for name in shown:
        justify: Literal["left", "right"] = "right" if name in ("overdue", "oldest_overdue_days") else "left"
        table.add_column(labels(name), justify=justify, no_wrap=name in ("account_no", "overdue", "last_contact_on"))
    for row in told["rows"]:
        cells = {**row, "overdue": grouped(row["overdue"]), "channel": labels(row["channel"])}
        cells["earlier_promise"] = _word_promise(row, labels)
        table.add_row(*("–" if cells[name] is None else str(cells[name]) for name in shown))
    return Group(table, f"{labels('next')}: recoup outcome ACCOUNT RESULT --by USERNAME   recoup why ACCOUNT")


def _word_promise(row: dict[str, Any], labels: Labels) -> str | None:
    if row["earlier_promise_on"] is None:
        return None
    return f"{row['earlier_promise_on']} {grouped(row['earlier_promise'])} {labels(row['earlier_promise_state'])}"


def outcome(
    account: Annotated[str, typer.Argument(help="account number, old number or contract key")],
    result: Annotated[str, typer.Argument(help="what came of it: PROMISED, NO_ANSWER … (a wrong word lists them)")],
    by: Annotated[str, typer.Option("--by", help="user name of who tells it")],
    promise_on: Annotated[str | None, typer.Option("--promise-on", help="the day promised")] = None,
    amount: Annotated[str | None, typer.Option("--amount", help="the amount promised; else all overdue")] = None,
    note: Annotated[str, typer.Option("--note", help="a remark")] = "",
    happened_on: Annotated[str | None, typer.Option("--on", help="day of the contact; default the open day")] = None,
    decided_on: Annotated[str | None, typer.Option("--decided-on", help="of an earlier list; default the last")] = None,
    correct: Annotated[bool, typer.Option("--correct", help="replace what was recorded")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print what was recorded as JSON")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """Record what came of a call, a message or a visit."""
    labels = choose_labels(lang)
    django.setup()
    days = {name: parse_day(text, last=True) if text else None for name, text in
            (("promise_on", promise_on), ("happened_on", happened_on), ("decided_on", decided_on))}  # fmt: skip
    told = _record(account, by, days, {"result": result, "amount": amount, "note": note, "correct": correct})
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    said = labels("recorded" if told["fresh"] else "recorded_before")
    held = f"   {labels('held_to')} {told['held_to']}" if told["held_to"] else ""
    typer.echo(f"{said}: {told['account_no']} {told['title'][lang]}{held}")


def _record(number: str, by: str, days: dict[str, date | None], chosen: dict[str, Any]) -> dict[str, Any]:
    from recoup.database.connect import connect
    from recoup.domains.access.permissions import NotPermitted
    from recoup.domains.access.queries import find_staff
    from recoup.domains.access.scope import scope_of
    from recoup.domains.book.queries import BookMissing
    from recoup.domains.collection.queries import find_action
    from recoup.engine.figures import NothingClosed, find_run
    from recoup.engine.report import read_rulebook
    from recoup.usecases.outcomes import OutcomeRefused, Told, record_outcome

    staff = find_staff(by)
    if staff is None:
        raise UserError(f"no person signs in as {by}: give --by a user name (`recoup staff list`)")
    try:
        documents = read_rulebook()
        with connect("reader") as connection:
            key = find_action(connection, scope_of(staff), number, days["decided_on"])
            today = find_run(connection, None).business_on + timedelta(days=1)
        if key is None:
            raise UserError(f"nothing was ordered for {number} in the units of {by}: recoup why {number}")
        digits = documents.resolve().minor_digits
        told = Told(
            result=chosen["result"],
            promise_on=days["promise_on"],
            promise_minor=_read_amount(chosen["amount"], digits),
            note=chosen["note"],
            happened_on=days["happened_on"],
            correct=chosen["correct"],
        )
        made = record_outcome(staff, key, told, documents.results, today)
    except (OutcomeRefused, NotPermitted, BookMissing, NothingClosed) as error:
        raise UserError(str(error)) from error
    title = next(each.title for each in documents.results.results if each.code == made.result)
    return {
        **{name: value.isoformat() if isinstance(value, date) else value for name, value in made._asdict().items()},
        "decided_on": key.decided_on.isoformat(),
        "action_code": key.action_code,
        "title": {"zh": title.zh, "en": title.en},
    }


def _read_amount(text: str | None, digits: int) -> int | None:
    if text is None:
        return None
    try:
        scaled = Decimal(text).scaleb(digits)
    except InvalidOperation as error:
        raise UserError(f"{text!r} is no amount: write 120.50") from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise UserError(f"{text!r} has more than {digits} digits after the point: write 120.50")
    return int(scaled)
