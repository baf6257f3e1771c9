from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from tests.sessions.shoppers import Row, at, event
from ulm_spark.contracts.sequences import CATEGORY_VOCABULARY
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.sessions.catalogue import describe_items
from ulm_spark.sessions.vocabulary import list_categories, list_items, number_items

DAY = date(2024, 3, 1)
ROWS = [
    event("1", at(0), product_id="b", category="Toys"),
    event("2", at(1), product_id="c", category="Shoes"),
    event("3", at(2), product_id="c", event_type="purchase"),
    event("4", at(3), product_id="a", category="Hats"),
    event("5", at(4), product_id="postage", event_type="purchase", is_item=False, category="Fees"),
    event("6", at(5), product_id="d", user_id=None, category="Hats"),
    event("7", at(6), product_id="d", event_type="cart"),
    event("8", at(24 * 60), product_id="d"),
    event("9", at(24 * 60), product_id="b", category="Hats", unit_price=5),
    event("x", at(7), product_id="a", event_type="listing", category="Toys"),
    event("y", at(0), product_id="e"),
]


def numbered(spark: SparkSession, rows: Sequence[Row], n_price_bands: int = 10, day: date = DAY) -> DataFrame:
    items = describe_items(rows_of(spark, EVENTS, rows), ("view", "purchase"), 1, day, "UTC", "EUR")
    return number_items(items, n_price_bands, day)


def version_of(frame: DataFrame) -> str:
    versions = {row[0] for row in frame.select("vocabulary_version").collect()}
    assert len(versions) == 1
    return str(versions.pop())


def test_items_and_their_latest_categories_are_numbered_by_falling_count_and_ties_by_name(spark: SparkSession) -> None:
    frame = numbered(spark, ROWS)
    columns = ("item_index", "product_id", "n_events", "category_index", "price_band")
    items = list_items(frame).select(*columns).orderBy("item_index").collect()
    assert [tuple(row) for row in items] == [(1, "c", 2, 1, 0), (2, "a", 1, 2, 0), (3, "b", 1, 2, 0), (4, "e", 1, 0, 0)]
    version = {"as_of": DAY, "vocabulary_version": version_of(frame)}
    expected = [
        {**version, "category_index": 1, "category": "Shoes", "n_events": 2},
        {**version, "category_index": 2, "category": "Toys", "n_events": 2},
    ]
    assertDataFrameEqual(list_categories(frame), rows_of(spark, CATEGORY_VOCABULARY, expected))


def test_bands_hold_as_many_items_of_a_currency_and_equal_prices_share_the_lowest(spark: SparkSession) -> None:
    rows = [
        event("1", at(0), product_id="cheap", list_price=1, currency="EUR"),
        event("2", at(1), product_id="cheap", unit_price=90),  # an offer's price moves no band
        event("3", at(0), product_id="falls", list_price=80, currency="EUR"),
        event("4", at(1), product_id="falls", event_type="listing", list_price=2, user_id=None),
        event("5", at(0), product_id="as_falls", unit_price=2),  # in the shop's own currency
        event("6", at(0), product_id="dear", unit_price=3, currency="EUR"),
        event("7", at(24 * 60), product_id="dear", list_price="0.5", currency="EUR"),
        event("8", at(0), product_id="dollars", unit_price=500, currency="USD"),
        event("9", at(0), product_id="free", unit_price=0),
        event("x", at(0), product_id="silent"),
    ]
    bands = {row["product_id"]: row["price_band"] for row in numbered(spark, rows, n_price_bands=4).collect()}
    assert bands == {"cheap": 1, "falls": 2, "as_falls": 2, "dear": 4, "dollars": 1, "free": 0, "silent": 0}


def test_a_version_names_what_numbers_mean_and_neither_the_day_nor_the_counts(spark: SparkSession) -> None:
    again = [*ROWS, event("z", at(8), product_id="c")]
    renamed = [{**row, "category": "Boots"} if row.get("category") == "Shoes" else row for row in ROWS]
    first, later, other = (version_of(numbered(spark, rows)) for rows in (ROWS, again, renamed))
    assert first == later
    assert first != other
    assert version_of(numbered(spark, ROWS[:4], day=date(2024, 3, 9))) == version_of(numbered(spark, ROWS[:4]))
