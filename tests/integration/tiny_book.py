"""A book small enough to close a day in an instant and odd enough to matter: what its files would have brought.

Per contract number `i`, by remainders only, no dice: bills on any day of the month, payments on time, late, known days
after they were made, in part, in advance, designated; disputes; groups; readings that must be refused.
"""

import shutil
from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from recoup.database import roles
from recoup.database.bulk import copy_rows
from recoup.database.connect import connect
from recoup.database.home import home

CONTRACTS = 240
SEED = 20250101
# Bills fall due after a week, so that six weeks hold a month end, late charges, and two rungs of the ladder.
START = date(2025, 1, 6)
END = START + timedelta(days=34)
DUE_DAYS = 7

_STATION, _DISTRICTS = "S1", ("D1", "D2", "D3")
_LOADED = {"content_hash": pl.lit(1, pl.Int64), "load_id": pl.lit(1, pl.Int64)}


def open_book(kind: str) -> None:
    """Open the database as a book of this kind."""
    from recoup.domains.book.operations import create_book

    create_book(kind=kind, jurisdiction="cn/shandong", seed=SEED, name="Tiny")


def copy_book(source: str, name: str) -> str:
    """Copy a book nobody is connected to, with its lake."""
    roles.copy_database(source, name)
    lake = home() / "lake"
    if (lake / source).exists():
        shutil.copytree(lake / source, lake / name)
    return name


def close(start: date, end: date, *, contracts_per_slice: int = 50_000) -> int:
    """Close the days, as `recoup cycle` does; fewer contracts make more slices."""
    from recoup.engine.cycle import run_cycle
    from recoup.engine.profile import read_profile, read_rules

    return run_cycle(start, end, read_rules(), read_profile(), contracts_per_slice=contracts_per_slice)


def dump() -> list[str]:
    """The canonical state of the entered book."""
    from recoup.engine.dump import dump_lines

    return [line for _, line in dump_lines()]


def find_failures() -> list[str]:
    """What `recoup verify --all` finds wrong in the entered book."""
    from recoup.engine.profile import read_profile, read_rules
    from recoup.engine.verify import run_checks

    found = run_checks(read_rules(), read_profile(), everything=True)
    return [f"{check.name}: {finding.detail}" for check, finding in found if not finding.ok]


def fill(contracts: int = CONTRACTS, *, payments: pl.DataFrame | None = None, feed_on: date = END) -> None:
    """Bring master rows, readings, payments and holds into an empty book, as the application role."""
    with connect("app") as connection, connection.cursor() as cursor:
        for table, rows in make_master(contracts).items():
            copy_rows(cursor, table, rows, rows.columns)
        for table, rows in (("reading", make_readings(contracts)), ("hold", make_holds(contracts))):
            copy_rows(cursor, table, rows, rows.columns)
        add_payments(cursor, make_payments(contracts) if payments is None else payments)
        mark = f"{feed_on}T12:00:00+08:00"
        cursor.execute("INSERT INTO feed VALUES ('billing', 'tiny', true, %s)", [mark])


def add_payments(cursor, payments: pl.DataFrame) -> None:
    """Bring payments as a file would."""
    rows = payments.with_columns(version=pl.lit(1), simulated=pl.lit(True), **_LOADED)
    copy_rows(cursor, "payment", rows, rows.columns)


def bill_no(contract: int, period_from: date) -> str:
    """The number of a contract's bill of a period."""
    return f"K{contract:04d}-{period_from:%Y%m%d}-1-1"


def first_read_on(contract: int) -> date:
    """The day of a contract's first closing reading."""
    return START + timedelta(days=contract % 12)


def _numbers(contracts: int) -> pl.DataFrame:
    return pl.DataFrame({"i": range(1, contracts + 1)}, schema={"i": pl.Int64})


def _text(form: str) -> pl.Expr:
    return pl.format(form, pl.col("i").cast(pl.String).str.zfill(4))


