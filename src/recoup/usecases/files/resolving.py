"""From account numbers to contracts, from names of stations and districts to units; only within a person's scope."""

from typing import Any, NamedTuple

import polars as pl
import psycopg

from recoup.database.bulk import read_rows
from recoup.domains.access.scope import Scope
from recoup.domains.feeds import parsing

type Connection = psycopg.Connection[tuple[Any, ...]]

FLAWS = {"row_no": pl.Int64(), "field": pl.String(), "reason": pl.String()}

_TENURES = {
    "number": pl.String(),
    "rank": pl.Int64(),
    "account_id": pl.Int64(),
    "contract": pl.String(),
    "valid_from": pl.Date(),
    "valid_to": pl.Date(),
}
_UNITS = {"code": pl.String(), "name": pl.String(), "parent": pl.String()}


class Resolved(NamedTuple):
    """Rows with their contract or unit, and those for which there is none."""

    rows: pl.DataFrame
    refused: pl.DataFrame


def _refuse(rows: pl.DataFrame, field: str, reason: str | pl.Expr) -> pl.DataFrame:
    told = pl.lit(reason) if isinstance(reason, str) else reason
    return rows.select("row_no", field=pl.lit(field), reason=told)


def count_account_digits(connection: Connection) -> list[int]:
    """How many digits the account numbers of the book have, new and old."""
    rows = connection.execute(
        r"""
        SELECT DISTINCT length(no) FROM (SELECT account_no AS no FROM account
                                         UNION ALL SELECT old_account_no FROM account) numbers
        WHERE no ~ '^\d+$' ORDER BY 1
        """
    ).fetchall()
    return [length for (length,) in rows]


def find_contracts(connection: Connection, rows: pl.DataFrame, day: str | None, scope: Scope) -> Resolved:
    """Give each row the contract of its account on its day: the one in force, else the last that had ended.

    A number is taken as a new account number first, then as an old one.
    """
    wanted = rows["account_no"].drop_nulls().unique().to_list()
    tenures = _read_tenures(connection, wanted, scope)
    on = parsing.parse_day(pl.col(day)) if day else pl.lit(None, pl.Date)
    asked = rows.select("row_no", "account_no", on=on)
    found = asked.join(tenures, left_on="account_no", right_on="number", how="left")
    judged = found.with_columns(accounts=pl.col("account_id").n_unique().over("row_no"))
    known = judged.filter(pl.col("account_id").is_not_null() & (pl.col("accounts") == 1))
    held = (
        known.filter(pl.col("on").is_null() | (pl.col("valid_from") <= pl.col("on")))
        .with_columns(over=(pl.col("valid_to") <= pl.col("on")).fill_null(False))
        .sort("row_no", "over", "valid_from", descending=[False, False, True])
        .unique("row_no", keep="first", maintain_order=True)
    )
    lost = asked.join(held, on="row_no", how="anti")
    why = lost.join(judged.unique("row_no").select("row_no", "account_id", "accounts"), on="row_no", how="left")
    reason = (
        pl.when(pl.col("account_no").is_null())
        .then(pl.lit("MISSING_VALUE"))
        .when(pl.col("account_id").is_null())
        .then(pl.lit("UNKNOWN_ACCOUNT"))
        .when(pl.col("accounts") > 1)
        .then(pl.lit("AMBIGUOUS_ACCOUNT"))
        .otherwise(pl.lit("NO_CONTRACT_THEN"))
    )
    refused = _refuse(why, "account_no", reason)
    resolved = rows.join(refused, on="row_no", how="anti").join(
        held.select("row_no", "contract"), on="row_no", how="left"
    )
    return Resolved(resolved.sort("row_no"), refused)


def _read_tenures(connection: Connection, numbers: list[str], scope: Scope) -> pl.DataFrame:
    """Tenures of accounts by number; of a number that is new for one account and old for another, the new one."""
    within, parameters = scope.condition("a.org_unit")
    query = f"""
        SELECT n.number, n.rank, a.account_id, c.contract_key, c.valid_from, c.valid_to
        FROM (SELECT account_no AS number, 0 AS rank, account_id FROM account WHERE account_no = ANY(%s::text[])
              UNION ALL SELECT old_account_no, 1, account_id FROM account WHERE old_account_no = ANY(%s::text[])) n
        JOIN account a USING (account_id) LEFT JOIN contract c USING (account_id)
        WHERE {within}
    """
    with connection.cursor() as cursor:
        found = read_rows(cursor, query, _TENURES, [numbers, numbers, *parameters])
    return found.filter(pl.col("rank") == pl.col("rank").min().over("number"))


