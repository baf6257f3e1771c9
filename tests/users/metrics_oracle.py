"""The tables of build_shop_metrics a second time, in plain loops, for comparison."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

from tests.users.shop_rows import ZONE, Row
from ulm_spark.config.clock import end_of
from ulm_spark.users.metrics_conf import MetricsConf

Days = dict[str, set[date]]


def known(rows: Iterable[Row], instant: str, as_of: date) -> list[Row]:
    """Rows before the end of as_of."""
    return [row for row in rows if row[instant] < end_of(as_of, ZONE)]  # type: ignore[operator]


def days_of(rows: Iterable[Row], day: str) -> Days:
    """The days of each user."""
    found: Days = {}
    for row in rows:
        if row["user_id"] is not None:
            found.setdefault(cast(str, row["user_id"]), set()).add(cast(date, row[day]))
    return found


def retention_by_loops(events: list[Row], as_of: date, conf: MetricsConf) -> set[tuple[object, ...]]:
    """cohort_on, kind, first_day, last_day, n_cohort_users, n_users, n_retained, is_complete."""
    users = days_of(known(events, "event_at", as_of), "event_on")
    cohorts: dict[date, list[tuple[date, set[date]]]] = {}
    for days in users.values():
        first = min(days)
        cohorts.setdefault(first - timedelta(days=first.weekday()), []).append((first, days))
    rows: set[tuple[object, ...]] = set()
    for cohort, members in cohorts.items():
        for kind, first_day, last_day, last_counted in (
            *(("classic", n, n, n) for n in conf.retention_days),
            *(("rolling", n, None, 99_999) for n in conf.retention_days),
            *(("bracket", low, high, high) for low, high in ((1, 7), (8, 14), (15, 30), (31, 60), (61, 90))),
        ):
            over_day = first_day if last_day is None else last_day
            over = [(first, days) for first, days in members if first + timedelta(days=over_day) <= as_of]
            back = [
                first for first, days in over if any(first_day <= (day - first).days <= last_counted for day in days)
            ]
            if over:
                is_complete = cohort + timedelta(days=6 + over_day) <= as_of
                rows.add((cohort, kind, first_day, last_day, len(members), len(over), len(back), is_complete))
    return rows


def ratio(above: float | None, below: float | None) -> float | None:
    """above / below; None over nothing."""
    return above / below if above is not None and below else None


def metrics_by_loops(
    events: list[Row], sessions: list[Row], lines: list[Row], spend: list[Row], as_of: date, n_days: int
) -> dict[str, float | None]:
    """The value of each metric over n days."""
    since = as_of - timedelta(days=n_days - 1)

    def inside(rows: Iterable[Row], day: str) -> list[Row]:
        return [row for row in rows if since <= cast(date, row[day]) <= as_of]

    events, lines = known(events, "event_at", as_of), known(lines, "lined_at", as_of)
    active = days_of(events, "event_on")
    bought_lines = [row for row in lines if row["line_type"] == "purchase"]
    bought = days_of(bought_lines, "lined_on")
    buyers = [days for days in bought.values() if max(days) >= since]
    orders: dict[object, date] = {}
    for row in bought_lines:
        day = cast(date, row["lined_on"])
        orders[row["order_id"]] = min(day, orders.get(row["order_id"], day))
    n_orders = sum(day >= since for day in orders.values())
    n_active = sum(max(days) >= since for days in active.values())
    n_new_buyers = sum(min(days) >= since for days in bought.values())

    def money(rows: Iterable[Row]) -> float:
        return float(sum((cast(Decimal, row["amount"]) for row in rows), Decimal(0)))

    gross, net = money(inside(bought_lines, "lined_on")), money(inside(lines, "lined_on"))
    of_users = money(row for row in inside(lines, "lined_on") if row["user_id"] is not None)
    closed = [row for row in inside(sessions, "session_on") if row["closes_at"] <= end_of(as_of, ZONE)]  # type: ignore[operator]
    paid = inside(spend, "day_on")
    stars = [cast(int, row["rating"]) for row in inside(events, "event_on") if row.get("rating")]
    last: dict[object, Row] = {}
    for row in sorted(events, key=lambda row: (row["event_at"], row["event_id"])):
        if row.get("attributes"):
            last[row["user_id"] or row["event_id"]] = row
    answers = [int(cast(dict[str, str], row["attributes"])["nps"]) for row in inside(last.values(), "event_on")]
    balance = sum(answer >= 9 for answer in answers) - sum(answer <= 6 for answer in answers)
    return {
        "active_users": n_active,
        "new_users": sum(min(days) >= since for days in active.values()),
        "buyers": len(buyers),
        "new_buyers": n_new_buyers,
        "repeat_rate": ratio(sum(len(days) > 1 for days in buyers), len(buyers)),
        "orders": n_orders,
        "gross_revenue": gross,
        "net_revenue": net,
        "arpu": ratio(of_users, n_active),
        "arppu": ratio(of_users, len(buyers)),
        "average_order_value": ratio(gross, n_orders),
        "conversion_rate": ratio(sum(bool(row.get("has_purchase")) for row in closed), len(closed)),
        "marketing_spend": money(paid) if paid else None,
        "cac": ratio(money(paid) if paid else None, n_new_buyers),
        "review_score": ratio(sum(stars), len(stars)),
        "satisfied_share": ratio(sum(star >= 4 for star in stars), len(stars)),
        "nps": ratio(100 * balance, len(answers)),
    }
