"""Which weights of behaviour would have told the next weeks' revenue best?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations_with_replacement

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import past_days
from ulm_spark.contracts.silver import MONEY
from ulm_spark.stats.nonnegative import Moments, correlation, nonnegative_weights
from ulm_spark.users.value_conf import BEHAVIOURS, ValueConf

_EXACT = "decimal(38,4)"


@dataclass(frozen=True)
class LearnedWeights:
    """What the past says. by_behaviour: None where it says too little, and why holds the words for it.

    correlations: of the configured score, and of one learned from the days before, with the revenue that followed the
    last of the past days; None where there is one such day alone.
    """

    by_behaviour: dict[str, float] | None
    n_examples: int
    why: str = ""
    correlations: tuple[float, float] | None = None

    @property
    def words(self) -> str:
        """How well both scores go with the revenue; empty where nothing was learned."""
        if self.correlations is None:
            return ""
        configured, learned = self.correlations
        return (
            f"correlation with the revenue after the last past day: weights learned before it {learned:.3f}, "
            f"configured weights {configured:.3f}"
        )


def fit_weights(user_days: DataFrame, as_of: date, conf: ValueConf) -> LearnedWeights:
    """Weights, none below zero, of the behaviours in a window that explain the next horizon's net revenue.

    In:   silver.user_days, any span.
    Rule: an example is a user known by a past day d and that day: the counts of the window_days that end with d, and
          the net_amount of the horizon_days after d. Days as past_days finds them, so that no horizon ends after
          as_of. The weights are scaled to the sum of the configured ones.
    Edge: nothing is learned from a shorter history, from fewer than min_examples, or where no behaviour goes
          with more revenue.
    """
    known = user_days.where(F.col("day_on") <= F.lit(as_of))
    first_on = known.agg(F.min("day_on")).collect()[0][0]
    days = past_days(first_on, as_of, conf.horizon_days, conf.n_label_days, conf.min_history_days)
    if not days:
        least = conf.min_history_days + conf.horizon_days
        return LearnedWeights(None, 0, f"value: fewer than {least} days of history; weights are as configured")
    k = len(conf.behaviours)
    sums = {row[0]: tuple(row)[1:] for row in sum_products(list_examples(known, days, conf), k).collect()}
    moments = _moments(list(sums.values()), k)
    if moments.n < conf.min_examples:
        return LearnedWeights(None, moments.n, f"value: {moments.n} examples to learn from; weights are as configured")
    raw = nonnegative_weights(moments)
    total = sum(conf.weights.values())
    if raw.sum() <= 0 or total <= 0:
        return LearnedWeights(None, moments.n, "value: no behaviour goes with revenue; weights are as configured")
    learned = np.round(raw / raw.sum() * total, 9)
    by_behaviour = {name: float(weight) for name, weight in zip(conf.behaviours, learned, strict=True)}
    correlations = None
    if len(sums) > 1:
        *before, last = sorted(sums)
        of_last = _moments([sums[last]], k)
        configured = np.asarray([conf.weights[name] for name in conf.behaviours])
        from_before = nonnegative_weights(_moments([sums[day] for day in before], k))
        correlations = correlation(of_last, configured), correlation(of_last, from_before)
    return LearnedWeights(by_behaviour, moments.n, correlations=correlations)


def list_examples(user_days: DataFrame, days: Sequence[date], conf: ValueConf) -> DataFrame:
    """One row per user and past day by which the user was known: x, counts of the window; y, the revenue after it."""
    per_day = [column for n, day in enumerate(days) for column in _example_columns(n, day, conf)]
    users = user_days.groupBy("user_id").agg(F.min("day_on").alias("first_on"), *per_day)
    examples = F.array(
        *(
            F.struct(F.lit(day).alias("day"), F.col(f"x{n}").alias("x"), F.col(f"y{n}").alias("y"))
            for n, day in enumerate(days)
        )
    )
    listed = users.select("user_id", "first_on", F.inline(examples))
    return listed.where(F.col("first_on") <= F.col("day")).select("user_id", "day", "x", "y")


def sum_products(examples: DataFrame, k: int) -> DataFrame:
    """By day the sums of an example's k counts, its revenue and their products, exact in any order of the rows.

    Out:  day, the number of examples; sums of x; of products of two x, by row of their upper triangle; of xy; of
          y and yy.
    """
    x = [F.col("x")[i].cast("decimal(18,0)") for i in range(k)]
    y = F.col("y")
    products = [x[i] * x[j] for i, j in combinations_with_replacement(range(k), 2)]
    sums = [*x, *products, *(value * y for value in x), y, y * y]
    return examples.groupBy("day").agg(F.count(F.lit(1)), *(F.sum(value.cast(_EXACT)) for value in sums))


def weight_rows(as_of: date, conf: ValueConf, learned: LearnedWeights) -> list[tuple[object, ...]]:
    """The rows of gold.value_weights."""
    found = learned.by_behaviour or {}
    return [
        (as_of, name, conf.weights[name], found.get(name), BEHAVIOURS[name], learned.n_examples)
        for name in conf.behaviours
    ]


def _example_columns(n: int, day: date, conf: ValueConf) -> list[Column]:
    on = F.col("day_on")
    in_window = (on > F.lit(day - timedelta(days=conf.window_days))) & (on <= F.lit(day))
    in_horizon = (on > F.lit(day)) & (on <= F.lit(day + timedelta(days=conf.horizon_days)))
    counts = (F.coalesce(F.sum(F.when(in_window, F.col(f"n_{b}"))), F.lit(0)) for b in conf.behaviours)
    revenue = F.coalesce(F.sum(F.when(in_horizon, F.col("net_amount"))), F.lit(0)).cast(MONEY)
    return [F.array(*counts).alias(f"x{n}"), revenue.alias(f"y{n}")]


def _moments(of_days: Sequence[Sequence[int | Decimal]], k: int) -> Moments:
    """In: the values of sum_products, of one or several days."""
    if not of_days:
        return Moments(0, np.zeros(k), np.zeros((k, k)), 0.0, 0.0, np.zeros(k))
    n, *rest = (float(sum(values)) for values in zip(*of_days, strict=True))
    pairs = list(combinations_with_replacement(range(k), 2))
    xx = np.zeros((k, k))
    for (i, j), value in zip(pairs, rest[k : k + len(pairs)], strict=True):
        xx[i, j] = xx[j, i] = value
    xy = np.asarray(rest[k + len(pairs) : 2 * k + len(pairs)])
    return Moments(int(n), np.asarray(rest[:k]), xx, rest[-2], rest[-1], xy)
