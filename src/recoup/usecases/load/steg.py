"""Reader of the STEG data set: real bills of a Tunisian utility, one row per bill with its pair of indexes.

Every electricity row becomes one reading that states its own starting index, coefficient, months and the printed
total, on its invoice date; rows of one client and day are numbered as parts in the order of the file. Rows of one
meter are no chain and a meter number is unique only within its client, so nothing is joined. What the meter shows
and what was printed may differ: that row is loaded, and the printed total is billed as a correction. Only what
cannot be billed is quarantined. Gas and exact duplicates are skipped and counted.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import polars as pl

from recoup.domains.book.models import BookKind
from recoup.domains.book.queries import get_book
from recoup.domains.feeds.layouts import FACTS_FROM, LAYOUTS, MONTHS_MAX
from recoup.domains.feeds.manifest import LoadRefused
from recoup.usecases.load.folder import LoadReport, Sender, load_sources
from recoup.usecases.load.loader import Progress
from recoup.usecases.load.sources import Source, hash_file
from recoup.usecases.load.staging import REFUSED_COLUMNS, Sorted

FEED = "steg"
JURISDICTION = "tn"

# The data set ends with 2019 (UTC+1 all year).
KNOWN_TO = date(2020, 1, 1)
_TUNIS = timezone(timedelta(hours=1))

DUE_DAYS = 30
CLASSES = {11: "RESIDENTIAL", 12: "COMMERCIAL", 51: "INDUSTRIAL"}
OTHER_CLASS = "NON_RESIDENTIAL"

ELECTRICITY, GAS = "ELEC", "GAZ"
TIERS = ("kwh_tier1", "kwh_tier2", "kwh_tier3", "kwh_tier4")
_NUMBERS = ("counter_coefficient", "old_index", "new_index", "months_number", *TIERS)

_E4 = 10_000
_WH_PER_KWH = 1_000
_ROWS_AT_ONCE = 250_000


class Split(NamedTuple):
    """The rows of a file: readings to load, refused rows, and how many were skipped for what."""

    readings: pl.DataFrame
    refused: pl.DataFrame
    gas: int
    duplicates: int
    clients: pl.DataFrame

    @property
    def skipped(self) -> int:
        """Rows that are no electricity bill of their own."""
        return self.gas + self.duplicates


def load_steg(folder: Path, progress: Progress) -> LoadReport:
    """Load the bills in a folder into an evaluation book of Tunisia; raise LoadRefused into any other."""
    book = get_book()
    if book.kind != BookKind.EVALUATION:
        raise LoadRefused(
            f"this is a {book.kind} book: the bills of a foreign utility go only into an evaluation book "
            f"(recoup init --kind evaluation --jurisdiction {JURISDICTION})"
        )
    if book.jurisdiction != JURISDICTION:
        raise LoadRefused(f"this book is of {book.jurisdiction}; these bills need a book of {JURISDICTION}")
    known_to = datetime.combine(KNOWN_TO, datetime.min.time(), _TUNIS)
    sender = Sender(FEED, FEED, known_to, KNOWN_TO, simulated=False, corrections=False)
    sources = [source for path in find_files(folder) for source in open_steg(path)]
    return load_sources(sender, sources, progress)


def find_files(folder: Path) -> list[Path]:
    """Find the Parquet files of a folder that hold bills (the list of clients alone does not)."""
    if not folder.is_dir():
        raise LoadRefused(f"{folder} is not a folder")
    needed = {"id", "invoice_date", "counter_type", *_NUMBERS}
    found = [path for path in sorted(folder.glob("*.parquet")) if needed <= set(pl.read_parquet_schema(path))]
    if not found:
        raise LoadRefused(f"{folder} has no Parquet file with bills of STEG (columns {', '.join(sorted(needed))})")
    return found


def open_steg(path: Path) -> list[Source]:
    """Read a file of bills and make the sources of its master data and readings, in the order of loading."""
    split = split_bills(pl.read_parquet(path))
    sha256 = hash_file(path)
    masters = make_masters(split.clients)
    sources = [_source(f"{path.name}:{name}", name, rows, sha256) for name, rows in masters.items()]
    detail = f"skipped: {split.gas:,} gas, {split.duplicates:,} exact duplicates"
    return [*sources, _source(path.name, "readings", split.readings, sha256, split, detail)]


def _source(
    name: str, entity: str, rows: pl.DataFrame, sha256: str, split: Split | None = None, detail: str | None = None
) -> Source:
    return Source(
        name=name,
        entity=entity,
        size=rows.height,
        sha256=_say(sha256),
        pieces=lambda: _cut(entity, rows, split),
        detail=detail,
    )


def _say(text: str) -> Callable[[], str]:
    return lambda: text


def _cut(entity: str, rows: pl.DataFrame, split: Split | None) -> Iterator[Sorted]:
    """Give rows in the columns of their layout, some at a time; what was refused comes with the first."""
    columns = [column.staged for column in LAYOUTS[entity].columns]
    nothing = pl.DataFrame(schema={"row_no": pl.Int64, **dict.fromkeys(REFUSED_COLUMNS[2:], pl.String)})
    refused, skipped = (split.refused, split.skipped) if split else (nothing, 0)
    for start in range(0, max(rows.height, 1), _ROWS_AT_ONCE):
        part = rows.slice(start, _ROWS_AT_ONCE)
        absent = [pl.lit(None, pl.String).alias(name) for name in columns if name not in part.columns]
        with_place = refused.with_columns(byte_offset=pl.lit(None, pl.Int64)).select(REFUSED_COLUMNS)
        yield Sorted(part.with_columns(absent), with_place, skipped, {}, start + part.height)
        refused, skipped = refused.clear(), 0


def split_bills(bills: pl.DataFrame) -> Split:
    """Sort all rows of a file: each is a reading, refused, or skipped."""
    rows = bills.with_row_index("row_no", 1).with_columns(pl.col("row_no").cast(pl.Int64))
    gas = rows.filter(pl.col("counter_type") == GAS).height
    power = rows.filter(pl.col("counter_type").ne_missing(GAS))
    once = power.join(_list_repeats(power, bills.columns), on="row_no", how="anti")
    numbered = _number_parts(once).with_columns(
        reason=pl.coalesce(*(pl.when(broken).then(pl.lit(f"{field}|{why}")) for field, why, broken in _flaws())),
    )
    good = numbered.filter(pl.col("reason").is_null())
    return Split(
        readings=_as_readings(good),
        refused=_as_refused(numbered.filter(pl.col("reason").is_not_null()), bills.columns),
        gas=gas,
        duplicates=power.height - once.height,
        clients=_list_clients(once, good),
    )


def _suspects(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The few rows that may share these columns with another (hashes are quick, and may collide)."""
    return rows.filter(rows.select(pl.struct(columns).hash()).to_series().is_duplicated())


