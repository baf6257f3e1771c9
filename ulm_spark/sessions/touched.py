"""Which visits can a change of events reach, and which events make them up?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.sessions.cut import US, SessionRules, cut_visits, local_day, shopper_events

_DAY_S = 86_400
_MOST_DAYS = 400
_MOST_STRETCHES = 50  # a condition that a planner still takes quickly
_EXTENT = ("user_id", "from_us", "until_us")


def touched_spans(changes: DataFrame, gap_s: int) -> DataFrame:
    """Where in time each user's events changed.

    In:   rows of silver.events that were inserted or deleted, or that are as they were before or after
          an update.
    Out:  user_id; from_us and until_us, in microseconds since 1970, at most gap_s apart.
    Edge: empty where only listings or events without user_id changed.
    """
    touched = shopper_events(changes.select("user_id", "event_type", F.unix_micros("event_at").alias("us")))
    spans = touched.groupBy("user_id", F.expr(f"us div {gap_s * US}").alias("span"))
    return spans.agg(F.min("us").alias("from_us"), F.max("us").alias("until_us")).select(*_EXTENT)


def touched_visits(sessions: DataFrame, spans: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """The visits that the changed events belong to, or may be joined to.

    In:   silver.sessions as the events before the change made them, or those before a part of it;
          spans: touched_spans' frame.
    Out:  rows of silver.sessions, with from_us and until_us.
    Rule: a visit at most the gap away from a span. Where visits also end without a silence, all
          visits of the stretch between two silences, since each hangs on those before it.
    """
    extents = {"from_us": F.unix_micros("started_at"), "until_us": F.unix_micros("ended_at")}
    visits = sessions.withColumns(extents)
    if not rules.cuts_without_silence:
        return visits.alias("visit").join(spans.alias("span"), on=_is_near(rules.gap_s), how="left_semi")
    silences_alone = SessionRules(gap_s=rules.gap_s)
    stretched = cut_visits(visits, silences_alone, zone).withColumnRenamed("started_us", "stretch_us")
    near = stretched.alias("visit").join(spans.alias("span"), on=_is_near(rules.gap_s), how="left_semi")
    stretches = near.select("user_id", "stretch_us").distinct()
    reached = stretched.join(stretches, on=["user_id", "stretch_us"], how="left_semi")
    return reached.select(*visits.columns)


def reached_extents(spans: DataFrame, visits: DataFrame) -> DataFrame:
    """From when to when each user's visits are made anew: all of the changes and of the visits that they touch.

    In:   touched_spans' and touched_visits' frames.
    Out:  user_id, from_us, until_us; is_long, for all of a user with a visit of more than a day.
    Edge: a program that never pauses has visits of weeks: whoever looks for their events looks through all of these
          days, and had better do it apart, for the few users who have such visits.
    """
    extents = spans.select(*_EXTENT).unionByName(visits.select(*_EXTENT))
    longest_us = F.max(F.col("until_us") - F.col("from_us")).over(Window.partitionBy("user_id"))
    return extents.withColumn("is_long", longest_us > _DAY_S * US)


def reached_events(events: DataFrame, extents: DataFrame) -> DataFrame:
    """The events that lie in extents of their users.

    In:   silver.events after the change; reached_extents' frame, or a part of it.
    Out:  grain and columns of events.
    """
    is_within = F.unix_micros("event_at").between(F.col("extent.from_us"), F.col("extent.until_us"))
    return events.alias("event").join(
        extents.alias("extent"), on=(F.col("event.user_id") == F.col("extent.user_id")) & is_within, how="left_semi"
    )


@dataclass(frozen=True)
class Stretch:
    """What lies on one of the shop's local days: how many extents, from and until when (microseconds since 1970)."""

    day: date
    from_us: int
    until_us: int
    n_extents: int


def stretches_of(extents: DataFrame, zone: str, margin_s: int = 0, by: Sequence[str] = ()) -> DataFrame:
    """Per local day of the shop from when to when extents that lie on it are, margin_s before and behind included.

    Out:  day (unique), from_us, until_us, n_extents: a Stretch; of each value of the columns by, which follow.
    Edge: a stretch may begin before its day and end after it, as its extents do.
    """
    wide = extents.select(
        (F.col("from_us") - margin_s * US).alias("from_us"), (F.col("until_us") + margin_s * US).alias("until_us"), *by
    )
    first, last = (local_day(F.timestamp_micros(name), zone) for name in ("from_us", "until_us"))
    of_days = wide.select(F.explode(F.sequence(first, last)).alias("day"), "from_us", "until_us", *by)
    found = of_days.groupBy("day", *by).agg(
        F.min("from_us").alias("from_us"), F.max("until_us").alias("until_us"), F.count(F.lit(1)).alias("n_extents")
    )
    return found.select("day", "from_us", "until_us", "n_extents", *by)


def on_days(name: str, days: Collection[date]) -> Column:
    """True where a DATE column is one of the days; of very many days, where it lies from the first to the last."""
    if len(days) > _MOST_DAYS:
        return F.col(name).between(F.lit(min(days)), F.lit(max(days)))
    return F.col(name).isin([F.lit(day) for day in sorted(days)])


def may_hold(stretches: Sequence[Stretch]) -> Column:
    """True for events of silver.events in any of the stretches, and of many stretches for all on their days.

    Of literals, so that files without such events are not opened.
    """
    on_their_days = on_days("event_on", {stretch.day for stretch in stretches})
    if len(stretches) > _MOST_STRETCHES:
        return on_their_days
    ranges = (
        F.col("event_at").between(
            F.timestamp_micros(F.lit(stretch.from_us)), F.timestamp_micros(F.lit(stretch.until_us))
        )
        for stretch in stretches
    )
    return on_their_days & reduce(or_, ranges, F.lit(False))


def may_reach(stretches: Sequence[Stretch], rules: SessionRules) -> Column:
    """True for all visits of silver.sessions that may touch one of the stretches, and for few others.

    Rule: a visit of up to 24 hours began on the day or one of the two before it: two, where an hour
          of the day before is left out in spring. Where visits also end without a silence, all may.
    """
    if rules.cuts_without_silence:
        return F.lit(True)
    begun = {stretch.day - timedelta(days=n) for stretch in stretches for n in range(3)}
    first_us, last_us = min(s.from_us for s in stretches), max(s.until_us for s in stretches)
    is_in_time = (F.col("ended_at") >= F.timestamp_micros(F.lit(first_us))) & (
        F.col("started_at") <= F.timestamp_micros(F.lit(last_us))
    )
    return is_in_time & (on_days("session_on", begun) | (F.col("duration_s") > _DAY_S))


def _is_near(gap_s: int) -> Column:
    begins_in_time = F.col("visit.from_us") <= F.col("span.until_us") + gap_s * US
    ends_late_enough = F.col("visit.until_us") >= F.col("span.from_us") - gap_s * US
    return (F.col("visit.user_id") == F.col("span.user_id")) & begins_in_time & ends_late_enough
