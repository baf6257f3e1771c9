"""How does a feature become a number that distances can be measured in?"""

from collections.abc import Sequence

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import Imputer, SQLTransformer, StandardScaler, VectorAssembler
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.features import USER_FEATURES

NUMERIC_FEATURES = USER_FEATURES.numeric_names

_TAILS = (0.01, 0.99)

# What a missing value means; a feature without a rule gets the median of the users that have it.
NULL_RULES: dict[str, str] = {
    "recency_days": "tenure_days",  # no purchase for as long as the user is known
    "first_purchase_age_days": "0",
    "mean_purchase_gap_days": "tenure_days",
    "last_purchase_gap_days": "tenure_days",
    **{
        name: "0"
        for name in NUMERIC_FEATURES
        if name.startswith(("mean_order_value", "return_rate", "session_conversion", "mean_session"))
        or name.endswith("_entropy")
    },
}

# Shares and entropies are bounded; counts, days and money have long right tails, which log1p draws in.
BOUNDED_FEATURES = tuple(
    name
    for name in NUMERIC_FEATURES
    if any(part in name for part in ("_share", "_rate", "_entropy", "_conversion", "_sentiment"))
)


def fit_scaling(sample: DataFrame, features: Sequence[str]) -> PipelineModel:
    """The first stages of the segment pipeline, over user_id, as_of, tenure_days and the features.

    Out:  known_X, feature X in its unit without nulls; scaled, the vector of all features with
          mean 0 and standard deviation 1 over the users it was fitted on.
    Rule: a null takes its rule's value, else the median; values beyond the 1st and 99th percentile
          are drawn in to them, so that a few odd users do not become a segment of their own; then
          x becomes sign(x) log1p(|x|) unless it is bounded (a net revenue can lie below zero).
    Edge: a feature that is the same for nearly all scales to 0; one without any value can't be imputed.
    """
    completing = Pipeline(stages=[*_completing_stages(features)]).fit(sample)
    completed = completing.transform(sample)
    tails = F.array(*map(F.lit, _TAILS))
    limits = completed.agg(F.array(*(F.percentile(f"known_{f}", tails) for f in features))).collect()[0][0]
    drawn_in = [_drawn_in(f, low, high) for f, (low, high) in zip(features, limits, strict=True)]
    stages: list[SQLTransformer | VectorAssembler | StandardScaler] = [
        SQLTransformer(statement=f"SELECT *, {', '.join(drawn_in)} FROM __THIS__"),
        VectorAssembler(inputCols=[f"drawn_{f}" for f in features], outputCol="drawn"),
        StandardScaler(inputCol="drawn", outputCol="scaled", withMean=True, withStd=True),
    ]
    scaling = Pipeline(stages=[*stages]).fit(completed)
    return PipelineModel([*completing.stages, *scaling.stages])


def _completing_stages(features: Sequence[str]) -> list[SQLTransformer | Imputer]:
    with_rule = [f for f in features if f in NULL_RULES]
    without = [f for f in features if f not in NULL_RULES]
    ruled = [f"CAST(COALESCE(CAST({f} AS DOUBLE), {NULL_RULES[f]}) AS DOUBLE) AS known_{f}" for f in with_rule]
    doubled = [f"CAST({f} AS DOUBLE) AS double_{f}" for f in without]
    filled = SQLTransformer(statement=f"SELECT *, {', '.join(ruled + doubled)} FROM __THIS__")
    if not without:
        return [filled]
    inputs, outputs = [f"double_{f}" for f in without], [f"known_{f}" for f in without]
    return [filled, Imputer(strategy="median", inputCols=inputs, outputCols=outputs)]


def _drawn_in(feature: str, low: float, high: float) -> str:
    inside = f"least(greatest(known_{feature}, {low!r}D), {high!r}D)"
    value = inside if feature in BOUNDED_FEATURES else f"signum({inside}) * log1p(abs({inside}))"
    return f"{value} AS drawn_{feature}"
