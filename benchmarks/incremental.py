"""A day of 2% new events on a history of 100 million: the cost of the run beside that of a full one.

Fills silver.events with a history of 30 days, runs the job sessionize over all of it, joins small files as
maintain_lake does, then lets one more day arrive, a tenth of it late events of the three days before, and runs
the job again. Shoppers sleep at night: one that never pauses has a visit of many days, and each of them must be
looked through when it goes on. Seconds are those of ops.runs. In the end the table must equal, to the row, what
sessionize makes of all events at once. --quick takes 2 million events.
"""

import sys
import tempfile
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.form import Result, at_most, main, none_of, progress
from benchmarks.sessionize import BEGINS_US, DAY_US, HOUR_US, N_DAYS, describe, draw_visits
from benchmarks.sessionizers import spark_session
from jobs import sessionize as job
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.lake.literal import schema_of
from ulm_spark.lake.maintain import MaintenanceRules, maintain
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.sessionize import sessionize

N_EVENTS, N_QUICK_EVENTS = 100_000_000, 2_000_000
NEW_SHARE, LATE_SHARE, LATE_DAYS = 0.02, 0.1, 3
AS_OF = date(2025, 2, 1)


def as_events(described: DataFrame, spark: SparkSession) -> DataFrame:
    """Rows of silver.events, its other columns null, or neutral where null is barred."""
    known = described.withColumns({"event_on": F.to_date("event_at"), "is_item": F.lit(True)})
    neutral = {"string": F.lit("benchmark"), "bigint": F.lit(0), "timestamp": F.timestamp_micros(F.lit(BEGINS_US))}
    columns = [
        F.col(field.name)
        if field.name in known.columns
        else (F.lit(None) if field.nullable else neutral[field.dataType.simpleString()]).cast(field.dataType)
        for field in schema_of(EVENTS)
    ]
    named = zip(columns, EVENTS.column_names, strict=True)
    # By a given number, so that nearly each day has a file of its own, as when days come one by one.
    return known.select(*(column.alias(name) for column, name in named)).repartition(N_DAYS * 4, "event_on")


def asleep_at_night(events: DataFrame) -> DataFrame:
    """The events of each day moved together into the 16 hours from 7:00 on, in their order."""
    into_day_us = (F.col("at_us") - BEGINS_US) % DAY_US
    awake_us = 7 * HOUR_US + F.floor(into_day_us * 2 / 3).cast("long")
    return events.withColumn("at_us", F.col("at_us") - into_day_us + awake_us)


def new_day(spark: SparkSession, n_events: int) -> DataFrame:
    """The day after the history, with some events of the days before it, by the history's shoppers."""
    n_new = int(n_events * NEW_SHARE)
    drawn = draw_visits(spark, n_new, n_users=n_events // 47, seed=100)
    day_us = F.lit(BEGINS_US + N_DAYS * DAY_US) + (F.col("at_us") - BEGINS_US) % DAY_US
    is_late = F.rand(200) < LATE_SHARE
    days_late = 1 + F.floor(F.rand(201) * LATE_DAYS)
    return asleep_at_night(drawn.withColumn("at_us", F.when(is_late, day_us - days_late * DAY_US).otherwise(day_us)))


def seconds_of(lake: Lake, conf: job.Conf) -> float:
    """Runs the job, as for a day, and tells how long ops.runs says that it took."""
    job.run(lake.spark, conf, AS_OF)
    row = lake.read(RUNS).agg(F.max_by("seconds", "started_at")).first()
    return float(row[0]) if row is not None else float("nan")


def digest(sessions: DataFrame) -> tuple[object, ...]:
    """Equal for equal rows in any order."""
    hashed = F.xxhash64(*sessions.columns)
    row = sessions.agg(F.count(F.lit(1)), F.bit_xor(hashed), F.sum(F.shiftright(hashed, 24))).first()
    return tuple(row or ())


def measure(quick: bool) -> Result:
    """Full run, a day's run, a run without anything new."""
    n_events = N_QUICK_EVENTS if quick else N_EVENTS
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        spark = spark_session(folder, n_partitions=16)
        conf = job.Conf(lake=LakeConf(root=str(Path(folder) / "lake")))
        lake = Lake(spark, conf.lake)
        lake.create(EVENTS)
        progress(f"{n_events:,} events: history")
        history = asleep_at_night(draw_visits(spark, n_events, n_users=n_events // 47, seed=0))
        lake.append(as_events(describe(history), spark), EVENTS)
        progress("full run")
        full_s = seconds_of(lake, conf)
        maintain(lake, SESSIONS, MaintenanceRules(min_files=2))
        progress("a day arrives")
        lake.append(as_events(describe(new_day(spark, n_events)), spark), EVENTS)
        day_s = seconds_of(lake, conf)
        nothing_s = seconds_of(lake, conf)
        progress("all at once, to compare")
        anew = sessionize(lake.read(EVENTS), SessionRules(), conf.shop.zone)
        is_equal = digest(lake.read(SESSIONS)) == digest(anew)
        spark.stop()
    rows = (
        ("all of the history", f"{full_s:.1f}", "1.00"),
        (f"a day of {NEW_SHARE:.0%}, a tenth of it late", f"{day_s:.1f}", f"{day_s / full_s:.3f}"),
        ("nothing new", f"{nothing_s:.1f}", f"{nothing_s / full_s:.3f}"),
    )
    figures = {"full_s": full_s, "day_s": day_s, "nothing_s": nothing_s}
    goals = (
        none_of("tables that differ from a full run's", not is_equal),
        at_most("a day's run over the full run", day_s / full_s, 0.05),
    )
    return Result("incremental", ("run", "s", "of full"), rows, figures, goals)


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
