"""From sequences in Delta, rows deleted and merged before, to a trained model and its lists."""

import json
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import recommend_next_items, train_sequence
from tests.flows.sequence_tables import (
    AS_OF,
    N_ITEMS,
    PURCHASE,
    VERSION,
    fill,
    history,
    item,
    product,
    small_training,
)
from tests.frames import rows_of
from ulm_spark.config.errors import DataQualityError, TrainingError
from ulm_spark.config.load import load
from ulm_spark.contracts.gold import NEXT_ITEM_RECOMMENDATIONS
from ulm_spark.contracts.ops import SEQUENCE_MODELS
from ulm_spark.contracts.sequences import ITEM_VOCABULARY, SEQUENCES
from ulm_spark.lake.progress import progress_to
from ulm_spark.lake.store import Lake
from ulm_spark.sequence.conf import FeedConf
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.plan import list_files, pools_of
from ulm_spark.sequence.snapshot import Snapshot

pytestmark = [pytest.mark.flow, pytest.mark.filterwarnings("ignore::FutureWarning")]
N_USERS = 24


class Trained:
    """A lake whose sequences were deleted from and merged into, a model trained on it, and its lists."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.conf = load(small_training(folder), train_sequence.Conf)
        self.lake = Lake(spark, self.conf.lake)
        fill(spark, self.lake, N_USERS)
        self.lake.delete(SEQUENCES, f"user_id < 'u05' AND as_of = DATE'{AS_OF}'")
        merged = [{**history(7), "item_indices": [3] * 4, "n_items": 4}, history(90)]
        self.lake.merge(rows_of(spark, SEQUENCES, merged), SEQUENCES, delete_missing=False)
        self.said: list[str] = []
        with progress_to(self.said.append):
            train_sequence.run(spark, self.conf, AS_OF)
        recommend_next_items.run(spark, load(small_training(folder), recommend_next_items.Conf), AS_OF)
        model = self.lake.read(SEQUENCE_MODELS).first()
        assert model is not None
        self.model = model
        self.snapshot = Snapshot.from_json(model["snapshot"])


@pytest.fixture(scope="module")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(spark, tmp_path_factory.mktemp("trained"))


def test_the_model_sees_exactly_the_active_rows(trained: Trained) -> None:
    day = trained.lake.read(SEQUENCES).where(F.col("as_of") == F.lit(AS_OF))
    table = {row["user_id"]: (row["n_items"], sum(row["item_indices"])) for row in day.collect()}
    assert len(table) == N_USERS - 5 + 1
    keys = pd.util.hash_array(pd.Series(sorted(table)).to_numpy(dtype=object)) >> 1
    expected = {int(key): table[user_id] for key, user_id in zip(keys, sorted(table), strict=True)}
    read = {}
    for rank in range(2):
        for pool in pools_of(list_files(trained.snapshot.files), 0, 1):
            rows = Feed(FeedConf(), 6, rank, 2).read(pool)
            for key, items in zip(rows.user_key, rows.items, strict=True):
                assert int(key) not in read
                read[int(key)] = (int((items > 0).sum()), int(items.sum()))
    assert read == expected


def test_the_folder_holds_more_files_than_the_model_saw(trained: Trained) -> None:
    folder = Path(trained.lake.path(SEQUENCES)) / f"as_of={AS_OF}"
    assert len(list(folder.glob("*.parquet"))) > len(trained.snapshot.files)


def test_the_registered_model_says_what_it_was_trained_on(trained: Trained) -> None:
    assert trained.model["n_rows"] == trained.snapshot.n_rows == N_USERS - 5 + 1
    assert trained.model["metrics"]["n_rows"] == trained.model["n_rows"]
    assert trained.snapshot.version == trained.lake.version(SEQUENCES)
    assert trained.snapshot.n_items == N_ITEMS
    assert trained.snapshot.vocabulary_version == VERSION
    assert json.loads(trained.model["settings"])["model"]["dim"] == 8
    assert [text.split(":")[0] for text in trained.said[1:]] == ["epoch 1/2", "epoch 2/2"]
    assert not list((Path(trained.lake.root) / "_checkpoints" / "sequence").iterdir())


def test_every_user_gets_a_list_without_what_was_bought(trained: Trained) -> None:
    lists: pd.DataFrame = trained.lake.read(NEXT_ITEM_RECOMMENDATIONS).toPandas()
    assert set(lists["user_id"]) == {f"u{user:02d}" for user in (*range(5, N_USERS), 90)}
    assert set(lists["model"]) == {"sequence"}
    for user_id, rows in lists.sort_values("rank").groupby("user_id"):
        assert rows["rank"].tolist() == [1, 2, 3, 4, 5]
        assert rows["score"].is_monotonic_decreasing
        if user_id != "u90":  # has no events in the lake
            past = history(int(str(user_id)[1:]))
            pairs = zip(past["item_indices"], past["event_codes"], strict=True)  # type: ignore[call-overload]
            assert not set(rows["product_id"]) & {product(item) for item, code in pairs if code == PURCHASE}


def test_lists_are_the_same_when_made_again(spark: SparkSession, trained: Trained) -> None:
    before: pd.DataFrame = trained.lake.read(NEXT_ITEM_RECOMMENDATIONS).toPandas()
    conf = recommend_next_items.Conf(lake=trained.conf.lake, training=trained.conf.training)
    recommend_next_items.run(spark, conf, AS_OF)
    after: pd.DataFrame = trained.lake.read(NEXT_ITEM_RECOMMENDATIONS).toPandas()
    by = ["user_id", "rank"]
    pd.testing.assert_frame_equal(
        before.sort_values(by, ignore_index=True), after.sort_values(by, ignore_index=True), check_exact=False
    )


def test_a_day_without_sequences_has_no_model_and_no_lists(spark: SparkSession, trained: Trained) -> None:
    day = AS_OF - timedelta(days=9)
    train_sequence.run(spark, trained.conf, day)
    conf = recommend_next_items.Conf(lake=trained.conf.lake, training=trained.conf.training)
    recommend_next_items.run(spark, conf, day)
    for table in (SEQUENCE_MODELS, NEXT_ITEM_RECOMMENDATIONS):
        assert trained.lake.read(table).where(F.col("as_of") == F.lit(day)).isEmpty()


def test_sequences_without_a_vocabulary_are_refused(spark: SparkSession, trained: Trained) -> None:
    day = AS_OF - timedelta(days=1)
    assert trained.lake.read(SEQUENCES).where(F.col("as_of") == F.lit(day)).count() == 3
    with pytest.raises(TrainingError, match="no item"):
        train_sequence.run(spark, trained.conf, day)


def test_another_numbering_of_items_is_refused(spark: SparkSession, trained: Trained) -> None:
    changed = [{**item(1), "product_id": "new"}]
    trained.lake.merge(rows_of(spark, ITEM_VOCABULARY, changed), ITEM_VOCABULARY, delete_missing=False)
    conf = recommend_next_items.Conf(lake=trained.conf.lake, training=trained.conf.training)
    with pytest.raises(DataQualityError, match="another numbering"):
        recommend_next_items.run(spark, conf, AS_OF)


def test_sequences_of_another_vocabulary_are_neither_scored_nor_learnt_from(
    spark: SparkSession, trained: Trained
) -> None:
    stray = {**history(7), "vocabulary_version": "other"}
    trained.lake.merge(rows_of(spark, SEQUENCES, [stray]), SEQUENCES, delete_missing=False)
    conf = recommend_next_items.Conf(lake=trained.conf.lake, training=trained.conf.training)
    with pytest.raises(DataQualityError, match=rf"in vocabulary {VERSION}, other; expected that of the model"):
        recommend_next_items.run(spark, conf, AS_OF)
    with pytest.raises(DataQualityError, match="in 2 vocabulary versions"):
        train_sequence.run(spark, trained.conf, AS_OF)
