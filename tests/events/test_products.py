from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.contracts.silver import EVENTS, PRODUCTS
from ulm_spark.events.products import summarise_products


def test_the_latest_word_on_each_attribute_stands(spark: SparkSession) -> None:
    def event(event_id: str, at: str, **said: object) -> dict[str, object]:
        return {"event_id": event_id, "event_at": utc(at), "product_id": "p1", "is_item": True, **said}

    events = rows_of(
        spark,
        EVENTS,
        [
            event("e2", "2024-05-02", title="Lamp 2", list_price="9.50", currency="EUR"),
            event("e1", "2024-05-02", title="Lamp 1", attributes={"title_zh": "灯", "description": "Bright"}),
            event("e3", "2024-05-03", unit_price="8.00", currency="USD"),
            event("e0", "2024-05-01", title="Lamp 0", brand="Lux"),
            event("f1", "2024-05-01", product_id="p2", unit_price="1.00", currency="EUR", is_item=False),
            event("g1", "2024-05-01", product_id=None),
        ],
    )
    expected = rows_of(
        spark,
        PRODUCTS,
        [
            {
                "product_id": "p1",
                "title": "Lamp 2",
                "title_zh": "灯",
                "description": "Bright",
                "brand": "Lux",
                "list_price": "9.50",
                "currency": "EUR",
                "is_item": True,
                "first_seen_at": utc("2024-05-01"),
                "last_seen_at": utc("2024-05-03"),
            },
            {
                "product_id": "p2",
                "list_price": "1.00",
                "currency": "EUR",
                "is_item": False,
                "first_seen_at": utc("2024-05-01"),
                "last_seen_at": utc("2024-05-01"),
            },
        ],
    )
    assertDataFrameEqual(summarise_products(events), expected, ignoreNullable=True)


def test_products_do_not_depend_on_the_order_of_events(spark: SparkSession) -> None:
    rows = [
        {"event_id": f"e{i}", "event_at": utc("2024-05-01"), "product_id": f"p{i % 2}", "title": f"t{i}"}
        for i in range(9)
    ]
    forth = summarise_products(rows_of(spark, EVENTS, rows))
    back = summarise_products(rows_of(spark, EVENTS, rows[::-1]).repartition(3))
    assertDataFrameEqual(forth, back)
