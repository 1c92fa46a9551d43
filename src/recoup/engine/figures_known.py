"""Figures of a day by true days: what happened by its end, over all that is known, now or at a snapshot.

A debt counts from its issue day, money from its value day, an application from its value day, whenever they were
booked; what was undone since (a negative application, a reversed receipt) is undone here too. Grain: FIGURES, one
sum per station, class, measure and part. Read by the database in one pass per table; nothing is loaded.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import polars as pl

from recoup.core import money
from recoup.core.frames import Schema, conform
from recoup.core.indicators import BUCKET_BOUNDS_DAYS, BUCKETS, NOT_OVERDUE
from recoup.database.bulk import Cursor, read_rows
from recoup.domains.access.scope import Scope
from recoup.domains.analytics.measures import FIGURE_KEY, FIGURES, Measure
from recoup.engine import lake

MONTHS_SHOWN = 24
REVERSAL = "PAYMENT_REVERSAL"

# The station of an account: its unit, or the parent of a transformer district.
STATION = "coalesce(CASE WHEN u.kind = 'DISTRICT' THEN u.parent END, a.org_unit)"
PLACES = (
    "JOIN contract c USING (contract_id) JOIN account a USING (account_id) LEFT JOIN org_unit u ON u.code = a.org_unit"
)
IS_CHARGE = "(i.component = 'LATE_CHARGE' OR i.charge_of IS NOT NULL)"


class View(NamedTuple):
    """Which facts count: those true by the end of `on`, of one denom, known at `snapshot` (null: now), in scope."""

    on: date
    denom: str
    snapshot: str | None = None
    scope: Scope = Scope.EVERYTHING

    @property
    def day(self) -> str:
        """The day as a literal."""
        return f"DATE '{self.on.isoformat()}'"

    @property
    def year(self) -> str:
        """The first of January of the day's year as a literal."""
        return f"DATE '{self.on.year:04}-01-01'"

    def known(self, alias: str) -> str:
        """Condition on a row of a fact table: it was told by the snapshot."""
        if self.snapshot is None:
            return "true"
        return f"pg_visible_in_snapshot({alias}.recorded_tx, '{self.snapshot}'::pg_snapshot)"


def sum_figures(cursor: Cursor, view: View, files: Sequence[str] = (), first_on: date | None = None) -> pl.DataFrame:
    """Sum every measure of a view: FIGURES, sorted by its key, sums of nothing left out.

    `files`: the decisions of the run that closed the day, for the stages; `first_on`: bills before it are history.
    """
    parts = [
        sum_debts(cursor, view),
        _sum_money(cursor, view),
        _sum_collected(cursor, view),
        _sum_bills(cursor, view, first_on or view.on.replace(month=1, day=1)),
        _count_places(cursor, view),
        _count_stages(cursor, view, files),
    ]
    sums = pl.concat(parts).group_by(FIGURE_KEY).agg(money.exact_sum("rows"), money.exact_sum("amount_minor"))
    something = (pl.col("rows") != 0) | (pl.col("amount_minor") != 0)
    return conform(sums.filter(something).sort(FIGURE_KEY), FIGURES)


def name_parts() -> list[str]:
    """Ageing buckets in the order of their numbers in the database: not overdue is 0."""
    return [NOT_OVERDUE, *BUCKETS]


_AMOUNTS = ("new", "new_received", "carried", "prior_received", "arrears_prior", "charges")


