"""In which stage of life is each user, since when, and from where did they come?"""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.errors import RefusedError
from ulm_spark.contracts.stages import STAGE_HISTORY, STAGE_MODELS, STAGE_TRANSITIONS, STAGES, USER_STAGES
from ulm_spark.stats.hidden_stages import Ints, Parameters, stages_by_model
from ulm_spark.stats.hidden_stages_fit import Fit, fit_stages
from ulm_spark.stats.stages import UNKNOWN, stages_by_rules
from ulm_spark.users.stage_conf import StageConf
from ulm_spark.users.stage_periods import UserPeriods, most_periods, user_periods

_TOLD = (
    "user_id STRING, ago INT, stage INT, from_stage INT, n_in_stage INT, model_stage INT, model_from_stage INT, "
    "p_model_stage DOUBLE, p_active DOUBLE"
)
_USERS_AT_ONCE = 1_000


def fit_hidden_stages(periods: DataFrame, conf: StageConf) -> Fit:
    """The hidden Markov model of a sample of the users.

    In:     frame of summarise_periods.
    Rule:   the users first by the hash of their id, in that order, so that the same users give the same model.
    Errors: RefusedError where there is no user.
    """
    sample = periods.orderBy(F.xxhash64("user_id"), "user_id").limit(conf.model.max_users)
    rows = sample.toArrow().sort_by("user_id")
    if rows.num_rows == 0:
        raise RefusedError(
            "silver.user_days: found no day of a user by as_of; expected at least one. "
            "Ingest events up to the day, then run build_user_days."
        )
    seen = user_periods(rows, most_periods(rows)).seen
    settles = min(conf.period_days / conf.rules.won_back_days, 1.0)
    return fit_stages(seen, conf.model.n_classes, settles, conf.model.max_rounds, conf.model.tolerance)


def tell_stages(periods: DataFrame, model: Parameters, conf: StageConf) -> DataFrame:
    """The stages of each user at the ends of the last history_periods, from the user's first period on.

    In:   frame of summarise_periods.
    Out:  key (user_id, ago), ago 0 the latest period; stages by number, from_stage and model_from_stage null in the
          user's first period; n_in_stage, the periods in a row that ended in stage.
    Rule: a stage rests on its period and those before it; probabilities have nine digits.
    """

    def tell(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for start in range(0, batch.num_rows, _USERS_AT_ONCE):
                rows = batch.slice(start, _USERS_AT_ONCE)
                yield _told(user_periods(rows, max(most_periods(rows), conf.history_periods + 1)), model, conf)

    return periods.mapInArrow(tell, _TOLD)


def assign_stages(told: DataFrame, as_of: date, conf: StageConf) -> DataFrame:
    """The stage that each user is in. In: frame of tell_stages. Out: gold.user_stages."""
    days_in_stage = ((F.col("n_in_stage") - 1) * conf.period_days).cast("int")
    columns = {
        "as_of": F.lit(as_of),
        "stage": _named("stage"),
        "stage_since": F.date_sub(F.lit(as_of), days_in_stage),
        "n_periods_in_stage": F.col("n_in_stage"),
        "model_stage": _named("model_stage"),
    }
    latest = told.where(F.col("ago") == 0)
    return latest.select(*(columns.get(name, F.col(name)).alias(name) for name in USER_STAGES.column_names))


def list_history(told: DataFrame, as_of: date, conf: StageConf) -> DataFrame:
    """The stages of the last periods. In: frame of tell_stages. Out: gold.stage_history."""
    columns = {
        "as_of": F.lit(as_of),
        "period_on": _period_on(as_of, conf),
        "stage": _named("stage"),
        "model_stage": _named("model_stage"),
    }
    return told.select(*(columns.get(name, F.col(name)).alias(name) for name in STAGE_HISTORY.column_names))


def count_transitions(told: DataFrame, as_of: date, conf: StageConf) -> DataFrame:
    """How many users went from which stage to which, period by period.

    In:   frame of tell_stages. Out: gold.stage_transitions.
    Rule: who stayed went to the same stage; a user's first period is no transition.
    """
    rules, hidden_markov = STAGE_MODELS
    pairs = {rules: ("from_stage", "stage"), hidden_markov: ("model_from_stage", "model_stage")}
    by_model = (
        told.where(F.col(came).isNotNull()).select(
            F.lit(model).alias("model"), "ago", _named(came).alias("from_stage"), _named(went).alias("to_stage")
        )
        for model, (came, went) in pairs.items()
    )
    counted = reduce(DataFrame.unionByName, by_model).groupBy("model", "ago", "from_stage", "to_stage")
    of_stage = Window.partitionBy("model", "ago", "from_stage").rowsBetween(
        Window.unboundedPreceding, Window.unboundedFollowing
    )
    counts = counted.agg(F.count(F.lit(1)).alias("n"))
    shared = counts.withColumn("share", F.col("n") / F.sum("n").over(of_stage))
    dated = shared.select("*", F.lit(as_of).alias("as_of"), _period_on(as_of, conf).alias("period_on"))
    return dated.select(*STAGE_TRANSITIONS.column_names)


def _told(users: UserPeriods, model: Parameters, conf: StageConf) -> pa.RecordBatch:
    """Rows of tell_stages, by user and from the earliest period to the latest."""
    seen, rules = users.seen, conf.rules
    stages = stages_by_rules(seen.buys, seen.looks, seen.born, rules, conf.period_days)
    hidden = stages_by_model(seen, model, rules.mature_purchases, conf.model.cuts)
    n_periods = stages.shape[1]
    is_asked = (stages != UNKNOWN) & (np.arange(n_periods)[None, :] >= n_periods - conf.history_periods)
    user, place = np.nonzero(is_asked)
    columns = [
        users.user_ids.take(pa.array(user)),
        pa.array((n_periods - 1 - place).astype(np.int32)),
        _coded(stages[user, place]),
        _coded(_before(stages)[user, place]),
        _coded(_run_lengths(stages)[user, place]),
        _coded(hidden.stage[user, place]),
        _coded(_before(hidden.stage)[user, place]),
        pa.array(np.round(hidden.p_stage[user, place], 9)),
        pa.array(np.round(np.minimum(hidden.p_active[user, place], 1.0), 9)),
    ]
    return pa.RecordBatch.from_arrays(columns, names=[part.split()[0] for part in _TOLD.split(", ")])


def _before(stages: Ints) -> Ints:
    return np.concatenate([np.full((len(stages), 1), UNKNOWN), stages[:, :-1]], axis=1)


def _run_lengths(stages: Ints) -> Ints:
    """How many periods in a row, this one included, ended in the same stage."""
    place = np.broadcast_to(np.arange(stages.shape[1]), stages.shape)
    changed_at = np.maximum.accumulate(np.where(stages != _before(stages), place, 0), axis=1)
    return np.asarray(place - changed_at + 1)


def _coded(numbers: Ints) -> pa.Array:
    return pa.array(numbers.astype(np.int32), mask=numbers == UNKNOWN)


def _named(column: str) -> Column:
    return F.element_at(F.array(*(F.lit(stage) for stage in STAGES)), F.col(column) + 1)


def _period_on(as_of: date, conf: StageConf) -> Column:
    return F.date_sub(F.lit(as_of), (F.col("ago") * conf.period_days).cast("int"))
