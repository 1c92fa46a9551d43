"""Makes the book that the browser tests enter: `lively_book.py` with RECOUP_HOME set, in a process of its own.

A city of 300 invented accounts in two stations; another system's debts of last autumn; January closed, signed, then
changed by receipts told late and by a cheque that bounced; February closed but for two days. One person of each role,
and collectors of each station.
"""

import json
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl

ACCOUNTS, SEED = 300, 20250101
COMPANY, FIRST, SECOND = "3706", "37060001", "37060002"
JANUARY, FEBRUARY = (date(2025, 1, 1), date(2025, 1, 31)), (date(2025, 2, 1), date(2025, 2, 26))
PASSWORD = "Copper-kettle-41"
# User name, role, unit, name, language.
STAFF = (
    ("boss", "admin", "*", "王管理", "zh-hans"),
    ("boss-en", "admin", "*", "Wang Admin", "en"),
    ("head", "manager", "*", "李经理", "zh-hans"),
    ("clerk", "clerk", FIRST, "赵核算", "zh-hans"),
    ("lin", "collector", FIRST, "林催收", "zh-hans"),
    ("qiu", "collector", SECOND, "邱催收", "zh-hans"),
    ("eye", "auditor", "*", "孙审计", "zh-hans"),
)
_OLD_DEBT_EVERY, _LATE_EVERY = 6, 30
_CHEQUE = ("CHEQUE", "CH-0001")


def main() -> int:
    """Make the book and its people."""
    from recoup.cli import django
    from recoup.cli.cycle import run
    from recoup.cli.init import Kind, init

    folder = Path(sys.argv[1])
    init(Kind.DEMO, "cn/shandong", SEED, "烟台示范供电公司")
    django.setup()
    contracts = _load_city(folder / "city")
    _load(folder / "debts", {"open_items": _list_old_debts(contracts)}, as_of_on=date(2024, 12, 31))
    _load(folder / "cheque", {"payments": _list_cheque(contracts)}, as_of_on=date(2025, 1, 20))
    _set_targets()
    run(*JANUARY)
    _sign(JANUARY[1])
    late = pl.concat([_list_late(contracts), _list_bounce(contracts)])
    _load(folder / "late", {"payments": late}, as_of_on=date(2025, 2, 5))
    run(*FEBRUARY)
    _add_staff()
    return 0


def _load_city(folder: Path) -> pl.DataFrame:
    """Generate and load the city, its second district moved to a station of its own; return its contracts."""
    command = ["city", str(folder), "--accounts", str(ACCOUNTS), "--from", "2025-01", "--months", "2"]
    subprocess.run(
        [sys.executable, "-c", "from recoup.cli.main import run; run()", *command, "--format", "csv", "--dirty"],
        check=True,
        capture_output=True,
    )
    units = folder / "org_units.csv"
    rows = units.read_text().replace(f"T002,幸福里2公变台区,DISTRICT,{FIRST}", f"T002,幸福里公变台区,DISTRICT,{SECOND}")
    units.write_text(f"{rows}{SECOND},芝罘区南山供电所,STATION,{COMPANY}\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    next(each for each in manifest["files"] if each["entity"] == "org_units")["rows"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    _load_folder(folder)
    return pl.read_csv(folder / "contracts.csv", schema_overrides={"account_no": pl.String}).select("contract", "class")


def _load(folder: Path, files: dict[str, pl.DataFrame], *, as_of_on: date) -> None:
    folder.mkdir(parents=True)
    for entity, rows in files.items():
        rows.write_csv(folder / f"{entity}.csv")
    manifest = {
        "feed": "demo-city",
        "source": "old system (invented)",
        "as_of": f"{as_of_on}T20:00:00+08:00",
        "simulated": True,
        "files": [{"name": f"{entity}.csv", "entity": entity, "rows": rows.height} for entity, rows in files.items()],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    _load_folder(folder)


def _load_folder(folder: Path) -> None:
    from recoup.usecases.load import load_folder

    report = load_folder(folder)
    if not report.complete:
        raise AssertionError([each.record.detail for each in report.files])


def _list_old_debts(contracts: pl.DataFrame) -> pl.DataFrame:
    """Two bills of last autumn for every sixth contract."""
    debtors = contracts.gather_every(_OLD_DEBT_EVERY)["contract"].to_list()
    rows = []
    for number, contract in enumerate(debtors):
        for months, issued_on in enumerate((date(2024, 9, 6), date(2024, 11, 6))):
            amount = Decimal(6150 + number * 1970 % 31_300 + months * 900) / 100
            due_on = issued_on + timedelta(days=30)
            rows.append((f"OLD-{contract}-{issued_on:%Y%m}", contract, "ENERGY", amount, amount, issued_on, due_on))
    columns = ("item_key", "contract", "component", "amount", "open", "issued_on", "due_on")
    return pl.DataFrame(rows, schema=columns, orient="row")


def _as_payments(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    columns = ("channel", "channel_key", "contract", "value_on", "received_on", "amount", "reverses")
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.col("reverses").cast(pl.String))


def _list_cheque(contracts: pl.DataFrame) -> pl.DataFrame:
    """The cheque of a debtor, received in January."""
    debtor, on = contracts["contract"][0], date(2025, 1, 17)
    return _as_payments([(*_CHEQUE, debtor, on, on, Decimal("131.80"), None)])


def _list_late(contracts: pl.DataFrame) -> pl.DataFrame:
    """Receipts of the last days of January that the bank's file brought in February."""
    payers = contracts.gather_every(_LATE_EVERY)["contract"].to_list()[1:]
    told_on = date(2025, 2, 3)
    return _as_payments(
        [
            ("BANK", f"B-{number:04d}", payer, date(2025, 1, 31), told_on, Decimal(4500 + 1370 * number) / 100, None)
            for number, payer in enumerate(payers)
        ]
    )


def _list_bounce(contracts: pl.DataFrame) -> pl.DataFrame:
    """The cheque comes back."""
    debtor, on = contracts["contract"][0], date(2025, 2, 4)
    return _as_payments([("CHEQUE", "CH-0001-R", debtor, on, on, Decimal("131.80"), _CHEQUE[1])])


def _set_targets() -> None:
    from recoup.database.connect import connect
    from recoup.domains.analytics.operations import set_target

    with connect("app") as connection, connection.cursor() as cursor:
        for measure, share_ppm in (("current", 985_000), ("cumulative", 970_000), ("prior", 600_000)):
            set_target(cursor, unit="*", measure=measure, share_ppm=share_ppm, valid_from=JANUARY[0], by="李经理")


def _sign(on: date) -> None:
    from recoup.database.connect import connect
    from recoup.engine.cutoffs import sign

    with connect("app") as connection:
        sign(connection, on, "李经理 (head)", "CNY")


def _add_staff() -> None:
    from recoup.domains.access.operations import add_staff

    for username, role, unit, name, language in STAFF:
        add_staff(username=username, name=name, role=role, org_unit=unit, password=PASSWORD, language=language)


if __name__ == "__main__":
    sys.exit(main())
