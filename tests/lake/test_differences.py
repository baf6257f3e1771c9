"""Where a MERGE must look for the rows that differ."""

from datetime import date

import pytest
from pyspark.sql import SparkSession

from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.differences import summarise_differences, whereabouts


@pytest.mark.parametrize(("n_days", "n_moved", "is_narrow"), [(400, 0, True), (401, 0, False), (2, 1, False)])
def test_a_merge_looks_at_the_days_of_what_differs_unless_they_are_many_or_a_row_moved(
    spark: SparkSession, n_days: int, n_moved: int, is_narrow: bool
) -> None:
    a_row_a_day = ("date_add(DATE'2020-01-01', int(id)) session_on", f"id < {n_moved} _is_moved", "1L _n_rows")
    changes = spark.range(n_days, numPartitions=1).selectExpr(*a_row_a_day)
    n_rows, most_of_a_key, days = summarise_differences(changes, SESSIONS)
    assert (n_rows, most_of_a_key, days is not None) == (n_days, 1, is_narrow)
    assert ("DATE'2021-02-03'" in whereabouts(days, SESSIONS)) == is_narrow
    assert days is None or (days[0], days[-1]) == (date(2020, 1, 1), date(2021, 2, 3))
