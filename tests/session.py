"""The small local Spark session that tests and fixtures share."""

from pathlib import Path

from pyspark.sql import SparkSession

from ulm_spark.lake.session import SparkSettings, open_session

# On two cores the threads of G1 and of the optimising compiler are in the way: a test's plans run for a moment, and
# half of all processor time went into compiling them. What runs ten times as often as usual is still compiled.
_JAVA_OPTIONS = (
    "-XX:+UseParallelGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
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


def small_session(scratch: Path) -> SparkSession:
    """A session whose warehouse lies in scratch."""
    settings = {
        **SETTINGS,
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.local.dir": str(scratch),
    }
    return open_session("tests", SparkSettings(settings))
