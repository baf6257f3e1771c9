"""One trunk with all heads against a network for each task, boosted trees, and adapters against full tuning.

    python -m benchmarks.shared_trunk [--shop demo|online_retail] [--seeds N] [--epochs N] [--quick]

On the synthetic shop and on UCI Online Retail (where the folder of real data sets is there). Everything is learned from
what was known at the end of one day, and judged by the horizon after it: churn and value of the buyers of the last
weeks, time to the next event of everyone, conversion and the next kind of event at one event of each user, and the
next item. The single-task twins have the same trunk, epochs and early stopping. The boosted trees are the product's own
(Spark, churn alone) and scikit-learn's on gold.user_features, for churn, value and conversion; beside them, for value,
an LSTM that sees nothing but what was paid in each period. Differences have bootstrap intervals over users, of the mean
over seeds. Runs that are done are remembered below .ulm/shared_trunk.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.form import Goal, Result, at_least, at_most, progress, show
from benchmarks.trunk_examples import Shop, ask_day, paid_by_period, read_shop
from benchmarks.trunk_judges import METRICS, Floats, Judge, Run, difference, judges_of, remembered
from benchmarks.trunk_models import train
from benchmarks.trunk_recipes import SHOPS, adapter_recipe, recipe
from benchmarks.trunk_shops import SHOP
from benchmarks.trunk_shops import main as write_shop
from benchmarks.trunk_trees import boosted_trees
from ulm_spark.lake.fingerprint import config_hash
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.value_series import SeriesConf, fit_value_series, predict_next_value

FOLDER = Path(".ulm") / "shared_trunk"
N_SEEDS, FIRST_SEED = 3, 20_260
SHARED, TREES, SERIES, LARGE, FULL, FEW = "shared", "trees", "value series", "large", "full", "adapter"
WAYS = {FULL: 0, FEW: 2}  # rank of the adapter
ADAPTED = "churn"  # the task that the large trunk has not learned


class Bench:
    """All runs of one shop."""

    def __init__(self, shop: Shop, folder: Path, n_seeds: int, n_epochs: int | None) -> None:
        self.shop, self.folder = shop, folder / (f"runs-of-{n_epochs}-epochs" if n_epochs else "runs")
        self.seeds = tuple(range(FIRST_SEED, FIRST_SEED + n_seeds))
        self.n_epochs = n_epochs
        self.tasks = SHOPS[shop.name].tasks

    def networks(self, name: str, conf: TrainingConf, begin_from: str = "") -> list[Run]:
        """A training for each seed. begin_from: name of the runs whose models they begin with."""
        return [self._network(name, replace(conf, seed=seed), begin_from) for seed in self.seeds]

    def _network(self, name: str, conf: TrainingConf, begin_from: str) -> Run:
        conf = replace(conf, max_epochs=self.n_epochs) if self.n_epochs else conf
        source = str(self.folder / f"{begin_from}-{conf.seed}" / "model") if begin_from else ""
        folder = self.folder / f"{name}-{conf.seed}"
        make = partial(train, self.shop, conf, folder, source, is_kept=name == LARGE)
        return remembered(folder / f"run-{config_hash(conf)}.npz", make)

    def trees(self) -> list[Run]:
        """scikit-learn's, for each seed."""
        return [
            remembered(self.folder / f"{TREES}-{seed}" / "run.npz", lambda seed=seed: boosted_trees(self.shop, seed))
            for seed in self.seeds
        ]

    def series(self, judge: Judge) -> list[Floats]:
        """What an LSTM on nothing but the value of each period says of the users whose value is judged."""
        users = ask_day(self.shop, self.shop.judged_on).user
        paid = paid_by_period(self.shop, users)
        known = paid[:, ~np.isnan(paid).all(axis=0)]
        models = [fit_value_series(known, SeriesConf(seed=seed)) for seed in self.seeds]
        return [predict_next_value(model, known)[judge.chosen] for model in models]

    def product(self, judge: Judge) -> list[Floats]:
        """What the product's own trees say of the users whose churn is judged."""
        users = self.shop.users[ask_day(self.shop, self.shop.judged_on).user[judge.chosen]]
        return [self.shop.churn.set_index("user_id").reindex(users)["p_churn"].to_numpy(np.float64)]


