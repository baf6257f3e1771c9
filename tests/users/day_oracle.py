"""silver.user_days and silver.product_days a second time, in plain Python, and random shops to try them on."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.users.shop_rows import ZONE, Row, at, event, line, session

KINDS = ("view", "search", "click", "cart", "remove", "purchase", "return", "review")
_PLURALS = {"search": "searches", "purchase": "purchases"}
_NAMES = {"categories": "category", "brands": "brand", "devices": "device", "channels": "channel"}


def random_days(seed: int, n_users: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Events, sessions and order lines from four days before as_of to three days after it."""
    draw = random.Random(seed)
    events, sessions, lines = [], [], []
    for n in range(n_users * 40):
        user = draw.choice((None, *(f"u{k}" for k in range(n_users))))
        when = at(draw.randint(-4, 3), 0) + timedelta(seconds=draw.randrange(86_400))
        kind = draw.choice((*KINDS, "listing"))
        events.append(event(f"e{n}", user, when, kind, **_traits(draw)))
        if user and draw.random() < 0.3:
            sizes: Row = {"n_events": draw.randint(1, 9), "duration_s": draw.randrange(5_000)}
            flags: Row = {f: draw.random() < 0.5 for f in ("is_bounce", "has_abandoned_cart", "has_purchase")}
            sessions.append(session(f"s{n}", user, when, n_carts=draw.randrange(3), **sizes, **flags))
        if kind in ("purchase", "return"):
            bought: Row = {
                "order_id": f"o{user}-{n // 60}", "line_type": kind, "product_id": f"p{draw.randrange(4)}",
                "is_item": draw.random() < 0.9, "quantity": draw.randint(1, 5),
                "unit_price": Decimal(draw.randint(1, 40)) / 4, "list_price": draw.choice((None, Decimal(8))),
                "currency": draw.choice(("JPY", "USD")),
            }  # fmt: skip
            lines.append(line(f"e{n}", user, when, **bought))
    return events, sessions, lines


def _traits(draw: random.Random) -> Row:
    text = draw.choice((None, "0.25", "-0.75", "kind", "2"))
    attributes = {"sentiment": text, "filters": draw.choice((None, "", "a=b"))}
    return {
        "product_id": draw.choice(("p1", "p2", "p3", None)),
        "category": draw.choice(("a", "b/c", "d", None)),
        "brand": draw.choice(("x", "y", None)),
        "device": draw.choice(("app", "mobile", None)),
        "channel": draw.choice(("ads", "email", None)),
        "unit_price": draw.choice((None, Decimal(0), Decimal("0.75"), Decimal(3), Decimal(400))),
        "currency": draw.choice(("EUR", "JPY")),
        "quantity": draw.choice((None, 1, 3)),
        "rating": draw.choice((None, 1, 5)),
        "attributes": draw.choice((None, attributes)),
    }


def _named(values: Iterable[object]) -> list[Row]:
    return [{"name": name, "n": n} for name, n in sorted(Counter(str(v) for v in values if v is not None).items())]


def _local(instant: object) -> datetime:
    assert isinstance(instant, datetime)
    return instant.astimezone(ZoneInfo(ZONE))


def days_of_users(events: list[Row], sessions: list[Row], lines: list[Row]) -> list[Row]:
    """The rows of silver.user_days, by user and day."""
    parts: dict[tuple[str, date], tuple[list[Row], list[Row], list[Row]]] = defaultdict(lambda: ([], [], []))
    for row in events:
        if row["user_id"] is not None and row["event_type"] != "listing":
            parts[str(row["user_id"]), _local(row["event_at"]).date()][0].append(row)
    for row in sessions:
        closed = row["closes_at"]
        assert isinstance(closed, datetime)
        parts[str(row["user_id"]), _local(closed - timedelta(microseconds=1)).date()][1].append(row)
    for row in lines:
        if row["user_id"] is not None:
            parts[str(row["user_id"]), _local(row["lined_at"]).date()][2].append(row)
    return [
        {"user_id": user, "day_on": day, **_acts(acts), **_visits(visits), **_orders(bought, lines, user)}
        for (user, day), (acts, visits, bought) in sorted(parts.items())
    ]


