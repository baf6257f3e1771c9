"""What did each user do on each local day, told by their events?"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.contracts.user_days import FILTERS_ATTRIBUTE, SENTIMENT_ATTRIBUTE
from ulm_spark.stats.histories import Ints
from ulm_spark.users.chunks import SCALE, joined, large_tables, taken
from ulm_spark.users.day_sums import PARTS, TOLD, Groups, group_rows, list_names, list_numbers

_PLURALS = {"search": "searches", "purchase": "purchases"}
_COUNTS = tuple(f"n_{_PLURALS.get(kind, f'{kind}s')}" for kind in SHOPPER_EVENT_TYPES)
_PARTS_OF_DAY = ("night_events", "morning_events", "afternoon_events", "evening_events")
_HOURS_OF_PART = 6
_TEXTS = {"categories": "category", "brands": "brand", "devices": "device", "channels": "channel"}


def sum_acts(events: DataFrame, zone: str) -> DataFrame:
    """Rows of TOLD, one or more per user and local day with an event of theirs: their sums are what was done.

    In:   silver.events, any span.
    Rule: a filter is named where its text is not blank; a sentiment counts where its text is a number from -1 to 1, and
          is rounded to four digits; a price band is floor(log2(unit_price)), in words of digits.
    Edge: listings and events without user_id are left out. Events are summed up where they lie, some hundred
          thousand at once, before anything is exchanged.
    """
    return _measured(events, zone).mapInArrow(_sum_chunks, ", ".join(f"{name} {kind}" for name, kind in TOLD.items()))


def _measured(events: DataFrame, zone: str) -> DataFrame:
    """The shopper's events by what is counted of them."""
    kind = F.col("event_type")
    is_review = kind == "review"
    filters = F.try_element_at("attributes", F.lit(FILTERS_ATTRIBUTE))
    sentiment = F.try_element_at("attributes", F.lit(SENTIMENT_ATTRIBUTE)).try_cast("DECIMAL(20,18)")
    known = events.where(F.col("user_id").isNotNull() & kind.isin(*SHOPPER_EVENT_TYPES))
    return known.select(
        "user_id",
        F.unix_date("event_on").alias("day"),
        F.unix_micros("event_at").alias("us"),
        _place(kind).alias("kind"),
        F.hour(F.from_utc_timestamp("event_at", zone)).alias("hour"),
        F.coalesce((kind == "search") & (F.trim(filters) != ""), F.lit(False)).alias("is_filtered"),
        F.when(is_review, F.col("rating")).alias("rating"),
        F.when(is_review & sentiment.between(-1, 1), F.round(sentiment * SCALE)).cast("int").alias("sentiment"),
        F.when(F.col("unit_price") > 0, F.floor(F.log2(F.col("unit_price").cast("double"))))
        .cast("int")
        .alias("price_band"),
        *_TEXTS.values(),
    )


def _place(kind: Column) -> Column:
    """Place of an event's type in SHOPPER_EVENT_TYPES."""
    place = F.when(kind == SHOPPER_EVENT_TYPES[0], 0)
    for number, name in enumerate(SHOPPER_EVENT_TYPES[1:], start=1):
        place = place.when(kind == name, number)
    return place


def _sum_chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for events in large_tables(batches):
        yield _sum_events(events)


def _sum_events(events: pa.Table) -> pa.RecordBatch:
    groups = group_rows(events)
    channel = joined(events.column("channel"))
    us = events.column("us").to_numpy()
    began = groups.earliest(us, channel)
    hour = joined(events.column("hour"))
    n_groups = len(groups)
    nowhere = pa.nulls(n_groups, pa.string())
    numbers = _numbers(groups, events, hour.to_numpy().astype(np.int64))
    hours = pa.array([f"{n:02d}" for n in range(24)]).take(pa.array(hour))
    price_bands = joined(events.column("price_band")).cast(pa.string())
    texts = {name: joined(events.column(text)) for name, text in _TEXTS.items()}
    names, counts = list_names(groups, {"hours": hours, "price_bands": price_bands, **texts})
    columns = {
        "user_id": joined(events.column("user_id")).take(pa.array(groups.first)),
        "day": joined(events.column("day")).take(pa.array(groups.first)),
        "part": pa.array(np.full(n_groups, list(PARTS).index("acts"), dtype=np.int32)),
        "numbers": list_numbers([numbers[name] for name in PARTS["acts"]]),
        "first_us": taken(pa.array(us), began),
        "first_channel": taken(channel, began),
        "currency": nowhere,
        "names": names,
        "counts": counts,
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in TOLD], names=list(TOLD))


def _numbers(groups: Groups, events: pa.Table, hour: Ints) -> dict[str, Ints]:
    kind = events.column("kind").to_numpy()
    found = {"n_events": groups.sums(np.ones(len(kind), dtype=np.int64))}
    for number, name in enumerate(_COUNTS):
        found[name] = groups.sums(kind == number)
    found["n_filtered_searches"] = groups.sums(joined(events.column("is_filtered")).to_numpy(zero_copy_only=False))
    for number, part in enumerate(_PARTS_OF_DAY):
        found[part] = groups.sums(hour // _HOURS_OF_PART == number)
    for name, noun in (("rating", "ratings"), ("sentiment", "sentiments")):
        values = joined(events.column(name))
        found[f"n_{noun}"] = groups.sums(values.is_valid().to_numpy(zero_copy_only=False))
        found[f"{name}_sum"] = groups.sums(values.fill_null(0).to_numpy())
    return found
