"""Where a MERGE must look for the rows that differ."""

from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.differences import summarise_differences, whereabouts
from ulm_spark.lake.store import Lake, LakeConf


@pytest.mark.parametrize(("n_days", "n_moved", "is_narrow"), [(400, 0, True), (401, 0, False), (2, 1, False)])
def test_a_merge_looks_at_the_days_of_what_differs_unless_they_are_many_or_a_row_moved(
    spark: SparkSession, n_days: int, n_moved: int, is_narrow: bool
) -> None:
    a_row_a_day = ("date_add(DATE'2020-01-01', int(id)) session_on", f"id < {n_moved} _is_moved", "1L _n_rows")
    changes = spark.range(n_days, numPartitions=1).selectExpr(*a_row_a_day, "id > 0 _is_new")
    found = summarise_differences(changes, SESSIONS)
    assert (found.n_rows, found.most_of_a_key, found.are_new, found.days is not None) == (n_days, 1, False, is_narrow)
    assert ("DATE'2021-02-03'" in whereabouts(found.days, SESSIONS)) == is_narrow
    assert found.days is None or (found.days[0], found.days[-1]) == (date(2020, 1, 1), date(2021, 2, 3))


def test_rows_that_are_all_new_are_added_and_rewrite_no_file(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    lake.create(SESSIONS)
    first, second, other = ({"session_id": name, "n_events": 1} for name in "abc")
    lake.merge(rows_of(spark, SESSIONS, [first]), SESSIONS, delete_missing=True)
    grown = rows_of(spark, SESSIONS, [first, second])
    assert lake.merge(grown, SESSIONS, delete_missing=True).n_rows == 1
    assertDataFrameEqual(lake.read(SESSIONS), grown)
    files = set(lake.read(SESSIONS).inputFiles())
    assert len(files) == 2
    changed = rows_of(spark, SESSIONS, [{**first, "n_events": 2}, second, other])
    assert lake.merge(changed, SESSIONS, delete_missing=True).n_rows == 2
    assertDataFrameEqual(lake.read(SESSIONS), changed)
    changes = lake.changes(SESSIONS, 1, 3)
    assert changes is not None
    kinds = sorted(row["_change_type"] for row in changes.collect())
    assert kinds == ["insert", "insert", "update_postimage", "update_preimage"]
