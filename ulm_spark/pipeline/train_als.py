"""Everybody's interactions to saved factors: the lake on one side, the factorisation on the other."""

import json
from dataclasses import asdict

from ulm_spark.lake.artifacts import save_frame
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.recommend.als import AlsConf, fit_als
from ulm_spark.recommend.interactions import count_interactions, weigh_interactions


def train_on_interactions(ledger: Run, als: AlsConf, zone: str, identity: Attribution) -> list[tuple[object, ...]]:
    """The row of ops.als_models for the run's day; none where nobody did anything."""
    events = attributed_events(ledger, identity)
    with persisted(weigh_interactions(events, ledger.as_of, zone, als.weighting)) as pairs:
        n_pairs, metrics = count_interactions(pairs).collect()[0]
        ledger.progress(f"ALS of rank {als.rank} on {n_pairs} pairs of user and item")
        if not n_pairs:
            return []
        folder = ledger.new_model_dir("als")
        factors = fit_als(pairs, als)
        save_frame(factors.users, folder, "users")
        save_frame(factors.items, folder, "items")
    settings, snapshot = json.dumps(asdict(als)), json.dumps(ledger.inputs)
    return [(ledger.as_of, ledger.run_id, folder.relative, n_pairs, settings, snapshot, metrics)]
