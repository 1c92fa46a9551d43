"""A book small enough to close a day in an instant and odd enough to matter: the folders that a load brings it from.

Per contract number `i`, by remainders only, no dice: bills on any day of the month, payments on time, late, known days
after they were made, in part, in advance, designated; debts, credits, notices and disputes of another system; groups;
tenures that end; readings that must be refused.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from recoup.database import roles
from recoup.database.home import home

CONTRACTS = 240
SEED = 20250101
# Bills fall due after a week, so that five weeks hold a month end, late charges, and two rungs of the ladder.
START = date(2025, 1, 6)
END = START + timedelta(days=34)
EVE = START - timedelta(days=1)
DUE_DAYS = 7

_SINCE = date(2020, 1, 1)


def open_book(kind: str) -> None:
    """Open the database as a book of this kind."""
    from recoup.domains.book.operations import create_book

    create_book(kind=kind, jurisdiction="cn/shandong", seed=SEED, name="Tiny")


def copy_book(source: str, name: str, *, outlasts_crash: bool = False) -> str:
    """Copy a book nobody is connected to, with its lake."""
    roles.copy_database(source, name, outlasts_crash=outlasts_crash)
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


def fill(
    contracts: int = CONTRACTS, *, as_of_on: date = EVE, others: Mapping[str, pl.DataFrame | None] | None = None
) -> None:
    """Load the tiny book; `others` take the place of files of the same entity (None: no such file)."""
    files = {**make_files(contracts), **(others or {})}
    load({entity: rows for entity, rows in files.items() if rows is not None}, as_of_on=as_of_on)


def load(files: Mapping[str, pl.DataFrame], *, as_of_on: date = EVE) -> None:
    """Load files as `recoup load` does; every row must be taken."""
    from recoup.domains.book.queries import get_book
    from recoup.usecases.load import load_folder

    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), files, as_of_on=as_of_on, simulated=get_book().kind != "live")
        report = load_folder(Path(folder))
    lost = [
        (f.record.name, f.record.detail)
        for f in report.files
        if f.record.loaded + f.record.superseding != f.record.read
    ]
    assert report.complete and not lost, lost


def write_folder(
    folder: Path, files: Mapping[str, pl.DataFrame], *, as_of_on: date = EVE, simulated: bool = True
) -> None:
    """Write files and their manifest in the documented format; a live book takes none that is simulated."""
    for entity, rows in files.items():
        rows.write_csv(folder / f"{entity}.csv")
    stated = [{"name": f"{entity}.csv", "entity": entity, "rows": rows.height} for entity, rows in files.items()]
    manifest = {
        "feed": "tiny",
        "source": "tiny",
        "as_of": f"{as_of_on}T12:00:00+08:00",
        "simulated": simulated,
        "denom": "CNY",
        "files": stated,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def make_files(contracts: int) -> dict[str, pl.DataFrame]:
    """Every file of the tiny book, by entity."""
    return {
        **_make_masters(contracts),
        "readings": make_readings(contracts),
        "payments": make_payments(contracts),
        **_make_old_debts(contracts),
        "holds": make_holds(contracts),
    }


def key(contract: int) -> str:
    """A contract's key."""
    return f"K{contract:04d}"


def first_read_on(contract: int) -> date:
    """The day of a contract's first closing reading."""
    return START + timedelta(days=contract % 12)


def item_key(contract: int) -> str:
    """The item of a contract's first bill."""
    return f"{key(contract)}-{first_read_on(contract) - timedelta(days=31):%Y%m%d}-1-1:ENERGY"


def _numbers(contracts: int, every: int = 1) -> pl.DataFrame:
    return pl.DataFrame({"i": range(every, contracts + 1, every)}, schema={"i": pl.Int64})


def _text(form: str) -> pl.Expr:
    return pl.format(form, pl.col("i").cast(pl.String).str.zfill(4))


_CLASS = pl.when(pl.col("i") % 20 == 0).then(pl.lit("COMMERCIAL")).otherwise(pl.lit("RESIDENTIAL")).alias("class")
_TARIFF = pl.when(pl.col("i") % 20 == 0).then(pl.lit("GENERAL_COMMERCE")).otherwise(pl.lit("RESIDENTIAL_TIERED"))


