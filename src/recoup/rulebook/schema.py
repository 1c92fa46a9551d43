"""What a document of the rulebook looks like: one kind of document, one model.

A document holds the values of one thing by first day of validity, each with its reference. Money, prices and rates
are decimals in major units; they are scaled to integers when the rulebook is resolved.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from recoup.core.late_charge import SEGMENT_BY_DAY, WHOLE_DEBT_AT_HIGHER_RATE
from recoup.core.rating import BLOCKS_PER_MONTH, BLOCKS_PER_TIER_YEAR, FLAT

type Text = Annotated[str, Field(min_length=1)]
type Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)]
type Price = Annotated[Decimal, Field(ge=0, lt=10_000, decimal_places=8)]
type Amount = Annotated[Decimal, Field(ge=0, lt=1_000_000_000)]
type Energy = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=3)]
type CrossYear = Literal["SEGMENT_BY_DAY", "WHOLE_DEBT_AT_HIGHER_RATE"]
type Rule = Literal["FLAT", "BLOCKS_PER_MONTH", "BLOCKS_PER_TIER_YEAR"]

# The words above are those of the rules; a typo here would otherwise be found only by a bill.
assert {SEGMENT_BY_DAY, WHOLE_DEBT_AT_HIGHER_RATE} == {"SEGMENT_BY_DAY", "WHOLE_DEBT_AT_HIGHER_RATE"}
assert {FLAT, BLOCKS_PER_MONTH, BLOCKS_PER_TIER_YEAR} == {"FLAT", "BLOCKS_PER_MONTH", "BLOCKS_PER_TIER_YEAR"}


class Strict(BaseModel):
    """A part of a document; an unknown field is an error, not a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Words(Strict):
    """A text in both languages of the product."""

    zh: Text
    en: Text


class Validity(Strict):
    """Values from a first day on, to the next validity's first day or to `to` (exclusive)."""

    valid_from: date = Field(alias="from")
    valid_to: date | None = Field(default=None, alias="to")
    reference: str | None = None


class Envelope(Strict):
    """What every document says about itself. `id` is its path in the rulebook."""

    id: Text
    title: Words
    jurisdiction: str
    reference: Text
    status: Literal["in_force", "illustrative"]


class BookTerms(Validity):
    """What holds for a whole jurisdiction."""

    denom: Text
    tier_year_starts_month: int = Field(ge=1, le=12)


class ClassRate(Strict):
    """Daily rates of some customer classes: in the calendar year of falling overdue, and after it."""

    classes: tuple[Text, ...] = Field(min_length=1)
    rate: Share
    rate_next_year: Share


class LateChargeTerms(Validity):
    """The late charge: rates by class, policy at the year end, minimum and cap (a share of the principal)."""

    components: tuple[Text, ...] = Field(min_length=1)
    cross_year: CrossYear
    rates: tuple[ClassRate, ...] = Field(min_length=1)
    minimum: Amount | None = None
    cap: Share | None = None


class AllocationTerms(Validity):
    """The order in which money meets debts: components in this order, within one the earliest due first.

    With `due_first` every debt already due comes before every debt not yet due.
    """

    code: Text
    components: tuple[Text, ...] = Field(min_length=1)
    due_first: bool


class Block(Strict):
    """One block: energy up to a bound per month costs a price per kWh; the last block has no bound."""

    upto_kwh: Energy | None = None
    price: Price


class TariffTerms(Validity):
    """The blocks of a tariff in ascending order."""

    blocks: tuple[Block, ...] = Field(min_length=1)


class FreeQuotaTerms(Validity):
    """Energy a month that is priced at zero."""

    kwh_month: Energy


class RungTerms(Strict):
    """One stage of a strategy."""

    stage: int = Field(ge=1)
    code: Text
    title: Words
    channel: Text
    action_code: Text
    overdue_days_from: int = Field(ge=1)
    bills_from: int | None = Field(default=None, ge=1)
    wait_days: int = Field(ge=0)
    repeat_days: int | None = Field(default=None, ge=1)
    proof: Text
    capacity_pool: Text
    capacity_per_10k: int | None = Field(default=None, ge=0)
    feed_limit_hours: int = Field(ge=1)


class StrategyTerms(Validity):
    """A ladder: below `minimum` nobody is pursued, an episode begins at `threshold`."""

    version: int = Field(ge=1)
    classes: tuple[Text, ...] = Field(min_length=1)
    minimum: Amount
    threshold: Amount
    rungs: tuple[RungTerms, ...] = Field(min_length=1)


class SubjectTerms(Strict):
    """One subject of the ledger; `component` and `role` say which one an open item of that component uses."""

    code: Text
    title: Words
    kind: Literal["ASSET", "LIABILITY", "INCOME", "NON_OPERATING_INCOME", "EQUITY"]
    component: str | None = None
    role: Literal["RECEIVABLE", "REVENUE", "UNAPPLIED", "BANK", "OPENING"]


class SubjectList(Validity):
    """The subjects of the ledger."""

    subjects: tuple[SubjectTerms, ...] = Field(min_length=1)


class DenomTerms(Strict):
    """One denomination and the digits of its minor unit."""

    code: Text
    digits: int = Field(ge=0, le=6)
    title: Words


class DenomList(Validity):
    """The denominations of the ledger."""

    denoms: tuple[DenomTerms, ...] = Field(min_length=1)


class ClassTerms(Strict):
    """One customer class."""

    code: Text
    title: Words


