"""What did each user do with each item, as known on a day?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of

Transform = Literal["none", "log1p"]


@dataclass(frozen=True)
class Weighting:
    """What one event counts.

    by_type: weight by event_type, all above 0. half_life_days: days after which an event weighs
    half, None for never. transform: of a pair's sum.
    """

    by_type: dict[str, float]
    half_life_days: float | None
    transform: Transform

    @property
    def event_types(self) -> tuple[str, ...]:
        """The types that count."""
        return tuple(self.by_type)


def known_item_events(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The events of known users on items that happened by the end of as_of."""
    is_known = F.col("event_at") < F.lit(end_of(as_of, zone))
    return events.where(is_known & F.col("is_item") & F.col("user_id").isNotNull())


def bought_items(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """Each item that a user bought by the end of as_of: distinct (user_id, product_id)."""
    purchases = known_item_events(events, as_of, zone).where(F.col("event_type") == "purchase")
    return purchases.select("user_id", "product_id").distinct()


def weigh_interactions(events: DataFrame, as_of: date, zone: str, weighting: Weighting) -> DataFrame:
    """How much each user did with each item, as known at the end of as_of.

    In:     silver.events, any span.
    Out:    key (user_id, product_id); weight DOUBLE above 0.
    Rule:   the sum over events of the type's weight times 2 ** (-age / half_life_days), age in local
            days to as_of; then log(1 + sum) where the transform says so.
    Edge:   a type without a weight is no interaction.
    """
    known = known_item_events(events, as_of, zone).where(F.col("event_type").isin(*weighting.event_types))
    weight = _type_weight(weighting.by_type)
    if weighting.half_life_days is not None:
        age_days = F.datediff(F.lit(as_of), F.col("event_on"))
        weight = weight * F.pow(F.lit(2.0), -age_days / F.lit(weighting.half_life_days))
    total = F.sum(weight)
    if weighting.transform == "log1p":
        total = F.log1p(total)
    return known.groupBy("user_id", "product_id").agg(total.alias("weight"))


def count_interactions(interactions: DataFrame) -> DataFrame:
    """One row: n_pairs, and metrics, a map with n_users and n_items."""
    n_users = F.countDistinct("user_id").cast("double")
    n_items = F.countDistinct("product_id").cast("double")
    metrics = F.create_map(F.lit("n_users"), n_users, F.lit("n_items"), n_items)
    return interactions.agg(F.count("*").alias("n_pairs"), metrics.alias("metrics"))


def _type_weight(weights: Mapping[str, float]) -> Column:
    chosen = F.lit(0.0)
    for name, weight in weights.items():
        chosen = F.when(F.col("event_type") == name, F.lit(weight)).otherwise(chosen)
    return chosen
