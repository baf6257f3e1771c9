"""Who is about to stop buying, and who did, as known by a day?"""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of, past_days
from ulm_spark.config.errors import RefusedError
from ulm_spark.predict.churn_conf import ChurnConf


def fit_label_days(order_lines: DataFrame, conf: ChurnConf, as_of: date, zone: str) -> tuple[date, ...]:
    """The label days that the purchases of silver.order_lines known by as_of allow: past_days from the first on.

    Errors: RefusedError where they allow none.
    """
    known = _purchases(order_lines, as_of, zone)
    first_on: date | None = known.agg(F.min("lined_on")).collect()[0][0]
    days = past_days(first_on, as_of, conf.horizon_days, conf.n_label_days, conf.min_history_days)
    if not days:
        raise RefusedError(
            f"churn: found the first purchase on {first_on} for {as_of}; expected at least "
            f"{conf.min_history_days + conf.horizon_days} days of purchases, churn.min_history_days before the outcome "
            "and churn.horizon_days for it. Ingest more history, choose a later as_of, or set them lower."
        )
    return days


def active_buyers(features: DataFrame, active_days: int) -> DataFrame:
    """The users whose churn is a question: those with a purchase in the active_days that end with as_of."""
    return features.where(F.col("recency_days") < active_days)


def label_churn(
    features: DataFrame, order_lines: DataFrame, label_on: date, conf: ChurnConf, as_of: date, zone: str
) -> DataFrame:
    """The active buyers of label_on, their features of that day, and is_churned.

    In:     features of gold.user_features' columns for the day label_on; silver.order_lines, any
            span.
    Out:    the features' columns and is_churned: True where the user bought nothing in
            the horizon_days after label_on.
    Rule:   only lines before the end of as_of are read, so that nothing later moves a label; a
            purchase that is returned later is a purchase.
    Errors: ValueError where the outcome window ends after as_of.
    """
    last_on = label_on + timedelta(days=conf.horizon_days)
    if last_on > as_of:
        raise ValueError(f"label_churn: the outcome of {label_on} is known on {last_on}; expected {as_of} or before.")
    day = F.col("lined_on")
    buyers_after = (
        _purchases(order_lines, as_of, zone)
        .where((day > F.lit(label_on)) & (day <= F.lit(last_on)))
        .select("user_id", F.lit(False).alias("is_churned"))
        .distinct()
    )
    population = active_buyers(features.where(F.col("as_of") == F.lit(label_on)), conf.active_days)
    labelled = population.join(buyers_after, "user_id", how="left")
    return labelled.select(*features.columns, F.coalesce("is_churned", F.lit(True)).alias("is_churned"))


def _purchases(order_lines: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The purchase lines of named users before the end of as_of."""
    is_purchase = (F.col("line_type") == "purchase") & F.col("user_id").isNotNull()
    return order_lines.where(is_purchase & (F.col("lined_at") < F.lit(end_of(as_of, zone))))