def sum_debts(cursor: Cursor, view: View) -> pl.DataFrame:
    """Sum what was receivable and received, and what is open by age: FIGURES of the measures of debts."""
    ages = range(len(name_parts()))
    schema: Schema = {
        **{name: pl.String() for name in ("org_unit", "class")},
        **{name: pl.Int64() for name in (*_AMOUNTS, "overdue_contracts", "overdue")},
        **{f"{kind}_{n}": pl.Int64() for n in ages for kind in ("items", "open")},
    }
    condition, places = view.scope.condition("a.org_unit")
    rows = read_rows(cursor, _build_debts(view, condition), schema, [view.denom, *places])
    receivable = pl.col("new") + pl.col("carried")
    received = pl.col("new_received") + pl.col("prior_received")
    none = pl.lit(0, pl.Int64)
    made = [
        _measure(rows, Measure.RECEIVABLE, none, receivable),
        _measure(rows, Measure.CARRIED, none, pl.col("carried")),
        _measure(rows, Measure.RECEIVED, none, received),
        _measure(rows, Measure.RECEIVED_PRIOR, none, pl.col("prior_received")),
        _measure(rows, Measure.ARREARS_PRIOR, none, pl.col("arrears_prior")),
        _measure(rows, Measure.ARREARS_CONTRACTS, pl.col("overdue_contracts"), pl.col("overdue")),
        _measure(rows, Measure.LATE_CHARGES_OPEN, none, pl.col("charges")),
        *(_measure(rows, Measure.OPEN, pl.col(f"items_{n}"), pl.col(f"open_{n}"), name_parts()[n]) for n in ages),
    ]
    return pl.concat(made)


def _measure(rows: pl.DataFrame, measure: Measure, count: pl.Expr, amount: pl.Expr, part: str = "") -> pl.DataFrame:
    return rows.select(
        "org_unit",
        "class",
        pl.lit(measure.value).alias("measure"),
        pl.lit(part).alias("part"),
        count.alias("rows"),
        amount.alias("amount_minor"),
    )


def debts_of(view: View) -> str:
    """SELECT of the debts of a view: contract_id, is_prior, is_charge, amount, received, before, unpaid, age.

    `before`: applied before 1 January of the day's year. Age 0 is not overdue. One parameter: the denom.
    """
    bounds = ", ".join(str(bound) for bound in (1, *(bound + 1 for bound in BUCKET_BOUNDS_DAYS)))
    return f"""
        SELECT i.item_id, i.contract_id, i.issued_on < {view.year} AS is_prior, {IS_CHARGE} AS is_charge,
               i.amount_minor AS amount, coalesce(p.total, 0) AS received, coalesce(p.before, 0) AS before,
               i.amount_minor - coalesce(p.total, 0) AS unpaid,
               greatest(coalesce({view.day} - i.overdue_from_on + 1, 0), 0) AS days_overdue,
               coalesce(width_bucket({view.day} - i.overdue_from_on + 1, ARRAY[{bounds}]), 0) AS age
        FROM open_item i LEFT JOIN (
            SELECT debit_id, sum(amount_minor) AS total,
                   sum(amount_minor) FILTER (WHERE value_on < {view.year}) AS before
            FROM allocation l WHERE value_on <= {view.day} AND {view.known("l")} GROUP BY 1) p ON p.debit_id = i.item_id
        WHERE i.amount_minor > 0 AND i.issued_on <= {view.day} AND i.denom = %s AND i.origin_kind <> '{REVERSAL}'
          AND {view.known("i")}
    """


