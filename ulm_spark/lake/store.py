"""Where the tables are, and how a frame gets in and out of them."""

import json
import time
from dataclasses import dataclass

from delta.tables import DeltaTable
from py4j.java_gateway import JavaObject
from pyspark import StorageLevel
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from ulm_spark.config.errors import ConfigError, ContractError
from ulm_spark.contracts.table import Table
from ulm_spark.lake.differences import IS_GONE, differences, summarise_differences, whereabouts
from ulm_spark.lake.files import Files, open_files
from ulm_spark.lake.literal import frame_of, schema_of
from ulm_spark.lake.persisted import persisted

_LAYS_ANEW = ("OPTIMIZE", "VACUUM START", "VACUUM END")
_NO_CHANGE_DATA = "DELTA_MISSING_CHANGE_DATA"
_DAY_S = 86_400
SPARED_DAYS = 7  # whatever VACUUM is told, Delta's own guard keeps so much


@dataclass(frozen=True)
class LakeConf:
    """Section ``lake``.

    root: folder on any Hadoop path (file, hdfs, s3a, abfss); tables lie below it unless catalog
    is set, models, locks and reports always. catalog: name of a catalog, or catalog and prefix;
    tables are then ``catalog.layer.noun``. lock_expiry_s: seconds without a sign of life after
    which another machine's run counts as dead.
    """

    root: str = ".ulm/lake"
    catalog: str = ""
    lock_expiry_s: int = 120

    def __post_init__(self) -> None:
        if not self.root:
            raise ConfigError("lake.root: found nothing; expected a folder. Name one in the config.")
        if self.lock_expiry_s < 4:
            raise ConfigError(
                f"lake.lock_expiry_s: found {self.lock_expiry_s}; expected at least 4 seconds. Raise it in the config."
            )


@dataclass(frozen=True)
class Written:
    """What one write did: the table's version after it, and the rows it put there."""

    version: int
    n_rows: int


