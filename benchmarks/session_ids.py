"""Our visits against the session ids that two shops published, and every difference by its rule.

Ingests the YooChoose clicks and the REES46 sample in lakes of their own, cuts visits by the configured gap, and
looks at each two neighbouring events of a shopper: do they, and do we, put a cut between them? What only they cut
follows another rule than silence; what only we cut is a silence that they bore. Ids that return after another
one, or that several shoppers share, are counted too. --quick takes the REES46 sample alone.
"""

import sys
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from benchmarks.form import Result, main, progress
from jobs import evaluate_models, ingest_events
from ulm_spark.config.load import load
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.lake.session import open_session
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.sessions.agreement import session_contingency
from ulm_spark.sessions.cut import SessionRules, assign_sessions
from ulm_spark.stats.agreement import adjusted_rand_index

CONF = Path(__file__).parent.parent / "conf"
SHOPS, QUICK_SHOPS = ("yoochoose", "rees46"), ("rees46",)
AS_OF = date(2020, 1, 1)


def neighbours(events: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """Each event but a shopper's first, beside the one before it. Out: silence_s, is_theirs, is_ours, is_back."""
    cut = assign_sessions(events.where(F.col("source_session_id").isNotNull()), rules, zone)
    in_time = Window.partitionBy("user_id").orderBy("event_at", "event_id")
    so_far = in_time.rowsBetween(Window.unboundedPreceding, -1)
    before = [F.lag(name).over(in_time) for name in ("source_session_id", "session_id", "event_at")]
    seen = F.array_contains(F.collect_set("source_session_id").over(so_far), F.col("source_session_id"))
    is_theirs = F.col("source_session_id") != before[0]
    return cut.select(
        ((F.unix_micros("event_at") - F.unix_micros(before[2])) / 1e6).alias("silence_s"),
        is_theirs.alias("is_theirs"),
        (F.col("session_id") != before[1]).alias("is_ours"),
        (is_theirs & seen).alias("is_back"),
    ).where(F.col("silence_s").isNotNull())


def describe(events: DataFrame, rules: SessionRules, zone: str) -> dict[str, float]:
    """The figures of one shop."""
    pairs = session_contingency(events, rules, zone).toPandas()
    theirs, ours = (pairs[name].to_numpy(dtype=str) for name in ("source_session_id", "session_id"))
    near = neighbours(events, rules, zone).toPandas()
    cuts = {name: near[name].to_numpy(dtype=bool) for name in ("is_theirs", "is_ours", "is_back")}
    only_theirs, only_ours = cuts["is_theirs"] & ~cuts["is_ours"], cuts["is_ours"] & ~cuts["is_theirs"]
    labelled = events.where(F.col("source_session_id").isNotNull())
    n_users = (
        labelled.groupBy("source_session_id").agg(F.count_distinct("user_id").alias("n")).toPandas()["n"].to_numpy()
    )
    is_same = pairs.groupby("source_session_id")["session_id"].transform("size").eq(1)
    is_same &= pairs.groupby("session_id")["source_session_id"].transform("size").eq(1)
    return {
        "events": int(pairs["n_events"].sum()),
        "sessions_theirs": len(np.unique(theirs)),
        "sessions_ours": len(np.unique(ours)),
        "sessions_equal": int(is_same.sum()),
        "adjusted_rand_index": adjusted_rand_index(theirs, ours, pairs["n_events"].to_numpy(np.int64)),
        "cuts_of_both": int((cuts["is_theirs"] & cuts["is_ours"]).sum()),
        "cuts_of_theirs_alone": int(only_theirs.sum()),
        "of_these_back_to_an_earlier_id": int((only_theirs & cuts["is_back"]).sum()),
        "their_median_silence_s": _median(near["silence_s"].to_numpy()[only_theirs]),
        "cuts_of_ours_alone": int(only_ours.sum()),
        "our_median_silence_s": _median(near["silence_s"].to_numpy()[only_ours]),
        "our_longest_silence_s": float(near["silence_s"].to_numpy()[only_ours].max(initial=0)),
        "ids_of_several_shoppers": int((n_users > 1).sum()),
        "shoppers": labelled.select("user_id").distinct().count(),
    }


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0


def run_shop(name: str) -> dict[str, float]:
    """Ingests one shop into a lake of its own and looks at its sessions."""
    progress(f"{name}: ingest")
    config = CONF / f"{name}.yaml"
    conf, rules = load(config, ingest_events.Conf), load(config, evaluate_models.Conf).sessions
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        spark = open_session("benchmark", conf.spark)
        conf = replace(conf, lake=LakeConf(root=str(Path(folder) / "lake")))
        ingest_events.run(spark, conf, AS_OF)
        progress(f"{name}: sessions")
        return describe(Lake(spark, conf.lake).read(EVENTS), rules, conf.shop.zone)


def measure(quick: bool) -> Result:
    """Both shops."""
    found = {name: run_shop(name) for name in (QUICK_SHOPS if quick else SHOPS)}
    names = list(next(iter(found.values())))
    rows = tuple((name.replace("_", " "), *(f"{of_shop[name]:,.10g}" for of_shop in found.values())) for name in names)
    figures = {f"{shop}_{name}": value for shop, of_shop in found.items() for name, value in of_shop.items()}
    return Result("session_ids", ("", *found), rows, figures)


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
