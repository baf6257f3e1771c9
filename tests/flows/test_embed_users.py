"""From a trained model to embeddings and an outlook of every user, as the exported network says outside Spark."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnxruntime import InferenceSession
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import embed_users, find_lookalikes, train_sequence
from tests.flows.sequence_tables import AS_OF, fill, history, small_training
from ulm_spark.config.errors import ConfigError, TrainingError
from ulm_spark.config.load import load
from ulm_spark.contracts.ops import SEQUENCE_MODELS
from ulm_spark.contracts.outlook import USER_EMBEDDINGS, USER_LOOKALIKES, USER_OUTLOOK
from ulm_spark.lake.store import Lake
from ulm_spark.sequence.conf import AdapterConf
from ulm_spark.sequence.facts import facts_of
from ulm_spark.sequence.launch import READER, WEIGHTS
from ulm_spark.sequence.learning_conf import HeadsConf
from ulm_spark.sequence.rows import Rows
from ulm_spark.users.lookalikes import LookalikesConf

pytestmark = [pytest.mark.flow, pytest.mark.filterwarnings("ignore::FutureWarning")]
N_USERS = 24
LENGTH = 6
END = datetime(2024, 4, 1, tzinfo=UTC)
HEADS = HeadsConf(tasks=("action", "gap", "churn", "value", "conversion"), horizon_days=1, visit_gap_s=5 * 3600)


class Read:
    """A lake with a model that has learned all tasks, and what the job made of it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        conf = load(small_training(folder), train_sequence.Conf)
        self.training = conf
        self.conf = embed_users.Conf(lake=conf.lake, shop=conf.shop)
        self.lake = Lake(spark, conf.lake)
        fill(spark, self.lake, N_USERS)
        train_sequence.run(spark, replace(conf, training=replace(conf.training, heads=HEADS)), AS_OF)
        embed_users.run(spark, self.conf, AS_OF)
        self.embeddings = self.table(USER_EMBEDDINGS.name)
        self.outlook = self.table(USER_OUTLOOK.name)
        model = self.lake.read(SEQUENCE_MODELS).first()
        assert model is not None
        self.path = str(model["path"])

    def table(self, name: str) -> pd.DataFrame:
        table = next(table for table in (USER_EMBEDDINGS, USER_OUTLOOK, USER_LOOKALIKES) if table.name == name)
        frame: pd.DataFrame = self.lake.read(table).where(F.col("as_of") == F.lit(AS_OF)).toPandas()
        return frame.sort_values("user_id", ignore_index=True)


