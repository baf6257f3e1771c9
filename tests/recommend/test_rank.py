"""Lists: the best n unseen items, exactly as Spark's own method gives them, only faster."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from ulm_spark.contracts.gold import ITEM_RECOMMENDATIONS
from ulm_spark.recommend import rank
from ulm_spark.recommend.als import AlsConf, fit_als
from ulm_spark.recommend.rank import ItemMatrix, recommend_both, recommend_top, top_places

AS_OF = date(2024, 3, 31)
USERS = "user_id STRING, vector ARRAY<FLOAT>"
SEEN = "user_id STRING, product_id STRING"
SMALL = AlsConf(rank=4, iterations=3, n_blocks=2)


def _items() -> ItemMatrix:
    frame = pd.DataFrame(
        {"product_id": ["c", "a", "b", "d"], "vector": [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]}
    )
    return ItemMatrix.of_factors(frame)


def _row(user_id: str, place: int, product_id: str, score: float, model: str = "als") -> dict[str, object]:
    row = {"as_of": AS_OF, "user_id": user_id, "model": model, "rank": place}
    return {**row, "product_id": product_id, "score": score}


def _interactions(spark: SparkSession, n_users: int = 40, n_items: int = 25) -> pd.DataFrame:
    generator = np.random.default_rng(8)
    matrix = generator.random((n_users, n_items)) < 0.25
    users, items = np.nonzero(matrix)
    frame = pd.DataFrame({"user_id": [f"u{u:02d}" for u in users], "product_id": [f"p{i:02d}" for i in items]})
    frame["weight"] = generator.random(len(frame)) + 0.5
    return frame


def test_seen_items_are_left_out_and_ties_go_by_product_id(spark: SparkSession) -> None:
    users = rows_of(
        spark,
        USERS,
        [
            {"user_id": "u1", "vector": [2.0, 0.0]},  # scores a 2, b 0, c 2, d 0
            {"user_id": "u2", "vector": [1.0, 2.0]},  # scores a 1, b 2, c 3, d -2
            {"user_id": "u3", "vector": [1.0, 1.0]},  # saw everything
        ],
    )
    seen = [("u2", "c"), ("u2", "unlisted"), *(("u3", item) for item in "abcd")]
    pairs = spark.createDataFrame(seen, SEEN)
    found = recommend_top(users, pairs, _items(), "als", AS_OF, top_n=3)
    expected = rows_of(
        spark,
        ITEM_RECOMMENDATIONS,
        [
            _row("u1", 1, "a", 2.0), _row("u1", 2, "c", 2.0), _row("u1", 3, "b", 0.0),
            _row("u2", 1, "b", 2.0), _row("u2", 2, "a", 1.0), _row("u2", 3, "d", -2.0),
        ],
    )  # fmt: skip
    assertDataFrameEqual(found, expected)


def test_without_a_seen_frame_nothing_is_left_out(spark: SparkSession) -> None:
    users = rows_of(spark, USERS, [{"user_id": "u1", "vector": [1.0, 2.0]}])
    found = recommend_top(users, None, _items(), "als", AS_OF, top_n=9).orderBy("rank").collect()
    assert [row["product_id"] for row in found] == ["c", "b", "a", "d"]


def test_both_models_list_for_the_same_users_by_the_same_rules(spark: SparkSession) -> None:
    users = rows_of(spark, USERS, [{"user_id": "u1", "vector": [1.0, 0.0]}, {"user_id": "u2", "vector": [0.0, 1.0]}])
    seen = rows_of(spark, SEEN, [{"user_id": "u1", "product_id": "b"}])
    scores = ItemMatrix.of_scores(pd.DataFrame({"product_id": ["b", "a"], "score": [7.5, 3.5]}))
    lists = recommend_both(users, seen, _items(), scores, AS_OF, top_n=2)
    expected = [
        _row("u1", 1, "a", 3.5, "popularity"),
        _row("u2", 1, "b", 7.5, "popularity"),
        _row("u2", 2, "a", 3.5, "popularity"),
    ]
    found = lists.where("model = 'popularity'")
    assertDataFrameEqual(found, rows_of(spark, ITEM_RECOMMENDATIONS, expected))
    assert lists.where("model = 'als'").count() == 4


def test_no_items_give_no_lists(spark: SparkSession) -> None:
    users = rows_of(spark, USERS, [{"user_id": "u1", "vector": [1.0]}])
    nothing = ItemMatrix.of_scores(pd.DataFrame({"product_id": [], "score": []}))
    assert recommend_top(users, None, nothing, "popularity", AS_OF, top_n=5).count() == 0


def test_large_batches_are_cut_into_blocks_without_changing_a_list(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(1)
    vectors = [{"user_id": f"u{n}", "vector": row} for n, row in enumerate(generator.random((23, 2)).tolist())]
    users = rows_of(spark, USERS, vectors).coalesce(1)
    seen = rows_of(spark, SEEN, [{"user_id": f"u{n}", "product_id": "abcd"[n % 4]} for n in range(0, 23, 2)])
    whole = recommend_top(users, seen, _items(), "als", AS_OF, top_n=2).collect()
    monkeypatch.setattr(rank, "_CELLS_AT_ONCE", 20)
    blocks = recommend_top(users, seen, _items(), "als", AS_OF, top_n=2).collect()
    assert sorted(whole) == sorted(blocks)
    assert len(whole) == 46


def test_lists_equal_those_of_sparks_recommend_for_all_users(spark: SparkSession) -> None:
    interactions = _interactions(spark)
    numbered = interactions.assign(
        user=interactions["user_id"].str[1:].astype(int), item=interactions["product_id"].str[1:].astype(int)
    )
    als = ALS(
        rank=4, maxIter=3, regParam=0.1, alpha=5.0, implicitPrefs=True, seed=1, userCol="user", itemCol="item",
        ratingCol="weight",
    )  # fmt: skip
    model = als.fit(spark.createDataFrame(numbered[["user", "item", "weight"]]))
    theirs = model.recommendForAllUsers(7).select("user", F.posexplode("recommendations").alias("place", "pick"))
    expected = {(r["user"], r["place"] + 1): (r["pick"]["item"], r["pick"]["rating"]) for r in theirs.collect()}
    name = F.format_string("p%02d", "id").alias("product_id")
    items = ItemMatrix.of_factors(model.itemFactors.select(name, F.col("features").alias("vector")).toPandas())
    users = model.userFactors.select(F.col("id").cast("string").alias("user_id"), F.col("features").alias("vector"))
    found = {
        (int(r["user_id"]), r["rank"]): (int(r["product_id"][1:]), r["score"])
        for r in recommend_top(users, None, items, "als", AS_OF, 7).collect()
    }
    assert {key: item for key, (item, _) in found.items()} == {key: item for key, (item, _) in expected.items()}
    assert [score for _, (_, score) in sorted(found.items())] == pytest.approx(
        [score for _, (_, score) in sorted(expected.items())], abs=1e-5
    )


def test_factors_come_for_every_user_and_item_whatever_the_partitioning(spark: SparkSession) -> None:
    frame = spark.createDataFrame(_interactions(spark))
    first = fit_als(frame.repartition(1), SMALL)
    second = fit_als(frame.repartition(5, "product_id"), SMALL)
    for one, other in ((first.users, second.users), (first.items, second.items)):
        left, right = sorted(one.collect()), sorted(other.collect())
        assert [row[0] for row in left] == [row[0] for row in right]
        assert np.allclose([row[1] for row in left], [row[1] for row in right], atol=1e-4)
    assert first.users.count() == frame.select("user_id").distinct().count()
    assert first.items.count() == frame.select("product_id").distinct().count()


@given(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=8), st.integers(0, 6))
def test_top_places_equal_a_full_stable_sort(rows: list[list[int]], n: int) -> None:
    scores = np.array(rows, dtype=np.float64)
    assert np.array_equal(top_places(scores, n), np.argsort(-scores, axis=1, kind="stable")[:, :n])