def _make_masters(contracts: int) -> dict[str, pl.DataFrame]:
    numbers, i = _numbers(contracts), pl.col("i")
    districts = ("D1", "D2", "D3")
    units = pl.DataFrame(
        {"code": ["S1", *districts], "kind": ["STATION", *["DISTRICT"] * 3], "parent": [None, *["S1"] * 3]}
    ).with_columns(name="code")
    # Nine contracts settle in three groups; every fortieth ends and may still owe.
    contract = numbers.select(
        _CLASS,
        contract=_text("K{}"),
        account_no=_text("37000000{}"),
        party=_text("P{}"),
        group=pl.when(i <= 9).then(pl.format("K{}", ((i - 1) // 3 * 3 + 1).cast(pl.String).str.zfill(4))),
        jurisdiction=pl.lit("cn/shandong"),
        valid_from=pl.lit(_SINCE),
        valid_to=pl.when(i % 40 == 0).then(pl.lit(START + timedelta(days=20))),
        due_days=pl.lit(DUE_DAYS),
    )
    services = numbers.select(
        _CLASS,
        service_point=_text("SP{}"),
        contract=_text("K{}"),
        tariff=_TARIFF,
        free_kwh_month=pl.when(i % 11 == 0).then(15).otherwise(0),
        # The fourteenth point is served only later: its first readings have no service and must be refused.
        valid_from=pl.when(i == 14).then(pl.lit(START + timedelta(days=20))).otherwise(pl.lit(_SINCE)),
    )
    # The seventh meter was never installed: its readings have no multiplier and must be refused.
    installations = numbers.filter(i != 7).select(
        meter=_text("M{}"), service_point=_text("SP{}"), multiplier=pl.lit(1), valid_from=pl.lit(_SINCE)
    )
    return {
        "org_units": units,
        "parties": numbers.select(party=_text("P{}"), name=_text("Party {}"), kind=pl.lit("PERSON")),
        "accounts": numbers.select(account_no=_text("37000000{}"), org_unit=pl.format("D{}", i % 3 + 1)),
        "contracts": contract,
        "services": services,
        "installations": installations,
    }


def make_readings(contracts: int) -> pl.DataFrame:
    """An opening reading a month before, then one a fortnight; the thirteenth meter runs backwards once."""
    i, n = pl.col("i"), pl.col("n")
    rounds = pl.DataFrame({"n": range(4), "after": (-31, 0, 14, 28)}, schema={"n": pl.Int64, "after": pl.Int64})
    used = 150 + (i * 37) % 400
    return (
        _numbers(contracts)
        .join(rounds, how="cross")
        .select(
            service_point=_text("SP{}"),
            meter=_text("M{}"),
            read_on=pl.lit(START) + pl.duration(days=i % 12 + pl.col("after")),
            index=pl.when((i == 13) & (n == 2)).then(1).otherwise(1000 + used * n),
        )
    )


def make_payments(contracts: int) -> pl.DataFrame:
    """Payments of every third contract, known up to nine days after they were made."""
    rows = []
    for i in range(3, contracts + 1, 3):
        named = item_key(i) if i % 4 == 0 else None
        for part, (after, yuan) in enumerate(_PLANS[i // 3 % len(_PLANS)], start=1):
            value_on = first_read_on(i) + timedelta(days=after)
            rows.append((f"{i:04d}-{part}", key(i), value_on, value_on + timedelta(days=i % 10), yuan, named))
    columns = ("channel_key", "contract", "value_on", "received_on", "amount", "designation")
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(channel=pl.lit("BANK"))


# (days after the first bill, yuan): in advance, in parts, late, far too much, on the last day.
_PLANS = (
    ((-2, 50), (9, 200)),
    ((3, 40), (12, 40), (22, 300)),
    ((16, 250),),
    ((10, 600),),
    ((DUE_DAYS, 100),),
)


def _make_old_debts(contracts: int) -> dict[str, pl.DataFrame]:
    """What another system was owed, held and had served before we came."""
    debtors = _numbers(contracts, every=5).with_columns(due_on=pl.lit(START) - pl.duration(days=pl.col("i") % 40))
    items = debtors.select(
        "due_on",
        item_key=_text("OLD{}"),
        contract=_text("K{}"),
        component=pl.when(pl.col("i") % 30 == 0).then(pl.lit("LATE_CHARGE")).otherwise(pl.lit("ENERGY")),
        amount=pl.lit(300),
        open=pl.lit(200),
        issued_on=pl.col("due_on") - pl.duration(days=20),
    )
    named = debtors.filter(pl.col("i") % 10 == 0)
    credits = _numbers(contracts, every=23).select(
        credit_key=_text("OLDC{}"), contract=_text("K{}"), amount=pl.lit(35), value_on=pl.lit(EVE), state=pl.lit("FREE")
    )
    served = {"contract": _text("K{}"), "action_code": pl.lit("CALL"), "sent_on": pl.lit(EVE)}
    return {
        "open_items": items,
        "credits": credits,
        "touches": named.select(stage=pl.lit(1), channel=pl.lit("CALL"), delivered_on=pl.lit(EVE), **served),
        "touch_items": named.select(item_key=_text("OLD{}"), amount=pl.lit(200), **served),
    }


def make_holds(contracts: int) -> pl.DataFrame:
    """Disputes of whole contracts, and of single old debts."""
    whole = [
        (f"H{i:04d}", key(i), None, first_read_on(i) + timedelta(days=5), first_read_on(i) + timedelta(days=17))
        for i in range(17, contracts + 1, 17)
    ]
    single = [
        (f"I{i:04d}", key(i), f"OLD{i:04d}", START + timedelta(days=i % 9), None) for i in range(35, contracts + 1, 35)
    ]
    return as_holds(whole + single)


def as_holds(rows: list[tuple]) -> pl.DataFrame:
    """Disputes of (key, contract, item key, from, to)."""
    schema = {
        "hold": pl.String,
        "contract": pl.String,
        "item_key": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
    }
    held = pl.DataFrame(rows, schema=schema, orient="row")
    return held.with_columns(processes=pl.lit("LATE_CHARGE|DUN|DEBIT|DISCONNECT"), reason=pl.lit("DISPUTE"))
