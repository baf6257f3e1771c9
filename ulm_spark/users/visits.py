"""How often, how long and how successfully does a user visit?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.users.windows import in_last


def summarise_visits(sessions: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row of session counts and means per user, as known at the end of as_of.

    In:     silver.sessions, any span.
    Out:    key user_id; n_sessions_7d, n_sessions_30d, n_sessions_90d, mean_session_events,
            mean_session_s, cart_abandon_rate.
    Rule:   a session counts once it is closed, on the local day it began: one that could still grow
            after as_of is left out, since its columns would show the future.
    Edge:   a user without a closed session in 90 days is absent.
    """
    closed = sessions.where((F.col("closes_at") <= F.lit(end_of(as_of, zone))) & in_last(90, "session_on", as_of))

    def begun(n_days: int) -> Column:
        return F.count_if(in_last(n_days, "session_on", as_of)).cast("int").alias(f"n_sessions_{n_days}d")

    n_abandoned = F.count_if(F.col("has_abandoned_cart"))
    return closed.groupBy("user_id").agg(
        begun(7),
        begun(30),
        begun(90),
        F.avg("n_events").alias("mean_session_events"),
        F.avg("duration_s").alias("mean_session_s"),
        F.try_divide(n_abandoned, F.count_if(F.col("n_carts") > 0)).alias("cart_abandon_rate"),
    )
