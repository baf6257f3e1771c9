"""A row group as one piece of memory: padded rows as bytes, which travel and rest without being taken apart.

Layout: two int64, the rows n and the length; then user_key [n] int64, last_s [n] int64, items [n, length] int32,
ago [n, length] int32 (seconds from the event to the last one), amounts [n, length] float32 and codes [n, length] int8,
each in C order.
"""

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ulm_spark.sequence.rows import Int64s, Rows, ago_of, pad_flat

_US = 1_000_000
_MOST_S = 2**31 - 1
Lists = tuple[NDArray[np.generic], Int64s]  # all values behind each other, and how many of each row


def block_of(
    user_ids: Sequence[str] | NDArray[np.object_],
    last_event_at_us: Int64s,
    arrays: Sequence[Lists],
    length: int,
) -> bytes:
    """Columns of silver.sequences as a block. arrays: the columns of snapshot.ARRAYS."""
    items, codes, gaps, amounts = (pad_flat(flat, n_values, length) for flat, n_values in arrays)
    padded = items.astype(np.int32)
    ago = np.minimum(ago_of(gaps.astype(np.int64)), _MOST_S).astype(np.int32)
    # The hash's sign bit is given up, since a signed key sorts and travels anywhere.
    keys = (pd.util.hash_array(np.asarray(user_ids, object)) >> np.uint64(1)).astype(np.int64)
    parts = (
        np.array(padded.shape, np.int64),
        keys,
        last_event_at_us // _US,
        padded,
        np.where(padded > 0, ago, 0).astype(np.int32),
        amounts.astype(np.float32),
        codes.astype(np.int8),
    )
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def first_key(block: bytes) -> int:
    """Key of the block's first user, -1 without one; no two row groups of a table share a user."""
    return int.from_bytes(block[16:24], sys.byteorder) if _n_rows(block) else -1


def rows_of(blocks: Sequence[bytes], length: int) -> Rows:
    """The rows of all blocks, in order. length: that of their rows, and of no rows where there is no block."""
    counts = [_n_rows(block) for block in blocks]
    n_rows = sum(counts)
    rows = Rows(
        np.empty(n_rows, np.uint64),
        np.empty((n_rows, length), np.int32),
        np.empty((n_rows, length), np.int32),
        np.empty((n_rows, length), np.int64),
        np.empty((n_rows, length), np.float32),
    )
    end = 0
    for block, n_block in zip(blocks, counts, strict=True):
        start, end = end, end + n_block
        _fill(rows.slice(start, end), block)
    return rows


def _n_rows(block: bytes) -> int:
    return int.from_bytes(block[:8], sys.byteorder)


def _fill(rows: Rows, block: bytes) -> None:
    """Writes a block to where its rows shall stand, since millions of values are worth no second copy."""
    shape = rows.items.shape
    n_rows, n_cells = len(rows), rows.items.size
    start = 16 + 16 * n_rows

    def cells(dtype: type[np.generic], at: int) -> NDArray[np.generic]:
        return np.frombuffer(block, dtype, n_cells, start + at * n_cells).reshape(shape)

    rows.user_key[:] = np.frombuffer(block, np.uint64, n_rows, 16)
    rows.items[:] = cells(np.int32, 0)
    np.subtract(np.frombuffer(block, np.int64, n_rows, 16 + 8 * n_rows)[:, None], cells(np.int32, 4), out=rows.at_s)
    rows.at_s[rows.items == 0] = 0
    rows.amounts[:] = cells(np.float32, 8)
    rows.codes[:] = cells(np.int8, 12)
