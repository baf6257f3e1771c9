"""What are the shop's figures of the last days: users, buyers, revenue a head, costs, satisfaction?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.metrics import SHOP_METRIC_CATALOGUE, SHOP_METRICS
from ulm_spark.users.active_days import list_purchase_days, span_of
from ulm_spark.users.conversion import closed_by_end, furthest_step
from ulm_spark.users.satisfaction import sum_answers, sum_ratings
from ulm_spark.users.windows import in_last

UNITS = {metric.name: metric.unit for metric in SHOP_METRIC_CATALOGUE}


@dataclass(frozen=True)
class ShopFacts:
    """The frames that the shop's figures are made of, of any span; active_days is list_active_days of as_of."""

    events: DataFrame
    active_days: DataFrame
    sessions: DataFrame
    orders: DataFrame
    lines: DataFrame
    spend: DataFrame


def summarise_shop(facts: ShopFacts, as_of: date, zone: str, window_days: Sequence[int], currency: str) -> DataFrame:
    """Every metric of the catalogue over every window, as known at the end of as_of.

    In:   ShopFacts; currency is the shop's own.
    Out:  gold.shop_metrics: always all of its metrics, also of a shop where nothing happened.
    Rule: SHOP_METRIC_CATALOGUE says what each is. A window of n days is the n local days that end with as_of.
          Counts and sums are exact, ratios doubles of them, so that the order of rows changes no digit.
    Edge: a ratio over nothing is null. Spend, and what is made of it, is null where the lake has none in the
          window. Several currencies are summed as they are, and the unit names them all.
    """
    # One row of totals: each part is one row too, so that the product of all is.
    totals = _sum_lines(facts.lines, as_of, zone, window_days)
    for part in (
        _count_users(facts.active_days, as_of, window_days),
        _count_buyers(list_purchase_days(facts.lines, as_of, zone), as_of, window_days),
        _count_orders(facts.orders, as_of, zone, window_days),
        _count_sessions(closed_by_end(facts.sessions, as_of, zone), as_of, window_days),
        _sum_spend(facts.spend, as_of, window_days),
        sum_ratings(facts.events, as_of, zone, window_days),
        sum_answers(facts.events, as_of, zone, window_days),
    ):
        totals = totals.join(part, how="cross")
    told = [_metric(name, n, *ratio, currency) for n in window_days for name, ratio in _ratios(n).items()]
    return totals.select(F.lit(as_of).alias("as_of"), F.inline(F.array(*told))).select(*SHOP_METRICS.column_names)


def _ratios(n: int) -> dict[str, tuple[Column, Column | None]]:
    """Numerator and denominator of each metric over n days; None for a count or a sum."""

    def total(name: str) -> Column:
        return F.col(f"{name}_{n}")

    return {
        "active_users": (total("active_users"), None),
        "new_users": (total("new_users"), None),
        "buyers": (total("buyers"), None),
        "new_buyers": (total("new_buyers"), None),
        "repeat_rate": (total("repeat_buyers"), total("buyers")),
        "orders": (total("orders"), None),
        "gross_revenue": (total("gross"), None),
        "net_revenue": (total("net"), None),
        "arpu": (total("net_of_users"), total("active_users")),
        "arppu": (total("net_of_users"), total("buyers")),
        "average_order_value": (total("gross"), total("orders")),
        "conversion_rate": (total("purchase_sessions"), total("sessions")),
        "marketing_spend": (total("spend"), None),
        "cac": (total("spend"), total("new_buyers")),
        "review_score": (total("rating_sum"), total("n_ratings")),
        "satisfied_share": (total("n_satisfied"), total("n_ratings")),
        "nps": (100 * (total("n_promoters") - total("n_detractors")), total("n_answers")),
    }


def _metric(name: str, n: int, above: Column, below: Column | None, currency: str) -> Column:
    """One row of the table, from the row of totals."""
    numerator = above.cast("double")
    denominator = F.lit(None).cast("double") if below is None else below.cast("double")
    found = F.col(f"currencies_{n}")
    money = F.when(found == "", F.lit(currency)).otherwise(found)
    return F.struct(
        F.lit(name).alias("metric"),
        F.lit(n).alias("window_days"),
        (numerator if below is None else F.try_divide(numerator, denominator)).alias("value"),
        numerator.alias("numerator"),
        denominator.alias("denominator"),
        (money if UNITS[name] == "money" else F.lit(UNITS[name])).alias("unit"),
    )


def _count_users(active_days: DataFrame, as_of: date, window_days: Sequence[int]) -> DataFrame:
    figures = []
    for n in window_days:
        figures += [
            F.count_if(in_last(n, "last_on", as_of)).alias(f"active_users_{n}"),
            F.count_if(in_last(n, "first_on", as_of)).alias(f"new_users_{n}"),
        ]
    return span_of(active_days, "active_on").agg(*figures)


def _count_buyers(purchase_days: DataFrame, as_of: date, window_days: Sequence[int]) -> DataFrame:
    figures = []
    for n in window_days:
        has_bought = in_last(n, "last_on", as_of)
        figures += [
            F.count_if(has_bought).alias(f"buyers_{n}"),
            F.count_if(in_last(n, "first_on", as_of)).alias(f"new_buyers_{n}"),
            F.count_if(has_bought & (F.col("first_on") < F.col("last_on"))).alias(f"repeat_buyers_{n}"),
        ]
    return span_of(purchase_days, "bought_on").agg(*figures)


def _sum_lines(lines: DataFrame, as_of: date, zone: str, window_days: Sequence[int]) -> DataFrame:
    figures = []
    for n in window_days:
        inside = in_last(n, "lined_on", as_of)
        is_bought, is_users = F.col("line_type") == "purchase", F.col("user_id").isNotNull()
        figures += [
            _sum_where(inside & is_bought, f"gross_{n}"),
            _sum_where(inside, f"net_{n}"),
            _sum_where(inside & is_users, f"net_of_users_{n}"),
            F.array_join(F.sort_array(F.collect_set(F.when(inside, F.col("currency")))), "/").alias(f"currencies_{n}"),
        ]
    return lines.where(F.col("lined_at") < F.lit(end_of(as_of, zone))).agg(*figures)


def _sum_where(condition: Column, name: str) -> Column:
    return F.coalesce(F.sum(F.when(condition, F.col("amount"))), F.lit(0)).alias(name)


def _count_orders(orders: DataFrame, as_of: date, zone: str, window_days: Sequence[int]) -> DataFrame:
    known = orders.where(F.col("ordered_at") < F.lit(end_of(as_of, zone)))
    return known.agg(*(F.count_if(in_last(n, "ordered_on", as_of)).alias(f"orders_{n}") for n in window_days))


def _count_sessions(closed: DataFrame, as_of: date, window_days: Sequence[int]) -> DataFrame:
    figures = []
    for n in window_days:
        begun = in_last(n, "session_on", as_of)
        figures += [
            F.count_if(begun).alias(f"sessions_{n}"),
            F.count_if(begun & (furthest_step() == 4)).alias(f"purchase_sessions_{n}"),
        ]
    return closed.agg(*figures)


def _sum_spend(spend: DataFrame, as_of: date, window_days: Sequence[int]) -> DataFrame:
    known = spend.where(F.col("day_on") <= F.lit(as_of))
    inside = {n: F.when(in_last(n, "day_on", as_of), F.col("amount")) for n in window_days}
    return known.agg(*(F.sum(amount).alias(f"spend_{n}") for n, amount in inside.items()))
