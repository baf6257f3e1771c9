"""The engines that benchmarks.sessionize holds against each other, each in a process of its own.

Each reads the same Parquet files of events and writes the same columns of sessions as Parquet:

    python -m benchmarks.sessionizers ENGINE EVENTS OUT

The last line of stdout is one JSON object: seconds from the first byte read to the last one written, the
start of the engine left out; of Spark also bytes shuffled, the tasks' skew, and how often the plan that ran,
as Spark changed it on the way, exchanges and sorts. Sessions end after 30 minutes of silence. No user has
two events at one instant, so that no engine has to break ties.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import polars as pl
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from ulm_spark.lake.session import SparkSettings, open_session
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.sessionize import sessionize

GAP_S = 1800
_US = 1_000_000
N_CORES = 2
_LONG_SHARE = 0.1  # of all tasks' time, for a stage whose skew counts
HEAP = "4g"
COLUMNS = (
    "user_id", "started_at", "ended_at", "n_events", "n_views", "n_carts", "n_purchases",
    "landing_product_id", "exit_product_id", "channel", "device", "revenue",
)  # fmt: skip


def spark_session(folder: str, n_partitions: int, heap: str = HEAP) -> SparkSession:
    """Spark on two cores, by default with 4 GB of heap, with its event log in folder."""
    settings = {
        "spark.master": f"local[{N_CORES}]",
        "spark.driver.memory": heap,
        "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
        "spark.sql.adaptive.autoBroadcastJoinThreshold": "64m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(n_partitions),
        "spark.databricks.delta.snapshotPartitions": str(N_CORES),
        "spark.local.dir": folder,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": Path(folder).as_uri(),
    }
    return open_session("benchmark", SparkSettings(settings))


def ours(events: DataFrame) -> DataFrame:
    """The job's own transform."""
    return sessionize(events, SessionRules(gap_s=GAP_S), "UTC").select(*COLUMNS)


def two_shuffles(events: DataFrame) -> DataFrame:
    """The form of most tutorials: visits numbered by lag and running sum, then all events grouped by a session id."""
    in_time = Window.partitionBy("user_id").orderBy("event_at")
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    at_us = F.unix_micros("event_at")
    begins = F.coalesce(at_us - F.lag(at_us).over(in_time) > GAP_S * _US, F.lit(True)).cast("int")
    numbered = events.withColumn("begins", begins).withColumn("number", F.sum("begins").over(so_far))
    named = numbered.withColumn("session_id", F.concat_ws("-", "user_id", "number"))
    sessions = _summed(
        named, ["session_id"], F.min("event_at").alias("started_at"), F.first("user_id").alias("user_id")
    )
    return sessions.select(*COLUMNS)


def session_window(events: DataFrame) -> DataFrame:
    """Spark's own session_window, whose gap is one microsecond more: it ends a session at a gap of exactly its own."""
    window = F.session_window("event_at", f"{GAP_S * _US + 1} microseconds")
    sessions = _summed(events, [F.col("user_id"), window.alias("window")])
    return sessions.withColumn("started_at", F.col("window.start")).select(*COLUMNS)


def _summed(events: DataFrame, keys: Sequence[str] | Sequence[Column], *further: Column) -> DataFrame:
    paid = F.when(F.col("event_type") == "purchase", F.col("unit_price") * F.col("quantity")).otherwise(F.lit(0))
    return events.groupBy(*keys).agg(
        *further,
        F.max("event_at").alias("ended_at"),
        F.count("*").cast("int").alias("n_events"),
        *(
            F.count_if(F.col("event_type") == kind).cast("int").alias(f"n_{kind}s")
            for kind in ("view", "cart", "purchase")
        ),
        F.min_by("product_id", _place("product_id")).alias("landing_product_id"),
        F.max_by("product_id", _place("product_id")).alias("exit_product_id"),
        *(F.min_by(name, _place(name)).alias(name) for name in ("channel", "device")),
        F.sum(paid).cast("decimal(18,4)").alias("revenue"),
    )


def _place(name: str) -> Column:
    return F.when(F.col(name).isNotNull(), F.col("event_at"))


SPARK_FORMS: dict[str, Callable[[DataFrame], DataFrame]] = {
    "ours": ours,
    "two_shuffles": two_shuffles,
    "session_window": session_window,
}