def _list_repeats(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Rows that repeat an earlier one exactly: row_no."""
    suspects = _suspects(rows, columns)
    return suspects.filter(~suspects.select(pl.struct(columns).is_first_distinct()).to_series()).select("row_no")


def _number_parts(rows: pl.DataFrame) -> pl.DataFrame:
    """Number the rows of one client and day from 1 in the order of the file: `part`."""
    day = ["id", "invoice_date"]
    several = _suspects(rows, day).select("row_no", part=pl.int_range(1, pl.len() + 1).over(day))
    return rows.join(several, on="row_no", how="left", maintain_order="left").with_columns(pl.col("part").fill_null(1))


def _flaws() -> list[tuple[str, str, pl.Expr]]:
    """What makes a row impossible to bill: field, reason, condition."""
    needed = ("id", "invoice_date", "tarif_type", "counter_number", *_NUMBERS)
    day, months = pl.col("invoice_date"), pl.col("months_number")
    return [
        *((name, "MISSING_VALUE", pl.col(name).is_null()) for name in needed),
        ("counter_type", "UNKNOWN_VALUE", pl.col("counter_type").ne_missing(ELECTRICITY)),
        ("invoice_date", "DATE_OUT_OF_BOUNDS", (day < FACTS_FROM) | (day >= KNOWN_TO)),
        ("months_number", "OUT_OF_BOUNDS", (months < 1) | (months > MONTHS_MAX)),
        *((name, "NEGATIVE_VALUE", pl.col(name) < 0) for name in _NUMBERS if name != "months_number"),
    ]


def _as_readings(rows: pl.DataFrame) -> pl.DataFrame:
    scaled = {
        "index_from_e4": pl.col("old_index").cast(pl.Int64) * _E4,
        "index_e4": pl.col("new_index").cast(pl.Int64) * _E4,
        "multiplier_e4": pl.col("counter_coefficient").cast(pl.Int64) * _E4,
        "stated_wh": pl.sum_horizontal(pl.col(name).cast(pl.Int64) for name in TIERS) * _WH_PER_KWH,
    }
    return rows.select(
        "row_no",
        _service_point().alias("service_point"),
        meter=pl.col("counter_number").cast(pl.String),
        register=pl.lit("1"),
        read_on="invoice_date",
        part="part",
        source=pl.lit("ACTUAL"),
        months=pl.col("months_number").cast(pl.Int64),
        **scaled,
    )


def _service_point() -> pl.Expr:
    """A client has one service point per tariff: 5 % of them were billed under several, some at once."""
    return pl.format("{}-{}", "id", "tarif_type")


def _as_refused(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    told = pl.col("reason").str.split_exact("|", 1).struct
    content = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in columns], separator=",")
    return rows.select("row_no", content=content, field=told.field("field_0"), reason=told.field("field_1"))


def _list_clients(rows: pl.DataFrame, good: pl.DataFrame) -> pl.DataFrame:
    """One row per electricity client and tariff. A tenure begins with the earlier of creation and first bill."""
    first_bill = good.group_by("id").agg(first_on=pl.col("invoice_date").min())
    known = ("district", "region", "client_catg", "creation_date")
    clients = rows.group_by("id", maintain_order=True).agg(pl.col(name).first() for name in known)
    tariffs = rows.select("id", "tarif_type").unique(maintain_order=True)
    dated = clients.join(first_bill, on="id", how="left").with_columns(
        valid_from=pl.min_horizontal("creation_date", "first_on")
    )
    return tariffs.join(dated, on="id", how="left", maintain_order="left").drop_nulls(
        ["id", "tarif_type", "valid_from"]
    )


def make_masters(clients: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Make the staged rows of units, parties, accounts, contracts and services; names are the opaque ids."""
    one = clients.unique("id", keep="first", maintain_order=True)
    company = pl.col("client_catg").is_in([12, 51])
    class_ = pl.col("client_catg").replace_strict(CLASSES, default=OTHER_CLASS, return_dtype=pl.String)
    contracts = one.select(
        "valid_from",
        contract_key="id",
        account_no="id",
        party="id",
        **{"class": class_},
        jurisdiction=pl.lit(JURISDICTION),
        due_days=pl.lit(DUE_DAYS, pl.Int64),
    )
    made = {
        "org_units": _list_units(one),
        "parties": one.select(
            code="id", name="id", kind=pl.when(company).then(pl.lit("FIRM")).otherwise(pl.lit("PERSON"))
        ),
        "accounts": one.select(account_no="id", org_unit=_region_code()),
        "contracts": contracts,
        "services": clients.select(
            _service_point().alias("service_point"),
            "valid_from",
            contract="id",
            tariff=pl.col("tarif_type").cast(pl.String),
            **{"class": class_},
            free_wh_month=pl.lit(0, pl.Int64),
        ),
    }
    return {name: rows.with_row_index("row_no", 1).cast({"row_no": pl.Int64}) for name, rows in made.items()}


def _station_code() -> pl.Expr:
    return pl.format("D{}", "district")


def _region_code() -> pl.Expr:
    return pl.format("D{}-R{}", "district", "region")


def _list_units(clients: pl.DataFrame) -> pl.DataFrame:
    """The company, a station per district, and below it a district unit per region."""
    company = pl.DataFrame({"code": ["STEG"], "name": ["STEG"], "kind": ["COMPANY"], "parent": [None]}, _UNITS)
    places = clients.select("district", "region").unique().sort("district", "region")
    stations = places.unique("district", maintain_order=True).select(
        code=_station_code(), name=_station_code(), kind=pl.lit("STATION"), parent=pl.lit("STEG")
    )
    regions = places.select(code=_region_code(), name=_region_code(), kind=pl.lit("DISTRICT"), parent=_station_code())
    return pl.concat([company, stations, regions])


_UNITS = {"code": pl.String(), "name": pl.String(), "kind": pl.String(), "parent": pl.String()}
