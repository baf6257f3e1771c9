"""The built-in adapters over real data, against counts that DuckDB makes of the same files."""

import time
import zipfile
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import ingest_events
from tests.realdata import data_folder
from ulm_spark.config.shop import ShopConf
from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.batch import SourceConf
from ulm_spark.lake.store import Lake, LakeConf

# Nightly: minutes of real files; the quick tests read the same adapters over literal rows.
pytestmark = [pytest.mark.data, pytest.mark.flow, pytest.mark.slow]


def taken_in(spark: SparkSession, lake_conf: LakeConf, adapter: str, path: Path | str, zone: str = "UTC") -> Lake:
    conf = ingest_events.Conf(lake=lake_conf, shop=ShopConf(zone=zone), source=SourceConf(adapter, str(path)))
    begun_s = time.monotonic()
    ingest_events.run(spark, conf, date(2011, 12, 9))
    print(f"{adapter}: {time.monotonic() - begun_s:.1f} s")
    return Lake(spark, lake_conf)


def reasons_of(lake: Lake) -> dict[str, int]:
    return {row["reason"]: row["count"] for row in lake.read(QUARANTINE).groupBy("reason").count().collect()}


def counts_of(events: DataFrame) -> tuple[object, ...]:
    is_sale = F.col("event_type") == "purchase"
    amount = F.col("quantity") * F.col("unit_price")
    row = events.agg(
        F.count(F.lit(1)),
        F.countDistinct("order_id"),
        F.countDistinct("user_id"),
        F.countDistinct("product_id"),
        F.sum(F.when(is_sale, amount)).cast("decimal(18,4)"),
        F.sum(F.when(~is_sale, amount)).cast("decimal(18,4)"),
        F.unix_seconds(F.min("event_at")),
        F.unix_seconds(F.max("event_at")),
    ).first()
    assert row is not None
    return tuple(row)


# What the adapter's description says, written once more in another system's SQL.
_ONLINE_RETAIL = """
CREATE TABLE judged AS
WITH lines AS (
    SELECT *, row_number() OVER (PARTITION BY InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice,
                                 CustomerID, Country ORDER BY filename) AS nth
    FROM read_csv('{folder}/*.csv', all_varchar = true, header = true, filename = true)
)
SELECT *, CASE
    WHEN UnitPrice::DECIMAL(18,4) < 0 THEN 'negative_price'
    WHEN InvoiceNo NOT LIKE 'C%' AND Quantity::INT <= 0 THEN 'quantity_not_positive'
    WHEN InvoiceNo LIKE 'A%' THEN 'accounting_entry'
    WHEN UnitPrice::DECIMAL(18,4) = 0 AND CustomerID IS NULL THEN 'unpriced_without_customer'
    WHEN nth > 1 THEN 'duplicate' END AS reason
FROM lines
"""
_COUNTS = """
SELECT count(*), count(DISTINCT InvoiceNo), count(DISTINCT CustomerID), count(DISTINCT StockCode),
    sum(Quantity::INT * UnitPrice::DECIMAL(18,4)) FILTER (InvoiceNo NOT LIKE 'C%')::DECIMAL(18,4),
    sum(-Quantity::INT * UnitPrice::DECIMAL(18,4)) FILTER (InvoiceNo LIKE 'C%')::DECIMAL(18,4),
    epoch(min(InvoiceDate::TIMESTAMP))::BIGINT, epoch(max(InvoiceDate::TIMESTAMP))::BIGINT
FROM judged WHERE reason IS NULL
"""


def test_online_retail_is_whole_and_equals_independent_counts(spark: SparkSession, lake_conf: LakeConf) -> None:
    folder = data_folder("online_retail") / "by-day"
    lake = taken_in(spark, lake_conf, "online_retail", folder, zone="Europe/London")
    duck = duckdb.connect()
    duck.execute(_ONLINE_RETAIL.format(folder=folder))
    expected = dict(duck.execute("SELECT reason, count(*) FROM judged WHERE reason IS NOT NULL GROUP BY 1").fetchall())
    events = lake.read(EVENTS)
    print(f"kept {events.count()}, quarantined {reasons_of(lake)}, counts {counts_of(events)}")
    assert lake.read(RAW_EVENTS).count() == 541_909
    assert reasons_of(lake) == expected
    assert events.count() + sum(expected.values()) == 541_909
    # The first and the last line are in winter, when London's time is UTC.
    assert counts_of(events) == duck.execute(_COUNTS).fetchone()
    assert lake.read(INGESTED_FILES).count() == 305
    july = events.where("event_on = '2011-07-01'").agg(F.date_format(F.min("event_at"), "HH:mm:ss")).first()
    expected_july = duck.execute(
        "SELECT strftime(min(InvoiceDate::TIMESTAMP) - INTERVAL 1 HOUR, '%H:%M:%S') FROM judged "
        "WHERE reason IS NULL AND InvoiceDate LIKE '2011-07-01%'"
    ).fetchone()
    assert july is not None
    assert tuple(july) == expected_july


