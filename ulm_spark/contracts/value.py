"""Gold: what each user is worth to the shop by what they do, and how that is weighed."""

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.table import Column, Table

USER_VALUES = Table(
    name="gold.user_values",
    grain="One row per user with a day in silver.user_days by as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("value_score", "DOUBLE", "V: sum of value.weights times what the user did in value.window_days"),
        Column(
            "learned_score",
            "DOUBLE",
            "The same sum with the learned weights; null where history is too short to learn",
            nullable=True,
        ),
        Column(
            "tier",
            "STRING",
            "Of value.tier_names, by value_score, ties by user_id; the last one for a score not above 0",
        ),
        Column("rank_share", "DOUBLE", "Place by value_score over the number of users: the best is 1/n, the last 1"),
    ),
    partition_by=("as_of",),
    writer="value_users",
)

VALUE_WEIGHTS = Table(
    name="gold.value_weights",
    grain="One row per behaviour of value.weights.",
    key=("as_of", "behaviour"),
    columns=(
        AS_OF,
        Column("behaviour", "STRING", "What users do: column n_ and this name of silver.user_days"),
        Column("weight", "DOUBLE", "Of one of it, as configured"),
        Column(
            "learned_weight",
            "DOUBLE",
            "As the next value.horizon_days' net revenue says, all together the sum of the configured ones; null where "
            "history is too short",
            nullable=True,
        ),
        Column("unit", "STRING", "What one of it is"),
        Column("n_examples", "BIGINT", "Users and past days that it was learned from", unit="rows"),
    ),
    partition_by=("as_of",),
    writer="value_users",
)

USER_VALUE_SERIES = Table(
    name="gold.user_value_series",
    grain="One row per user and period of the last value.series_periods, from the user's first on, quiet ones too.",
    key=("as_of", "user_id", "period_on"),
    columns=(
        AS_OF,
        USER,
        Column("period_on", "DATE", "Last local day of the period; the latest ends with as_of"),
        Column("value_score", "DOUBLE", "Sum of value.weights times what the user did in the period"),
    ),
    partition_by=("as_of",),
    writer="value_users",
)

TABLES: tuple[Table, ...] = (USER_VALUES, VALUE_WEIGHTS, USER_VALUE_SERIES)