def _build_debts(view: View, condition: str) -> str:
    """Per contract first: the join to its place and the count of contracts then are over contracts, not debts."""
    ages = range(len(name_parts()))
    principal = "NOT is_charge"
    per_contract = {
        "new": f"sum(amount) FILTER (WHERE {principal} AND NOT is_prior)",
        "new_received": f"sum(received) FILTER (WHERE {principal} AND NOT is_prior)",
        "carried": f"sum(amount - before) FILTER (WHERE {principal} AND is_prior)",
        "prior_received": f"sum(received - before) FILTER (WHERE {principal} AND is_prior)",
        "arrears_prior": f"sum(unpaid) FILTER (WHERE {principal} AND is_prior AND age > 0)",
        "charges": "sum(unpaid) FILTER (WHERE is_charge)",
        "overdue": f"sum(unpaid) FILTER (WHERE {principal} AND age > 0)",
        **{f"items_{n}": f"count(*) FILTER (WHERE {principal} AND age = {n} AND unpaid > 0)" for n in ages},
        **{f"open_{n}": f"sum(unpaid) FILTER (WHERE {principal} AND age = {n})" for n in ages},
    }
    summed = [f"coalesce(sum({name}), 0)" for name in _AMOUNTS]
    summed += ["count(*) FILTER (WHERE overdue > 0)", "coalesce(sum(overdue), 0)"]
    summed += [f"coalesce(sum({kind}_{n}), 0)" for n in ages for kind in ("items", "open")]
    named = ", ".join(f"{expression} AS {name}" for name, expression in per_contract.items())
    return f"""
        WITH owed AS (SELECT contract_id, {named} FROM ({debts_of(view)}) d GROUP BY 1)
        SELECT {STATION}, c.class, {", ".join(summed)} FROM owed {PLACES} WHERE {condition} GROUP BY 1, 2
    """


def _read_figures(cursor: Cursor, query: str, parameters: Sequence[Any]) -> pl.DataFrame:
    return read_rows(cursor, query, FIGURES, parameters)


def _sum_money(cursor: Cursor, view: View) -> pl.DataFrame:
    """Money not applied by the end of the day, by state; a lowered late charge not yet used lessens the open ones."""
    condition, places = view.scope.condition("a.org_unit")
    query = f"""
        WITH idle AS (
            SELECT i.contract_id, i.origin_kind = 'CHARGE_CREDIT' AS is_lowering, coalesce(i.state, 'FREE') AS state,
                   -i.amount_minor - coalesce(p.total, 0) AS unpaid
            FROM open_item i LEFT JOIN (
                SELECT credit_id, sum(amount_minor) AS total FROM allocation l
                WHERE value_on <= {view.day} AND {view.known("l")} GROUP BY 1) p ON p.credit_id = i.item_id
            WHERE i.amount_minor < 0 AND i.value_on <= {view.day} AND i.denom = %s AND {view.known("i")}
              AND -i.amount_minor <> coalesce(p.total, 0))
        SELECT {STATION}, c.class,
               CASE WHEN is_lowering THEN '{Measure.LATE_CHARGES_OPEN}' ELSE '{Measure.UNAPPLIED}' END,
               CASE WHEN is_lowering THEN '' ELSE idle.state END,
               count(*) FILTER (WHERE NOT is_lowering), sum(CASE WHEN is_lowering THEN -unpaid ELSE unpaid END)
        FROM idle {PLACES} WHERE {condition} GROUP BY 1, 2, 3, 4
    """
    return _read_figures(cursor, query, [view.denom, *places])


def _sum_collected(cursor: Cursor, view: View) -> pl.DataFrame:
    """Receipts by month of their value day, and of this year by channel; a reversed one is taken off again."""
    condition, places = view.scope.condition("a.org_unit")
    received = f"""
        SELECT i.contract_id, to_char(i.value_on, 'YYYY-MM') AS month, i.value_on >= {view.year} AS is_new,
               split_part(i.item_key, ':', 1) AS channel,
               CASE WHEN i.amount_minor < 0 THEN 1 ELSE -1 END AS one, -i.amount_minor AS minor
        FROM open_item i WHERE i.origin_kind IN ('PAYMENT', '{REVERSAL}') AND i.value_on <= {view.day}
          AND i.value_on >= {_month_from(view.on)} AND i.denom = %s AND {view.known("i")}
    """
    query = f"""
        WITH money AS MATERIALIZED (
            SELECT contract_id, month, is_new, channel, sum(one) AS count, sum(minor) AS minor
            FROM ({received}) r GROUP BY 1, 2, 3, 4),
        placed AS MATERIALIZED (
            SELECT {STATION} AS unit, c.class, month, is_new, channel, sum(count) AS count, sum(minor) AS minor
            FROM money {PLACES} WHERE {condition} GROUP BY 1, 2, 3, 4, 5)
        SELECT unit, class, '{Measure.COLLECTED}', month, sum(count), sum(minor) FROM placed GROUP BY 1, 2, 4
        UNION ALL
        SELECT unit, class, '{Measure.COLLECTED_CHANNEL}', channel, sum(count), sum(minor) FROM placed WHERE is_new
        GROUP BY 1, 2, 4
    """
    return _read_figures(cursor, query, [view.denom, *places])


