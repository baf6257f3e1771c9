"""Which tables have become slow to read or keep what nobody can ask for, and what is done about it?"""

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Row
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.table import Table
from ulm_spark.lake.session import changed_settings
from ulm_spark.lake.store import SPARED_DAYS, Lake

_DAY_S = 86_400
# Up to which size files are joined, and which ones are too small to be left alone.
_FILE_SIZES = ("spark.databricks.delta.optimize.maxFileSize", "spark.databricks.delta.optimize.minFileSize")


@dataclass(frozen=True)
class MaintenanceRules:
    """Section ``maintenance``.

    min_files: a table with fewer data files is left as it is. file_mb: size that files are joined up to, in
    2^20 bytes; smaller ones are more easily left out by a day's run, larger ones are fewer. vacuum_days: files
    that no version of the last so many days needs are deleted; older versions can't be read any more then. At
    least 7: running jobs, time travel and the record of changes still need what is younger.
    """

    min_files: int = 32
    file_mb: int = 128
    vacuum_days: int = 30

    def __post_init__(self) -> None:
        require(self.min_files >= 2, "maintenance.min_files", self.min_files, "at least 2")
        require(self.file_mb >= 1, "maintenance.file_mb", self.file_mb, "at least 1")
        require(self.vacuum_days >= SPARED_DAYS, "maintenance.vacuum_days", self.vacuum_days, "at least 7 days")


@dataclass(frozen=True)
class Maintained:
    """What was done to one table. is_vacuumed: true where old files were looked for."""

    name: str
    version: int
    n_files_before: int
    n_files: int
    size_bytes: int
    is_vacuumed: bool


def maintain(lake: Lake, table: Table, rules: MaintenanceRules, now: datetime | None = None) -> Maintained | None:
    """Joins a table's small files, clustered as its contract says, and deletes files out of reach.

    Rule: files are joined within a partition. Tables whose number of files is itself a promise
          (Table.keeps_files) are not rewritten. A table younger than vacuum_days has nothing to delete.
          No row and no version in reach changes.
    Edge: None where the table was never written.
    """
    if not lake.exists(table):
        return None
    before = _detail(lake, table)
    is_many = before["numFiles"] >= rules.min_files and not table.keeps_files
    if is_many:
        size = str(rules.file_mb * 2**20)
        with changed_settings(lake.spark, dict.fromkeys(_FILE_SIZES, size)):
            lake.spark.sql(f"OPTIMIZE {lake.identifier(table)}")
    is_old = before["created_s"] < (now or datetime.now(UTC)).timestamp() - rules.vacuum_days * _DAY_S
    if is_old:
        lake.spark.sql(f"VACUUM {lake.identifier(table)} RETAIN {24 * rules.vacuum_days} HOURS")
    after = _detail(lake, table) if is_many else before
    return Maintained(
        name=table.name,
        version=lake.version(table),
        n_files_before=int(before["numFiles"]),
        n_files=int(after["numFiles"]),
        size_bytes=int(after["sizeInBytes"]),
        is_vacuumed=is_old,
    )


def _detail(lake: Lake, table: Table) -> Row:
    detail = lake.spark.sql(f"DESCRIBE DETAIL {lake.identifier(table)}")
    # As a number: Spark gives timestamps to Python in the machine's own zone.
    return detail.select("numFiles", "sizeInBytes", F.unix_seconds("createdAt").alias("created_s")).collect()[0]
