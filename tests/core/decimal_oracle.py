"""The plain loop that says what rating should give: one determinant at a time, in Decimal.

It emits the same rows as `recoup.core.rating.rate`, columns of LINES, and serves as oracle here and as the
yardstick of `make bench`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

type Row = Mapping[str, Any]
type Line = tuple[Any, ...]

_ZERO = Decimal(0)
_WH = Decimal(1000)
_E8 = Decimal(10**8)
_DAY = timedelta(days=1)


def rate_one_by_one(determinants: Iterable[Row], tariff_blocks: Iterable[Row]) -> Iterator[Line]:
    """Yield the lines of each determinant, as tuples in the order of LINES."""
    validities = _group(tariff_blocks)
    for row in determinants:
        blocks = _find(validities[row["tariff"]], row["period_to"] - _DAY)
        yield from _lines(row, blocks)


def _group(tariff_blocks: Iterable[Row]) -> dict[str, list[list[Row]]]:
    by_tariff: dict[str, dict[date, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for block in tariff_blocks:
        by_tariff[block["tariff"]][block["valid_from"]].append(block)
    return {
        tariff: [sorted(blocks, key=lambda block: block["block"]) for blocks in found.values()]
        for tariff, found in by_tariff.items()
    }


def _find(validities: list[list[Row]], day: date) -> list[Row]:
    for blocks in validities:
        first = blocks[0]
        if first["valid_from"] <= day and (first["valid_to"] is None or day < first["valid_to"]):
            return blocks
    raise LookupError(day)


def _lines(row: Row, blocks: list[Row]) -> Iterator[Line]:
    rule = blocks[0]["rule"]
    months = {"BLOCKS_PER_MONTH": row["months"], "BLOCKS_PER_TIER_YEAR": row["tier_months"]}.get(rule, 1)
    start = Decimal(row["ytd_wh"]) if rule == "BLOCKS_PER_TIER_YEAR" else _ZERO
    quantity = Decimal(row["quantity"])
    free = min(Decimal(row["free_wh"]), quantity)
    number = 0
    if free > 0:
        number += 1
        yield _line(row, blocks[0], number, free, is_free=True)
    begin, end = start + free, start + quantity
    for place, block in enumerate(blocks):
        upto = end if block["upto_wh"] is None else Decimal(block["upto_wh"]) * months
        inside = min(end, upto) - max(begin, Decimal(block["from_wh"]) * months)
        if inside > 0 or (quantity == 0 and place == 0):
            number += 1
            yield _line(row, block, number, inside if inside > 0 else _ZERO, is_free=False)


def _line(row: Row, block: Row, number: int, quantity: Decimal, *, is_free: bool) -> Line:
    price = _ZERO if is_free else Decimal(block["price_e8"])
    amount = quantity / _WH * price / _E8 * block["minor_per_major"]
    return (
        row["contract_id"],
        row["service_id"],
        row["bill_on"],
        row["part"],
        row["period_from"],
        number,
        "ENERGY",
        block["rule_id"] + (":FREE" if is_free else ""),
        block["param_id"],
        0 if is_free else block["block"],
        int(quantity),
        int(price),
        int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP)),
        block["denom"],
    )
