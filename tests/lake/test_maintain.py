"""Maintenance changes files and never rows, and spares what may still be asked for."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from tests.frames import rows_of, texts_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.sequences import SEQUENCES
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.maintain import MaintenanceRules, maintain
from ulm_spark.lake.store import Lake, LakeConf


def written_in_parts(spark: SparkSession, lake: Lake, table: Table, column: str) -> list[str]:
    lake.create(table)
    rows = [{column: name} for name in "abcd"]
    lake.append(rows_of(spark, table, rows).repartition(4, column), table)
    return texts_of(lake.read(table))


def test_small_files_are_joined_but_not_those_whose_number_is_promised(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    lake, rules = Lake(spark, lake_conf), MaintenanceRules(min_files=2)
    sessions = written_in_parts(spark, lake, SESSIONS, "session_id")
    written_in_parts(spark, lake, SEQUENCES, "user_id")
    n_promised = len(lake.read(SEQUENCES).inputFiles())
    done, spared = maintain(lake, SESSIONS, rules), maintain(lake, SEQUENCES, rules)
    assert done is not None
    assert (done.n_files_before > 1, done.n_files, done.is_vacuumed) == (True, 1, False)
    assert spared is not None
    assert spared.n_files == n_promised > 1
    assert texts_of(lake.read(SESSIONS)) == sessions
    assert texts_of(lake.read(SESSIONS, done.version - 1)) == sessions
    assert lake.data_version(SESSIONS) == done.version - 1  # no reader has anything new to read


def test_an_old_table_is_vacuumed_and_what_is_young_in_it_stays(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake, rules = Lake(spark, lake_conf), MaintenanceRules(min_files=2, vacuum_days=7)
    written_in_parts(spark, lake, SESSIONS, "session_id")
    later = datetime.now(UTC) + timedelta(days=8)
    done = maintain(lake, SESSIONS, rules, now=later)
    assert done is not None
    assert done.is_vacuumed
    assert (
        lake.spark.sql(f"DESCRIBE HISTORY {lake.identifier(SESSIONS)} LIMIT 1").collect()[0].operation == "VACUUM END"
    )
    assert lake.read(SESSIONS, 1).count() == 4


def test_what_a_run_may_still_need_is_never_vacuumed() -> None:
    with pytest.raises(ConfigError, match=r"maintenance\.vacuum_days: found 6; expected at least 7 days"):
        MaintenanceRules(vacuum_days=6)
