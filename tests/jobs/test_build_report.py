"""The job from a real Delta lake to the page."""

from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.build_report import Conf, run, run_and_say
from tests.frames import rows_of, utc
from ulm_spark.contracts import ops
from ulm_spark.lake.store import Lake, LakeConf

AS_OF = date(2011, 11, 9)


@pytest.mark.flow
def test_a_lake_with_one_run_gives_its_page_and_a_second_run_changes_no_byte(
    spark: SparkSession, lake_conf: LakeConf, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake(spark, lake_conf)
    began = utc("2011-11-10T02:00:00")
    done = {"run_id": "r1", "job": "sessionize", "as_of": AS_OF, "status": "done", "started_at": began, "seconds": 3.0}
    lake.create(ops.RUNS)
    lake.append(rows_of(spark, ops.RUNS, [done]), ops.RUNS)

    run_and_say(spark, Conf(lake=lake_conf), AS_OF)
    printed = Path(capsys.readouterr().out.strip())
    first = printed.read_bytes()
    run(spark, Conf(lake=lake_conf), AS_OF)

    assert printed == Path(lake_conf.root) / "reports" / f"as_of={AS_OF}" / "index.html"
    assert printed.read_bytes() == first
    assert b">10 Nov 2011, 02:00<" in first
    assert b"The lake holds no activity up to this day" in first
    (row,) = lake.read(ops.REPORTS).collect()
    assert (row["as_of"], row["size_bytes"]) == (AS_OF, len(first))