class Lake:
    """The tables of one installation."""

    def __init__(self, spark: SparkSession, conf: LakeConf) -> None:
        self.spark = spark
        self.conf = conf
        self.files: Files = open_files(spark, conf.root)

    @property
    def root(self) -> str:
        """The lake's folder, absolute."""
        return self.files.root

    def path(self, table: Table) -> str:
        """The folder of a table that is kept by path."""
        return f"{self.root}/{table.layer}/{table.noun}"

    def identifier(self, table: Table) -> str:
        """The table as SQL names it."""
        if self.conf.catalog:
            return f"{self.conf.catalog}.{table.name}"
        return f"delta.`{self.path(table)}`"

    def exists(self, table: Table) -> bool:
        """True where the table was ever written."""
        if self.conf.catalog:
            return self.spark.catalog.tableExists(self.identifier(table))
        return DeltaTable.isDeltaTable(self.spark, self.path(table))

    def create(self, table: Table) -> None:
        """Makes the table by its contract unless it is there."""
        if self.exists(table):
            return
        if self.conf.catalog:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {self.conf.catalog}.{table.layer}")
        self.spark.sql(table.create_ddl(self.identifier(table)))

    def version(self, table: Table) -> int:
        """The latest version, -1 where the table was never written."""
        return int(self._last_version(table)) if self.exists(table) else -1

    def made_at_s(self, table: Table) -> float | None:
        """When the table was made, in seconds since 1970; None where it never was."""
        if not self.exists(table):
            return None
        if self.conf.catalog:
            detail = self.spark.sql(f"DESCRIBE DETAIL {self.identifier(table)}")
            return float(detail.select(F.unix_millis("createdAt")).collect()[0][0]) / 1000
        return float(self._snapshot(table).metadata().createdTime().get()) / 1000

    def data_version(self, table: Table, until: int | None = None) -> int:
        """The latest version, up to one where it is given, that may have changed rows.

        Those after it only laid files anew. -1 as for version.
        """
        version = self.version(table) if until is None else until
        while version > 0 and self._commit_info(table, version).get("operation") in _LAYS_ANEW:
            version -= 1
        return version

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The table, as of a version where one is given; empty where it was never written."""
        if version == -1 or (version is None and not self.exists(table)):
            return frame_of(self.spark, table, [])
        if version is None:
            return self.spark.table(self.identifier(table))
        return self.spark.sql(f"SELECT * FROM {self.identifier(table)} VERSION AS OF {version}")

    def changes(self, table: Table, after: int, until: int) -> DataFrame | None:
        """The rows inserted, deleted and updated (as they were and as they are) after one version, up to another.

        Out:  the table's columns; _change_type: insert, delete, update_preimage or update_postimage;
              _commit_version, the version that the change made.
              None where that can't be told: the table did not record changes all along, or the
              version is so old that files of it may have been vacuumed.
        """
        if after == until:
            none = {"_change_type": F.lit(""), "_commit_version": F.lit(until).cast("bigint")}
            return self.read(table, until).limit(0).withColumns(none)
        if not 0 <= after < until or not self._is_recent(table, after + 1):
            return None
        feed = self.spark.read.options(readChangeFeed=True, startingVersion=after + 1, endingVersion=until)
        try:
            found = (
                feed.table(self.identifier(table)) if self.conf.catalog else feed.format("delta").load(self.path(table))
            )
        except AnalysisException as error:
            if error.getCondition() == _NO_CHANGE_DATA:
                return None
            raise
        return found.select(*table.column_names, "_change_type", "_commit_version")

    def is_empty(self, table: Table) -> bool:
        """True where no data file is active."""
        if self.conf.catalog:
            detail = self.spark.sql(f"DESCRIBE DETAIL {self.identifier(table)}").first()
            return detail is not None and int(detail["numFiles"]) == 0
        return int(self._snapshot(table).numOfFiles()) == 0

    def append(self, frame: DataFrame, table: Table) -> Written:
        """Adds rows. Not idempotent: for a caller that cleans up after a killed run itself."""
        check_frame(frame, table)
        before = self.version(table)
        self._save(frame.write.format("delta").mode("append"), table)
        return self._written(table, before)

    def replace_slice(self, frame: DataFrame, table: Table, condition: str) -> Written:
        """Replaces the rows that meet the condition by the frame, whose rows must all meet it."""
        check_frame(frame, table)
        before = self.version(table)
        self._save(frame.write.format("delta").mode("overwrite").option("replaceWhere", condition), table)
        return self._written(table, before)

    def merge(self, frame: DataFrame, table: Table, *, delete_missing: bool, part: DataFrame | None = None) -> Written:
        """Upserts by key: inserts, updates rows that differ, and where asked deletes what the frame lacks.

        part: rows of the table, where the frame holds all that shall be in their place and nothing
        that is elsewhere in the table: only they are looked at.
        """
        check_frame(frame, table)
        if self.is_empty(table):
            return self.append(frame, table)
        before = self.version(table)
        # Only what differs goes into the MERGE: it would rewrite every file that holds a key of the frame.
        compared = differences(self.read(table, before) if part is None else part, frame, table, delete_missing)
        with persisted(compared, StorageLevel.DISK_ONLY) as changes:
            found = summarise_differences(changes, table)
            if found.n_rows == 0:
                return Written(before, 0)
            if found.most_of_a_key > 1:
                raise ContractError(
                    f"{table.name}: found a frame with {found.most_of_a_key} rows of one key; expected one. "
                    f"Make {', '.join(table.key)} unique."
                )
            if found.are_new:
                return self.append(changes.select(*table.column_names), table)
            self._merge_changes(changes, table, "" if part is None else whereabouts(found.days, table))
        return self._written(table, before)

    def _merge_changes(self, changes: DataFrame, table: Table, whereabouts: str) -> None:
        on_key = " AND ".join(f"kept.`{name}` = fresh.`{name}`" for name in table.key) + whereabouts
        values: dict[str, str | Column] = {f"`{name}`": f"fresh.`{name}`" for name in table.column_names}
        kept = DeltaTable.forName(self.spark, self.identifier(table)).alias("kept")
        merge = kept.merge(changes.alias("fresh"), on_key)
        merge = merge.whenMatchedDelete(condition=f"fresh.{IS_GONE}").whenMatchedUpdate(set=values)
        merge.whenNotMatchedInsert(condition=f"NOT fresh.{IS_GONE}", values=values).execute()

    def delete(self, table: Table, condition: str) -> None:
        """Deletes the rows that meet the condition."""
        self.spark.sql(f"DELETE FROM {self.identifier(table)} WHERE {condition}")

    def _written(self, table: Table, before: int) -> Written:
        """What the last commit did; nothing where Delta found nothing to commit."""
        version = self._last_version(table)
        if version == before:
            return Written(version, 0)
        return Written(version, _rows_written(self._commit_info(table, version).get("operationMetrics")))

    def _last_version(self, table: Table) -> int:
        if self.conf.catalog:
            row = self.spark.sql(f"DESCRIBE HISTORY {self.identifier(table)} LIMIT 1").first()
            assert row is not None  # a Delta table has at least the commit that made it
            return int(row["version"])
        return int(self._snapshot(table).version())

    def _snapshot(self, table: Table) -> JavaObject:
        """Delta's own view of a table kept by path; to ask SQL for it costs a Spark job, and it is asked for often."""
        jvm = self.spark.sparkContext._jvm
        assert jvm is not None
        none = jvm.scala.Option.empty()
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.spark._jsparkSession, self.path(table))
        return log.update(False, none, none)

    def _commit_info(self, table: Table, version: int) -> dict[str, object]:
        """operation, operationMetrics and timestamp (ms since 1970) of a commit; empty where the log has it no more."""
        if self.conf.catalog:
            history = self.spark.sql(f"DESCRIBE HISTORY {self.identifier(table)}").where(F.col("version") == version)
            made_ms = F.unix_millis("timestamp").alias("timestamp")
            rows = history.select("operation", "operationMetrics", made_ms).collect()
            return rows[0].asDict() if rows else {}
        commit = self.files.read_bytes(f"{table.layer}/{table.noun}/_delta_log/{version:020d}.json") or b""
        infos = (json.loads(line).get("commitInfo") for line in commit.splitlines())
        return next((info for info in infos if info), {})

    def _is_recent(self, table: Table, version: int) -> bool:
        """True where a version's files are still there, since Delta's VACUUM spares what was removed of late."""
        made_ms = self._commit_info(table, version).get("timestamp")
        return isinstance(made_ms, int) and made_ms / 1000 > time.time() - (SPARED_DAYS - 1) * _DAY_S

    def _save(self, writer: DataFrameWriter, table: Table) -> None:
        if self.conf.catalog:
            writer.saveAsTable(self.identifier(table))
        else:
            writer.save(self.path(table))


