"""Whole lines of a file in blocks, so that neither a big file nor an endless line fills the memory."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BLOCK_BYTES = 4 << 20
LINE_LIMIT = 1 << 20
_SHOWN = 200


class Block(NamedTuple):
    """Whole lines and the place of the first of them in the file."""

    data: bytes
    offset: int


class LongLine(NamedTuple):
    """A line above the limit: its place, its length without the line end, and how it begins."""

    offset: int
    length: int
    head: bytes


def read_blocks(file: BinaryIO, offset: int, size: int = BLOCK_BYTES) -> Iterator[Block | LongLine]:
    """Cut the rest of a file, which begins at `offset`, into blocks of whole lines.

    A line that does not end within the limit is read over, not kept, and reported by itself. Long lines that happen
    to lie within a block stay in it: the reader of the block sees their length.
    """
    carry = b""
    while chunk := file.read(size):
        data = carry + chunk
        cut = data.rfind(b"\n") + 1
        if cut:
            yield Block(data[:cut], offset)
            offset += cut
        carry = data[cut:]
        if len(carry) > LINE_LIMIT:
            line, carry = _skip_line(file, carry, offset, size)
            yield line
            offset += line.length + 1
    if carry:
        yield Block(carry, offset)


def _skip_line(file: BinaryIO, begun: bytes, offset: int, size: int) -> tuple[LongLine, bytes]:
    """Read on to the end of a line; return what it was and the bytes after it."""
    length = len(begun)
    while chunk := file.read(size):
        cut = chunk.find(b"\n")
        if cut >= 0:
            return LongLine(offset, length + cut, begun[:_SHOWN]), chunk[cut + 1 :]
        length += len(chunk)
    return LongLine(offset, length, begun[:_SHOWN]), b""
