"""`recoup city`: generates a demonstration city as a folder that `recoup load` reads."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from recoup import rulebook
from recoup.city import City, Format, generate, plan
from recoup.city.summary import TariffMissing, estimate_money, share_of_high_voltage_ppm
from recoup.cli.errors import UserError


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("city")(city)


def city(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to write; files of the same names are replaced.")
    ],
    accounts: Annotated[int, typer.Option(min=1, help="How many accounts.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same city.")] = 20250101,
    first: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m"], help="First month with monthly readings.")
    ] = datetime(2025, 1, 1),
    months: Annotated[int, typer.Option(min=1, help="Months of readings after the opening one.")] = 12,
    format: Annotated[Format, typer.Option(help="How the files are written.")] = Format.PARQUET,
    dirty: Annotated[bool, typer.Option("--dirty", help="Add a few readings that a load must refuse.")] = False,
) -> None:
    """Generate a city of invented customers, marked as simulated, in the load format."""
    tariffs = rulebook.load(plan.JURISDICTION).resolve().tariffs
    made = generate(accounts, seed=seed, start=first.date(), months=months, folder=folder, format=format, dirty=dirty)
    try:
        estimate = estimate_money(made.use, tariffs, first.date())
    except TariffMissing as error:
        raise UserError(f"the rulebook {plan.JURISDICTION} has no price for: {error}") from error
    console = Console()
    console.print(_tabulate_files(made))
    console.print(_tabulate_use(estimate))
    share = share_of_high_voltage_ppm(estimate)
    console.print(f"Simulated city in {folder}, seed {seed}. High voltage pays {share / 10_000:.1f} % of the money.")


def _tabulate_files(made: City) -> Table:
    table = Table("file", title="SIMULATED")
    table.add_column("rows", justify="right")
    for file in made.files:
        table.add_row(file.name, f"{file.rows:,}")
    return table


def _tabulate_use(estimate: pl.DataFrame) -> Table:
    table = Table("kind", "tariff", "voltage", title="Use and money (estimate at first-block prices)")
    for name in ("accounts", "MWh", "millions"):
        table.add_column(name, justify="right")
    for row in estimate.iter_rows(named=True):
        table.add_row(
            *(row["kind"], row["tariff"], "high" if row["is_high_voltage"] else "low"),
            f"{row['accounts']:,}",
            f"{row['energy_wh'] // 10**6:,}",
            f"{row['amount_minor'] / 10**8:,.2f} {row['denom']}",
        )
    return table
