"""The rows of source files as they arrived, each with its file and line: bronze.raw_events."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import RAW_EVENTS
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.batch import Batch
from ulm_spark.events.fields import EARLIEST_SQL
from ulm_spark.events.parse import ROW, parse_rows
from ulm_spark.events.shape import FileShape
from ulm_spark.events.typed import say_received_at

# What is known of each file of a batch before its rows are read.
FILES_DDL = (
    "file_uri STRING, source_file STRING, modified_at TIMESTAMP, size_bytes BIGINT, n_columns INT, "
    "positions ARRAY<INT>, n_header_lines INT, problem STRING"
)


def file_rows(batch: Batch, shapes: Sequence[FileShape]) -> list[tuple[object, ...]]:
    """One row of FILES_DDL per file of the batch."""
    return [
        (f.uri, f.source_file, f.modified_at, f.size_bytes, s.n_columns, list(s.positions), s.n_header_lines, s.problem)
        for f, s in zip(batch.files, shapes, strict=True)
    ]


def number_lines(lines: DataFrame) -> DataFrame:
    """Adds source_line, counted from 1 in each file, however Spark split and packed the files.

    In:   text lines with file_uri, block_start (where the task's part of the file begins) and
          position (rises by one from line to line of a part).
    Rule: place in the part, plus the lines of the file's earlier parts. The parts are counted by a
          second scan of the same files, which costs less than sorting all lines.
    """
    parts = lines.groupBy("file_uri", "block_start").agg(
        F.min("position").alias("first_position"), F.count(F.lit(1)).alias("n_lines")
    )
    earlier = Window.partitionBy("file_uri").orderBy("block_start").rowsBetween(Window.unboundedPreceding, -1)
    offsets = parts.select(
        "file_uri",
        "block_start",
        "first_position",
        F.coalesce(F.sum("n_lines").over(earlier), F.lit(0)).alias("n_before"),
    )
    source_line = F.col("position") - F.col("first_position") + F.col("n_before") + 1
    joined = lines.join(F.broadcast(offsets), on=["file_uri", "block_start"], how="left")
    return joined.withColumn("source_line", source_line.cast("bigint"))


def receive(content: DataFrame, files: DataFrame, batch: Batch, adapter: SourceAdapter, n_columns: int) -> DataFrame:
    """The rows of a batch's files.

    In:   content of the files as opened; files: a frame of FILES_DDL; n_columns: the most columns
          that one of them has.
    Out:  bronze.raw_events.
    Rule: header lines and blank lines are no rows; the first line of a file of another shape is
          one, since nobody knows that it is a header. received_at is the row's own where the
          adapter maps one, from 1990 to a day after the file's time; else the file's time.
    """
    if adapter.format == "parquet":
        numbered = content.withColumn("source_line", F.col("row_index") + 1)
    else:
        numbered = number_lines(content)
    line, line_bytes = decoded(adapter)
    # A mark of byte order, which some programs put at the top of a file, is no part of its first row.
    without_mark = F.when(F.col("source_line") == 1, F.ltrim(line, F.lit("\ufeff"))).otherwise(line)
    rows = (
        numbered.join(F.broadcast(files), on="file_uri", how="left")
        .withColumns({"line": without_mark, "line_bytes": line_bytes})
        .where((F.col("source_line") > F.coalesce("n_header_lines", F.lit(0))) & (F.trim("line") != ""))
        .withColumns(
            {
                "batch_id": F.lit(batch.batch_id),
                "source": F.lit(batch.source),
                "received_at": F.col("modified_at"),
            }
        )
    )
    return with_own_received_at(rows, adapter, n_columns).select(*RAW_EVENTS.column_names)


def rejoin_files(raw: DataFrame, files: DataFrame) -> DataFrame:
    """Rows of bronze.raw_events with what is known of their files, as the struct ``_row`` that parsing begins with."""
    known = files.select("source_file", "n_columns", "positions", "problem")
    joined = raw.join(F.broadcast(known), on="source_file", how="left")
    return joined.select(F.struct(*RAW_EVENTS.column_names, "n_columns", "positions", "problem").alias(ROW))


def decoded(adapter: SourceAdapter) -> tuple[Column, Column]:
    """The line as text, and its bytes where they are not valid. Of: value, a STRING of whatever bytes."""
    value = F.col("value")
    if adapter.encoding != "UTF-8":
        return F.regexp_replace(F.decode(value.cast("binary"), adapter.encoding), "\r$", ""), F.lit(None).cast("binary")
    is_valid = F.is_valid_utf8(value)
    text = F.when(is_valid, value).otherwise(F.make_valid_utf8(value))
    return F.regexp_replace(text, "\r$", ""), F.when(~is_valid, value.cast("binary"))


def with_own_received_at(rows: DataFrame, adapter: SourceAdapter, n_columns: int) -> DataFrame:
    """Rows whose received_at is the row's own where the adapter maps one that can be.

    In:   the columns of bronze.raw_events, n_columns and positions.
    Rule: from 1990 to a day after what received_at was.
    """
    if "received_at" not in adapter.fields:
        return rows
    lineage = F.struct(*RAW_EVENTS.column_names, "n_columns", "positions").alias(ROW)
    own = say_received_at(parse_rows(rows.select(lineage), adapter, n_columns), adapter)
    latest = F.col("received_at") + F.expr("INTERVAL 1 DAY")
    is_plausible = F.col("own_received_at").between(F.expr(EARLIEST_SQL), latest)
    received_at = F.when(is_plausible, F.col("own_received_at")).otherwise(F.col("received_at"))
    return own.select(f"{ROW}.*", "own_received_at").withColumn("received_at", received_at)
