"""What goes wrong on the way: late and out-of-order lines, copies, and lines that no reader should keep."""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.shop.seasons import DAY_MS, first_instant_ms
from ulm_spark.shop.wire import WIRE_COLUMNS

FORMULA = (
    "an event arrives 0.2 to 3 s after it happened; a share out_of_order_share 1 to out_of_order_minutes later, a "
    "share late_share 1 to late_days days later; a share duplicate_share is sent twice in the same bytes, a share "
    "resent_share once more up to a day later; for each kind of malformed line, a share malformed_share gets such "
    "a line as well; each choice is a hash of seed, kind and event_id; nothing arrives after the last simulated "
    "day"
)
SOURCE = "own"

MALFORMED = (
    "broken_json",
    "missing_event_at",
    "missing_event_type",
    "impossible_date",
    "negative_price",
    "wrong_type",
    "not_utf8",
)
OWN_LINE = "event"
_PRICED = ("negative_price", "wrong_type")
_INSTANT_FORMAT = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"


@dataclass(frozen=True)
class DisorderLaw:
    """Section ``simulation.disorder``: shares of events.

    late_days: longest delay of a late event, days. out_of_order_minutes: longest of one that others
    overtake. malformed_share: for each kind of malformed line.
    """

    late_share: float = 0.01
    late_days: float = 5.0
    out_of_order_share: float = 0.02
    out_of_order_minutes: float = 20.0
    duplicate_share: float = 0.005
    resent_share: float = 0.003
    malformed_share: float = 0.0004

    def __post_init__(self) -> None:
        shares = ("late_share", "out_of_order_share", "duplicate_share", "resent_share", "malformed_share")
        for name in shares:
            require(0 <= getattr(self, name) <= 1, f"simulation.disorder.{name}", getattr(self, name), "0 to 1")
        is_wrong = self.late_days < 1 or self.out_of_order_minutes < 1
        found = f"late_days {self.late_days} and out_of_order_minutes {self.out_of_order_minutes}"
        require(not is_wrong, "simulation.disorder", found, "1 or more")


def _chance(seed: int, purpose: str) -> Column:
    """A number from 0 to below 1 for each event_id."""
    hashed = F.xxhash64(F.lit(f"{seed}/{purpose}"), F.col("event_id"))
    return hashed.bitwiseAND(F.lit(2**52 - 1)) / F.lit(2.0**52)


def deliver(events: DataFrame, law: DisorderLaw, seed: int, ends_on: date) -> DataFrame:
    """When each event first arrives: adds received_at, and arrival: on_time, late or out_of_order."""
    end_ms = F.lit(first_instant_ms(ends_on) + DAY_MS)
    at_ms = F.unix_millis("event_at")
    late_ms = DAY_MS * (1 + _chance(seed, "late days") * (law.late_days - 1))
    overtaken_ms = 60_000 * (1 + _chance(seed, "overtaken minutes") * (law.out_of_order_minutes - 1))
    arrival = (
        F.when((_chance(seed, "late") < law.late_share) & (at_ms + late_ms < end_ms), "late")
        .when((_chance(seed, "overtaken") < law.out_of_order_share) & (at_ms + overtaken_ms < end_ms), "out_of_order")
        .otherwise("on_time")
    )
    usual_ms = 200 + 2_800 * _chance(seed, "delay")
    delay_ms = (
        F.when(F.col("arrival") == "late", late_ms)
        .when(F.col("arrival") == "out_of_order", overtaken_ms)
        .otherwise(usual_ms)
    )
    received_ms = F.least(F.floor(at_ms + delay_ms), end_ms - 1)
    return events.withColumn("arrival", arrival).withColumn("received_at", F.timestamp_millis(received_ms))


