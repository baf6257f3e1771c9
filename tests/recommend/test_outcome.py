"""What counts as relevant, when it counts, and which lists named it."""

from datetime import date

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.gold import ITEM_RECOMMENDATIONS, RECOMMENDATION_EXAMPLES
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, PRODUCTS
from ulm_spark.recommend.evaluate import EvaluationConf, describe_protocol, measure_lists
from ulm_spark.recommend.examples import list_examples, pick_examples, recent_history
from ulm_spark.recommend.outcome import OutcomeWindow, mark_hits, outcome_window, relevant_items

AS_OF = date(2024, 3, 31)
ZONE = "Europe/London"
WINDOW = OutcomeWindow(AS_OF, date(2024, 4, 30), True)
PAIRS = "user_id STRING, product_id STRING"
HITS = "model STRING, user_id STRING, hit_ranks ARRAY<INT>, n_relevant INT"


def _pairs(spark: SparkSession, *pairs: tuple[str, str]) -> list[dict[str, object]]:
    return [{"user_id": user, "product_id": product} for user, product in pairs]


def _line(user_id: str | None, product_id: str, at: str, line_type: str = "purchase") -> dict[str, object]:
    key = {"line_id": f"{user_id}{product_id}{at}", "user_id": user_id, "product_id": product_id}
    return {**key, "line_type": line_type, "is_item": product_id != "postage", "lined_at": utc(at)}


def _listed(model: str, user_id: str, *products: str) -> list[dict[str, object]]:
    return [
        {"as_of": AS_OF, "user_id": user_id, "model": model, "rank": place, "product_id": product}
        for place, product in enumerate(products, 1)
    ]


@pytest.mark.parametrize(
    ("known_to", "expected"),
    [
        (date(2024, 5, 9), WINDOW),
        (date(2024, 4, 30), WINDOW),
        (date(2024, 4, 29), OutcomeWindow(AS_OF, date(2024, 4, 29), False)),
        (date(2024, 4, 7), OutcomeWindow(AS_OF, date(2024, 4, 7), False)),
        (date(2024, 4, 6), None),
        (None, None),
    ],
)
def test_a_window_is_judged_whole_or_from_its_seventh_day_on(
    known_to: date | None, expected: OutcomeWindow | None
) -> None:
    assert outcome_window(AS_OF, known_to, test_days=30, min_test_days=7) == expected


def test_relevant_are_items_newly_bought_inside_the_window(spark: SparkSession) -> None:
    lines = rows_of(
        spark,
        ORDER_LINES,
        [
            _line("u1", "again", "2024-01-01 10:00:00"),
            _line("u1", "again", "2024-04-02 10:00:00"),
            _line("u1", "late", "2024-03-31 22:59:59"),  # the last second of as_of in London
            _line("u1", "first", "2024-03-31 23:00:00"),
            _line("u1", "first", "2024-04-03 10:00:00"),
            _line("u1", "last", "2024-04-30 22:59:59"),
            _line("u1", "beyond", "2024-04-30 23:00:00"),
            _line("u1", "back", "2024-04-02 10:00:00", "return"),
            _line("u1", "postage", "2024-04-02 10:00:00"),
            _line(None, "guest", "2024-04-02 10:00:00"),
        ],
    )
    new = relevant_items(lines, WINDOW, ZONE, only_new=True)
    assertDataFrameEqual(new, rows_of(spark, PAIRS, _pairs(spark, ("u1", "first"), ("u1", "last"))))
    every = relevant_items(lines, WINDOW, ZONE, only_new=False)
    pairs = _pairs(spark, ("u1", "first"), ("u1", "last"), ("u1", "again"))
    assertDataFrameEqual(every, rows_of(spark, PAIRS, pairs))


def test_hits_stand_at_their_ranks_and_only_users_with_an_outcome_count(spark: SparkSession) -> None:
    lists = rows_of(
        spark,
        ITEM_RECOMMENDATIONS,
        [
            *_listed("als", "u1", "a", "b", "c", "d"),
            *_listed("popularity", "u1", "x", "y"),
            *_listed("als", "u2", "a", "b"),
        ],
    )
    relevant = rows_of(spark, PAIRS, _pairs(spark, ("u1", "d"), ("u1", "a"), ("u1", "c"), ("u3", "a")))
    found = mark_hits(lists, relevant, k=3, max_users=10)
    expected = [
        {"model": "als", "user_id": "u1", "hit_ranks": [1, 3], "n_relevant": 3},
        {"model": "popularity", "user_id": "u1", "hit_ranks": [], "n_relevant": 3},
    ]
    assertDataFrameEqual(found, rows_of(spark, HITS, expected))


