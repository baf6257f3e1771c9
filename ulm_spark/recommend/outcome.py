"""What did users buy after as_of, and which lists had named it?"""

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of


@dataclass(frozen=True)
class OutcomeWindow:
    """The local days whose purchases judge what was recommended: after as_of, up to and with last_on."""

    as_of: date
    last_on: date
    is_whole: bool

    @property
    def n_days(self) -> int:
        """Days in the window."""
        return (self.last_on - self.as_of).days


def outcome_window(as_of: date, known_to: date | None, test_days: int, min_test_days: int) -> OutcomeWindow | None:
    """The window that the lake can judge as_of by, None where it knows too little of what came after.

    known_to: local day of the lake's last event, which counts as a whole day. Rule: test_days after
    as_of where the lake knows them all; the part it knows where that is at least min_test_days.
    """
    whole_to = as_of + timedelta(days=test_days)
    if known_to is None or known_to < as_of + timedelta(days=min_test_days):
        return None
    return OutcomeWindow(as_of, min(whole_to, known_to), known_to >= whole_to)


def relevant_items(lines: DataFrame, window: OutcomeWindow, zone: str, *, only_new: bool) -> DataFrame:
    """The items that each user bought in the window.

    In:   silver.order_lines, any span.
    Out:  distinct (user_id, product_id).
    Rule: purchases of items by known users; only_new: of items the user had not bought by the end of
          as_of.
    Edge: a purchase that was returned later is a purchase.
    """
    is_purchase = (F.col("line_type") == "purchase") & F.col("is_item") & F.col("user_id").isNotNull()
    purchases = lines.where(is_purchase).select("user_id", "product_id", "lined_at")
    first_instant, last_instant = F.lit(end_of(window.as_of, zone)), F.lit(end_of(window.last_on, zone))
    is_after, is_inside = F.col("lined_at") >= first_instant, F.col("lined_at") < last_instant
    bought = purchases.where(is_after & is_inside).select("user_id", "product_id").distinct()
    if not only_new:
        return bought
    before = purchases.where(~is_after).select("user_id", "product_id").distinct()
    return bought.join(before, on=["user_id", "product_id"], how="left_anti")


def mark_hits(recommendations: DataFrame, relevant: DataFrame, k: int, max_users: int) -> DataFrame:
    """For each list of a user who bought something relevant: on which of the first k places it stands.

    In:   rows of gold.item_recommendations and the like, of one as_of; relevant (user_id, product_id).
    Out:  key (model, user_id); hit_ranks ARRAY<INT> ascending; n_relevant INT, at least 1.
    Rule: above max_users users with relevant items, those with the smallest hash of user_id.
    Edge: a user without a list of a model is absent for it; a list without a hit has an empty array.
    """
    buyers = relevant.groupBy("user_id").agg(F.count("*").cast("int").alias("n_relevant"))
    measured = buyers.orderBy(F.xxhash64("user_id"), "user_id").limit(max_users)
    is_bought = relevant.select("user_id", "product_id", F.lit(True).alias("is_hit"))
    hit_rank = F.when(F.col("is_hit"), F.col("rank"))
    return (
        recommendations.where(F.col("rank") <= k)
        .join(measured, on="user_id", how="inner")
        .join(is_bought, on=["user_id", "product_id"], how="left")
        .groupBy("model", "user_id", "n_relevant")
        .agg(F.sort_array(F.collect_list(hit_rank)).alias("hit_ranks"))
        .select("model", "user_id", "hit_ranks", "n_relevant")
    )
