"""A live book of six customers, entered as a load would leave it, for tests that need known figures.

Four use 200 kWh a month at 0.5469 (109.38 yuan), read on the 5th, due 20 days later: the first pays, the second owes,
the third pays January and its late charge eleven days late and then nothing, the fourth is billed a stated total and
pays March too much. The fifth owes 100 yuan since last year and pays 68; the sixth has left and owes nothing.
Figures in fen.
"""

from datetime import date, timedelta

import polars as pl

from recoup.core import frames
from recoup.core.flows.receive import PAYMENTS
from recoup.database.bulk import copy_rows
from recoup.database.connect import connect

BILL_FEN = 109_38
READ_DAYS = [date(2024, 12, 5), date(2025, 1, 5), date(2025, 2, 5), date(2025, 3, 5)]

PAYS, OWES, PAYS_LATE, CORRECTED, OLD_DEBT, GONE = range(1, 7)


def account_no(customer: int) -> str:
    return f"37010000{customer:05d}"


def old_account_no(customer: int) -> str:
    return f"05310{customer:05d}"


def contract_key(customer: int) -> str:
    return f"C{customer}"


def fill() -> None:
    """Enter master data, readings, payments and the old debt as facts of load 1."""
    with connect("app") as connection, connection.cursor() as cursor:
        copy_rows(cursor, "org_unit", _units(), ["code", "name", "kind", "parent", "content_hash", "load_id"])
        for table, rows in _master().items():
            copy_rows(cursor, table, rows, rows.columns)
        copy_rows(cursor, "reading", (rows := _readings()), rows.columns)
        copy_rows(cursor, "payment", (paid := _payments()), paid.columns)
        cursor.execute("SELECT recoup_make_partitions('2025-01-01')")
        cursor.execute(_OLD_DEBT)


def _stamp(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(content_hash=pl.lit(0, pl.Int64), load_id=pl.lit(1, pl.Int64))


def _units() -> pl.DataFrame:
    return _stamp(
        pl.DataFrame(
            {"code": ["370100"], "name": ["历下供电所"], "kind": ["STATION"], "parent": [None]},
            schema_overrides={"parent": pl.String},
        )
    )


def _master() -> dict[str, pl.DataFrame]:
    numbers = range(1, 7)
    ends = [date(2024, 12, 31) if n == GONE else None for n in numbers]
    return {
        "party": _stamp(
            pl.DataFrame(
                [(n, n * 7919, f"P{n}", "PERSON", f"客户{n}") for n in numbers],
                schema=["party_id", "key64", "code", "kind", "name"],
                orient="row",
            )
        ),
        "account": _stamp(
            pl.DataFrame(
                [(n, account_no(n), old_account_no(n), "370100") for n in numbers],
                schema=["account_id", "account_no", "old_account_no", "org_unit"],
                orient="row",
            )
        ),
        "contract": _stamp(
            pl.DataFrame(
                [
                    (n, contract_key(n), n, n, "RESIDENTIAL", "cn/shandong", date(2020, 1, 1), end)
                    for n, end in zip(numbers, ends, strict=True)
                ],
                schema=[
                    *("contract_id", "contract_key", "account_id", "party_id", "class", "jurisdiction"),
                    *("valid_from", "valid_to"),
                ],
                orient="row",
            )
        ),
        "agreement": pl.DataFrame(
            [(n, date(2020, 1, 1), 1, 20, False, 1) for n in numbers],
            schema=["contract_id", "valid_from", "version", "due_days", "withdrawn", "load_id"],
            orient="row",
        ),
        "service": _stamp(
            pl.DataFrame(
                [(n, f"S{n}", date(2020, 1, 1), 1, n, "RESIDENTIAL_TIERED", "RESIDENTIAL", 0, False) for n in numbers],
                schema=[
                    *("service_id", "service_point", "valid_from", "version", "contract_id", "tariff", "class"),
                    *("free_wh_month", "withdrawn"),
                ],
                orient="row",
            )
        ),
        "installation": _stamp(
            pl.DataFrame(
                [(f"S{n}", f"M{n}", "TOTAL", date(2020, 1, 1), 1, 10_000, False) for n in numbers],
                schema=[
                    *("service_point", "meter", "register", "valid_from", "version", "multiplier_e4", "withdrawn"),
                ],
                orient="row",
            )
        ),
    }


def _readings() -> pl.DataFrame:
    rows = [
        {
            "service_point": f"S{n}",
            "meter": f"M{n}",
            "register": "TOTAL",
            "read_on": day,
            "part": 1,
            "source": "ACTUAL",
            "version": 1,
            "index_e4": month * 200 * 10_000,
            # The last reading of this customer carries the total another system billed: 200 kWh, though 250 were read.
            **(
                {"index_from_e4": 400 * 10_000, "index_e4": 650 * 10_000, "months": 1, "stated_wh": 200_000}
                if n == CORRECTED and month == 3
                else {}
            ),
        }
        for n in range(1, 5)
        for month, day in enumerate(READ_DAYS)
    ]
    columns = {name: kind for name, kind in frames.READINGS.items() if name not in ("reading_key", "multiplier_e4")} | {
        "version": pl.Int64()
    }
    return _stamp(pl.DataFrame(rows, schema=columns))


_OLD_DEBT = f"""
    INSERT INTO open_item (item_id, booked_on, item_key, origin_kind, contract_id, component, subject, denom,
                           amount_minor, issued_on, value_on, due_on, overdue_from_on)
    VALUES (1, '2025-01-01', 'OLD-1', 'BILL', {OLD_DEBT}, 'ENERGY', 'RECEIVABLE_ENERGY', 'CNY', 10000,
            '2024-11-20', '2024-11-20', '2024-12-20', '2024-12-21');
    INSERT INTO item_open VALUES (1, {OLD_DEBT}, 10000);
"""


def _on_time(customer: int, days: list[date]) -> list[tuple[int, date, int]]:
    return [(customer, day + timedelta(days=5), BILL_FEN) for day in days]


def _payments() -> pl.DataFrame:
    """Payments of files: customer, day, fen."""
    paid = [
        *_on_time(PAYS, READ_DAYS[1:]),
        (PAYS_LATE, date(2025, 2, 5), BILL_FEN + 1_20),
        *_on_time(CORRECTED, READ_DAYS[1:3]),
        (CORRECTED, date(2025, 3, 30), 300_00),
        (OLD_DEBT, date(2025, 1, 20), 68_00),
    ]
    columns = {name: PAYMENTS[name] for name in ("contract_id", "value_on", "amount_minor")}
    rows = pl.DataFrame(paid, schema=columns, orient="row")
    return _stamp(
        rows.with_columns(
            channel=pl.lit("BANK"),
            channel_key=pl.format("{}-{}", "contract_id", "value_on"),
            version=pl.lit(1),
            received_on=pl.col("value_on"),
            denom=pl.lit("CNY"),
            simulated=pl.lit(False),
        )
    )
