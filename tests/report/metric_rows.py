"""A made-up shop's metrics, a fixed seed, no clock: rows by column of each table of contracts/metrics.py."""

import random
from collections.abc import Mapping
from datetime import date, timedelta

from ulm_spark.contracts.metrics import SHOP_METRIC_CATALOGUE

Rows = list[Mapping[str, object]]
PERIODS = (
    *(("classic", n, n) for n in (1, 3, 7, 14, 30)),
    *(("rolling", n, None) for n in (1, 3, 7, 14, 30)),
    *(("bracket", first, last) for first, last in ((1, 7), (8, 14), (15, 30))),
)
SHARES = {"classic": 0.1, "rolling": 0.5, "bracket": 0.3}


def retention_rows(as_of: date) -> Rows:
    """Ten weekly cohorts; the last is not over for the longer periods."""
    draw = random.Random(13)
    rows: Rows = []
    for week in range(10, 0, -1):
        cohort = as_of - timedelta(days=7 * week + as_of.weekday())
        size = draw.randint(60, 140)
        for kind, first, last in PERIODS:
            over = size if (last or first) <= 7 * (week - 1) else size // 3
            share = SHARES[kind] * draw.uniform(0.7, 1.2) * 4 / (4 + first**0.5)
            counts = {"n_cohort_users": size, "n_users": over, "n_retained": int(over * share)}
            period = {"cohort_on": cohort, "kind": kind, "first_day": first, "last_day": last}
            rows.append({**period, **counts, "is_complete": over == size})
    return rows


def conversion_rows(as_of: date) -> Rows:
    """120 days, Saturdays without a visit."""
    draw = random.Random(17)
    rows: Rows = []
    for ago in range(119, -1, -1):
        on = as_of - timedelta(days=ago)
        visits = 0 if on.weekday() == 5 else draw.randint(60, 160)
        views = int(visits * draw.uniform(0.85, 0.97))
        carts = int(views * draw.uniform(0.25, 0.4))
        bought = int(carts * draw.uniform(0.4, 0.6))
        counts = {"n_sessions": visits, "n_view_sessions": views, "n_cart_sessions": carts}
        rates = (views, visits), (carts, views), (bought, carts), (bought, visits)
        names = ("view_rate", "cart_rate", "purchase_rate", "conversion_rate")
        shares = {name: part / whole if whole else None for name, (part, whole) in zip(names, rates, strict=True)}
        rows.append({"day_on": on, **counts, "n_purchase_sessions": bought, **shares})
    return rows


def customer_rows(as_of: date) -> Rows:
    """120 days."""
    draw = random.Random(19)
    names = ("n_active_users", "n_new_users", "n_buyers", "n_new_buyers")
    return [
        {"day_on": as_of - timedelta(days=ago), **{name: draw.randint(0, 90) for name in names}} for ago in range(120)
    ]


def figure_rows() -> Rows:
    """Every metric over two windows; there is no answer that makes a promoter score."""
    values = {"users": 4210.0, "orders": 1880.0, "share": 0.312, "stars": 4.21, "points": None, "money": 54.5}
    units = {"money": "GBP"}
    return [
        {"metric": m.name, "window_days": n, "value": values[m.unit], "unit": units.get(m.unit, m.unit)}
        for m in SHOP_METRIC_CATALOGUE
        for n in (30, 90)
    ]


def channel_rows() -> Rows:
    """Paid, unpaid and unknown channels."""
    rows: Rows = [
        {"channel": "ads", "n_new_buyers": 120, "spend": 1800, "currency": "GBP", "cac": 15.0},
        {"channel": "radio", "n_new_buyers": 0, "spend": 90, "currency": "GBP"},
        {"channel": "unknown", "n_new_buyers": 31},
    ]
    return [{**row, "window_days": n} for row in rows for n in (30, 90)]
