"""Simulated people pay like real ones, each day a pure function of what is open, and never a minor unit twice."""

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.core import frames, realism, simulation
from recoup.core.simulation import BEHAVIOUR, simulate_payments

# Stated beforehand: measure, unit, target, tolerance. Public figures for days after the due day, late bills per
# customer and monthly rolls of the oldest open bill in 30-day steps (late: a day; arrears: 30 days).
STATED = {
    "delay_p05": ("DAYS", -24, 3),
    "delay_p25": ("DAYS", -12, 3),
    "delay_p50": ("DAYS", -4, 3),
    "delay_p75": ("DAYS", 5, 3),
    "delay_p90": ("DAYS", 13, 3),
    "delay_p95": ("DAYS", 18, 3),
    "delay_p99": ("DAYS", 26, 3),
    "late_share": ("PPM", 356_000, 60_000),
    "customer_late_share_p25": ("PPM", 100_000, 60_000),
    "customer_late_share_p50": ("PPM", 200_000, 60_000),
    "customer_late_share_p75": ("PPM", 700_000, 60_000),
    "roll_current_to_late": ("PPM", 60_000, 20_000),
    "roll_two_months_to_current": ("PPM", 250_000, 50_000),
    "roll_two_months_to_one": ("PPM", 100_000, 50_000),
    "roll_two_months_stays": ("PPM", 580_000, 50_000),
    "roll_three_months_to_current": ("PPM", 100_000, 50_000),
}

CUSTOMERS = 6_000
FIRST = date(2024, 2, 1)
MONTHS = 18
SEED = 77


def customers(count: int) -> pl.DataFrame:
    """`count` customers with draw keys of no pattern."""
    numbers = pl.Series("contract_id", range(1, count + 1), dtype=pl.Int64)
    return numbers.to_frame().with_columns(
        contract_key=pl.format("C{}", "contract_id"),
        key64=pl.col("contract_id") * 0x5DEECE66D % (1 << 61),
    )


def bill(contract: int, issued_on: date, item: int = 1, *, amount: int = 100_00, term: int = 30) -> dict[str, object]:
    """One open bill as an ITEMS row."""
    row: dict[str, object] = dict.fromkeys(frames.ITEMS)
    due_on = issued_on + timedelta(days=term)
    row |= {"item_id": item, "contract_id": contract, "denom": "CNY", "open_minor": amount, "amount_minor": amount}
    return row | {"issued_on": issued_on, "due_on": due_on, "item_key": f"B{item}", "component": "ENERGY"}


def items(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(frames.ITEMS), orient="row")


