"""Raw files for a landing folder: the same lines always make the same files, and a reader sees all or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

from py4j.java_gateway import JavaObject
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ulm_spark.config.errors import RefusedError

MARKER = "_SIMULATED"
_SUFFIX = {"none": "", "gzip": ".gz"}


def land_lines(
    spark: SparkSession, lines: DataFrame, folder: str, fingerprint: str, files_per_day: int, compression: str
) -> bool:
    """Makes folder hold one file, or files_per_day, for each day on which lines arrived; tells whether it wrote.

    In:     line_key, of whole order within one instant; received_at; line, the bytes without the line end.
    Out:    yyyy-MM-dd.json, or yyyy-MM-dd-nnn.json, by (received_at, line_key), dated with the end of the day.
    Rule:   files are made in a folder beside it, which takes its place when complete. A folder made
            with the same fingerprint stays as it is. What a killed run left beside it is removed.
    Errors: RefusedError for a folder with files that were not made here.
    """
    tree = _Tree(spark, folder)
    if tree.read_marker() == fingerprint:
        return False
    tree.refuse_foreign_files()
    with tree.workshop() as (draft, ready):
        shard = F.pmod(F.xxhash64("line_key"), F.lit(files_per_day)).cast("int")
        dated = lines.select(F.to_date("received_at").alias("received_on"), shard.alias("shard"), "received_at", "line_key", "line")
        # The columns that name a file are no strings: for those Spark would sort again, and lose the order of the lines.
        files = (
            dated.repartition("received_on", "shard")
            .sortWithinPartitions("received_on", "shard", "received_at", "line_key")
            .select("received_on", "shard", F.col("line").cast("string").alias("value"))
        )
        writer = files.write.partitionBy("received_on", "shard").mode("overwrite")
        writer.option("compression", compression).text(draft)
        tree.collect_files(draft, ready, files_per_day > 1, _SUFFIX[compression])
        tree.put_in_place(ready, fingerprint)
    return True


class _Tree:
    """The landing folder on its Hadoop file system."""

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

    def read_marker(self) -> str | None:
        """The fingerprint of the files that are there, None where none were made here."""
        marker = self._path(self._folder, MARKER)
        if not self._fs.exists(marker):
            return None
        stream = self._fs.open(marker)
        try:
            return bytes(self._io.toByteArray(stream)).decode()
        finally:
            stream.close()

    def refuse_foreign_files(self) -> None:
        """RefusedError where the folder holds anything, but no marker."""
        if not self._fs.exists(self._folder) or self.read_marker() is not None:
            return
        n_files = len(self._fs.listStatus(self._folder))
        if n_files:
            raise RefusedError(
                f"{self._folder}: found {n_files} files that no simulation made; expected an empty folder or an earlier "
                "simulation's. Name another folder in simulation.landing."
            )

    @contextmanager
    def workshop(self) -> Iterator[tuple[str, str]]:
        """Two empty folders beside the landing folder, gone afterwards: one for Spark, one for the finished files."""
        beside = self._path(self._folder.getParent(), f".{self._folder.getName()}.simulating")
        self._fs.delete(beside, True)
        try:
            yield self._path(beside, "draft").toString(), self._path(beside, "ready").toString()
        finally:
            self._fs.delete(beside, True)

    def collect_files(self, draft: str, ready: str, has_shards: bool, suffix: str) -> None:
        """Gives each file its name and date."""
        target = self._hadoop.fs.Path(ready)
        self._fs.mkdirs(target)
        for day in self._folders(self._hadoop.fs.Path(draft)):
            day_on = day.getName().split("=")[1]
            for shard in self._folders(day):
                number = f"-{int(shard.getName().split('=')[1]):03d}" if has_shards else ""
                parts = [s.getPath() for s in self._fs.listStatus(shard) if s.getPath().getName().startswith("part-")]
                assert len(parts) == 1, "one task writes the lines of one file"
                named = self._path(target, f"{day_on}{number}.json{suffix}")
                self._fs.rename(parts[0], named)
                self._date(named, day_on)

    def put_in_place(self, ready: str, fingerprint: str) -> None:
        """Replaces the landing folder by the finished one."""
        source = self._hadoop.fs.Path(ready)
        stream = self._fs.create(self._path(source, MARKER), True)
        stream.write(bytearray(fingerprint.encode()))
        stream.close()
        self._fs.delete(self._folder, True)
        self._fs.mkdirs(self._folder.getParent())
        self._fs.rename(source, self._folder)

    def _date(self, path: JavaObject, day_on: str) -> None:
        # The same files have the same times, so that a reader who knows them does not read them again.
        # Object stores ignore the call.
        end = datetime.combine(date.fromisoformat(day_on) + timedelta(days=1), time(), tzinfo=UTC)
        self._fs.setTimes(path, int(end.timestamp()) * 1000, -1)

    def _folders(self, path: JavaObject) -> list[JavaObject]:
        return [s.getPath() for s in self._fs.listStatus(path) if s.isDirectory()]

    def _path(self, parent: JavaObject, name: str) -> JavaObject:
        return self._hadoop.fs.Path(parent, name)
