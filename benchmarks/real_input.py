"""The main job on real shops: rows conserved, and how good the models are on a month they never saw.

Runs ``ulm run`` on UCI Online Retail (305 daily files) and on the REES46 sample, in lakes of their
own, and reads the figures from the lake. Needs the folder of real data sets that the configs name.
--quick takes the REES46 sample alone.
"""

import csv
import io
import sys
import tempfile
from pathlib import Path

from benchmarks.demo_jobs import run_timed
from benchmarks.form import Goal, Result, at_least, main, progress

CONF = Path(__file__).parent.parent / "conf"
ROWS = (
    "select (select count(*) from bronze.raw_events) raw, (select count(*) from silver.events) kept, "
    "(select count(*) from bronze.quarantine) quarantined"
)
QUALITY = (
    "select task, model, metric, value, value_low, value_high, baseline, baseline_value, difference_low, "
    "difference_high, n from gold.model_quality order by task, model, metric"
)


def ask(options: list[str], query: str) -> list[dict[str, str]]:
    """The rows of a query over a lake."""
    return list(csv.DictReader(io.StringIO(run_timed(["sql", query, *options]).stdout)))


def run_shop(name: str, folder: Path) -> tuple[dict[str, str], list[dict[str, str]], float]:
    """Every job on one shop: its row counts, its model quality, and the seconds it took."""
    options = ["--config", str(CONF / f"{name}.yaml"), "--set", f"lake.root={folder / name}"]
    progress(f"running all jobs on {name}")
    timed = run_timed(["run", *options])
    return ask(options, ROWS)[0], ask(options, QUALITY), timed.seconds


def interval(row: dict[str, str], value: str, low: str, high: str) -> str:
    """A value with its bootstrap interval, where it has one."""
    text = f"{float(row[value]):.4f}" if row[value] else ""
    return f"{text} [{float(row[low]):.4f}, {float(row[high]):.4f}]" if row[low] and row[high] else text


def measure(quick: bool) -> Result:
    """The shops, one after the other."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        for name in ("rees46",) if quick else ("rees46", "online_retail"):
            counts, quality, seconds = run_shop(name, Path(folder))
            lost = int(counts["raw"]) - int(counts["kept"]) - int(counts["quarantined"])
            figures |= {f"{name}_{key}": int(value) for key, value in counts.items()}
            figures[f"{name}_s"] = round(seconds, 1)
            goals.append(Goal(f"{name}: rows lost", lost, "0", lost == 0))
            for row in quality:
                figures[f"{name}_{row['task']}_{row['model']}_{row['metric']}"] = float(row["value"])
                measured = interval(row, "value", "value_low", "value_high")
                baseline = f"{row['baseline']} {float(row['baseline_value']):.4f}" if row["baseline_value"] else ""
                rows.append((name, row["task"], row["model"], row["metric"], measured, baseline, row["n"]))
                if row["metric"] == "ndcg@10" and row["model"] in ("als", "sequence") and name == "online_retail":
                    low = float(row["difference_low"])
                    goals.append(at_least(f"{name}: {row['model']} over popularity, 2.5% bound", low, 0.0))
    header = ("shop", "task", "model", "metric", "value [95%]", "baseline", "n")
    return Result("real_input", header, tuple(rows), figures, tuple(goals))


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