def monthly_bills(who: pl.DataFrame, first: date, months: int) -> pl.DataFrame:
    """A bill a month for everybody, issued on the customer's reading day, due 30 days later."""
    starts = [date(first.year + (first.month - 1 + m) // 12, (first.month - 1 + m) % 12 + 1, 1) for m in range(months)]
    issued = who.join(pl.DataFrame({"month_on": starts}), how="cross").select(
        "contract_id", issued_on=pl.col("month_on") + pl.duration(days=pl.col("contract_id") % 25)
    )
    return (
        issued.sort("issued_on", "contract_id")
        .with_row_index("item_id", offset=1)
        .with_columns(
            pl.col("item_id").cast(pl.Int64),
            due_on=pl.col("issued_on") + pl.duration(days=30),
            denom=pl.lit("CNY"),
            open_minor=50_00 + pl.col("contract_id") % 977,
            charge_of=pl.lit(None, dtype=pl.Int64),
        )
    )


def settle_whole(open_items: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Pick the items that a payment closes: oldest first, whole bills only."""
    owed = open_items.join(payments.select("contract_id", "amount_minor"), on="contract_id").sort("due_on", "item_id")
    return owed.filter(pl.col("open_minor").cum_sum().over("contract_id") <= pl.col("amount_minor"))


def live(who: pl.DataFrame, first: date, months: int, *, seed: int) -> Iterator[tuple[date, pl.DataFrame]]:
    """Live day by day; yields each day with the items it closed."""
    by_day = monthly_bills(who, first, months).partition_by("issued_on", as_dict=True)
    open_items = pl.concat(by_day.values()).clear()
    for on in (first + timedelta(days=n) for n in range(31 * months)):
        if (on,) in by_day:
            open_items = pl.concat([open_items, by_day[(on,)]])
        closed = settle_whole(open_items, simulate_payments(who, open_items, None, on, seed=seed))
        open_items = open_items.join(closed.select("item_id"), on="item_id", how="anti")
        yield on, closed.select("item_id", "contract_id", closed_on=pl.lit(on))


@pytest.fixture(scope="module")
def history() -> pl.DataFrame:
    """Eighteen months of bills and the days they were paid."""
    who = customers(CUSTOMERS)
    closed = pl.concat([day for _, day in live(who, FIRST, MONTHS, seed=SEED)])
    bills = monthly_bills(who, FIRST, MONTHS)
    joined = bills.join(closed.select("item_id", "closed_on"), on="item_id", how="left")
    return joined.select(list(realism.HISTORY))


@pytest.fixture(scope="module")
def measured(history: pl.DataFrame) -> dict[str, dict[str, object]]:
    as_of = FIRST + timedelta(days=31 * MONTHS - 1)
    return {row["measure"]: row for row in realism.measure(history, as_of).to_dicts()}


def test_the_targets_shipped_are_the_ones_stated_here() -> None:
    assert {t.measure: (t.unit, t.target, t.tolerance) for t in realism.TARGETS} == STATED


@pytest.mark.parametrize("measure", STATED)
def test_people_meet_the_target(measured: dict[str, dict[str, object]], measure: str) -> None:
    row = measured[measure]
    _, target, tolerance = STATED[measure]
    assert isinstance(row["measured"], int)
    assert abs(row["measured"] - target) <= tolerance, row
    assert row["ok"]


def test_customers_fall_into_two_humps(history: pl.DataFrame) -> None:
    late = (pl.col("closed_on") > pl.col("due_on")).fill_null(True)
    shares = history.group_by("contract_id").agg(share=late.mean())["share"]
    fifths = [shares.is_between(low / 10, (low + 2) / 10, closed="left").mean() for low in (0, 4, 7)]
    punctual, between, tardy = fifths
    assert punctual > 3 * between
    assert tardy > 2 * between


def test_nobody_pays_a_bill_before_it_is_issued(history: pl.DataFrame) -> None:
    assert history.filter(pl.col("closed_on") < pl.col("issued_on")).is_empty()


def test_a_bill_is_never_paid_before_an_older_one(history: pl.DataFrame) -> None:
    far = date(2999, 1, 1)
    in_order = history.sort("contract_id", "due_on").with_columns(pl.col("closed_on").fill_null(far))
    after = pl.col("closed_on") >= pl.col("closed_on").shift(1).over("contract_id")
    assert in_order.filter(~after).is_empty()


def test_parts_pay_what_the_whole_pays() -> None:
    who, on = customers(900), date(2024, 6, 20)
    open_items = monthly_bills(who, date(2024, 3, 1), 4)
    whole = simulate_payments(who, open_items, None, on, seed=3)
    parts = [
        simulate_payments(
            who.filter(pl.col("contract_id") % 3 == part),
            open_items.filter(pl.col("contract_id") % 3 == part),
            None,
            on,
            seed=3,
        )
        for part in range(3)
    ]
    assert whole.height > 20
    assert pl.concat(parts).sort("key").equals(whole)


def test_order_of_rows_and_surrogate_ids_change_nothing() -> None:
    who, on = customers(300), date(2024, 6, 20)
    open_items = monthly_bills(who, date(2024, 3, 1), 4)
    moved = pl.col("contract_id") + 10**9
    renumbered = simulate_payments(
        who.with_columns(moved).reverse(),
        open_items.with_columns(moved, item_id=-pl.col("item_id")).sample(fraction=1, shuffle=True, seed=1),
        None,
        on,
        seed=3,
    )
    assert renumbered.drop("contract_id").equals(
        simulate_payments(who, open_items, None, on, seed=3).drop("contract_id")
    )


def test_a_replayed_day_gives_the_same_payments_and_another_seed_does_not() -> None:
    who, on = customers(900), date(2024, 6, 20)
    open_items = monthly_bills(who, date(2024, 3, 1), 4)
    first = simulate_payments(who, open_items, None, on, seed=3)
    assert first.equals(simulate_payments(who, open_items, None, on, seed=3))
    assert not first.equals(simulate_payments(who, open_items, None, on, seed=4))
    assert first.schema == pl.Schema(simulation.PAYMENTS)
    assert first["key"].is_unique().all()


ALWAYS_ON_DUE_DAY = BEHAVIOUR._replace(
    lateness=((0, 0), (1_000_000, 0)), early_days=((0, 0), (1_000_000, 0)), skip_ppm=(0, 0)
)
NEVER = BEHAVIOUR._replace(skip_ppm=(1_000_000, 1_000_000))
ISSUED = date(2024, 1, 10)
DUE = date(2024, 2, 9)


@pytest.mark.parametrize(("on", "paid"), [(DUE - timedelta(days=1), 0), (DUE, 1), (DUE + timedelta(days=1), 1)])
def test_a_bill_is_paid_from_its_intended_day_on(on: date, paid: int) -> None:
    found = simulate_payments(customers(1), items(bill(1, ISSUED)), None, on, seed=1, behaviour=ALWAYS_ON_DUE_DAY)
    assert found.height == paid


@pytest.mark.parametrize(("days", "paid"), [(27, 1), (28, 0)])
def test_from_the_arrears_day_on_a_bill_waits_for_the_monthly_act(days: int, paid: int) -> None:
    found = simulate_payments(
        customers(1),
        items(bill(1, ISSUED)),
        None,
        DUE + timedelta(days=days),
        seed=1,
        behaviour=ALWAYS_ON_DUE_DAY,
    )
    assert found.height == paid


def acting(rolls: tuple[int, int, int]) -> simulation.Behaviour:
    return NEVER._replace(rolls=(rolls, rolls, rolls))


def days_of(month_on: date) -> list[date]:
    return [day for day in (month_on + timedelta(days=n) for n in range(31)) if day.month == month_on.month]


def paid_by_day(debts: pl.DataFrame, month_on: date, act: simulation.Behaviour) -> dict[date, int]:
    """What customer 1 would pay on each day of a month, were nothing paid before."""
    found = {on: simulate_payments(customers(1), debts, None, on, seed=1, behaviour=act) for on in days_of(month_on)}
    return {on: rows["amount_minor"].sum() for on, rows in found.items() if rows.height}


@pytest.mark.parametrize(
    ("rolls", "left_open"),
    [
        ((1_000_000, 0, 0), 0),
        ((0, 1_000_000, 0), 1),
        ((0, 0, 1_000_000), 2),
        ((0, 0, 0), 4),
    ],
)
def test_a_customer_in_arrears_pays_down_to_the_months_drawn(rolls: tuple[int, int, int], left_open: int) -> None:
    """Bills of 10 January to April: on 1 July they will be four, three, two and one month late."""
    debts = items(*(bill(1, date(2024, month, 10), month) for month in (1, 2, 3, 4)))
    paid = paid_by_day(debts, date(2024, 6, 1), acting(rolls))
    assert sum(paid.values()) == (4 - left_open) * 100_00


def test_a_customer_in_arrears_acts_on_one_day_of_a_month_after_the_first() -> None:
    act = acting((1_000_000, 0, 0))
    found = [paid_by_day(items(bill(1, ISSUED)), date(2024, month, 1), act) for month in range(5, 12)]
    assert [len(days) for days in found] == [1] * 7
    days = {on.day for paid in found for on in paid}
    assert len(days) > 1
    assert days <= set(range(2, 29))


@pytest.mark.parametrize(("issued_on", "acts"), [(date(2024, 3, 2), 1), (date(2024, 3, 3), 0)])
def test_a_customer_acts_when_a_bill_is_a_month_late_on_the_first(issued_on: date, acts: int) -> None:
    """Due on 1 April the bill is 30 days late on 1 May, due on 2 April 29."""
    found = paid_by_day(items(bill(1, issued_on)), date(2024, 5, 1), acting((1_000_000, 0, 0)))
    assert len(found) == acts


def charge(contract: int, of: int, item: int, amount: int, on: date) -> dict[str, object]:
    return bill(contract, on, item, amount=amount, term=0) | {"charge_of": of, "component": "LATE_CHARGE"}


def test_a_payer_pays_the_charges_of_his_bill_booked_and_accrued() -> None:
    debts = items(bill(1, ISSUED, 1), charge(1, 1, 2, 45, DUE + timedelta(days=4)))
    accrued = pl.DataFrame({"item_id": [1, 99], "amount_minor": [11, 500]})
    found = simulate_payments(
        customers(1), debts, accrued, DUE + timedelta(days=5), seed=1, behaviour=ALWAYS_ON_DUE_DAY
    )
    assert found["amount_minor"].to_list() == [100_00 + 45 + 11]


def test_a_charge_booked_too_high_is_asked_for_what_remains_of_it() -> None:
    debts = items(bill(1, ISSUED, 1), charge(1, 1, 2, 45, DUE + timedelta(days=4)))
    accrued = pl.DataFrame({"item_id": [1], "amount_minor": [-15]})
    found = simulate_payments(
        customers(1), debts, accrued, DUE + timedelta(days=5), seed=1, behaviour=ALWAYS_ON_DUE_DAY
    )
    assert found["amount_minor"].to_list() == [100_00 + 30]


def test_a_charge_left_alone_is_paid_by_itself() -> None:
    debts = items(charge(1, 1, 2, 45, DUE))
    found = simulate_payments(customers(1), debts, None, DUE, seed=1, behaviour=ALWAYS_ON_DUE_DAY)
    assert found["amount_minor"].to_list() == [45]


def test_a_charge_left_over_waits_for_the_next_bill_and_rides_with_it() -> None:
    debts = items(charge(1, 1, 2, 45, DUE), bill(1, DUE, 3))
    due = DUE + timedelta(days=30)
    early = simulate_payments(customers(1), debts, None, due - timedelta(days=1), seed=1, behaviour=ALWAYS_ON_DUE_DAY)
    assert early.is_empty()
    found = simulate_payments(customers(1), debts, None, due, seed=1, behaviour=ALWAYS_ON_DUE_DAY)
    assert found["amount_minor"].to_list() == [100_45]


def test_an_item_of_an_unknown_contract_is_refused() -> None:
    with pytest.raises(simulation.UnknownContract):
        simulate_payments(customers(1), items(bill(2, ISSUED)), None, DUE, seed=1)


def test_nobody_pays_when_nothing_is_open() -> None:
    found = simulate_payments(customers(3), items(bill(1, ISSUED, amount=0)), None, DUE, seed=1)
    assert found.is_empty()
    assert found.schema == pl.Schema(simulation.PAYMENTS)


@settings(max_examples=30, deadline=None)
@given(
    opened=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 200), st.integers(0, 10**12)), min_size=1, max_size=30),
    seed=st.integers(-(2**63), 2**63),
)
def test_no_one_pays_more_than_is_open(opened: list[tuple[int, int, int]], seed: int) -> None:
    rows = [
        bill(contract, ISSUED + timedelta(days=days), number, amount=amount)
        for number, (contract, days, amount) in enumerate(opened)
    ]
    debts = items(*rows)
    paid = simulate_payments(customers(5), debts, None, date(2024, 8, 9), seed=seed)
    owed = debts.group_by("contract_id").agg(owed=pl.col("open_minor").sum())
    both = paid.join(owed, on="contract_id", how="left")
    assert both.filter((pl.col("amount_minor") > pl.col("owed")) | (pl.col("amount_minor") <= 0)).is_empty()


@settings(max_examples=50, deadline=None)
@given(share=st.integers(0, 999_999))
def test_quantiles_rise_with_the_draw(share: int) -> None:
    knots = BEHAVIOUR.late_days
    here, next_ = (
        pl.select(d=simulation.from_knots(pl.lit(s, dtype=pl.Int64), knots)).item() for s in (share, share + 1)
    )
    assert knots[0][1] <= here <= next_ <= knots[-1][1]


def test_measuring_an_empty_history_says_nothing_and_is_not_ok() -> None:
    report = realism.measure(pl.DataFrame(schema=dict(realism.HISTORY)), date(2025, 1, 1))
    assert report["measured"].null_count() == len(STATED)
    assert not report["ok"].any()


def test_a_bill_thirty_days_late_is_arrears_and_twenty_nine_is_not() -> None:
    history = pl.DataFrame(
        [(1, ISSUED, DUE, DUE + timedelta(days=29)), (2, ISSUED, DUE, DUE + timedelta(days=30))],
        schema=dict(realism.HISTORY),
        orient="row",
    )
    by_name = {row["measure"]: row for row in realism.measure(history, date(2024, 6, 1)).to_dicts()}
    assert (by_name["delay_p50"]["measured"], by_name["delay_p50"]["cases"]) == (29, 1)
    assert by_name["late_share"]["measured"] == 1_000_000
