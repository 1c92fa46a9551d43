"""The generated city: the same for the same seed, whole in its references, exact in its totals, nobody real."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from recoup.city import City, generate, generation, plan
from recoup.city.summary import TariffMissing, estimate_money, share_of_high_voltage_ppm

ACCOUNTS = 6_000
START = date(2025, 1, 1)
MONTHS = 12

# Stated beforehand: kWh per account and month (relative tolerance), zero months and variation (absolute).
USAGE = {0.25: (57, 0.25), 0.5: (113, 0.15), 0.75: (194, 0.20), 0.95: (626, 0.35)}
ZERO_SHARE = (0.074, 0.015)
VARIATION_MEDIAN = (0.56, 0.08)
HIGH_VOLTAGE_MONEY_PPM = (666_667, 80_000)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return generate(ACCOUNTS, seed=7, start=START, months=MONTHS, folder=tmp_path_factory.mktemp("city"))


def rows(city: City, entity: str) -> pl.DataFrame:
    return pl.read_parquet(city.folder / f"{entity}.parquet")


def monthly_kwh(city: City) -> pl.DataFrame:
    readings = rows(city, "readings").sort("service_point", "read_on")
    before = pl.col("index").shift(1).over("service_point")
    used = readings.with_columns(kwh=((pl.col("index") - before) * pl.col("multiplier")).cast(pl.Float64))
    return used.filter(pl.col("kwh").is_not_null())


def test_the_same_seed_gives_the_same_city_in_blocks_of_any_size(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "BLOCK_ACCOUNTS", 1_234)
    again = generate(ACCOUNTS, seed=7, start=START, months=MONTHS, folder=tmp_path)
    for file in city.files:
        assert rows(again, file.entity).equals(rows(city, file.entity)), file.entity
    assert again.files == city.files
    assert again.use.equals(city.use)


def test_another_seed_gives_another_city(city: City, tmp_path: Path) -> None:
    other = generate(ACCOUNTS, seed=8, start=START, months=MONTHS, folder=tmp_path)
    assert not rows(other, "parties").equals(rows(city, "parties"))
    assert not rows(other, "readings").equals(rows(city, "readings"))


def test_the_manifest_says_simulated_and_states_true_totals(city: City) -> None:
    manifest = json.loads((city.folder / "manifest.json").read_text("utf-8"))
    assert manifest["simulated"] is True
    assert manifest["as_of"] == "2026-01-01T00:00:00+08:00"
    for stated in manifest["files"]:
        written = pl.read_parquet(city.folder / stated["name"])
        assert stated["rows"] == written.height
        for column, total in stated["sums"].items():
            assert Decimal(total) == Decimal(str(written[column].sum())), (stated["entity"], column)
    assert {file.name for file in city.folder.iterdir()} == {f["name"] for f in manifest["files"]} | {"manifest.json"}


def test_csv_holds_the_same_rows(city: City, tmp_path: Path) -> None:
    written = generate(ACCOUNTS, seed=7, start=START, months=MONTHS, folder=tmp_path, format="csv")
    assert [(f.entity, f.rows, f.sums) for f in written.files] == [(f.entity, f.rows, f.sums) for f in city.files]
    accounts = pl.read_csv(tmp_path / "accounts.csv", infer_schema=False)
    assert accounts.equals(rows(city, "accounts").with_columns(pl.col("reading_day").cast(pl.String)))


@pytest.mark.parametrize(
    ("entity", "column", "to", "key"),
    [
        ("accounts", "org_unit", "org_units", "code"),
        ("contracts", "account_no", "accounts", "account_no"),
        ("contracts", "party", "parties", "party"),
        ("contracts", "payer", "parties", "party"),
        ("services", "contract", "contracts", "contract"),
        ("installations", "service_point", "services", "service_point"),
        ("readings", "service_point", "installations", "service_point"),
        ("holds", "contract", "contracts", "contract"),
    ],
)
def test_every_reference_is_there(city: City, entity: str, column: str, to: str, key: str) -> None:
    assert rows(city, to)[key].is_unique().all()
    assert rows(city, entity).join(rows(city, to), left_on=column, right_on=key, how="anti").is_empty()


def test_units_form_one_tree_of_company_stations_and_districts(city: City) -> None:
    units = rows(city, "org_units")
    assert units["code"].is_unique().all()
    parents = units.join(units.select(parent="code", above="kind"), on="parent", how="left")
    seen = set(parents.select("kind", "above").iter_rows())
    assert seen == {("COMPANY", None), ("STATION", "COMPANY"), ("DISTRICT", "STATION")}


def test_a_public_transformer_district_has_at_most_two_hundred_accounts(city: City) -> None:
    sizes = rows(city, "accounts").group_by("org_unit").len().filter(~pl.col("org_unit").str.ends_with("T000"))["len"]
    assert sizes.max() <= 200
    assert 120 <= sizes.mean() <= 180


def test_numbers_look_like_home_and_old_ones_keep_their_zero(city: City) -> None:
    accounts = rows(city, "accounts")
    assert accounts["account_no"].str.contains(r"^\d{13}$").all()
    old = accounts["old_account_no"].drop_nulls()
    assert old.len() == ACCOUNTS * 60 // 100
    assert old.str.contains(r"^0\d{9}$").all()
    assert old.is_unique().all()


def test_one_route_is_read_on_one_day(city: City) -> None:
    accounts = rows(city, "accounts")
    assert accounts.group_by("route").agg(pl.col("reading_day").n_unique())["reading_day"].max() == 1
    days = rows(city, "readings").with_columns(day=pl.col("read_on").dt.day().cast(pl.Int64))
    contracts = rows(city, "services").join(rows(city, "contracts"), on="contract")
    told = days.join(contracts.select("service_point", "account_no"), on="service_point").join(
        accounts, on="account_no"
    )
    assert told.filter(pl.col("day") != pl.col("reading_day")).is_empty()


def test_every_meter_is_read_thirteen_times_and_never_runs_back(city: City) -> None:
    counted = rows(city, "readings").group_by("service_point").agg(pl.len(), first=pl.col("read_on").min())
    assert counted["len"].unique().to_list() == [MONTHS + 1]
    assert counted["first"].is_between(date(2024, 12, 1), date(2024, 12, 31)).all()
    assert monthly_kwh(city)["kwh"].min() >= 0


def test_the_use_reported_is_the_use_read(city: City) -> None:
    read = (
        rows(city, "readings")
        .group_by("service_point")
        .agg(wh=(pl.col("index").max() - pl.col("index").min()) * pl.col("multiplier").first() * 1_000)
    )
    assert int(read["wh"].sum()) == city.use["energy_wh"].sum()


def test_nobody_can_be_called_or_found(city: City) -> None:
    parties = rows(city, "parties")
    assert parties["phone"].drop_nulls().str.contains(rf"^{plan.PHONE_PREFIX}\d{{9}}$").all()
    shared = parties.drop_nulls("phone").group_by("phone").len().filter(pl.col("len") > 1)
    assert shared.height > 10
    persons = parties.filter(pl.col("kind") == "PERSON")["id_no"]
    assert persons.str.contains(r"^\d{17}[\dX]$").all()
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    for number in persons.head(300):
        true_check = "10X98765432"[sum(int(d) * w for d, w in zip(number, weights, strict=False)) % 11]
        assert number[-1] != true_check
    assert parties.filter(pl.col("kind") == "FIRM")["id_no"].str.ends_with("I").all()


def test_one_collective_meter_serves_its_homes_at_the_flat_price(city: City) -> None:
    collective = rows(city, "services").filter(pl.col("households").is_not_null())
    assert collective["households"].to_list() == [312]
    assert collective["tariff"].to_list() == ["RESIDENTIAL_COLLECTIVE"]


def test_low_income_homes_have_their_free_energy_and_others_none(city: City) -> None:
    free = rows(city, "services").filter(pl.col("free_kwh_month") > 0)
    assert free["free_kwh_month"].unique().to_list() == [15]
    assert free["tariff"].unique().to_list() == ["RESIDENTIAL_TIERED"]
    assert 0.02 < free.height / ACCOUNTS < 0.04


def test_holds_protect_and_dispute(city: City) -> None:
    holds = rows(city, "holds")
    assert set(holds.select("processes", "reason").iter_rows()) == {
        ("DISCONNECT", "PROTECTED"),
        ("DUN|LATE_CHARGE", "DISPUTE"),
    }
    disputes = holds.filter(pl.col("reason") == "DISPUTE")
    assert (disputes["valid_to"] > disputes["valid_from"]).all()
    public = rows(city, "contracts").filter(pl.col("class") == "PUBLIC")
    assert public.join(holds.filter(pl.col("reason") == "PROTECTED"), on="contract", how="anti").is_empty()


def test_half_a_percent_at_high_voltage_pays_about_two_thirds(city: City) -> None:
    assert city.use.filter("is_high_voltage")["accounts"].sum() == ACCOUNTS // 200
    prices = {
        "RESIDENTIAL_TIERED": 54_690_000,
        "RESIDENTIAL_COLLECTIVE": 55_500_000,
        "GENERAL_COMMERCE": 75_000_000,
        "LARGE_INDUSTRY": 64_000_000,
        "PUBLIC_INSTITUTION": 55_500_000,
    }
    tariffs = pl.DataFrame({"tariff": list(prices), "price_e8": list(prices.values())}).with_columns(
        block=pl.lit(1),
        denom=pl.lit("CNY"),
        minor_per_major=pl.lit(100, dtype=pl.Int64),
        valid_from=pl.lit(date(2012, 7, 1)),
        valid_to=pl.lit(None, dtype=pl.Date),
    )
    target, tolerance = HIGH_VOLTAGE_MONEY_PPM
    assert abs(share_of_high_voltage_ppm(estimate_money(city.use, tariffs, START)) - target) <= tolerance
    with pytest.raises(TariffMissing, match="LARGE_INDUSTRY"):
        estimate_money(city.use, tariffs.filter(pl.col("tariff") != "LARGE_INDUSTRY"), START)


def test_use_is_distributed_like_real_customers(city: City) -> None:
    kwh = monthly_kwh(city)
    for share, (target, tolerance) in USAGE.items():
        assert kwh["kwh"].quantile(share) == pytest.approx(target, rel=tolerance), share
    zero, tolerance = ZERO_SHARE
    assert (kwh["kwh"] == 0).mean() == pytest.approx(zero, abs=tolerance)
    by_home = kwh.group_by("service_point").agg(v=pl.col("kwh").std() / pl.col("kwh").mean())["v"].drop_nans()
    target, tolerance = VARIATION_MEDIAN
    assert by_home.median() == pytest.approx(target, abs=tolerance)


def test_a_dirty_city_adds_bad_readings_and_counts_them(city: City, tmp_path: Path) -> None:
    dirty = generate(ACCOUNTS, seed=7, start=START, months=MONTHS, folder=tmp_path, dirty=True)
    readings = rows(dirty, "readings")
    assert readings.height == rows(city, "readings").height + 6
    assert (readings["index"] < 0).sum() == 1
    assert readings["read_on"].is_in([date(1977, 5, 1), date(2099, 5, 1)]).sum() == 2
    stated = {file.entity: file for file in dirty.files}["readings"]
    assert Decimal(stated.sums["index"]) == Decimal(str(readings["index"].sum()))


def test_a_failed_or_repeated_run_leaves_no_manifest_of_another_city(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}", "utf-8")
    generate(50, seed=1, start=date(2025, 3, 15), months=1, folder=tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert manifest["as_of"] == "2025-04-01T00:00:00+08:00"
    assert pl.read_parquet(tmp_path / "readings.parquet").height == 100


@pytest.mark.parametrize(("accounts", "months"), [(0, 1), (1, 0)])
def test_an_empty_city_is_refused(tmp_path: Path, accounts: int, months: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        generate(accounts, seed=1, start=START, months=months, folder=tmp_path)
