"""How far do the visits that we cut agree with the source's own?"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.sessions.cut import SessionRules, assign_sessions


def session_contingency(events: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """How many events each pair of a source's session and one of ours shares.

    In:   silver.events; event_at, event_type, user_id and source_session_id are read, and campaign where
          campaigns cut.
    Out:  key (source_session_id, session_id); n_events, at least 1. Feed it to
          stats.agreement.adjusted_rand_index.
    Rule: our sessions are cut over all shopper events, also those without source_session_id, which are
          then left out of the counts.
    Edge: empty where the source gives no session ids.
    """
    by_campaign = ["campaign"] if rules.cut_on_campaign else []
    needed = events.select("event_at", "event_type", "user_id", "source_session_id", *by_campaign)
    return (
        assign_sessions(needed, rules, zone)
        .where(F.col("source_session_id").isNotNull())
        .groupBy("source_session_id", "session_id")
        .agg(F.count("*").alias("n_events"))
    )
