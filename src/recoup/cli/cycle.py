"""`recoup cycle`: close business days."""

import calendar
from datetime import date

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from recoup.cli import django
from recoup.cli.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def cycle(
        start: str = typer.Option(..., "--from", help="first day or month: 2018-01 or 2018-01-15"),
        end: str = typer.Option(..., "--to", help="last day or month (a month means its last day)"),
    ) -> None:
        """Close day by day: bill, receive, settle, charge, decide. Safe to stop and to repeat."""
        django.setup()
        run(parse_day(start, last=False), parse_day(end, last=True))


def run(start: date, end: date) -> int:
    """Run the cycle with a progress bar; return the days closed."""
    from recoup.database.errors import DatabaseUnavailable
    from recoup.engine import cycle as engine
    from recoup.engine.profile import read_profile, read_rules
    from recoup.engine.runs import LeaseLost, RunBusy

    if end < start:
        raise UserError(f"--to {end} is before --from {start}: give a later day")
    columns = (
        TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns) as progress:
        task = progress.add_task("cycle", total=(end - start).days + 1, told="")

        def watch(day: engine.DayDone) -> None:
            told = f"{day.decisions:,} decisions, {day.acted:,} acted, {day.bills:,} bills, {day.payments:,} payments"
            progress.update(task, completed=(day.on - start).days + 1, description=str(day.on), told=told)

        try:
            done = engine.run_cycle(start, end, read_rules(), read_profile(), watch=watch)
        except (LeaseLost, RunBusy, engine.GapInDays, engine.CycleNotStarted, DatabaseUnavailable) as error:
            raise UserError(str(error)) from error
        if done == 0:
            progress.update(task, completed=(end - start).days + 1, told="already closed")
    prepare_figures(start, end)
    return done


def prepare_figures(start: date, end: date) -> None:
    """Prepare the sums of the days that were closed, and of earlier ones that late facts have changed."""
    from recoup.database.connect import connect
    from recoup.engine.indicator_sheet import prepare_after_cycle
    from recoup.engine.profile import read_rules

    columns = (TextColumn("[bold]{task.description}"), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    with Progress(*columns) as progress, connect("app") as connection:
        task = progress.add_task("figures", told="")

        def watch(day: date) -> None:
            progress.update(task, told=str(day))

        prepare_after_cycle(connection, start, end, read_rules().denom, watch)


def parse_day(text: str, *, last: bool) -> date:
    """Read a day (2018-01-15) or a month (2018-01: its first or last day)."""
    try:
        if text.count("-") == 1:
            first = date.fromisoformat(f"{text}-01")
            return first.replace(day=calendar.monthrange(first.year, first.month)[1]) if last else first
        return date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{text!r} is not a day: write 2018-01-15 or 2018-01") from error
