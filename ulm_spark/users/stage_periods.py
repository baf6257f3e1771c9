"""What did each user do in the periods that end with a day, as one row per user and as arrays of numbers?"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.stats.hidden_stages import Activity, Ints
from ulm_spark.users.chunks import joined
from ulm_spark.users.stage_conf import StageConf


def summarise_periods(user_days: DataFrame, as_of: date, conf: StageConf) -> DataFrame:
    """One row per user with the days on which they did something, as known at the end of as_of.

    In:   silver.user_days, any span.
    Out:  key user_id; ago, buys, looks: arrays of one length, a place for each day: how many periods before the
          latest it lies, its orders, and 1 where the user came without ordering.
    Rule: days before the last memory_periods count in the first of these.
    """
    ago = F.floor(F.date_diff(F.lit(as_of), "day_on") / conf.period_days)
    is_look = (F.col("n_orders") == 0) & (F.col("n_events") > 0)
    days = user_days.where(F.col("day_on") <= F.lit(as_of)).select(
        "user_id",
        F.least(ago, F.lit(conf.memory_periods - 1)).cast("int").alias("ago"),
        F.col("n_orders").alias("buys"),
        is_look.cast("int").alias("looks"),
    )
    listed = days.groupBy("user_id").agg(F.collect_list(F.struct("ago", "buys", "looks")).alias("day"))
    return listed.select("user_id", *(F.col(f"day.{name}").alias(name) for name in ("ago", "buys", "looks")))


@dataclass(frozen=True)
class UserPeriods:
    """Some users with what they did."""

    user_ids: pa.Array
    seen: Activity


def user_periods(rows: pa.RecordBatch | pa.Table, n_periods: int) -> UserPeriods:
    """Rows of summarise_periods as arrays of n_periods periods, the latest last."""
    ago, buys, looks = (_flat(rows.column(name)) for name in ("ago", "buys", "looks"))
    lists = joined(rows.column("ago"))
    n_days = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    user = np.repeat(np.arange(rows.num_rows), n_days)
    place = n_periods - 1 - ago
    counts = np.zeros((2, rows.num_rows, n_periods), dtype=np.int64)
    np.add.at(counts[0], (user, place), buys)
    np.add.at(counts[1], (user, place), looks)
    born = np.full(rows.num_rows, n_periods - 1, dtype=np.int64)
    np.minimum.at(born, user, place)
    return UserPeriods(joined(rows.column("user_id")), Activity(counts[0], counts[1], born))


def most_periods(rows: pa.RecordBatch | pa.Table) -> int:
    """Periods from the earliest day of these users to the latest period, both included."""
    ago = _flat(rows.column("ago"))
    return int(ago.max()) + 1 if len(ago) else 1


def _flat(column: pa.Array | pa.ChunkedArray) -> Ints:
    return np.asarray(joined(column).flatten().to_numpy(zero_copy_only=False), dtype=np.int64)
