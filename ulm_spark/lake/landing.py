"""Raw files for a landing folder: the same lines always make the same files, and a reader sees all or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

from py4j.java_gateway import JavaObject
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ulm_spark.config.errors import RefusedError

MARKER = "_SIMULATED"
OUTDATED = "outdated"
_SUFFIX = {"none": "", "gzip": ".gz"}


class Landing:
    """The folder to which raw files come, on any Hadoop path."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        assert spark.sparkContext._jvm is not None
        self._hadoop = spark.sparkContext._jvm.org.apache.hadoop
        self._io = spark.sparkContext._jvm.org.apache.commons.io.IOUtils
        path = self._hadoop.fs.Path(folder)
        self._fs = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
        # On a local disk, the file system below the one that writes checksum files beside each file.
        if self._fs.getUri().getScheme() == "file":
            self._fs = self._fs.getRawFileSystem()
        self._folder = self._fs.makeQualified(path)

    def holds(self, fingerprint: str) -> bool:
        """True where the folder holds the complete files of that fingerprint."""
        return self._read_marker() == fingerprint

    def begin(self) -> None:
        """Marks files of an earlier simulation as outdated.

        Errors: RefusedError for a folder with files that no simulation made.
        """
        if not self._fs.exists(self._folder):
            return
        n_files = len(self._fs.listStatus(self._folder))
        if n_files and self._read_marker() is None:
            raise RefusedError(
                f"{self._folder}: found {n_files} files that no simulation made; expected an empty folder or an "
                "earlier simulation's. Name another folder in simulation.landing."
            )
        self._write_marker(self._folder, OUTDATED)

    def write(self, lines: DataFrame, fingerprint: str, files_per_day: int, compression: str) -> None:
        """Makes the folder hold one file, or files_per_day, for each day on which lines arrived, and nothing else.

        In:     line_key, of total order within one instant; received_at; line, the bytes without the line end.
        Out:    yyyy-MM-dd.json, or yyyy-MM-dd-nnn.json, by (received_at, line_key), dated with the end of the day.
        Rule:   files are made in a folder beside it, which takes its place when complete. What a
                killed run left there is removed.
        """
        shard = F.pmod(F.xxhash64("line_key"), F.lit(files_per_day)).cast("int")
        dated = lines.withColumns({"received_on": F.to_date("received_at"), "shard": shard})
        # The columns that name a file are no strings: for those Spark would sort again and lose the lines' order.
        files = (
            dated.repartition("received_on", "shard")
            .sortWithinPartitions("received_on", "shard", "received_at", "line_key")
            .select("received_on", "shard", F.col("line").cast("string").alias("value"))
        )
        with self._workshop() as (draft, ready):
            writer = files.write.partitionBy("received_on", "shard").option("compression", compression)
            writer.text(draft.toString())
            self._name_files(draft, ready, files_per_day > 1, _SUFFIX[compression])
            self._write_marker(ready, fingerprint)
            self._fs.delete(self._folder, True)
            self._move(ready, self._folder)

    def _read_marker(self) -> str | None:
        marker = self._path(self._folder, MARKER)
        if not self._fs.exists(marker):
            return None
        stream = self._fs.open(marker)
        try:
            return bytes(self._io.toByteArray(stream)).decode()
        finally:
            stream.close()

    def _write_marker(self, folder: JavaObject, content: str) -> None:
        stream = self._fs.create(self._path(folder, MARKER), True)
        stream.write(bytearray(content.encode()))
        stream.close()

    @contextmanager
    def _workshop(self) -> Iterator[tuple[JavaObject, JavaObject]]:
        """Two folders beside the landing folder, gone afterwards: one for Spark, one for the finished files."""
        beside = self._path(self._folder.getParent(), f".{self._folder.getName()}.simulating")
        self._fs.delete(beside, True)
        try:
            ready = self._path(beside, "ready")
            self._fs.mkdirs(ready)
            yield self._path(beside, "draft"), ready
        finally:
            self._fs.delete(beside, True)

    def _name_files(self, draft: JavaObject, ready: JavaObject, has_shards: bool, suffix: str) -> None:
        for day in self._folders(draft):
            day_on = day.getName().split("=")[1]
            for shard in self._folders(day):
                number = f"-{int(shard.getName().split('=')[1]):03d}" if has_shards else ""
                parts = [s.getPath() for s in self._fs.listStatus(shard) if s.getPath().getName().startswith("part-")]
                assert len(parts) == 1, "one task writes all lines of a file"
                named = self._path(ready, f"{day_on}{number}.json{suffix}")
                self._move(parts[0], named)
                self._date(named, day_on)

    def _move(self, source: JavaObject, target: JavaObject) -> None:
        if not self._fs.rename(source, target):  # Hadoop says no by its answer, not by an error
            raise RefusedError(f"{target}: found that {source} can't be moved there; expected a folder that takes it.")

    def _date(self, path: JavaObject, day_on: str) -> None:
        # The same files have the same times, so that a reader who knows them does not read them again.
        # Object stores ignore the call.
        end = datetime.combine(date.fromisoformat(day_on) + timedelta(days=1), time(), tzinfo=UTC)
        self._fs.setTimes(path, int(end.timestamp()) * 1000, -1)

    def _folders(self, path: JavaObject) -> list[JavaObject]:
        return [s.getPath() for s in self._fs.listStatus(path) if s.isDirectory()]

    def _path(self, parent: JavaObject, name: str) -> JavaObject:
        return self._hadoop.fs.Path(parent, name)
