"""The value of behaviour: the weighted sum, its tiers and series, and weights that the past teaches."""

import random
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.linear_model import LinearRegression

from tests.frames import rows_of, texts_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.contracts.value import USER_VALUE_SERIES, USER_VALUES, VALUE_WEIGHTS
from ulm_spark.lake.literal import frame_of
from ulm_spark.users.value import list_series, score_users
from ulm_spark.users.value_conf import ValueConf
from ulm_spark.users.value_weights import LearnedWeights, fit_weights, list_examples, weight_rows

AS_OF = date(2024, 3, 31)
CONF = ValueConf(window_days=30, series_periods=3)
Row = dict[str, object]


def day(user_id: str, ago: int, views: int = 0, searches: int = 0, purchases: int = 0, net: int = 0) -> Row:
    counts: Row = {"n_views": views, "n_searches": searches, "n_purchases": purchases, "net_amount": Decimal(net)}
    return {"user_id": user_id, "day_on": AS_OF - timedelta(days=ago), **counts}


def scores(frame: DataFrame) -> dict[str, float]:
    return {row["user_id"]: row["value_score"] for row in frame.collect()}


def test_ten_views_five_searches_and_a_purchase_are_worth_four_and_a_half(spark: SparkSession) -> None:
    days = rows_of(
        spark,
        USER_DAYS,
        [
            day("a", 0, views=4, searches=5),
            day("a", 29, views=6, purchases=1),
            day("a", 30, views=99),
            day("b", 40, views=9),
        ],
    )
    learned = {"views": 0.0, "searches": 0.0, "purchases": 1.0}
    rows = {row["user_id"]: row for row in score_users(days, AS_OF, CONF, learned).collect()}
    assert (rows["a"]["value_score"], rows["a"]["learned_score"], rows["a"]["rank_share"]) == (4.5, 1.0, 0.5)
    assert (rows["b"]["value_score"], rows["b"]["tier"], rows["b"]["rank_share"]) == (0.0, "bronze", 1.0)


def test_users_of_one_score_are_ranked_by_their_id_and_the_idle_are_last(spark: SparkSession) -> None:
    conf = ValueConf(tier_names=("top", "mid", "low"), tier_shares=(0.2, 0.3, 0.5))
    rows = [day(f"u{n}", 1, views=10) for n in range(6)]
    rows += [day("best", 1, views=50), *(day(f"idle{n}", 200) for n in range(3))]
    found = {
        row["user_id"]: (row["tier"], row["rank_share"])
        for row in score_users(rows_of(spark, USER_DAYS, rows), AS_OF, conf, None).collect()
    }
    assert found["best"] == ("top", 0.1)
    assert [found[f"u{n}"][0] for n in range(6)] == ["top", "mid", "mid", "mid", "low", "low"]
    assert {found[f"idle{n}"][0] for n in range(3)} == {"low"}
    all_idle = rows_of(spark, USER_DAYS, [day("idle", 200)])
    (row,) = score_users(all_idle, AS_OF, conf, None).collect()
    assert (row["tier"], row["learned_score"]) == ("low", None)


def test_the_series_has_a_row_a_period_quiet_ones_too(spark: SparkSession) -> None:
    days = [
        day("a", 0, views=1),
        day("a", 6, views=2),
        day("a", 14, purchases=3),
        day("a", 90, views=7),
        day("b", 8, searches=1),
    ]
    rows = list_series(rows_of(spark, USER_DAYS, days), AS_OF, CONF).orderBy("user_id", "period_on").collect()
    assert [(row["user_id"], row["period_on"], row["value_score"]) for row in rows] == [
        ("a", date(2024, 3, 17), 1.5),
        ("a", date(2024, 3, 24), 0.0),
        ("a", AS_OF, 0.9),
        ("b", date(2024, 3, 24), 0.2),
        ("b", AS_OF, 0.0),
    ]


LEARNING = ValueConf(window_days=20, horizon_days=20, n_label_days=2, min_history_days=20, min_examples=20)


def shop(seed: int, n_users: int = 40) -> list[Row]:
    """Users whose revenue follows their searches, and not their views."""
    draw = random.Random(seed)
    rows = []
    for n in range(n_users):
        keen = draw.randrange(1, 6)
        for ago in range(0, 80, 5):
            views = draw.randrange(20)
            rows.append(day(f"u{n:02}", ago, views, keen, draw.randrange(2), net=10 * keen + draw.randrange(5)))
    return rows


