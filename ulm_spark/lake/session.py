"""The Spark session: Delta on, UTC, and whatever the cluster or the config file says."""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession

from ulm_spark.lake.scratch import own_scratch

# What the lake's correctness stands on; no config file may say otherwise.
REQUIRED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
}
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_QUIET_START = f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties').as_uri()}"


@dataclass(frozen=True)
class SparkSettings:
    """Section ``spark``: Spark's own settings by name, for a session that nobody submitted.

    Under spark-submit they are not used: there the command and the cluster decide.
    """

    settings: dict[str, str] = field(default_factory=dict)


def open_session(app_name: str, spark_settings: SparkSettings) -> SparkSession:
    """The running session, or a new one with Delta's extensions."""
    settings = dict(REQUIRED)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # set only where spark-submit started this process
        # Workers are started by name; without this they would be another Python than the driver's.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings = {"spark.sql.warehouse.dir": str(own_scratch("warehouse")), **spark_settings.settings, **REQUIRED}
        settings[_JAVA_OPTIONS] = f"{_QUIET_START} {settings.get(_JAVA_OPTIONS, '')}".strip()
    builder = SparkSession.builder.appName(app_name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    # Spark logs each failed task with its stack; what it then raises is caught and said in words.
    session.sparkContext.setLogLevel("FATAL")
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        # PySpark logs each error it raises as one line of JSON with the whole stack; ours are caught and said in words.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return session


@contextmanager
def changed_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of a running session while the block runs; as they were after it."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            if earlier is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, earlier)