def check_frame(frame: DataFrame, table: Table) -> None:
    """Refuses a frame whose columns differ from the contract's in name, order or type."""
    promised = [(f.name, f.dataType.simpleString()) for f in schema_of(table)]
    found = [(f.name, f.dataType.simpleString()) for f in frame.schema]
    if found == promised:
        return
    missing = [name for name, _ in promised if name not in frame.columns]
    extra = [name for name in frame.columns if name not in table.column_names]
    retyped = [f"{n} is {t}" for (n, t), known in ((pair, dict(promised)) for pair in found) if known.get(n, t) != t]
    findings = [
        f"{label}: {', '.join(names)}"
        for label, names in (("missing", missing), ("not in the contract", extra), ("other type", retyped))
        if names
    ]
    raise ContractError(
        f"{table.name}: found a frame that differs ({'; '.join(findings) or 'the order of columns'}); expected the "
        f"columns of the contract. Select them with {table.noun.upper()}.column_names and cast."
    )


def _rows_written(metrics: object) -> int:
    counts = dict(metrics) if isinstance(metrics, dict) else {}
    if "numTargetRowsInserted" in counts:
        return int(counts["numTargetRowsInserted"]) + int(counts.get("numTargetRowsUpdated", 0))
    return int(counts.get("numOutputRows", 0))
