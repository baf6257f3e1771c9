"""Two ranks train to the same end, whoever starts them."""

from pathlib import Path

import horovod.common.util
import pytest
from pyspark.sql import SparkSession

from jobs import train_sequence
from tests.flows.sequence_tables import AS_OF, fill, small_training
from ulm_spark.config.load import load
from ulm_spark.contracts.ops import SEQUENCE_MODELS
from ulm_spark.lake.store import Lake

pytestmark = [pytest.mark.flow, pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


def measured(spark: SparkSession, folder: Path, launcher: str) -> dict[str, float]:
    """What training on two ranks measured, its times left out."""
    folder.mkdir()
    conf = load(small_training(folder, launcher=launcher), train_sequence.Conf)
    lake = Lake(spark, conf.lake)
    fill(spark, lake, 24)
    train_sequence.run(spark, conf, AS_OF)
    model = lake.read(SEQUENCE_MODELS).first()
    assert model is not None
    return {name: value for name, value in model["metrics"].items() if name not in ("seconds", "rows_per_s")}


def test_spark_and_horovodrun_start_the_same_training(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork(*_: object) -> None:
        pytest.fail("this process, which has threads, was forked")

    monkeypatch.setattr(horovod.common.util, "_check_extension_lambda", fork)
    by_horovodrun = measured(spark, tmp_path / "horovodrun", "horovodrun")
    by_spark = measured(spark, tmp_path / "spark", "spark")
    assert by_horovodrun
    assert by_spark == pytest.approx(by_horovodrun, rel=1e-5)