def make_master(contracts: int) -> dict[str, pl.DataFrame]:
    """Units, parties, accounts, contracts, agreements, services and installations."""
    numbers, since = _numbers(contracts), pl.lit(date(2020, 1, 1))
    units = pl.DataFrame(
        {
            "code": [_STATION, *_DISTRICTS],
            "name": [_STATION, *_DISTRICTS],
            "kind": ["STATION", *["DISTRICT"] * 3],
            "parent": [None, *[_STATION] * 3],
        }
    ).with_columns(**_LOADED)
    i, commerce = pl.col("i"), pl.col("i") % 20 == 0
    customer_class = pl.when(commerce).then(pl.lit("COMMERCIAL")).otherwise(pl.lit("RESIDENTIAL")).alias("class")
    parties = numbers.select(
        party_id="i", key64=i * 7919, code=_text("P{}"), kind=pl.lit("PERSON"), name=_text("Party {}"), **_LOADED
    )
    accounts = numbers.select(
        account_id="i", account_no=_text("37000000{}"), org_unit=pl.format("D{}", i % 3 + 1), **_LOADED
    )
    # Nine contracts settle in three groups; every fortieth has ended and may still owe.
    contract = numbers.select(
        customer_class,
        contract_id="i",
        contract_key=_text("K{}"),
        account_id="i",
        party_id="i",
        group_key=pl.when(i <= 9).then(pl.format("K{}", (((i - 1) // 3) * 3 + 1).cast(pl.String).str.zfill(4))),
        jurisdiction=pl.lit("cn/shandong"),
        valid_from=since,
        valid_to=pl.when(i % 40 == 0).then(pl.lit(START + timedelta(days=20))),
        **_LOADED,
    )
    agreements = numbers.select(
        contract_id="i", valid_from=since, version=pl.lit(1), due_days=pl.lit(DUE_DAYS), withdrawn=pl.lit(False),
        load_id=pl.lit(1),
    )  # fmt: skip
    services = numbers.select(
        customer_class,
        service_id="i",
        service_point=_text("SP{}"),
        valid_from=since,
        version=pl.lit(1),
        contract_id="i",
        tariff=pl.when(commerce).then(pl.lit("GENERAL_COMMERCE")).otherwise(pl.lit("RESIDENTIAL_TIERED")),
        free_wh_month=pl.when(i % 11 == 0).then(15_000).otherwise(0),
        withdrawn=pl.lit(False),
        **_LOADED,
    )
    # The seventh meter was never installed: its readings have no multiplier and must be refused.
    installations = numbers.filter(i != 7).select(
        service_point=_text("SP{}"),
        meter=_text("M{}"),
        register=pl.lit("T"),
        valid_from=since,
        version=pl.lit(1),
        multiplier_e4=pl.lit(10_000),
        withdrawn=pl.lit(False),
        **_LOADED,
    )
    return {
        "org_unit": units,
        "party": parties,
        "account": accounts,
        "contract": contract,
        "agreement": agreements,
        "service": services,
        "installation": installations,
    }


def make_readings(contracts: int) -> pl.DataFrame:
    """An opening reading a month before, then one a fortnight; the thirteenth meter runs backwards once."""
    first = pl.lit(START) + pl.duration(days=pl.col("i") % 12)
    days = (-31, 0, 14, 28)
    rounds = pl.DataFrame({"n": range(len(days)), "after": days}, schema={"n": pl.Int64, "after": pl.Int64})
    used = 150 + (pl.col("i") * 37) % 400
    backwards = (pl.col("i") == 13) & (pl.col("n") == 2)
    return (
        _numbers(contracts)
        .join(rounds, how="cross")
        .select(
            service_point=_text("SP{}"),
            meter=_text("M{}"),
            register=pl.lit("T"),
            read_on=first + pl.duration(days="after"),
            part=pl.lit(1),
            source=pl.lit("ACTUAL"),
            version=pl.lit(1),
            index_e4=(pl.when(backwards).then(1).otherwise(1000 + used * pl.col("n")) * 10_000),
            **_LOADED,
        )
    )


def make_payments(contracts: int, only: Sequence[int] | None = None) -> pl.DataFrame:
    """Payments of files for every third contract; `received_on` is up to nine days after `value_on`."""
    rows = []
    for i in only or range(1, contracts + 1):
        if only is None and i % 3:
            continue
        billed = first_read_on(i)
        number = f"{bill_no(i, billed - timedelta(days=31))}:ENERGY" if i % 4 == 0 else None
        for part, (after, amount) in enumerate(_plan(i), start=1):
            value_on = billed + timedelta(days=after)
            rows.append((f"{i:04d}-{part}", i, value_on, value_on + timedelta(days=i % 10), amount, number))
    schema = ("channel_key", "contract_id", "value_on", "received_on", "amount_minor", "designation")
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(channel=pl.lit("BANK"), denom=pl.lit("CNY"))


def _plan(i: int) -> list[tuple[int, int]]:
    """(days after the first bill, minor units): in advance, in two parts, late, or far too much."""
    plans = (
        [(-2, 5_000), (9, 20_000)],
        [(3, 4_000), (12, 4_000), (22, 30_000)],
        [(16, 25_000)],
        [(10, 60_000)],
        [(DUE_DAYS, 10_000)],
    )
    return plans[i // 3 % len(plans)]


def delay(payments: pl.DataFrame, days: int) -> pl.DataFrame:
    """The same payments, all known so many days after they were made."""
    return payments.with_columns(received_on=pl.col("value_on") + pl.duration(days=days))


def add_debts(contracts: int) -> None:
    """Bring debts of another system: one item a contract, due in the first days."""
    debts = _numbers(contracts).select(
        item_id="i",
        booked_on=pl.lit(START),
        item_key=_text("OLD{}"),
        origin_kind=pl.lit("IMPORT"),
        contract_id="i",
        component=pl.lit("ENERGY"),
        subject=pl.lit("RECEIVABLE_ENERGY"),
        denom=pl.lit("CNY"),
        amount_minor=pl.lit(30_000),
        issued_on=pl.lit(START) - pl.duration(days=20),
        value_on=pl.lit(START) - pl.duration(days=20),
        due_on=pl.lit(START) + pl.duration(days=pl.col("i") % 9),
        overdue_from_on=pl.lit(START) + pl.duration(days=pl.col("i") % 9 + 1),
    )
    opened = debts.select("item_id", "contract_id", open_minor="amount_minor")
    with connect("app") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT recoup_make_partitions(%s)", [START])
        copy_rows(cursor, "open_item", debts, debts.columns)
        copy_rows(cursor, "item_open", opened, opened.columns)


def make_holds(contracts: int) -> pl.DataFrame:
    """Disputes of whole contracts and of single bills, for some of the days."""
    rows = []
    for i in range(1, contracts + 1):
        if i % 17 and i % 19:
            continue
        item = None if i % 17 == 0 else f"{bill_no(i, first_read_on(i) - timedelta(days=31))}:ENERGY"
        since = first_read_on(i) + timedelta(days=5)
        rows.append((f"H{i:04d}", i, item, since, since + timedelta(days=12)))
    schema = ("hold_key", "contract_id", "item_key", "valid_from", "valid_to")
    stops = {name: pl.lit(True) for name in ("stops_late_charge", "stops_dun", "stops_debit", "stops_disconnect")}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        version=pl.lit(1), stops_refund=pl.lit(False), reason=pl.lit("DISPUTE"), **stops, **_LOADED
    )
