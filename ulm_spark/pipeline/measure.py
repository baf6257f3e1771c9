"""How good was what the models said as of a day? The measurements of each task, across rooms."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of, start_of
from ulm_spark.contracts.gold import (
    CHURN_OUTCOMES,
    CHURN_SCORES,
    ITEM_RECOMMENDATIONS,
    NEXT_ITEM_RECOMMENDATIONS,
    RECOMMENDATION_EXAMPLES,
)
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, PRODUCTS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.predict.outcomes import measure_churn, observe_churn, summarise_deciles
from ulm_spark.recommend.als import AlsConf
from ulm_spark.recommend.evaluate import EvaluationConf, describe_protocol, measure_lists
from ulm_spark.recommend.examples import list_examples, pick_examples, recent_history
from ulm_spark.recommend.outcome import mark_hits, outcome_window, relevant_items
from ulm_spark.sessions.agreement import session_contingency
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.stats.agreement import adjusted_rand_index
from ulm_spark.stats.measurement import Measurement


def last_event_day(ledger: Run) -> date | None:
    """Local day of the last event in the lake: what comes after it is unknown."""
    day = ledger.read(EVENTS).agg(F.max("event_on")).collect()[0][0]
    return day if isinstance(day, date) else None


def measure_items(
    ledger: Run, known_to: date | None, conf: EvaluationConf, als: AlsConf, zone: str, identity: Attribution
) -> list[Measurement]:
    """The lists of all models against the purchases after as_of; writes gold.recommendation_examples."""
    as_of = ledger.as_of
    window = outcome_window(as_of, known_to, conf.test_days, conf.min_test_days)
    if window is None:
        ledger.progress(
            f"items: nothing measured, the lake ends on {known_to}; "
            f"at least {conf.min_test_days} days after {as_of} are needed"
        )
        _replace_by_nothing(ledger, RECOMMENDATION_EXAMPLES)
        return []
    lists = _slice(ledger, ITEM_RECOMMENDATIONS).unionByName(_slice(ledger, NEXT_ITEM_RECOMMENDATIONS))
    bought = relevant_items(ledger.read(ORDER_LINES), window, zone, only_new=als.exclude_seen)
    with persisted(bought) as relevant, persisted(mark_hits(lists, relevant, conf.k, conf.max_users)) as hits:
        protocol = describe_protocol(window, conf, only_new=als.exclude_seen)
        measurements = measure_lists(hits.toPandas(), conf, protocol)
        users = pick_examples(hits, conf.n_examples)
        types = als.weighting.event_types
        history = recent_history(attributed_events(ledger, identity), users, as_of, zone, types, conf.n_history)
        examples = list_examples(users, history, lists, relevant, ledger.read(PRODUCTS), as_of, conf.k)
        ledger.replace(examples, RECOMMENDATION_EXAMPLES)
    return measurements


def measure_churn_task(ledger: Run, known_to: date | None, conf: EvaluationConf, zone: str) -> list[Measurement]:
    """The churn forecast against what happened in its horizon; writes gold.churn_outcomes."""
    as_of, scores = ledger.as_of, _slice(ledger, CHURN_SCORES)
    horizon_days = scores.agg(F.max("horizon_days")).collect()[0][0]
    horizon_on = as_of + timedelta(days=horizon_days or 0)
    if horizon_days is None or known_to is None or known_to < horizon_on:
        ledger.progress(
            f"churn: nothing measured, no user is scored as of {as_of}"
            if horizon_days is None
            else f"churn: nothing measured, the horizon ends on {horizon_on}, the lake on {known_to}"
        )
        _replace_by_nothing(ledger, CHURN_OUTCOMES)
        return []
    protocol = (
        f"users scored as of {as_of}; churned: no purchase after it up to {horizon_on}; "
        f"95% percentile bootstrap over users, {conf.n_resamples} resamples, seed {conf.seed}"
    )
    with persisted(observe_churn(scores, ledger.read(ORDER_LINES), as_of, horizon_days, zone)) as observed:
        ledger.replace(summarise_deciles(observed, as_of), CHURN_OUTCOMES)
        return measure_churn(observed.toPandas(), conf.n_resamples, conf.seed, protocol)


def measure_sessions(
    ledger: Run, rules: SessionRules, conf: EvaluationConf, zone: str, identity: Attribution
) -> list[Measurement]:
    """Our visits against the source's own session ids, where it has them; the baseline is one visit a day."""
    as_of = ledger.as_of
    first_on = as_of - timedelta(days=conf.session_days - 1)
    at = F.col("event_at")
    is_inside = (at >= F.lit(start_of(first_on, zone))) & (at < F.lit(end_of(as_of, zone)))
    events = attributed_events(ledger, identity).where(is_inside)
    index, n_events = _agreement(session_contingency(events, rules, zone), "session_id")
    if n_events == 0:
        ledger.progress("sessions: nothing measured, the source has no session ids")
        return []
    is_labelled = F.col("source_session_id").isNotNull() & F.col("user_id").isNotNull()
    user_day = F.concat_ws("|", "user_id", "event_on").alias("user_day")
    days = events.where(is_labelled).groupBy("source_session_id", user_day)
    index_of_days, _ = _agreement(days.agg(F.count("*").alias("n_events")), "user_day")
    agreement = Measurement(
        task="sessions",
        model="gap",
        metric="adjusted_rand_index",
        value=index,
        value_low=None,
        value_high=None,
        baseline="one visit a day",
        baseline_value=index_of_days,
        difference_low=None,
        difference_high=None,
        n=n_events,
        protocol=(
            f"events of {first_on} to {as_of} that have the source's own session id; "
            f"{rules.in_words} ends a visit of ours"
        ),
    )
    return [agreement]


def _agreement(contingency: DataFrame, session_column: str) -> tuple[float, int]:
    pairs: pd.DataFrame = contingency.select("source_session_id", session_column, "n_events").toPandas()
    n_joint = pairs["n_events"].to_numpy(np.int64)
    theirs = pairs["source_session_id"].to_numpy(dtype=str)
    ours = pairs[session_column].to_numpy(dtype=str)
    return adjusted_rand_index(theirs, ours, n_joint), int(n_joint.sum())


def _slice(ledger: Run, table: Table) -> DataFrame:
    return ledger.read(table).where(F.col("as_of") == F.lit(ledger.as_of))


def _replace_by_nothing(ledger: Run, table: Table) -> None:
    ledger.replace(ledger.frame_of(table, []), table)
