"""A day's features and events to personas, with the encoding of an earlier day while it serves."""

import json
from dataclasses import asdict
from datetime import timedelta

from pyspark.sql import functions as F

from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.ops import PERSONA_MODELS
from ulm_spark.contracts.personas import PERSONA_TOPICS, USER_PERSONAS
from ulm_spark.lake.artifacts import load_pipeline, save_pipeline
from ulm_spark.lake.models import ModelDir
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.users.interests import list_interests
from ulm_spark.users.persona_conf import PersonaConf
from ulm_spark.users.persona_encoding import Encoding, fit_encoding
from ulm_spark.users.persona_topics import Topic, TopicModel
from ulm_spark.users.personas import describe_users, topic_rows

# These say when to fit, and no more: an encoding serves whatever they are.
_NOT_OF_THE_FIT = ("refit_days", "refit")


def describe_day(ledger: Run, conf: PersonaConf, zone: str, identity: Attribution) -> None:
    """Replaces the day's slices of the tables that describe_users writes.

    Rule: the encoding is that of the last earlier day that fitted one, while refit_days are not over and
          it was fitted with the same settings; else one is fitted, and noted in ops.persona_models. So the day's own
          note changes nothing when the day is run again.
    Edge: without a user the slices are empty, and the run says so.
    """
    features = ledger.read(USER_FEATURES).where(F.col("as_of") == F.lit(ledger.as_of))
    if features.isEmpty():
        ledger.note("found no users for the day in gold.user_features; expected at least one. Run build_user_features.")
        for table in (USER_PERSONAS, PERSONA_TOPICS, PERSONA_MODELS):
            ledger.replace(ledger.frame_of(table, []), table)
        return
    told = list_interests(attributed_events(ledger, identity), ledger.as_of, conf.window_days, zone)
    with persisted(told) as interests:
        last, serves = _last_encoding(ledger, conf)
        if last is not None and serves:
            encoding, models = last, []
        else:
            encoding = fit_encoding(features, interests, conf, last)
            models = [_saved(ledger, encoding, conf)]
        ledger.replace(describe_users(features, interests, encoding), USER_PERSONAS)
    ledger.replace(ledger.frame_of(PERSONA_TOPICS, topic_rows(encoding, ledger.as_of)), PERSONA_TOPICS)
    ledger.replace(ledger.frame_of(PERSONA_MODELS, models), PERSONA_MODELS)


def _settings(conf: PersonaConf) -> str:
    return json.dumps({name: value for name, value in asdict(conf).items() if name not in _NOT_OF_THE_FIT})


def _last_encoding(ledger: Run, conf: PersonaConf) -> tuple[Encoding | None, bool]:
    """The encoding of the last earlier day that fitted one, and whether it serves today."""
    known = ledger.read(PERSONA_MODELS).where(F.col("as_of") < F.lit(ledger.as_of))
    noted = known.orderBy(F.desc("as_of")).select("as_of", "path", "settings", "snapshot", "n_rows").first()
    if noted is None:
        return None, False
    is_young = ledger.as_of - noted["as_of"] < timedelta(days=conf.refit_days)
    serves = is_young and not conf.refit and noted["settings"] == _settings(conf)
    plain = json.loads(noted["snapshot"])["encoding"]
    folder = ledger.model_dir(noted["path"])
    topics = None
    if plain["topics"]:
        named = tuple(Topic(t["name"], tuple(t["terms"]), t["place"]) for t in plain["topics"])
        topics = TopicModel(load_pipeline(_part(folder, "topics")), named)
    encoding = Encoding(
        behaviour=load_pipeline(_part(folder, "behaviour")),
        features=tuple(plain["features"]),
        n_known=tuple(plain["n_known"]),
        components=tuple(tuple(row) for row in plain["components"]),
        topics=topics,
        version=plain["version"],
        metrics={},
        n_sample=noted["n_rows"],
    )
    return encoding, serves


def _saved(ledger: Run, encoding: Encoding, conf: PersonaConf) -> tuple[object, ...]:
    """The row of ops.persona_models."""
    folder = ledger.new_model_dir("persona")
    save_pipeline(encoding.behaviour, _part(folder, "behaviour"))
    if encoding.topics is not None:
        save_pipeline(encoding.topics.pipeline, _part(folder, "topics"))
    plain = {
        "version": encoding.version,
        "features": encoding.features,
        "n_known": encoding.n_known,
        "components": encoding.components,
        "topics": [asdict(topic) for topic in encoding.topics.topics] if encoding.topics else [],
    }
    snapshot = json.dumps({"tables": ledger.inputs, "encoding": plain})
    row = (ledger.as_of, ledger.run_id, folder.relative, encoding.n_sample, _settings(conf), snapshot)
    return (*row, encoding.metrics)


def _part(folder: ModelDir, name: str) -> ModelDir:
    return ModelDir(f"{folder.relative}/{name}", f"{folder.uri}/{name}", folder.make_local)
