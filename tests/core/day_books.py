"""Small books and the source paper's ladder, for tests of the decision half."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from recoup.core import frames
from recoup.core.flows.book import DayBook
from recoup.core.rules import AllocationPolicy, Rules, Rung, Strategy

ON = date(2025, 6, 20)


def a_rung(stage: int, days: int, **changes: Any) -> Rung:
    """A rung reached at so many days overdue, free of waits, repeats and limits unless told."""
    rung = Rung(
        stage=stage,
        code=f"STAGE_{stage}",
        channel="SMS",
        action_code=f"ACTION_{stage}",
        overdue_days_from=days,
        bills_from=None,
        wait_days=0,
        repeat_days=None,
        proof="SENT",
        capacity_pool=f"POOL_{stage}",
        capacity_per_10k=None,
        feed_limit_hours=24,
    )
    return rung._replace(**changes)


PAPER_RUNGS = (
    a_rung(1, 1, repeat_days=5),
    a_rung(2, 16, channel="CALL", wait_days=3, capacity_per_10k=2_000),
    a_rung(3, 31, bills_from=3, channel="VISIT", wait_days=7, repeat_days=10, capacity_per_10k=500),
)
PAPER = Strategy("PAPER", 1, ("RESIDENTIAL",), 500, 500, PAPER_RUNGS, "strategy/paper@2025")


def rules_of(*strategies: Strategy) -> Rules:
    """Rules with these strategies and nothing else."""
    nothing = pl.DataFrame()
    return Rules(
        jurisdiction="cn/demo",
        denom="CNY",
        minor_digits=2,
        tariffs=nothing,
        late_charge=nothing,
        late_charge_components=(),
        allocation=AllocationPolicy("EARLIEST", (), ""),
        strategies=strategies or (PAPER,),
        subjects=nothing,
        tier_year_starts_month=1,
        content_hash="0" * 64,
    )


def frame(schema: frames.Schema, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows under a column contract; what a row leaves out is null."""
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))


def a_contract(contract_id: int, **changes: Any) -> dict[str, Any]:
    """An active residential contract in unit U1, its own settlement group."""
    return {
        "contract_id": contract_id,
        "contract_key": f"C{contract_id:06d}",
        "key64": contract_id * 7919,
        "account_id": 1_000 + contract_id,
        "account_no": f"37{contract_id:011d}",
        "group_id": contract_id,
        "party_id": contract_id,
        "org_unit": "U1",
        "class": "RESIDENTIAL",
        "jurisdiction": "cn/demo",
        "valid_from": date(2020, 1, 1),
        **changes,
    }


def an_item(item_id: int, contract_id: int, days_overdue: int, open_minor: int = 12_000, **changes: Any):
    """A principal item that is so many days overdue at ON (0: its due day)."""
    due_on = ON - timedelta(days=days_overdue)
    return {
        "item_id": item_id,
        "item_key": f"I{item_id}",
        "contract_id": contract_id,
        "group_id": contract_id,
        "component": "ENERGY",
        "subject": "RECEIVABLE",
        "denom": "CNY",
        "amount_minor": 12_000,
        "open_minor": open_minor,
        "issued_on": due_on - timedelta(days=10),
        "due_on": due_on,
        "overdue_from_on": due_on + timedelta(days=1),
        "period_from": due_on.replace(day=1),
        **changes,
    }


def a_credit(item_id: int, contract_id: int, state: str = "FREE", **changes: Any) -> dict[str, Any]:
    """Money received and not yet applied."""
    return {
        "item_id": item_id,
        "item_key": f"P{item_id}",
        "contract_id": contract_id,
        "group_id": contract_id,
        "subject": "UNAPPLIED",
        "denom": "CNY",
        "amount_minor": 12_000,
        "open_minor": 12_000,
        "value_on": ON,
        "state": state,
        **changes,
    }


def a_touch(contract_id: int, stage: int, days_ago: int, **changes: Any) -> dict[str, Any]:
    """A proven touch of a rung, sent so many days before ON."""
    sent_on = ON - timedelta(days=days_ago)
    return {
        "contract_id": contract_id,
        "decided_on": sent_on,
        "action_code": f"ACTION_{stage}",
        "stage": stage,
        "channel": "SMS",
        "sent_on": sent_on,
        "proven": True,
        **changes,
    }


def a_naming(contract_id: int, stage: int, days_ago: int, item_id: int) -> dict[str, Any]:
    """An item that the touch of that stage and day named."""
    decided_on = ON - timedelta(days=days_ago)
    return {
        "contract_id": contract_id,
        "decided_on": decided_on,
        "action_code": f"ACTION_{stage}",
        "item_id": item_id,
        "amount_minor": 12_000,
    }


def a_hold(contract_id: int, from_ago: int, days: int | None = None, **changes: Any) -> dict[str, Any]:
    """A dunning hold from so many days before ON, open or for a number of days."""
    valid_from = ON - timedelta(days=from_ago)
    return {
        "hold_key": f"H{contract_id}-{from_ago}",
        "contract_id": contract_id,
        "stops_late_charge": False,
        "stops_dun": True,
        "stops_debit": False,
        "stops_disconnect": True,
        "reason": "DISPUTE",
        "valid_from": valid_from,
        "valid_to": None if days is None else valid_from + timedelta(days=days),
        **changes,
    }


def a_book(**rows: list[dict[str, Any]]) -> DayBook:
    """A book of these rows by frame name."""
    schemas = {
        "contracts": frames.CONTRACTS,
        "items": frames.ITEMS,
        "credits": frames.CREDITS,
        "holds": frames.HOLDS,
        "touches": frames.TOUCHES,
        "touch_items": frames.TOUCH_ITEMS,
        "episodes": frames.EPISODES,
        "rollups": frames.ROLLUPS,
    }
    return DayBook(**{name: frame(schema, rows.get(name, [])) for name, schema in schemas.items()})
