"""Features of a year of 50 million events: ours against Spark's usual form and DuckDB, on two cores.

Writes silver.events, silver.sessions and silver.order_lines of 1 million skewed shoppers into a lake, and lets
each engine compute all features of the catalogue from the same files, in a process of its own: as of one day, and
as of the 12 month ends of a training set. All must agree to the row (numbers with decimals to 1e-9), or the
benchmark fails. Ours is told in its parts: the days of users and products (the job build_user_days), and features
from them. 10 million labels, pairs of user and day, are given their features. Then three more days arrive, and the job
restates after each, as `ulm run` would in one session: told are the first, for which all of Spark is new, and the
median. The usual form computes the day alone, since 12 of them take hours, and comes last: it is ended where it takes
more than 5 times as long as ours, but with --quick, which takes 200,000 events of 4,000 shoppers. Heaps: ours 4 GB,
the usual form 12 (with 4 it runs out of memory), DuckDB 8. Seconds leave the start of the engine out; memory is of
the whole process.
"""

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from benchmarks.feature_duckdb import differing_features
from benchmarks.feature_engines import INCREMENTS, MONTH_ENDS, N_LABELS, N_QUICK_LABELS
from benchmarks.feature_shop import fill_lake
from benchmarks.form import Goal, Result, at_least, at_most, main, none_of, progress
from benchmarks.sessionizers import N_CORES, spark_session
from benchmarks.timed import run_timed
from ulm_spark.lake.store import Lake, LakeConf

N_EVENTS, N_USERS = 50_000_000, 1_000_000
N_QUICK_EVENTS, N_QUICK_USERS = 200_000, 4_000
MOST_MEMORY_GB = 10.0
# Task of benchmarks.feature_engines, and what it is in words.
TASKS = (
    ("build", "ours: days of users and products"),
    ("day", "ours: one day's features from them"),
    ("days", "ours: 12 month ends from them"),
    ("draw", "labels are drawn (no part of ours)"),
    ("labels", "ours: labels, each with the features of its day"),
    ("duckdb_day", "DuckDB: one day"),
    ("duckdb_days", "DuckDB: 12 month ends"),
)
NAIVE = ("naive_day", "Spark, a grouping a window: one day")
LEAST_NAIVE, LIMIT_NAIVE = 5.0, 5.2
AGREE = (("day", "duckdb_day"), ("day", "naive_day"), ("days", "duckdb_days"))


@dataclass(frozen=True)
class Run:
    """One task: seconds and the most memory; first_s where a task does a thing several times."""

    seconds: float
    peak_gb: float
    first_s: float | None = None
    was_ended: bool = False


def run_task(task: str, root: Path, out: Path, *options: str, most_s: float | None = None) -> Run:
    """The task in a process of its own, for so long at most."""
    progress(f"{task} ...")
    command = [sys.executable, "-m", "benchmarks.feature_engines", task, str(root), str(out / task), *options]
    timed = run_timed(command, most_s=most_s)
    if timed.was_ended:
        progress(f"{task}: ended after {timed.seconds:.1f} s")
        return Run(timed.seconds, timed.peak_gb, was_ended=True)
    told = json.loads(timed.stdout.splitlines()[-1])
    progress(f"{task}: {told['seconds']:.1f} s, {timed.peak_gb:.1f} GB")
    return Run(told["seconds"], timed.peak_gb, told.get("first_s"))


def make_lake(root: Path, n_events: int, n_users: int) -> None:
    """The year."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        spark = spark_session(folder, n_partitions=16)
        fill_lake(Lake(spark, LakeConf(root=str(root))), n_events, n_users)
        spark.stop()


def measure(quick: bool) -> Result:
    """Every task, then what they found beside each other."""
    n_events, n_users = (N_QUICK_EVENTS, N_QUICK_USERS) if quick else (N_EVENTS, N_USERS)
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        root, out = Path(folder) / "lake", Path(folder) / "out"
        out.mkdir()
        progress(f"{n_events:,} events of {n_users:,} shoppers")
        make_lake(root, n_events, n_users)
        runs = {task: run_task(task, root, out) for task, _ in TASKS}
        limit_s = None if quick else LIMIT_NAIVE * _whole(runs, "day")
        runs[NAIVE[0]] = run_task(NAIVE[0], root, out, most_s=limit_s)
        pairs = [pair for pair in AGREE if not any(runs[task].was_ended for task in pair)]
        with duckdb.connect() as connection:
            connection.execute(f"set threads = {N_CORES}")
            differing = {pair: differing_features(connection, *(out / task for task in pair)) for pair in pairs}
        for pair, features in differing.items():
            if features:
                progress(f"{' and '.join(pair)} differ: {features}")
        increment = run_task(INCREMENTS, root, out, "--events", str(n_events), "--users", str(n_users))
    n_labels = N_QUICK_LABELS if quick else N_LABELS
    rows = [_row(title, runs[task], runs) for task, title in (*TASKS, NAIVE)]
    first = replace(increment, seconds=increment.first_s or increment.seconds)
    rows.append(_row("ours: the days again, one day more, in a new session", first, runs))
    rows.append(_row("ours: the days again, one day more, median", increment, runs))
    figures = {f"{task}_s": round(run.seconds, 2) for task, run in runs.items()}
    figures |= {f"{task}_peak_gb": round(run.peak_gb, 2) for task, run in runs.items()}
    figures |= {"increment_s": round(increment.seconds, 2), "first_increment_s": round(first.seconds, 2)}
    figures["n_labels"] = n_labels
    goals = [none_of(f"features in which {a} and {b} differ", len(found)) for (a, b), found in differing.items()]
    return Result(
        "features",
        ("task", "s", "of ours in whole", "peak GB"),
        tuple(rows),
        figures,
        (*goals, *_goals(runs, increment)),
    )


def _whole(runs: dict[str, Run], task: str) -> float:
    """Seconds of ours from silver tables on."""
    return runs["build"].seconds + runs[task].seconds


def _row(title: str, run: Run, runs: dict[str, Run]) -> tuple[str, ...]:
    least = "over " if run.was_ended else ""
    share = f"{least}{run.seconds / _whole(runs, 'day'):.3f}"
    return title, f"{least}{run.seconds:.1f}", share, f"{run.peak_gb:.1f}"


def _goals(runs: dict[str, Run], increment: Run) -> list[Goal]:
    one, twelve = _whole(runs, "day"), _whole(runs, "days")
    return [
        at_least("a grouping a window over ours, one day", runs[NAIVE[0]].seconds / one, LEAST_NAIVE),
        at_least(
            f"the same, {len(MONTH_ENDS)} days, its one day taken as often",
            len(MONTH_ENDS) * runs[NAIVE[0]].seconds / twelve,
            LEAST_NAIVE,
        ),
        at_most("ours over DuckDB, one day", one / runs["duckdb_day"].seconds, 2.0),
        at_most(f"ours over DuckDB, {len(MONTH_ENDS)} days", twelve / runs["duckdb_days"].seconds, 2.0),
        at_most("a day's increment over the full build, median", increment.seconds / runs["build"].seconds, 0.05),
        at_most("peak memory of the labels, GB", runs["labels"].peak_gb, MOST_MEMORY_GB),
    ]


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