def run_spark(form: str, events: Path, out: Path) -> dict[str, float]:
    """One of Spark's forms, and what its event log tells."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        spark = spark_session(folder, n_partitions=16)
        spark.range(1).count()
        began_s = time.monotonic()
        SPARK_FORMS[form](spark.read.parquet(str(events))).write.parquet(str(out))
        seconds = time.monotonic() - began_s
        spark.stop()
        (log,) = (path for path in Path(folder).iterdir() if path.name.startswith("local-"))
        return {"seconds": seconds, **read_event_log(log)}


def read_event_log(log: Path) -> dict[str, float]:
    """What the tasks of a log did, and the plan that the last of its queries ended with.

    Out: shuffled_mb, what all tasks wrote to shuffles; skew, slowest task over median of the worst of the
         stages that take long; rows_skew, the same of the rows that tasks read from exchanges; exchanges and
         sorts, of the plan.
    Edge: the first task on each core waits for the stage's code to be compiled, which skew has in it.
    """
    seconds_of: dict[int, list[float]] = defaultdict(list)
    rows_of: dict[int, list[float]] = defaultdict(list)
    shuffled, nodes = 0, Counter[str]()
    with log.open(encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            if event["Event"] == "SparkListenerTaskEnd" and "Task Metrics" in event:
                stage, metrics = event["Stage ID"], event["Task Metrics"]
                seconds_of[stage].append(metrics["Executor Run Time"] / 1000)
                rows_of[stage].append(metrics["Shuffle Read Metrics"]["Total Records Read"])
                shuffled += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
            elif event["Event"].endswith("SparkListenerSQLAdaptiveExecutionUpdate"):
                nodes = Counter(_nodes_of(event["sparkPlanInfo"]))
    least_s = _LONG_SHARE * sum(map(sum, seconds_of.values()))
    long = [stage for stage, tasks in seconds_of.items() if sum(tasks) >= least_s]
    return {
        "shuffled_mb": shuffled / 2**20,
        "skew": max(_most_over_median(seconds_of[stage]) for stage in long),
        "rows_skew": max((_most_over_median(rows_of[stage]) for stage in long if any(rows_of[stage])), default=1.0),
        "exchanges": float(nodes["Exchange"]),
        "sorts": float(nodes["Sort"]),
    }


def _most_over_median(tasks: Sequence[float]) -> float:
    return max(tasks) / max(median(tasks), 1e-3)


def _nodes_of(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["nodeName"]
    for child in plan["children"]:
        yield from _nodes_of(child)


DUCKDB = """
copy (
  with marked as (
    select *, case when epoch_us(event_at) - epoch_us(lag(event_at) over in_time) <= {gap_us} then 0 else 1 end begins
    from read_parquet('{events}/*/*.parquet') window in_time as (partition by user_id order by event_at)
  ), numbered as (
    select *, sum(begins) over (partition by user_id order by event_at rows unbounded preceding) visit from marked
  )
  select user_id, min(event_at) started_at, max(event_at) ended_at, count(*)::int n_events,
    (count(*) filter (event_type = 'view'))::int n_views, (count(*) filter (event_type = 'cart'))::int n_carts,
    (count(*) filter (event_type = 'purchase'))::int n_purchases,
    arg_min(product_id, event_at) landing_product_id, arg_max(product_id, event_at) exit_product_id,
    arg_min(channel, event_at) channel, arg_min(device, event_at) device,
    sum(case when event_type = 'purchase' then unit_price * quantity else 0 end)::decimal(18, 4) revenue
  from numbered group by user_id, visit
) to '{out}/part-0.parquet' (format parquet)
"""


def run_duckdb(events: Path, out: Path) -> dict[str, float]:
    """DuckDB on as many threads and as much memory; arg_min passes over nulls."""
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder, duckdb.connect() as connection:
        for setting in (f"threads = {N_CORES}", "memory_limit = '5GB'", f"temp_directory = '{folder}'"):
            connection.execute(f"set {setting}")
        connection.execute("set preserve_insertion_order = false")
        began_s = time.monotonic()
        connection.execute(DUCKDB.format(events=events, out=out, gap_us=GAP_S * _US))
        return {"seconds": time.monotonic() - began_s}


def run_polars(events: Path, out: Path) -> dict[str, float]:
    """Polars, lazily; on N_CORES by POLARS_MAX_THREADS, which benchmarks.sessionize sets for this process."""
    out.mkdir(parents=True)
    began_s = time.monotonic()
    silence = pl.col("event_at").diff().over("user_id")
    begins = (silence > pl.duration(seconds=GAP_S)).fill_null(True)
    is_purchase = pl.col("event_type") == "purchase"

    def first(name: str) -> pl.Expr:
        return pl.col(name).drop_nulls().first().alias(name)

    sessions = (
        pl.scan_parquet(f"{events}/*/*.parquet", hive_partitioning=False)
        .sort("user_id", "event_at")
        .with_columns(begins.cum_sum().alias("visit"))
        .group_by("user_id", "visit")
        .agg(
            pl.col("event_at").min().alias("started_at"),
            pl.col("event_at").max().alias("ended_at"),
            pl.len().cast(pl.Int32).alias("n_events"),
            *(
                (pl.col("event_type") == kind).sum().cast(pl.Int32).alias(f"n_{kind}s")
                for kind in ("view", "cart", "purchase")
            ),
            first("product_id").alias("landing_product_id"),
            pl.col("product_id").drop_nulls().last().alias("exit_product_id"),
            first("channel"),
            first("device"),
            (pl.col("unit_price") * pl.col("quantity")).filter(is_purchase).sum().alias("revenue"),
        )
        .select(*COLUMNS)
    )
    sessions.sink_parquet(out / "part-0.parquet")
    return {"seconds": time.monotonic() - began_s}


ENGINES = (*SPARK_FORMS, "duckdb", "polars")


def main() -> int:
    """The command line: ENGINE EVENTS OUT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("events", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.engine in SPARK_FORMS:
        found = run_spark(given.engine, given.events, given.out)
    else:
        found = {"duckdb": run_duckdb, "polars": run_polars}[given.engine](given.events, given.out)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
