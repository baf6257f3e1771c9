"""How do rows that tell of one user and day become one row? Sums of numbers, and of counts by name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.user_days import NAMED, NAMED_COUNTS, USER_DAYS
from ulm_spark.stats.histories import Ints
from ulm_spark.stats.shares import sum_by_name
from ulm_spark.users.chunks import joined, sorted_codes, taken, user_numbers, whole_users

PARTS: dict[str, tuple[str, ...]] = {
    "acts": (
        "n_events", "n_views", "n_searches", "n_clicks", "n_carts", "n_removes", "n_purchases", "n_returns",
        "n_reviews", "n_filtered_searches", "n_ratings", "rating_sum", "n_sentiments", "sentiment_sum", "night_events",
        "morning_events", "afternoon_events", "evening_events",
    ),
    "visits": (
        "n_sessions", "n_bounces", "n_cart_sessions", "n_abandoned_sessions", "n_buying_sessions", "session_events",
        "session_steps", "session_s",
    ),
    "lines": (
        "n_lines", "n_units", "n_units_returned", "n_listed_lines", "n_discounted_lines", "gross_amount", "net_amount",
    ),
    "orders": ("n_orders",),
    "units": (),
}  # fmt: skip
"""What tells of a user's day, and the numbers that it tells."""

TOLD = {
    "user_id": "STRING",
    "day": "INT",
    "part": "INT",
    "numbers": "ARRAY<BIGINT>",
    "first_us": "BIGINT",
    "first_channel": "STRING",
    "currency": "STRING",
    "names": "ARRAY<STRING>",
    "counts": "ARRAY<BIGINT>",
}
"""Columns of rows to be summed up, few and short, since they go through an exchange: part is the place in PARTS,
numbers are its numbers, decimals as whole ten thousandths, day and first_us since 1970, first_us the instant of
first_channel; names begin with the mark of their column."""

NUMBERS = tuple(c.name for c in USER_DAYS.columns if c.type in ("INT", "BIGINT", MONEY))
SUMS = {
    "user_id": "STRING",
    "day": "INT",
    **dict.fromkeys(NUMBERS, "BIGINT"),
    "first_channel": "STRING",
    "currency": "STRING",
    **dict.fromkeys(NAMED, NAMED_COUNTS),
}
"""Columns of the sums, in the units of TOLD."""

MARKS = {name: chr(ord("A") + place) for place, name in enumerate(NAMED)}
"""The mark of each column of names: sorted names lie together by column."""

_DAY_BITS = 20


@dataclass(frozen=True)
class Groups:
    """Rows of one user and day as a group.

    number: [n_rows] int64, the group of each row. first: [n_groups] int64, one row of each group.
    """

    number: Ints
    first: Ints

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self.number, kind="stable")

    @cached_property
    def _begins(self) -> Ints:
        return np.searchsorted(self.number[self._order], np.arange(len(self)))

    def sums(self, values: Ints) -> Ints:
        """[n_groups] int64, exact, of a value a row."""
        return np.add.reduceat(values[self._order].astype(np.int64), self._begins)

    def sums_of(self, rows: Ints, values: Ints) -> Ints:
        """[n_groups, n_values] int64, exact, of [n, n_values] values of some rows; 0 for a group without such a row."""
        found = np.zeros((len(self), values.shape[1]), dtype=np.int64)
        if len(rows):
            order = np.argsort(self.number[rows], kind="stable")
            groups, begins = np.unique(self.number[rows][order], return_index=True)
            found[groups] = np.add.reduceat(values[order], begins, axis=0)
        return found

    def earliest(self, instants: Ints, texts: pa.Array) -> Ints:
        """[n_groups] int64: the row with the earliest instant of those whose text is not null, ties the first text.

        -1 without such a row.
        """
        codes, _ = sorted_codes(texts)
        told = np.flatnonzero(codes >= 0)
        ranked = told[np.lexsort((codes[told], instants[told], self.number[told]))]
        groups, places = np.unique(self.number[ranked], return_index=True)
        row = np.full(len(self), -1)
        row[groups] = ranked[places]
        return row


def group_rows(rows: pa.Table) -> Groups:
    """Groups by user_id and day."""
    keys = (user_numbers(rows) << _DAY_BITS) + rows.column("day").to_numpy()
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    return Groups(number, first)


