"""The small local Spark session that tests and fixtures share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import SparkSession

from ulm_spark.lake.session import SparkSettings, open_session

# On two cores the threads of a parallel collector and of the optimising compiler are in the way: a test's plans run
# for a moment, and half of all processor time went into compiling them. What runs ten times as often as usual still is.
_JAVA_OPTIONS = (
    "-XX:+UseSerialGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1500m",
    "spark.driver.extraJavaOptions": _JAVA_OPTIONS,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.databricks.delta.delta.log.cacheSize": "30",
}


_COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
# Over a few rows, Java made for a plan costs more than it saves: a third of the time of a test of jobs.
_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def small_session(scratch: Path) -> SparkSession:
    """A session whose warehouse lies in scratch; it interprets plans, unless it is asked to compile them."""
    settings = {
        **SETTINGS,
        **_INTERPRETED,
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.local.dir": str(scratch),
    }
    return open_session("tests", SparkSettings(settings))


@contextmanager
def compiling(spark: SparkSession) -> Iterator[None]:
    """Plans are compiled within, as they are for users."""
    for name, value in _COMPILED.items():
        spark.conf.set(name, value)
    yield
    for name, value in _INTERPRETED.items():
        spark.conf.set(name, value)
