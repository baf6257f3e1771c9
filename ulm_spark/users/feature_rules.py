"""What is the value of each feature of the catalogue, for questions about users in a chunk of rows?"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ulm_spark.contracts.features import (
    CATALOGUE,
    Days,
    Feature,
    First,
    Gap,
    Latest,
    Market,
    Names,
    Rate,
    Rule,
    Share,
    Since,
    Sum,
    Weekend,
)
from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.user_days import DECIMALS, NAMED, USER_DAYS
from ulm_spark.stats.gaps import Gaps, summarise_gaps
from ulm_spark.stats.histories import (
    Asked,
    Histories,
    Ints,
    Spans,
    between,
    first_marked,
    last_marked,
    ratio,
    running_sums,
)
from ulm_spark.stats.shares import Entries, Tally, count_new, places_in, tally
from ulm_spark.users.chunks import SCALE, joined, sorted_codes, taken

COMPUTED: tuple[Feature, ...] = tuple(f for f in CATALOGUE if not isinstance(f.rule, Market))
TEXTS = ("first_channel", "currency")


def columns_of(features: Sequence[Feature] = COMPUTED) -> tuple[str, ...]:
    """The columns of silver.user_days that features are made of, in the table's order; n_events always."""
    wanted = {source.rsplit(".", 1)[1] for feature in features for source in feature.sources} | {"n_events"}
    return tuple(name for name in USER_DAYS.column_names if name in wanted)


PLAIN = tuple(name for name in columns_of() if name not in NAMED and name not in TEXTS)
LISTED = tuple(name for name in columns_of() if name in NAMED)
"""Columns of numbers, and of names, of silver.user_days that features are made of."""


class Chunk:
    """All rows of some users; what several questions need of the rows is worked out once."""

    def __init__(self, rows: pa.Table, histories: Histories) -> None:
        """Rows as features.engine_columns has them, and whose and of which days they are."""
        self._rows = rows
        self.histories = histories
        numbers = joined(rows.column("numbers")).flatten().to_numpy()
        self._numbers: Ints = numbers.reshape(rows.num_rows, len(PLAIN) + len(LISTED))
        self.ints: Callable[[str], Ints] = cache(self._ints)
        self.entries: Callable[[str], tuple[Entries, pa.Array]] = cache(self._entries)
        self.sums: Callable[[str], Ints] = cache(lambda name: running_sums(self.ints(name)))
        self.days: Callable[[str], Ints] = cache(lambda name: running_sums(self.ints(name) > 0))
        self.weekends: Callable[[str], Ints] = cache(lambda name: running_sums(self.ints(name) * histories.is_weekend))
        self.new_names: Callable[[str], Ints] = cache(
            lambda name: running_sums(count_new(self.entries(name)[0], histories.user))
        )

    def texts(self, name: str) -> pa.Array:
        """[n_rows] strings."""
        return joined(self._rows.column(name))

    def _ints(self, name: str) -> Ints:
        """[n_rows] int64."""
        return np.ascontiguousarray(self._numbers[:, PLAIN.index(name)])

    @cached_property
    def _names(self) -> tuple[Ints, pa.Array, Ints, Ints]:
        """Of all entries the codes, sorted names and counts; [n_rows, n_columns] where a column's entries begin."""
        codes, names = sorted_codes(joined(self._rows.column("names")).flatten())
        counts = joined(self._rows.column("counts")).flatten().to_numpy()
        lengths = self._numbers[:, len(PLAIN) :]
        starts = (np.cumsum(lengths) - lengths.ravel()).reshape(lengths.shape)
        return codes, names, counts, starts

    def _entries(self, name: str) -> tuple[Entries, pa.Array]:
        """A column of named counts, and its names in sorted order."""
        all_codes, all_names, counts, starts = self._names
        column = LISTED.index(name)
        lengths = self._numbers[:, len(PLAIN) + column]
        places = places_in(starts[:, column], lengths)
        codes = all_codes[places]
        is_own = np.zeros(len(all_names), dtype=bool)
        is_own[codes] = True
        own_code = np.cumsum(is_own) - 1
        names = all_names.take(pa.array(np.flatnonzero(is_own)))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        return Entries(offsets, own_code[codes], counts[places], len(names)), names


