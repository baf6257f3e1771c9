"""Messages of a shop, and the lakes that a stream and a batch make of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from jobs import ingest_events, sessionize, stream_events
from tests.events.ingesting import MemoryLedger, ingest
from tests.flows.kafka_broker import Broker
from tests.frames import texts_of
from tests.sessions.shoppers import at
from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.events.batch import SourceConf
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.lake.stream import StreamConf
from ulm_spark.sessions.sessionize import sessionize as sessionize_events

AS_OF = date(2024, 3, 31)
# Where and when a row came: a message's offset is no file's line.
_LINEAGE = ("batch_id", "source_file", "source_line", "received_at")
Message = tuple[str | None, bytes | None]
Facts = dict[str, list[str]]


def message(event_id: str, event_at: datetime, received_at: datetime, user_id: str = "u", **said: object) -> bytes:
    """A view, as the adapter native_json reads it, unless it says otherwise."""
    event = {
        "event_id": event_id,
        "event_at": event_at.isoformat(),
        "received_at": received_at.isoformat(),
        "event_type": "view",
        "user_id": user_id,
        "product_id": f"p{len(event_id)}",
        "unit_price": "2.50",
    }
    return json.dumps({**event, **said}).encode()


def views(first: int, n: int, minutes: float = 4) -> list[Message]:
    """So many views of nine users, one after the other, each told as it happened."""
    times = [at(minutes * number) for number in range(first, first + n)]
    rows = [message(f"e{first + k:04}", time, time, f"u{(first + k) % 9}") for k, time in enumerate(times)]
    return [(f"e{first + k:04}", row) for k, row in enumerate(rows)]


def stream_conf(broker: Broker, topic: str, folder: Path, **stream: object) -> stream_events.Conf:
    """A lake below the folder that a topic's messages go to; copies are looked for a day around."""
    conf = StreamConf(broker.servers, topic, **stream)  # type: ignore[arg-type]
    return stream_events.Conf(
        lake=LakeConf(root=str(folder / "lake")), source=SourceConf(duplicate_horizon_days=1), stream=conf
    )


def file_stream_conf(folder: Path) -> stream_events.Conf:
    """A lake below the folder that the files of its folder ``arriving`` go to, as they come."""
    arriving = folder / "arriving"
    arriving.mkdir()
    source = SourceConf(path=str(arriving), duplicate_horizon_days=1)
    return stream_events.Conf(lake=LakeConf(root=str(folder / "lake")), source=source, stream=StreamConf())


def stream_all(spark: SparkSession, conf: stream_events.Conf, most_rows: int = 0) -> Facts:
    """Streams until the lake has what there is."""
    stream = replace(conf.stream, most_rows=most_rows or conf.stream.most_rows)
    stream_events.run(spark, replace(conf, stream=stream), AS_OF, until_caught_up=True)
    return facts(spark, conf.lake)


def ingest_all(
    spark: SparkSession, conf: stream_events.Conf, folder: Path, parts: Sequence[Sequence[Message]]
) -> Facts:
    """What the batch jobs make of the same lines in files, one a part, in a lake of their own."""
    landing = folder / "landing"
    landing.mkdir(parents=True)
    source, lake = replace(conf.source, path=str(landing)), LakeConf(root=str(folder / "lake"))
    for number, part in enumerate(parts):
        write_lines(landing / f"{number:03}.json", part)
        ingest_events.run(spark, ingest_events.Conf(lake, conf.spark, conf.shop, source), AS_OF)
        sessionize.run(spark, sessionize.Conf(lake, conf.spark, conf.shop, conf.sessions), AS_OF)
    return facts(spark, lake)


def judge_all(spark: SparkSession, conf: stream_events.Conf, folder: Path, rows: Sequence[Message]) -> Facts:
    """What both jobs make of the lines in one file, over tables in memory, which takes seconds."""
    folder.mkdir()
    write_lines(folder / "all.json", rows)
    horizon_days, shop = conf.source.duplicate_horizon_days, conf.shop
    ledger = ingest(MemoryLedger(spark), folder, "native_json", "stop", shop.zone, shop.currency, horizon_days)
    kept = ledger.read(EVENTS)
    return _facts(kept, sessionize_events(kept, conf.sessions, shop.zone), ledger.read(QUARANTINE))


def write_lines(path: Path, rows: Sequence[Message]) -> None:
    """The messages as the lines of a file; one without a value is no line."""
    path.write_bytes(b"".join(value + b"\n" for _, value in rows if value is not None))


def facts(spark: SparkSession, lake_conf: LakeConf) -> Facts:
    """Events less their lineage, sessions, and the lines in quarantine with their reasons; to the row."""
    lake = Lake(spark, lake_conf)
    raw, kept, refused = (lake.read(table) for table in (RAW_EVENTS, EVENTS, QUARANTINE))
    counted = lake.read(INGESTED_FILES).selectExpr("sum(n_rows)", "sum(n_quarantined)").collect()[0]
    n_raw, n_refused = raw.count(), refused.count()
    assert (n_raw, n_raw - n_refused) == (counted[0] or 0, kept.count()), "raw = kept + quarantined"
    return _facts(kept, lake.read(SESSIONS), refused)


def _facts(kept: DataFrame, sessions: DataFrame, refused: DataFrame) -> Facts:
    return {
        "events": texts_of(kept.drop(*_LINEAGE)),
        "sessions": texts_of(sessions),
        "quarantine": texts_of(refused.select("line", "reason")),
    }
