"""How much of what the synthetic shop planted the jobs find again, beside the best that is possible.

Simulates the demo's shop, runs every job, and holds sessions, anomalies, churn, segments and next
items against the truth tables. The bests: for churn, forecasts that know the planted laws, with growing
knowledge of the shopper; for the next item, the planted process itself; for segments, persona as a
supervised forest reads it from the same features, cross-validated.
"""

import sys
import tempfile
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_predict

from benchmarks.demo_jobs import CONFIG, QUICK
from benchmarks.form import Result, main, progress
from benchmarks.timed import run_ulm
from jobs import simulate_shop
from ulm_spark.config.clock import end_of
from ulm_spark.config.load import load
from ulm_spark.contracts.tables import BY_NAME
from ulm_spark.events.anomalies import ARRIVED_LATE, BOT_AGENT, USER_RULES
from ulm_spark.lake.session import open_session
from ulm_spark.lake.store import Lake
from ulm_spark.pipeline.runner import RunSections
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.shop.oracle import churn_ceiling, next_item_ceiling, next_item_probabilities, next_views
from ulm_spark.stats.binary import area_under_curve

Rows = list[tuple[str, ...]]
NEXT_ITEM_SETTINGS = (
    "--set",
    "training.targets.exclude_seen=false",
)  # the planted next view may be of an item once bought


class Truth:
    """The lake of a finished run, and what was planted in it."""

    def __init__(self, spark: SparkSession, options: list[str]) -> None:
        overrides = [value for key, value in pairwise(options) if key == "--set"]
        sections = load(CONFIG, RunSections, overrides)
        self.conf = load(CONFIG, simulate_shop.Conf, overrides)
        self.lake = Lake(spark, sections.lake)
        assert sections.pipeline.as_of is not None, "the demo's config names its day"
        self.as_of: date = sections.pipeline.as_of
        self.known_until = end_of(self.as_of, self.conf.shop.zone)

    def read(self, name: str) -> DataFrame:
        """A table of the lake; the slice of the day where it has days."""
        table = BY_NAME[name]
        frame = self.lake.read(table)
        return frame.where(F.col("as_of") == F.lit(self.as_of)) if table.is_as_of else frame


def measure_sessions(truth: Truth) -> dict[str, float]:
    """Share of planted visits found to the event, for shoppers without ambiguous gaps and for all; and the ARI."""
    sessions = truth.read("silver.sessions").select("user_id", "session_id", "started_at", "ended_at")
    found = (
        truth.read("silver.events")
        .join(sessions, on="user_id", how="inner")
        .where(F.col("event_at").between(F.col("started_at"), F.col("ended_at")))
        .select("event_id", F.col("session_id").alias("found"))
    )
    planted = truth.read("truth.events").select("event_id", "user_id", "session_id", "is_ambiguous")
    events = planted.join(found, on="event_id", how="inner").toPandas()
    ambiguous = events.groupby("user_id")["is_ambiguous"].transform("any")
    figures = {"session_ari": float(adjusted_rand_score(events["session_id"], events["found"]))}
    for name, part in (("unambiguous", events[~ambiguous]), ("all", events)):
        pairs = part[["session_id", "found"]].drop_duplicates()
        is_exact = ~pairs["session_id"].duplicated(keep=False) & ~pairs["found"].duplicated(keep=False)
        figures[f"sessions_exact_{name}"] = float(is_exact.sum() / pairs["session_id"].nunique())
    return figures


def measure_churn(truth: Truth) -> dict[str, float]:
    """AUC of the scores, and of the best forecasts, on the same shoppers and outcomes."""
    churn, law = ChurnConf(), truth.conf.simulation.purchases
    users, events, clocks = (truth.read(f"truth.{name}") for name in ("users", "events", "clocks"))
    best = churn_ceiling(users, events, clocks, law, truth.known_until, churn.active_days, churn.horizon_days)
    scores = truth.read("gold.churn_scores").select("user_id", "p_churn")
    scored = best.join(scores, on="user_id", how="inner").toPandas()
    outcome = scored["is_churned"].to_numpy(dtype=bool)
    columns = ("p_churn", "p_from_history", "p_from_parameters", "p_from_state")
    figures = {f"churn_auc_{name}": area_under_curve(scored[name].to_numpy(dtype=float), outcome) for name in columns}
    return {**figures, "churn_users": float(len(scored))}


def measure_segments(truth: Truth) -> dict[str, float]:
    """Adjusted Rand index of segments to personas, and of a forest that was taught the personas."""
    planted = truth.read("truth.users").where("persona <> 'bot'").select("user_id", "persona")
    features = truth.read("gold.user_features").join(planted, on="user_id", how="inner")
    users = features.join(truth.read("gold.user_segments").select("user_id", "segment"), on="user_id", how="inner")
    table = users.toPandas().sort_values("user_id")
    numbers = table.select_dtypes(include=[np.number]).drop(columns="segment").astype(float).fillna(-1.0)
    forest = RandomForestClassifier(n_estimators=200, random_state=7, n_jobs=2)
    taught = cross_val_predict(forest, numbers, table["persona"], cv=5)
    return {
        "segment_ari": float(adjusted_rand_score(table["persona"], table["segment"])),
        "segment_ari_best": float(adjusted_rand_score(table["persona"], taught)),
        "segment_users": float(len(table)),
    }


