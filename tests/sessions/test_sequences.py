from datetime import date
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, texts_of
from tests.sessions.shoppers import at, event
from ulm_spark.config.clock import end_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.sequences import SEQUENCES
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.sessions.catalogue import describe_items
from ulm_spark.sessions.sequences import SequenceRules, build_sequences
from ulm_spark.sessions.vocabulary import list_items, number_items

DAY = date(2024, 3, 1)
RULES = SequenceRules(event_types=("view", "purchase"), max_length=3)


def both(events: DataFrame, rules: SequenceRules = RULES) -> tuple[DataFrame, DataFrame]:
    items = describe_items(events, rules.event_types, rules.min_item_events, DAY, "UTC", "EUR")
    vocabulary = list_items(number_items(items, rules.n_price_bands, DAY))
    return vocabulary, build_sequences(events, vocabulary, rules, 1800, DAY, "UTC", "EUR")


def test_a_sequence_is_the_last_events_oldest_first_with_the_seconds_between(spark: SparkSession) -> None:
    rows = [
        event("1", at(0), product_id="a", category="Shoes", unit_price=9),
        event("2", at(1), product_id="b", category="Toys", unit_price=1),
        event("4", at(2), product_id="c", event_type="purchase", category="Shoes", unit_price=5, quantity=2),
        event("3", at(2), product_id="a"),
        event("5", at(0), user_id="w", product_id="rare"),
        event("6", at(0), user_id="v", product_id="b"),
        event("7", at(9), user_id="v", product_id="c"),
        event("8", at(24 * 60), user_id="v", product_id="c"),
    ]
    rules = SequenceRules(event_types=("view", "purchase"), max_length=3, min_item_events=2, n_price_bands=3)
    expected = [
        {
            "as_of": DAY,
            "user_id": "u",
            "n_items": 3,
            "item_indices": [2, 1, 3],
            "event_codes": [1, 1, 6],
            "gap_seconds": [0, 60, 0],
            "category_indices": [2, 1, 1],
            "price_bands": [1, 3, 2],
            "dwell_seconds": [60, 0, 0],
            "amounts": [0.0, 0.0, 10.0],
            "last_event_at": at(2),
        },
        {
            "as_of": DAY,
            "user_id": "v",
            "n_items": 2,
            "item_indices": [2, 3],
            "event_codes": [1, 1],
            "gap_seconds": [0, 540],
            "category_indices": [2, 1],
            "price_bands": [1, 2],
            "dwell_seconds": [540, 0],
            "amounts": [0.0, 0.0],
            "last_event_at": at(9),
        },
    ]
    vocabulary, sequences = both(rows_of(spark, EVENTS, rows), rules)
    version = vocabulary.select("vocabulary_version").first()
    assert version is not None
    expected = [{**row, "vocabulary_version": version[0]} for row in expected]
    assertDataFrameEqual(sequences, rows_of(spark, SEQUENCES, expected))


def test_a_look_lasts_to_the_users_next_event_of_any_kind_within_the_gap(spark: SparkSession) -> None:
    rows = [
        event("1", at(0), product_id="a"),
        event("2", at(0.5), product_id=None, event_type="search"),
        event("3", at(1), product_id="b", event_type="purchase"),
        event("4", at(1), product_id="a", event_type="purchase"),
        event("5", at(31), product_id="a"),  # the gap to the microsecond
        event("6", at(61, us=1), product_id="b"),
        event("7", at(61, us=1), product_id="a", event_type="listing"),
        event("8", at(24 * 60 - 1), product_id="b"),
        event("9", at(24 * 60), product_id="b"),  # another day's
        event("x", at(2), product_id="b", user_id="v"),
    ]
    rules = SequenceRules(event_types=("view", "purchase"), max_length=9)
    _, sequences = both(rows_of(spark, EVENTS, rows), rules)
    dwells = {row["user_id"]: row["dwell_seconds"] for row in sequences.select("user_id", "dwell_seconds").collect()}
    assert dwells == {"u": [30, 0, 1800, 0, 0, 0], "v": [0]}


@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.integers(0, 999).map(Random))
def test_an_event_after_the_day_and_the_order_of_arrival_change_nothing(spark: SparkSession, random: Random) -> None:
    rows = [
        event(
            f"{place:03}",
            at(10 * random.randrange(6 * 72)),
            user_id=f"u{random.randrange(9)}",
            product_id=f"p{random.randrange(6)}",
            event_type=random.choice(["view", "purchase", "search", "listing"]),
            unit_price=random.randrange(9),
            category=random.choice(["Shoes", "Toys", None]),
        )
        for place in range(200)
    ]
    all_events = rows_of(spark, EVENTS, random.sample(rows, len(rows))).repartition(3)
    known = rows_of(spark, EVENTS, rows).where(F.col("event_at") < F.lit(end_of(DAY, "UTC")))
    now, later = (texts_of(both(events)[1]) for events in (known, all_events))  # with the vocabulary's version
    assert now == later
    assert now


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
        ({"n_price_bands": 0}, r"sequences\.n_price_bands: found 0"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SequenceRules(**rules)  # type: ignore[arg-type]
