"""Who is judged on which task in benchmarks.shared_trunk, by which metric, and how sure a difference is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.trunk_examples import Shop, ask_day, ask_visits
from ulm_spark.sequence.rows import Int64s
from ulm_spark.stats.bootstrap import Interval, percentile_interval, resample_counts

N_RESAMPLES, RESAMPLE_SEED = 400, 5
Floats = NDArray[np.float64]
Said = dict[str, Floats]
METRICS = {
    "churn": "AUC", "value": "Spearman", "conversion": "AUC", "action": "log likelihood", "gap": "log likelihood",
    "next_item": "NDCG@10",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One training. said: of each task, a number of each user that was asked.

    churn, conversion: log odds; value: the mean; action, gap: the log likelihood of the answer, NaN where it is not
    known; next_item: NDCG@10.
    """

    said: Said
    seconds: float
    n_trained: int
    n_epochs: int


@dataclass(frozen=True)
class Judge:
    """A task's users and what became of them. outcome: [n], 1 where what a metric needs no outcome for."""

    task: str
    chosen: Int64s
    outcome: Floats

    def metric(self, said: Floats, drawn: Int64s) -> float:
        """Of the users at these places of the chosen ones."""
        told, outcome = said[drawn], self.outcome[drawn]
        if METRICS[self.task] == "AUC":
            return _area(told, outcome > 0)
        if METRICS[self.task] == "Spearman":
            return float(np.corrcoef(rankdata(told), rankdata(outcome))[0, 1])
        return float(told.mean())


def _area(score: Floats, is_yes: NDArray[np.bool_]) -> float:
    n_yes = int(is_yes.sum())
    wins = rankdata(score)[is_yes].sum() - n_yes * (n_yes + 1) / 2
    return float(wins / max(n_yes * (len(score) - n_yes), 1))


def judges_of(shop: Shop, n_next: int) -> dict[str, Judge]:
    """Who is judged on what. n_next: users whose next item is to be named."""
    day, visit = ask_day(shop, shop.judged_on), ask_visits(shop, shop.judged_on)
    active = np.flatnonzero(shop.is_active(shop.judged_on, day.user))
    everyone = np.arange(len(day.user))
    known = np.flatnonzero(visit.queries.has_next > 0)
    ended = np.flatnonzero(visit.queries.has_visit > 0)
    return {
        "churn": Judge("churn", active, day.queries.is_gone[active].astype(np.float64)),
        "value": Judge("value", active, day.queries.value[active].astype(np.float64)),
        "gap": Judge("gap", everyone, np.ones(len(everyone))),
        "action": Judge("action", known, np.ones(len(known))),
        "conversion": Judge("conversion", ended, visit.queries.is_buying[ended].astype(np.float64)),
        "next_item": Judge("next_item", np.arange(n_next), np.ones(n_next)),
    }


def difference(judge: Judge, ours: Sequence[Floats], theirs: Sequence[Floats]) -> Interval:
    """Of the mean metric over seeds, with its interval over the same resampled users."""
    n_users = len(judge.chosen)

    def means(drawn: Int64s) -> float:
        found = [float(np.mean([judge.metric(said, drawn) for said in runs])) for runs in (ours, theirs)]
        return found[0] - found[1]

    resampled = [
        means(np.repeat(np.arange(n_users), counts.astype(np.int64)))
        for block in resample_counts(n_users, N_RESAMPLES, RESAMPLE_SEED)
        for counts in block
    ]
    return percentile_interval(means(np.arange(n_users)), np.array(resampled))


def remembered(file: Path, make: Callable[[], Run]) -> Run:
    """The run in a file, made where there is none."""
    if not file.exists():
        run = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        numbers = np.array([run.seconds, run.n_trained, run.n_epochs])
        np.savez(file, numbers=numbers, **{f"said_{task}": values for task, values in run.said.items()})
    with np.load(file) as stored:
        seconds, n_trained, n_epochs = stored["numbers"]
        said = {name.removeprefix("said_"): stored[name] for name in stored.files if name != "numbers"}
    return Run(said, float(seconds), int(n_trained), int(n_epochs))