def test_models_are_held_against_popularity_on_the_users_they_share() -> None:
    hits = pd.DataFrame(
        [
            *({"model": "popularity", "user_id": f"u{n}", "hit_ranks": [], "n_relevant": 1} for n in range(20)),
            *({"model": "als", "user_id": f"u{n}", "hit_ranks": [1], "n_relevant": 2} for n in range(20)),
            *({"model": "sequence", "user_id": f"u{n}", "hit_ranks": [1], "n_relevant": 1} for n in range(15, 25)),
        ]
    )
    found = {(m.model, m.metric): m for m in measure_lists(hits, EvaluationConf(), "so")}
    assert found["popularity", "ndcg@10"].baseline is None
    als = found["als", "recall@10"]
    assert (als.value, als.baseline, als.baseline_value, als.difference_low, als.n) == (0.5, "popularity", 0, 0.5, 20)
    assert found["sequence", "hit_rate@10"].n == 5
    assert "popularity on the same users" in als.protocol


def test_a_model_without_popularity_beside_it_is_held_against_nothing() -> None:
    hits = pd.DataFrame([{"model": "als", "user_id": "u1", "hit_ranks": [2], "n_relevant": 1}])
    (ndcg, *_) = measure_lists(hits, EvaluationConf(), "so")
    assert (ndcg.metric, ndcg.baseline, round(ndcg.value, 4)) == ("ndcg@10", None, 0.6309)
    assert measure_lists(hits.iloc[:0], EvaluationConf(), "so") == []


def test_the_protocol_names_the_real_window() -> None:
    part = OutcomeWindow(AS_OF, date(2024, 4, 10), False)
    words = describe_protocol(part, EvaluationConf(), only_new=True)
    assert "after 2024-03-31 up to 2024-04-10 (10 of 30 days: the lake ends there)" in words


def test_examples_show_history_and_lists_with_titles_and_hits(spark: SparkSession) -> None:
    touched = [
        ("old", "view", "03-01"),
        ("old", "purchase", "03-02"),
        ("new", "view", "03-09"),
        ("x", "search", "03-10"),
    ]
    events = rows_of(
        spark,
        EVENTS,
        [
            {"event_id": f"{p}{t}", "user_id": "u1", "product_id": p, "is_item": True, "event_type": t,
             "event_at": utc(f"2024-{d} 10:00:00")}
            for p, t, d in [*touched, ("after", "view", "04-01")]
        ],
    )  # fmt: skip
    lists = rows_of(spark, ITEM_RECOMMENDATIONS, [*_listed("als", "u1", "a", "b", "c"), *_listed("als", "u2", "a")])
    relevant = rows_of(spark, PAIRS, _pairs(spark, ("u1", "b")))
    hits = mark_hits(lists, relevant, k=2, max_users=10)
    users = pick_examples(hits, 3)
    history = recent_history(events, users, AS_OF, ZONE, ("view", "purchase"), 2)
    products = rows_of(
        spark, PRODUCTS, [{"product_id": "b", "title": "Bunting"}, {"product_id": "old", "title": "Mug"}]
    )
    found = list_examples(users, history, lists, relevant, products, AS_OF, k=2)
    rows = [("history", 1, "new", None, False), ("history", 2, "old", "Mug", False),
            ("als", 1, "a", None, False), ("als", 2, "b", "Bunting", True)]  # fmt: skip
    expected = [
        {"as_of": AS_OF, "user_id": "u1", "list_name": name, "place": place, "product_id": product, "title": title,
         "is_hit": is_hit}
        for name, place, product, title, is_hit in rows
    ]  # fmt: skip
    assertDataFrameEqual(found, rows_of(spark, RECOMMENDATION_EXAMPLES, expected))


def test_too_few_resamples_or_days_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_resamples"):
        EvaluationConf(n_resamples=10)
    with pytest.raises(ConfigError, match="min_test_days"):
        EvaluationConf(test_days=5)
