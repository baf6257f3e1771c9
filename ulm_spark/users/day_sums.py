"""How do rows that tell of one user and day become one row? Sums of numbers, and of counts by name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.user_days import NAMED, NAMED_COUNTS, USER_DAYS
from ulm_spark.stats.histories import Ints
from ulm_spark.stats.shares import sum_by_name
from ulm_spark.users.chunks import joined, sorted_codes, taken, user_numbers, whole_users

NUMBERS = tuple(c.name for c in USER_DAYS.columns if c.type in ("INT", "BIGINT", MONEY))
SUMS = {
    "user_id": "STRING",
    "day": "INT",
    **dict.fromkeys(NUMBERS, "BIGINT"),
    "first_us": "BIGINT",
    "first_channel": "STRING",
    "currency": "STRING",
    **dict.fromkeys(NAMED, NAMED_COUNTS),
}
"""Columns of rows to be summed up: decimals as whole ten thousandths, day and first_us since 1970; first_us is the
instant of first_channel."""

_DAY_BITS = 20
_NAMED_TYPE = pa.struct([("name", pa.string()), ("n", pa.int64())])


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

    def sums(self, values: Ints) -> pa.Array:
        """[n_groups] int64, exact."""
        return pa.array(np.add.reduceat(values[self._order].astype(np.int64), self._begins))

    def named(self, group: Ints, texts: pa.Array, counts: Ints) -> pa.Array:
        """[n_groups] lists of named counts, from entries: their groups, names (null ones are left out) and counts."""
        codes, names = sorted_codes(texts)
        told = codes >= 0
        of_group, code, n = sum_by_name(group[told], codes[told], counts[told], max(len(names), 1))
        offsets = np.concatenate(([0], np.cumsum(np.bincount(of_group, minlength=len(self)))))
        columns = [names.take(pa.array(code)), pa.array(n)]
        entries = pa.StructArray.from_arrays(columns, fields=list(_NAMED_TYPE))
        return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), entries)

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


def merge_days(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rows of SUMS that lie together by user, as one row a user and day.

    Rule: neither the order of rows nor what was summed up before changes anything.
    """
    for rows in whole_users(batches):
        yield sum_rows(rows)


def sum_rows(rows: pa.Table) -> pa.RecordBatch:
    """Rows of SUMS as one row a user and day."""
    groups = group_rows(rows)
    first_channel, currency = joined(rows.column("first_channel")), joined(rows.column("currency"))
    first_us = joined(rows.column("first_us"))
    began = groups.earliest(first_us.fill_null(0).to_numpy(), first_channel)
    columns = {
        "user_id": joined(rows.column("user_id")).take(pa.array(groups.first)),
        "day": joined(rows.column("day")).take(pa.array(groups.first)),
        **{name: groups.sums(rows.column(name).to_numpy()) for name in NUMBERS},
        "first_us": taken(first_us, began),
        "first_channel": taken(first_channel, began),
        # One row of a user and day has it: the order lines'.
        "currency": taken(currency, groups.earliest(np.zeros(len(currency), dtype=np.int64), currency)),
        **{name: _merged(groups, joined(rows.column(name))) for name in NAMED},
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _merged(groups: Groups, lists: pa.Array) -> pa.Array:
    entries = lists.flatten()
    counts = entries.field(1).to_numpy().astype(np.int64)
    return groups.named(np.repeat(groups.number, np.diff(lists.offsets.to_numpy())), entries.field(0), counts)
