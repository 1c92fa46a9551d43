"""`recoup demo`: a small city from meter to money, in a book of its own, told in the terminal and as one page."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.console import Console

from recoup.cli import django
from recoup.cli.demo_figures import ensure_figures
from recoup.cli.demo_people import ensure_people, print_people
from recoup.cli.errors import UserError
from recoup.cli.report import choose_labels, print_report, read_report, write_page
from recoup.cli.serve import HOST, PORT, find_free_port, name_address, run_server

DATABASE = "recoup_demo"
JURISDICTION = "cn/shandong"
START, END = date(2025, 1, 1), date(2025, 12, 31)
MONTHS = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    accounts: Annotated[int, typer.Option(min=1, help="How many accounts the city has.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city and the same people.")] = 20250101,
    serve: Annotated[int, typer.Option(help="0 ends after the report; else the console is served until stopped.")] = 1,
    port: Annotated[
        int, typer.Option(help="Where the console listens; another free port if this one is taken.")
    ] = PORT,
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
) -> None:
    """Generate a city, close twelve months day by day, report, verify, serve. A second call goes on where it stands."""
    labels = choose_labels(lang)
    os.environ.setdefault("RECOUP_DATABASE_NAME", DATABASE)
    console, begun = Console(), perf_counter()
    with _step(console, 1, "database"):
        _make_book(seed)
    folder = _city_folder(accounts, seed)
    with _step(console, 2, f"city of {accounts:,} accounts"):
        _generate(folder, accounts, seed)
    with _step(console, 3, "load"):
        _load(folder, accounts)
    with _step(console, 4, f"cycle {START} … {END}"):
        _cycle()
        ensure_figures(START, END)
    document = read_report(None)
    print_report(document, labels)
    page = folder.parent / f"report-{document['as_of']}.html"
    write_page(document, page, labels)
    with _step(console, 5, "verify"):
        ok = _verify()
    console.print(f"\n{labels('page_written')}: {page}", soft_wrap=True)
    _suggest(console)
    console.print(
        f"\n{accounts:,} accounts, {document['days_closed']} days, {perf_counter() - begun:.0f} s", style="dim"
    )
    if not ok:
        raise typer.Exit(1)
    _offer_console(console, serve=bool(serve), port=port)


def _offer_console(console: Console, *, serve: bool, port: int) -> None:
    """Say who may sign in; serve the console until stopped, or say how to."""
    passwords = ensure_people()
    console.print()
    print_people(console, passwords)
    if not serve:
        console.print("  recoup serve", soft_wrap=True)
        return
    free = find_free_port(HOST, port)
    console.print(f"\n[bold green]{name_address(HOST, free)}[/bold green]   (Ctrl-C)\n", soft_wrap=True)
    run_server(HOST, free)


@contextmanager
def _step(console: Console, number: int, name: str) -> Iterator[None]:
    console.print(f"[bold cyan]{number}/5[/bold cyan] {name}")
    begun = perf_counter()
    yield
    console.print(f"    {perf_counter() - begun:.1f} s", style="dim")


def _make_book(seed: int) -> None:
    """Start the server and open a demonstration book; one of another seed is refused."""
    from recoup.cli.init import Kind, init

    django.setup()
    from recoup.domains.book.operations import BookExists

    try:
        init(Kind.DEMO, JURISDICTION, seed, "烟台示范供电公司")
    except BookExists as error:
        raise UserError(str(error)) from error


def _city_folder(accounts: int, seed: int) -> Path:
    from recoup.database.home import home

    return home() / "demo" / f"city-{accounts}-{seed}"


def _generate(folder: Path, accounts: int, seed: int) -> None:
    """Write the city's files; a folder with its manifest is whole and stays."""
    if (folder / "manifest.json").exists():
        return
    from recoup.city import generate

    folder.parent.mkdir(parents=True, exist_ok=True)
    generate(accounts, seed=seed, start=START, months=MONTHS, folder=folder)


def _load(folder: Path, accounts: int) -> None:
    """Load the city, unless the book holds it already; refuse a book of another size."""
    from recoup.cli.load import Format, Language, load
    from recoup.database.connect import connect, database_name

    with connect("app") as connection:
        (held,) = connection.execute("SELECT count(*) FROM account").fetchone() or (0,)
        loaded = connection.execute("SELECT 1 FROM feed WHERE watermark_at IS NOT NULL").fetchone()
    if loaded and held != accounts:
        raise UserError(
            f"the database {database_name()} holds a demo of {held:,} accounts: ask for --accounts {held}, or give "
            "another RECOUP_DATABASE_NAME for a second one"
        )
    if not loaded:
        load(folder, Format.RECOUP, Language.EN)


def _cycle() -> None:
    from recoup.cli.cycle import run
    from recoup.database.connect import connect
    from recoup.engine.runs import last_done_on

    with connect("app") as connection:
        done = last_done_on(connection)
    if done is None or done < END:
        run(START, END)


def _verify() -> bool:
    """Check the invariants as `recoup verify` does."""
    from recoup.cli.verify import verify

    try:
        verify(as_json=False, everything=False)
    except typer.Exit:
        return False
    return True


_INTERESTING = """
    SELECT a.account_no FROM action x JOIN contract c USING (contract_id) JOIN account a USING (account_id)
    WHERE x.decided_on = (SELECT max(decided_on) FROM action) ORDER BY x.stage DESC, x.overdue_minor DESC LIMIT 1
"""
_OWED_BILL = """
    SELECT b.bill_no FROM bill b JOIN open_item i ON i.item_key = b.bill_no || ':ENERGY'
    JOIN item_open o ON o.item_id = i.item_id WHERE i.overdue_from_on IS NOT NULL
    ORDER BY i.overdue_from_on, b.amount_minor DESC LIMIT 1
"""


def _suggest(console: Console) -> None:
    """Name commands worth trying, with numbers that have something to tell."""
    from recoup.database.connect import connect, database_name

    with connect("reader") as connection:
        rows: list[Any] = [connection.execute(query).fetchone() for query in (_INTERESTING, _OWED_BILL)]
    account, bill = (row[0] if row else None for row in rows)
    console.print(f"\n[bold]export RECOUP_DATABASE_NAME={database_name()}[/bold]", soft_wrap=True)
    for command in (
        *([f"recoup why {account}", f"recoup why {account} --on 2025-10-15 --json"] if account else []),
        *([f"recoup why bill {bill}"] if bill else []),
        *("recoup report --lang en", "recoup verify", "recoup feeds"),
    ):
        console.print(f"  {command}", soft_wrap=True)
