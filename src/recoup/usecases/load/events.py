"""Targets of events: readings, payments, touches and the items they named, holds."""

import polars as pl

from recoup.domains.feeds.layouts import HOLD_PROCESSES
from recoup.usecases.load.targets import FOUND_CONTRACT, Context, Reference, Target

READINGS = Target(
    entity="readings",
    key=("service_point", "meter", "register", "read_on", "part", "source"),
    payload=("index_from_e4", "index_e4", "multiplier_e4", "months", "stated_wh"),
    known="reading",
    shown="reading",
    versioned=True,
    references=(
        Reference(
            "service_point",
            "UNKNOWN_SERVICE_POINT",
            "EXISTS (SELECT 1 FROM service v WHERE v.service_point = s.service_point)",
        ),
    ),
    inserts=(
        """
        INSERT INTO reading (service_point, meter, register, read_on, part, source, version, index_from_e4, index_e4,
                             multiplier_e4, months, stated_wh, content_hash, load_id)
        SELECT s.service_point, s.meter, s.register, s.read_on, s.part, s.source, s.version, s.index_from_e4,
               s.index_e4, s.multiplier_e4, s.months, s.stated_wh, {hash}, %(load)s
        FROM {rows} s WHERE EXISTS (SELECT 1 FROM service v WHERE v.service_point = s.service_point)
        """,
    ),
)


def _repeats_own_key(table: str, column: str, within: str = "") -> Reference:
    """A correction must carry the key of what it corrects: it may not name another stored or staged row."""
    named = f"x.{column} = s.supersedes{within}"
    return Reference(
        "supersedes",
        "SUPERSEDES_OTHER_KEY",
        f"(s.supersedes IS NULL OR s.supersedes = s.{column} OR NOT ("
        f"EXISTS (SELECT 1 FROM {table} x WHERE {named}) OR EXISTS (SELECT 1 FROM staged x WHERE {named})))",
    )


PAYMENTS = Target(
    entity="payments",
    key=("channel", "channel_key"),
    payload=("contract", "value_on", "received_on", "amount_minor", "denom", "designation"),
    payload_since=("reverses",),
    known="payment",
    shown="(SELECT p.*, c.contract_key AS contract FROM payment p JOIN contract c USING (contract_id))",
    versioned=True,
    references=(FOUND_CONTRACT, _repeats_own_key("payment", "channel_key", " AND x.channel = s.channel")),
    inserts=(
        """
        INSERT INTO payment (channel, channel_key, version, contract_id, value_on, received_on, amount_minor, denom,
                             designation, reverses, simulated, content_hash, load_id)
        SELECT s.channel, s.channel_key, s.version, c.contract_id, s.value_on, s.received_on, s.amount_minor,
               s.denom, s.designation, s.reverses, %(simulated)s, {hash}, %(load)s
        FROM {rows} s JOIN contract c ON c.contract_key = s.contract
        """,
    ),
)

_TOUCH_STORED = """
    (SELECT t.*, 1 AS version, c.contract_key AS contract FROM touch t JOIN contract c USING (contract_id))
"""

TOUCHES = Target(
    entity="touches",
    key=("contract", "sent_on", "action_code"),
    payload=("stage", "channel", "delivered_on", "proof", "result"),
    known=_TOUCH_STORED,
    shown=_TOUCH_STORED,
    references=(FOUND_CONTRACT,),
    # A contact is proven when its delivery or another proof is stated: a message merely sent is not.
    inserts=(
        """
        INSERT INTO touch (contract_id, decided_on, action_code, stage, channel, sent_on, delivered_on, proof,
                           proven, result, simulated, origin, content_hash, load_id)
        SELECT c.contract_id, s.sent_on, s.action_code, s.stage, s.channel, s.sent_on, s.delivered_on, s.proof,
               s.delivered_on IS NOT NULL OR s.proof IS NOT NULL, s.result, %(simulated)s, 'IMPORT', {hash}, %(load)s
        FROM {rows} s JOIN contract c ON c.contract_key = s.contract
        """,
    ),
)

_TOUCH_ITEM_STORED = """
    (SELECT t.*, 1 AS version, t.decided_on AS sent_on, c.contract_key AS contract
     FROM touch_item t JOIN contract c USING (contract_id))
"""

TOUCH_ITEMS = Target(
    entity="touch_items",
    key=("contract", "sent_on", "action_code", "item_key"),
    payload=("amount_minor",),
    known=_TOUCH_ITEM_STORED,
    shown=_TOUCH_ITEM_STORED,
    references=(
        FOUND_CONTRACT,
        Reference(
            "action_code",
            "UNKNOWN_TOUCH",
            "EXISTS (SELECT 1 FROM touch t JOIN contract c USING (contract_id) WHERE c.contract_key = s.contract "
            "AND t.decided_on = s.sent_on AND t.action_code = s.action_code)",
        ),
    ),
    inserts=(
        """
        INSERT INTO touch_item (contract_id, decided_on, action_code, item_key, amount_minor, content_hash, load_id)
        SELECT t.contract_id, t.decided_on, t.action_code, s.item_key, s.amount_minor, {hash}, %(load)s
        FROM {rows} s JOIN contract c ON c.contract_key = s.contract
        JOIN touch t ON t.contract_id = c.contract_id AND t.decided_on = s.sent_on AND t.action_code = s.action_code
        """,
    ),
)

_STOPS = {f"stops_{process.lower()}": process for process in HOLD_PROCESSES}


def _split_processes(rows: pl.DataFrame, _: Context) -> pl.DataFrame:
    """Turn LATE_CHARGE|DUN into one flag per process."""
    stopped = pl.col("processes").str.split("|")
    return rows.with_columns(stopped.list.contains(process).alias(flag) for flag, process in _STOPS.items())


_FLAGS = ", ".join(_STOPS)

HOLDS = Target(
    entity="holds",
    key=("hold_key",),
    payload=("contract", "item_key", *_STOPS, "reason", "valid_from", "valid_to", "evidence"),
    known="hold",
    shown="(SELECT h.*, c.contract_key AS contract FROM hold h JOIN contract c USING (contract_id))",
    versioned=True,
    references=(FOUND_CONTRACT, _repeats_own_key("hold", "hold_key")),
    columns={
        **{name: "text" for name in ("hold_key", "contract", "item_key", "reason", "evidence", "supersedes")},
        **{name: "date" for name in ("valid_from", "valid_to")},
        **dict.fromkeys(_STOPS, "boolean"),
        "as_of": "timestamptz",
    },
    prepare=_split_processes,
    inserts=(
        f"""
        INSERT INTO hold (hold_key, version, contract_id, item_key, {_FLAGS}, reason, valid_from, valid_to, evidence,
                          content_hash, load_id)
        SELECT s.hold_key, s.version, c.contract_id, s.item_key, {_FLAGS}, s.reason, s.valid_from, s.valid_to,
               s.evidence, {{hash}}, %(load)s
        FROM {{rows}} s JOIN contract c ON c.contract_key = s.contract
        """,
    ),
)