def write_lines(delivered: DataFrame, listings: DataFrame, law: DisorderLaw, seed: int, ends_on: date) -> DataFrame:
    """The raw lines, copies and malformed ones included.

    In:     delivered from deliver; listings from wire.describe_listings.
    Out:    event_id the line was made from; kind: event, duplicate, resent or one of MALFORMED;
            arrival; received_at; line_key, its own key; line, the bytes without the line end.
    """
    end_ms = F.lit(first_instant_ms(ends_on) + DAY_MS)
    resent_ms = F.unix_millis("received_at") + F.floor(60_000 + _chance(seed, "resent delay") * DAY_MS)
    kinds = [
        F.lit(OWN_LINE),
        F.when(_chance(seed, "duplicate") < law.duplicate_share, "duplicate"),
        F.when((_chance(seed, "resent") < law.resent_share) & (resent_ms < end_ms), "resent"),
        *[F.when((_chance(seed, kind) < law.malformed_share) & _allows(kind), kind) for kind in MALFORMED],
    ]
    copies = delivered.withColumn("kind", F.explode(F.array_compact(F.array(*kinds)))).withColumn(
        "received_at", F.when(F.col("kind") == "resent", F.timestamp_millis(resent_ms)).otherwise(F.col("received_at"))
    )
    listed = listings.withColumns(
        {
            "received_at": F.col("event_at") + F.expr("INTERVAL 1 SECOND"),
            "arrival": F.lit("on_time"),
            "kind": F.lit(OWN_LINE),
        }
    )
    everything = copies.unionByName(listed, allowMissingColumns=True)
    # The text in a step of its own: Spark then writes each line's JSON once, not once for each way to break it.
    written = everything.select("event_id", "kind", "arrival", "received_at", _json().alias("text"))
    line_key = F.concat_ws("/", "event_id", "kind").alias("line_key")
    return written.select("event_id", "kind", "arrival", "received_at", line_key, _line().alias("line"))


def _allows(kind: str) -> Column:
    return F.col("unit_price").isNotNull() if kind in _PRICED else F.lit(True)


def _json() -> Column:
    """The JSON of a line, with the values that its kind spoils."""
    kind = F.col("kind")
    event_at = F.date_format("event_at", _INSTANT_FORMAT)
    impossible_at = F.concat(F.lit("20111"), F.substring(event_at, 5, 20))
    spoilt = {
        # A malformed line has an id of its own, so that it can never stand for the event.
        "event_id": F.when(kind.isin(*MALFORMED), F.concat("event_id", F.lit("-"), kind)).otherwise(F.col("event_id")),
        "event_at": F.when(kind == "impossible_date", impossible_at).when(kind != "missing_event_at", event_at),
        "received_at": F.date_format("received_at", _INSTANT_FORMAT),
        "user_id": F.when(F.col("is_logged_in"), F.col("user_id")),
        "event_type": F.when(kind != "missing_event_type", F.col("event_type")),
        "unit_price": F.when(kind == "negative_price", -F.col("unit_price")).otherwise(F.col("unit_price")),
    }
    return F.to_json(F.struct(*[spoilt.get(name, F.col(name)).alias(name) for name in WIRE_COLUMNS]))


def _line() -> Column:
    """The bytes of a line: its text, broken where its kind says so."""
    kind, text = F.col("kind"), F.col("text")
    length = F.length(text)
    broken = (
        F.when(kind == "broken_json", F.substring(text, F.lit(1), (length * 0.6).cast("int")))
        .when(kind == "wrong_type", F.regexp_replace(text, r'"unit_price":[0-9.]+', '"unit_price":"twelve"'))
        .otherwise(text)
    )
    # 0xFF is no byte of UTF-8 in any place; it goes inside the id, behind the opening quote.
    opening = len('{"event_id":"')
    spoilt = F.concat(
        F.encode(F.substring(text, 1, opening), "UTF-8"),
        F.unhex(F.lit("FF")),
        F.encode(F.substring(text, F.lit(opening + 1), length), "UTF-8"),
    )
    return F.when(kind == "not_utf8", spoilt).otherwise(F.encode(broken, "UTF-8"))


def list_anomalies(lines: DataFrame) -> DataFrame:
    """One row per planted disorder of a line: its kind, else how it arrived."""
    own = F.col("kind") == OWN_LINE
    planted = lines.withColumn("kind", F.when(own, F.col("arrival")).otherwise(F.col("kind")))
    return planted.where(F.col("kind") != "on_time").select(
        "kind", "event_id", "received_at", F.sha2("line", 256).alias("line_sha256")
    )
