"""Our sessions against a shop's own: on literal rows, and on real shops' data."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from tests.realdata import data_folder
from tests.sessions.shoppers import at, event, session_key
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.sessions.agreement import session_contingency
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.stats.agreement import adjusted_rand_index

RULES = SessionRules()


def agreement(events: DataFrame) -> float:
    """The adjusted Rand index, and on stdout the numbers behind it."""
    joint = session_contingency(events, RULES, "UTC").toPandas()
    index = adjusted_rand_index(
        joint["source_session_id"].to_numpy(str),
        joint["session_id"].to_numpy(str),
        joint["n_events"].to_numpy(),
    )
    ours, theirs = joint["session_id"].nunique(), joint["source_session_id"].nunique()
    print(
        f"adjusted Rand index {index:.4f}: {joint['n_events'].sum()} events, "
        f"{ours} sessions of ours, {theirs} of the shop's"
    )
    return index


def test_events_are_counted_by_pair_of_sessions_and_those_without_one_only_bridge(
    spark: SparkSession,
) -> None:
    rows = [
        event("a", at(0), source_session_id="s1"),
        event("b", at(20)),
        event("c", at(40), source_session_id="s1"),
        event("d", at(41), source_session_id="s2"),
        event("e", at(100), source_session_id="s2"),
    ]
    first, second = session_key(at(0)), session_key(at(100))
    expected = spark.createDataFrame(
        [("s1", first, 2), ("s2", first, 1), ("s2", second, 1)],
        "source_session_id STRING, session_id STRING, n_events BIGINT",
    )
    assertDataFrameEqual(session_contingency(rows_of(spark, EVENTS, rows), RULES, "UTC"), expected)


@pytest.mark.data
def test_our_sessions_are_nearly_the_shops_own_on_rees46(spark: SparkSession) -> None:
    raw = spark.read.csv(str(data_folder("rees46_sample") / "2019-Oct.csv"), header=True)
    events = raw.select(
        F.xxhash64(*raw.columns).cast("string").alias("event_id"),
        F.to_timestamp("event_time", "yyyy-MM-dd HH:mm:ss 'UTC'").alias("event_at"),
        "event_type",
        "user_id",
        F.col("user_session").alias("source_session_id"),
    )
    assert agreement(events) > 0.9


@pytest.mark.data
def test_our_sessions_are_nearly_the_shops_own_on_yoochoose(spark: SparkSession) -> None:
    folder = data_folder("yoochoose_100k_raw")
    files = [f"{folder}/yoochoose-clicks-100k_{part}.txt" for part in ("train_full", "test")]
    raw = spark.read.csv(files, header=True, sep="\t")
    # The shop named no users: each of its sessions stands for one, so only the cuts within it show.
    events = raw.select(
        F.xxhash64(*raw.columns).cast("string").alias("event_id"),
        F.timestamp_micros((F.col("Time").cast("decimal(16,3)") * 1_000_000).cast("bigint")).alias("event_at"),
        F.lit("view").alias("event_type"),
        F.col("SessionId").alias("user_id"),
        F.col("SessionId").alias("source_session_id"),
    )
    assert agreement(events) > 0.9
