"""Sessions of 20 and 100 million events: ours against plain Spark, session_window, DuckDB and Polars on two cores.

Generates events of skewed shoppers over 30 days, at each size once more with a tenth of all events in one
shopper, and lets every engine turn the same Parquet files into the same sessions, each in a process of its
own. All must agree to the row. Seconds leave the start of the engine out; memory is of the whole process;
shuffled bytes, skew (slowest task over median, of the worst stage that takes a tenth of all tasks' time), rows
(the same of the rows that tasks read from exchanges), exchanges and sorts are Spark's own account of what ran.
--quick takes 1 million events.
"""

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import duckdb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.form import Goal, Result, at_least, at_most, main, none_of, progress
from benchmarks.sessionizers import ENGINES, N_CORES, spark_session
from benchmarks.timed import run_timed

SIZES, QUICK_SIZES = (20_000_000, 100_000_000), (1_000_000,)
N_REPEATS, N_REPEATS_OF_LARGE = 3, 1
BEGINS_US = 1_735_689_600_000_000  # 2025-01-01
N_DAYS = 30
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
# Of Spark's forms: title of the column, name of the figure, digits shown.
DETAILS = (
    ("shuffled MB", "shuffled_mb", 0),
    ("skew", "skew", 2),
    ("rows", "rows_skew", 2),
    ("exchanges", "exchanges", 0),
    ("sorts", "sorts", 0),
)
DIGEST = """
select count(*), sum(n_events), sum(epoch_us(ended_at) - epoch_us(started_at)), sum(n_views), sum(n_carts),
  sum(n_purchases), sum(revenue)::varchar,
  bit_xor(hash(user_id, epoch_us(started_at), landing_product_id, exit_product_id, channel, device))::varchar
from read_parquet('{out}/*.parquet')
"""


@dataclass(frozen=True)
class Found:
    """The median run of one engine on one input."""

    seconds: float
    peak_gb: float
    digest: tuple[object, ...]
    details: dict[str, float]


