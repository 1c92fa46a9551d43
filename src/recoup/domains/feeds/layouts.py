"""The documented format as data: which columns a file of each entity has, how they are read and within what bounds.

Grain: one `Column` per column of a file. `staged` is its name after reading, with unit and scale; bounds are in
the staged unit. docs/guides/load-format.md says the same to people.
"""

from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import NamedTuple

import polars as pl

from recoup.core.money import AMOUNT_BOUND, ENERGY_BOUND_WH


class Kind(Enum):
    """How a column is written."""

    TEXT = "text"
    DATE = "date"
    INT = "int"
    DECIMAL = "decimal"
    AMOUNT = "amount"
    INSTANT = "instant"


# Amounts are read at this scale first; the digits of their denom decide what of it is allowed.
AMOUNT_SCALE = 4

ID_LENGTH = 100
SHORT_LENGTH = 64
PROSE_LENGTH = 1000

# Earliest day of something measured, billed or paid, and how far past the feed's day one may lie.
FACTS_FROM = date(1990, 1, 1)
FACTS_AHEAD_DAYS = 400
TENURE_FROM = date(1950, 1, 1)

# The longest period of the real book is 88 months; what lies above 20 years there is an index in the wrong column.
MONTHS_MAX = 240

HOLD_PROCESSES = ("LATE_CHARGE", "DUN", "DEBIT", "DISCONNECT", "REFUND")


class Column(NamedTuple):
    """One column of a file. `high` of a date counts days after the feed's day; of a text its length."""

    name: str
    staged: str
    kind: Kind
    required: bool = False
    scale: int = 0
    low: int | date | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None


class Check(NamedTuple):
    """A rule across columns: the field to name, the reason, and an expression that is true when it is broken."""

    field: str
    reason: str
    broken: pl.Expr


class Layout(NamedTuple):
    """One entity's file."""

    entity: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    has_secrets: bool = False


def _text(name: str, *, required: bool = False, staged: str = "", length: int = ID_LENGTH) -> Column:
    return Column(name, staged or name, Kind.TEXT, required, high=length)


def _key(name: str, *, staged: str = "", length: int = ID_LENGTH) -> Column:
    return _text(name, required=True, staged=staged, length=length)


def _choice(name: str, *choices: str, default: str | None = None) -> Column:
    return Column(name, name, Kind.TEXT, True, choices=choices, default=default, high=SHORT_LENGTH)


def _day(name: str, *, required: bool = False, low: date = FACTS_FROM, ahead: int | None = FACTS_AHEAD_DAYS) -> Column:
    return Column(name, name, Kind.DATE, required, low=low, high=ahead)


def _count(name: str, low: int, high: int, *, required: bool = False, default: str | None = None) -> Column:
    return Column(name, name, Kind.INT, required, low=low, high=high, default=default)


def _decimal(name: str, staged: str, scale: int, low: int, high: int, *, required: bool = False) -> Column:
    return Column(name, staged, Kind.DECIMAL, required, scale, low, high)


def _energy(name: str, staged: str) -> Column:
    return _decimal(name, staged, 3, 0, ENERGY_BOUND_WH - 1)


def _amount(name: str, staged: str, low: int) -> Column:
    return Column(name, staged, Kind.AMOUNT, True, AMOUNT_SCALE, low, AMOUNT_BOUND - 1)


_DENOM = _text("denom", required=True, length=SHORT_LENGTH)
_TENURE = (
    _day("valid_from", required=True, low=TENURE_FROM),
    _day("valid_to", low=TENURE_FROM, ahead=None),
)
_TENURE_RUNS = Check("valid_to", "EMPTY_PERIOD", pl.col("valid_to") <= pl.col("valid_from"))
_NOT_A_PROCESS = ~pl.col("processes").str.contains(rf"^({'|'.join(HOLD_PROCESSES)})(\|({'|'.join(HOLD_PROCESSES)}))*$")

# Every file may carry these.
_EVERYWHERE = (
    Column("as_of", "as_of", Kind.INSTANT),
    _text("supersedes"),
)


def _layout(
    entity: str, columns: tuple[Column, ...], key: tuple[str, ...], *checks: Check, has_secrets: bool = False
) -> Layout:
    return Layout(entity, columns + _EVERYWHERE, key, checks, has_secrets)


_ORG_UNITS = _layout(
    "org_units",
    (_key("code"), _text("name", required=True, length=PROSE_LENGTH), _key("kind"), _text("parent")),
    ("code",),
)

_PARTIES = _layout(
    "parties",
    (
        _key("party", staged="code"),
        _text("name", required=True, length=PROSE_LENGTH),
        _key("kind"),
        _text("phone"),
        _text("id_no"),
    ),
    ("party",),
    has_secrets=True,
)

_ACCOUNTS = _layout(
    "accounts",
    (
        _key("account_no"),
        _text("old_account_no"),
        _text("premise"),
        _text("address", length=PROSE_LENGTH),
        _key("org_unit"),
        _text("route"),
        _count("reading_day", 1, 31),
    ),
    ("account_no",),
)

_CONTRACTS = _layout(
    "contracts",
    (
        _key("contract", staged="contract_key"),
        _key("account_no"),
        _key("party"),
        _text("payer"),
        _text("group", staged="group_key"),
        _key("class"),
        _key("jurisdiction"),
        *_TENURE,
        _text("payment_mode"),
        _count("due_days", 0, 3650, required=True),
        _decimal("agreed_rate_permille", "agreed_rate_ppm", 3, 0, 1_000_000),
        _text("strategy"),
    ),
    ("contract",),
    _TENURE_RUNS,
)

