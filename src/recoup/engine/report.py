"""The report of a closed day as one document: what book and run it speaks of, and the figures.

Terminal, page and JSON print this same document, so they cannot disagree.
"""

from datetime import date
from typing import Any

import polars as pl

from recoup import rulebook
from recoup.core import indicators, money, realism
from recoup.database.home import home
from recoup.domains.book.operations import FUNCTIONS
from recoup.domains.book.queries import get_book, mode_of
from recoup.engine.beside import read_beside
from recoup.engine.figures import Facts, as_kwh, as_major, as_share, read_facts, read_history
from recoup.engine.runs import Connection
from recoup.rulebook import Rulebook
from recoup.rulebook.schema import StrategyDocument

INVENTED = ("demo", "evaluation")


def read_rulebook() -> Rulebook:
    """Return the documents in force for the book, with the site's own laid over the shipped ones."""
    site = home() / "rulebook"
    return rulebook.load(get_book().jurisdiction, site if site.exists() else None)


def build_report(connection: Connection, on: date | None) -> dict[str, Any]:
    """Report a closed day, by default the last one; raise NothingClosed for any other.

    Amounts are decimal strings in major units of `denom`, rates decimal shares, energy kWh.
    """
    book = get_book()
    documents = read_rulebook()
    rules = documents.resolve()
    facts = read_facts(connection, on, rules.denom, book.timezone)
    day = facts.run.business_on
    return {
        "as_of": day.isoformat(),
        "book": {
            "name": book.name,
            "kind": book.kind,
            "jurisdiction": book.jurisdiction,
            "modes": {function: mode_of(function) for function in FUNCTIONS},
        },
        "simulated": is_invented() or any(feed["simulated"] for feed in facts.feeds),
        "run": _describe_run(facts, rules.content_hash),
        "denom": rules.denom,
        **summarise(facts, rules.minor_digits),
        **read_beside(connection, day, rules.denom, rules.minor_digits),
        "reasons": {each.code: {"zh": each.title.zh, "en": each.title.en} for each in documents.reasons},
        "stages": _title_stages(documents),
        "simulation": _measure_simulation(connection, day, rules.denom) if is_peopled() else None,
    }


def _title_stages(documents: Rulebook) -> dict[str, dict[str, str]]:
    """Titles of the stages where one ladder holds for all; several ladders number different things."""
    ladders = [found for found in documents.documents if isinstance(found, StrategyDocument)]
    rungs = ladders[0].values[-1].rungs if len(ladders) == 1 else ()
    return {str(rung.stage): {"zh": rung.title.zh, "en": rung.title.en} for rung in rungs}


def is_invented() -> bool:
    """Whether what this book holds may be simulated: a demonstration or an evaluation, never a live book."""
    return get_book().kind in INVENTED


def is_peopled() -> bool:
    """Whether the payers of this book are simulated."""
    return is_invented() and mode_of("BILLS") != "external"


def _measure_simulation(connection: Connection, on: date, denom: str) -> list[dict[str, Any]]:
    """The simulator against its targets, one row per measure."""
    with connection.cursor() as cursor:
        history = read_history(cursor, on, denom)
    connection.rollback()
    return realism.measure(history, on).to_dicts()


def _describe_run(facts: Facts, rulebook_hash: str) -> dict[str, Any]:
    run = facts.run
    return {
        "run_no": run.run_no,
        "first_on": facts.first_on.isoformat(),
        "rulebook_hash": run.rulebook_hash,
        "rulebook_changed_since": run.rulebook_hash != rulebook_hash,
        "code_version": run.code_version,
        "content_hash": run.content_hash,
    }


def summarise(facts: Facts, digits: int) -> dict[str, Any]:
    """Turn the facts of a day into the report's figures: amounts as decimal strings in major units."""
    return {
        **facts.counts,
        **_summarise_bills(facts.bills, digits),
        **_summarise_money(facts.money, digits),
        **_summarise_debts(facts.debts, facts.run.business_on, digits),
        **_summarise_charges(facts, digits),
        **_summarise_decisions(facts),
        "issues_by_kind": _as_counts(facts.issues),
        "quarantined": int(facts.quarantined["rows"].sum()),
        "quarantined_by_reason": _as_counts(facts.quarantined),
        "feeds": facts.feeds,
    }


def _total(frame: pl.DataFrame, column: str) -> int:
    """Exact sum of a column; nothing is zero."""
    return int(frame.select(money.exact_sum(column)).item() or 0)


def _as_counts(counted: pl.DataFrame) -> dict[str, int]:
    return dict(counted.iter_rows())


def _by_month(frame: pl.DataFrame, column: str, digits: int) -> dict[str, str]:
    sums = frame.group_by("month_on").agg(money.exact_sum(column)).sort("month_on")
    return {f"{month:%Y-%m}": as_major(amount, digits) for month, amount in sums.select("month_on", column).iter_rows()}


