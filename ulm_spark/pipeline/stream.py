"""Events from a broker into the lake, micro-batch by micro-batch, and the sessions that they open, extend and join."""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.events.batch import SourceConf
from ulm_spark.events.failures import explained_failures
from ulm_spark.events.files import has_files
from ulm_spark.events.ingested import days_of_failed_files, tell_days, told_days
from ulm_spark.events.intake import (
    Reading,
    open_intake,
    take_back_unfinished,
    take_in,
)
from ulm_spark.events.message_intake import MicroBatch, is_taken_in, refuse_other_readings, take_messages
from ulm_spark.events.messages import judge_messages, receive_messages, with_first_ids
from ulm_spark.lake.fingerprint import code_version
from ulm_spark.lake.maintain import MaintenanceRules, maintain
from ulm_spark.lake.micro_batches import Steps, run_stream
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run, output_tables
from ulm_spark.lake.stream import StreamConf, open_arrivals, open_messages, stream_id, watermark_ms
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.restate_sessions import restate_sessions, restate_touched
from ulm_spark.sessions.cut import SessionRules

_TOLD = "events_in_sessions.json"
_TELL_EVERY_S = 600
_HOUR_S = 3600


class StreamSections(Protocol):
    """The sections of the config that a stream reads."""

    @property
    def stream(self) -> StreamConf:
        """What it reads, and where it keeps how far it is."""
        ...

    @property
    def source(self) -> SourceConf:
        """Where files are, and how copies are looked for."""
        ...

    @property
    def sessions(self) -> SessionRules:
        """When a visit ends."""
        ...

    @property
    def maintenance(self) -> MaintenanceRules:
        """When files are joined and deleted."""
        ...


