"""What is left in a model's folder, and found there again: pipelines of Spark ML, frames of factors, and texts."""

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, SparkSession

from ulm_spark.lake.models import ModelDir


def save_pipeline(pipeline: PipelineModel, folder: ModelDir) -> None:
    """Saves a fitted pipeline as the model itself."""
    pipeline.write().overwrite().save(folder.uri)


def load_pipeline(folder: ModelDir) -> PipelineModel:
    """The pipeline that was saved."""
    return PipelineModel.load(folder.uri)


def save_frame(frame: DataFrame, folder: ModelDir, name: str) -> None:
    """Saves a frame as one part of the model."""
    frame.write.mode("overwrite").parquet(f"{folder.uri}/{name}")


def load_frame(spark: SparkSession, folder: ModelDir, name: str) -> DataFrame:
    """The part of that name."""
    return spark.read.parquet(f"{folder.uri}/{name}")


def save_text(text: str, folder: ModelDir, name: str) -> None:
    """Saves a text, such as JSON, as one file of the model; publish brings it to the lake."""
    (folder.local / name).write_text(text, encoding="utf-8")
