"""Which topics do the words of viewed products' titles make, and what are they called?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import LDA, LDAModel
from pyspark.ml.feature import CountVectorizerModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.stats.matching import match_groups
from ulm_spark.stats.topics import shared_mass, term_relevance
from ulm_spark.users.persona_conf import PersonaConf

N_TERMS, N_NAME = 10, 3
KEEPS_NAME = 0.5
_BATCH = 1_000  # users that one pass of the fit looks at, about


@dataclass(frozen=True)
class Topic:
    """One topic; place: where the fitted model has it."""

    name: str
    terms: tuple[str, ...]
    place: int


@dataclass(frozen=True)
class TopicModel:
    """What gives a user's words their topics. pipeline: words to counts to topic_mix; topics: by number."""

    pipeline: PipelineModel
    topics: tuple[Topic, ...]

    @property
    def vocabulary(self) -> list[str]:
        """The words known, by their place in counts."""
        return next(list(s.vocabulary) for s in self.pipeline.stages if isinstance(s, CountVectorizerModel))

    @property
    def counts_by_topic(self) -> NDArray[np.float64]:
        """[n_topics, n_words], as the fitted model has them: expected counts of each word."""
        fitted = next(stage for stage in self.pipeline.stages if isinstance(stage, LDAModel))
        return np.array(fitted.topicsMatrix().toArray().T)


def fit_topics(interests: DataFrame, conf: PersonaConf, last: TopicModel | None) -> TopicModel | None:
    """Topics of the users' words, those of the last fit under their numbers.

    In:     user_id and words, of list_interests; last: the model before, None for a first one.
    Rule:   latent Dirichlet allocation, fitted on the max_sample users first by the hash of their id, in one
            partition and one order. A topic takes the number of that of the last model with which it shares most,
            all pairs together, and its name where it shares half; the name of another is its three most relevant terms.
    Edge:   None where fewer words are known than topics asked for, or none are asked for. Words of fewer than min_users
            users, and beyond the vocabulary's commonest, are not known. After a change of n_topics numbers begin anew.
    Source: Hoffman, Blei & Bach (2010), Advances in Neural Information Processing Systems 23, 856-864.
    """
    told = interests.where(F.size("words") > 0).select("user_id", "words")
    sample = told.orderBy(F.xxhash64("user_id"), "user_id").limit(conf.max_sample).coalesce(1).persist()
    try:
        vocabulary = _fit_vocabulary(sample, conf)
        if conf.n_topics == 0 or len(vocabulary) < conf.n_topics:
            return None
        counting = CountVectorizerModel.from_vocabulary(vocabulary, inputCol="words", outputCol="counts")
        counts = counting.transform(sample).select("counts").persist()
        try:
            share = min(1.0, _BATCH / counts.count())
            lda = LDA(k=conf.n_topics, maxIter=conf.topic_iterations, seed=conf.seed, subsamplingRate=share)
            fitted = lda.setFeaturesCol("counts").setTopicDistributionCol("topic_mix").fit(counts)
        finally:
            counts.unpersist()
    finally:
        sample.unpersist()
    unnamed = TopicModel(PipelineModel([counting, fitted]), ())
    return TopicModel(unnamed.pipeline, _name_topics(unnamed, last))


def place_topics(words: DataFrame, model: TopicModel) -> DataFrame:
    """The rows with topic_shares, by number; null for a user without a known word.

    In: words, an array. Out: the same columns and topic_shares.
    """
    mixed = model.pipeline.transform(words).withColumn("_mix", vector_to_array(F.col("topic_mix")))
    shares = F.array(*(F.round(F.col("_mix")[topic.place], 9) for topic in model.topics))
    is_told = F.aggregate("_mix", F.lit(0.0), lambda total, share: total + share) > 0
    return mixed.withColumn("topic_shares", F.when(is_told, shares)).drop("counts", "topic_mix", "_mix")


def _fit_vocabulary(sample: DataFrame, conf: PersonaConf) -> list[str]:
    users = sample.select(F.explode(F.array_distinct("words")).alias("word")).groupBy("word").count()
    known = users.where(F.col("count") >= conf.min_users).orderBy(F.desc("count"), "word").limit(conf.vocabulary)
    return [row["word"] for row in known.collect()]


def _name_topics(model: TopicModel, last: TopicModel | None) -> tuple[Topic, ...]:
    counts, vocabulary = model.counts_by_topic, model.vocabulary
    totals = counts.sum(axis=1)
    relevance = term_relevance(counts / totals[:, None], totals / totals.sum())
    terms = [tuple(vocabulary[w] for w in np.argsort(-row, kind="stable")[:N_TERMS]) for row in relevance]
    numbers, kept = _inherit(model, last)
    order = sorted(range(len(terms)), key=lambda place: numbers[place])
    names = _distinct_names([terms[place] for place in order], [kept.get(place) for place in order])
    return tuple(Topic(name, terms[place], place) for name, place in zip(names, order, strict=True))


def _inherit(model: TopicModel, last: TopicModel | None) -> tuple[dict[int, int], dict[int, str]]:
    """Number by place, and the names that go on by place."""
    n_topics = len(model.counts_by_topic)
    if last is None or len(last.topics) != n_topics:
        return {place: place for place in range(n_topics)}, {}
    union = sorted({*model.vocabulary, *last.vocabulary})
    before = _spread(last, union)[[topic.place for topic in last.topics]]
    mass = shared_mass(before, _spread(model, union))
    pairs = {place: number for number, place in match_groups(np.round(mass * 1e6).astype(np.int64)).items()}
    free = iter(sorted(set(range(n_topics)) - set(pairs.values())))
    numbers = {place: pairs[place] if place in pairs else next(free) for place in range(n_topics)}
    kept = {place: last.topics[n].name for place, n in pairs.items() if mass[n, place] >= KEEPS_NAME}
    return numbers, kept


def _spread(model: TopicModel, union: Sequence[str]) -> NDArray[np.float64]:
    """[n_topics, n_union]: the model's topics as distributions over the words of both."""
    counts = model.counts_by_topic
    at = {word: place for place, word in enumerate(union)}
    spread = np.zeros((len(counts), len(union)))
    spread[:, [at[word] for word in model.vocabulary]] = counts / counts.sum(axis=1, keepdims=True)
    return spread


def _distinct_names(terms: Sequence[tuple[str, ...]], kept: Sequence[str | None]) -> list[str]:
    """Kept names, else the first three terms, or more where another has the name."""
    taken = [name for name in kept if name]
    names = []
    for own, old in zip(terms, kept, strict=True):
        choices = [", ".join(own[:n]) for n in range(N_NAME, N_TERMS + 1)]
        name = old or next((choice for choice in choices if choice not in taken), choices[-1])
        taken.append(name)
        names.append(name)
    return names
