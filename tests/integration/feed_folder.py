"""Writes folders of the documented format for tests: a small true book, and whatever a test breaks in it."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

type Rows = Sequence[Mapping[str, Any]]

AS_OF = "2025-03-01T00:00:00+08:00"

UNITS: Rows = [
    {"code": "C", "name": "供电公司", "kind": "COMPANY", "parent": ""},
    {"code": "S1", "name": "城东站", "kind": "STATION", "parent": "C"},
]


def parties(count: int) -> Rows:
    """Parties P1…, each with a phone and an identity number."""
    return [
        {
            "party": f"P{n}",
            "name": f"客户{n}",
            "kind": "PERSON",
            "phone": f"1380000{n:04}",
            "id_no": f"37010119800101{n:04}",
        }
        for n in range(1, count + 1)
    ]


def accounts(count: int) -> Rows:
    """Accounts of station S1."""
    return [
        {"account_no": f"37{n:011}", "old_account_no": f"{n:010}", "org_unit": "S1", "address": f"和平路{n}号"}
        for n in range(1, count + 1)
    ]


def contracts(count: int) -> Rows:
    """One contract per party and account."""
    return [
        {
            "contract": f"K{n}",
            "account_no": f"37{n:011}",
            "party": f"P{n}",
            "class": "RESIDENTIAL",
            "jurisdiction": "cn/shandong",
            "valid_from": "2020-01-01",
            "due_days": 30,
            "agreed_rate_permille": "1.5" if n == 1 else "",
        }
        for n in range(1, count + 1)
    ]


def services(count: int) -> Rows:
    """One service point per contract."""
    return [
        {
            "service_point": f"SP{n}",
            "contract": f"K{n}",
            "tariff": "residential-tiered",
            "class": "RESIDENTIAL",
            "valid_from": "2020-01-01",
        }
        for n in range(1, count + 1)
    ]


def readings(count: int, *, month: int = 1, index: str = "100.5") -> Rows:
    """One reading per service point on the first of a month."""
    return [
        {
            "service_point": f"SP{n}",
            "meter": f"M{n}",
            "read_on": f"2025-{month:02}-01",
            "index_from": "0",
            "index": index,
            "multiplier": "1",
            "months": "1",
            "stated_kwh": "",
        }
        for n in range(1, count + 1)
    ]


def payment(key: str, amount: str, **changed: Any) -> dict[str, Any]:
    """A payment of contract K1."""
    return {
        "channel": "BANK",
        "channel_key": key,
        "contract": "K1",
        "value_on": "2025-02-01",
        "received_on": "2025-02-02",
        "amount": amount,
        "denom": "CNY",
        **changed,
    }


def base(count: int = 3) -> dict[str, Rows]:
    """The master data of a small book."""
    return {
        "org_units": UNITS,
        "parties": parties(count),
        "accounts": accounts(count),
        "contracts": contracts(count),
        "services": services(count),
    }


def write(
    folder: Path,
    entities: Mapping[str, Rows | str | bytes],
    *,
    feed: str = "billing",
    as_of: str = AS_OF,
    sums: Mapping[str, Mapping[str, str]] | None = None,
    rows: Mapping[str, int] | None = None,
    **manifest: Any,
) -> Path:
    """Write a folder: rows become CSV, text and bytes go as they are. `rows` and `sums` override the totals."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for entity, given in entities.items():
        data = _as_csv(given) if not isinstance(given, str | bytes) else given
        raw = data.encode() if isinstance(data, str) else data
        (folder / f"{entity}.csv").write_bytes(raw)
        files.append(
            {
                "name": f"{entity}.csv",
                "entity": entity,
                "rows": (rows or {}).get(entity, max(0, len(raw.splitlines()) - 1)),
                "sums": dict((sums or {}).get(entity, {})),
            }
        )
    told = {"feed": feed, "source": "erp", "as_of": as_of, "simulated": False, **manifest, "files": files}
    (folder / "manifest.json").write_text(json.dumps(told, ensure_ascii=False))
    return folder


def _as_csv(rows: Rows) -> str:
    out = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def total(rows: Rows, column: str) -> str:
    """The sum of a column as the sender would state it."""
    return str(sum(Decimal(str(row[column])) for row in rows if row[column] != ""))
