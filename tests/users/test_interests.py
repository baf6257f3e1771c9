"""Interests: what was touched in the window, as known on the day."""

from datetime import date

from pyspark.sql import SparkSession

from tests.frames import rows_of, utc
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.users.interests import list_interests

AS_OF = date(2024, 3, 31)


def event(n: int, at: str, user: str | None, product: str, **more: object) -> dict[str, object]:
    kept = {"event_type": "view", "is_item": True, **more}
    return {"event_id": f"{n:03}", "event_at": utc(at), "user_id": user, "product_id": product, **kept}


def interests(spark: SparkSession, rows: list[dict[str, object]]) -> dict[str, tuple[list[str], list[str], list[str]]]:
    found = list_interests(rows_of(spark, EVENTS, rows), AS_OF, 30, "Europe/Berlin").collect()
    return {row["user_id"]: (row["categories"], row["brands"], sorted(row["words"])) for row in found}


def test_the_three_most_touched_ties_by_name_and_words_of_viewed_titles(spark: SparkSession) -> None:
    rows = [
        *(event(n, "2024-03-20T10:00:00", "a", "p1", category="home/lamps", brand="Nordal") for n in range(7)),
        event(10, "2024-03-20T11:00:00", "a", "p2", category="home/z", brand="Tavira", event_type="cart"),
        *(event(20 + n, "2024-03-21T11:00:00", "a", "p2", category=f"home/{name}") for n, name in enumerate("bc")),
        event(30, "2024-01-01T11:00:00", None, "p1", title="The old Table-Lamp of 2019", event_type="listing"),
        event(31, "2024-02-01T11:00:00", None, "p1", title="The Table-Lamp X 60W T0370, 餐桌灯", event_type="listing"),
        event(40, "2024-03-22T11:00:00", "b", "p3", event_type="search"),
        event(41, "2024-03-22T11:00:00", "c", "p4", category="fees", is_item=False),
        event(42, "2024-03-01T22:00:00", "d", "p4", category="out"),  # before the window's first local day
        event(43, "2024-03-01T23:00:00", "e", "p4", category="in"),
    ]
    found = interests(spark, rows)
    assert found == {
        "a": (["home/lamps", "home/b", "home/c"], ["Nordal", "Tavira"], sorted(["table", "lamp", "60w", "餐桌灯"] * 5)),
        "e": (["in"], [], []),
    }


def test_what_happens_after_the_day_moves_nothing(spark: SparkSession) -> None:
    rows = [
        event(1, "2024-03-20T10:00:00", "a", "p1", category="home/lamps", title="Lamp"),
        event(2, "2024-03-31T21:59:59", "a", "p2", category="home/tents"),  # the day's last second in Berlin
    ]
    future = [
        event(3, "2024-03-31T22:00:00", "a", "p1", category="after", brand="After", title="Renamed"),
        event(4, "2024-04-02T10:00:00", None, "p2", title="Named later", event_type="listing"),
    ]
    expected = {"a": (["home/lamps", "home/tents"], [], ["lamp"])}
    assert interests(spark, rows) == expected
    assert interests(spark, [*rows, *future]) == expected
    assert interests(spark, []) == {}
