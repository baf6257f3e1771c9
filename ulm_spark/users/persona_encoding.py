"""How does a user become the same numbers on every day? One encoding, fitted once and kept."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.ml import PipelineModel
from pyspark.ml.feature import (
    PCA,
    ImputerModel,
    SQLTransformer,
    StandardScalerModel,
    StringIndexer,
    StringIndexerModel,
)
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.stats.components import count_components, orient_components
from ulm_spark.users.persona_conf import PersonaConf
from ulm_spark.users.persona_topics import TopicModel, fit_topics
from ulm_spark.users.segment_scale import fit_scaling

CODED = ("channel", "device", "top_category", "top_brand", "top_price_band")


@dataclass(frozen=True)
class Encoding:
    """What codes a user.

    behaviour: the stages from the columns of gold.user_features to code_X for X of CODED, and scaled. n_known: how
    many values of each of CODED it knows. components: [n_components][n_features], over scaled. topics: None
    where no topics were found. version: hash of all of it. metrics: what the fit measured, empty once it is stored.
    """

    behaviour: PipelineModel
    features: tuple[str, ...]
    n_known: tuple[int, ...]
    components: tuple[tuple[float, ...], ...]
    topics: TopicModel | None
    version: str
    metrics: dict[str, float]
    n_sample: int


def fit_encoding(features: DataFrame, interests: DataFrame, conf: PersonaConf, last: Encoding | None) -> Encoding:
    """An encoding of one day's users.

    In:     gold.user_features of one day; interests of list_interests; last: the encoding before, None for a first one.
    Rule:   fitted on the max_sample users first by the hash of their id, in one partition and one order. Behaviour is
            scaled as for segments, and values beyond its 1st and 99th percentile are drawn in to them for good. Values
            of CODED are numbered by their users, the most first, ties by name.
    Edge:   a feature that no user has is left out. Fewer than two users, or users all alike, have no component.
    Source: Jolliffe (2002), Principal Component Analysis, 2nd edition, section 6.1.1.
    """
    wanted = _wanted(features, conf.features)
    sample = wanted.orderBy(F.xxhash64("user_id"), "user_id").limit(conf.max_sample).coalesce(1).persist()
    try:
        counts = sample.agg(F.count(F.lit(1)).alias("n_users"), *(F.count(f).alias(f) for f in conf.features))
        known = counts.collect()[0]
        names = tuple(f for f in conf.features if known[f] > 0)
        codes = [f"code_{name}" for name in CODED]
        indexer = StringIndexer(inputCols=[*CODED], outputCols=codes, handleInvalid="keep").fit(sample)
        scaling = fit_scaling(sample, names).stages if names else []
        behaviour = PipelineModel([indexer, *scaling])
        components, explained = _fit_components(behaviour.transform(sample), names, known["n_users"], conf)
    finally:
        sample.unpersist()
    topics = fit_topics(interests, conf, last.topics if last else None)
    n_known = tuple(len(labels) for labels in indexer.labelsArray)
    metrics = {"n_components": float(len(components)), "explained": explained, "n_features": float(len(names))}
    metrics["n_topics"] = float(len(topics.topics)) if topics else 0.0
    version = _fit_version(behaviour, components, topics)
    return Encoding(behaviour, names, n_known, components, topics, version, metrics, known["n_users"])


def encode_users(features: DataFrame, encoding: Encoding) -> DataFrame:
    """user_id, components, category_codes and encoding_version of each user.

    In:   gold.user_features.
    Rule: a user's numbers hang on the user's row and the encoding alone. A value of CODED that the encoding does not
          know, or none, has the code 0; the codes of the others are never moved by it.
    """
    coded = encoding.behaviour.transform(_wanted(features, encoding.features))
    # The indexer numbers known values from 0, and puts all others behind the last.
    pairs = zip(CODED, encoding.n_known, strict=True)
    codes = [((F.col(f"code_{name}").cast("int") + 1) % F.lit(n + 1)).alias(name) for name, n in pairs]
    scores = [_score(loadings) for loadings in encoding.components]
    if scores:
        coded = coded.withColumn("scaled", vector_to_array(F.col("scaled")))
    return coded.select(
        "user_id",
        F.array(*scores).cast("array<double>").alias("components"),
        F.array(*codes).alias("category_codes"),
        F.lit(encoding.version).alias("encoding_version"),
    )


def _wanted(features: DataFrame, names: Sequence[str]) -> DataFrame:
    numbers = [name for name in names if name != "tenure_days"]
    return features.select("as_of", "user_id", "tenure_days", *CODED, *numbers)


def _score(loadings: Sequence[float]) -> Column:
    """The user's place on one axis, rounded to 9 digits."""
    weighted = F.zip_with("scaled", F.array(*map(F.lit, loadings)), lambda x, loading: x * loading)
    return F.round(F.aggregate(weighted, F.lit(0.0), lambda total, x: total + x), 9)


def _fit_components(
    coded: DataFrame, names: Sequence[str], n_users: int, conf: PersonaConf
) -> tuple[tuple[tuple[float, ...], ...], float]:
    """The loadings of the components kept, and the share of the variance that they explain."""
    if n_users < 2 or not names:
        return (), 0.0
    fitted = PCA(k=len(names), inputCol="scaled", outputCol="components").fit(coded)
    ratios = fitted.explainedVariance.toArray()
    n_kept = count_components(ratios, conf.explained, conf.max_components)
    loadings = orient_components(fitted.pc.toArray().T[:n_kept])
    return tuple(tuple(float(x) for x in row) for row in loadings), float(np.nansum(ratios[:n_kept]))


def _fit_version(behaviour: PipelineModel, components: tuple[tuple[float, ...], ...], topics: TopicModel | None) -> str:
    """A hash of all that a code hangs on; numbers by 9 digits."""
    parts: list[object] = [[[_brief(x) for x in row] for row in components]]
    for stage in behaviour.stages:
        if isinstance(stage, StringIndexerModel):
            parts.append([list(labels) for labels in stage.labelsArray])
        elif isinstance(stage, SQLTransformer):
            parts.append(stage.getStatement())
        elif isinstance(stage, ImputerModel):
            parts.append([[name, _brief(x)] for name, x in sorted(stage.surrogateDF.collect()[0].asDict().items())])
        elif isinstance(stage, StandardScalerModel):
            parts.append([[_brief(x) for x in vector] for vector in (stage.mean.toArray(), stage.std.toArray())])
    if topics is not None:
        parts.append([topics.vocabulary, [[topic.name, topic.place] for topic in topics.topics]])
        parts.append([[_brief(x) for x in row] for row in topics.counts_by_topic])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _brief(value: float) -> str:
    return f"{value:.9g}"
