"""`recoup dump --canonical`: the state by natural keys only, equal for equal states.

No surrogate id, no run number, no instant, no transaction. One JSON object per row, rows sorted by natural key.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from recoup.database.bulk import Cursor
from recoup.database.connect import connect


class Section(NamedTuple):
    """A kind of row, its SELECT with named columns, and the columns that order it."""

    name: str
    query: str
    order: str


class Digest(NamedTuple):
    """A section's number of rows and BLAKE2b digest."""

    section: str
    rows: int
    digest: str


_KEY = "c.contract_key AS contract"
_CONTRACT = "JOIN contract c USING (contract_id)"

SECTIONS: tuple[Section, ...] = (
    Section(
        "contracts",
        f"""
        SELECT {_KEY}, a.account_no, p.code AS party, c.group_key, c.class, c.jurisdiction, c.valid_from, c.valid_to
        FROM contract c JOIN account a USING (account_id) JOIN party p USING (party_id)
        """,
        "contract",
    ),
    Section(
        "bills",
        f"""
        SELECT b.bill_no, {_KEY}, b.booked_on, b.period_from, b.period_to, b.part, b.version, b.issued_on, b.due_on,
               b.months, b.energy_wh, b.read_wh, b.energy_source, b.reading_key, b.amount_minor, b.denom
        FROM bill b {_CONTRACT}
        """,
        "bill_no",
    ),
    Section(
        "bill_lines",
        """
        SELECT b.bill_no, l.line, l.component, l.rule_id, l.param_id, l.block, l.quantity, l.price_e8, l.amount_minor
        FROM bill_line l JOIN bill b USING (bill_id, booked_on)
        """,
        "bill_no, line",
    ),
    Section(
        "open_items",
        f"""
        SELECT i.item_key, i.origin_kind, {_KEY}, i.component, i.subject, i.denom, i.amount_minor,
               coalesce(o.open_minor, 0) AS open_minor, i.booked_on, i.issued_on, i.value_on, i.due_on,
               i.overdue_from_on, i.period_from, p.item_key AS charge_of, d.item_key AS designation, i.state
        FROM open_item i {_CONTRACT}
        LEFT JOIN item_open o USING (item_id)
        LEFT JOIN open_item p ON p.item_id = i.charge_of
        LEFT JOIN open_item d ON d.item_id = i.designation
        """,
        "item_key",
    ),
    Section(
        "allocations",
        f"""
        SELECT m.item_key AS credit, d.item_key AS debit, {_KEY}, a.value_on, a.booked_on, a.amount_minor, a.rule
        FROM allocation a {_CONTRACT}
        JOIN open_item m ON m.item_id = a.credit_id JOIN open_item d ON d.item_id = a.debit_id
        """,
        "credit, debit, value_on, booked_on, rule, amount_minor",
    ),
    Section(
        "entries",
        f"""
        SELECT e.kind, e.origin_key, {_KEY}, e.value_on, e.booked_on, r.origin_key AS reverses
        FROM entry e {_CONTRACT} LEFT JOIN entry r ON r.entry_id = e.reverses
        """,
        "kind, origin_key, value_on, booked_on",
    ),
    Section(
        "postings",
        f"""
        SELECT e.kind, e.origin_key, e.value_on, e.booked_on, {_KEY}, p.subject, p.denom, p.amount_minor
        FROM posting p JOIN entry e USING (entry_id, booked_on) JOIN contract c ON c.contract_id = p.contract_id
        """,
        "kind, origin_key, value_on, booked_on, subject, contract, denom, amount_minor",
    ),
    Section(
        "balances",
        "SELECT subject, denom, month_on, amount_minor FROM balance WHERE amount_minor <> 0",
        "subject, denom, month_on",
    ),
    Section(
        "payments",
        f"""
        SELECT p.channel, p.channel_key, p.version, {_KEY}, p.value_on, p.received_on, p.amount_minor, p.denom,
               p.designation, p.reverses, p.simulated
        FROM payment p {_CONTRACT}
        """,
        "channel, channel_key, version",
    ),
    Section(
        "holds",
        f"""
        SELECT h.hold_key, h.version, {_KEY}, h.item_key, h.stops_late_charge, h.stops_dun, h.stops_debit,
               h.stops_disconnect, h.stops_refund, h.reason, h.valid_from, h.valid_to
        FROM hold h {_CONTRACT}
        """,
        "hold_key, version",
    ),
    Section(
        "actions",
        f"""
        SELECT {_KEY}, a.decided_on, a.action_code, a.channel, a.stage, a.org_unit, a.overdue_minor, a.denom, a.items,
               a.simulated
        FROM action a {_CONTRACT}
        """,
        "contract, decided_on, action_code",
    ),
    Section(
        "touches",
        f"""
        SELECT {_KEY}, t.decided_on, t.action_code, t.stage, t.channel, t.sent_on, t.delivered_on, t.proof, t.proven,
               t.result, t.simulated, t.origin
        FROM touch t {_CONTRACT}
        """,
        "contract, decided_on, action_code",
    ),
    Section(
        "touch_items",
        f"SELECT {_KEY}, t.decided_on, t.action_code, t.item_key, t.amount_minor FROM touch_item t {_CONTRACT}",
        "contract, decided_on, action_code, item_key",
    ),
    Section(
        "outcomes",
        f"""
        SELECT {_KEY}, o.decided_on, o.action_code, o.version, o.result, o.happened_on, o.promise_on, o.promise_minor,
               o.note, o.recorded_by
        FROM outcome o {_CONTRACT}
        """,
        "contract, decided_on, action_code, version",
    ),
    Section(
        "enrolments",
        f"SELECT {_KEY}, e.episode_from_on, e.strategy, e.version, e.arm FROM enrolment e {_CONTRACT}",
        "contract, episode_from_on",
    ),
    Section("episodes", f"SELECT {_KEY}, e.episode_from_on FROM episode e {_CONTRACT}", "contract"),
    Section(
        "rollups",
        f"""
        SELECT {_KEY}, r.month_on, r.bills, r.late_bills, r.days_late, r.max_overdue_minor, r.contacts
        FROM rollup r {_CONTRACT}
        """,
        "contract, month_on",
    ),
    Section(
        "issues",
        """
        SELECT r.business_on, u.kind, u.key, u.field, u.detail, c.contract_key AS contract
        FROM run_issue u JOIN run r USING (run_no) LEFT JOIN contract c USING (contract_id)
        """,
        "business_on, kind, key, field, detail, contract",
    ),
    Section(
        "cutoffs",
        """
        SELECT c.business_on, c.signed_by, c.content_hash, f.org_unit, f.class, f.measure, f.part, f.rows,
               f.amount_minor
        FROM cutoff c JOIN cutoff_figure f USING (business_on)
        """,
        "business_on, org_unit, class, measure, part",
    ),
    Section(
        "targets",
        "SELECT org_unit, measure, valid_from, version, share_ppm, set_by FROM target",
        "org_unit, measure, valid_from, version",
    ),
    Section(
        "runs",
        "SELECT flow, mode, business_on, state, rulebook_hash, content_hash FROM run WHERE state = 'DONE'",
        "flow, mode, business_on",
    ),
)