def _sum_bills(cursor: Cursor, view: View, first_on: date) -> pl.DataFrame:
    """Bills by month of issue since the book's first day."""
    condition, places = view.scope.condition("a.org_unit")
    query = f"""
        WITH billed AS (
            SELECT b.contract_id, to_char(b.issued_on, 'YYYY-MM') AS month, count(*) AS count,
                   sum(b.amount_minor) AS minor
            FROM bill b WHERE b.issued_on BETWEEN greatest(%s, {_month_from(view.on)}) AND {view.day}
              AND b.denom = %s AND {view.known("b")} GROUP BY 1, 2)
        SELECT {STATION}, c.class, '{Measure.BILLED}', month, sum(count), sum(minor)
        FROM billed {PLACES} WHERE {condition} GROUP BY 1, 2, 4
    """
    return _read_figures(cursor, query, [first_on, view.denom, *places])


def _month_from(on: date) -> str:
    months = on.year * 12 + on.month - MONTHS_SHOWN
    return f"DATE '{months // 12:04}-{months % 12 + 1:02}-01'"


def _count_places(cursor: Cursor, view: View) -> pl.DataFrame:
    """Accounts by unit, and contracts in force on the day by unit and class."""
    condition, places = view.scope.condition("a.org_unit")
    station = f"{STATION} AS unit"
    query = f"""
        SELECT unit, '', '{Measure.ACCOUNTS}', '', count(*), 0 FROM (
            SELECT {station} FROM account a LEFT JOIN org_unit u ON u.code = a.org_unit
            WHERE {condition} AND {view.known("a")}) x GROUP BY 1
        UNION ALL
        SELECT unit, class, '{Measure.CONTRACTS}', '', count(*), 0 FROM (
            SELECT {station}, c.class FROM contract c JOIN account a USING (account_id)
            LEFT JOIN org_unit u ON u.code = a.org_unit
            WHERE c.valid_from <= {view.day} AND (c.valid_to IS NULL OR c.valid_to > {view.day})
              AND {condition} AND {view.known("c")}) x GROUP BY 1, 2
    """
    return _read_figures(cursor, query, [*places, *places])


def _count_stages(cursor: Cursor, view: View, files: Sequence[str]) -> pl.DataFrame:
    """Contracts by the stage they stand on after the decision of the day, with what of them was overdue that night."""
    if not files:
        return pl.DataFrame(schema=dict(FIGURES))
    stage = pl.when(pl.col("action").is_null()).then("stage_from").otherwise("stage_to")
    decisions = pl.scan_parquet([lake.lake_folder() / name for name in files]).filter(pl.col("denom") == view.denom)
    if view.scope.units is not None:
        decisions = decisions.filter(pl.col("contract_id").is_in(_list_contracts(cursor, view).implode()))
    return (
        decisions.group_by(pl.col("org_unit").cast(pl.String), part=stage.cast(pl.String))
        .agg(rows=pl.len().cast(pl.Int64), amount_minor=money.exact_sum("overdue_minor"))
        .with_columns(pl.lit("").alias("class"), measure=pl.lit(Measure.STAGE.value))
        .select(list(FIGURES))
        .collect()
    )


def _list_contracts(cursor: Cursor, view: View) -> pl.Series:
    condition, places = view.scope.condition("a.org_unit")
    query = f"SELECT contract_id FROM contract JOIN account a USING (account_id) WHERE {condition}"
    return read_rows(cursor, query, {"contract_id": pl.Int64()}, places)["contract_id"]
