"""Which events, or whose, tell of no shopper or of a wrong clock? Flagged by stated rules, and kept."""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.require import require, require_counts
from ulm_spark.contracts.silver import EVENT_ANOMALIES, SHOPPER_EVENT_TYPES

# Of the event alone. One that arrived late is true all the same, so nobody leaves it out.
ARRIVED_LATE, CLOCK_AHEAD = "arrived_late", "clock_ahead"
# Of its user: who is no shopper at one time is none at any.
IMPOSSIBLE_RATE, TOO_MANY_LOOKS, REGULAR_GAPS, BOT_AGENT = (
    "impossible_rate",
    "too_many_looks",
    "regular_gaps",
    "bot_agent",
)
USER_RULES = (IMPOSSIBLE_RATE, TOO_MANY_LOOKS, REGULAR_GAPS, BOT_AGENT)

# What a person does one at a time; the lines of an order share an instant.
_LOOKS = ("view", "search", "click")
_MINUTE_US = 60_000_000
_AGENTS = r"(?i)bot\b|crawl|spider|scrape|slurp|headless|python-requests|curl/|wget/|http-?client"
_DAY = ("user_id", "event_on")


@dataclass(frozen=True)
class AnomalyRules:
    """Section ``anomalies``.

    max_looks_per_minute, max_looks_per_day: views, searches and clicks of a user; those of one
    instant count once, so that times without seconds or hours accuse nobody. min_gap_variation:
    least standard deviation of the gaps between a user's looks of a day, as a share of their mean;
    gaps longer than pause_s are pauses. min_gaps: fewer are too few to judge. agents: regular
    expression of user agents that are no browser's. clock_spread, clock_margin_s: an event is late
    or ahead where its delay, received_at less event_at, differs from the median of its source and
    day by more than clock_spread interquartile ranges and by more than clock_margin_s.
    """

    max_looks_per_minute: int = 25
    max_looks_per_day: int = 2_000
    min_gap_variation: float = 0.1
    min_gaps: int = 20
    pause_s: int = 1_800
    agents: str = _AGENTS
    clock_spread: float = 6.0
    clock_margin_s: int = 60

    def __post_init__(self) -> None:
        require_counts(self, "anomalies", ("max_looks_per_minute", "max_looks_per_day", "min_gaps", "pause_s"))
        for name in ("min_gap_variation", "clock_spread", "clock_margin_s"):
            require(getattr(self, name) >= 0, f"anomalies.{name}", getattr(self, name), "0 or more")


def flag_anomalies(events: DataFrame, rules: AnomalyRules) -> DataFrame:
    """What is strange of each event, a row per rule that it breaks.

    In:     silver.events, whole local days.
    Out:    silver.event_anomalies.
    Rule:   a day is judged by its own events alone, so days can be judged in any order. The usual
            delay is that of the same source and day, not of all time: files of years ago arrive late
            together. Listings are the shop's own and are not judged.
    Edge:   of a guest only the clock and the agent are known; a crawl over midnight is two crawls.
    Source: regular and exhaustive requests as the mark of crawlers: Tan & Kumar (2002), Data Mining
            and Knowledge Discovery 6(1), 9-35.
    """
    shopping = events.where(F.col("event_type").isin(*SHOPPER_EVENT_TYPES))
    return _flag_clocks_and_agents(shopping, rules).unionByName(_flag_pace(shopping, rules))


def without_anomalies(events: DataFrame, anomalies: DataFrame, as_of: date) -> DataFrame:
    """The events of shoppers, at times that can be true.

    In:   silver.events and silver.event_anomalies, any span.
    Out:  the events less those whose clock was ahead, and less all of users whom one of USER_RULES
          names on a day up to as_of; a later day says nothing yet.
    Edge: late events stay, and guests' too unless their own agent is flagged.
    """
    known = anomalies.where(F.col("event_on") <= F.lit(as_of))
    is_user_rule = F.col("rule").isin(*USER_RULES)
    users = known.where(is_user_rule & F.col("user_id").isNotNull()).select("user_id").distinct()
    is_own = (F.col("rule") == CLOCK_AHEAD) | (is_user_rule & F.col("user_id").isNull())
    ids = known.where(is_own).select("event_id").distinct()
    return (
        events.join(users, on="user_id", how="left_anti")
        .join(ids, on="event_id", how="left_anti")
        .select(*events.columns)
    )


