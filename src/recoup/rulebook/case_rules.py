"""The rules of a described case: the rulebook's, with what the case itself decides laid over them."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from recoup.core.late_charge import SEGMENT_BY_DAY
from recoup.core.money import PPM
from recoup.core.rules import LATE_CHARGE_RATES, TARIFF_BLOCKS, AllocationPolicy, Rules
from recoup.rulebook import Rulebook, UnknownJurisdiction, checks, load_from, resolve
from recoup.rulebook.case import CaseFile, CaseInvalid, InlineTariff
from recoup.rulebook.library import Library
from recoup.rulebook.resolve import NotWhole, scale
from recoup.rulebook.schema import Tariff, TariffTerms, Words

CASE = "case"
_FROM = date(1900, 1, 1)
_NOBODY = "UNSTATED"


class CaseRules(NamedTuple):
    """The rules of a case, the tariff and class it uses, and the reference of each parameter."""

    rules: Rules
    tariff: str | None
    customer_class: str
    free_kwh_month: Decimal
    references: Mapping[str, str]


def find_rules(file: CaseFile, library: Library) -> CaseRules:
    """Look up the rulebook and lay the case's own tariff, rates and switches over it; raise CaseInvalid."""
    book = _find_book(file, library)
    rules = _no_rules() if book is None else book.resolve()
    digits = checks.digits_by_denom(library.documents.values())
    rules, tariff = _find_tariff(file, rules, digits)
    denom = _find_denom(file, rules, tariff, digits)
    rules = rules._replace(denom=denom, minor_digits=digits[denom])
    customer_class = file.contract.customer_class or _NOBODY
    rules = rules._replace(late_charge=_find_rates(file, rules, customer_class))
    return CaseRules(rules, tariff, customer_class, _find_free(file, book), _cite(file, rules, book))


def to_minor(amount: Decimal, rules: Rules, field: str) -> int:
    """Scale an amount into minor units; raise CaseInvalid naming the field when it has too many decimals."""
    try:
        return scale(amount, 10**rules.minor_digits)
    except NotWhole as error:
        raise CaseInvalid(
            [f"{field}: {amount} has more than the {rules.minor_digits} decimals of {rules.denom}"]
        ) from error


def _find_book(file: CaseFile, library: Library) -> Rulebook | None:
    if file.jurisdiction is None:
        return None
    try:
        return load_from(library, file.jurisdiction)
    except UnknownJurisdiction as error:
        raise CaseInvalid([f"jurisdiction: {error}"]) from error


def _no_rules() -> Rules:
    return Rules(
        jurisdiction=CASE,
        denom="",
        minor_digits=0,
        tariffs=pl.DataFrame(schema=dict(TARIFF_BLOCKS)),
        late_charge=pl.DataFrame(schema=dict(LATE_CHARGE_RATES)),
        late_charge_components=(),
        allocation=AllocationPolicy(CASE, (), CASE),
        strategies=(),
        subjects=pl.DataFrame(),
        tier_year_starts_month=1,
        content_hash="",
    )


def _find_tariff(file: CaseFile, rules: Rules, digits: dict[str, int]) -> tuple[Rules, str | None]:
    if isinstance(file.tariff, InlineTariff):
        starts = file.tariff.tier_year_starts_month or rules.tier_year_starts_month
        own = _inline_blocks(file, file.tariff, rules, digits)
        return rules._replace(tariffs=own, tier_year_starts_month=starts), file.tariff.code
    if file.tariff is None:
        return rules, None
    known = rules.tariffs["tariff"].unique().sort().to_list()
    if file.tariff not in known:
        raise CaseInvalid([f"tariff: no tariff {file.tariff!r} in {file.jurisdiction}; there are: {', '.join(known)}"])
    return rules, file.tariff


def _inline_blocks(file: CaseFile, inline: InlineTariff, rules: Rules, digits: dict[str, int]) -> pl.DataFrame:
    denom = inline.currency or file.currency or rules.denom
    if denom not in digits:
        raise CaseInvalid([f"tariff.currency: state one of {', '.join(sorted(digits))} (found {denom!r})"])
    terms = TariffTerms.model_validate({"from": inline.valid_from, "to": inline.valid_to, "blocks": inline.blocks})
    document = Tariff(
        id=f"{CASE}/tariff/{inline.code}",
        title=Words(zh=inline.code, en=inline.code),
        jurisdiction=CASE,
        reference=inline.reference,
        status="illustrative",
        kind="tariff",
        code=inline.code,
        rule=inline.rule,
        denom=denom,
        values=(terms,),
    )
    rows = resolve.tabulate_blocks(document, terms, inline.valid_to, digits[denom])
    return pl.DataFrame(rows, schema=dict(TARIFF_BLOCKS))


