"""Units of the city and where each account lies: company, stations, transformer districts, reading routes.

Grain: `org_units` one row per unit, `lay_out_districts` one per transformer district, `place` one per account.
"""

import polars as pl

from recoup.city import names, plan
from recoup.city.dice import Dice


def lay_out_districts(accounts: int, dice: Dice) -> pl.DataFrame:
    """Cut account numbers 0.. into transformer districts of 100 to 200: district, first_n, station."""
    low, high = plan.DISTRICT_ACCOUNTS
    number = pl.col("district")
    return (
        pl.DataFrame({"district": range(accounts // low + 1)}, schema={"district": pl.Int64})
        .with_columns(size=low + dice.below(number, "district.size", high - low + 1))
        .with_columns(first_n=pl.col("size").cum_sum() - pl.col("size"), station=number // plan.STATION_DISTRICTS)
        .filter(pl.col("first_n") < accounts)
    )


def list_org_units(districts: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """List the tree of units: code, name, kind, parent."""
    stations = districts.select("station").unique().sort("station").with_columns(_station_code(), _station_name())
    own = pl.lit(None, dtype=pl.String)
    company = pl.select(code=pl.lit(plan.CITY_CODE), name=pl.lit(names.COMPANY), kind=pl.lit("COMPANY"), parent=own)
    station_rows = stations.select(
        code="station_code", name="station_name", kind=pl.lit("STATION"), parent=pl.lit(plan.CITY_CODE)
    )
    named = districts.join(stations, on="station", how="left").with_columns(_district_code())
    district_rows = named.select(
        code="org_unit",
        name=pl.format(
            "{}{}公变台区", _community(pl.col("district"), dice), pl.col("district") % plan.STATION_DISTRICTS + 1
        ),
        kind=pl.lit("DISTRICT"),
        parent="station_code",
    )
    high_voltage = stations.select(
        code=_high_voltage_code(),
        name=pl.format("{}专变用户", pl.col("station_name").str.strip_suffix("供电所")),
        kind=pl.lit("DISTRICT"),
        parent="station_code",
    )
    return pl.concat([company, station_rows, district_rows, high_voltage])


def place(people: pl.DataFrame, districts: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """Add org_unit, route, reading_day and address to accounts sorted by n, with `kind` and `is_high_voltage`."""
    there = people.join_asof(districts, left_on="n", right_on="first_n", strategy="backward", check_sortedness=False)
    route_no = pl.col("district") % plan.STATION_DISTRICTS // plan.ROUTE_DISTRICTS
    route_key = pl.col("station") * plan.STATION_DISTRICTS + route_no
    day = dice.below(route_key, "route.day", plan.READING_DAYS) + 1
    apart = pl.col("is_high_voltage")
    return (
        there.with_columns(_station_code(), _station_name(), route_no=(route_no + 1).cast(pl.String).str.zfill(2))
        .with_columns(_district_code())
        .with_columns(
            org_unit=pl.when(apart).then(_high_voltage_code()).otherwise("org_unit"),
            route=pl.format("{}-{}", "station_code", pl.when(apart).then(pl.lit("HV")).otherwise("route_no")),
            reading_day=pl.when(apart).then(plan.HIGH_VOLTAGE_READING_DAY).otherwise(day),
            address=_address(dice),
        )
        .drop("station_code", "station_name", "route_no", "district", "size", "first_n", "station")
    )


def _station_code() -> pl.Expr:
    number = (pl.col("station") + 1).cast(pl.String).str.zfill(4)
    return pl.format("{}{}", pl.lit(plan.CITY_CODE), number).alias("station_code")


def _area() -> pl.Expr:
    return pl.lit(pl.Series(names.AREAS)).gather(pl.col("station") % len(names.AREAS))


def _station_name() -> pl.Expr:
    turn = pl.col("station") // len(names.AREAS)
    word = pl.lit(pl.Series(names.STATIONS)).gather(
        (turn + pl.col("station") % len(names.AREAS) * 5) % len(names.STATIONS)
    )
    again = turn // len(names.STATIONS)
    number = pl.when(again > 0).then(pl.format("第{}", again + 1)).otherwise(pl.lit(""))
    return pl.format("{}{}{}供电所", _area(), word, number).alias("station_name")


def _district_code() -> pl.Expr:
    number = (pl.col("district") % plan.STATION_DISTRICTS + 1).cast(pl.String).str.zfill(3)
    return pl.format("{}T{}", "station_code", number).alias("org_unit")


def _high_voltage_code() -> pl.Expr:
    return pl.format("{}T000", "station_code")


def _community(district: pl.Expr, dice: Dice) -> pl.Expr:
    return dice.pick(district, "district.community", names.COMMUNITIES)


def _address(dice: Dice) -> pl.Expr:
    """A home in a building of its district's community, or a number in its street."""
    within = pl.col("n") - pl.col("first_n")
    area = pl.format("{}{}", pl.lit(names.PROVINCE_CITY), _area())
    street = pl.format(
        "{}{}{}号",
        area,
        dice.pick(pl.col("district"), "district.street", names.STREETS),
        dice.below(pl.col("district"), "district.number", 300) + 1,
    )
    home = pl.format(
        "{}{}{}号楼{}单元{}0{}室",
        street,
        _community(pl.col("district"), dice),
        within // 48 + 1,
        within // 12 % 4 + 1,
        within // 2 % 6 + 1,
        within % 2 + 1,
    )
    return pl.when(pl.col("kind") == plan.RESIDENT.code).then(home).otherwise(pl.format("{}-{}", street, within + 1))
