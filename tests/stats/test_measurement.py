"""A measurement is a row of gold.model_quality."""

from dataclasses import fields

from ulm_spark.contracts.gold import MODEL_QUALITY
from ulm_spark.stats.bootstrap import Interval
from ulm_spark.stats.measurement import Measurement, held_against, measured, sentence


def test_the_fields_are_the_columns_of_model_quality() -> None:
    assert ("as_of", *(f.name for f in fields(Measurement))) == MODEL_QUALITY.column_names


def test_a_sentence_says_value_interval_baseline_and_difference() -> None:
    alone = measured("items", "als", "ndcg@10", Interval(0.1, 0.09, 0.11), 50, "so")
    assert sentence(alone) == "items: als ndcg@10 0.1000 [0.0900, 0.1100], n 50"
    paired = held_against(alone, "popularity", 0.08, Interval(0.02, 0.01, 0.03))
    assert sentence(paired).endswith("; popularity 0.0800; difference +0.0200 [+0.0100, +0.0300]")
