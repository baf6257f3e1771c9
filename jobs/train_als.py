"""Fit the factors that recommend items: Spark ML's alternating least squares on implicit feedback.

Reads silver.events up to the end of as_of. Saves factors of users and items as Parquet in the model folder,
writes ops.als_models, empty where nobody did anything. A re-run gives the same factors, up to rounding."""

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.ops import ALS_MODELS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.literal import frame_of
from ulm_spark.recommend.als import AlsConf, fit_als
from ulm_spark.recommend.interactions import count_interactions, weigh_interactions

JOB = "train_als"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    als: AlsConf = field(default_factory=AlsConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Fit on what is known as of the day, save, and register the model."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        pairs = weigh_interactions(ledger.read(EVENTS), as_of, conf.shop.zone, conf.als.weighting).persist()
        n_pairs, metrics = count_interactions(pairs).collect()[0]
        ledger.progress(f"ALS of rank {conf.als.rank} on {n_pairs} pairs of user and item")
        models = []
        if n_pairs:
            folder = ledger.new_model_dir("als")
            factors = fit_als(pairs, conf.als)
            factors.users.write.parquet(f"{folder.uri}/users")
            factors.items.write.parquet(f"{folder.uri}/items")
            texts = (json.dumps(asdict(conf.als)), json.dumps(ledger.inputs))
            models = [(as_of, ledger.run_id, folder.relative, n_pairs, *texts, metrics)]
        ledger.replace(frame_of(spark, ALS_MODELS, models), ALS_MODELS)
        pairs.unpersist()


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
