"""List the best items for every user: by ALS, and by popularity as the baseline.

Reads silver.events up to the end of as_of and ops.als_models of as_of. Writes gold.item_recommendations,
the slice of as_of: both lists for every user with factors; empty without a model. A re-run replaces it."""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.gold import ITEM_RECOMMENDATIONS
from ulm_spark.contracts.ops import ALS_MODELS
from ulm_spark.lake.artifacts import load_frame
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.recommend.als import AlsConf
from ulm_spark.recommend.interactions import bought_items
from ulm_spark.recommend.popularity import rank_popular
from ulm_spark.recommend.rank import ItemMatrix, recommend_both

JOB = "recommend_items"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    als: AlsConf = field(default_factory=AlsConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's lists of both models."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        events, zone = attributed_events(ledger, conf.identity), conf.shop.zone
        model = ledger.read(ALS_MODELS).where(f"as_of = DATE'{as_of}'").first()
        lists = ledger.frame_of(ITEM_RECOMMENDATIONS, [])
        if model is None:
            ledger.note(f"found no ALS model of {as_of}; expected one. Run train_als for the day, or see what it said.")
        else:
            folder = ledger.model_dir(model["path"])
            users, factors = (load_frame(spark, folder, name) for name in ("users", "items"))
            popular = rank_popular(events, as_of, zone, conf.als.popularity_days)
            seen = bought_items(events, as_of, zone) if conf.als.exclude_seen else None
            items = (ItemMatrix.of_factors(factors.toPandas()), ItemMatrix.of_scores(popular.toPandas()))
            lists = recommend_both(users, seen, *items, as_of, conf.als.top_n)
        ledger.replace(lists, ITEM_RECOMMENDATIONS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
