"""Content hashes: the same rows give the same hash in any order, slicing, chunking, process, width of type.

BLAKE2b over columns of rows sorted by natural key: per column its name, its nulls and its values. Integers,
days and flags are hashed as little-endian integers of the narrowest width that holds them; strings as numbers
of their sorted distinct values and that list, keys as their lengths and joined bytes. Floats are refused.
"""

import ctypes
import hashlib
from collections.abc import Sequence

import polars as pl

type _Hasher = hashlib.blake2b

_DIGEST_BYTES = 32
_WIDTHS: dict[type[pl.DataType], int] = {pl.Int8: 1, pl.Int16: 2, pl.Int32: 4, pl.Int64: 8, pl.UInt64: 8}
_SURROGATES = ("contract_id", "account_id", "run_no")


class HashRefused(Exception):
    """The rows have no canonical form: a key stands twice, or a column is of a type without an exact one."""


def content_hash(frame: pl.DataFrame, key: Sequence[str], texts: Sequence[str] = ()) -> str:
    """Hash the rows of a frame, unique by `key`, as 64 hex digits. Columns count by name, not by position.

    `texts` are string columns outside the key whose values hardly repeat: hashed as texts like the key,
    faster than by distinct values; the choice is part of the hash. Raises HashRefused for a repeated key or
    a column that is not an integer, Boolean, Date, Datetime or string.
    """
    order = _order_rows(frame, key)
    whole = hashlib.blake2b(_number(frame.height), digest_size=_DIGEST_BYTES)
    for name in sorted(frame.columns):
        whole.update(_number(len(name.encode())) + name.encode())
        whole.update(_digest_column(frame[name], order, as_text=name in (*key, *texts)))
    return whole.hexdigest()


def decision_hash(decisions: pl.DataFrame) -> str:
    """Hash decisions by (on, contract_key), without surrogate ids: equal for a replay and any slicing."""
    return content_hash(decisions.drop(_SURROGATES, strict=False), ("on", "contract_key"), texts=("account_no",))


def _order_rows(frame: pl.DataFrame, key: Sequence[str]) -> pl.Series | None:
    """Row numbers in the order of the key, None when rows stand so; raise HashRefused for a repeat."""
    varying = [name for name in key if frame[name].null_count() or frame[name].min() != frame[name].max()]
    if not varying:
        if frame.height > 1:
            raise HashRefused(f"rows are not unique by {', '.join(key)}")
        return None
    keys, order = frame.select(varying), None
    if len(varying) > 1 or not keys.to_series().is_sorted():
        order = keys.to_series().arg_sort() if len(varying) == 1 else keys.select(pl.arg_sort_by(varying)).to_series()
        keys = keys.select(pl.all().gather(order))
    same = pl.all_horizontal(pl.all().eq_missing(pl.all().shift(1)))
    if keys.select(same.slice(1).any()).item():
        raise HashRefused(f"rows are not unique by {', '.join(key)}")
    return order


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _digest_column(column: pl.Series, order: pl.Series | None, *, as_text: bool) -> bytes:
    hasher = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    if column.null_count():
        _feed_integers(hasher, column.is_null(), order)
    if column.null_count() == len(column):
        return hasher.digest()
    dtype = column.dtype
    if dtype in (pl.String, pl.Enum, pl.Categorical):
        if as_text:
            _feed_text(hasher, column.cast(pl.String), order)
        else:
            _feed_codes(hasher, column, order)
    elif dtype.is_integer() or dtype in (pl.Boolean, pl.Date, pl.Datetime):
        _feed_integers(hasher, column, order)
    else:
        raise HashRefused(f"column {column.name} is {dtype}")
    return hasher.digest()


def _feed_text(hasher: _Hasher, texts: pl.Series, order: pl.Series | None) -> None:
    """Feed the length of each text and all texts joined; a null is an empty text."""
    ordered = texts if order is None else texts.gather(order)
    _feed_integers(hasher, ordered.str.len_bytes(), None)
    hasher.update(ordered.fill_null("").str.join("").item().encode())


def _feed_codes(hasher: _Hasher, texts: pl.Series, order: pl.Series | None) -> None:
    """Feed the sorted distinct values and each row's place among them."""
    distinct = texts.drop_nulls().unique().cast(pl.String).sort()
    hasher.update(_number(len(distinct)))
    _feed_text(hasher, distinct, None)
    if len(distinct) == 1:  # a null counts as the first place: all rows stand there
        _feed_zeros(hasher, len(texts))
    else:
        _feed_integers(hasher, _find_places(texts, distinct), order)


def _find_places(texts: pl.Series, distinct: pl.Series) -> pl.Series:
    """The place of each value among the sorted distinct ones; codes of an Enum need not become texts for it."""
    if isinstance(texts.dtype, pl.Enum):
        places = texts.dtype.categories.cast(pl.Enum(distinct), strict=False).to_physical()
        return places.gather(texts.to_physical())
    return texts.cast(pl.Enum(distinct))


def _feed_zeros(hasher: _Hasher, count: int) -> None:
    """Feed what `_feed_integers` feeds of a column of zeros."""
    hasher.update(_number(1))
    hasher.update(bytes(count))


def _feed_integers(hasher: _Hasher, column: pl.Series, order: pl.Series | None) -> None:
    """Feed integers, days, flags or codes at the narrowest width that holds them; a null counts as zero."""
    numbers = column.cast(pl.UInt8) if column.dtype == pl.Boolean else column.to_physical()
    filled = numbers.fill_null(0)
    width = _find_width(filled)
    narrow = filled.cast(width)
    hasher.update(_number(_WIDTHS[width]))
    _feed_buffers(hasher, narrow if order is None else narrow.gather(order), _WIDTHS[width])


def _find_width(numbers: pl.Series) -> type[pl.DataType]:
    """Narrowest signed type of the values, whatever type carries them; UInt64 beyond Int64."""
    if numbers.is_empty():
        return pl.Int8
    low, high = int(numbers.min()), int(numbers.max())  # type: ignore[arg-type]
    for width, size in _WIDTHS.items():
        if width != pl.UInt64 and -(1 << (8 * size - 1)) <= low and high < 1 << (8 * size - 1):
            return width
    return pl.UInt64


class _ArrowArray(ctypes.Structure):
    """Struct ArrowArray of the Arrow C data interface."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("private_data", ctypes.c_void_p),
    )


class _ArrowStream(ctypes.Structure):
    """Struct ArrowArrayStream of the Arrow C stream interface."""

    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_ArrowArray))),
        ("get_last_error", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_open_capsule = ctypes.pythonapi.PyCapsule_GetPointer
_open_capsule.restype = ctypes.c_void_p
_open_capsule.argtypes = (ctypes.py_object, ctypes.c_char_p)


def _feed_buffers(hasher: _Hasher, column: pl.Series, size: int) -> None:
    """Feed the value buffers of a column without nulls, read in place.

    Polars alone gives no bytes, and a file format would put its headers and versions into the hash.
    """
    capsule = column.__arrow_c_stream__(None)
    stream = _ArrowStream.from_address(_open_capsule(capsule, b"arrow_array_stream"))
    while True:
        array = _ArrowArray()
        if stream.get_next(ctypes.addressof(stream), ctypes.byref(array)):
            raise HashRefused(f"column {column.name} cannot be read")
        if not array.release:
            return
        if array.length:
            start = array.buffers[1] + array.offset * size
            hasher.update((ctypes.c_char * (array.length * size)).from_address(start))
        array.release(ctypes.addressof(array))
