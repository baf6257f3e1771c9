"""How far do visits get, day by day?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.metrics import DAILY_CONVERSION
from ulm_spark.users.windows import every_day

_COUNTS = ("n_sessions", "n_view_sessions", "n_cart_sessions", "n_purchase_sessions")


def furthest_step() -> Column:
    """1 visit, 2 view (a click too), 3 cart, 4 purchase: the furthest step of a row of silver.sessions."""
    n_looks = F.col("n_views") + F.col("n_clicks")
    return F.when(F.col("has_purchase"), 4).when(F.col("n_carts") > 0, 3).when(n_looks > 0, 2).otherwise(1)


def closed_by_end(sessions: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The rows of silver.sessions that no event after the local day as_of can extend."""
    return sessions.where(F.col("closes_at") <= F.lit(end_of(as_of, zone)))


def summarise_conversion(sessions: DataFrame, as_of: date, zone: str) -> DataFrame:
    """Conversion from step to step of each local day's visits, as known at the end of as_of.

    In:   silver.sessions, any span.
    Out:  gold.daily_conversion: each day from the first closed session's to as_of, quiet days too.
    Rule: a session belongs to the local day on which it began. It reached a step if it has an event of it or of a
          later one: what was bought was seen and in the cart, so no rate passes 1. A session that could still
          grow after as_of is left out, since its steps would show the future.
    Edge: rates are null without a session to divide by; no row where no session is closed.
    """
    closed = closed_by_end(sessions, as_of, zone).select("session_on", furthest_step().alias("furthest"))
    counted = closed.groupBy(F.col("session_on").alias("day_on")).agg(
        *(F.count_if(F.col("furthest") >= step).alias(name) for step, name in enumerate(_COUNTS, 1))
    )
    visits, views, carts, purchases = (F.col(name) for name in _COUNTS)
    rates = {
        "view_rate": F.try_divide(views, visits),
        "cart_rate": F.try_divide(carts, views),
        "purchase_rate": F.try_divide(purchases, carts),
        "conversion_rate": F.try_divide(purchases, visits),
    }
    days = every_day(counted, as_of, _COUNTS)
    return days.withColumns({"as_of": F.lit(as_of), **rates}).select(*DAILY_CONVERSION.column_names)
