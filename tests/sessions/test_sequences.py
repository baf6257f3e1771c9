from datetime import date
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from tests.sessions.shoppers import at, event
from ulm_spark.config.clock import end_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.silver import EVENTS, ITEM_VOCABULARY, SEQUENCES
from ulm_spark.sessions.sequences import SequenceRules, build_sequences
from ulm_spark.sessions.vocabulary import number_items

DAY = date(2024, 3, 1)
RULES = SequenceRules(event_types=("view", "purchase"), max_length=3, n_files=2)


def both(events: DataFrame, rules: SequenceRules = RULES) -> tuple[DataFrame, DataFrame]:
    vocabulary = number_items(events, rules.event_types, rules.min_item_events, DAY, "UTC")
    return vocabulary, build_sequences(events, vocabulary, rules, DAY, "UTC")


def test_items_are_numbered_by_falling_count_and_ties_by_name(spark: SparkSession) -> None:
    rows = [
        event("1", at(0), product_id="b"),
        event("2", at(1), product_id="c"),
        event("3", at(2), product_id="c", event_type="purchase"),
        event("4", at(3), product_id="a"),
        event("5", at(4), product_id="postage", event_type="purchase", is_item=False),
        event("6", at(5), product_id="d", user_id=None),
        event("7", at(6), product_id="d", event_type="cart"),
        event("8", at(24 * 60), product_id="d"),
    ]
    expected = [
        {"as_of": DAY, "item_index": 1, "product_id": "c", "n_events": 2},
        {"as_of": DAY, "item_index": 2, "product_id": "a", "n_events": 1},
        {"as_of": DAY, "item_index": 3, "product_id": "b", "n_events": 1},
    ]
    vocabulary, _ = both(rows_of(spark, EVENTS, rows))
    assertDataFrameEqual(vocabulary, rows_of(spark, ITEM_VOCABULARY, expected))


def test_a_sequence_is_the_last_events_oldest_first_with_the_seconds_between(spark: SparkSession) -> None:
    rows = [
        event("1", at(0), product_id="a"),
        event("2", at(1), product_id="b"),
        event("4", at(2), product_id="c", event_type="purchase"),
        event("3", at(2), product_id="a"),
        event("5", at(0), user_id="w", product_id="rare"),
        event("6", at(0), user_id="v", product_id="b"),
        event("7", at(9), user_id="v", product_id="c"),
        event("8", at(24 * 60), user_id="v", product_id="c"),
    ]
    rules = SequenceRules(event_types=("view", "purchase"), max_length=3, min_item_events=2, n_files=2)
    expected = [
        {
            "as_of": DAY,
            "user_id": "u",
            "n_items": 3,
            "item_indices": [2, 1, 3],
            "event_codes": [1, 1, 6],
            "gap_seconds": [0, 60, 0],
            "last_event_at": at(2),
        },
        {
            "as_of": DAY,
            "user_id": "v",
            "n_items": 2,
            "item_indices": [2, 3],
            "event_codes": [1, 1],
            "gap_seconds": [0, 540],
            "last_event_at": at(9),
        },
    ]
    _, sequences = both(rows_of(spark, EVENTS, rows), rules)
    assertDataFrameEqual(sequences, rows_of(spark, SEQUENCES, expected))


def test_a_day_is_spread_over_the_set_number_of_files_each_sorted_by_user(spark: SparkSession) -> None:
    rules = SequenceRules(n_files=8)
    rows = [event(f"{n:03}", at(n), user_id=f"u{n:03}") for n in range(200)]
    _, sequences = both(rows_of(spark, EVENTS, rows), rules)
    parts = sequences.select("user_id").rdd.glom().collect()
    users = [[row["user_id"] for row in part] for part in parts]
    assert len(users) == 8
    assert all(part == sorted(part) and part for part in users)


@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.integers(0, 999).map(Random))
def test_an_event_after_the_day_and_the_order_of_arrival_change_nothing(spark: SparkSession, random: Random) -> None:
    rows = [
        event(
            f"{place:03}",
            at(60 * random.randrange(72)),
            user_id=f"u{random.randrange(9)}",
            product_id=f"p{random.randrange(6)}",
            event_type=random.choice(["view", "purchase"]),
        )
        for place in range(200)
    ]
    all_events = rows_of(spark, EVENTS, random.sample(rows, len(rows))).repartition(3)
    known = rows_of(spark, EVENTS, rows).where(F.col("event_at") < F.lit(end_of(DAY, "UTC")))
    now, later = ([sorted(frame.toJSON().collect()) for frame in both(events)] for events in (known, all_events))
    assert now == later
    assert all(now)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"event_types": ("view", "listing")},
            r"sequences\.event_types: found view, listing; expected distinct",
        ),
        ({"event_types": ()}, r"sequences\.event_types: found nothing"),
        ({"max_length": 0}, r"sequences\.max_length: found 0; expected at least 1"),
        ({"n_files": 0}, r"sequences\.n_files: found 0"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SequenceRules(**rules)  # type: ignore[arg-type]
