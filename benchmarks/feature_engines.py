"""The engines that benchmarks.features holds against each other, each task in a process of its own.

    python -m benchmarks.feature_engines TASK LAKE OUT [--events N --users N]

Tasks of ours: build (silver.user_days and silver.product_days by their job), increments (the shop of so many events
and users lives N_MORE_DAYS on, and the job runs after each of them, all in one session; seconds is the median), day and
days (features of one day, and of 12, from stored days), draw and labels (features at so many
pairs of user and day). naive_day, naive_days: Spark, a grouping a window. duckdb_day, duckdb_days: DuckDB, days
summed up first. Each reads the same files of silver tables, and writes features as Parquet. The last line of stdout
is one JSON object: seconds, the start of the engine left out.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.feature_duckdb import open_tables, sum_up_days, write_features
from benchmarks.feature_naive import build_naively
from benchmarks.feature_shop import append_day
from benchmarks.sessionizers import HEAP, N_CORES, spark_session
from jobs import build_user_days
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.users.features import build_features, build_features_on
from ulm_spark.users.point_in_time import features_at

AS_OF = date(2025, 12, 31)
MONTH_ENDS = tuple(date(2025 + month // 12, month % 12 + 1, 1) - timedelta(days=1) for month in range(1, 13))
N_LABELS, N_QUICK_LABELS = 10_000_000, 100_000
DUCKDB_MEMORY = "8GB"
NAIVE_HEAP = "12g"  # with 4 GB, as ours has, its joins of sorted windows run out of memory at 50 million events
INCREMENTS, N_MORE_DAYS = "increments", 3


def _build(lake: Lake, out: Path) -> None:
    conf = build_user_days.Conf(lake=LakeConf(root=lake.root))
    build_user_days.run(lake.spark, conf, AS_OF)
    row = lake.read(RUNS).agg(F.max_by("seconds", "started_at")).first()
    print(f"ops.runs: {row[0] if row is not None else None} s", file=sys.stderr)


def _day(lake: Lake, out: Path) -> None:
    _write(build_features(lake.read(USER_DAYS), lake.read(PRODUCT_DAYS), AS_OF), out)


def _days(lake: Lake, out: Path) -> None:
    _write(build_features_on(lake.read(USER_DAYS), lake.read(PRODUCT_DAYS), MONTH_ENDS), out)


def _draw(lake: Lake, out: Path) -> None:
    """Labels: as many days of the last 300 for each user, no day twice."""
    users = lake.read(USER_DAYS).select("user_id").distinct()
    n_users = users.count()
    each = (N_LABELS if n_users > N_QUICK_LABELS else N_QUICK_LABELS) // n_users
    drawn = users.select("user_id", F.explode(F.sequence(F.lit(1), F.lit(each))).alias("number"))
    days_before = ((F.pmod(F.xxhash64("user_id"), F.lit(300)) + F.col("number") * 7) % 300).cast("int")
    _write(drawn.select("user_id", F.date_sub(F.lit(AS_OF), days_before).alias("as_of")), out)


def _labels(lake: Lake, out: Path) -> None:
    labels = lake.spark.read.parquet(str(out.with_name("draw")))
    found = features_at(lake.read(USER_DAYS), lake.read(PRODUCT_DAYS), labels)
    found.write.format("noop").mode("overwrite").save()


def _naive_day(lake: Lake, out: Path) -> None:
    _write(build_naively(lake, AS_OF), out)


def _naive_days(lake: Lake, out: Path) -> None:
    for day in MONTH_ENDS:
        build_naively(lake, day).write.mode("append").parquet(str(out))


def _write(frame: DataFrame, out: Path) -> None:
    frame.write.mode("overwrite").parquet(str(out))


SPARK_TASKS: dict[str, Callable[[Lake, Path], None]] = {
    "build": _build, "day": _day, "days": _days, "draw": _draw, "labels": _labels, "naive_day": _naive_day,
    "naive_days": _naive_days,
}  # fmt: skip
NAIVE_TASKS = ("naive_day", "naive_days")
DUCKDB_TASKS: dict[str, Sequence[date]] = {"duckdb_day": (AS_OF,), "duckdb_days": MONTH_ENDS}


def run_spark(task: str, root: Path, out: Path) -> dict[str, float]:
    """One of Spark's tasks."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        spark = spark_session(folder, n_partitions=32, heap=NAIVE_HEAP if task in NAIVE_TASKS else HEAP)
        lake = Lake(spark, LakeConf(root=str(root)))
        spark.range(1).count()
        began_s = time.monotonic()
        SPARK_TASKS[task](lake, out)
        seconds = time.monotonic() - began_s
        spark.stop()
    return {"seconds": seconds}


def run_increments(root: Path, n_events: int, n_users: int) -> dict[str, float]:
    """The job's increments, day after day: the first in a session that is new, the others in one that is warm."""
    seconds = []
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        lake = Lake(spark_session(folder, n_partitions=32), LakeConf(root=str(root)))
        for nth in range(N_MORE_DAYS):
            append_day(lake, n_events, n_users, nth)
            began_s = time.monotonic()
            _build(lake, root)
            seconds.append(time.monotonic() - began_s)
        lake.spark.stop()
    return {"seconds": median(seconds), "first_s": seconds[0]}


def run_duckdb(task: str, root: Path, out: Path) -> dict[str, float]:
    """DuckDB: both its steps, together and apart."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        connection = open_tables(root, Path(folder), N_CORES, DUCKDB_MEMORY)
        began_s = time.monotonic()
        sum_up_days(connection)
        summed_s = time.monotonic() - began_s
        write_features(connection, DUCKDB_TASKS[task], out)
        seconds = time.monotonic() - began_s
        connection.close()
    return {"seconds": seconds, "days_s": summed_s, "features_s": seconds - summed_s}


def main() -> int:
    """The command line: TASK LAKE OUT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=(*SPARK_TASKS, *DUCKDB_TASKS, INCREMENTS))
    parser.add_argument("lake", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--users", type=int, default=0)
    given = parser.parse_args()
    if given.task == INCREMENTS:
        print(json.dumps(run_increments(given.lake, given.events, given.users)))
        return 0
    engine = run_spark if given.task in SPARK_TASKS else run_duckdb
    print(json.dumps(engine(given.task, given.lake, given.out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
