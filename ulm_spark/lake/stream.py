"""What a stream reads, and where it keeps how far it is."""

import json
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession

from ulm_spark.config.errors import StreamError
from ulm_spark.config.require import path_uri, require
from ulm_spark.lake.files import Files

_SERVER = re.compile(r"(?:\w+://)?\[?([^\[\]/\s]+)\]?:(\d+)")  # as Kafka's own clients read one
_CONNECT_S = 5
_EVER = "36500d"
# Spark's options that other settings of the section stand for.
_OWN_OPTIONS = ("kafka.bootstrap.servers", "subscribe", "subscribePattern", "assign", "maxOffsetsPerTrigger")


@dataclass(frozen=True)
class StreamConf:
    """Section ``stream``.

    bootstrap_servers: Kafka's brokers, as host:port with commas between. topic: the topic, or several with
    commas between; empty for the files of source.path as they come, where a file that grew or was replaced is
    read again with the next new one, or at the next start. name: of the folder in the lake where the
    stream keeps how far it is; another name begins with the oldest message. lateness_s: seconds behind the
    latest event within which the stream knows by itself whether it had an event; older ones are looked up in
    the lake, and where source.duplicate_horizon_days is 0 all are. every_s: seconds from the beginning of one
    micro-batch to the next, 0 for at once. most_rows: messages that one takes at most. maintain_every_h: hours
    after which the stream does for its tables what maintain_lake does for the others, 0 for never. options:
    further options of Spark's Kafka source, such as kafka.security.protocol.
    """

    bootstrap_servers: str = ""
    topic: str = ""
    name: str = "events"
    lateness_s: int = 7200
    every_s: int = 0
    most_rows: int = 100_000
    maintain_every_h: int = 24
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        is_name = bool(self.name) and all(letter.isalnum() or letter in "-_" for letter in self.name)
        require(is_name, "stream.name", f"'{self.name}'", "letters, digits, - and _")
        for name, least in (("lateness_s", 1), ("every_s", 0), ("most_rows", 1), ("maintain_every_h", 0)):
            require(getattr(self, name) >= least, f"stream.{name}", getattr(self, name), f"at least {least}")
        own = {name.lower() for name in _OWN_OPTIONS}
        taken = sorted(name for name in self.options if name.lower() in own)
        require(
            not taken,
            "stream.options",
            ", ".join(taken),
            "none that bootstrap_servers, topic and most_rows stand for",
        )

    @property
    def folder(self) -> str:
        """Where the stream keeps how far it is, relative to the lake's root."""
        return f"_streams/{self.name}"

    @property
    def checkpoint(self) -> str:
        """Spark's own part of it."""
        return f"{self.folder}/checkpoint"


def open_messages(spark: SparkSession, conf: StreamConf) -> DataFrame:
    """The topic's messages, from the oldest on. Out: Kafka's columns, a streaming frame.

    Errors: ConfigError; StreamError where no broker is there, since Kafka's client would look for one in silence.
    """
    for name in ("bootstrap_servers", "topic"):
        require(bool(getattr(conf, name)), f"stream.{name}", "nothing", "a value")
    _refuse_no_broker(conf.bootstrap_servers)
    given = {"startingOffsets": "earliest", "failOnDataLoss": "true", **conf.options}
    fixed = {
        "kafka.bootstrap.servers": conf.bootstrap_servers,
        "subscribe": conf.topic,
        "maxOffsetsPerTrigger": str(conf.most_rows),
    }
    return spark.readStream.format("kafka").options(**given, **fixed).load()


def _refuse_no_broker(servers: str) -> None:
    for server in servers.split(","):
        named = _SERVER.fullmatch(server.strip())
        require(named is not None, "stream.bootstrap_servers", f"'{server.strip()}'", "host:port")
        assert named is not None
        with suppress(OSError), socket.create_connection((named[1], int(named[2])), _CONNECT_S):
            return
    raise StreamError(
        f"stream.bootstrap_servers: found nobody who takes a connection at {servers}; expected a Kafka broker. "
        "See that one runs, that the address is right and that this machine may reach it, and start the stream again."
    )


def known_failure(said: str, conf: StreamConf) -> StreamError | None:
    """What Spark said when its source ended the stream, in words that tell what to do; None for an unknown cause."""
    if "UnknownTopicOrPartition" in said:
        return StreamError(
            f"stream.topic: found no such topic as one of {conf.topic} on {conf.bootstrap_servers}; expected all of "
            "them. Make it, or correct the name, and start the stream again."
        )
    if "data may have been" in said:  # lost, or missed
        return StreamError(
            f"stream {conf.name}: found messages of {conf.topic} gone that it had not read, or the topic made anew; "
            "expected all since it last ran. Start with another stream.name, which begins with the oldest message "
            "there is and doubles no event, or set failOnDataLoss to false in stream.options to go on without them."
        )
    return None


def open_arrivals(spark: SparkSession, path: str, patterns: Sequence[str], conf: StreamConf) -> DataFrame:
    """Files that come into a folder, or match a pattern, each once. Out: path, a streaming frame."""
    options = {
        "pathGlobFilter": f"{{{','.join(patterns)}}}",
        "recursiveFileLookup": "true",
        "maxFileAge": _EVER,  # a file that is moved here keeps its time, which may be long before the others'
    }
    schema = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"
    arrivals = spark.readStream.format("binaryFile").schema(schema).options(**options)
    return arrivals.load(path_uri(path, "source.path")).select("path")


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
