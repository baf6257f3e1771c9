"""How many of each week's new users come back, and when?"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.metrics import USER_RETENTION
from ulm_spark.users.metrics_conf import MetricsConf


@dataclass(frozen=True)
class _Period:
    """Days since the first event that count as a return; last is None where they have no end."""

    kind: str
    first: int
    last: int | None

    @property
    def must_be_over(self) -> int:
        """The day since the first event whose end a user must have behind them to be counted."""
        return self.first if self.last is None else self.last


def summarise_user_retention(active_days: DataFrame, as_of: date, conf: MetricsConf) -> DataFrame:
    """Classic, rolling and bracket retention of each weekly cohort, as known at the end of as_of.

    In:     list_active_days of as_of.
    Out:    gold.user_retention: each cohort's periods that were over by as_of for one user at least.
    Rule:   day 0 is the local calendar day of the user's first event in the lake, day n the n-th calendar day
            after it, whatever the hours between; a day of 23 or 25 hours is one day. Classic (also N-day, return
            on): active on day n. Rolling (also unbounded, return on or after): active on day n or on any later
            day that as_of knows. Bracket (also custom or range): active on any day from the first to the last of
            the bracket, both included. A user counts once day n, or the bracket's last day, is not after as_of.
    Edge:   rolling retention of one cohort and day can still rise with as_of, since returns may yet come; the
            others cannot change once is_complete, but by late events. No row where nobody was active.
    Source: the three usual definitions, as Amplitude (Return On, Return On or After, Custom) and Mixpanel name
            them; a cohort here is users by the week, from Monday, of day 0.
    """
    first_on = F.min("active_on")
    users = active_days.groupBy("user_id").agg(first_on.alias("first_on"), F.collect_list("active_on").alias("days"))
    since = users.select(
        F.trunc("first_on", "week").alias("cohort_on"),
        F.date_diff(F.lit(as_of), F.col("first_on")).alias("age"),
        F.transform("days", lambda day: F.date_diff(day, F.col("first_on"))).alias("since"),
    )
    periods = _periods(conf)
    counted = since.groupBy("cohort_on").agg(
        F.count("*").alias("n_cohort_users"),
        *(F.count_if(_is_over(p)).alias(f"over_{n}") for n, p in enumerate(periods)),
        *(F.count_if(_is_over(p) & _has_returned(p)).alias(f"back_{n}") for n, p in enumerate(periods)),
    )
    cells = F.inline(F.array(*(_cell(p, n) for n, p in enumerate(periods))))
    return (
        counted.select("cohort_on", "n_cohort_users", cells)
        .where(F.col("n_users") > 0)
        .select(F.lit(as_of).alias("as_of"), "*", (F.col("over_on") <= F.lit(as_of)).alias("is_complete"))
        .select(*USER_RETENTION.column_names)
    )


def _periods(conf: MetricsConf) -> tuple[_Period, ...]:
    return (
        *(_Period("classic", n, n) for n in conf.retention_days),
        *(_Period("rolling", n, None) for n in conf.retention_days),
        *(_Period("bracket", first, last) for first, last in conf.brackets),
    )


def _is_over(period: _Period) -> Column:
    return F.col("age") >= period.must_be_over


def _has_returned(period: _Period) -> Column:
    if period.last is None:
        return F.array_max("since") >= period.first
    if period.first == period.last:
        return F.array_contains("since", period.first)
    first, last = F.lit(period.first), F.lit(period.last)
    return F.exists("since", lambda n: (n >= first) & (n <= last))


def _cell(period: _Period, place: int) -> Column:
    return F.struct(
        F.lit(period.kind).alias("kind"),
        F.lit(period.first).alias("first_day"),
        F.lit(period.last).cast("int").alias("last_day"),
        F.col(f"over_{place}").alias("n_users"),
        F.col(f"back_{place}").alias("n_retained"),
        # The last day of the cohort's week, whose users are the last to have the period behind them.
        F.date_add("cohort_on", 6 + period.must_be_over).alias("over_on"),
    )
