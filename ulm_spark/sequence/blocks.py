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
    return int.from_bytes(block[16:24], sys.byteorder) if int.from_bytes(block[:8], sys.byteorder) else -1


def rows_of(block: bytes) -> Rows:
    """The rows of a block."""
    n_rows, length = (int(number) for number in np.frombuffer(block, np.int64, 2))
    keys = np.frombuffer(block, np.int64, n_rows, 16)
    last_s = np.frombuffer(block, np.int64, n_rows, 16 + 8 * n_rows)
    n_cells, start = n_rows * length, 16 + 16 * n_rows
    items = np.frombuffer(block, np.int32, n_cells, start).reshape(n_rows, length)
    ago = np.frombuffer(block, np.int32, n_cells, start + 4 * n_cells).reshape(n_rows, length)
    amounts = np.frombuffer(block, np.float32, n_cells, start + 8 * n_cells).reshape(n_rows, length)
    codes = np.frombuffer(block, np.int8, n_cells, start + 12 * n_cells).reshape(n_rows, length)
    at_s = np.where(items > 0, last_s[:, None] - ago, 0)
    return Rows(keys.astype(np.uint64), items, codes.astype(np.int32), at_s, amounts)
