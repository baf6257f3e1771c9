"""Every transform of users/ that takes as_of, over a lake with a future and over one without: the same answer."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from random import Random
from typing import cast, get_type_hints

import pytest
from pyspark.sql import DataFrame, SparkSession

import ulm_spark.users
from tests.frames import rows_of, texts_of
from tests.users.shop_rows import AS_OF, ZONE, Row, random_shop
from ulm_spark.config.clock import end_of
from ulm_spark.contracts.bronze import QUARANTINE
from ulm_spark.contracts.marketing import MARKETING_SPEND
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS

FRAMES: dict[str, Table] = {
    "events": EVENTS, "sessions": SESSIONS, "order_lines": ORDER_LINES, "lines": ORDER_LINES, "orders": ORDERS,
    "user_days": USER_DAYS, "product_days": PRODUCT_DAYS, "spend": MARKETING_SPEND, "quarantine": QUARANTINE,
}  # fmt: skip
"""Parameters that are tables of the lake, and so hold the future too."""
VALUES: dict[str, object] = {
    "as_of": AS_OF,
    "zone": ZONE,
    "window_days": (7, 30),
    "learned_weights": None,
    "currency": "JPY",
}
LOOKS_AHEAD = {"metrics.summarise_quality": "tells of the lake as it is, whatever the day"}
N_USERS, N_WITH_DAYS = 8, 60
Args = Callable[..., object]
Shop = dict[str, DataFrame]


def functions_of_a_day() -> Iterator[tuple[str, Args]]:
    """Public functions of the room that take as_of and a table of the lake."""
    for found in pkgutil.iter_modules(ulm_spark.users.__path__):
        module = importlib.import_module(f"ulm_spark.users.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and "as_of" in (hints := get_type_hints(function)) and frames_in(hints) & set(FRAMES):
                yield f"{found.name}.{name}", function


def frames_in(hints: dict[str, type]) -> set[str]:
    """Names of a function's parameters, and of the fields of those that are dataclasses."""
    return set(hints) | {field.name for hint in hints.values() if is_dataclass(hint) for field in fields(hint)}


FUNCTIONS = dict(functions_of_a_day())


def local_day(row: Row, name: str) -> date:
    return cast(date, row[name])


def days_of(draw: Random, table: Table, key: str) -> list[Row]:
    """Random rows of a table of days, from 200 days before as_of to 20 after it."""
    rows: list[Row] = []
    for place in range(N_WITH_DAYS):
        for day in sorted(draw.sample(range(-200, 21), 40)):
            counts: Row = {c.name: draw.randrange(3) for c in table.columns if c.type in ("INT", "BIGINT")}
            names: Row = {
                c.name: [{"name": name, "n": draw.randint(1, 5)} for name in sorted(draw.sample("abcd", 2))]
                for c in table.columns
                if c.type.startswith("ARRAY")
            }
            texts: Row = {c.name: draw.choice("abcd") for c in table.columns if c.type == "STRING"}
            money: Row = {c.name: draw.randrange(100) for c in table.columns if c.type.startswith("DECIMAL")}
            when: Row = {key: f"{key}{place}", "day_on": AS_OF + timedelta(days=day)}
            rows.append({**counts, **names, **texts, **money, **when, "n_events": draw.randint(1, 9)})
    return rows


def orders_of(lines: Sequence[Row]) -> list[Row]:
    """Orders of the purchase lines; what returns took back is left to the planting."""
    first: dict[object, Row] = {}
    for row in sorted(lines, key=lambda row: str(row["lined_at"])):
        if row["line_type"] == "purchase":
            first.setdefault(row["order_id"], row)
    return [
        {"order_id": order, "user_id": row["user_id"], "ordered_at": row["lined_at"], "ordered_on": row["lined_on"],
         "currency": row["currency"], "gross_amount": row["amount"], "net_amount": row["amount"]}
        for order, row in first.items()
    ]  # fmt: skip