def _flag_clocks_and_agents(shopping: DataFrame, rules: AnomalyRules) -> DataFrame:
    # In whole seconds, so that the exact percentile counts few values.
    delay_s = F.floor((F.unix_micros("received_at") - F.unix_micros("event_at")) / 1_000_000)
    timed = shopping.select("event_id", *_DAY, "source", "user_agent", delay_s.alias("delay_s"))
    usual = timed.groupBy("source", "event_on").agg(
        F.percentile("delay_s", F.lit(0.5)).alias("median_s"),
        (F.percentile("delay_s", F.lit(0.75)) - F.percentile("delay_s", F.lit(0.25))).alias("range_s"),
    )
    compared = timed.join(F.broadcast(usual), on=["source", "event_on"], how="left")
    margin_s = F.greatest(F.lit(float(rules.clock_margin_s)), F.lit(rules.clock_spread) * F.col("range_s"))
    late_s = F.col("delay_s") - F.col("median_s")
    agent = F.coalesce(F.col("user_agent").rlike(rules.agents), F.lit(False))
    nothing = F.lit(None).cast("double")
    found = [
        _flag(
            late_s > margin_s, ARRIVED_LATE, late_s, margin_s, "Seconds later than usual; expected at most threshold"
        ),
        _flag(
            -late_s > margin_s, CLOCK_AHEAD, -late_s, margin_s, "Seconds sooner than usual; expected at most threshold"
        ),
        _flag(agent, BOT_AGENT, nothing, nothing, "An agent that names a program; expected a browser's or none"),
    ]
    return _listed(compared, found)


def _flag_pace(shopping: DataFrame, rules: AnomalyRules) -> DataFrame:
    looks = shopping.where(F.col("event_type").isin(*_LOOKS) & F.col("user_id").isNotNull())
    timed = looks.select("event_id", *_DAY, F.unix_micros("event_at").alias("at_us"))
    of_day = Window.partitionBy(*_DAY)
    gap_s = (F.col("at_us") - F.lag("at_us").over(of_day.orderBy("at_us", "event_id"))) / 1_000_000
    spaced = timed.withColumn("gap_s", gap_s).withColumn("is_new", (~F.col("gap_s").eqNullSafe(0.0)).cast("int"))
    whole = of_day.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    minute = of_day.orderBy("at_us").rangeBetween(1 - _MINUTE_US, Window.currentRow)
    step_s = F.when((F.col("gap_s") > 0) & (F.col("gap_s") <= rules.pause_s), F.col("gap_s"))
    paced = spaced.withColumns(
        {
            "n_minute": F.sum("is_new").over(minute).cast("double"),
            "n_day": F.sum("is_new").over(whole).cast("double"),
            "n_gaps": F.count(step_s).over(whole),
            "variation": F.stddev_pop(step_s).over(whole) / F.avg(step_s).over(whole),
        }
    )
    most_a_minute, most_a_day = float(rules.max_looks_per_minute), float(rules.max_looks_per_day)
    is_regular = (F.col("n_gaps") >= rules.min_gaps) & (F.col("variation") < rules.min_gap_variation)
    found = [
        _flag(
            F.col("n_minute") > most_a_minute,
            IMPOSSIBLE_RATE,
            F.col("n_minute"),
            F.lit(most_a_minute),
            "Looks in a minute; expected at most threshold",
        ),
        _flag(
            F.col("n_day") > most_a_day,
            TOO_MANY_LOOKS,
            F.col("n_day"),
            F.lit(most_a_day),
            "Looks in a day; expected at most threshold",
        ),
        _flag(
            is_regular,
            REGULAR_GAPS,
            F.col("variation"),
            F.lit(rules.min_gap_variation),
            "Variation of the day's gaps; expected at least threshold",
        ),
    ]
    return _listed(paced, found)


def _flag(is_broken: Column, rule: str, score: Column, threshold: Column, detail: str) -> Column:
    values = {"rule": F.lit(rule), "score": score, "threshold": threshold, "detail": F.lit(detail)}
    return F.when(is_broken, F.struct(*(value.alias(name) for name, value in values.items())))


def _listed(frame: DataFrame, found: list[Column]) -> DataFrame:
    flagged = frame.withColumn("_found", F.array_compact(F.array(*found)))
    return flagged.select("event_id", *_DAY, F.inline("_found")).select(*EVENT_ANOMALIES.column_names)