def _find_denom(file: CaseFile, rules: Rules, tariff: str | None, digits: dict[str, int]) -> str:
    """The tariff's currency, else the case's, else the jurisdiction's."""
    priced = rules.tariffs.filter(pl.col("tariff").eq_missing(pl.lit(tariff)))["denom"].to_list()
    denom = priced[0] if priced else file.currency or rules.denom
    if denom not in digits:
        raise CaseInvalid([f"currency: state one of {', '.join(sorted(digits))} (found {denom!r})"])
    if file.currency is not None and file.currency != denom:
        raise CaseInvalid([f"currency: {file.currency}, but the tariff is in {denom}"])
    return str(denom)


def _find_rates(file: CaseFile, rules: Rules, customer_class: str) -> pl.DataFrame:
    """The late-charge rates of the case's class, with the switches of the case."""
    own_rate = file.late_rate.rate if file.late_rate else file.contract.agreed_rate
    if file.late_rate is not None or (file.jurisdiction is None and own_rate is not None):
        rates = _own_rates(file, own_rate or Decimal(0), customer_class)
    else:
        rates = rules.late_charge
        known = rates["class"].unique().sort().to_list()
        if file.bills and customer_class not in known:
            shown = "needed for the late-charge rate" if customer_class == _NOBODY else f"unknown {customer_class!r}"
            raise CaseInvalid([f"contract.class: {shown}; there are: {', '.join(known)}"])
    return _switch(file, rules, rates)


def _own_rates(file: CaseFile, rate: Decimal, customer_class: str) -> pl.DataFrame:
    after = file.late_rate.rate_next_year if file.late_rate else None
    row = {
        "class": customer_class,
        "rate_ppm": scale(rate, PPM),
        "rate_next_year_ppm": scale(rate if after is None else after, PPM),
        "cross_year": SEGMENT_BY_DAY,
        "minimum_minor": None,
        "cap_ppm": None,
        "valid_from": _FROM,
        "valid_to": None,
        "param_id": f"{CASE}/late_rate",
    }
    return pl.DataFrame([row], schema=dict(LATE_CHARGE_RATES))


def _switch(file: CaseFile, rules: Rules, rates: pl.DataFrame) -> pl.DataFrame:
    switches = file.switches
    decided: dict[str, pl.Expr] = {}
    if switches.cross_year is not None:
        decided["cross_year"] = pl.lit(switches.cross_year)
    if switches.minimum is not None:
        minimum = None if isinstance(switches.minimum, str) else to_minor(switches.minimum, rules, "switches.minimum")
        decided["minimum_minor"] = pl.lit(minimum, pl.Int64)
    if switches.cap is not None:
        cap = None if isinstance(switches.cap, str) else scale(switches.cap, PPM)
        decided["cap_ppm"] = pl.lit(cap, pl.Int64)
    return rates.with_columns(**decided)


def _find_free(file: CaseFile, book: Rulebook | None) -> Decimal:
    contract = file.contract
    if contract.free_quota is None:
        return contract.free_kwh_month or Decimal(0)
    kwh = None if book is None else book.free_quota_kwh(contract.free_quota)
    if kwh is None:
        raise CaseInvalid([f"contract.free_quota: no quota {contract.free_quota!r} in the rulebook"])
    return kwh


def _cite(file: CaseFile, rules: Rules, book: Rulebook | None) -> dict[str, str]:
    """The reference of every parameter the rules name."""
    stated = file.tariff.reference if isinstance(file.tariff, InlineTariff) else "stated in the case"
    named = {*rules.tariffs["param_id"].to_list(), *rules.late_charge["param_id"].to_list()}
    references = {}
    for param_id in named:
        citation = None if book is None else book.cite(param_id)
        references[param_id] = stated if citation is None else citation.reference
    return references
