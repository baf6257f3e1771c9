"""The shops of benchmarks.shared_trunk, as files: whole histories, features of label days, the product's forecast.

    python -m benchmarks.trunk_shops CONFIG FOLDER [--as-of DAY]

Runs the jobs that features need on one shop, the synthetic one drawn first, and writes histories.parquet, every
event on an item of each user, oldest first; features.parquet, gold.user_features' columns on the label days and the
day that is judged; churn.parquet, gold.churn_scores of that day by boosted trees that know the outcomes up to it;
shop.json. Nothing is made twice.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.timed import run_ulm
from ulm_spark.config.clock import end_of
from ulm_spark.config.load import load
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.job import BaseConf
from ulm_spark.lake.session import open_session
from ulm_spark.lake.store import Lake
from ulm_spark.pipeline.runner import PipelineConf
from ulm_spark.predict.churn import fit_churn, score_churn
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.predict.labels import active_buyers, fit_label_days, label_churn
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sessions.catalogue import describe_items
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.sequences import SequenceRules, build_sequences
from ulm_spark.sessions.vocabulary import list_items, number_items
from ulm_spark.users.features import build_features_on

JOBS = ("ingest_events", "sessionize", "build_orders", "build_user_days")
EVERY_EVENT = 1_000_000
HISTORIES, FEATURES, CHURN, SHOP = "histories.parquet", "features.parquet", "churn.parquet", "shop.json"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What is read of the config."""

    pipeline: PipelineConf = field(default_factory=PipelineConf)
    sessions: SessionRules = field(default_factory=SessionRules)
    sequences: SequenceRules = field(default_factory=SequenceRules)
    churn: ChurnConf = field(default_factory=ChurnConf)
    training: TrainingConf = field(default_factory=TrainingConf)


def write_shop(conf: Conf, as_of: date, folder: Path) -> None:
    """All files of a shop whose jobs ran up to as_of; judged is the day a horizon before it."""
    lake = Lake(open_session("trunk_shops", conf.spark), conf.lake)
    zone, churn = conf.shop.zone, conf.churn
    judged_on = as_of - timedelta(days=churn.horizon_days)
    lines = lake.read(ORDER_LINES)
    days = fit_label_days(lines, churn, judged_on, zone)
    every = (*days, judged_on)
    _write(build_features_on(lake.read(USER_DAYS), lake.read(PRODUCT_DAYS), every), folder / FEATURES)
    _write(_histories(lake.read(EVENTS), conf, as_of), folder / HISTORIES)
    features = lake.spark.read.parquet(str(folder / FEATURES))
    known = active_buyers(features, churn.active_days).persist()
    model = fit_churn([label_churn(known, lines, day, churn, judged_on, zone) for day in days], churn)
    of_day = features.where(F.col("as_of") == F.lit(judged_on))
    scores = score_churn(of_day, model.pipeline, churn.active_days, churn.horizon_days)
    _write(scores.select("user_id", "p_churn"), folder / CHURN)
    told = {
        "judged_on": judged_on.isoformat(),
        "horizon_days": churn.horizon_days,
        "active_days": churn.active_days,
        "visit_gap_s": conf.sessions.gap_s,
        "max_length": conf.training.model.max_length,
        "ends_s": {str(day): int(end_of(day, zone).timestamp()) for day in (*every, as_of)},
    }
    (folder / SHOP).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _histories(events: DataFrame, conf: Conf, as_of: date) -> DataFrame:
    """silver.sequences as if nothing were cut off, on all items known by as_of."""
    rules, zone, currency = conf.sequences, conf.shop.zone, conf.shop.currency
    items = describe_items(events, rules.event_types, rules.min_item_events, as_of, zone, currency)
    vocabulary = list_items(number_items(items, rules.n_price_bands, as_of))
    whole = SequenceRules(rules.event_types, EVERY_EVENT, rules.min_item_events, rules.n_price_bands)
    return build_sequences(events, vocabulary, whole, conf.sessions.gap_s, as_of, zone, currency)


def _write(frame: DataFrame, path: Path) -> None:
    if not (path / "_SUCCESS").exists():
        frame.coalesce(1).write.mode("overwrite").parquet(str(path))


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as-of", type=date.fromisoformat, help="else the config's")
    parser.add_argument("--lake", help="one whose jobs ran already")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args(argv)
    if (given.folder / SHOP).exists():
        return 0
    lake = given.lake or str(given.folder / "lake")
    overrides = [*given.set, f"lake.root={lake}"]
    conf = load(given.config, Conf, overrides)
    as_of = given.as_of or conf.pipeline.as_of
    if as_of is None:
        parser.error("the config names no day: give --as-of")
    if not given.lake:
        _run_jobs(given.config, overrides, as_of, given.folder)
    write_shop(conf, as_of, given.folder)
    return 0


def _run_jobs(config: Path, overrides: list[str], as_of: date, folder: Path) -> None:
    options = ["--config", str(config), *(part for value in overrides for part in ("--set", value))]
    if "native_json" in config.read_text(encoding="utf-8"):  # a shop that is drawn, not read
        landing = folder / "landing"
        options += ["--set", f"simulation.landing={landing}", "--set", f"source.path={landing}"]
        if not landing.exists():
            run_ulm(["simulate", *options])
    run_ulm(["run", *options, "--as-of", as_of.isoformat(), *(part for job in JOBS for part in ("--only", job))])


if __name__ == "__main__":
    sys.exit(main())
