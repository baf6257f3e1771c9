"""The features of gold.user_features a second time, in pandas and plain loops, for comparison."""

import math
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd

from tests.users.shop_rows import ZONE, Row
from ulm_spark.config.clock import end_of


def features_by_pandas(events: list[Row], sessions: list[Row], lines: list[Row], as_of: date) -> list[Row]:
    """One row per user with an event before the end of as_of, by user."""
    end = end_of(as_of, ZONE)
    ev, se, li = (pd.DataFrame(rows).astype(object) for rows in (events, sessions, lines))
    ev, li, se = ev[ev.event_at < end], li[li.lined_at < end], se[se.closes_at <= end]
    return [
        {"as_of": as_of, "user_id": user}
        | _activity(mine, as_of)
        | _visits(se[se.user_id == user], as_of)
        | _purchases(li[li.user_id == user], as_of)
        for user, mine in ev.groupby("user_id")
    ]


def _since(day: date, n_days: int) -> date:
    return day - timedelta(days=n_days - 1)


def _present(values: "pd.Series[object]") -> list[object]:
    return [value for value in values if value is not None]


def _favourite(values: list[object]) -> object:
    return min(set(values), key=lambda value: (-values.count(value), str(value))) if values else None


def _activity(mine: pd.DataFrame, as_of: date) -> Row:
    month, quarter = mine[mine.event_on >= _since(as_of, 30)], mine[mine.event_on >= _since(as_of, 90)]
    categories = _present(quarter.category)
    shares = [categories.count(name) / len(categories) for name in set(categories)]
    come = mine[mine.channel.notna()]
    first: list[tuple[datetime, str]] = sorted(zip(come.event_at, come.channel, strict=True))
    return {
        "tenure_days": (as_of - min(mine.event_on)).days,
        "inactive_days": (as_of - max(mine.event_on)).days,
        "n_active_days_90d": quarter.event_on.nunique(),
        **{f"n_{name}_30d": int((month.event_type == kind).sum())
           for name, kind in (("views", "view"), ("searches", "search"), ("carts", "cart"))},
        "n_categories_90d": len(shares),
        "category_entropy": float(-sum(p * math.log(p) for p in shares)) if shares else None,
        "top_category": _favourite(categories),
        "device": _favourite(_present(mine.device)),
        "channel": first[0][1] if first else None,
    }  # fmt: skip


def _visits(mine: pd.DataFrame, as_of: date) -> Row:
    counts: Row = {f"n_sessions_{n}d": int((mine.session_on >= _since(as_of, n)).sum()) for n in (7, 30, 90)}
    quarter = mine[mine.session_on >= _since(as_of, 90)]
    n_carts = int((quarter.n_carts > 0).sum())
    return counts | {
        "mean_session_events": float(quarter.n_events.mean()) if len(quarter) else None,
        "mean_session_s": float(quarter.duration_s.mean()) if len(quarter) else None,
        "cart_abandon_rate": float(quarter.has_abandoned_cart.sum() / n_carts) if n_carts else None,
    }


def _purchases(mine: pd.DataFrame, as_of: date) -> Row:
    bought, returned = mine[mine.line_type == "purchase"], mine[(mine.line_type == "return") & (mine.is_item == True)]  # noqa: E712
    items = bought[bought.is_item == True]  # noqa: E712
    listed = items[items.list_price.notna()]
    quarter = items[items.lined_on >= _since(as_of, 90)]
    days = sorted(set(bought.lined_on))
    ordered = bought.groupby("order_id").lined_on.min()
    n_units = int(items.quantity.sum())
    row: Row = {
        "recency_days": (as_of - days[-1]).days if days else None,
        "n_purchase_days": len(days),
        "first_purchase_age_days": (as_of - days[0]).days if days else None,
        "n_orders_life": len(ordered),
        "net_revenue_life": sum(mine.amount, Decimal(0)),
        "currency": "JPY" if days else None,
        "mean_order_value": float(sum(bought.amount)) / len(ordered) if days else None,
        "mean_purchase_gap_days": (days[-1] - days[0]).days / (len(days) - 1) if len(days) > 1 else None,
        "n_units_90d": int(quarter.quantity.sum()),
        "n_products_90d": quarter.product_id.nunique(),
        "return_rate": float(returned.quantity.sum() / n_units) if n_units else None,
        "discount_share": float((listed.unit_price < listed.list_price).mean()) if len(listed) else None,
    }
    for n in (30, 90):
        row[f"n_orders_{n}d"] = int((ordered >= _since(as_of, n)).sum()) if days else 0
        row[f"net_revenue_{n}d"] = sum(mine.amount[mine.lined_on >= _since(as_of, n)], Decimal(0))
    return row