def test_rees46_quarantines_the_row_that_was_cut(spark: SparkSession, lake_conf: LakeConf) -> None:
    folder = data_folder("rees46_sample")
    lake = taken_in(spark, lake_conf, "rees46", folder)
    lines = (folder / "2019-Oct.csv").read_text(encoding="utf-8").split("\n")
    rows = [line.rstrip("\r") for line in lines[1:] if line.strip()]
    assert lake.read(RAW_EVENTS).count() == len(rows) == 17_435
    unparseable = lake.read(QUARANTINE).where("reason = 'unparseable'").collect()
    assert [(row["source_line"], row["line"]) for row in unparseable] == [(17_436, rows[-1])]
    assert reasons_of(lake).get("duplicate", 0) == len(rows) - len(set(rows))
    events = lake.read(EVENTS)
    assert events.count() == len(set(rows)) - 1
    assert events.select("source_session_id").distinct().count() == len({row.split(",")[8] for row in rows[:-1]})


def test_yoochoose_clicks_are_views_with_their_exact_times(spark: SparkSession, lake_conf: LakeConf) -> None:
    folder = data_folder("yoochoose_100k_raw")
    lake = taken_in(spark, lake_conf, "yoochoose", f"{folder}/yoochoose-clicks-100k_{{train_full,test}}.txt")
    assert lake.read(RAW_EVENTS).count() == 83_846
    n_distinct, n_sessions, first_ms = duckdb.sql(
        f"SELECT count(DISTINCT (SessionId, ItemId, Time)), count(DISTINCT SessionId), min(round(Time * 1000)::BIGINT) "
        f"FROM read_csv(['{folder}/yoochoose-clicks-100k_train_full.txt', '{folder}/yoochoose-clicks-100k_test.txt'])"
    ).fetchall()[0]
    events = lake.read(EVENTS)
    assert reasons_of(lake) == ({"duplicate": 83_846 - n_distinct} if n_distinct < 83_846 else {})
    found = events.agg(
        F.count(F.lit(1)), F.countDistinct("source_session_id"), F.unix_millis(F.min("event_at"))
    ).first()
    assert found is not None
    assert tuple(found) == (n_distinct, n_sessions, first_ms)


def test_ta_feng_is_kept_whole_and_equals_independent_counts(
    spark: SparkSession, lake_conf: LakeConf, tmp_path: Path
) -> None:
    with zipfile.ZipFile(data_folder("ta_feng") / "ta_feng.csv.zip") as archive:
        archive.extractall(tmp_path / "raw")
    lake = taken_in(spark, lake_conf, "ta_feng", tmp_path / "raw", zone="Asia/Taipei")
    expected = duckdb.sql(
        "SELECT count(*), count(DISTINCT (CUSTOMER_ID, TRANSACTION_DT)), count(DISTINCT CUSTOMER_ID), "
        "count(DISTINCT PRODUCT_ID), "
        "sum(AMOUNT::INT * round(SALES_PRICE::DECIMAL(18,4) / AMOUNT::INT, 4))::DECIMAL(18,4), "
        "NULL::DECIMAL(18,4), epoch(min(strptime(TRANSACTION_DT, '%m/%d/%Y')))::BIGINT - 8 * 3600, "
        "epoch(max(strptime(TRANSACTION_DT, '%m/%d/%Y')))::BIGINT - 8 * 3600, sum(SALES_PRICE::BIGINT)::BIGINT "
        f"FROM read_csv('{tmp_path}/raw/*.csv', all_varchar = true, header = true)"
    ).fetchall()[0]
    events = lake.read(EVENTS)
    n_kept = events.count()
    print(f"kept {n_kept}, quarantined {reasons_of(lake)}, counts {counts_of(events)}")
    assert lake.read(RAW_EVENTS).count() == 817_741 == n_kept + sum(reasons_of(lake).values())
    assert reasons_of(lake) == {}
    assert counts_of(events) == expected[:-1]
    # A unit's price has four decimals, so that the whole is what was paid but for their rounding.
    assert float(expected[4]) == pytest.approx(expected[-1], abs=1)
    assert events.select("event_on").distinct().count() == 120
