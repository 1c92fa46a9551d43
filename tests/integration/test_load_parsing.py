"""Reading text exactly: the same numbers as Python's Decimal, whole lines whatever the block size."""

import io
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from recoup.domains.feeds import parsing
from recoup.domains.feeds.lines import Block, LongLine, read_blocks


def scaled(texts: list[str], scale: int) -> list[int | None]:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    return frame.select(parsing.parse_scaled(parsing.clean(pl.col("text")), scale)).to_series().to_list()


@given(st.decimals(-(10**12), 10**12, places=4, allow_nan=False))
@settings(max_examples=200, deadline=None)
def test_a_number_is_read_as_decimal_reads_it(number: Decimal) -> None:
    assert scaled([f"{number:f}"], 4) == [int(number.scaleb(4))]


def test_what_is_no_number_or_has_too_many_digits_is_not_read() -> None:
    wrong = ["", "x", "1,5", "1.2.3", "--1", "1-", ".", "-", "+", "-.", "+.", "1e3", "0x1", "1_000", "1 000"]
    wrong += ["١", "1.00001", "NaN", "inf", "∞", "1.-5", "1.+5", "\\N"]
    assert scaled(wrong, 4) == [None] * len(wrong)


def test_signs_points_and_trailing_zeros_are_read() -> None:
    assert scaled(["-0.5", "+1", ".25", "3.", " 7 ", "1.500000", "-0"], 4) == [
        -5000,
        10000,
        2500,
        30000,
        70000,
        15000,
        0,
    ]


def test_a_number_beyond_64_bits_is_not_read() -> None:
    assert scaled(["9" * 16, "99999999999999"], 4) == [None, 999999999999990000]


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"x")), max_size=30), st.integers(1, 64))
@settings(max_examples=200, deadline=None)
def test_blocks_of_any_size_hold_all_lines_at_their_place(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    blocks = list(read_blocks(io.BytesIO(data), 0, size))
    assert b"".join(block.data for block in blocks if isinstance(block, Block)) == data
    for block in blocks:
        assert isinstance(block, Block)
        assert data[block.offset :].startswith(block.data)


def test_an_endless_line_is_read_over_and_its_place_and_length_kept() -> None:
    data = b"a,b\n" + b"x" * 3_000_000 + b"\nc,d\n" + b"y" * 2_000_000
    found = list(read_blocks(io.BytesIO(data), 0, 64 << 10))
    assert [(part.offset, part.length) for part in found if isinstance(part, LongLine)] == [
        (4, 3_000_000),
        (3_000_009, 2_000_000),
    ]
    assert b"".join(part.data for part in found if isinstance(part, Block)) == b"a,b\nc,d\n"
