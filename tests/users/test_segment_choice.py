"""Choice of a model: silhouette and stability against scikit-learn, and the rule."""

import numpy as np
import pytest
from pyspark.ml.linalg import Vectors, VectorUDT
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType
from sklearn.metrics import adjusted_rand_score, silhouette_score

from ulm_spark.users.segment_choice import (
    Candidate,
    _rand_index,
    _resampled,
    anchoring,
    centres_of,
    choose_candidate,
    fit_candidates,
    fit_stability,
)
from ulm_spark.users.segment_conf import SegmentConf

CONF = SegmentConf(k_min=2, k_max=3, n_resamples=2, n_finalists=1)
SCHEMA = StructType([StructField("user_id", StringType()), StructField("scaled", VectorUDT())])


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    draw = np.random.default_rng(5)
    centres = np.array([[0, 0], [6, 0], [0, 7]])
    found = np.concatenate([centre + draw.normal(size=(25, 2)) for centre in centres])
    return found - found.mean(axis=0)


@pytest.fixture(scope="module")
def sample(spark: SparkSession, points: np.ndarray) -> DataFrame:
    rows = [(f"u{n:02}", Vectors.dense(point)) for n, point in enumerate(points)]
    return anchoring().transform(spark.createDataFrame(rows, SCHEMA).coalesce(1)).cache()


@pytest.fixture(scope="module")
def candidates(sample: DataFrame) -> list[Candidate]:
    return fit_candidates(sample, CONF, 9)


def test_the_silhouette_is_scikit_learns_of_squared_distances(
    sample: DataFrame, candidates: list[Candidate], points: np.ndarray
) -> None:
    assert {c.key for c in candidates} == {f"{m}_k{k}" for m in CONF.models for k in (2, 3)}
    for candidate in candidates:
        rows = candidate.fitted.transform(sample).orderBy("user_id").select("cluster").collect()
        labels = [row[0] for row in rows]
        assert candidate.silhouette == pytest.approx(silhouette_score(points, labels, metric="sqeuclidean"), abs=1e-9)
        if candidate.name != "gaussian_mixture":
            means = np.array([points[np.array(labels) == n].mean(axis=0) for n in range(candidate.k)])
            assert centres_of(candidate.fitted) == pytest.approx(means, abs=1e-9)


def test_planted_groups_are_stable_and_only_finalists_are_measured(
    sample: DataFrame, candidates: list[Candidate]
) -> None:
    measured = fit_stability(sample, candidates, CONF)
    assert measured[0].k == 3
    assert measured[0].stability is not None
    assert measured[0].stability > 0.9
    assert [c.stability for c in measured[1:]] == [None] * (len(candidates) - 1)


def test_a_resample_holds_users_a_poisson_number_of_times(spark: SparkSession) -> None:
    ids = spark.range(4000).select(F.col("id").cast("string").alias("user_id"))
    counts = ids.select(_resampled(7, 0).alias("a"), _resampled(7, 1).alias("b")).toPandas()
    assert counts["a"].mean() == pytest.approx(1, abs=0.06)
    assert counts["a"].var() == pytest.approx(1, abs=0.12)
    assert abs(counts["a"].corr(counts["b"])) < 0.05


def test_the_rand_index_of_labels_is_scikit_learns() -> None:
    draw = np.random.default_rng(2)
    first, second = draw.integers(0, 4, 200, dtype=np.int32), draw.integers(0, 3, 200, dtype=np.int32)
    second[:120] = first[:120]
    assert _rand_index(first, second) == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)


def test_the_choice_is_the_best_silhouette_among_the_stable(candidates: list[Candidate]) -> None:
    fitted = candidates[0].fitted

    def made(k: int, silhouette: float, stability: float | None, name: str = "kmeans") -> Candidate:
        return Candidate(name, k, fitted, silhouette, stability)

    shaky, stable, unmeasured = made(4, 0.6, 0.4), made(5, 0.5, 0.9), made(6, 0.4, None)
    assert choose_candidate([unmeasured, stable, shaky], 0.6) == stable
    assert choose_candidate([shaky, unmeasured, made(7, 0.3, 0.5)], 0.6) == made(7, 0.3, 0.5)
    assert choose_candidate([unmeasured, made(5, 0.4, None)], 0.6) == made(5, 0.4, None)
    other = made(5, 0.5, 0.9, "gaussian_mixture")
    assert choose_candidate([other, stable], 0.6) == stable
    assert choose_candidate([], 0.6) is None
