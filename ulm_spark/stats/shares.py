"""On how many names do a user's counts lie, and how evenly? Distinct names, entropy and the top of each window."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ulm_spark.stats.histories import Floats, Ints, Spans

_MOST_CELLS = 1 << 22  # of a dense table of questions by names, 32 MB
_MOST_ENTRIES = 1 << 22
_DENSE = 256  # names, up to which a table is kept that small


@dataclass(frozen=True)
class Entries:
    """Named counts of rows, flat, in the order of their rows.

    offsets: [n_rows + 1] int64, where each row's entries begin. code: [n_entries] int64, the place of the name among
    all n_names, sorted. count: [n_entries] int64, above 0.
    """

    offsets: Ints
    code: Ints
    count: Ints
    n_names: int


@dataclass(frozen=True)
class Tally:
    """The names of each of n questions, as statistics.

    n_distinct: [n] int64. total: [n] int64, the sum of the counts. top: [n] int64, code of the largest count, the
    lowest on a tie, -1 without any. top_count: [n] int64. entropy: [n] float64 in nats, NaN without any.
    """

    n_distinct: Ints
    total: Ints
    top: Ints
    top_count: Ints
    entropy: Floats


def tally(entries: Entries, spans: Spans) -> Tally:
    """Sums each span's counts by name.

    Formula: entropy = ln N - (sum c ln c) / N over the counts c with sum N (Shannon 1948), never below 0.
    Rule:    worked in parts of questions, so that memory is bounded whatever the spans overlap.
    """
    n = len(spans)
    starts, ends = entries.offsets[spans.first], entries.offsets[spans.end]
    n_distinct, total, top_count = (np.zeros(n, dtype=np.int64) for _ in range(3))
    found = Tally(n_distinct, total, np.full(n, -1), top_count, np.full(n, np.nan))
    lengths = ends - starts
    bounds = _parts(lengths, entries.n_names)
    for low, high in pairwise(bounds):
        part = slice(int(low), int(high))
        places = places_in(starts[part], lengths[part])
        asked = np.repeat(np.arange(high - low), lengths[part])
        question, code, count = sum_by_name(asked, entries.code[places], entries.count[places], entries.n_names)
        _describe(found, int(low), question, code, count)
    return found


def count_new(entries: Entries, user: Ints) -> Ints:
    """How many of each row's names its user has in no row before: their sums up to a row count distinct names.

    In:  user [n_rows] int64, never falling. Out: [n_rows] int64.
    """
    row = np.repeat(np.arange(len(user)), np.diff(entries.offsets))
    keys = user[row] * entries.n_names + entries.code
    n_cells = (int(user[-1]) + 1) * entries.n_names if len(user) else 0
    if n_cells <= _MOST_CELLS:
        first = np.full(n_cells, -1)
        first[keys[::-1]] = row[::-1]  # the last that is written is the earliest
        first = first[first >= 0]
    else:
        first = row[np.unique(keys, return_index=True)[1]]
    return np.bincount(first, minlength=len(user)).astype(np.int64)


def _parts(lengths: Ints, n_names: int) -> list[int]:
    """Bounds of runs of questions with at most _MOST_ENTRIES entries (or one question) and so many cells."""
    n = len(lengths)
    most = max(1, _MOST_CELLS // max(n_names, 1)) if n_names <= _DENSE else n
    bounds, reached = [0], np.cumsum(lengths)
    while bounds[-1] < n:
        low = bounds[-1]
        before = reached[low - 1] if low else 0
        high = int(np.searchsorted(reached, before + _MOST_ENTRIES, side="right"))
        bounds.append(min(max(high, low + 1), low + most, n))
    return bounds


def places_in(starts: Ints, lengths: Ints) -> Ints:
    """All places start, start + 1, ... of each run, one run after the other."""
    ends = np.cumsum(lengths)
    steps: Ints = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
    return steps


def sum_by_name(question: Ints, code: Ints, count: Ints, n_names: int) -> tuple[Ints, Ints, Ints]:
    """Distinct (question, code), sorted, with their summed counts.

    In:  question, code below n_names, count above 0: [n_entries] int64.
    """
    keys = question * n_names + code
    if len(keys) and int(keys.max()) < _MOST_CELLS:
        sums = np.bincount(keys, weights=count)  # whole numbers, exact below 2^53
        distinct = np.flatnonzero(sums)
        return distinct // n_names, distinct % n_names, sums[distinct].astype(np.int64)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    sums = np.add.reduceat(count[order], begins) if len(begins) else count[:0]
    return keys[begins] // n_names, keys[begins] % n_names, sums


def _describe(found: Tally, low: int, question: Ints, code: Ints, count: Ints) -> None:
    """Fills in the questions of a part, whose first is question low of all."""
    if not len(question):
        return
    begins = np.flatnonzero(np.diff(question, prepend=-1))
    who = low + question[begins]
    largest = np.maximum.reduceat(count, begins)
    n_distinct = np.diff(np.append(begins, len(question)))
    is_largest = count == np.repeat(largest, n_distinct)
    top = np.minimum.reduceat(np.where(is_largest, code, np.iinfo(np.int64).max), begins)
    total = np.add.reduceat(count, begins)
    # bincount adds one by one in the order of names: no last bit hangs on who else is in the part.
    n_log_n = np.bincount(np.repeat(np.arange(len(begins)), n_distinct), weights=count * np.log(count))
    found.n_distinct[who] = n_distinct
    found.total[who] = total
    found.top[who] = top
    found.top_count[who] = largest
    found.entropy[who] = np.maximum(np.log(total) - n_log_n / total, 0.0)