def generate(spark: SparkSession, folder: Path, n_events: int, is_skewed: bool) -> None:
    """Events as silver.events has them, one folder a day; where skewed, a tenth of them are one shopper's."""
    n_of_heavy = n_events // 10 if is_skewed else 0
    events = draw_visits(spark, n_events - n_of_heavy, n_users=(n_events - n_of_heavy) // 47, seed=0)
    if n_of_heavy:
        events = events.unionByName(_heavy_shopper(spark, n_of_heavy))
    (
        describe(events)
        .withColumn("event_on", F.to_date("event_at"))
        .repartition("event_on")
        .write.partitionBy("event_on")
        .parquet(str(folder))
    )


def draw_visits(spark: SparkSession, n_events: int, n_users: int, seed: int) -> DataFrame:
    """Some 7 events a visit, and a few shoppers with very many. Out: visit, user_id, at_us."""
    visits = spark.range(n_events // 7).select(
        F.col("id").alias("visit"),
        (F.pow(F.rand(seed + 1), 3) * n_users).cast("long").alias("user"),
        (F.rand(seed + 2) * (N_DAYS * DAY_US)).cast("long").alias("starts_us"),
        (1 + F.floor(-F.log1p(-F.rand(seed + 3)) * 6.5)).cast("int").alias("n"),
    )
    events = visits.select("*", F.explode(F.sequence(F.lit(1), F.col("n"))).alias("place"))
    at_us = (
        F.lit(BEGINS_US) + F.col("starts_us") + (F.col("place").cast("double") * 60e6 * F.rand(seed + 4)).cast("long")
    )
    user_id = F.concat(F.lit("u"), F.lpad(F.col("user").cast("string"), 9, "0"))
    return events.select("visit", user_id.alias("user_id"), at_us.alias("at_us"))


def _heavy_shopper(spark: SparkSession, n_events: int) -> DataFrame:
    """One who, or which, is active for the first 20 minutes of every hour."""
    n_hours = 24 * N_DAYS
    step_us = 20 * 60_000_000 // (n_events // n_hours + 1)
    hour, place = F.col("id") % n_hours, F.floor(F.col("id") / n_hours)
    at_us = F.lit(BEGINS_US) + hour * HOUR_US + place * step_us + (F.rand(5) * step_us).cast("long")
    return spark.range(n_events).select(hour.alias("visit"), F.lit("u-heavy").alias("user_id"), at_us.alias("at_us"))


def describe(events: DataFrame) -> DataFrame:
    """What happened at each instant: the columns that visits are made of."""
    kind = F.when(F.rand(6) < 0.85, "view").when(F.rand(7) < 0.3, "search").when(F.rand(8) < 0.6, "cart")
    channels = F.array(*(F.lit(name) for name in ("direct", "search", "ads", "email")))
    product = F.concat(F.lit("p"), (F.pow(F.rand(9), 2) * 100_000).cast("int").cast("string"))
    described = events.select(
        F.substring(F.sha2(F.concat_ws("-", "user_id", "at_us"), 256), 1, 32).alias("event_id"),
        F.timestamp_micros("at_us").alias("event_at"),
        kind.otherwise("purchase").alias("event_type"),
        "user_id",
        product.alias("product_id"),
        (F.rand(10) * 100).cast("decimal(18,4)").alias("unit_price"),
        F.lit("EUR").alias("currency"),
        F.lit(1).alias("quantity"),
        F.element_at(channels, (1 + F.col("visit") % 4).cast("int")).alias("channel"),
        F.when(F.col("visit") % 5 == 0, F.concat(F.lit("c"), (F.col("visit") % 50).cast("string"))).alias("campaign"),
        F.when(F.col("visit") % 2 == 0, "mobile").otherwise("desktop").alias("device"),
    )
    return described.withColumn("product_id", F.when(F.col("event_type") != "search", F.col("product_id")))


def run_engine(engine: str, events: Path, n_repeats: int) -> Found:
    """The engine, so often; the run of median seconds."""
    runs = []
    for number in range(n_repeats):
        progress(f"{events.name}: {engine}, run {number + 1} of {n_repeats}")
        with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
            out = Path(folder) / "sessions"
            command = [sys.executable, "-m", "benchmarks.sessionizers", engine, str(events), str(out)]
            timed = run_timed(command, {**os.environ, "POLARS_MAX_THREADS": str(N_CORES)})
            details = json.loads(timed.stdout.splitlines()[-1])
            digest = duckdb.sql(DIGEST.format(out=out)).fetchall()[0]
        runs.append(Found(details.pop("seconds"), timed.peak_gb, digest, details))
    middle = median(run.seconds for run in runs)
    return min(runs, key=lambda run: abs(run.seconds - middle))


def measure(quick: bool) -> Result:
    """Every engine on every input."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    for n_events in QUICK_SIZES if quick else SIZES:
        for is_skewed in (False, True):
            label = f"{n_events // 1_000_000}M{' skewed' if is_skewed else ''}"
            with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
                events = Path(folder) / label.replace(" ", "-")
                progress(f"{label}: generating")
                spark = spark_session(folder, n_partitions=8)
                generate(spark, events, n_events, is_skewed)
                spark.stop()
                n_repeats = N_REPEATS if n_events <= SIZES[0] else N_REPEATS_OF_LARGE
                found = {engine: run_engine(engine, events, n_repeats) for engine in ENGINES}
            rows += [_row(label, engine, n_events, found) for engine in ENGINES]
            figures |= {f"{label}_{engine}_s": round(run.seconds, 2) for engine, run in found.items()}
            figures |= {f"{label}_ours_{name}": value for name, value in found["ours"].details.items()}
            goals += _goals(label, found)
    if not quick:
        small, large = (figures[f"{n // 1_000_000}M_ours_s"] / n for n in SIZES)
        goals.append(at_most("seconds an event, 100M over 20M", large / small, 1.2))
    header = ("events", "engine", "s", "ratio", "rows/s/core", "peak GB", *(title for title, _, _ in DETAILS))
    return Result("sessionize", header, tuple(rows), figures, tuple(goals))


def _row(label: str, engine: str, n_events: int, found: dict[str, Found]) -> tuple[str, ...]:
    run = found[engine]
    details = [f"{run.details[name]:.{digits}f}" if name in run.details else "" for _, name, digits in DETAILS]
    ratio = run.seconds / found["ours"].seconds
    per_core = n_events / run.seconds / N_CORES
    return (label, engine, f"{run.seconds:.1f}", f"{ratio:.2f}", f"{per_core:,.0f}", f"{run.peak_gb:.1f}", *details)


def _goals(label: str, found: dict[str, Found]) -> list[Goal]:
    own = found["ours"]
    differing = [engine for engine, run in found.items() if run.digest != own.digest]
    return [
        none_of(f"{label}: engines that differ from ours", len(differing)),
        at_most(f"{label}: ours over DuckDB", own.seconds / found["duckdb"].seconds, 2.0),
        at_least(f"{label}: two shuffles over ours", found["two_shuffles"].seconds / own.seconds, 2.0),
        at_most(f"{label}: exchanges", own.details["exchanges"], 1),
        at_most(f"{label}: sorts", own.details["sorts"], 1),
        at_most(f"{label}: slowest task over median", own.details["skew"], 1.5),
    ]


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
