"""Messages of a stream: as rows of bronze, and which of their events come for the first time."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import RAW_EVENTS
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.checks import FAILURE
from ulm_spark.events.outcome import judge
from ulm_spark.events.parse import ROW
from ulm_spark.events.rows import decoded, with_own_received_at
from ulm_spark.events.shape import shape_without_header

FIRST_ID = "_first_id"
_LATEST_SQL = "TIMESTAMP '9998-12-31T00:00:00Z'"
_RECEIVED = tuple(name for name in RAW_EVENTS.column_names if name != "batch_id")


def receive_messages(messages: DataFrame, adapter: SourceAdapter) -> DataFrame:
    """One row a message.

    In:   topic, partition, offset, timestamp (when the broker got it) and value, as Kafka's source gives them.
    Out:  bronze.raw_events less batch_id: source_file is topic/partition, source_line the offset.
    Rule: received_at is the row's own where the adapter maps one that can be, else the broker's time, which a
          producer may have set: what is before 1970 or after 9998 counts as the end that it is beyond.
    Edge: a message without a value is a row without text, which no adapter can parse.
    """
    n_columns = len(adapter.columns)
    line, line_bytes = decoded(adapter)
    rows = messages.withColumn("value", F.col("value").cast("string")).select(
        F.lit("").alias("batch_id"),
        F.lit(adapter.name).alias("source"),
        F.concat_ws("/", "topic", F.col("partition").cast("string")).alias("source_file"),
        F.col("offset").alias("source_line"),
        F.greatest(F.least("timestamp", F.expr(_LATEST_SQL)), F.timestamp_seconds(F.lit(0))).alias("received_at"),
        F.coalesce(line, F.lit("")).alias("line"),
        line_bytes.alias("line_bytes"),
        *_shape(adapter),
    )
    return with_own_received_at(rows, adapter, n_columns).select(*_RECEIVED)


def judge_messages(rows: DataFrame, adapter: SourceAdapter, zone: str, currency: str, batch_id: str) -> DataFrame:
    """Rows of receive_messages parsed, typed and checked, as judge does."""
    named = rows.withColumn("batch_id", F.lit(batch_id)).select(*RAW_EVENTS.column_names, *_shape(adapter))
    return judge(named.select(F.struct(*named.columns).alias(ROW)), adapter, len(adapter.columns), zone, currency)


def with_first_ids(rows: DataFrame, judged: DataFrame, lateness_s: int) -> DataFrame:
    """A stream's rows, and beside them each event_id that no row had within the lateness.

    In:   a stream of receive_messages, and the same rows judged.
    Out:  the columns of rows, all null in a row that tells an event_id in _first_id: is_told tells the two apart.
    Rule: the state has an event_id until the watermark, which follows the clock (the earlier of
          event_at and received_at) of the latest event by lateness_s, is lateness_s past the event's clock.
    Edge: an event_id whose clock is at the watermark or behind it is not told, be it new or not; null, which may
          be told too, stands for rows that are no events, and whose times move no watermark.
    """
    is_event = F.col(FAILURE).isNull()
    clock_at = F.when(is_event, F.least("event_at", f"{ROW}.received_at")).otherwise(F.timestamp_seconds(F.lit(0)))
    # Not filtered: Spark's optimizer takes for ever to push a condition down through all that judge computes.
    events = judged.select(F.when(is_event, F.col("event_id")).alias("event_id"), clock_at.alias("clock_at"))
    first = events.withWatermark("clock_at", f"{lateness_s} seconds").dropDuplicatesWithinWatermark(["event_id"])
    told = [F.lit(None).cast(field.dataType).alias(field.name) for field in rows.schema]
    said = rows.select("*", F.lit(None).cast("string").alias(FIRST_ID))
    return said.unionByName(first.select(*told, F.col("event_id").alias(FIRST_ID)))


def is_told() -> Column:
    """True for with_first_ids' rows that tell an event_id, false for messages."""
    return F.col("source_file").isNull()


def is_out_of_state(watermark_ms: int, known_until_us: int) -> Column:
    """True for judged events of which the stream's state can't tell whether they are new.

    watermark_ms: the micro-batch's, in milliseconds since 1970. known_until_us: until when there may be
    events that the lake has and the state lacks, in microseconds.
    Rule: what is at the watermark, where Spark's state begins to forget, or behind it; what may be a copy
          of an event that only the lake knows; and what comes before it happened.
    """
    received_at = F.col(f"{ROW}.received_at")
    is_late = F.unix_micros(F.least("event_at", received_at)) <= watermark_ms * 1000
    return is_late | (F.unix_micros("event_at") <= known_until_us) | (F.col("event_at") > received_at)


def foreseen_until_us(lateness_s: int) -> Column:
    """The last of the events that came before they happened by more than lateness_s, in microseconds; an aggregate.

    The state forgets them before they happen, and so before their copies may come.
    """
    event_us, received_us = F.unix_micros("event_at"), F.unix_micros(f"{ROW}.received_at")
    return F.max(F.when(event_us > received_us + lateness_s * 1_000_000, event_us))


def known_ids(judged: DataFrame, first_ids: DataFrame, of_lake: DataFrame, is_out: Column) -> DataFrame:
    """The event_ids of a micro-batch that came before.

    In:   judged rows; first_ids: _first_id; of_lake: event_id of events that the lake has, at least those that
          rows outside the state can be copies of; is_out: is_out_of_state.
    Out:  event_id (unique).
    """
    events = judged.where(F.col(FAILURE).isNull())
    asked = events.where(is_out).select("event_id").distinct()
    in_lake = of_lake.select("event_id").join(F.broadcast(asked), on="event_id", how="left_semi")
    in_state = events.where(~is_out).join(first_ids, on=F.col("event_id") == F.col(FIRST_ID), how="left_anti")
    return in_lake.union(in_state.select("event_id")).distinct()


def _shape(adapter: SourceAdapter) -> list[Column]:
    """What parsing asks of a file, said of messages: all columns, in the adapter's order."""
    shape = shape_without_header(adapter)
    return [
        F.lit(shape.n_columns).alias("n_columns"),
        F.array(*(F.lit(place) for place in shape.positions)).alias("positions"),
        F.lit(None).cast("string").alias("problem"),
    ]