@pytest.fixture(scope="module")
def read(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Read:
    return Read(spark, tmp_path_factory.mktemp("read"))


def expected_of(read: Read, user: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """What the exported network says of one user's history, put together by hand."""
    past = history(user)
    n_items, gaps = int(past["n_items"]), np.array(past["gap_seconds"], np.int64)  # type: ignore[call-overload]
    last_s = int(past["last_event_at"].timestamp())  # type: ignore[attr-defined]
    at_s = last_s - (gaps.sum() - np.cumsum(gaps))
    columns = [np.zeros((1, LENGTH), kind) for kind in (np.int32, np.int32, np.int64, np.float32)]
    for column, values in zip(columns, (past["item_indices"], past["event_codes"], at_s, past["amounts"]), strict=True):
        column[0, LENGTH - n_items :] = values
    rows = Rows(np.zeros(1, np.uint64), *columns)  # type: ignore[arg-type]
    elapsed_s = np.array([int(END.timestamp()) - last_s], np.int64)
    facts = facts_of(rows, np.zeros(1, np.int32), np.full(1, LENGTH - 1, np.int32), elapsed_s, LENGTH)
    graph = InferenceSession(str(Path(read.lake.root) / read.path / READER), providers=["CPUExecutionProvider"])
    given = {"item_indices": rows.items, "event_codes": rows.codes, "gap_seconds": rows.gaps()}
    names = [output.name for output in graph.get_outputs()]
    return dict(zip(names, graph.run(names, {**given, "elapsed_s": elapsed_s, "facts": facts}), strict=True))


def test_sequences_that_hold_less_than_the_heads_look_at_are_refused() -> None:
    asked = ["training.heads.tasks=[churn]", "training.heads.fact_events=80", "sequences.max_length=159"]
    with pytest.raises(ConfigError, match=r"sequences\.max_length: found 159; expected at least 160, twice what"):
        load(None, train_sequence.Conf, asked)
    assert load(None, train_sequence.Conf, [*asked[:2], "sequences.max_length=160"]).training.seen_length == 80
    assert load(None, train_sequence.Conf, asked[2:]).training.read_length == 50


def test_every_user_is_told_what_the_network_says_at_the_end_of_the_day(read: Read) -> None:
    assert list(read.embeddings["user_id"]) == list(read.outlook["user_id"]) == [f"u{n:02d}" for n in range(N_USERS)]
    for user in (0, 3, 23):
        said, embedded, told = expected_of(read, user), read.embeddings.loc[user], read.outlook.loc[user]
        np.testing.assert_allclose(embedded["embedding"], said["states"][0], atol=1e-4)
        assert embedded["n_events"] == 2 + user % 5
        assert told["hours_since_last"] == pytest.approx(4 + user)
        for name in ("p_churn", "expected_value"):
            assert told[name] == pytest.approx(float(said[name][0]), rel=1e-4)
        assert told["p_next_action"] == pytest.approx(float(said["p_action"][0, 1:].max()), rel=1e-4)
        bucket = int(np.ceil(np.log2(max(told["hours_to_next"] * 3600, 1.0)))) if told["hours_to_next"] else 0
        up_to = np.cumsum(said["p_gap"][0])
        assert up_to[bucket] >= 0.5 - 1e-4
        assert bucket == 0 or up_to[bucket - 1] <= 0.5 + 1e-4
    assert set(read.outlook["horizon_days"]) == {1}
    assert set(read.outlook["currency"]) == {"EUR"}
    assert set(read.outlook["model_path"]) == set(read.embeddings["model_path"]) == {read.path}


def test_an_open_visit_is_asked_whether_it_converts(spark: SparkSession, read: Read) -> None:
    is_open = read.outlook["hours_since_last"] <= 5  # as long as the model learned that a visit survives
    assert is_open.sum() == 2
    assert (read.outlook["p_conversion"].notna() == is_open).all()
    embed_users.run(spark, read.conf, AS_OF)
    pd.testing.assert_frame_equal(read.table(USER_OUTLOOK.name), read.outlook)


def test_a_day_without_a_model_has_no_rows(spark: SparkSession, read: Read) -> None:
    day = AS_OF - timedelta(days=9)
    embed_users.run(spark, read.conf, day)
    for table in (USER_EMBEDDINGS, USER_OUTLOOK):
        assert read.lake.read(table).where(F.col("as_of") == F.lit(day)).isEmpty()


def test_look_alikes_are_the_nearest_by_cosine(spark: SparkSession, read: Read) -> None:
    seeds = ("u03", "u10", "nobody")
    asked = LookalikesConf(seeds=seeds, n_users=5)
    find_lookalikes.run(spark, find_lookalikes.Conf(lake=read.conf.lake, lookalikes=asked), AS_OF)
    found = read.table(USER_LOOKALIKES.name).sort_values("rank", ignore_index=True)
    vectors = np.array(read.embeddings["embedding"].tolist(), np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors @ vectors[[3, 10]].T
    cosine[[3, 10]] = -9.0
    assert found["rank"].tolist() == [1, 2, 3, 4, 5]
    assert found["user_id"].is_unique
    np.testing.assert_allclose(found["similarity"], np.sort(cosine.max(axis=1))[:-6:-1], atol=1e-5)
    # Users who did the same are as near as one another but for the last bit: each is held to its own similarity.
    users, nearest = (found[name].str[1:].astype(int) for name in ("user_id", "seed_user_id"))
    np.testing.assert_allclose(found["similarity"], cosine[users, (nearest == 10).astype(int)], atol=1e-5)
    np.testing.assert_allclose(found["similarity"], cosine[users].max(axis=1), atol=1e-5)
    assert set(nearest) <= {3, 10}
    find_lookalikes.run(spark, find_lookalikes.Conf(lake=read.conf.lake), AS_OF)
    assert read.table(USER_LOOKALIKES.name).empty


def test_a_model_is_tuned_by_an_adapter_and_not_without_one_to_tune(spark: SparkSession, read: Read) -> None:
    alone = replace(HEADS, tasks=("churn",), next_item=False)
    tuned = replace(read.training, training=replace(read.training.training, heads=alone, adapter=AdapterConf(2)))
    with pytest.raises(TrainingError, match="no model of a day before"):
        train_sequence.run(spark, tuned, AS_OF)
    named = replace(tuned, training=replace(tuned.training, adapter=AdapterConf(2, read.path)))
    train_sequence.run(spark, named, AS_OF)
    embed_users.run(spark, read.conf, AS_OF)
    told = read.table(USER_OUTLOOK.name)
    assert told["p_churn"].notna().all()
    assert told[["expected_value", "next_action", "hours_to_next"]].isna().all().all()
    before, after = (np.load(Path(read.lake.root) / path / WEIGHTS) for path in (read.path, told["model_path"][0]))
    (table,), (bias,) = ([name for name in before.files if part in name] for part in ("items/items", "churn_last/bias"))
    np.testing.assert_array_equal(after[table][1:], before[table][1:])  # the first is padding's
    assert not np.array_equal(after[bias], before[bias])
