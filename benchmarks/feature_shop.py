"""A year of a shop, written straight into the silver tables of a lake: benchmarks.features measures on it.

Every value is a hash of the row's number, so that the same shop is made each time, on any number of cores.
A visit is what one of a few skewed shoppers does in one go; sessions and order lines are made of the events.
No price is a power of two, so that no engine's logarithm can put one into the band beside its own.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from benchmarks.form import progress
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.literal import schema_of
from ulm_spark.lake.store import Lake

BEGINS_US = 1_735_689_600_000_000  # 2025-01-01
N_DAYS = 365
DAY_US = 86_400_000_000
EVENTS_A_VISIT = 7
N_PRODUCTS = 5000
GAP_US = 1_800_000_000
_STEP_US, _JITTER_US = 45_000_000, 40_000_000
_GRAIN = 1_000_003
_KINDS = (
    (0.70, "view"), (0.80, "search"), (0.85, "click"), (0.92, "cart"), (0.935, "remove"), (0.975, "purchase"),
    (0.980, "return"),
)  # fmt: skip
_COUNTED = ("view", "search", "click", "cart", "remove", "purchase", "return", "review")


def fill_lake(lake: Lake, n_events: int, n_users: int) -> None:
    """The year: events, then the sessions and order lines that they make."""
    n_visits = n_events // EVENTS_A_VISIT
    day = F.floor(F.col("visit") * N_DAYS / n_visits)
    _append_days(lake, _visits(lake, n_visits, n_users, 0, max(8, n_visits // 100_000), day), 0, n_visits)


def append_day(lake: Lake, n_events: int, n_users: int, nth: int) -> None:
    """The nth day after the year, from 0, with a day's share of n_events, by the same shoppers."""
    n_visits, n_more = n_events // EVENTS_A_VISIT, n_events // EVENTS_A_VISIT // N_DAYS
    first = n_visits + nth * n_more
    visits = _visits(lake, n_more, n_users, first, 2, F.lit(N_DAYS + nth).cast("long"))
    _append_days(lake, visits, first, first + n_more)


def _append_days(lake: Lake, visits: DataFrame, first: int, last: int) -> None:
    """The tables' new rows, of the visits numbered from first to before last."""
    lake.create(EVENTS)
    progress(f"writing events of {last - first:,} visits")
    lake.append(as_rows(_events(visits), EVENTS), EVENTS)
    number = F.col("source_session_id").cast("long")
    written = lake.read(EVENTS).where((number >= first) & (number < last))
    for frame, table in ((_sessions(written), SESSIONS), (_order_lines(written), ORDER_LINES)):
        lake.create(table)
        progress(f"writing {table.name}")
        lake.append(as_rows(frame, table), table)


def as_rows(frame: DataFrame, table: Table) -> DataFrame:
    """The table's rows: columns that the frame has not are null, or neutral where null is barred."""
    neutral = {"string": "'benchmark'", "boolean": "false", "timestamp": "timestamp_micros(0)"}

    def column(name: str, kind: str, is_nullable: bool) -> Column:
        if name in frame.columns:
            return F.col(name).cast(kind).alias(name)
        return F.expr("null" if is_nullable else neutral.get(kind, "0")).cast(kind).alias(name)

    return frame.select(*(column(f.name, f.dataType.simpleString(), f.nullable) for f in schema_of(table)))


def _share(seed: int, *names: str) -> Column:
    """A number from 0 to 1, the same for the same values."""
    return F.pmod(F.xxhash64(F.lit(seed), *names), F.lit(_GRAIN)) / _GRAIN


def _of(seed: int, n: int, *names: str) -> Column:
    """A whole number from 0 to n - 1."""
    return F.pmod(F.xxhash64(F.lit(seed), *names), F.lit(n))


def _visits(lake: Lake, n_visits: int, n_users: int, first: int, n_parts: int, day: Column) -> DataFrame:
    numbered = lake.spark.range(first, first + n_visits, numPartitions=n_parts).withColumnRenamed("id", "visit")
    user = F.concat(F.lit("u"), F.lpad(F.floor(F.pow(_share(1, "visit"), 2) * n_users).cast("string"), 8, "0"))
    channels = F.array(*(F.lit(name) for name in ("ads", "direct", "email", "search", "social")))
    return numbered.select(
        "visit",
        day.alias("day"),
        F.when(_of(2, 33, "visit") > 0, user).alias("user_id"),
        (BEGINS_US + day * DAY_US + F.floor(_share(3, "visit") * DAY_US)).alias("starts_us"),
        F.least(F.lit(60), 1 + F.floor(-F.log1p(-_share(4, "visit")) * (EVENTS_A_VISIT - 0.5))).alias("n"),
        F.when(_of(5, 6, "visit") > 0, F.get(channels, _of(6, 5, "visit").cast("int"))).alias("channel"),
        F.when(_of(7, 2, "visit") == 0, "mobile").when(_of(8, 9, "visit") > 0, "desktop").alias("device"),
    )