def dump_lines(sections: tuple[Section, ...] = SECTIONS) -> Iterator[tuple[str, str]]:
    """Yield (section, line) of the whole state under one snapshot of the database, as the reader."""
    with connect("reader") as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for section in sections:
            for line in _read(cursor, section):
                yield section.name, line


def _read(cursor: Cursor, section: Section) -> Iterator[str]:
    """Stream a section's rows as JSON objects that begin with their section's name, in C order of their key."""
    order = ", ".join(f'(k."{name.strip()}")::text COLLATE "C"' for name in section.order.split(","))
    statement = f"""
        COPY (SELECT row_to_json(whole) FROM (SELECT '{section.name}' AS section, k.* FROM ({section.query}) k
              ORDER BY {order}) whole) TO STDOUT
    """
    with cursor.copy(statement.encode()) as copy:
        for row in copy.rows():
            yield str(row[0])


def digest_sections() -> list[Digest]:
    """Return rows and digest per section; equal states have equal digests."""
    hashers = {section.name: hashlib.blake2b(digest_size=32) for section in SECTIONS}
    rows = dict.fromkeys(hashers, 0)
    for name, line in dump_lines():
        hashers[name].update(line.encode() + b"\n")
        rows[name] += 1
    return [Digest(name, rows[name], hasher.hexdigest()) for name, hasher in hashers.items()]