def keep_contracts_in_scope(connection: Connection, rows: pl.DataFrame, scope: Scope) -> Resolved:
    """Refuse rows whose contract lies outside the scope, as if it did not exist."""
    if scope.units is None:
        return Resolved(rows, pl.DataFrame(schema=FLAWS))
    within, parameters = scope.condition("a.org_unit")
    query = f"""
        SELECT c.contract_key FROM contract c JOIN account a USING (account_id)
        WHERE c.contract_key = ANY(%s::text[]) AND {within}
    """
    with connection.cursor() as cursor:
        wanted = rows["contract"].drop_nulls().unique().to_list()
        known = read_rows(cursor, query, {"contract": pl.String()}, [wanted, *parameters])
    lost = rows.filter(pl.col("contract").is_not_null()).join(known, on="contract", how="anti")
    refused = _refuse(lost, "contract", "UNKNOWN_CONTRACT")
    return Resolved(rows.join(refused, on="row_no", how="anti"), refused)


class Units(NamedTuple):
    """The units of the book, and those a sheet of customers names that are not there yet."""

    known: pl.DataFrame
    new: pl.DataFrame


def read_units(connection: Connection) -> pl.DataFrame:
    """Every unit: code, name, parent."""
    with connection.cursor() as cursor:
        return read_rows(cursor, "SELECT code, name, parent FROM org_unit ORDER BY code", _UNITS)


def _find_code(rows: pl.DataFrame, units: pl.DataFrame, text: str, parent: str | None) -> pl.DataFrame:
    """`found`: the code of the unit that a column names by code, else by a name that only one unit (below the
    row's parent, where it has one) carries."""
    codes = units.select(pl.col("code").alias(text), by_code="code")
    by = [text] if parent is None else [text, parent]
    named = units.rename({"name": text, **({"parent": parent} if parent else {})}).select(*by, by_name="code")
    alone = named.filter(pl.len().over(by) == 1)
    return (
        rows.join(codes, on=text, how="left")
        .join(alone, on=by, how="left")
        .with_columns(found=pl.coalesce("by_code", "by_name"))
        .drop("by_code", "by_name")
    )


def name_units(rows: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Add `station_unit` and `district_unit`: codes in the book, else those that the units would get if made."""
    have = set(rows.columns)
    blank = [pl.lit(None, pl.String).alias(n) for n in _UNIT_FIELDS if n not in have]
    rows = rows.with_columns(blank).with_columns(said_station=pl.coalesce("station_code", "station"))
    rows = _find_code(rows, units, "said_station", None).rename({"found": "station_found"})
    rows = rows.with_columns(station_unit=pl.coalesce("station_found", "said_station"))
    rows = rows.with_columns(said_district=pl.coalesce("district_code", "district"))
    below = pl.col("station_unit").is_not_null()
    with_parent = _find_code(rows.filter(below), units, "said_district", "station_unit")
    without = _find_code(rows.filter(~below), units, "said_district", None)
    rows = pl.concat([with_parent, without], how="diagonal").rename({"found": "district_found"}).sort("row_no")
    made = pl.coalesce("district_code", pl.concat_str(["station_unit", "district"], separator="-"), "district")
    return rows.with_columns(
        district_unit=pl.when(pl.col("said_district").is_not_null()).then(pl.coalesce("district_found", made))
    )


_UNIT_FIELDS = ("station", "station_code", "district", "district_code")


def list_new_units(named: pl.DataFrame) -> pl.DataFrame:
    """Units that a sheet names and the book does not have: row_no of the first naming, code, name, kind, parent."""
    stations = named.filter(pl.col("station_found").is_null() & pl.col("said_station").is_not_null()).select(
        "row_no",
        code="station_unit",
        name=pl.coalesce("station", "station_code"),
        kind=pl.lit("STATION"),
        parent=pl.lit(None, pl.String),
    )
    districts = named.filter(pl.col("district_found").is_null() & pl.col("said_district").is_not_null()).select(
        "row_no",
        code="district_unit",
        name=pl.coalesce("district", "district_code"),
        kind=pl.lit("DISTRICT"),
        parent="station_unit",
    )
    first = pl.concat([stations, districts]).sort("row_no")
    return first.unique("code", keep="first", maintain_order=True)
