"""Content hashes: the same rows, the same hash; any other row, another."""

from datetime import date

import polars as pl
import pytest

from recoup.core.hashing import HashRefused, content_hash, decision_hash

ROWS = pl.DataFrame(
    {
        "key": ["b", "a", "dd", "c"],
        "number": [1, None, -300, 2**40],
        "code": ["X", None, "Y", "X"],
        "day": [date(2025, 6, 20), None, date(1969, 12, 31), date(2025, 6, 20)],
        "flag": [True, False, None, True],
        "empty": pl.Series([None] * 4, dtype=pl.Int64),
    }
)


def hash_of(rows):
    return content_hash(rows, ["key"])


def test_the_hash_is_pinned_for_every_process_and_version():
    assert hash_of(ROWS) == "6610ebb3ed5af395e16268c3d10f45c8f6f236d449d2fac9847f2b14f305518f"


def test_order_of_rows_and_columns_chunks_and_width_of_type_do_not_matter():
    pieces = pl.concat([ROWS[3:], ROWS[1:2], ROWS[0:1], ROWS[2:3]], rechunk=False)
    coded = ROWS.with_columns(
        pl.col("code").cast(pl.Enum(["Z", "Y", "X"])), pl.col("flag").cast(pl.Int64), pl.col("empty").cast(pl.Int8)
    )
    for same in (ROWS[::-1], pieces, ROWS.select(reversed(ROWS.columns)), coded, ROWS.sort("key")):
        assert hash_of(same) == hash_of(ROWS)


def test_a_slice_hashes_as_the_same_rows_made_anew():
    rows = pl.DataFrame({"key": ["a", "b", "c", "d"], "flag": [1, 2, 3, 4]}, schema_overrides={"flag": pl.Int8})
    assert hash_of(rows[2:]) == hash_of(pl.DataFrame({"key": ["c", "d"], "flag": [3, 4]}))


@pytest.mark.parametrize(
    "change",
    [
        pl.col("number").fill_null(0),
        pl.col("code").fill_null(""),
        pl.col("flag").fill_null(False),
        pl.col("number") + 1,
        pl.col("code").replace("X", "W"),
        pl.col("key").replace("c", "e"),
        pl.col("number").shift(1),
        pl.lit(0).alias("empty"),
    ],
)
def test_any_other_value_gives_another_hash(change):
    assert hash_of(ROWS.with_columns(change)) != hash_of(ROWS)


def test_names_of_columns_and_limits_between_texts_count():
    assert hash_of(ROWS.rename({"number": "amount"})) != hash_of(ROWS)
    assert hash_of(pl.DataFrame({"key": ["a", "bc"]})) != hash_of(pl.DataFrame({"key": ["ab", "c"]}))
    assert hash_of(ROWS.drop("empty")) != hash_of(ROWS)


def test_one_row_fewer_and_no_row_at_all_give_their_own_hashes():
    assert len({hash_of(ROWS), hash_of(ROWS[:3]), hash_of(ROWS[:1]), hash_of(ROWS[:0])}) == 4


def test_integers_beyond_int64_are_hashed_exactly():
    big = pl.DataFrame({"key": ["a"], "bits": [2**64 - 1]}, schema_overrides={"bits": pl.UInt64})
    assert hash_of(big) != hash_of(big.with_columns(bits=pl.lit(2**64 - 2, pl.UInt64)))


@pytest.mark.parametrize(
    ("rows", "key"),
    [
        (pl.DataFrame({"key": ["a", "a"]}), ["key"]),
        (pl.DataFrame({"key": ["a", "b", "a"]}), ["key"]),
        (pl.DataFrame({"day": [1, 1, 2], "key": ["a", "a", "a"]}), ["day", "key"]),
        (pl.DataFrame({"key": ["a"], "score": [0.5]}), ["key"]),
        (pl.DataFrame({"key": ["a"], "list": [[1]]}), ["key"]),
    ],
)
def test_repeated_keys_and_inexact_columns_are_refused(rows, key):
    with pytest.raises(HashRefused):
        content_hash(rows, key)


def test_a_decision_hash_leaves_out_surrogate_ids_and_nothing_else():
    row = {"run_no": 1, "on": date(2025, 6, 20), "contract_id": 5, "account_id": 6, "contract_key": "C", "x": 1}
    first = decision_hash(pl.DataFrame([row]))
    assert decision_hash(pl.DataFrame([{**row, "run_no": 2, "contract_id": 7, "account_id": 8}])) == first
    assert decision_hash(pl.DataFrame([{**row, "x": 2}])) != first