def _acts(acts: list[Row]) -> Row:
    hours = [_local(row["event_at"]).hour for row in acts]
    reviews = [row for row in acts if row["event_type"] == "review"]
    told = [(row.get("attributes") or {}) for row in acts if row["event_type"] == "search"]
    said = [(row.get("attributes") or {}).get("sentiment") for row in reviews]
    sentiments = [Decimal(text) for text in said if text in ("0.25", "-0.75")]
    ratings = [row["rating"] for row in reviews if row["rating"] is not None]
    prices = [row["unit_price"] for row in acts if row["unit_price"]]
    came = sorted((row["event_at"], row["channel"]) for row in acts if row["channel"])
    parts = {"night": 0, "morning": 6, "afternoon": 12, "evening": 18}
    return {
        "n_events": len(acts),
        **{f"n_{_PLURALS.get(k, k + 's')}": sum(row["event_type"] == k for row in acts) for k in KINDS},
        "n_filtered_searches": sum(attributes.get("filters") == "a=b" for attributes in told),
        "n_ratings": len(ratings),
        "rating_sum": sum(ratings),
        "n_sentiments": len(sentiments),
        "sentiment_sum": sum(sentiments, Decimal(0)),
        **{f"{name}_events": sum(first <= hour < first + 6 for hour in hours) for name, first in parts.items()},
        "first_channel": came[0][1] if came else None,
        "hours": _named(f"{hour:02}" for hour in hours),
        **{column: _named(row[name] for row in acts) for column, name in _NAMES.items()},
        "price_bands": _named(math.floor(math.log2(price)) for price in prices),
    }


def _visits(visits: list[Row]) -> Row:
    return {
        "n_sessions": len(visits),
        "n_bounces": sum(bool(row["is_bounce"]) for row in visits),
        "n_cart_sessions": sum(row["n_carts"] != 0 for row in visits),
        "n_abandoned_sessions": sum(bool(row["has_abandoned_cart"]) for row in visits),
        "n_buying_sessions": sum(bool(row["has_purchase"]) for row in visits),
        "session_events": sum(row["n_events"] for row in visits),
        "session_steps": sum(row["n_events"] - 1 for row in visits),
        "session_s": sum(row["duration_s"] for row in visits),
    }


def _orders(bought: list[Row], all_lines: list[Row], user: str) -> Row:
    purchases = [row for row in bought if row["line_type"] == "purchase"]
    items = [row for row in bought if row["is_item"]]
    first: dict[object, object] = {}
    for row in sorted(all_lines, key=lambda row: str(row["lined_at"])):
        if row["user_id"] == user and row["line_type"] == "purchase":
            first.setdefault(row["order_id"], row["lined_on"])
    bought_items = [row for row in items if row["line_type"] == "purchase"]
    listed = [row for row in bought_items if row["list_price"] is not None]
    units: Counter[str] = Counter()
    for row in bought_items:
        units[str(row["product_id"])] += row["quantity"]
    latest = sorted((row["line_type"] == "purchase", row["lined_at"], row["currency"]) for row in bought)
    return {
        "n_orders": sum(day == bought[0]["lined_on"] for day in first.values()) if bought else 0,
        "n_lines": len(purchases),
        "n_units": sum(units.values()),
        "n_units_returned": sum(row["quantity"] for row in items if row["line_type"] == "return"),
        "n_listed_lines": len(listed),
        "n_discounted_lines": sum(row["unit_price"] < row["list_price"] for row in listed),
        "gross_amount": sum((row["amount"] for row in purchases), Decimal(0)),
        "net_amount": sum((row["amount"] for row in bought), Decimal(0)),
        "currency": latest[-1][2] if latest else None,
        "products": [{"name": name, "n": n} for name, n in sorted(units.items())],
    }


def days_of_products(events: list[Row]) -> list[Row]:
    """The rows of silver.product_days, by product and day."""
    parts: dict[tuple[str, date], list[Row]] = defaultdict(list)
    for row in events:
        if row["product_id"] is not None and row["event_type"] != "listing":
            parts[str(row["product_id"]), _local(row["event_at"]).date()].append(row)
    return [{"product_id": product, "day_on": day, **_product(acts)} for (product, day), acts in sorted(parts.items())]


def _product(acts: list[Row]) -> Row:
    priced = [row for row in acts if row["unit_price"]]
    categories = Counter(str(row["category"]) for row in acts if row["category"] is not None)
    bought = [row for row in acts if row["event_type"] == "purchase"]
    return {
        "category": min(categories, key=lambda name: (-categories[name], name), default=None),
        "n_events": len(acts),
        "n_views": sum(row["event_type"] == "view" for row in acts),
        "n_carts": sum(row["event_type"] == "cart" for row in acts),
        "n_purchases": len(bought),
        "n_units": sum(row["quantity"] or 1 for row in bought),
        "n_priced": len(priced),
        "price_sum": sum((row["unit_price"] for row in priced), Decimal(0)),
        "currency": min((str(row["currency"]) for row in priced), default=None),
    }
