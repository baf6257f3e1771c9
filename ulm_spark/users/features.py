"""What is known about each user at the end of a day, or of each of several days?"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.features import USER_FEATURES, Names
from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.user_days import DECIMALS
from ulm_spark.stats.histories import Asked, Histories, Ints
from ulm_spark.users.chunks import SCALE, in_type, joined, together, user_numbers, whole_users
from ulm_spark.users.feature_rules import COMPUTED, LISTED, PLAIN, TEXTS, Chunk, Evaluation
from ulm_spark.users.market import join_market

_EPOCH = date(1970, 1, 1)
QUESTIONS_AT_ONCE = 200_000


def build_features(user_days: DataFrame, product_days: DataFrame, as_of: date) -> DataFrame:
    """One row per user who did anything by the end of as_of; nothing later moves it.

    In:     silver.user_days, silver.product_days, any span.
    Out:    gold.user_features of the day as_of.
    Rule:   as the catalogue says; windows of n days are local days that end with as_of.
    """
    return build_features_on(user_days, product_days, [as_of])


def build_features_on(user_days: DataFrame, product_days: DataFrame, days: Sequence[date]) -> DataFrame:
    """build_features of several days at once, from one pass over the rows.

    Rule: rows are exchanged by user once and sorted by day; each window is then a difference of running sums, so
          that a further day costs a lookup and no further pass.
    Edge: no day gives no row.
    """
    last = max(days, default=_EPOCH)
    known = user_days.where(F.col("day_on") <= F.lit(last))
    rows = together(known.select(*engine_columns(min(days, default=_EPOCH))))
    numbers = np.array(sorted({(day - _EPOCH).days for day in days}), dtype=np.int64)
    found = rows.mapInArrow(lambda batches: _answer_all(batches, numbers), OUTPUT)
    whole = join_market(found, product_days, sorted(set(days)))
    return whole.select(*in_contract_types(USER_FEATURES.column_names))


def engine_columns(first_as_of: date | None) -> tuple[Column, ...]:
    """The columns of silver.user_days as the engine takes them; no names older than any window from first_as_of on.

    Few and short, since they go through an exchange: user_id, day, the texts; numbers, those of PLAIN, decimals as
    whole ten thousandths, and behind them how many names each of LISTED has; names and counts, those of LISTED one
    by one.
    """
    listed = [_listed(name, first_as_of) for name in LISTED]
    lengths = (F.size(names).cast("bigint") for names, _ in listed)
    return (
        F.col("user_id"),
        F.unix_date("day_on").alias("day"),
        *(F.col(name) for name in TEXTS),
        F.array(*(_whole(name) for name in PLAIN), *lengths).alias("numbers"),
        F.concat(*(names for names, _ in listed)).alias("names"),
        F.concat(*(counts for _, counts in listed)).alias("counts"),
    )


def in_contract_types(names: Sequence[str]) -> tuple[Column, ...]:
    """The engine's columns, and the market's, as the contract has them."""
    return tuple(in_type(c.name, c.type) for c in USER_FEATURES.columns if c.name in names)


def _whole(name: str) -> Column:
    return (F.col(name) * F.lit(SCALE) if name in DECIMALS else F.col(name)).cast("bigint")


def _listed(name: str, first_as_of: date | None) -> tuple[Column, Column]:
    """Names and counts of a column."""
    windows = [f.window_days for f in COMPUTED if isinstance(f.rule, Names) and f.rule.column == name]
    longest = None if None in windows else max(window or 0 for window in windows)
    names, counts = F.col(f"{name}.name"), F.col(f"{name}.n")
    if longest is not None and first_as_of is not None:
        is_recent = F.date_diff(F.lit(first_as_of), "day_on") < longest
        names, counts = (F.when(is_recent, part).otherwise(F.array()) for part in (names, counts))
    return names, counts


OUTPUT = ", ".join(
    ["as_of DATE", "user_id STRING", *(f"{f.name} {'BIGINT' if f.type == MONEY else f.type}" for f in COMPUTED)]
)


def _answer_all(batches: Iterable[pa.RecordBatch], days: Ints) -> Iterator[pa.RecordBatch]:
    """Every user who is known by them, on each of the days; so many days at once as memory bounds."""
    for table in whole_users(batches):
        user = user_numbers(table)
        chunk = Chunk(table, Histories(user, table.column("day").to_numpy().astype(np.int64)))
        n_users = int(user[-1]) + 1
        n_at_once = max(1, QUESTIONS_AT_ONCE // n_users)
        for start in range(0, len(days), n_at_once):
            asked = _of_all(chunk, n_users, days[start : start + n_at_once])
            if len(asked.user):
                first_rows = np.searchsorted(user, asked.user)
                yield answers(chunk, asked, table.column("user_id").take(pa.array(first_rows)))


def _of_all(chunk: Chunk, n_users: int, days: Ints) -> Asked:
    """About every user, as of each of the days by which they are known."""
    asked = Asked(chunk.histories, np.repeat(np.arange(n_users), len(days)), np.tile(days, n_users))
    is_known = Evaluation(chunk, asked).is_known
    return Asked(chunk.histories, asked.user[is_known], asked.day[is_known])


def answers(chunk: Chunk, asked: Asked, user_id: pa.ChunkedArray) -> pa.RecordBatch:
    """One row a question: as_of, user_id and all features but the market's; null for a user not known by then."""
    evaluation = Evaluation(chunk, asked)
    is_known = evaluation.is_known
    values = (evaluation.value(feature) for feature in COMPUTED)
    columns = [
        pa.array(asked.day.astype(np.int32)).cast(pa.date32()),
        joined(user_id),
        *(value if is_known.all() else pc.if_else(pa.array(is_known), value, None) for value in values),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["as_of", "user_id", *(f.name for f in COMPUTED)])
