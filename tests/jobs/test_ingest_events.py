"""The ingest job over real Delta tables."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import build_products, ingest_events
from ulm_spark.config.errors import ConfigError, RefusedError
from ulm_spark.config.shop import ShopConf
from ulm_spark.contracts.bronze import INGESTED_DAYS, INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, PRODUCTS
from ulm_spark.events.batch import SourceConf
from ulm_spark.lake.run import Run
from ulm_spark.lake.store import Lake, LakeConf

_TABLES = (RAW_EVENTS, QUARANTINE, EVENTS, INGESTED_FILES, INGESTED_DAYS)
_AS_OF = date(2024, 5, 2)
_HEADER = "event_at,event_type,user_id,product_id\n"


_ADAPTER = """
name: shop
format: csv
files: ["*.csv"]
columns: [at, kind, old_id, new_id]
fields: {event_at: at, event_type: kind, product_id: old_id}
"""


def contents(lake: Lake) -> dict[str, list[str]]:
    return {table.name: sorted(map(repr, lake.read(table).collect())) for table in _TABLES}


@pytest.mark.flow
def test_batches_are_whole_or_absent_and_a_second_run_changes_nothing(
    spark: SparkSession, lake_conf: LakeConf, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.csv").write_text(f"{_HEADER}2024-05-01,view,u1,p1\n2024-05-01,view,u1,p1\nbroken\n")
    conf = ingest_events.Conf(lake=lake_conf, source=SourceConf("native_csv", str(source)))
    ingest_events.run(spark, conf, _AS_OF)
    lake = Lake(spark, lake_conf)
    first = contents(lake)
    assert [len(first[table.name]) for table in _TABLES] == [3, 2, 1, 1, 2]
    run = lake.read(RUNS).collect()[0]
    assert (run["status"], run["rows_in"], run["rows_quarantined"]) == ("done", 3, 2)

    versions = [lake.version(table) for table in _TABLES]
    ingest_events.run(spark, conf, _AS_OF)
    assert [lake.version(table) for table in _TABLES] == versions

    # A run that was killed just before it named its files as ingested.
    lake.delete(INGESTED_FILES, "true")
    ingest_events.run(spark, conf, _AS_OF)
    assert contents(lake) == first

    build_products.run(spark, build_products.Conf(lake=lake_conf), _AS_OF)
    assert [row["product_id"] for row in lake.read(PRODUCTS).collect()] == ["p1"]


@pytest.mark.flow
@pytest.mark.slow
def test_a_changed_adapter_or_zone_reaches_files_that_were_ingested_before(
    spark: SparkSession, lake_conf: LakeConf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Run, "progress", lambda run, text: said.append(text))
    source, adapter = tmp_path / "source", tmp_path / "shop.yaml"
    source.mkdir()
    (source / "a.csv").write_text("at,kind,old_id,new_id\n2024-05-01 01:00:00,view,p1,q1\nbroken\n")
    adapter.write_text(_ADAPTER)
    conf = ingest_events.Conf(lake=lake_conf, source=SourceConf(str(adapter), str(source)))
    ingest_events.run(spark, conf, _AS_OF)
    (source / "b.csv").write_text("at,kind,old_id,new_id\n2024-05-01 01:00:01,view,p1,\n2024-05-01,view,,q3\n")
    ingest_events.run(spark, conf, _AS_OF)
    lake = Lake(spark, lake_conf)

    def events() -> list[tuple[object, ...]]:
        rows = lake.read(EVENTS).select("product_id", F.col("event_on").cast("string"), "source_file").collect()
        return sorted(tuple(row) for row in rows)

    assert events() == [("p1", "2024-05-01", "a.csv"), ("p1", "2024-05-01", "b.csv")]
    adapter.write_text(_ADAPTER.replace("product_id: old_id", "product_id: new_id"))
    new_york = replace(conf, shop=ShopConf(zone="America/New_York"))
    ingest_events.run(spark, new_york, _AS_OF)
    about_files = [text for text in said if "files" in text]
    assert about_files == ["new files: 1", "new files: 1", "adapter, zone or currency changed: files to read again: 2"]
    assert events() == [("q1", "2024-04-30", "a.csv"), ("q3", "2024-04-30", "b.csv")]
    counts = [lake.read(table).count() for table in _TABLES[:4]]
    assert counts == [4, 2, 2, 2]
    done = lake.read(INGESTED_DAYS).where("status = 'done'").selectExpr("CAST(day_on AS STRING)", "n_kept").collect()
    assert [tuple(row) for row in done] == [("2024-04-30", 2)]  # what the old zone said is gone

    # What is read otherwise in words alone, or by another path, is read the same.
    moved = tmp_path / "moved.yaml"
    moved.write_text(adapter.read_text() + "about: The same.\n")
    versions = [lake.version(table) for table in _TABLES]
    ingest_events.run(spark, replace(new_york, source=SourceConf(str(moved), str(source))), _AS_OF)
    assert [lake.version(table) for table in _TABLES] == versions

    # A mapping that Spark refuses, and files that can't be read again, leave the lake as it is.
    adapter.write_text(_ADAPTER.replace("product_id: old_id", "product_id: nonesuch"))
    with pytest.raises(ConfigError, match=r"fields\.product_id"):
        ingest_events.run(spark, new_york, _AS_OF)
    (source / "b.csv").unlink()
    with pytest.raises(RefusedError, match=r"1 of the 2 files.*Put the files back, restore the old adapter"):
        ingest_events.run(spark, conf, _AS_OF)
    assert [lake.version(table) for table in _TABLES[:4]] == versions[:4]


@pytest.mark.flow
def test_bad_input_ends_with_exit_code_3_and_one_clear_line(
    spark: SparkSession, lake_conf: LakeConf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "source").mkdir()
    options = ["--as-of", "2024-05-02", "--set", f"lake.root={lake_conf.root}", "--set", "source.adapter=native_csv"]
    options += ["--set", f"source.path={tmp_path / 'source'}"]
    assert ingest_events.main(options) == 3
    assert "ingest_events: source.path: found no file in" in capsys.readouterr().err
    (tmp_path / "source" / "cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    assert ingest_events.main(options) == 3
    said = capsys.readouterr().err
    assert "cut.csv.gz: found content that can't be read" in said
    assert "Traceback" not in said
    assert "\tat " not in said
    lake = Lake(spark, lake_conf)
    assert all(lake.is_empty(table) for table in _TABLES[:4])
    assert [row["status"] for row in lake.read(INGESTED_DAYS).collect()] == ["failed"]
