"""Which days changed since they were last judged?"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def changed_days(ingested_days: DataFrame, judged_days: DataFrame, settings: str, as_of: date) -> DataFrame:
    """The days up to as_of whose events, or the settings, differ from what they were judged by.

    In:   ops.ingested_days; judged_days: day_on and the fingerprint that it was judged by; settings:
          a hash of what they are judged by now.
    Out:  key day_on; fingerprint: what it is judged by now, null where the day has no event any more.
    """
    last = F.lit(as_of)
    of_source = F.concat_ws("\t", "source", "fingerprint")
    found = ingested_days.where(F.col("fingerprint").isNotNull() & (F.col("day_on") <= last))
    now = found.groupBy("day_on").agg(F.sort_array(F.collect_list(of_source)).alias("_sources"))
    fingerprint = F.substring(F.sha2(F.concat_ws("\n", F.lit(settings), "_sources"), 256), 1, 16)
    then = judged_days.where(F.col("day_on") <= last).select("day_on", F.col("fingerprint").alias("_then"))
    joined = now.select("day_on", fingerprint.alias("fingerprint")).join(then, on="day_on", how="full")
    return joined.where(~F.col("fingerprint").eqNullSafe(F.col("_then"))).select("day_on", "fingerprint")
