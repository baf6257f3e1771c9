"""Spend from a file into the lake, and the shop's figures from the lake, through the jobs."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import build_shop_metrics, ingest_spend
from tests.frames import rows_of, texts_of
from tests.users.metric_rows import days_of, random_metric_shop
from tests.users.metrics_oracle import metrics_by_loops, retention_by_loops
from tests.users.shop_rows import AS_OF, ZONE
from ulm_spark.config.errors import DataQualityError, SourceError
from ulm_spark.config.shop import ShopConf
from ulm_spark.contracts import metrics
from ulm_spark.contracts.marketing import MARKETING_SPEND, SPEND_QUARANTINE
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.events.spend import MarketingConf
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.users.metrics_conf import MetricsConf

pytestmark = pytest.mark.flow
SHOP = ShopConf(zone=ZONE, currency="JPY")
HEADER = "day,channel,amount,currency\n"


def brought(spark: SparkSession, conf: LakeConf, path: str) -> tuple[list[str], list[str]]:
    """The rows of both tables after the job."""
    settings = ingest_spend.Conf(lake=conf, shop=SHOP, marketing=MarketingConf(spend_path=path))
    ingest_spend.run(spark, settings, AS_OF)
    lake = Lake(spark, conf)
    kept = lake.read(MARKETING_SPEND).select("day_on", "channel", "amount")
    return texts_of(kept), texts_of(lake.read(SPEND_QUARANTINE).select("source_file", "source_line", "reason"))


def test_the_lake_has_the_spend_that_the_files_tell(spark: SparkSession, lake_conf: LakeConf, tmp_path: Path) -> None:
    lake, folder = Lake(spark, lake_conf), tmp_path / "spend"
    folder.mkdir()
    (folder / "may 100%+#1.csv").write_text(f"{HEADER}2024-03-01,ads,10,JPY\n2024-03-02,ads,much,JPY\n")
    first = brought(spark, lake_conf, str(folder))
    assert first == (
        ['{"day_on":"2024-03-01","channel":"ads","amount":10.0000}'],
        ['{"source_file":"may 100%+#1.csv","source_line":3,"reason":"bad_amount"}'],
    )
    told = lake.read(RUNS).select("rows_in", "rows_quarantined", "message").collect()
    assert tuple(told[0]) == (2, 1, "rows of spend in quarantine: bad_amount 1")
    versions = [lake.version(table) for table in (MARKETING_SPEND, SPEND_QUARANTINE)]
    assert brought(spark, lake_conf, str(folder)) == first
    assert [lake.version(table) for table in (MARKETING_SPEND, SPEND_QUARANTINE)] == versions

    # A file is corrected and another comes; without the setting all stays as it is.
    (folder / "may 100%+#1.csv").write_text(f"{HEADER}2024-03-01,ads,12,JPY\n2024-03-02,ads,7,JPY\n")
    (folder / "june.csv").write_text(f"{HEADER}2024-06-01,ads,1,JPY\n")
    second = brought(spark, lake_conf, str(folder))
    assert (len(second[0]), second[1]) == (3, [])
    assert brought(spark, lake_conf, "") == second

    (folder / "bad.csv").write_text("")
    with pytest.raises(SourceError, match=r"found 1 of 3 files without the header.*: bad\.csv; expected day,channel"):
        brought(spark, lake_conf, str(folder))
    (folder / "bad.csv").unlink()
    (tmp_path / "all_bad.csv").write_text(f"{HEADER}yesterday,ads,10,JPY\n2024-03-01,,1,JPY\n")
    with pytest.raises(DataQualityError, match=r"found 2 rows in .* and no spend in them \(bad_day 1, missing_ch"):
        brought(spark, lake_conf, str(tmp_path / "all_bad.csv"))
    with pytest.raises(SourceError, match=r"marketing\.spend_path: found no file at .*none\.csv"):
        brought(spark, lake_conf, str(tmp_path / "none.csv"))
    assert len(texts_of(lake.read(MARKETING_SPEND))) == 3


def test_the_job_writes_the_figures_of_the_day_whatever_the_lake_knows_of_later_ones(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    lake, shop = Lake(spark, lake_conf), random_metric_shop(4, 6)
    rows = {
        EVENTS: shop.events,
        SESSIONS: shop.sessions,
        ORDERS: shop.orders,
        ORDER_LINES: shop.lines,
        MARKETING_SPEND: shop.spend,
        USER_DAYS: days_of(shop.events),
    }
    for table, facts in rows.items():
        lake.create(table)
        lake.append(rows_of(spark, table, facts).coalesce(1), table)
    build_shop_metrics.run(spark, build_shop_metrics.Conf(lake=lake_conf, shop=SHOP), AS_OF)
    told = lake.read(metrics.SHOP_METRICS).where("window_days = 30").collect()
    expected = metrics_by_loops(shop.events, shop.sessions, shop.lines, shop.spend, AS_OF, 30)
    assert {row["metric"]: row["value"] for row in told} == expected
    retention = lake.read(metrics.USER_RETENTION).select(*metrics.USER_RETENTION.column_names[1:])
    assert {tuple(row) for row in retention.collect()} == retention_by_loops(shop.events, AS_OF, MetricsConf())
    assert all(lake.read(table).where(F.col("as_of") == F.lit(AS_OF)).count() for table in metrics.TABLES)
