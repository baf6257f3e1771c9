"""A stream of messages: opened, started with its checkpoint in the lake, watched, and stopped between two batches."""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from ulm_spark.config.errors import StreamError
from ulm_spark.config.require import local_path, require
from ulm_spark.lake.files import Files
from ulm_spark.lake.progress import report_progress

_ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
_SETTINGS = {
    "spark.sql.streaming.stateStore.providerClass": _ROCKSDB,
    # A batch writes down what it changed in the state, not all of it.
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # What the state may forget it forgets with the next rows: no batch comes without any.
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
}
_LOOK_S = 1


@dataclass(frozen=True)
class StreamConf:
    """Section ``stream``.

    bootstrap_servers: Kafka's brokers, as host:port with commas between. topic: the topic, or several with
    commas between; empty for the files of source.path as they come. name: of the folder in the lake where the
    stream keeps how far it is; another name begins with the oldest message. lateness_s: seconds behind the
    latest event within which the stream knows by itself whether it had an event; older ones are looked up in
    the lake. every_s: seconds from the beginning of one micro-batch to the next, 0 for at once. most_rows:
    messages, or files, that one takes at most. options: further options of Spark's Kafka source, such as
    kafka.security.protocol.
    """

    bootstrap_servers: str = ""
    topic: str = ""
    name: str = "events"
    lateness_s: int = 7200
    every_s: int = 0
    most_rows: int = 100_000
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_name = bool(self.name) and all(letter.isalnum() or letter in "-_" for letter in self.name)
        require(is_name, "stream.name", f"'{self.name}'", "letters, digits, - and _")
        for name, least in (("lateness_s", 1), ("every_s", 0), ("most_rows", 1)):
            require(getattr(self, name) >= least, f"stream.{name}", getattr(self, name), f"at least {least}")

    @property
    def folder(self) -> str:
        """Where the stream keeps how far it is, relative to the lake's root."""
        return f"_streams/{self.name}"

    @property
    def checkpoint(self) -> str:
        """Spark's own part of it."""
        return f"{self.folder}/checkpoint"


def open_messages(spark: SparkSession, conf: StreamConf) -> DataFrame:
    """The topic's messages, from the oldest on. Out: Kafka's columns, a streaming frame. Errors: ConfigError."""
    for name in ("bootstrap_servers", "topic"):
        require(bool(getattr(conf, name)), f"stream.{name}", "nothing", "a value")
    given = {"startingOffsets": "earliest", "failOnDataLoss": "true", **conf.options}
    fixed = {
        "kafka.bootstrap.servers": conf.bootstrap_servers,
        "subscribe": conf.topic,
        "maxOffsetsPerTrigger": str(conf.most_rows),
    }
    return spark.readStream.format("kafka").options(**given, **fixed).load()


def open_arrivals(spark: SparkSession, path: str, patterns: Sequence[str], conf: StreamConf) -> DataFrame:
    """Files that come into a folder, or match a pattern, each once. Out: path, a streaming frame."""
    options = {
        "pathGlobFilter": f"{{{','.join(patterns)}}}",
        "recursiveFileLookup": "true",
        "maxFilesPerTrigger": str(conf.most_rows),
    }
    schema = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"
    arrivals = spark.readStream.format("binaryFile").schema(schema).options(**options)
    return arrivals.load(path if urlparse(path).scheme else str(local_path(path, "source.path").absolute())).select(
        "path"
    )


def start_stream(
    frame: DataFrame,
    conf: StreamConf,
    files: Files,
    each_batch: Callable[[DataFrame, int], None],
    *,
    until_caught_up: bool,
) -> StreamingQuery:
    """Starts the stream where its checkpoint says; each_batch is called with every micro-batch and its number."""
    for name, value in _SETTINGS.items():
        frame.sparkSession.conf.set(name, value)
    writer = frame.writeStream.queryName(conf.name).option("checkpointLocation", f"{files.root}/{conf.checkpoint}")
    writer = writer.foreachBatch(each_batch)
    if until_caught_up:
        return writer.trigger(availableNow=True).start()
    return writer.trigger(processingTime=f"{conf.every_s} seconds").start()


def stream_id(files: Files, conf: StreamConf) -> str:
    """The checkpoint's own id, which a new checkpoint has otherwise."""
    return str(json.loads(files.read_bytes(f"{conf.checkpoint}/metadata") or b"{}").get("id", ""))


def watermark_ms(files: Files, conf: StreamConf, number: int) -> int:
    """The watermark of a micro-batch that has begun, in milliseconds since 1970; 0 where there is none yet."""
    content = (files.read_bytes(f"{conf.checkpoint}/offsets/{number}") or b"").decode()
    lines = content.splitlines()
    if len(lines) < 2:
        raise StreamError(
            f"{conf.checkpoint}/offsets/{number}: found no record of the micro-batch that runs; expected Spark's own. "
            "Start the stream again."
        )
    return int(json.loads(lines[1]).get("batchWatermarkMs", 0))


def run_until_stopped(query: StreamingQuery) -> None:
    """Shows rates and lag until the query ends or the process is told to stop, then stops between two batches.

    Errors: StreamError where the query failed.
    """
    shown = -1
    with _told_to_stop() as stop:
        try:
            while not query.awaitTermination(_LOOK_S):
                shown = _show(query, shown)
                if stop.is_set() and not query.status["isTriggerActive"]:
                    query.stop()
            _show(query, shown)
        except StreamingQueryException as error:
            raise StreamError(
                f"stream {query.name}: found an error in a micro-batch ({str(error).splitlines()[0][:300]}); expected "
                "none. Mend its cause and start the stream again: it goes on where it was."
            ) from error
        finally:
            if query.isActive:
                query.stop()


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; outside the main thread, where none can be caught, it is never set."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def tell(*_: object) -> None:
        report_progress("stopping after this micro-batch")
        stop.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(query: StreamingQuery, shown: int) -> int:
    """Says how the latest micro-batches went, each once; gives the number of the last one said."""
    for progress in query.recentProgress:
        number = int(progress["batchId"])
        if number <= shown or not progress["numInputRows"]:
            continue
        seconds = progress["durationMs"]["triggerExecution"] / 1000
        n_rows = _n_between(progress, "startOffset", "endOffset")
        if n_rows is None:
            report_progress(f"batch {number}: {progress['numInputRows']:,} files in {seconds:.1f} s")
        else:
            n_behind = _n_between(progress, "endOffset", "latestOffset")
            rate = n_rows / max(seconds, 1e-3)
            report_progress(
                f"batch {number}: {n_rows:,} rows in {seconds:.1f} s, {rate:,.0f} rows/s, {n_behind:,} rows behind"
            )
        shown = number
    return shown


def _n_between(progress: Mapping[str, Any], from_: str, to: str) -> int | None:
    """Messages from one offset to another over all partitions; None where the source has no such offsets."""
    n_messages = 0
    for source in progress["sources"]:
        ends = source.get(to)
        if not isinstance(ends, dict) or not all(isinstance(partitions, dict) for partitions in ends.values()):
            return None
        begins = source.get(from_) or {}
        for topic, partitions in ends.items():
            n_messages += sum(int(n) - int(begins.get(topic, {}).get(p, 0)) for p, n in partitions.items())
    return n_messages
