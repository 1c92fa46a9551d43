"""Column contracts of the frames that travel between rules (design: core data model).

Grain and units are stated per frame. Ids are Int64 and never enter a hash, an order or a decision: natural
keys (`*_key`, `*_no`, days, parts) do. Amounts are Int64 minor units of `denom`, energy Int64 watt-hours.
"""

from collections.abc import Mapping

import polars as pl

type Schema = Mapping[str, pl.DataType]

_I = pl.Int64()
_S = pl.String()
_D = pl.Date()
_B = pl.Boolean()

# One row per contract (the debtor). `key64` is its party's keyed draw key; `group_id` settles together.
CONTRACTS: Schema = {
    "contract_id": _I,
    "contract_key": _S,
    "key64": _I,
    "account_id": _I,
    "account_no": _S,
    "group_id": _I,
    "party_id": _I,
    "org_unit": _S,
    "class": _S,
    "jurisdiction": _S,
    "valid_from": _D,
    "valid_to": _D,
    "payment_mode": _S,
    "due_days": _I,
    "agreed_rate_ppm": _I,
    "strategy": _S,
    "arm": _S,
    "closed_to_on": _D,
}

# One row per service point and validity.
SERVICES: Schema = {
    "service_id": _I,
    "service_point": _S,
    "contract_id": _I,
    "tariff": _S,
    "class": _S,
    "capacity_va": _I,
    "household_size": _I,
    "households": _I,
    "free_wh_month": _I,
    "valid_from": _D,
    "valid_to": _D,
}

# One row per service point, meter and register installed. `multiplier_e4` is CT x PT x 10^4.
INSTALLATIONS: Schema = {
    "service_point": _S,
    "meter": _S,
    "register": _S,
    "multiplier_e4": _I,
    "valid_from": _D,
    "valid_to": _D,
}

# One row per reading event. A reading may state its own starting index, the months it covers and the total
# that the system of record billed (`stated_wh`); otherwise it chains to the reading before it.
READINGS: Schema = {
    "reading_key": _S,
    "service_point": _S,
    "meter": _S,
    "register": _S,
    "read_on": _D,
    "part": _I,
    "source": _S,
    "index_from_e4": _I,
    "index_e4": _I,
    "multiplier_e4": _I,
    "months": _I,
    "stated_wh": _I,
}

# One row per service point x period x kind: the only seam between metering and rating.
# `ytd_wh` was used in the tier year before this period; `tier_months` are the months in service of that year.
DETERMINANTS: Schema = {
    "contract_id": _I,
    "service_id": _I,
    "service_point": _S,
    "tariff": _S,
    "kind": _S,
    "bill_on": _D,
    "part": _I,
    "period_from": _D,
    "period_to": _D,
    "months": _I,
    "quantity": _I,
    "ytd_wh": _I,
    "tier_months": _I,
    "free_wh": _I,
    "read_wh": _I,
    "source": _S,
    "reading_key": _S,
}

# One row per bill x rule x block: quantity x price = amount, with the parameter that says so.
LINES: Schema = {
    "contract_id": _I,
    "service_id": _I,
    "bill_on": _D,
    "part": _I,
    "period_from": _D,
    "line": _I,
    "component": _S,
    "rule_id": _S,
    "param_id": _S,
    "block": _I,
    "quantity": _I,
    "price_e8": _I,
    "amount_minor": _I,
    "denom": _S,
}

# One row per bill (contract, period, part, version).
BILLS: Schema = {
    "bill_id": _I,
    "bill_no": _S,
    "contract_id": _I,
    "service_id": _I,
    "period_from": _D,
    "period_to": _D,
    "part": _I,
    "version": _I,
    "issued_on": _D,
    "due_on": _D,
    "months": _I,
    "energy_wh": _I,
    "read_wh": _I,
    "energy_source": _S,
    "reading_key": _S,
    "amount_minor": _I,
    "denom": _S,
}

# One row per debit item still open (or, when history is read, ever open). `charge_of` is the principal item of
# a late charge. `class` and `agreed_rate_ppm` are the contract's, carried for the late-charge rate.
ITEMS: Schema = {
    "item_id": _I,
    "item_key": _S,
    "contract_id": _I,
    "group_id": _I,
    "component": _S,
    "subject": _S,
    "denom": _S,
    "amount_minor": _I,
    "open_minor": _I,
    "issued_on": _D,
    "due_on": _D,
    "overdue_from_on": _D,
    "period_from": _D,
    "charge_of": _I,
    "class": _S,
    "agreed_rate_ppm": _I,
}

# One row per credit item with money not yet applied. Amounts are positive here, negative in the open-item book.
# `designation` is the debit item_id the payer named.
CREDITS: Schema = {
    "item_id": _I,
    "item_key": _S,
    "contract_id": _I,
    "group_id": _I,
    "subject": _S,
    "denom": _S,
    "amount_minor": _I,
    "open_minor": _I,
    "value_on": _D,
    "designation": _I,
    "state": _S,
}

# One row per piece of a credit item applied to a debit item (negative amounts undo an earlier piece).
ALLOCATIONS: Schema = {
    "group_id": _I,
    "contract_id": _I,
    "credit_id": _I,
    "debit_id": _I,
    "amount_minor": _I,
    "value_on": _D,
    "rule": _S,
}

# One row per principal item x day the charge was accrued to (inclusive).
CHARGES_BOOKED: Schema = {"item_id": _I, "accrued_to_on": _D, "amount_minor": _I}

# One row per hold and contract; a null item is the whole contract; `[valid_from, valid_to)`.
HOLDS: Schema = {
    "hold_key": _S,
    "contract_id": _I,
    "item_id": _I,
    "stops_late_charge": _B,
    "stops_dun": _B,
    "stops_debit": _B,
    "stops_disconnect": _B,
    "reason": _S,
    "valid_from": _D,
    "valid_to": _D,
}

# One row per contact that really happened. `proven` says that the rung's proof rule is met.
TOUCHES: Schema = {
    "contract_id": _I,
    "decided_on": _D,
    "action_code": _S,
    "stage": _I,
    "channel": _S,
    "sent_on": _D,
    "delivered_on": _D,
    "proven": _B,
}

# One row per item that a touch named.
TOUCH_ITEMS: Schema = {
    "contract_id": _I,
    "decided_on": _D,
    "action_code": _S,
    "item_id": _I,
    "amount_minor": _I,
}

# One row per contract inside an unbroken run of days with overdue >= the strategy's threshold.
EPISODES: Schema = {"contract_id": _I, "episode_from_on": _D}

# One row per contract x calendar month with an event.
ROLLUPS: Schema = {
    "contract_id": _I,
    "month_on": _D,
    "bills": _I,
    "late_bills": _I,
    "days_late": _I,
    "max_overdue_minor": _I,
    "contacts": _I,
}


class FrameMismatch(Exception):
    """A frame does not have the columns or types of its contract."""


def empty(schema: Schema) -> pl.DataFrame:
    """Return a frame of no rows under a contract."""
    return pl.DataFrame(schema=dict(schema))


def conform(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Select the contract's columns in its order; raise FrameMismatch for a missing column or a wrong type."""
    known = frame.schema
    missing = [name for name in schema if name not in known]
    if missing:
        raise FrameMismatch(f"missing columns: {', '.join(missing)}")
    wrong = [f"{n}: {known[n]} is not {t}" for n, t in schema.items() if known[n] != t]
    if wrong:
        raise FrameMismatch("; ".join(wrong))
    return frame.select(list(schema))