@dataclass
class EventStream:
    """What a micro-batch needs. intake and sessions: the runs that hold the locks of the tables that it writes."""

    intake: Run
    sessions: Run
    conf: StreamSections
    reading: Reading
    known_until_us: int = 0
    is_replay: bool = True
    told_s: float = field(default_factory=time.monotonic)
    is_untold: bool = True
    maintained_s: float = field(default_factory=time.monotonic)

    def run(self, *, until_caught_up: bool) -> None:
        """Streams until it is told to stop, or until what is there now is in the lake."""
        is_of_files = not self.conf.stream.topic
        frame, take = (self._arrivals(), self.take_files) if is_of_files else (self._messages(), self.take)
        explained = explained_failures(self.reading.adapter)
        steps, files = Steps(explained(self._begin), explained(take), self.between), self.intake.lake.files
        with told_days(self.intake, self.reading.adapter.name, self._failed_days):
            try:
                run_stream(frame, self.conf.stream, files, steps, until_caught_up=until_caught_up)
            except Exception:
                with suppress(Exception):  # else the next start does it; what the caller must see is the first error
                    take_back_unfinished(self.intake)
                raise

    def _failed_days(self) -> Sequence[Sequence[object]]:
        if self.conf.stream.topic:
            return []
        return days_of_failed_files(
            self.intake.lake.spark, self.conf.source, self.reading.adapter, self.reading.zone, self.intake
        )

    def take_files(self, arrivals: DataFrame, number: int) -> None:
        """One micro-batch of files: all that the lake lacks, as ingest_events reads them, then their sessions."""
        lake = self.intake.lake
        self.intake.progress(f"batch {number}: files that came: {arrivals.count()}")
        before = lake.version(EVENTS)
        if self._take_in(f"batch {number}"):
            self._restate_since(before)

    def _take_in(self, when: str) -> bool:
        """Takes in all files that the lake lacks or has as they were read otherwise; False where there is none."""
        intake = open_intake(self.intake.lake.spark, self.conf.source, self.reading, self.intake)
        if intake is None:
            return False
        self.intake.progress(f"{when}: {intake.summary}")
        take_in(self.intake, intake)
        return True

    def _arrivals(self) -> DataFrame:
        return open_arrivals(
            self.intake.lake.spark, self.conf.source.path, self.reading.adapter.files, self.conf.stream
        )

    def _messages(self) -> DataFrame:
        refuse_other_readings(self.intake, self.reading)
        reading, messages = self.reading, open_messages(self.intake.lake.spark, self.conf.stream)
        rows = receive_messages(messages, reading.adapter)
        judged = judge_messages(rows, reading.adapter, reading.zone, reading.currency, "")
        return with_first_ids(rows, judged, self.conf.stream.lateness_s)

    def take(self, frame: DataFrame, number: int) -> None:
        """One micro-batch: its rows into the lake, then the sessions that they touch."""
        files = self.intake.lake.files
        batch_id = hashlib.sha256(f"{stream_id(files, self.conf.stream)} {number}".encode()).hexdigest()[:16]
        # Of the batches that come after a start only the first can have been taken in before.
        is_replay, self.is_replay = self.is_replay, False
        if is_replay and is_taken_in(self.intake, batch_id):
            frame.count()  # without an action the state would lack the batch; the start has brought its sessions
            return
        batch = MicroBatch(
            self.reading,
            batch_id,
            watermark_ms(files, self.conf.stream, number),
            self.known_until_us,
            self.conf.stream.lateness_s,
            self.conf.source.duplicate_horizon_days,
        )
        before = self.intake.lake.version(EVENTS)
        with persisted(frame) as rows:
            taken = take_messages(self.intake, rows, batch)
        self.known_until_us = taken.known_until_us
        if taken.n_rows:
            self._restate_since(before)

    def between(self) -> None:
        """What is due now and then while no micro-batch runs: the days told, since other jobs may ask, and upkeep."""
        now_s = time.monotonic()
        if self.is_untold and now_s - self.told_s > _TELL_EVERY_S:
            tell_days(self.intake, self.reading.adapter.name)
            self.told_s, self.is_untold = now_s, False
        if (
            self.conf.stream.maintain_every_h
            and now_s - self.maintained_s > self.conf.stream.maintain_every_h * _HOUR_S
        ):
            for table in (*output_tables(self.intake.job), *output_tables(self.sessions.job)):
                self.intake.progress(f"maintenance: {table.name}")
                maintain(self.intake.lake, table, self.conf.maintenance)
            self.maintained_s = time.monotonic()

    def _begin(self) -> None:
        """Brings the lake to where no batch is half in it and sessions are those of all its events.

        Of files it also takes in those that no arrival will tell of: that grew, or were read otherwise.
        """
        take_back_unfinished(self.intake)
        if not self.conf.stream.topic and has_files(
            self.intake.lake.spark, self.conf.source.path, self.reading.adapter.files
        ):
            self._take_in("start")
        self.sessions.read_on(EVENTS)
        self._catch_up()
        last = self.intake.read(EVENTS).agg(F.unix_micros(F.max("event_at"))).collect()[0][0]
        self.known_until_us = last or 0

    def _catch_up(self) -> None:
        """Sessions of what came since the last micro-batch whose sessions are known to be there."""
        told = json.loads(self.intake.lake.files.read_bytes(f"{self.conf.stream.folder}/{_TOLD}") or b"{}")
        now = self.sessions.version(EVENTS)
        # Only where nobody else wrote sessions since, with other rules, other code, or anew.
        made_by = self._made_by()
        is_as_left = {name: told.get(name) for name in made_by} == made_by
        self._restate(self.intake.lake.changes(EVENTS, told["version"], now) if is_as_left else None)

    def _restate_since(self, before: int) -> None:
        self.sessions.read_on(EVENTS)
        self.is_untold = True
        self._restate(self.intake.lake.changes(EVENTS, before, self.sessions.version(EVENTS)))

    def _restate(self, changes: DataFrame | None) -> None:
        """Sessions of the pinned events; of all of them where nothing tells what changed."""
        if changes is None:
            restate_sessions(self.sessions, self.conf.sessions, self.reading.zone, Attribution())
        else:
            restate_touched(self.sessions, self.sessions.read(EVENTS), changes, self.conf.sessions, self.reading.zone)
        self._tell()

    def _tell(self) -> None:
        """Writes down up to which version of silver.events the sessions are those of all events."""
        lake = self.intake.lake
        told = {"version": self.sessions.version(EVENTS), **self._made_by()}
        lake.files.write_bytes(f"{self.conf.stream.folder}/{_TOLD}", json.dumps(told).encode())

    def _made_by(self) -> dict[str, str | int]:
        """What tells silver.sessions, as it is now, from one that another made."""
        sessions = self.intake.lake.data_version(SESSIONS)
        return {"conf": self.sessions.hash_of_conf, "code": code_version(), "sessions": sessions}