class ClassList(Validity):
    """The customer classes."""

    classes: tuple[ClassTerms, ...] = Field(min_length=1)


class ReasonTerms(Strict):
    """Why a contract was not acted upon: the guard's bit (none for ACTED), its words, what would change it."""

    code: Text
    bit: int | None = Field(default=None, ge=0, le=63)
    title: Words
    hint: Words


class ReasonList(Validity):
    """The reasons in the order of the guards."""

    reasons: tuple[ReasonTerms, ...] = Field(min_length=1)


class ResultHold(Strict):
    """What an outcome stops, why, and for how many days; a promise's hold lasts to the end of the promised day.

    The late charge is never among the processes: it is waived by law only, not by a conversation.
    """

    reason: Text
    title: Words
    processes: tuple[Literal["DUN", "DEBIT", "DISCONNECT"], ...] = Field(min_length=1)
    days: int | None = Field(default=None, ge=1, le=366)


class ResultTerms(Strict):
    """What a collector may record about an action: on which channels, whether the customer was reached."""

    code: Text
    title: Words
    channels: tuple[Text, ...] = Field(min_length=1)
    reached: bool
    promise: bool = False
    hold: ResultHold | None = None
    reference: str | None = None


class ResultList(Validity):
    """The results in the order of the desk's buttons; a promise may lie at most so many days ahead."""

    promise_days_max: int = Field(ge=1, le=366)
    results: tuple[ResultTerms, ...] = Field(min_length=1)


class EffectTerms(Strict):
    """One number of the register: what is counted over the month of the last closed day."""

    code: Text
    title: Words


class MeasureTerms(Strict):
    """One measure of the source paper: its section, the requirement it became, what there is now.

    `pages` are url names, `commands` begin with a command's name, `proofs` are tests or commands that show it working.
    """

    code: Text
    section: Text
    row: Annotated[str, Field(pattern=r"^S([1-9]|1\d|2[0-3])$")]
    title: Words
    now: Words
    pages: tuple[Text, ...] = ()
    commands: tuple[Text, ...] = ()
    effects: tuple[Text, ...] = ()
    proofs: tuple[Text, ...] = ()


class MeasureList(Validity):
    """The measures in the order of the paper."""

    effects: tuple[EffectTerms, ...] = Field(min_length=1)
    measures: tuple[MeasureTerms, ...] = Field(min_length=1)


type MeasureState = Literal["as_written", "modern", "off", "not_yet"]


class MeasureStateTerms(Strict):
    """The state of one measure from a day on (else from the first day of the list), and what forces it."""

    code: Text
    state: MeasureState
    since: date | None = None
    reference: str | None = None
    note: Words | None = None


class MeasureStateList(Validity):
    """The state of every measure in one jurisdiction; a measure that changed has one row per change."""

    states: tuple[MeasureStateTerms, ...] = Field(min_length=1)


class Book(Envelope):
    """Terms of a jurisdiction."""

    kind: Literal["book"]
    values: tuple[BookTerms, ...] = Field(min_length=1)


class LateCharge(Envelope):
    """Late charge of a jurisdiction."""

    kind: Literal["late_charge"]
    values: tuple[LateChargeTerms, ...] = Field(min_length=1)


class Allocation(Envelope):
    """Allocation policy of a jurisdiction."""

    kind: Literal["allocation"]
    values: tuple[AllocationTerms, ...] = Field(min_length=1)


class Tariff(Envelope):
    """A tariff by its code."""

    kind: Literal["tariff"]
    code: Text
    rule: Rule
    denom: Text
    values: tuple[TariffTerms, ...] = Field(min_length=1)


class FreeQuota(Envelope):
    """A free quota by its code."""

    kind: Literal["free_quota"]
    code: Text
    values: tuple[FreeQuotaTerms, ...] = Field(min_length=1)


class StrategyDocument(Envelope):
    """A strategy by its code."""

    kind: Literal["strategy"]
    code: Text
    values: tuple[StrategyTerms, ...] = Field(min_length=1)


class Subjects(Envelope):
    """Subjects of the ledger."""

    kind: Literal["subjects"]
    values: tuple[SubjectList, ...] = Field(min_length=1)


class Denoms(Envelope):
    """Denominations."""

    kind: Literal["denoms"]
    values: tuple[DenomList, ...] = Field(min_length=1)


class Classes(Envelope):
    """Customer classes."""

    kind: Literal["classes"]
    values: tuple[ClassList, ...] = Field(min_length=1)


class Reasons(Envelope):
    """Reasons of decisions."""

    kind: Literal["reasons"]
    values: tuple[ReasonList, ...] = Field(min_length=1)


class Results(Envelope):
    """Results that a desk may record."""

    kind: Literal["results"]
    values: tuple[ResultList, ...] = Field(min_length=1)


class Measures(Envelope):
    """Measures of the source paper."""

    kind: Literal["measures"]
    values: tuple[MeasureList, ...] = Field(min_length=1)


class MeasureStates(Envelope):
    """States of the measures in a jurisdiction."""

    kind: Literal["measure_states"]
    values: tuple[MeasureStateList, ...] = Field(min_length=1)


type Document = (
    Book
    | LateCharge
    | Allocation
    | Tariff
    | FreeQuota
    | StrategyDocument
    | Subjects
    | Denoms
    | Classes
    | Reasons
    | Results
    | Measures
    | MeasureStates
)

DOCUMENT: TypeAdapter[Document] = TypeAdapter(Annotated[Document, Field(discriminator="kind")])
