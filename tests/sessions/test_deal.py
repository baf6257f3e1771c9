import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.sessions.deal import deal_out, hash_of, lots_of


@pytest.mark.parametrize(("n_rows", "n_files"), [(203, 8), (3, 8), (50, 1)])
def test_rows_are_dealt_evenly_and_lie_where_they_lay_before(spark: SparkSession, n_rows: int, n_files: int) -> None:
    users = spark.range(n_rows).select(F.concat(F.lit("u"), F.col("id").cast("string")).alias("user_id"))
    deals: list[dict[int, list[str]]] = []
    for frame in (users, users.orderBy(F.desc("user_id")).repartition(3)):
        lying = deal_out(frame, "user_id", n_files).select("user_id", F.spark_partition_id().alias("file")).collect()
        files: dict[int, list[str]] = {}
        for row in lying:
            files.setdefault(row["file"], []).append(row["user_id"])
        deals.append(files)
    first, second = deals
    assert first == second
    sizes = [len(first.get(file, [])) for file in range(n_files)]
    assert sum(sizes) == n_rows
    assert max(sizes) - min(sizes) <= 1
    assert all(file == sorted(file) for file in first.values())


def test_a_lot_falls_to_its_own_partition_by_sparks_hash(spark: SparkSession) -> None:
    hashes = [row[0] for row in spark.range(1000).select(F.hash(F.col("id").cast("int"))).collect()]
    assert hashes == [hash_of(number) for number in range(1000)]
    assert [hash_of(lot) % 100 for lot in lots_of(100)] == list(range(100))
