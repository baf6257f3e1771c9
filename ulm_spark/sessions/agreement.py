"""How far do the visits that we cut agree with the source's own?"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.sessions.sessionize import assign_sessions


def session_contingency(events: DataFrame, gap_s: int) -> DataFrame:
    """How many events each pair of a source's session and one of ours shares.

    In:   silver.events; event_id, event_at, event_type, user_id and source_session_id are read.
    Out:  key (source_session_id, session_id); n_events, at least 1. Feed it to
          stats.agreement.adjusted_rand_index.
    Rule: our sessions are cut over all shopper events, also those without source_session_id, which are
          then left out of the counts.
    Edge: empty where the source gives no session ids.
    """
    needed = events.select("event_id", "event_at", "event_type", "user_id", "source_session_id")
    return (
        assign_sessions(needed, gap_s)
        .where(F.col("source_session_id").isNotNull())
        .groupBy("source_session_id", "session_id")
        .agg(F.count("*").alias("n_events"))
    )
