"""Which model, and how many segments? By silhouette, among those that a resample of the users finds again."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, factorial
from multiprocessing.pool import ThreadPool
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import (
    BisectingKMeans,
    BisectingKMeansModel,
    GaussianMixture,
    GaussianMixtureModel,
    KMeans,
    KMeansModel,
)
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.feature import SQLTransformer, VectorAssembler
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.util import inheritable_thread_target

from ulm_spark.stats.agreement import adjusted_rand_index
from ulm_spark.users.segment_conf import MODELS, SegmentConf

ClusterModel = KMeansModel | BisectingKMeansModel | GaussianMixtureModel

In = TypeVar("In")
Out = TypeVar("Out")

_AT_A_TIME = 4
_DIGITS = 6
# Spark's bisecting k-means never stops early, and a split settles soon.
_MOST_BISECTING_ITERATIONS = 8
# Poisson counts above this have a chance below 1e-6.
_MOST_OFTEN = 9


@dataclass(frozen=True)
class Candidate:
    """One model with k clusters, fitted on the sample; stability is None where it was not measured."""

    name: str
    k: int
    fitted: ClusterModel
    silhouette: float
    stability: float | None = None

    @property
    def key(self) -> str:
        """Such as kmeans_k4, as metrics name it."""
        return f"{self.name}_k{self.k}"

    @property
    def rank(self) -> tuple[float, int, int]:
        """Sorts the best silhouette first; ties to the smaller k, then to the simpler model."""
        return -round(self.silhouette, _DIGITS), self.k, MODELS.index(self.name)


def anchoring() -> PipelineModel:
    """The stages that make ``anchored``: scaled, and a component that is 1 for all.

    Bisecting k-means parts a cluster by moving its centre by a share of the centre's length. That of all users has none
    on features of mean 0; the same component for all gives it one, and changes no distance.
    """
    anchor = SQLTransformer(statement="SELECT *, 1.0D AS anchor FROM __THIS__")
    return PipelineModel([anchor, VectorAssembler(inputCols=["scaled", "anchor"], outputCol="anchored")])


def fit_candidates(sample: DataFrame, conf: SegmentConf, k_most: int) -> list[Candidate]:
    """Every model with every k up to k_most, with its mean silhouette on the sample, the best first.

    In:     user_id, scaled and anchored, vectors; persisted, in one partition and one order.
    Rule:   the silhouette is that of squared Euclidean distances.
    Edge:   a model that leaves one of its k clusters without a user is left out: it is one of fewer clusters.
    Source: Rousseeuw (1987), Journal of Computational and Applied Mathematics 20, 53-65.
    """
    evaluator = ClusteringEvaluator(featuresCol="scaled", predictionCol="cluster")

    def fit(tried: tuple[int, str]) -> Candidate | None:
        k, name = tried
        fitted = _fit(sample, name, k, conf)
        placed = fitted.transform(sample).select("scaled", "cluster")
        if placed.select("cluster").distinct().count() < k:
            return None
        return Candidate(name, k, fitted, float(evaluator.evaluate(placed)))

    ks = range(conf.k_min, min(conf.k_max, k_most) + 1)
    found = _side_by_side(fit, [(k, name) for k in ks for name in conf.models])
    return sorted((candidate for candidate in found if candidate), key=lambda candidate: candidate.rank)


def fit_stability(sample: DataFrame, candidates: Sequence[Candidate], conf: SegmentConf) -> list[Candidate]:
    """The candidates, the first n_finalists of them with their stability.

    Rule:   the mean adjusted Rand index, over the users of the sample, between the clusters fitted on the sample
            and those fitted on a resample of it; a user is in a resample as often as a Poisson number of mean 1, drawn
            by the hash of the id, says.
    Source: Hennig (2007), Computational Statistics & Data Analysis 52, 258-271, section 2, with the index of Hubert &
            Arabie (1985) over all clusters; Hanley & MacGibbon (2006), Comput. Methods Programs Biomed. 83, 57-62.
    """
    if conf.n_resamples == 0:
        return list(candidates)
    weights = [_resampled(conf.seed, number).alias(f"weight_{number}") for number in range(conf.n_resamples)]
    resampled = sample.select("user_id", "scaled", "anchored", *weights).persist()
    try:
        finalists = _side_by_side(
            lambda c: replace(c, stability=_fit_agreement(resampled, c, conf)), candidates[: conf.n_finalists]
        )
    finally:
        resampled.unpersist()
    return [*finalists, *candidates[conf.n_finalists :]]


def choose_candidate(candidates: Sequence[Candidate], min_stability: float) -> Candidate | None:
    """The best silhouette among the stable ones, else the most stable, else the best silhouette; None of none."""
    ranked = sorted(candidates, key=lambda c: c.rank)
    measured = [(candidate, candidate.stability) for candidate in ranked if candidate.stability is not None]
    stable = [candidate for candidate, stability in measured if stability >= min_stability]
    if stable or not measured:
        return next(iter(stable or ranked), None)
    return max(measured, key=lambda pair: round(pair[1], _DIGITS))[0]


def centres_of(fitted: ClusterModel) -> NDArray[np.float64]:
    """[n_clusters][n_features]: the mean of each cluster."""
    if isinstance(fitted, GaussianMixtureModel):
        return np.array([gaussian.mean.toArray() for gaussian in fitted.gaussians])
    centres = np.array(fitted.clusterCenters())
    return centres[:, :-1] if isinstance(fitted, BisectingKMeansModel) else centres


def _fit(sample: DataFrame, name: str, k: int, conf: SegmentConf, weight: str | None = None) -> ClusterModel:
    """One fit; with weight, on the users whose weight is above 0."""
    rows = sample if weight is None else sample.where(F.col(weight) > 0)
    estimator: KMeans | BisectingKMeans | GaussianMixture
    if name == "kmeans":
        estimator = KMeans(initSteps=2)
    elif name == "bisecting_kmeans":
        estimator = BisectingKMeans()
    else:
        estimator = GaussianMixture(probabilityCol="cluster_shares")
    estimator = estimator.setFeaturesCol("anchored" if name == "bisecting_kmeans" else "scaled")
    n_iterations = min(conf.max_iter, _MOST_BISECTING_ITERATIONS) if name == "bisecting_kmeans" else conf.max_iter
    estimator = estimator.setPredictionCol("cluster").setK(k).setSeed(conf.seed).setMaxIter(n_iterations)
    return (estimator if weight is None else estimator.setWeightCol(weight)).fit(rows)


def _side_by_side(work: Callable[[In], Out], tasks: Sequence[In]) -> list[Out]:
    """What the work makes of each task, in their order; a few at a time, since a small fit mostly waits."""
    if not tasks:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # says that a session's tags are not passed on; there are none
        passed_on = inheritable_thread_target(work)
    with ThreadPool(min(_AT_A_TIME, len(tasks))) as pool:
        return pool.map(passed_on, tasks, chunksize=1)


def _fit_agreement(resampled: DataFrame, candidate: Candidate, conf: SegmentConf) -> float:
    placed = candidate.fitted.transform(resampled).drop("cluster_shares").withColumnRenamed("cluster", "own")
    others = []
    for number in range(conf.n_resamples):
        again = _fit(resampled, candidate.name, candidate.k, conf, f"weight_{number}")
        others.append(f"other_{number}")
        placed = again.transform(placed).drop("cluster_shares").withColumnRenamed("cluster", others[-1])
    own, *resampled_ones = np.array(placed.select("own", *others).collect(), dtype=np.int32).T
    return float(np.mean([_rand_index(own, other) for other in resampled_ones]))


def _rand_index(first: NDArray[np.int32], second: NDArray[np.int32]) -> float:
    pairs, counts = np.unique(np.stack([first, second]), axis=1, return_counts=True)
    return adjusted_rand_index(pairs[0], pairs[1], counts)


def _resampled(seed: int, number: int) -> Column:
    """How often a user is in a resample, as a double: a Poisson number of mean 1."""
    uniform = F.shiftrightunsigned(F.xxhash64(F.lit(seed), F.lit(number), F.col("user_id")), 11) / F.lit(2.0**53)
    limits = np.cumsum([exp(-1) / factorial(n) for n in range(_MOST_OFTEN)])
    return sum(((uniform >= F.lit(float(limit))).cast("double") for limit in limits), F.lit(0.0))
