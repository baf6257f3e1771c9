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

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.rows import N_CODES, Int64s, Rows, ago_of, pad_flat
from ulm_spark.sequence.snapshot import ARRAYS

_US = 1_000_000
_MOST_AMOUNT = 1e30  # its square is still a number in float64, and itself in float32
_HEADER = 16  # bytes before the first key
_MOST_S = 2**31 - 1
# Least and greatest of each of snapshot.ARRAYS; a gap that is longer than a life is none.
_BOUNDS = ((1, 2**31 - 1), (1, N_CODES - 1), (0, 2**32), (-_MOST_AMOUNT, _MOST_AMOUNT))
Lists = tuple[NDArray[np.generic], Int64s]  # all values behind each other, and how many of each row


def block_of(
    user_ids: Sequence[str] | NDArray[np.object_],
    last_event_at_us: Int64s,
    arrays: Sequence[Lists],
    length: int,
) -> bytes:
    """Columns of silver.sequences as a block. arrays: the columns of snapshot.ARRAYS.

    Errors: TrainingError for values that the table's contract excludes.
    """
    _require_values(arrays)
    if pd.isna(user_ids).any() or (last_event_at_us < 0).any():
        raise refused("a row without user_id, or without a last_event_at since 1970", "both in each row")
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


def _require_values(arrays: Sequence[Lists]) -> None:
    """Raises for arrays that would be learned as something else than what they say."""
    counts = [n_values for _, n_values in arrays]
    if any((n_values != counts[0]).any() for n_values in counts):
        raise refused("arrays of different lengths in a row", f"as many {', '.join(ARRAYS)}")
    for name, (values, _), (least, most) in zip(ARRAYS, arrays, _BOUNDS, strict=True):
        found = [float(values.min(initial=least)), float(values.max(initial=least))]
        if not least <= found[0] <= found[1] <= most:  # what is no number is neither
            raise refused(f"{name} from {found[0]:g} to {found[1]:g}", f"numbers from {least:g} to {most:g}")


def refused(found: str, expected: str) -> TrainingError:
    """Of rows that the contract of silver.sequences excludes."""
    return TrainingError(f"silver.sequences: found {found}; expected {expected}. Run build_sequences again.")


def first_key(block: bytes) -> int:
    """Key of the block's first user, -1 without one; no two row groups of a table share a user."""
    return int.from_bytes(block[_HEADER : _HEADER + 8], sys.byteorder) if _n_rows(block) else -1


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


def is_whole(block: object, length: int) -> bool:
    """True for a block of rows of this length, False for what is left of one."""
    if not isinstance(block, bytes) or len(block) < _HEADER:
        return False
    of_row = int.from_bytes(block[8:_HEADER], sys.byteorder)
    return of_row == length and len(block) == _HEADER + _n_rows(block) * (16 + 13 * length)


def _n_rows(block: bytes) -> int:
    return int.from_bytes(block[:8], sys.byteorder)


def _fill(rows: Rows, block: bytes) -> None:
    """Writes a block to where its rows shall stand, since millions of values are worth no second copy."""
    shape = rows.items.shape
    n_rows, n_cells = len(rows), rows.items.size
    start = _HEADER + 16 * n_rows

    def cells(dtype: type[np.generic], at: int) -> NDArray[np.generic]:
        return np.frombuffer(block, dtype, n_cells, start + at * n_cells).reshape(shape)

    rows.user_key[:] = np.frombuffer(block, np.uint64, n_rows, _HEADER)
    rows.items[:] = cells(np.int32, 0)
    np.subtract(
        np.frombuffer(block, np.int64, n_rows, _HEADER + 8 * n_rows)[:, None], cells(np.int32, 4), out=rows.at_s
    )
    rows.at_s[rows.items == 0] = 0
    rows.amounts[:] = cells(np.float32, 8)
    rows.codes[:] = cells(np.int8, 12)