def test_learned_weights_are_those_of_a_regression_on_the_examples(spark: SparkSession) -> None:
    days = rows_of(spark, USER_DAYS, shop(1))
    learned = fit_weights(days, AS_OF, LEARNING)
    # The two days that have a horizon behind them by as_of, and history before them.
    examples = list_examples(days, (date(2024, 2, 20), date(2024, 3, 11)), LEARNING).toPandas()
    x = np.asarray(examples["x"].tolist(), dtype=float)
    y = examples["y"].astype(float).to_numpy()
    oracle = LinearRegression(positive=True).fit(x / x.std(axis=0), y).coef_ / x.std(axis=0)
    assert learned.by_behaviour is not None
    assert sum(learned.by_behaviour.values()) == pytest.approx(1.0)
    found = np.asarray([learned.by_behaviour[name] for name in LEARNING.behaviours])
    assert found == pytest.approx(oracle / oracle.sum(), abs=1e-6)
    assert learned.by_behaviour["searches"] > 0.8
    assert learned.n_examples == len(examples) == 80
    assert learned.correlations is not None
    assert learned.words.startswith(
        "correlation with the revenue after the last past day: weights learned before it 0."
    )
    # The last of the two days is told by weights that only the first taught.
    is_last = (examples["day"] == date(2024, 3, 11)).to_numpy()
    spread = x[~is_last].std(axis=0)
    before = LinearRegression(positive=True).fit(x[~is_last] / spread, y[~is_last]).coef_ / spread
    configured = np.asarray([LEARNING.weights[name] for name in LEARNING.behaviours])
    expected = [np.corrcoef(x[is_last] @ weights, y[is_last])[0, 1] for weights in (configured, before)]
    assert learned.correlations == pytest.approx(tuple(expected), abs=1e-6)
    assert expected[1] > expected[0]


def test_neither_the_future_nor_the_order_of_rows_moves_anything(spark: SparkSession) -> None:
    rows = shop(2)
    future = [day("u00", -1, views=500, purchases=9, net=9_999), day("unborn", -3, views=1)]
    shuffled = random.Random(3).sample([*rows, *future], len(rows) + 2)
    frames = [rows_of(spark, USER_DAYS, rows), rows_of(spark, USER_DAYS, shuffled).repartition(3)]
    learned = [fit_weights(frame, AS_OF, LEARNING) for frame in frames]
    assert learned[0] == learned[1]
    scored = [texts_of(score_users(frame, AS_OF, LEARNING, learned[0].by_behaviour)) for frame in frames]
    assert scored[0] == scored[1]
    assert texts_of(list_series(frames[0], AS_OF, LEARNING)) == texts_of(list_series(frames[1], AS_OF, LEARNING))


@pytest.mark.parametrize(
    ("rows", "conf", "why"),
    [
        ([], LEARNING, "40 days of history"),
        ([day("a", 30, views=1)], LEARNING, "40 days of history"),
        ([day("a", 70, views=1)], LEARNING, "2 examples"),
        ([day(f"u{n}", 70, views=n) for n in range(20)], LEARNING, "no behaviour goes with revenue"),
    ],
)
def test_a_past_that_says_too_little_leaves_the_weights_as_configured(
    spark: SparkSession, rows: list[Row], conf: ValueConf, why: str
) -> None:
    learned = fit_weights(rows_of(spark, USER_DAYS, rows), AS_OF, conf)
    assert learned.by_behaviour is None
    assert why in learned.why
    assert [row[3] for row in weight_rows(AS_OF, conf, learned)] == [None] * 3


def test_the_frames_are_the_contracts(spark: SparkSession) -> None:
    days = rows_of(spark, USER_DAYS, shop(4, n_users=2))
    weights = frame_of(spark, VALUE_WEIGHTS, weight_rows(AS_OF, CONF, LearnedWeights(None, 0)))
    frames: list[tuple[DataFrame, Table]] = [
        (score_users(days, AS_OF, CONF, None), USER_VALUES),
        (list_series(days, AS_OF, CONF), USER_VALUE_SERIES),
        (weights, VALUE_WEIGHTS),
    ]
    for frame, table in frames:
        expected = frame_of(spark, table, []).schema
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in expected]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"weights": {"glances": 1.0}}, "value.weights: found glances"),
        ({"weights": {}}, "value.weights"),
        ({"weights": {"views": float("nan")}}, "value.weights"),
        ({"tier_shares": (0.5, 0.6)}, "value.tier_names"),
        ({"window_days": 0}, "value.window_days"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        ValueConf(**wrong)  # type: ignore[arg-type]
