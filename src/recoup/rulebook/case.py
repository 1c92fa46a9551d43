"""A described case: the file format of `recoup quote`, and how it becomes frames.

A case may bring its own tariff, currency, rates and switches; what it leaves to the rulebook is looked up there.
Guide: docs/guides/add-a-tariff.md.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from recoup.rulebook.schema import Amount, Block, CrossYear, Energy, Rule, Share, Strict, Text, Words

type Index = Annotated[Decimal, Field(ge=0, lt=10**11, decimal_places=4)]
type Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2200, 12, 31))]


class InlineTariff(Strict):
    """A tariff brought by the case itself. `from_kwh` may be left out: blocks follow each other."""

    code: Text = "case"
    rule: Rule
    currency: Text | None = None
    blocks: tuple[Block, ...] = Field(min_length=1)
    valid_from: Day = date(1900, 1, 1)
    valid_to: Day | None = None
    tier_year_starts_month: int | None = Field(default=None, ge=1, le=12)
    reference: Text = "stated in the case"

    @model_validator(mode="after")
    def _rises(self) -> "InlineTariff":
        bounds = [block.upto_kwh for block in self.blocks]
        inner = [bound for bound in bounds[:-1] if bound is not None]
        if bounds[-1] is not None or len(inner) < len(bounds) - 1:
            raise ValueError("every block but the last needs upto_kwh, the last must not have it")
        if any(after <= before for before, after in zip([Decimal(0), *inner], inner, strict=False)):
            raise ValueError("upto_kwh must rise from block to block")
        if self.rule == "FLAT" and len(bounds) > 1:
            raise ValueError("a flat tariff has one block")
        return self


class CaseContract(Strict):
    """Who owes: class, tenure `[valid_from, valid_to)` or the days of connection and closure, own rate."""

    customer_class: Text | None = Field(default=None, alias="class")
    valid_from: Day | None = None
    valid_to: Day | None = None
    connected_on: Day | None = None
    closed_on: Day | None = None
    due_days: int = Field(default=0, ge=0, le=3660)
    agreed_rate: Share | None = None
    free_kwh_month: Energy | None = None
    free_quota: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "CaseContract":
        if self.valid_from and self.connected_on:
            raise ValueError("state valid_from or connected_on, not both")
        if self.valid_to and self.closed_on:
            raise ValueError("state valid_to (the first day after) or closed_on (the last day), not both")
        if self.free_kwh_month is not None and self.free_quota is not None:
            raise ValueError("state free_kwh_month or free_quota, not both")
        return self


class CaseReading(Strict):
    """One reading. Without index_from it follows the one before it; the first only opens the meter."""

    on: Day
    index: Index
    index_from: Index | None = None
    multiplier: Annotated[Decimal, Field(gt=0, lt=10**6, decimal_places=4)] = Decimal(1)
    months: int | None = Field(default=None, ge=1)
    stated_kwh: Energy | None = None
    meter: Text = "meter"
    part: int = Field(default=1, ge=1)


class CaseDeterminant(Strict):
    """Energy of one period, already determined. Without dates the latest price in force is taken."""

    kwh: Energy
    months: int = Field(default=1, ge=1, le=600)
    period_from: Day | None = None
    period_to: Day | None = None
    used_this_year_kwh: Energy | None = None
    tier_months: int | None = Field(default=None, ge=1, le=12)
    free_kwh: Energy | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> "CaseDeterminant":
        if (self.period_from is None) != (self.period_to is None):
            raise ValueError("state period_from and period_to (the first day after), or neither")
        if self.period_from and self.period_to and self.period_to <= self.period_from:
            raise ValueError("period_to must be after period_from")
        return self


class CasePayment(Strict):
    """Money applied to a debt, by the day that counts."""

    on: Day
    amount: Amount


class CaseBill(Strict):
    """One debt: a stated amount or `rated` (the energy of this case), when it was due, when it was paid."""

    name: str | None = None
    amount: Amount | Literal["rated"]
    due_on: Day | None = None
    due_window: tuple[Day, Day] | None = None
    overdue_from_on: Day | None = None
    paid_on: Day | None = None
    days_late: int | None = Field(default=None, ge=0, le=36_600)
    crosses_year: bool = False
    payments: tuple[CasePayment, ...] = ()

    @model_validator(mode="after")
    def _dated(self) -> "CaseBill":
        ways = [self.due_on is not None, self.due_window is not None, self.days_late is not None]
        if sum(ways) != 1:
            raise ValueError("state exactly one of due_on, due_window, days_late")
        if self.due_window and self.due_window[1] < self.due_window[0]:
            raise ValueError("due_window ends before it begins")
        if self.crosses_year and (self.days_late is None or self.paid_on is not None):
            raise ValueError("crosses_year goes with days_late without dates; dates say it themselves")
        if self.days_late is not None and self.payments:
            raise ValueError("payments need dates: state due_on or due_window instead of days_late")
        return self


class CaseHold(Strict):
    """Days `[from, until)` that bear no late charge."""

    valid_from: Day = Field(alias="from")
    valid_to: Day | None = Field(default=None, alias="until")


class Switches(Strict):
    """What the case decides instead of the rulebook; `none` takes a limit away."""

    cross_year: CrossYear | None = None
    minimum: Amount | Literal["none"] | None = None
    cap: Share | Literal["none"] | None = None


class LateRate(Strict):
    """Daily rates brought by the case: in the year of falling overdue, and after it (the same if left out)."""

    rate: Share
    rate_next_year: Share | None = None


class Expect(Strict):
    """What the case should come to; compared by `recoup quote` itself."""

    total: Decimal | None = None
    late_charge: Decimal | None = None
    grand_total: Decimal | None = None
    line_amounts: tuple[Decimal, ...] | None = None
    thresholds: dict[int, Decimal] = Field(default_factory=dict)
    issues: tuple[str, ...] = ()


class CaseFile(Strict):
    """One case."""

    id: str | None = None
    title: str | Words | None = None
    source: str | None = None
    note: str | None = None
    jurisdiction: Text | None = None
    currency: Text | None = None
    tariff: Text | InlineTariff | None = None
    contract: CaseContract = CaseContract()
    readings: tuple[CaseReading, ...] = ()
    determinants: tuple[CaseDeterminant, ...] = ()
    used_this_year_kwh: Energy = Decimal(0)
    quote: Literal["all", "last"] = "all"
    bills: tuple[CaseBill, ...] = ()
    holds: tuple[CaseHold, ...] = ()
    late_rate: LateRate | None = None
    switches: Switches = Switches()
    on: Day | None = None
    expect: Expect | None = None
    waits_for: str | None = None

    @model_validator(mode="after")
    def _something_to_do(self) -> "CaseFile":
        rates = bool(self.readings or self.determinants)
        if rates and self.tariff is None:
            raise ValueError("tariff: readings or determinants need one (a code of the rulebook, or blocks)")
        if isinstance(self.tariff, str) and self.jurisdiction is None:
            raise ValueError("jurisdiction: needed to find the tariff, for example cn/shandong")
        if any(bill.amount == "rated" for bill in self.bills) and not rates:
            raise ValueError("bills: amount rated needs readings or determinants")
        if sum(bill.amount == "rated" for bill in self.bills) > 1:
            raise ValueError("bills: only one can owe the rated amount")
        if self.bills and self.jurisdiction is None and self.late_rate is None and not self.contract.agreed_rate:
            raise ValueError("jurisdiction: needed for the late charge (or state late_rate)")
        if not (rates or self.bills or self.tariff):
            raise ValueError("nothing to quote: give readings, determinants, bills, or a tariff for its thresholds")
        return self


class CaseInvalid(Exception):
    """A case file that cannot be quoted; each problem names the field and why."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