def _summarise_bills(bills: pl.DataFrame, digits: int) -> dict[str, Any]:
    read, billed = _total(bills, "corrected_read_wh"), _total(bills, "corrected_energy_wh")
    return {
        "bills": _total(bills, "bills"),
        "billed": as_major(_total(bills, "amount_minor"), digits),
        "billed_kwh": as_kwh(_total(bills, "energy_wh")),
        "billed_by_month": _by_month(bills, "amount_minor", digits),
        "determinants_corrected": {
            "bills": _total(bills, "corrected"),
            "read_kwh": as_kwh(read),
            "billed_kwh": as_kwh(billed),
            "difference_kwh": as_kwh(billed - read),
        },
    }


def _summarise_money(received: pl.DataFrame, digits: int) -> dict[str, Any]:
    payments = received.filter(pl.col("origin_kind") == "PAYMENT")
    taken_back = received.filter(pl.col("origin_kind") == "PAYMENT_REVERSAL")
    net = pl.concat([payments, taken_back])
    idle = received.filter(pl.col("origin_kind") != "CHARGE_CREDIT").with_columns(
        left_minor=pl.col("amount_minor") - pl.col("applied_minor")
    )
    states = idle.group_by("state").agg(money.exact_sum("left_minor")).filter(pl.col("left_minor") != 0).sort("state")
    return {
        "payments": _total(payments, "payments"),
        "payments_reversed": _total(taken_back, "payments"),
        "collected": as_major(_total(net, "amount_minor"), digits),
        "collected_by_month": _by_month(net, "amount_minor", digits),
        "unapplied": as_major(_total(idle, "left_minor"), digits),
        "unapplied_by_state": {state or "FREE": as_major(left, digits) for state, left in states.iter_rows()},
    }


def _summarise_debts(debts: pl.DataFrame, on: date, digits: int) -> dict[str, Any]:
    principal = debts.filter(~pl.col("is_charge")).with_columns(
        open_minor=pl.col("amount_minor") - pl.col("received_minor")
    )
    rates = indicators.collection_rates(principal, on).row(0, named=True)
    overdue = principal.filter(pl.col("days_overdue") > 0)
    is_prior = pl.col("issued_on") < date(on.year, 1, 1)
    parts = {"": overdue, "_prior": overdue.filter(is_prior), "_current": overdue.filter(~is_prior)}
    return {
        **{f"collection_rate_{name}": as_share(rates[f"rate_{name}_ppm"]) for name in _RATES},
        **{name: as_major(rates[f"{name}_minor"] or 0, digits) for name in _BASES},
        "receivable_open": as_major(_total(principal, "open_minor"), digits),
        **{f"arrears{name}": as_major(_total(part, "open_minor"), digits) for name, part in parts.items()},
        "ageing": {
            row["bucket"]: {"items": row["items"], "amount": as_major(row["open_minor"], digits)}
            for row in indicators.sum_ageing(principal).to_dicts()
        },
    }


_RATES = ("current", "cumulative", "prior")
_BASES = ("receivable", "received", "carried", "received_prior")


def _summarise_charges(facts: Facts, digits: int) -> dict[str, Any]:
    """Late charges apart from the receivables: booked net of what was lowered, accrued since, and still open."""
    charges = facts.debts.filter("is_charge")
    lowered = facts.money.filter(pl.col("origin_kind") == "CHARGE_CREDIT")
    booked = _total(charges.filter("is_own"), "amount_minor") - _total(lowered, "amount_minor")
    idle = _total(lowered, "amount_minor") - _total(lowered, "applied_minor")
    still_open = _total(charges, "amount_minor") - _total(charges, "received_minor") - idle
    return {
        "late_charges_booked": as_major(booked, digits),
        "late_charges_accrued": as_major(_total(facts.decisions, "accrued_minor"), digits),
        "late_charges_open": as_major(still_open, digits),
    }


def _summarise_decisions(facts: Facts) -> dict[str, Any]:
    stage = pl.when(pl.col("action").is_null()).then("stage_from").otherwise("stage_to")
    decisions = facts.decisions.with_columns(pl.col("reason").cast(pl.String), stage=stage)
    reasons = decisions.group_by("reason").agg(rows=pl.len()).sort("rows", "reason", descending=[True, False])
    accounts = decisions.group_by("account_no").agg(pl.col("stage").max()).group_by("stage").agg(rows=pl.len())
    return {
        "decisions": decisions.height,
        "decisions_by_reason": _as_counts(reasons),
        "accounts_by_stage": {str(stage): rows for stage, rows in accounts.sort("stage").iter_rows()},
        "actions": int(facts.actions["rows"].sum()),
        "actions_by_channel": _as_counts(facts.actions),
    }
