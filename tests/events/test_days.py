"""Which days of a source are done, failed or missing."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.events.ingesting import HEADER, MemoryLedger, ingest, small_shop
from tests.frames import rows_of
from ulm_spark.config.errors import SourceError
from ulm_spark.contracts.bronze import INGESTED_DAYS, INGESTED_FILES
from ulm_spark.events.batch import InputFile, SourceConf
from ulm_spark.events.days import FAILED_DDL, day_named, failed_days, summarise_ingested_days
from ulm_spark.events.ingested import days_of_failed_files, told_days


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("dt=2025-01-31/part-0.csv", date(2025, 1, 31)),
        ("2025-01-30/late_20250131.json.gz", date(2025, 1, 31)),
        ("year=2025/month=01/day=31/x.json", date(2025, 1, 31)),
        ("2025/01/31.csv", date(2025, 1, 31)),
        ("2025-01-31/2025-02-30.csv", date(2025, 1, 31)),
        ("export-1202501311.csv", None),
        ("orders.csv", None),
    ],
)
def test_a_files_day_is_the_last_real_one_in_its_path(name: str, day: date | None) -> None:
    assert day_named(name) == day


def test_a_failed_file_without_a_day_in_its_name_counts_on_the_local_day_of_its_time() -> None:
    at_ms = int(datetime(2025, 1, 31, 23, 30, tzinfo=UTC).timestamp() * 1000)
    files = [InputFile(name, name, name, at_ms, 1) for name in ("a.csv", "b.csv", "2025-01-30.csv")]
    assert failed_days("s", files, "Europe/Berlin") == [("s", date(2025, 1, 30), 1), ("s", date(2025, 2, 1), 2)]


def test_days_are_done_failed_or_missing(spark: SparkSession) -> None:
    def file(name: str, *days: tuple[int, int, int]) -> dict[str, object]:
        counted = [
            {"day_on": date(2025, 1, day), "n_kept": kept, "n_quarantined": refused, "n_duplicates": 0}
            for day, kept, refused in days
        ]
        return {"source": "s", "source_file": name, "batch_id": f"batch of {name}", "days": counted}

    files = [file("a", (2, 5, 0), (3, 0, 1)), file("b", (2, 1, 2), (6, 4, 0), (9, 0, 1)), file("c", (2, 0, 7))]
    failed = [{"source": "s", "day_on": date(2025, 1, 6), "n_files_failed": 2}]
    days = summarise_ingested_days(rows_of(spark, INGESTED_FILES, files), rows_of(spark, FAILED_DDL, failed))
    expected = [
        (2, "done", 6, 9, 3, 0, "batch of c"),
        (3, "failed", 0, 1, 1, 0, "batch of a"),
        (4, "missing", 0, 0, 0, 0, None),
        (5, "missing", 0, 0, 0, 0, None),
        (6, "failed", 4, 0, 1, 2, "batch of b"),
        (9, "failed", 0, 1, 1, 0, "batch of b"),
    ]
    names = ("day_on", "status", "n_kept", "n_quarantined", "n_files", "n_files_failed", "batch_id")
    rows = [dict(zip(names, (date(2025, 1, day), *rest), strict=True)) for day, *rest in expected]
    rows = [row | {"source": "s", "n_rows": int(str(row["n_kept"])) + int(str(row["n_quarantined"]))} for row in rows]
    assertDataFrameEqual(days.drop("fingerprint"), rows_of(spark, INGESTED_DAYS, rows).drop("fingerprint"))
    prints = [row["fingerprint"] for row in days.orderBy("day_on").collect()]
    assert [value is None for value in prints] == [False, True, True, True, False, True]
    without_c = summarise_ingested_days(rows_of(spark, INGESTED_FILES, files[:2]), rows_of(spark, FAILED_DDL, []))
    assert without_c.orderBy("day_on").first()["fingerprint"] == prints[0]  # c brought no event of the day


def test_a_failed_batchs_days_are_failed_until_it_succeeds(spark: SparkSession, tmp_path: Path) -> None:
    ledger, shop = MemoryLedger(spark), small_shop()
    (tmp_path / "2024-05-01.csv").write_text(f"{HEADER}2024-05-01,view,u1,p1,,,\n2024-05-01,view,u1,p1,,,\n")

    def run() -> list[tuple[object, ...]]:
        conf = SourceConf(shop.name, str(tmp_path))
        with told_days(ledger, shop.name, lambda: days_of_failed_files(spark, conf, shop, "UTC", ledger)):
            ingest(ledger, tmp_path, shop)
        return told()

    def told() -> list[tuple[object, ...]]:
        names = ("day_on", "status", "n_rows", "n_files_failed")
        return sorted(zip(*(ledger.column(INGESTED_DAYS, name) for name in names), strict=True))

    assert run() == [(date(2024, 5, 1), "done", 2, 0)]
    (tmp_path / "2024-05-03.csv").write_text("of,another,shape\n1,2,3\n")
    with pytest.raises(SourceError, match=r"2024-05-03\.csv"):
        run()
    assert told()[1:] == [(date(2024, 5, 3), "failed", 0, 1)]
    (tmp_path / "2024-05-03.csv").write_text(f"{HEADER}2024-05-03,view,u1,p1,,,\nlate,view,u1,p1,,,\n")
    os.utime(tmp_path / "2024-05-03.csv", (1.8e9, 1.8e9))
    days = {"01": ("done", 2, 0), "02": ("missing", 0, 0), "03": ("done", 1, 0)}
    received = (date(2027, 1, 15), "failed", 1, 0)  # nobody knows the day of the row that says no time
    assert run() == [*((date(2024, 5, int(day)), *rest) for day, rest in days.items()), received]
