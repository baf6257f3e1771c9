"""Do the lists name what users buy next, and better than popularity does?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.require import require_counts
from ulm_spark.recommend.outcome import OutcomeWindow
from ulm_spark.stats.bootstrap import difference_interval, mean_interval
from ulm_spark.stats.measurement import Measurement, held_against, measured
from ulm_spark.stats.ranking import hit_rate_at_k, hits_at_ranks, ndcg_at_k, recall_at_k

BASELINE = "popularity"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluationConf:
    """Section ``evaluation``.

    test_days: length of the window after as_of that judges. min_test_days: days of it that must be
    in the lake. k: places of a list that count. n_resamples: bootstrap resamples. seed: of the
    bootstrap. max_users: users measured at most. n_examples: example users in the report.
    n_history: items of an example's history. session_days: days up to as_of whose visits are
    held against the source's own.
    """

    test_days: int = 30
    min_test_days: int = 7
    k: int = 10
    n_resamples: int = 1000
    seed: int = 7
    max_users: int = 200_000
    n_examples: int = 9
    n_history: int = 10
    session_days: int = 30

    def __post_init__(self) -> None:
        days = ("test_days", "min_test_days", "session_days")
        require_counts(self, "evaluation", (*days, "k", "max_users", "n_examples", "n_history"))
        if self.n_resamples < 1000:
            raise ConfigError(
                f"evaluation.n_resamples: found {self.n_resamples}; expected at least 1000, fewer make "
                "unsteady bounds. Raise it in the config."
            )
        if self.min_test_days > self.test_days:
            raise ConfigError(
                f"evaluation.min_test_days: found {self.min_test_days}; expected at most test_days, "
                f"{self.test_days}. Lower it in the config."
            )


def describe_protocol(window: OutcomeWindow, conf: EvaluationConf, *, only_new: bool) -> str:
    """How items are measured, in words, with the real window."""
    part = "" if window.is_whole else f" ({window.n_days} of {conf.test_days} days: the lake ends there)"
    what = "items never bought by as_of" if only_new else "items bought, again or for the first time"
    return (
        f"global cut in time; relevant: {what}, bought after {window.as_of} up to {window.last_on}{part}; "
        f"users with a list and a relevant item; full ranking of all items; "
        f"95% percentile bootstrap over users, {conf.n_resamples} resamples, seed {conf.seed}"
    )


def measure_lists(hits: pd.DataFrame, conf: EvaluationConf, protocol: str) -> list[Measurement]:
    """Metrics of each model's lists, held against popularity on the same users.

    In:   mark_hits, as pandas.
    Out:  ndcg@k, hit_rate@k and recall@k: popularity over all its users, every other model over the
          users that have its list and popularity's, with the paired difference.
    Edge: a model that shares no user with popularity is held against nothing.
    """
    by_model = {str(name): rows.set_index("user_id").sort_index() for name, rows in hits.groupby("model")}
    baseline = by_model.get(BASELINE)
    measurements: list[Measurement] = []
    for model, rows in by_model.items():
        shared = rows.index.intersection(baseline.index) if baseline is not None else rows.index[:0]
        if model == BASELINE or len(shared) == 0:
            measurements += _alone(model, rows, conf, protocol)
        else:
            assert baseline is not None  # shared users come from it
            measurements += _paired(model, rows.loc[shared], baseline.loc[shared], conf, protocol)
    return measurements


def _alone(model: str, rows: pd.DataFrame, conf: EvaluationConf, protocol: str) -> list[Measurement]:
    means = {
        metric: mean_interval(values, conf.n_resamples, conf.seed) for metric, values in _per_user(rows, conf.k).items()
    }
    return [measured("items", model, metric, mean, len(rows), protocol) for metric, mean in means.items()]


def _paired(
    model: str, rows: pd.DataFrame, baseline: pd.DataFrame, conf: EvaluationConf, protocol: str
) -> list[Measurement]:
    mine, against = _per_user(rows, conf.k), _per_user(baseline, conf.k)
    found: list[Measurement] = []
    for alone in _alone(model, rows, conf, f"{protocol}; {BASELINE} on the same users"):
        theirs = against[alone.metric]
        difference = difference_interval(mine[alone.metric], theirs, conf.n_resamples, conf.seed)
        found.append(held_against(alone, BASELINE, float(np.mean(theirs)), difference))
    return found


def _per_user(rows: pd.DataFrame, k: int) -> dict[str, Floats]:
    hits = hits_at_ranks([[int(rank) for rank in ranks] for ranks in rows["hit_ranks"]], k)
    n_relevant = rows["n_relevant"].to_numpy(np.int64)
    return {
        f"ndcg@{k}": ndcg_at_k(hits, n_relevant, k),
        f"hit_rate@{k}": hit_rate_at_k(hits, k),
        f"recall@{k}": recall_at_k(hits, n_relevant, k),
    }