def _events(visits: DataFrame) -> DataFrame:
    placed = visits.select("*", F.explode(F.sequence(F.lit(1).cast("long"), F.col("n"))).alias("place"))
    at_us = F.col("starts_us") + F.col("place") * _STEP_US + F.floor(_share(10, "visit", "place") * _JITTER_US)
    drawn = _share(11, "visit", "place")
    kind = F.when(F.col("user_id").isNull() & (drawn < 0.01), "listing")
    for bar, name in _KINDS:
        kind = kind.when(drawn < bar, name)
    product = F.floor(F.pow(_share(12, "visit", "place"), 2) * N_PRODUCTS)
    event_at = F.timestamp_micros(at_us)
    named = placed.select(
        F.concat_ws("-", "visit", "place").alias("event_id"),
        F.col("visit").cast("string").alias("source_session_id"),
        event_at.alias("event_at"),
        F.to_date(event_at).alias("event_on"),
        kind.otherwise("review").alias("event_type"),
        *("user_id", "channel", "device", "visit", "place", "day"),
        product.alias("product"),
    )
    return _described(named)


def _described(events: DataFrame) -> DataFrame:
    """What each event is about, by its kind and product."""
    has_product, kind = F.col("event_type") != "search", F.col("event_type")
    product = F.col("product")
    is_priced = kind.isin("view", "click", "cart", "remove", "purchase", "return", "listing")
    # Whole units and 37 hundredths, dearer in some months for some products, one unit less for every fourth event.
    units = 3 + _of(20, 200, "product") + F.pmod(F.floor(F.col("day") / 30) * (product % 3), F.lit(5))
    paid = units - F.when(_of(21, 4, "visit", "place") == 0, 1).otherwise(0)
    sentiments = F.array(*(F.lit(text) for text in ("0.25", "-0.5", "1", "7", "good", "-1")))
    attributes = F.when(
        (kind == "search") & (_of(22, 3, "visit", "place") == 0), F.create_map(F.lit("filters"), F.lit("size=m"))
    ).when(
        (kind == "review") & (_of(23, 2, "visit", "place") == 0),
        F.create_map(F.lit("sentiment"), F.get(sentiments, _of(24, 6, "visit", "place").cast("int"))),
    )
    order = F.when(kind == "purchase", "o").when(kind == "return", "r")

    def where(condition: Column, value: Column) -> Column:
        return F.when(condition, value)

    return events.withColumns(
        {
            "product_id": where(has_product, F.concat(F.lit("p"), product)),
            "is_item": has_product & (product % 50 != 0),
            "category": where(
                has_product & (product % 97 != 0), F.concat(F.lit("c"), product % 8, F.lit("/"), product % 56)
            ),
            "brand": where(has_product & (product % 7 != 0), F.concat(F.lit("b"), product % 300)),
            "unit_price": where(is_priced, (paid + 0.37).cast("decimal(18,4)")),
            "list_price": where(is_priced & (product % 11 != 0), (units + 0.37).cast("decimal(18,4)")),
            "currency": where(is_priced, F.lit("EUR")),
            "quantity": where(is_priced & ~kind.isin("view", "click"), (1 + _of(25, 3, "visit", "place")).cast("int")),
            "order_id": F.concat(order, "visit"),
            "rating": where((kind == "review") & (_of(26, 9, "visit", "place") > 0), 1 + _of(27, 5, "visit", "place")),
            "attributes": attributes,
        }
    )


def _sessions(events: DataFrame) -> DataFrame:
    """One row per visit of a named shopper."""
    visits = events.where("user_id is not null").groupBy("source_session_id", "user_id")
    summed = visits.agg(
        F.min("event_at").alias("started_at"),
        F.max("event_at").alias("ended_at"),
        F.count(F.lit(1)).alias("n_events"),
        F.min("channel").alias("channel"),
        F.min("device").alias("device"),
        *(
            F.count_if(F.col("event_type") == kind).alias(f"n_{kind}{'es' if kind == 'search' else 's'}")
            for kind in _COUNTED
        ),
    )
    return summed.withColumns(
        {
            "session_id": F.concat(F.lit("s"), "source_session_id"),
            "closes_at": F.timestamp_micros(F.unix_micros("ended_at") + GAP_US + 1),
            "session_on": F.to_date("started_at"),
            "duration_s": F.floor((F.unix_micros("ended_at") - F.unix_micros("started_at")) / 1e6),
            "funnel_step": F.when(F.col("n_purchases") > 0, "purchase").otherwise("visit"),
            "is_bounce": F.col("n_events") == 1,
            "has_purchase": F.col("n_purchases") > 0,
            "has_abandoned_cart": (F.col("n_carts") > 0) & (F.col("n_purchases") == 0),
        }
    ).coalesce(8)


def _order_lines(events: DataFrame) -> DataFrame:
    """One row per purchase or return."""
    sign = F.when(F.col("event_type") == "purchase", 1).otherwise(-1)
    return (
        events.where(F.col("event_type").isin("purchase", "return"))
        .withColumns(
            {
                "line_id": F.col("event_id"),
                "line_type": F.col("event_type"),
                "lined_at": F.col("event_at"),
                "lined_on": F.col("event_on"),
                "amount": F.col("quantity") * F.col("unit_price") * sign,
            }
        )
        .coalesce(8)
    )
