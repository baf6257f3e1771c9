"""The main job on real shops: rows conserved, and how good the models are on a month they never saw.

Runs ``ulm run`` on UCI Online Retail (305 daily files) and on the REES46 sample, in lakes of their
own, and reads the figures from the lake. On Online Retail, ALS and the sequence model are trained with
two more seeds, so that their spread is seen. Needs the folder of real data sets that the configs name.
--quick takes the REES46 sample alone.
"""

import csv
import io
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.form import Goal, Result, at_least, main, none_of, progress
from benchmarks.timed import run_ulm

CONF = Path(__file__).parent.parent / "conf"
RETRAINED = ("train_als", "recommend_items", "train_sequence", "recommend_next_items", "evaluate_models")
FURTHER_SEEDS = (1, 2)  # beside the one that the config names
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
    return list(csv.DictReader(io.StringIO(run_ulm(["sql", query, *options]).stdout)))


def run_shop(name: str, options: list[str]) -> tuple[dict[str, str], list[dict[str, str]], float]:
    """Every job on one shop: its row counts, its model quality, and the seconds it took."""
    progress(f"running all jobs on {name}")
    timed = run_ulm(["run", *options])
    return ask(options, ROWS)[0], ask(options, QUALITY), timed.seconds


def run_with_seed(options: list[str], seed: int) -> list[dict[str, str]]:
    """The model quality of the same lake after its models were trained anew with another seed."""
    progress(f"training again with seed {seed}")
    only = [part for job in RETRAINED for part in ("--only", job)]
    run_ulm(["run", *options, *only, "--set", f"als.seed={seed}", "--set", f"training.seed={seed}"])
    return ask(options, QUALITY)


def spread_over_seeds(runs: list[list[dict[str, str]]]) -> tuple[list[tuple[str, ...]], dict[str, float], list[Goal]]:
    """Rows, figures and goals of NDCG@10 over training seeds: mean, standard deviation, and the worst difference."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    for model in ("als", "sequence"):
        found = [row for run in runs for row in run if (row["model"], row["metric"]) == (model, "ndcg@10")]
        values = [float(row["value"]) for row in found]
        mean, deviation = statistics.mean(values), statistics.stdev(values)
        figures |= {f"online_retail_{model}_ndcg@10_mean": mean, f"online_retail_{model}_ndcg@10_sd": deviation}
        measured = f"{mean:.4f} +- {deviation:.4f}"
        rows.append(("online_retail", "items", model, f"ndcg@10, {len(values)} seeds", measured, "", found[0]["n"]))
        low = min(float(row["difference_low"]) for row in found)
        goals.append(at_least(f"online_retail: {model} over popularity, 2.5% bound, worst seed", low, 0.0))
    return rows, figures, goals


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
            options = ["--config", str(CONF / f"{name}.yaml"), "--set", f"lake.root={Path(folder) / name}"]
            counts, quality, seconds = run_shop(name, options)
            lost = int(counts["raw"]) - int(counts["kept"]) - int(counts["quarantined"])
            figures |= {f"{name}_{key}": int(value) for key, value in counts.items()}
            figures[f"{name}_s"] = round(seconds, 1)
            goals.append(none_of(f"{name}: rows lost", lost))
            for row in quality:
                figures[f"{name}_{row['task']}_{row['model']}_{row['metric']}"] = float(row["value"])
                measured = interval(row, "value", "value_low", "value_high")
                baseline = f"{row['baseline']} {float(row['baseline_value']):.4f}" if row["baseline_value"] else ""
                rows.append((name, row["task"], row["model"], row["metric"], measured, baseline, row["n"]))
            if name == "online_retail":
                spread = spread_over_seeds([quality, *(run_with_seed(options, seed) for seed in FURTHER_SEEDS)])
                rows, figures, goals = rows + spread[0], figures | spread[1], goals + spread[2]
    header = ("shop", "task", "model", "metric", "value [95%]", "baseline", "n")
    return Result("real_input", header, tuple(rows), figures, tuple(goals))


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
