"""Stages of life of literal users: as of a day, in any order, with history and moves that agree."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of, texts_of
from tests.stats.planted_stages import PLANTED
from ulm_spark.config.errors import ConfigError, RefusedError
from ulm_spark.contracts.stages import STAGE_HISTORY, STAGE_TRANSITIONS, USER_STAGES
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.lake.literal import frame_of
from ulm_spark.stats.stages import StageRules
from ulm_spark.users.stage_conf import HiddenStageConf, StageConf
from ulm_spark.users.stage_periods import summarise_periods
from ulm_spark.users.stages import assign_stages, count_transitions, fit_hidden_stages, list_history, tell_stages

AS_OF = date(2024, 3, 31)
CONF = StageConf(
    history_periods=4,
    memory_periods=20,
    rules=StageRules(usual_gap_days=14, gap_weight=2, late_enter=2, late_leave=1, lost_enter=4, won_back_days=14),
    model=HiddenStageConf(n_classes=2, max_rounds=5),
)
MODEL = replace(PLANTED, weights=(0.5, 0.5))
# A letter a week, the last week ends with AS_OF: B bought, L looked.
USERS = {
    "new": "L",
    "grown": "LB.B",
    "mature": "LBBBBB",
    "late": "LBB.....",
    "lost": "B" + "." * 14,
    "back": "B" + "." * 9 + "BB",
}
Row = dict[str, object]


def day(user_id: str, day_on: date, kind: str) -> Row:
    return {"user_id": user_id, "day_on": day_on, "n_events": 3, "n_orders": int(kind == "B")}


def planted() -> list[Row]:
    rows = []
    for user_id, weeks in USERS.items():
        for ago, kind in enumerate(reversed(weeks)):
            if kind != ".":
                rows.append(day(user_id, AS_OF - timedelta(days=7 * ago + len(user_id) % 7), kind))
    return rows


FUTURE = [
    *(day(user_id, AS_OF + timedelta(days=1 + n), "B") for n, user_id in enumerate(USERS)),
    day("unborn", AS_OF + timedelta(days=1), "L"),
]


def told(days: DataFrame) -> DataFrame:
    return tell_stages(summarise_periods(days, AS_OF, CONF), MODEL, CONF)


@pytest.fixture(scope="module")
def stages(spark: SparkSession) -> DataFrame:
    return told(rows_of(spark, USER_DAYS, planted())).cache()


def test_each_user_is_in_the_stage_that_their_weeks_say_since_it_began(stages: DataFrame) -> None:
    rows = {row["user_id"]: row for row in assign_stages(stages, AS_OF, CONF).collect()}
    assert {user: row["stage"] for user, row in rows.items()} == {
        "new": "acquisition",
        "grown": "growth",
        "mature": "maturity",
        "late": "decline",
        "lost": "churned",
        "back": "won_back",
    }
    assert (rows["mature"]["stage_since"], rows["mature"]["n_periods_in_stage"]) == (date(2024, 3, 17), 3)
    assert (rows["new"]["model_stage"], rows["new"]["p_active"]) == ("acquisition", 1.0)
    assert rows["lost"]["model_stage"] == "churned"
    assert rows["lost"]["p_model_stage"] > 0.7 > 0.1 > rows["lost"]["p_active"]
    assert rows["mature"]["model_stage"] == "maturity"


def test_history_has_the_last_periods_from_the_users_first_on(stages: DataFrame) -> None:
    rows = list_history(stages, AS_OF, CONF).orderBy("period_on").collect()
    by_user = {user: [(row["period_on"], row["stage"]) for row in rows if row["user_id"] == user] for user in USERS}
    assert by_user["new"] == [(AS_OF, "acquisition")]
    assert by_user["grown"] == [
        (date(2024, 3, 10), "acquisition"),
        (date(2024, 3, 17), "growth"),
        (date(2024, 3, 24), "growth"),
        (AS_OF, "growth"),
    ]
    assert len(by_user["lost"]) == CONF.history_periods


def test_moves_are_those_of_the_history_and_shares_of_a_stage_sum_to_one(stages: DataFrame) -> None:
    rows = [row for row in count_transitions(stages, AS_OF, CONF).collect() if row["model"] == "rules"]
    latest = {(row["from_stage"], row["to_stage"]): row["n"] for row in rows if row["period_on"] == AS_OF}
    assert sum(latest.values()) == len(USERS) - 1  # the new user came from nowhere
    assert latest["maturity", "maturity"] == 1
    sums: dict[tuple[date, str], float] = {}
    for row in rows:
        key = row["period_on"], row["from_stage"]
        sums[key] = sums.get(key, 0.0) + row["share"]
    assert list(sums.values()) == pytest.approx([1.0] * len(sums))


def test_the_frames_are_the_contracts(spark: SparkSession, stages: DataFrame) -> None:
    frames: list[tuple[DataFrame, Table]] = [
        (assign_stages(stages, AS_OF, CONF), USER_STAGES),
        (list_history(stages, AS_OF, CONF), STAGE_HISTORY),
        (count_transitions(stages, AS_OF, CONF), STAGE_TRANSITIONS),
    ]
    for frame, table in frames:
        expected = frame_of(spark, table, []).schema
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in expected]


def test_neither_the_future_nor_the_order_of_rows_moves_anything(spark: SparkSession, stages: DataFrame) -> None:
    with_future = rows_of(spark, USER_DAYS, [*FUTURE, *reversed(planted())]).repartition(3)
    assert texts_of(told(with_future)) == texts_of(stages)
    periods = [summarise_periods(days, AS_OF, CONF) for days in (with_future, rows_of(spark, USER_DAYS, planted()))]
    models = [fit_hidden_stages(frame, CONF) for frame in periods]
    assert models[0] == models[1]
    assert (models[0].n_users, len(models[0].model.weights)) == (len(USERS), 2)


def test_what_lies_before_the_memory_counts_in_its_first_period(spark: SparkSession) -> None:
    conf = StageConf(history_periods=2, memory_periods=3)
    days = [day("a", AS_OF - timedelta(days=7 * ago), "B") for ago in (0, 30, 60)]
    (row,) = assign_stages(
        tell_stages(summarise_periods(rows_of(spark, USER_DAYS, days), AS_OF, conf), MODEL, conf), AS_OF, conf
    ).collect()
    assert (row["stage"], row["n_periods_in_stage"]) == ("maturity", 1)


def test_a_lake_without_users_is_refused(spark: SparkSession) -> None:
    with pytest.raises(RefusedError, match=r"silver\.user_days"):
        fit_hidden_stages(summarise_periods(rows_of(spark, USER_DAYS, FUTURE), AS_OF, CONF), CONF)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"period_days": 0}, "stages.period_days"),
        ({"memory_periods": 12}, "stages.memory_periods"),
        ({"rules": StageRules(late_enter=3.0)}, "stages.rules"),
        ({"rules": StageRules(won_back_days=0)}, "stages.rules"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        StageConf(**wrong)  # type: ignore[arg-type]


def test_a_probability_outside_its_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"stages\.model\.active_least"):
        HiddenStageConf(active_least=1.0)