_SERVICES = _layout(
    "services",
    (
        _key("service_point"),
        _key("contract"),
        _key("tariff"),
        _key("class"),
        _decimal("capacity_kva", "capacity_va", 3, 0, 10**12),
        _count("household_size", 0, 1000),
        _count("households", 0, 1_000_000),
        Column("free_kwh_month", "free_wh_month", Kind.DECIMAL, True, 3, 0, 10**9, default="0"),
        *_TENURE,
    ),
    ("service_point", "valid_from"),
    _TENURE_RUNS,
)

_REGISTER = Column("register", "register", Kind.TEXT, True, high=SHORT_LENGTH, default="1")

_INSTALLATIONS = _layout(
    "installations",
    (
        _key("meter", length=SHORT_LENGTH),
        _key("service_point"),
        _REGISTER,
        _decimal("multiplier", "multiplier_e4", 4, 1, 10**10, required=True),
        *_TENURE,
    ),
    ("service_point", "meter", "register", "valid_from"),
    _TENURE_RUNS,
)

_READINGS = _layout(
    "readings",
    (
        _key("service_point"),
        _key("meter", length=SHORT_LENGTH),
        _REGISTER,
        _day("read_on", required=True),
        _count("part", 0, 1_000_000, required=True, default="1"),
        _choice("source", "ACTUAL", "ESTIMATED", "CUSTOMER", default="ACTUAL"),
        _decimal("index_from", "index_from_e4", 4, 0, 10**15),
        _decimal("index", "index_e4", 4, 0, 10**15, required=True),
        _decimal("multiplier", "multiplier_e4", 4, 1, 10**10),
        _count("months", 1, MONTHS_MAX),
        _energy("stated_kwh", "stated_wh"),
    ),
    ("service_point", "meter", "register", "read_on", "part", "source"),
)

_PAYMENTS = _layout(
    "payments",
    (
        _key("channel", length=SHORT_LENGTH),
        _key("channel_key"),
        _key("contract"),
        _day("value_on", required=True),
        _day("received_on", required=True),
        _amount("amount", "amount_minor", 1),
        _DENOM,
        _text("designation"),
        _text("reverses"),
    ),
    ("channel", "channel_key"),
    Check("reverses", "REVERSES_ITSELF", pl.col("reverses") == pl.col("channel_key")),
)

_BILLS = _layout(
    "bills",
    (
        _key("bill_no"),
        _key("contract"),
        _day("period_from"),
        _day("period_to"),
        _day("issued_on", required=True),
        _day("due_on", required=True),
        _energy("energy_kwh", "energy_wh"),
        _amount("amount", "amount_minor", 1 - AMOUNT_BOUND),
        _DENOM,
    ),
    ("bill_no",),
    Check("period_to", "EMPTY_PERIOD", pl.col("period_to") <= pl.col("period_from")),
)

_OPEN_ITEMS = _layout(
    "open_items",
    (
        _key("item_key"),
        _key("contract"),
        _choice("component", "ENERGY", "LATE_CHARGE"),
        _amount("amount", "amount_minor", 1),
        _amount("open", "open_minor", 0),
        _DENOM,
        _day("issued_on", required=True),
        _day("due_on", required=True),
        _day("overdue_from_on"),
        _day("period_from"),
        _text("bill_no"),
    ),
    ("item_key",),
    Check("open", "OPEN_ABOVE_AMOUNT", pl.col("open_minor") > pl.col("amount_minor")),
)

_CREDITS = _layout(
    "credits",
    (
        _key("credit_key"),
        _key("contract"),
        _amount("amount", "amount_minor", 1),
        _DENOM,
        _day("value_on", required=True),
        _choice("state", "FREE", "IN_TRANSIT", "SUSPENSE_MATCH", default="FREE"),
    ),
    ("credit_key",),
)

_TOUCHES = _layout(
    "touches",
    (
        _key("contract"),
        _key("action_code"),
        _count("stage", 0, 99, required=True),
        _key("channel"),
        _day("sent_on", required=True),
        _day("delivered_on"),
        _text("proof", length=PROSE_LENGTH),
        _text("result", length=PROSE_LENGTH),
    ),
    ("contract", "sent_on", "action_code"),
)

_TOUCH_ITEMS = _layout(
    "touch_items",
    (
        _key("contract"),
        _key("action_code"),
        _day("sent_on", required=True),
        _key("item_key"),
        _amount("amount", "amount_minor", 0),
        _DENOM,
    ),
    ("contract", "sent_on", "action_code", "item_key"),
)

_HOLDS = _layout(
    "holds",
    (
        _key("hold", staged="hold_key"),
        _key("contract"),
        _text("item_key"),
        _key("processes"),
        _text("reason", required=True, length=PROSE_LENGTH),
        _day("valid_from", required=True),
        _day("valid_to", ahead=None),
        _text("evidence", length=PROSE_LENGTH),
    ),
    ("hold",),
    _TENURE_RUNS,
    Check("processes", "UNKNOWN_VALUE", _NOT_A_PROCESS),
)

# In the order in which files are loaded: what is referred to comes first.
LAYOUTS: Mapping[str, Layout] = {
    layout.entity: layout
    for layout in (
        *(_ORG_UNITS, _PARTIES, _ACCOUNTS, _CONTRACTS, _SERVICES, _INSTALLATIONS, _READINGS, _PAYMENTS),
        *(_BILLS, _OPEN_ITEMS, _CREDITS, _TOUCHES, _TOUCH_ITEMS, _HOLDS),
    )
}


def required_columns(layout: Layout) -> list[str]:
    """Columns without which a file is refused: required, and not stated for the whole file or by default."""
    return [c.name for c in layout.columns if c.required and c.default is None and c.name != "denom"]
