"""What of a user's events can be summed up before it is known where visits end?"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.sessions.cut import US, SessionRules, local_day, shopper_events

# What of silver.events visits are made of.
INPUTS = (
    "event_at", "event_type", "user_id", "product_id", "unit_price", "currency", "quantity",
    "channel", "campaign", "device",
)  # fmt: skip
# Of 63 bits, 31 for the microsecond in a span and 32 for the order of one instant.
_MOST_SPAN_US = 1 << 31
_TIE_BITS = 32
# A currency is three letters, by the rule bad_currency: a number of 15 bits.
_CURRENCY_BITS = 15
_LETTERS = " + ".join(f"(ascii(substr(currency, {place}, 1)) - 65) * {26 ** (3 - place)}" for place in (1, 2, 3))
MONEY_PARTS = 10_000  # of DECIMAL(18,4), so that sums are of whole numbers
_PLURALS = {"search": "searches", "purchase": "purchases"}
TAGS = ("channel", "campaign", "device")
_MEASURES = ("us", "code", "in_cart", "paid", "paid_in", "product", "place")


def n_of(event_type: str) -> str:
    """The column of silver.sessions that counts events of a type."""
    return f"n_{_PLURALS.get(event_type, event_type + 's')}"


def condense_events(events: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """Each user's events, summed up over spans of time that no visit can end in.

    In:   silver.events.
    Out:  one row per user, span, channel, campaign and device: from_us and until_us, the first and last
          event in microseconds since 1970; n_of each type of shopper event; cart_parts and
          paid_parts, what was put into the cart less what was taken out, and what was paid, in
          ten-thousandths; landing and exit, the first and the last product as hashes (xxhash64), with
          landing_place and exit_place, and paid_in_place of the first purchase that has a currency, in
          whose low bits it is: place_of unpacks them.
    Rule: a span is as long as the gap, so that whatever lies in one belongs together; where visits can
          end within (SessionRules.needs_each_event) each event has its own. Products of one instant
          are ordered by the low 32 bits of their hashes. Every sum is of numbers of fixed width, so
          that Spark sums up before it exchanges anything: a user with a tenth of all events leaves as
          few rows as the days have half hours.
    """
    rows = _measured(shopper_events(events.select(*INPUTS)), rules, zone)
    return rows.groupBy(*(name for name in rows.columns if name not in _MEASURES)).agg(
        F.min("us").alias("from_us"),
        F.max("us").alias("until_us"),
        *(F.count_if(F.col("code") == code).alias(n_of(kind)) for code, kind in enumerate(SHOPPER_EVENT_TYPES)),
        F.sum("in_cart").alias("cart_parts"),
        F.sum("paid").alias("paid_parts"),
        F.min("paid_in").alias("paid_in_place"),
        F.min_by("product", "place").alias("landing"),
        F.min("place").alias("landing_place"),
        F.max_by("product", "place").alias("exit"),
        F.max("place").alias("exit_place"),
    )


def place_of(name: str, rules: SessionRules) -> Column:
    """When and, of one instant, where in the order a fragment's landing, exit or paid_in comes: a struct (us, tie)."""
    bits = _CURRENCY_BITS if name == "paid_in" else _TIE_BITS
    us = F.expr(f"span * {_span_us(rules)} + ({name}_place >> {bits})").alias("us")
    tie = F.expr(f"{name}_place & {(1 << bits) - 1}").alias("tie")
    return F.when(F.col(f"{name}_place").isNotNull(), F.struct(us, tie))


def _span_us(rules: SessionRules) -> int:
    return min(rules.gap_s * US, _MOST_SPAN_US)


def _measured(events: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """Each event with what it is grouped by, and with _MEASURES, all of fixed width."""
    span_us, is_purchase = _span_us(rules), F.col("event_type") == "purchase"
    has_product = F.col("product_id").isNotNull()
    value = (F.col("unit_price") * F.coalesce("quantity", F.lit(1)) * MONEY_PARTS).cast("bigint")
    place = F.expr(f"((us % {span_us}) << {_TIE_BITS}) | (xxhash64(product_id) & {(1 << _TIE_BITS) - 1})")
    return events.withColumn("us", F.unix_micros("event_at")).select(
        "user_id",
        F.expr(f"us div {span_us}").alias("span"),
        *([local_day(F.timestamp_micros("us"), zone).alias("day")] if rules.cut_at_midnight else []),
        *([F.col("us").alias("event_us")] if rules.needs_each_event else []),
        *TAGS,
        "us",
        _code_of("event_type", SHOPPER_EVENT_TYPES).alias("code"),
        F.when(F.col("event_type") == "cart", value).when(F.col("event_type") == "remove", -value).alias("in_cart"),
        F.when(is_purchase, value).alias("paid"),
        F.when(is_purchase, F.expr(f"((us % {span_us}) << {_CURRENCY_BITS}) | ({_LETTERS})")).alias("paid_in"),
        F.when(has_product, F.xxhash64("product_id")).alias("product"),
        F.when(has_product, place).alias("place"),
    )


def _code_of(name: str, values: Sequence[str]) -> Column:
    """The place of a value among values."""
    code = F.when(F.col(name) == values[0], F.lit(0))
    for place, value in enumerate(values[1:], start=1):
        code = code.when(F.col(name) == value, F.lit(place))
    return code


def currency_of(code: Column) -> Column:
    """The three letters that a number stands for; null for null."""
    letters = [F.char((F.floor(code / 26**place) % 26 + 65).cast("int")) for place in (2, 1, 0)]
    return F.when(code.isNotNull(), F.concat(*letters))