def rows_now_and_later() -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
    """The shop as known at the end of as_of, and with what came after: new rows, and rows restated by it."""
    end = end_of(AS_OF, ZONE)
    events, sessions, lines = random_shop(11, N_USERS)
    events = [
        {**row, "product_id": f"p{n % 6}", "is_item": True, "title": "Blue mug", "attributes": {"referred_by": "u1"}}
        for n, row in enumerate(events)
    ]
    now: dict[str, list[Row]] = {
        "events": [row for row in events if cast(date, row["event_at"]) < end],
        "sessions": [row for row in sessions if cast(date, row["started_at"]) < end],
        "lines": [row for row in lines if cast(date, row["lined_at"]) < end],
    }
    ten_minutes = timedelta(minutes=10)
    at_the_end: Row = {"started_at": end - ten_minutes, "session_on": AS_OF, "n_events": 1}
    at_the_end["closes_at"] = end + 2 * ten_minutes
    open_visits: list[Row] = [{**at_the_end, "session_id": f"open{n}", "user_id": f"u{n}"} for n in range(N_USERS)]
    # What a visit, a line and an order look like after the future was known.
    restated: Row = {
        "n_events": 9,
        "n_carts": 3,
        "n_views": 3,
        "has_purchase": True,
        "closes_at": end + 4 * ten_minutes,
    }
    newcomer = {"user_id": "newcomer"}
    later: dict[str, list[Row]] = {
        "events": [
            *events,
            *({**row, **newcomer, "event_id": f"x{n}"} for n, row in enumerate(events) if row not in now["events"]),
        ],
        "sessions": [*sessions, *({**row, **restated} for row in open_visits)],
        "lines": [{**row, "netted_quantity": 1} for row in lines],
    }
    now["sessions"] += open_visits
    draw = Random(5)
    for name, table, key in (("user_days", USER_DAYS, "user_id"), ("product_days", PRODUCT_DAYS, "product_id")):
        later[name] = days_of(draw, table, key)
        now[name] = [row for row in later[name] if local_day(row, "day_on") <= AS_OF]
    now["orders"] = orders_of(now["lines"])
    taken_back: Row = {"netted_amount": 1, "net_amount": 0, "is_cancelled": True}
    later["orders"] = [{**row, **taken_back} for row in orders_of(lines)]
    later["spend"] = [
        {"day_on": AS_OF + timedelta(days=day), "channel": channel, "amount": 50 + day, "currency": "JPY"}
        for day in range(-40, 21, 3)
        for channel in ("ads", "email")
    ]
    now["spend"] = [row for row in later["spend"] if local_day(row, "day_on") <= AS_OF]
    now["quarantine"], later["quarantine"] = [], [{"source_line": 1, "day_on": AS_OF + timedelta(days=1)}]
    now["order_lines"], later["order_lines"] = now["lines"], later["lines"]
    return now, later


@pytest.fixture(scope="module")
def shops(spark: SparkSession) -> tuple[Shop, Shop]:
    now, later = rows_now_and_later()
    assert all(len(later[name]) > len(now[name]) for name in FRAMES)
    known, planted = (
        {name: rows_of(spark, table, rows[name]) for name, table in FRAMES.items()} for rows in (now, later)
    )
    return known, planted


def call(function: Args, shop: Shop) -> list[str]:
    """What the function makes of the shop, as text."""
    hints = get_type_hints(function)
    given: dict[str, object] = {}
    for name in inspect.signature(function).parameters:
        hint = hints[name]
        own = {field.name for field in fields(hint)} if is_dataclass(hint) else set()
        if name == "window_days" and hint is int:
            given[name] = 30
        elif name in shop or name in VALUES:
            given[name] = shop.get(name, VALUES.get(name))
        elif own & set(shop):
            given[name] = hint(**{part: shop[part] if part in shop else made(part, shop) for part in own})
        else:
            given[name] = hint() if own else made(name, shop)
    found = function(**given)
    return texts_of(found) if isinstance(found, DataFrame) else [repr(found)]


def made(name: str, shop: Shop) -> DataFrame:
    """A frame that a transform of the room makes for others."""
    makers = {"active_days": ("active_days.list_active_days", ("user_days",))}
    if name not in makers:
        pytest.fail(f"found a parameter {name} that this test can't fill; add it to FRAMES, VALUES or makers")
    maker, tables = makers[name]
    return cast(DataFrame, FUNCTIONS[maker](*(shop[table] for table in tables), AS_OF))


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(LOOKS_AHEAD)))
def test_nothing_after_the_day_moves_what_is_known(shops: tuple[Shop, Shop], name: str) -> None:
    known, planted = (call(FUNCTIONS[name], shop) for shop in shops)
    assert known, "nothing was computed, so nothing was tested"
    assert planted == known


@pytest.mark.parametrize("name", sorted(LOOKS_AHEAD))
def test_what_may_look_ahead_does_so(shops: tuple[Shop, Shop], name: str) -> None:
    known, planted = (call(FUNCTIONS[name], shop) for shop in shops)
    assert planted != known, "the exception is no more needed; take it out of LOOKS_AHEAD"
