"""Seeds and those who are most like them, on vectors of two numbers."""

from datetime import date

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.outlook import USER_EMBEDDINGS
from ulm_spark.users.lookalikes import LookalikesConf, Seeds, choose_seeds, find_lookalikes

AS_OF = date(2024, 3, 31)
VECTORS = {
    "east": [2.0, 0.0], "north": [0.0, 3.0], "south": [0.0, -1.0],
    "b-near-east": [4.0, 1.0], "a-near-east": [8.0, 2.0], "near-north": [1.0, 9.0], "nobody": [0.0, 0.0],
}  # fmt: skip


@pytest.fixture(scope="module")
def embeddings(spark: SparkSession) -> DataFrame:
    named = {"as_of": AS_OF, "model_path": "m", "n_events": 3}
    rows = [{**named, "user_id": user, "embedding": vector} for user, vector in VECTORS.items()]
    return rows_of(spark, USER_EMBEDDINGS, rows)


def found_for(embeddings: DataFrame, seeds: list[str], n_users: int) -> pd.DataFrame:
    named = embeddings.sparkSession.createDataFrame([(user,) for user in seeds], "user_id STRING")
    chosen = Seeds.of(choose_seeds(embeddings, named, 10).toPandas())
    return find_lookalikes(embeddings, named, chosen, AS_OF, n_users).orderBy("rank").toPandas()


def test_the_nearest_come_first_and_ties_by_user(embeddings: DataFrame) -> None:
    found = found_for(embeddings, ["east", "north", "east"], 3)
    assert found["user_id"].tolist() == ["near-north", "a-near-east", "b-near-east"]
    assert found["seed_user_id"].tolist() == ["north", "east", "east"]
    assert found["similarity"].tolist() == pytest.approx([9 / 82**0.5, 4 / 17**0.5, 4 / 17**0.5], abs=1e-6)


def test_seeds_are_not_their_own_and_the_rest_is_all_there_is(embeddings: DataFrame) -> None:
    found = found_for(embeddings, ["east"], 99)
    assert len(found) == len(VECTORS) - 1
    assert found["user_id"].tolist()[-1] not in ("east", "a-near-east")
    assert found.set_index("user_id")["similarity"]["nobody"] == 0.0


def test_none_without_a_seed_who_is_there(embeddings: DataFrame) -> None:
    assert found_for(embeddings, ["stranger"], 5).empty


def test_of_many_seeds_the_same_few_are_taken(embeddings: DataFrame) -> None:
    seeds = embeddings.select("user_id")
    few = [set(choose_seeds(embeddings.repartition(n), seeds, 4).toPandas()["user_id"]) for n in (1, 3)]
    assert few[0] == few[1]
    assert len(few[0]) == 4


def test_a_segment_and_seeds_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"lookalikes\.segment"):
        LookalikesConf(segment=2, seeds=("east",))