_CASES: TypeAdapter[CaseFile] = TypeAdapter(CaseFile)


def parse_cases(content: object) -> list[CaseFile]:
    """Read one case, or the list under `cases`; raise CaseInvalid with every field that is wrong."""
    if isinstance(content, dict) and set(content) == {"cases"} and isinstance(content["cases"], list):
        listed, prefixes = content["cases"], [f"cases.{number}." for number in range(len(content["cases"]))]
    else:
        listed, prefixes = [content], [""]
    cases, problems = [], []
    for entry, prefix in zip(listed, prefixes, strict=True):
        if not isinstance(entry, dict):
            problems.append(f"{prefix or 'file'}: a case is a mapping of fields, found {type(entry).__name__}")
            continue
        try:
            cases.append(_CASES.validate_python(entry))
        except ValidationError as error:
            problems += [_describe(prefix, found["loc"], found["msg"], found["input"]) for found in error.errors()]
    if problems:
        raise CaseInvalid(problems)
    return cases


def _describe(prefix: str, place: tuple[int | str, ...], message: str, given: object) -> str:
    field = prefix + ".".join(str(part) for part in place)
    shown = f" (found {given!r})" if isinstance(given, str | int) else ""
    return f"{field or 'case'}: {message.removeprefix('Value error, ')}{shown}"
