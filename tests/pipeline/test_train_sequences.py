from datetime import date, timedelta

from pyspark.sql import SparkSession

from tests.frames import rows_of
from ulm_spark.contracts.sequences import CATEGORY_VOCABULARY, ITEM_VOCABULARY
from ulm_spark.pipeline.train_sequences import day_attributes
from ulm_spark.sequence.snapshot import ItemAttribute

DAY = date(2024, 3, 31)


def test_attributes_are_those_of_the_day_by_item_index(spark: SparkSession) -> None:
    items = [
        {"as_of": DAY, "item_index": 2, "product_id": "b", "category_index": 0, "price_band": 3},
        {"as_of": DAY, "item_index": 1, "product_id": "a", "category_index": 2, "price_band": 0},
        {"as_of": DAY - timedelta(days=1), "item_index": 1, "product_id": "b", "category_index": 1, "price_band": 9},
    ]
    categories = [
        {"as_of": DAY, "category_index": 2, "category": "Hats"},
        {"as_of": DAY, "category_index": 1, "category": "Toys"},
        {"as_of": DAY - timedelta(days=1), "category_index": 1, "category": "Shoes"},
    ]
    frames = rows_of(spark, ITEM_VOCABULARY, items), rows_of(spark, CATEGORY_VOCABULARY, categories)
    assert day_attributes(*frames, DAY, ("price_band", "category")) == (
        ItemAttribute("price_band", (0, 3), ("1", "2", "3")),
        ItemAttribute("category", (2, 0), ("Toys", "Hats")),
    )
    assert day_attributes(*frames, DAY, ()) == ()
