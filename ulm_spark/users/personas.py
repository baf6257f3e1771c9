"""Who is each user, in one row that a person can read?"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.personas import USER_PERSONAS
from ulm_spark.users.persona_encoding import Encoding, encode_users
from ulm_spark.users.persona_topics import Topic, place_topics
from ulm_spark.users.persona_words import basics_in_words, habits_in_words, interests_in_words, summary_in_words


def describe_users(features: DataFrame, interests: DataFrame, encoding: Encoding) -> DataFrame:
    """Basics, interests and habits of each user, in words and in numbers.

    In:   gold.user_features of one day; interests of list_interests, key user_id.
    Out:  gold.user_personas.
    Edge: a user without interests in the window has empty lists and no topic.
    """
    told = features.select("user_id").join(interests, on="user_id", how="left")
    no_texts = F.array().cast("array<string>")
    lists = [F.coalesce(name, no_texts).alias(name) for name in ("categories", "brands", "words")]
    placed = _with_topics(told.select("user_id", *lists), encoding)
    codes = encode_users(features, encoding)
    described = features.join(placed, on="user_id", how="inner").join(codes, on="user_id", how="inner")
    texts = {"basics": basics_in_words(), "interests": interests_in_words(), "habits": habits_in_words()}
    worded = described.withColumns(texts).withColumn("summary", summary_in_words())
    return worded.select(*USER_PERSONAS.column_names)


def topic_rows(encoding: Encoding, as_of: date) -> list[tuple[object, ...]]:
    """The rows of gold.persona_topics."""
    topics: tuple[Topic, ...] = encoding.topics.topics if encoding.topics else ()
    return [(as_of, n, topic.name, list(topic.terms), encoding.version) for n, topic in enumerate(topics)]


def _with_topics(told: DataFrame, encoding: Encoding) -> DataFrame:
    """user_id, categories, brands, topic_shares, topic and topic_name."""
    if encoding.topics is None:
        nothing = {"topic_shares": "array<double>", "topic": "int", "topic_name": "string"}
        return told.drop("words").withColumns({name: F.lit(None).cast(kind) for name, kind in nothing.items()})
    placed = place_topics(told, encoding.topics).drop("words")
    names = F.array(*(F.lit(topic.name) for topic in encoding.topics.topics))
    topic = F.array_position("topic_shares", F.array_max("topic_shares")).cast("int") - 1
    # element_at would take a null place for the last: Spark holds an array of no nulls to have none at any place.
    name = F.when(F.col("topic").isNotNull(), F.get(names, F.col("topic")))
    return placed.withColumn("topic", topic).withColumn("topic_name", name)
