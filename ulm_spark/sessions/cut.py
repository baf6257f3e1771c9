"""Where does one visit end and the next begin?"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.sessions.keys import key_of

US = 1_000_000
VISIT = ("user_hash", "user_id", "started_us", "opened_by")


@dataclass(frozen=True)
class SessionRules:
    """Section ``sessions``.

    gap_s: the silence, in seconds, that a visit survives; one microsecond more begins the next visit.
    longest_s: a visit that goes on without such a silence is cut every so many seconds from its first
    event; 0 never does. cut_at_midnight: true where a visit ends with the shop's local day.
    cut_on_campaign: true where a visit ends when an event names another campaign than the last that was
    named since a silence, or the first; an event that names none goes on with the visit.
    """

    gap_s: int = 1800
    longest_s: int = 0
    cut_at_midnight: bool = False
    cut_on_campaign: bool = False

    def __post_init__(self) -> None:
        require(self.gap_s >= 1, "sessions.gap_s", self.gap_s, "whole seconds, at least 1")
        require(self.longest_s >= 0, "sessions.longest_s", self.longest_s, "whole seconds, or 0 for no such cut")

    @property
    def needs_each_event(self) -> bool:
        """True where a cut can fall between two events that lie closer together than the gap, on one day."""
        return self.longest_s > 0 or self.cut_on_campaign

    @property
    def cuts_without_silence(self) -> bool:
        """True where a visit can end though the next event comes within the gap."""
        return self.needs_each_event or self.cut_at_midnight

    @property
    def in_words(self) -> str:
        """What ends a visit."""
        cuts = [f"a silence above {self.gap_s} s"]
        cuts += [f"a length of {self.longest_s} s"] if self.longest_s else []
        cuts += ["midnight"] if self.cut_at_midnight else []
        cuts += ["another campaign"] if self.cut_on_campaign else []
        return " or ".join(cuts)


def shopper_events(events: DataFrame) -> DataFrame:
    """The events that visits are made of: of a known user, and no listings."""
    return events.where(F.col("user_id").isNotNull() & F.col("event_type").isin(*SHOPPER_EVENT_TYPES))


def local_day(instant: Column, zone: str) -> Column:
    """The shop's day of an instant in UTC."""
    return F.to_date(F.from_utc_timestamp(instant, zone))


def cut_visits(fragments: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """Adds to each fragment which visit it belongs to.

    In:   user_id; from_us and until_us, the fragment's first and last event in microseconds since 1970,
          at most the gap apart and, where midnight cuts, on one local day; campaign, where campaigns
          cut. A single event is a fragment too. Fragments of one user may overlap in time.
    Out:  user_hash (xxhash64); the columns of fragments; started_us, the visit's first event;
          opened_by, the campaign that opened it where campaigns cut, else null. VISIT is its key.
    Rule: as SessionRules says. Where campaigns cut, those of one instant follow each other by name.
    Edge: one exchange by user and one sort; the order of fragments of one instant changes nothing.
    """
    by_campaign = [F.col("campaign").asc_nulls_first()] if rules.cut_on_campaign else []
    # Sorted by a number first: names that begin alike are slow to compare.
    in_time = Window.partitionBy("user_hash", "user_id").orderBy("from_us", *by_campaign)
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = in_time.rowsBetween(Window.unboundedPreceding, -1)

    def last_opening(value: Column) -> Column:
        return F.last(F.when(F.col("_begins"), value), ignorenulls=True).over(so_far)

    def or_where_changed(value: Column) -> Column:
        return F.col("_begins") | ~value.eqNullSafe(F.lag(value).over(in_time))

    silence_us = F.col("from_us") - F.max("until_us").over(before)
    hashed = fragments.withColumn("user_hash", F.xxhash64("user_id"))
    cut = hashed.withColumn("_begins", F.coalesce(silence_us > rules.gap_s * US, F.lit(True)))
    if rules.needs_each_event:
        # The stretch without a silence in which the fragment lies, by its first event.
        cut = cut.withColumn("_stretch_us", last_opening(F.col("from_us")))
    if rules.cut_at_midnight:
        cut = cut.withColumn("_begins", or_where_changed(local_day(F.timestamp_micros("from_us"), zone)))
    if rules.longest_s:
        piece = F.expr(f"struct(_stretch_us, (from_us - _stretch_us) div {rules.longest_s * US})")
        cut = cut.withColumn("_begins", or_where_changed(piece))
    opened_by = F.lit(None).cast("string")
    if rules.cut_on_campaign:
        named = F.when(F.col("campaign").isNotNull(), F.struct("_stretch_us", "campaign"))
        goes_on = F.col("campaign").isNull() | named.eqNullSafe(F.last(named, ignorenulls=True).over(before))
        cut = cut.withColumn("_begins", F.col("_begins") | ~goes_on)
        opened_by = last_opening(F.coalesce("campaign", F.lit("")))
    started_us = last_opening(F.col("from_us"))
    return cut.select("user_hash", *fragments.columns, started_us.alias("started_us"), opened_by.alias("opened_by"))


def session_id() -> Column:
    """A visit's id, from its key: user_id, started_us and opened_by."""
    return key_of(F.col("user_id"), F.col("started_us").cast("string"), F.coalesce("opened_by", F.lit("")))


def assign_sessions(events: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """The shopper's events, each with the session_id of its visit.

    In:   silver.events, or any frame with event_at, event_type, user_id and campaign.
    Out:  the columns of events, and session_id; grain unchanged.
    Rule: as cut_visits, by event_at, never by arrival.
    Edge: listings and events without user_id belong to no visit and are left out.
    """
    at_us = F.unix_micros("event_at")
    singles = shopper_events(events).withColumns({"from_us": at_us, "until_us": at_us})
    return cut_visits(singles, rules, zone).select(*events.columns, session_id().alias("session_id"))
