"""The whole main job on a small synthetic shop: contracts hold, planted truth is found, a second run is idle."""

from functools import reduce
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.flows.shop import WITHOUT_ROWS, Shop
from tests.session import compiling
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import TABLES
from ulm_spark.pipeline.graph import job_names

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    with compiling(spark):
        return Shop(spark, folder, str(folder))


def test_every_job_ran(shop: Shop) -> None:
    assert [job for job in job_names() if f"{job}: done in" not in shop.first] == []


def test_a_second_run_with_nothing_new_does_nothing(shop: Shop) -> None:
    said = shop.run()
    assert [job for job in job_names() if f"{job}: already done" not in said] == []


def test_every_row_received_is_kept_or_quarantined(shop: Shop) -> None:
    raw, kept, quarantined = (shop.read(n).count() for n in ("bronze.raw_events", "silver.events", "bronze.quarantine"))
    assert raw == kept + quarantined
    assert 0 < quarantined < kept


@pytest.fixture(scope="module")
def counts(shop: Shop) -> dict[str, tuple[int, int]]:
    """Rows and distinct keys of every table, asked at once: one by one it takes a minute."""
    asked = [
        shop.lake.read(table).agg(
            F.lit(table.name).alias("name"),
            F.count(F.lit(1)).alias("n_rows"),
            F.countDistinct(F.struct(*table.key)).alias("n_keys"),
        )
        for table in TABLES
    ]
    return {row["name"]: (row["n_rows"], row["n_keys"]) for row in reduce(DataFrame.union, asked).collect()}


@pytest.mark.parametrize("table", [t for t in TABLES if t.name != "ops.runs"], ids=lambda table: table.name)
def test_every_tables_key_is_unique_and_only_what_the_shop_does_not_tell_is_empty(
    counts: dict[str, tuple[int, int]], table: Table
) -> None:
    n_rows, n_keys = counts[table.name]
    assert n_rows == n_keys
    assert (n_rows == 0) == (table.name in WITHOUT_ROWS)


def test_a_days_sequences_lie_in_even_files_and_are_written_in_the_days_vocabulary(shop: Shop) -> None:
    sequences = shop.read("silver.sequences")
    sizes = [row["count"] for row in sequences.groupBy("_metadata.file_path").count().collect()]
    assert len(sizes) == 8
    assert max(sizes) - min(sizes) <= 1
    tables = (sequences, shop.read("silver.item_vocabulary"), shop.read("silver.category_vocabulary"))
    assert reduce(DataFrame.union, (table.select("vocabulary_version") for table in tables)).distinct().count() == 1


def test_sessions_equal_the_planted_ones_where_gaps_are_unambiguous(shop: Shop) -> None:
    planted = shop.read("truth.events").select("event_id", F.col("session_id").alias("planted"), "is_ambiguous")
    found = (
        shop.read("silver.events")
        .join(shop.read("silver.sessions").select("user_id", "session_id", "started_at", "ended_at"), "user_id")
        .where(F.col("event_at").between(F.col("started_at"), F.col("ended_at")))
        .select("event_id", "user_id", "session_id")
    )
    users = found.join(planted, "event_id")
    clear = users.groupBy("user_id").agg(F.max("is_ambiguous").alias("is_ambiguous")).where(~F.col("is_ambiguous"))
    clear_events = users.join(clear.select("user_id"), "user_id", "left_semi")
    per_found = clear_events.groupBy("session_id").agg(F.countDistinct("planted").alias("n"))
    per_planted = clear_events.groupBy("planted").agg(F.countDistinct("session_id").alias("n"))
    assert clear_events.count() > 1000
    assert per_found.where("n > 1").count() == 0
    assert per_planted.where("n > 1").count() == 0


def test_nothing_scored_or_recommended_knows_the_future(shop: Shop) -> None:
    as_of = F.lit(shop.as_of)
    late = shop.read("silver.products").where(F.to_date("first_seen_at") > as_of).select("product_id")
    assert late.count() > 0
    for name in ("gold.item_recommendations", "gold.next_item_recommendations"):
        assert shop.read(name).join(late, "product_id", "left_semi").count() == 0


def test_the_models_are_measured_on_what_came_after(shop: Shop) -> None:
    measured = {(row["task"], row["model"]) for row in shop.read("gold.model_quality").collect()}
    assert {("items", "als"), ("items", "sequence"), ("items", "popularity")} <= measured


def test_the_report_is_one_file(shop: Shop) -> None:
    row = shop.read("ops.reports").first()
    assert row is not None
    page = Path(shop.lake.root) / row["path"]
    assert page.stat().st_size == row["size_bytes"] > 100_000