def measure_next_item(truth: Truth) -> dict[str, float]:
    """NDCG@10 of the next viewed item: our lists, the planted process, and the most viewed items."""
    events = truth.read("truth.events")
    views = next_views(events, truth.known_until)
    probabilities = next_item_probabilities(
        views,
        truth.read("truth.users"),
        truth.read("truth.items"),
        truth.read("truth.successors"),
        truth.read("truth.persona_items"),
        truth.conf.simulation.next_item.successor_weight,
        truth.known_until,
    )
    ceiling = next_item_ceiling(probabilities, views, events, truth.known_until)
    ours = truth.read("gold.next_item_recommendations").where("rank <= 10").select("user_id", "product_id", "rank")
    hits = views.join(ours.withColumnRenamed("product_id", "next_id"), on=["user_id", "next_id"], how="left")
    gains = hits.select("user_id", F.coalesce(1 / F.log2(F.col("rank") + 1), F.lit(0.0)).alias("ndcg_sequence"))
    users = ceiling.join(gains, on="user_id", how="inner").toPandas()
    columns = ("ndcg_sequence", "ndcg_oracle", "ndcg_popularity")
    return {f"next_item_{name}": float(users[name].mean()) for name in columns} | {"next_item_users": float(len(users))}


def precision_and_recall(found: DataFrame, planted: DataFrame, key: str) -> tuple[float, float]:
    """Share of what was found that was planted, and of what was planted that was found; 0 where there is nothing."""
    n_found, n_planted = found.count(), planted.count()
    n_both = found.join(planted, on=key, how="left_semi").count()
    return n_both / max(n_found, 1), n_both / max(n_planted, 1)


def measure_anomalies(truth: Truth) -> dict[str, float]:
    """Precision and recall: bots by every rule and by their pace alone, and late lines by the clock."""
    anomalies = truth.read("silver.event_anomalies").where(F.col("event_on") <= F.lit(truth.as_of))
    events = truth.read("silver.events").where(F.col("event_on") <= F.lit(truth.as_of))
    bots = truth.read("truth.users").where("persona = 'bot'").select("user_id")
    bots = bots.join(events, on="user_id", how="left_semi")
    delayed = truth.read("truth.anomalies").where("kind IN ('late', 'out_of_order')").select("event_id")
    delayed = delayed.join(events, on="event_id", how="left_semi")
    pace = [rule for rule in USER_RULES if rule != BOT_AGENT]
    scored = {
        "bots": (anomalies.where(F.col("rule").isin(*USER_RULES)), bots, "user_id"),
        "bots_by_pace": (anomalies.where(F.col("rule").isin(pace)), bots, "user_id"),
        "late": (anomalies.where(F.col("rule") == ARRIVED_LATE), delayed, "event_id"),
    }
    figures = {"bots_users": float(bots.count()), "late_events": float(delayed.count())}
    for name, (flagged, planted, key) in scored.items():
        found = flagged.where(F.col(key).isNotNull()).select(key).distinct()
        figures[f"{name}_precision"], figures[f"{name}_recall"] = precision_and_recall(found, planted, key)
    return figures


def anomaly_rows(figures: dict[str, float]) -> Rows:
    """Precision and recall of what was flagged; the best is 1."""
    names = {"bots": "bots, all rules", "bots_by_pace": "bots, by their pace alone", "late": "late lines"}
    pairs = {words: (figures[f"{name}_precision"], figures[f"{name}_recall"]) for name, words in names.items()}
    return [(f"{words}: precision; recall", f"{p:.4f}; {r:.4f}", "1; 1") for words, (p, r) in pairs.items()]


def measure(quick: bool) -> Result:
    """One simulated shop, all jobs, and what they found of it."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as name:
        folder = Path(name)
        places = {"lake.root": "lake", "simulation.landing": "landing", "source.path": "landing"}
        placed = [part for key, sub in places.items() for part in ("--set", f"{key}={folder / sub}")]
        options = [*placed, *NEXT_ITEM_SETTINGS, *(QUICK if quick else ())]
        for command in ("simulate", "run"):
            progress(f"ulm {command}")
            run_ulm([command, "--config", str(CONFIG), *options])
        progress("holding the tables against the truth")
        truth = Truth(open_session("known_truth", load(CONFIG, RunSections).spark), options)
        figures: dict[str, float] = {}
        for part in (measure_sessions, measure_anomalies, measure_churn, measure_segments, measure_next_item):
            progress(part.__name__)
            figures |= part(truth)
    rows: Rows = [
        ("sessions found to the event", f"{figures['sessions_exact_unambiguous']:.4f}", "1 (no ambiguous gap)"),
        ("sessions found to the event, all", f"{figures['sessions_exact_all']:.4f}", ""),
        (
            "churn AUC",
            f"{figures['churn_auc_p_churn']:.4f}",
            f"{figures['churn_auc_p_from_history']:.4f} laws, history",
        ),
        ("", "", f"{figures['churn_auc_p_from_parameters']:.4f} and the shopper's own rates"),
        ("", "", f"{figures['churn_auc_p_from_state']:.4f} and whether the shopper is alive"),
        ("segment ARI", f"{figures['segment_ari']:.4f}", f"{figures['segment_ari_best']:.4f} taught personas"),
        (
            "next view NDCG@10",
            f"{figures['next_item_ndcg_sequence']:.4f}",
            f"{figures['next_item_ndcg_oracle']:.4f} planted",
        ),
        ("", f"{figures['next_item_ndcg_popularity']:.4f} popularity", ""),
        *anomaly_rows(figures),
    ]
    rounded = {key: round(value, 4) for key, value in figures.items()}
    return Result("known_truth", ("planted", "found", "best possible"), tuple(rows), rounded)


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
