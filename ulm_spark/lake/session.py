"""The Spark session: Delta on, UTC, and whatever the cluster or the config file says."""

import logging
import os
import sys
import tempfile
from dataclasses import dataclass, field

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

# What the lake's correctness stands on; no config file may say otherwise.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
}


@dataclass(frozen=True)
class SparkSettings:
    """Section ``spark``: Spark's own settings by name, for a session that nobody submitted.

    Under spark-submit what the command and the cluster say wins; these fill what they leave open.
    """

    settings: dict[str, str] = field(default_factory=dict)


def open_session(app_name: str, spark_settings: SparkSettings) -> SparkSession:
    """The running session, or a new one with Delta's extensions."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        # Workers are started by name; without this they would be another Python than the driver's.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    for key, value in {**_scratch_folders(), **_open_settings(spark_settings.settings), **REQUIRED}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        # PySpark logs each error it raises as one line of JSON with the whole stack; ours are caught and said in words.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return session


def _open_settings(settings: dict[str, str]) -> dict[str, str]:
    """The settings that spark-submit has not decided already."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # set only where spark-submit started this process
        return settings
    SparkContext._ensure_initialized()
    submitted = SparkConf()
    return {key: value for key, value in settings.items() if not submitted.contains(key)}


def _scratch_folders() -> dict[str, str]:
    """Keep the embedded metastore and warehouse, which Spark would drop into the current folder, away from it."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return {}
    scratch = os.path.join(tempfile.gettempdir(), f"ulm-spark-{os.getuid()}")
    return {"spark.sql.warehouse.dir": os.path.join(scratch, "warehouse")}