def list_names(groups: Groups, columns: dict[str, pa.Array]) -> tuple[pa.ListArray, pa.ListArray]:
    """The columns names and counts of TOLD, one row a group, from columns of one name a row; null is no name."""
    found: list[tuple[Ints, Ints, Ints]] = []
    marked: list[pa.Array] = []
    n_before = 0
    for name in sorted(columns, key=MARKS.__getitem__):
        codes, names = sorted_codes(columns[name])
        told = codes >= 0
        ones = np.ones(int(told.sum()), dtype=np.int64)
        of_group, code, n = sum_by_name(groups.number[told], codes[told], ones, max(len(names), 1))
        found.append((of_group, code + n_before, n))
        marked.append(pc.binary_join_element_wise(MARKS[name], names.cast(pa.string()), ""))
        n_before += len(names)
    of_group, code, n = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(of_group, kind="stable")
    offsets = _offsets(of_group, len(groups))
    texts = pa.concat_arrays(marked).take(pa.array(code[order]))
    return pa.ListArray.from_arrays(offsets, texts), pa.ListArray.from_arrays(offsets, pa.array(n[order]))


def list_numbers(columns: Sequence[Ints]) -> pa.ListArray:
    """The column numbers of TOLD, from a column a number."""
    values = np.column_stack(columns)
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * len(columns), type=pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))


def merge_days(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of TOLD that lie together by user, as rows of SUMS, one a user and day.

    Rule: neither the order of rows nor what was summed up before changes anything.
    """
    for rows in whole_users(batches):
        yield sum_rows(rows)


def sum_rows(rows: pa.Table) -> pa.RecordBatch:
    """Rows of TOLD as rows of SUMS, one a user and day."""
    groups = group_rows(rows)
    first_channel, currency = joined(rows.column("first_channel")), joined(rows.column("currency"))
    instants = joined(rows.column("first_us")).fill_null(0).to_numpy()
    columns = {
        "user_id": joined(rows.column("user_id")).take(pa.array(groups.first)),
        "day": joined(rows.column("day")).take(pa.array(groups.first)),
        **_summed(groups, rows),
        "first_channel": taken(first_channel, groups.earliest(instants, first_channel)),
        # One row of a user and day has it: the order lines'.
        "currency": taken(currency, groups.earliest(np.zeros(len(currency), dtype=np.int64), currency)),
        **_named(groups, joined(rows.column("names")), joined(rows.column("counts"))),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SUMS], names=list(SUMS))


def _summed(groups: Groups, rows: pa.Table) -> dict[str, pa.Array]:
    part, numbers = rows.column("part").to_numpy(), joined(rows.column("numbers"))
    found: dict[str, pa.Array] = {}
    for place, names in enumerate(PARTS.values()):
        here = np.flatnonzero(part == place)
        values = numbers.take(pa.array(here)).flatten().to_numpy().reshape(len(here), len(names))
        sums = groups.sums_of(here, values)
        found |= {name: pa.array(np.ascontiguousarray(sums[:, k])) for k, name in enumerate(names)}
    return found


def _named(groups: Groups, names: pa.ListArray, counts: pa.ListArray) -> dict[str, pa.Array]:
    """Each column of names with its counts, one row a group."""
    codes, texts = sorted_codes(names.flatten())
    of_row = np.repeat(groups.number, np.diff(names.offsets.to_numpy()))
    told = codes >= 0
    n_told = counts.flatten().to_numpy()[told]
    of_group, code, n = sum_by_name(of_row[told], codes[told], n_told, max(len(texts), 1))
    texts = texts.cast(pa.string())
    marks = pc.utf8_slice_codeunits(texts, 0, 1).to_numpy(zero_copy_only=False).astype("U1")
    found: dict[str, pa.Array] = {}
    for name, mark in MARKS.items():
        low, high = np.searchsorted(marks, mark, side="left"), np.searchsorted(marks, mark, side="right")
        here = (code >= low) & (code < high)
        bare = pc.utf8_slice_codeunits(texts.slice(low, high - low), 1)
        entries = pa.StructArray.from_arrays([bare.take(pa.array(code[here] - low)), pa.array(n[here])], ["name", "n"])
        found[name] = pa.ListArray.from_arrays(_offsets(of_group[here], len(groups)), entries)
    return found


def _offsets(of_group: Ints, n_groups: int) -> pa.Array:
    """Where the entries of each group begin, from the group of each."""
    counts = np.bincount(of_group, minlength=n_groups)
    return pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))
