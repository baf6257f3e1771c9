"""A stream's micro-batches: started where the checkpoint says, watched, and stopped between two of them."""

import ast
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from ulm_spark.config.errors import StreamError, UlmError
from ulm_spark.config.require import path_uri
from ulm_spark.lake.files import Files
from ulm_spark.lake.progress import report_progress
from ulm_spark.lake.session import changed_settings
from ulm_spark.lake.stream import StreamConf, known_failure

_ROCKSDB = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
_SETTINGS = {
    "spark.sql.streaming.stateStore.providerClass": _ROCKSDB,
    # A batch writes down what it changed in the state, not all of it.
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # What the state may forget it forgets with the next rows: no batch comes without any.
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
}
_LOOK_S = 1
_MOST_SAID = 300
_SETTLE_S = 5  # for Spark to write down that a micro-batch is done


@dataclass(frozen=True)
class Steps:
    """What a stream does. begin: once, before it asks its source for anything. take: with every micro-batch and its
    number. between: now and then while no micro-batch runs.
    """

    begin: Callable[[], None]
    take: Callable[[DataFrame, int], None]
    between: Callable[[], None]


@dataclass
class _Gate:
    """Lets micro-batches through until the stream is told to stop. error: what the last one failed with."""

    each_batch: Callable[[DataFrame, int], None]
    stop: threading.Event
    context: Context = field(default_factory=copy_context)  # of who waits: batches come in another thread
    error: Exception | None = None
    has_refused: bool = False
    busy: threading.Lock = field(default_factory=threading.Lock)

    def take(self, frame: DataFrame, number: int) -> None:
        """One micro-batch; one that comes after the stop is left for the next start."""
        with self.busy:
            if self.stop.is_set():
                self.has_refused = True
                raise InterruptedError("the stream was told to stop")
            try:
                self.context.run(self.each_batch, frame, number)
            except Exception as error:
                self.error = error
                raise

    def explain(self, query_error: StreamingQueryException, conf: StreamConf) -> UlmError:
        """Why the query ended, without the values that Spark's errors of rows quote."""
        if isinstance(self.error, UlmError):
            return self.error
        known = known_failure(str(self.error or query_error), conf)
        if known is not None:
            return known
        if self.error is None:
            where, what = "its source", _first_line(str(query_error))
        else:
            where, what = "a micro-batch", type(self.error).__name__
        if isinstance(self.error, PySparkException):
            what = f"{what} {self.error.getCondition() or ''}".strip()
        return StreamError(
            f"stream {conf.name}: found an error in {where} ({what}); expected none. Mend its cause and start the "
            "stream again: it goes on where it was."
        )


def _first_line(said: str) -> str:
    """What a query's error says behind the query's own name."""
    told = (said.partition("terminated with exception: ")[2] or said).strip()
    return told.partition("\n")[0].partition(" SQLSTATE")[0][:_MOST_SAID]


def run_stream(frame: DataFrame, conf: StreamConf, files: Files, steps: Steps, *, until_caught_up: bool) -> None:
    """Streams from where the checkpoint says until told to stop or, where asked, until what is there now is taken.

    Shows rates and lag meanwhile.
    Rule:   SIGINT and SIGTERM stop the stream when the step that runs is done, however many messages wait.
    Errors: what a micro-batch fails with, where it is a known failure; else StreamError.
    """
    with _told_to_stop() as stop, _quiet(), changed_settings(frame.sparkSession, _SETTINGS):
        steps.begin()
        if stop.is_set():
            return
        gate = _Gate(steps.take, stop)
        query = _start(frame, conf, files, gate.take, until_caught_up)
        try:
            _watch(query, gate, steps.between)
        finally:
            if query.isActive:
                query.stop()
        error = query.exception()
        if error is not None and not gate.has_refused:
            raise gate.explain(error, conf) from error


def _start(
    frame: DataFrame, conf: StreamConf, files: Files, take: Callable[[DataFrame, int], None], until_caught_up: bool
) -> StreamingQuery:
    writer = frame.writeStream.queryName(conf.name).option(
        "checkpointLocation", path_uri(f"{files.root}/{conf.checkpoint}", "lake.root")
    )
    writer = writer.foreachBatch(take)
    if until_caught_up:
        return writer.trigger(availableNow=True).start()
    return writer.trigger(processingTime=f"{conf.every_s} seconds").start()


@contextmanager
def _quiet() -> Iterator[None]:
    """py4j's log while the block runs without what a micro-batch raises: that is caught and said in words."""
    log = logging.getLogger("py4j.clientserver")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _watch(query: StreamingQuery, gate: _Gate, between: Callable[[], None]) -> None:
    """Returns when the query has ended, or may be ended."""
    shown = -1
    while query.isActive:
        with suppress(StreamingQueryException):  # run_stream asks for it
            query.awaitTermination(_LOOK_S)
        shown = _show(query, shown)
        if gate.busy.acquire(blocking=False):
            try:
                between()
            finally:
                gate.busy.release()
        if gate.stop.is_set():
            with gate.busy:  # the micro-batch that runs; the gate lets no other through
                pass
            deadline_s = time.monotonic() + _SETTLE_S
            while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline_s:
                time.sleep(0.05)
            _show(query, shown)
            return


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; outside the main thread, where none can be caught, it is never set."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def tell(*_: object) -> None:
        report_progress("stopping after this step")
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
        n_rows = n_between(progress, "startOffset", "endOffset")
        n_behind = n_between(progress, "endOffset", "latestOffset")
        if n_behind is None:
            report_progress(f"batch {number}: {progress['numInputRows']:,} files in {seconds:.1f} s")
        else:
            # The first micro-batch begins with the oldest message, wherever that is.
            rows = "first rows" if n_rows is None else f"{n_rows:,} rows"
            rate = "" if n_rows is None else f"{n_rows / max(seconds, 1e-3):,.0f} rows/s, "
            report_progress(f"batch {number}: {rows} in {seconds:.1f} s, {rate}{n_behind:,} rows behind")
        shown = number
    return shown


def n_between(progress: Mapping[str, Any], from_: str, to: str) -> int | None:
    """Messages from one offset to another over all partitions; None where the source has no such offsets.

    A partition that the first offsets lack came between them, and is counted from its beginning.
    """
    n_messages = 0
    for source in progress["sources"]:
        begins, ends = _offsets(source.get(from_)), _offsets(source.get(to))
        if begins is None or ends is None:
            return None
        for topic, partitions in ends.items():
            n_messages += sum(int(n) - int(begins.get(topic, {}).get(p, 0)) for p, n in partitions.items())
    return n_messages


def _offsets(said: object) -> dict[str, dict[str, int]] | None:
    """Kafka's offsets by topic and partition, which PySpark gives as text; None for what is no such thing."""
    with suppress(ValueError, SyntaxError, TypeError):
        found = ast.literal_eval(said) if isinstance(said, str) else said
        if isinstance(found, dict) and all(isinstance(partitions, dict) for partitions in found.values()):
            return found
    return None