@dataclass(frozen=True)
class Found:
    """Parts of a Result."""

    rows: tuple[tuple[str, ...], ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    goals: tuple[Goal, ...] = ()

    def __add__(self, other: "Found") -> "Found":
        return Found(self.rows + other.rows, self.figures | other.figures, self.goals + other.goals)


def compare(bench: Bench) -> Found:
    """The shared trunk against its twins and the trees."""
    shared_conf = recipe(bench.shop, (*bench.tasks, "next_item"))
    runs = {SHARED: bench.networks(SHARED, shared_conf)}
    for task in (*bench.tasks, "next_item"):
        runs[task] = bench.networks(task, recipe(bench.shop, (task,)))
    trees = bench.trees()
    judges = judges_of(bench.shop, len(runs[SHARED][0].said["next_item"]))
    rows, figures, goals, n_better = [], {}, [], 0
    for task in (*bench.tasks, "next_item"):
        judge = judges[task]
        rivals = {"twin": [run.said[task][judge.chosen] for run in runs[task]]}
        rivals |= {"trees": [run.said[task][judge.chosen] for run in trees]} if task in trees[0].said else {}
        rivals |= {"the product's trees": bench.product(judge)} if task == "churn" else {}
        rivals |= {SERIES: bench.series(judge)} if task == "value" else {}
        ours = [run.said[task][judge.chosen] for run in runs[SHARED]]
        everyone = np.arange(len(judge.chosen))
        name = f"{bench.shop.name}: {task}"
        figures[f"{name} {SHARED}"] = float(np.mean([judge.metric(said, everyone) for said in ours]))
        for rival, theirs in rivals.items():
            found = difference(judge, ours, theirs)
            n_better += int(found.low > 0 and rival != SERIES)
            figures[f"{name} {rival}"] = value = float(np.mean([judge.metric(said, everyone) for said in theirs]))
            between = f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
            told = f"{figures[f'{name} {SHARED}']:.4f}"
            rows.append(
                (bench.shop.name, task, METRICS[task], told, rival, f"{value:.4f}", between, str(len(everyone)))
            )
            if rival != SERIES:  # a baseline beside
                goals.append(at_least(f"{name}: over {rival}, 97.5% bound", found.high, 0.0))
    goals.append(at_least(f"{bench.shop.name}: rivals that it is better than, beyond the interval", n_better, 2))
    seconds = {name: float(np.sum([run.seconds for run in found])) for name, found in runs.items()}
    figures |= {f"{bench.shop.name}: seconds of {name}": round(value, 1) for name, value in seconds.items()}
    ratio = seconds[SHARED] / sum(value for name, value in seconds.items() if name != SHARED)
    goals.append(at_most(f"{bench.shop.name}: seconds of training over those of all twins", ratio, 1.0))
    return Found(tuple(rows), {key: round(value, 5) for key, value in figures.items()}, tuple(goals))


def adapt(bench: Bench) -> Found:
    """Few parameters against all, where a trunk that never learned a task is tuned for it."""
    name = bench.shop.name
    others = tuple(task for task in bench.tasks if task != ADAPTED)
    bench.networks(LARGE, adapter_recipe(bench.shop, (*others, "next_item"), 0))
    tuned = {
        way: bench.networks(way, adapter_recipe(bench.shop, (ADAPTED,), rank), LARGE) for way, rank in WAYS.items()
    }
    judge = judges_of(bench.shop, 0)[ADAPTED]
    everyone = np.arange(len(judge.chosen))
    values = {
        way: float(np.mean([judge.metric(run.said[ADAPTED][judge.chosen], everyone) for run in runs]))
        for way, runs in tuned.items()
    }
    share = tuned[FEW][0].n_trained / tuned[FULL][0].n_trained
    told, whole = f"{values[FEW]:.4f}, {tuned[FEW][0].n_trained} parameters", f"{values[FULL]:.4f}"
    row = (name, f"{ADAPTED}, tuned", METRICS[ADAPTED], told, "full tuning", whole, "", str(len(everyone)))
    figures = {f"{name}: {ADAPTED} {way} tuning": round(value, 5) for way, value in values.items()}
    goals = (
        at_least(f"{name}: adapter's {METRICS[ADAPTED]} over that of full tuning", values[FEW] / values[FULL], 0.99),
        at_most(f"{name}: adapter's share of the parameters", share, 0.05),
    )
    return Found((row,), figures, goals)


def measure(name: str, n_seeds: int, n_epochs: int | None) -> Found:
    """One shop, none where its data is not there."""
    kind, folder = SHOPS[name], FOLDER / name
    if kind.needs and not kind.needs.exists():
        progress(f"{name}: no data in {kind.needs}; left out")
        return Found()
    if not (folder / SHOP).exists():
        progress(f"{name}: running the jobs that features need")
        write_shop([str(kind.config), str(folder)])
    bench = Bench(replace(read_shop(folder), name=name), folder, n_seeds, n_epochs)
    return compare(bench) + adapt(bench)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shop", choices=tuple(SHOPS))
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--epochs", type=int, help="fewer than the recipe's, to see that it works")
    parser.add_argument("--quick", action="store_true", help="one seed and two epochs")
    given = parser.parse_args(argv)
    tf.config.experimental.enable_op_determinism()
    n_seeds, n_epochs = (1, 2) if given.quick else (given.seeds, given.epochs)
    found = Found()
    for name in (given.shop,) if given.shop else SHOPS:
        found += measure(name, n_seeds, n_epochs)
    header = ("shop", "task", "metric", "shared", "rival", "rival's", "difference [95%]", "users")
    return show(Result("shared_trunk", header, found.rows, found.figures, found.goals))


if __name__ == "__main__":
    sys.exit(main())
