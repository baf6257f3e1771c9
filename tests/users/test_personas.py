"""Personas: words, components against scikit-learn, topics planted, and one lasting encoding."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, Row, SparkSession
from sklearn.decomposition import PCA

from tests.frames import rows_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.personas import USER_PERSONAS
from ulm_spark.lake.store import check_frame
from ulm_spark.users.persona_conf import PersonaConf
from ulm_spark.users.persona_encoding import Encoding, encode_users, fit_encoding
from ulm_spark.users.personas import describe_users, topic_rows

AS_OF = date(2024, 3, 31)
FEATURES = ("n_views_30d", "n_orders_life", "recency_days", "evening_share", "mean_rating")
CONF = PersonaConf(features=FEATURES, n_topics=2, min_users=2, topic_iterations=15, explained=0.9)
INTERESTS = "user_id STRING, categories ARRAY<STRING>, brands ARRAY<STRING>, words ARRAY<STRING>"
WORDS = {"lamp": ("lamp", "table", "light", "shade"), "tent": ("tent", "outdoor", "camping", "pole")}


def user(n: int, **more: object) -> dict[str, object]:
    draw = random.Random(n)
    return {
        "as_of": AS_OF,
        "user_id": f"u{n:02}",
        "tenure_days": 100 + n,
        "n_views_30d": draw.randrange(60),
        "n_orders_life": (n_orders := draw.randrange(4)),
        "recency_days": draw.randrange(90) if n_orders else None,
        "evening_share": draw.random(),
        "device": "mobile" if n % 3 else "desktop",
        "channel": "ads",
        "top_category": "home/lamps" if n % 2 else "sports/tents",
        **more,
    }


def interest(n: int) -> dict[str, object]:
    draw = random.Random(100 + n)
    words = draw.choices(WORDS["lamp" if n % 2 else "tent"], k=8)
    return {"user_id": f"u{n:02}", "categories": ["home/lamps"], "brands": [], "words": [*words, "classic"]}


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    return rows_of(spark, USER_FEATURES, [user(n) for n in range(40)]).cache()


@pytest.fixture(scope="module")
def interests(spark: SparkSession) -> DataFrame:
    return rows_of(spark, INTERESTS, [interest(n) for n in range(36)]).cache()


@pytest.fixture(scope="module")
def encoding(features: DataFrame, interests: DataFrame) -> Encoding:
    return fit_encoding(features, interests, CONF, None)


def rows_by_user(frame: DataFrame) -> dict[str, Row]:
    return {row["user_id"]: row for row in frame.collect()}


def test_components_are_scikit_learns_up_to_sign(features: DataFrame, encoding: Encoding) -> None:
    assert encoding.features == FEATURES[:4]  # nobody rated anything
    scaled = encoding.behaviour.transform(features).orderBy("user_id").select(vector_to_array("scaled"))
    matrix = np.array([row[0] for row in scaled.collect()])
    oracle = PCA().fit(matrix)
    found = np.array(encoding.components)
    signs = np.sign((found * oracle.components_[: len(found)]).sum(axis=1))
    assert found == pytest.approx(signs[:, None] * oracle.components_[: len(found)], abs=1e-9)
    assert all(row[np.abs(row).argmax()] > 0 for row in found)
    explained = oracle.explained_variance_ratio_.cumsum()
    assert len(found) == int((explained < 0.9).sum()) + 1
    assert encoding.metrics["explained"] == pytest.approx(explained[len(found) - 1], abs=1e-9)
    codes = rows_by_user(encode_users(features, encoding))
    scores = np.array([codes[f"u{n:02}"]["components"] for n in range(40)])
    assert scores == pytest.approx(signs * oracle.transform(matrix)[:, : len(found)], abs=1e-8)


def test_planted_topics_are_found_and_named_by_their_words(
    features: DataFrame, interests: DataFrame, encoding: Encoding
) -> None:
    rows = rows_by_user(describe_users(features, interests, encoding))
    lamps = {rows[f"u{n:02}"]["topic"] for n in range(1, 36, 2)}
    tents = {rows[f"u{n:02}"]["topic"] for n in range(0, 36, 2)}
    assert len(lamps) == len(tents) == 1
    assert lamps != tents
    names = {row[1]: row[2] for row in topic_rows(encoding, AS_OF)}
    assert set(names[min(lamps)].split(", ")) < set(WORDS["lamp"])
    assert set(names[min(tents)].split(", ")) < set(WORDS["tent"])
    assert sum(rows["u03"]["topic_shares"]) == pytest.approx(1, abs=1e-6)
    assert rows["u39"]["topic"] is rows["u39"]["topic_name"] is rows["u39"]["topic_shares"] is None


def test_a_refit_keeps_the_numbers_of_topics(interests: DataFrame, features: DataFrame, encoding: Encoding) -> None:
    assert encoding.topics is not None
    swapped = tuple(reversed(encoding.topics.topics))
    renamed = tuple(replace(topic, name=f"topic of {topic.terms[0]}") for topic in swapped)
    last = replace(encoding, topics=replace(encoding.topics, topics=renamed))
    again = fit_encoding(features, interests, CONF, last)
    assert again.topics is not None
    assert again.topics.topics == renamed
    assert again.version != encoding.version


def test_the_same_row_has_the_same_code_on_any_day_and_among_any_users(
    spark: SparkSession, features: DataFrame, interests: DataFrame, encoding: Encoding
) -> None:
    later = AS_OF + timedelta(days=5)
    known = [{**user(n), "as_of": later} for n in (3, 4)]
    odd = {**user(90, top_category="never/seen", device=None, n_views_30d=10**8), "as_of": later}
    rows = rows_of(spark, USER_FEATURES, [*known, odd])
    before = rows_by_user(describe_users(features, interests, encoding))
    after = rows_by_user(describe_users(rows, interests, encoding))
    columns = ("components", "category_codes", "topic", "topic_shares", "encoding_version", "summary")
    for name in ("u03", "u04"):
        assert [before[name][column] for column in columns] == [after[name][column] for column in columns]
    # ads is known; a device is not said; the category is unknown to the encoding.
    assert after["u90"]["category_codes"] == [1, 0, 0, 0, 0]
    largest = max(user(n)["n_views_30d"] for n in range(40))  # type: ignore[type-var]
    clipped = rows_of(spark, USER_FEATURES, [{**odd, "n_views_30d": largest}])
    assert encode_users(clipped, encoding).collect()[0]["components"] == after["u90"]["components"]


def test_the_order_and_partitions_of_the_users_do_not_matter(
    features: DataFrame, interests: DataFrame, encoding: Encoding
) -> None:
    again = fit_encoding(features.repartition(3).orderBy("n_views_30d"), interests.repartition(3), CONF, None)
    assert (again.version, again.components) == (encoding.version, encoding.components)


def test_words_describe_basics_interests_and_habits(spark: SparkSession, encoding: Encoding) -> None:
    regular = user(
        1,
        tenure_days=150,
        n_active_days_30d=9,
        evening_share=0.6,
        weekend_share=0.5,
        top_price_band="5",
        n_orders_life=3,
        recency_days=1,
        discount_share=0.5,
        net_revenue_life=Decimal("10"),
    )
    new = {"as_of": AS_OF, "user_id": "u02", "tenure_days": 1, "inactive_days": 31, "device": "app"}
    told = {"user_id": "u01", "categories": ["home/living/lamps", "tents"], "brands": ["Nordal"], "words": []}
    frame = describe_users(rows_of(spark, USER_FEATURES, [regular, new]), rows_of(spark, INTERESTS, [told]), encoding)
    check_frame(frame, USER_PERSONAS)
    rows = rows_by_user(frame)
    assert rows["u01"]["summary"] == (
        "Here for 5 months, mostly on mobile, first came by ads; looks at lamps, tents; brands Nordal; "
        "comes several times a week, mostly in the evening, mostly at weekends; at prices of 32 to 64; "
        "3 orders, the last 1 day ago, mostly at a discount."
    )
    assert rows["u02"]["summary"] == (
        "New: here for 1 day, mostly in the app; no interests known; not seen for 31 days; has not bought yet."
    )
    assert (rows["u02"]["categories"], rows["u02"]["topic"]) == ([], None)


@pytest.mark.parametrize("n_users", [1, 3])
def test_one_user_or_users_all_alike_have_no_components_and_no_topics(spark: SparkSession, n_users: int) -> None:
    same = {"n_views_30d": 1, "n_orders_life": 0, "recency_days": None, "evening_share": 0.5, "tenure_days": 9}
    frame = rows_of(spark, USER_FEATURES, [user(n, **same) for n in range(n_users)])
    told = rows_of(spark, INTERESTS, [])
    encoding = fit_encoding(frame, told, CONF, None)
    rows = describe_users(frame, told, encoding).collect()
    assert [(row["components"], row["topic"]) for row in rows] == [([], None)] * n_users
    assert topic_rows(encoding, AS_OF) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"refit_days": 0}, "personas.refit_days"),
        ({"explained": 0.0}, "personas.explained"),
        ({"n_topics": 1}, "personas.n_topics"),
        ({"features": ("device",)}, "found device"),
        ({"max_sample": 5}, "personas.max_sample"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PersonaConf(**settings)  # type: ignore[arg-type]