class Evaluation:
    """The values of features for questions about one chunk; what several features need is worked out once."""

    def __init__(self, chunk: Chunk, asked: Asked) -> None:
        self._chunk = chunk
        self._asked = asked
        self._span: Callable[[int | None], Spans] = cache(asked.span)
        self._gaps: Callable[[str], Gaps] = cache(lambda name: summarise_gaps(chunk.ints(name) > 0, asked))
        self._tally: Callable[[str, int | None], Tally] = cache(
            lambda name, window: tally(chunk.entries(name)[0], self._span(window))
        )

    @property
    def is_known(self) -> npt.NDArray[np.bool_]:
        """[n]: True where the user had an event by the day."""
        return first_marked(self._chunk.ints("n_events") > 0, self._span(None)) >= 0

    def value(self, feature: Feature) -> pa.Array:
        """[n] of the feature's type, decimals as whole ten thousandths; null as its rule says."""
        value = self._of(feature.rule, feature.window_days)
        if isinstance(value, pa.Array):
            return value
        dtype = {"INT": pa.int32(), "BIGINT": pa.int64(), MONEY: pa.int64()}.get(feature.type, pa.float64())
        is_null = np.isnan(value) if value.dtype.kind == "f" else None
        whole = value if is_null is None or pa.types.is_floating(dtype) else np.where(is_null, 0, value)
        return pa.array(whole.astype(dtype.to_pandas_dtype()), type=dtype, mask=is_null)

    def _of(self, rule: Rule, window: int | None) -> npt.NDArray[np.float64] | Ints | pa.Array:
        match rule:
            case Sum(column):
                return self._sum(column, window)
            case Share(column, over):
                scale = SCALE if column in DECIMALS else 1
                return ratio(self._sum(column, window), self._sum(over, window) * scale)
            case Days(column):
                return between(self._chunk.days(column), self._span(window))
            case Weekend(column):
                on_weekends = between(self._chunk.weekends(column), self._span(window))
                return ratio(on_weekends, self._sum(column, window))
            case Since(column, which):
                return self._days_since(column, which)
            case Rate(column):
                return ratio(30 * self._sum(column, window), self._days_since("n_events", "first").astype(np.int64) + 1)
            case Gap(column, which):
                return self._gap(column, which)
            case Names(column, which):
                return self._named(column, which, window)
            case First(column):
                texts = self._chunk.texts(column)
                return taken(texts, first_marked(texts.is_valid().to_numpy(zero_copy_only=False), self._span(window)))
            case Latest(column, where):
                return taken(self._chunk.texts(column), last_marked(self._chunk.ints(where) > 0, self._span(window)))
            case Market():
                raise ValueError("users/features.py: a rule of the market is none of a user's rows.")

    def _sum(self, column: str, window: int | None) -> Ints:
        return between(self._chunk.sums(column), self._span(window))

    def _days_since(self, column: str, which: str) -> npt.NDArray[np.float64]:
        mark = first_marked if which == "first" else last_marked
        row = mark(self._chunk.ints(column) > 0, self._span(None))
        days = self._asked.day - np.append(self._asked.histories.day, 0)[row]
        return np.where(row >= 0, days, np.nan)

    def _gap(self, column: str, which: str) -> npt.NDArray[np.float64]:
        gaps = self._gaps(column)
        if which == "last":
            return np.where(gaps.n_gaps > 0, gaps.last, np.nan)
        return {"mean": gaps.mean, "sd": gaps.deviation, "trend": gaps.trend, "overdue": gaps.overdue}[which]

    def _named(self, column: str, which: str, window: int | None) -> npt.NDArray[np.float64] | Ints | pa.Array:
        if which == "n" and window is None:
            return between(self._chunk.new_names(column), self._span(None))
        found = self._tally(column, window)
        if which == "n":
            return found.n_distinct
        if which == "top":
            return taken(self._chunk.entries(column)[1], found.top)
        return found.entropy if which == "entropy" else ratio(found.top_count, found.total)
