"""Gold: what is known, scored and recommended as of a day. Every table is keyed by as_of."""

from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import Column, Table

AS_OF = Column("as_of", "DATE", "What was known at the end of this day")
USER = Column("user_id", "STRING", "The shopper")


USER_SEGMENTS = Table(
    name="gold.user_segments",
    grain="One row per user with features and day of as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column(
            "segment",
            "INT",
            "Segment; one that the last earlier day had keeps its number, others are numbered by their users, the largest first",
        ),
        Column(
            "label", "STRING", "Name made of the segment's core features when it was first found, or changed by half"
        ),
        Column("distance", "DOUBLE", "Euclidean distance to the segment's centre in scaled features"),
    ),
    partition_by=("as_of",),
    writer="segment_users",
    readers=("build_report", "find_lookalikes"),
)

SEGMENT_PROFILES = Table(
    name="gold.segment_profiles",
    grain="One row per segment and feature it was made from.",
    key=("as_of", "segment", "feature"),
    columns=(
        AS_OF,
        Column("segment", "INT", "The segment"),
        Column("label", "STRING", "Name made of the segment's core features"),
        Column("n_users", "BIGINT", "Users in the segment", unit="users"),
        Column("feature", "STRING", "Column of gold.user_features"),
        Column("segment_mean", "DOUBLE", "Mean in the segment, in the feature's unit"),
        Column("overall_mean", "DOUBLE", "Mean over all users, in the feature's unit"),
        Column(
            "effect_size",
            "DOUBLE",
            "Difference of the scaled means over the scaled standard deviation of all users",
        ),
    ),
    partition_by=("as_of",),
    writer="segment_users",
    readers=("build_report",),
)

CHURN_SCORES = Table(
    name="gold.churn_scores",
    grain="One row per user who bought in the active window before as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("p_churn", "DOUBLE", "Probability of no purchase in the horizon_days after as_of"),
        Column("horizon_days", "INT", "Length of the outcome window", unit="days"),
        Column("risk_decile", "INT", "1 the lowest tenth of risk to 10 the highest, ties by user_id"),
    ),
    partition_by=("as_of",),
    writer="score_churn",
    readers=("evaluate_models", "build_report"),
)

_RECOMMENDED = (
    AS_OF,
    USER,
    Column("model", "STRING", "What made the list"),
    Column("rank", "INT", "1 is the first choice"),
    Column("product_id", "STRING", "The product"),
    Column("score", "DOUBLE", "The model's own score; greater is better, comparable within one list only"),
)

ITEM_RECOMMENDATIONS = Table(
    name="gold.item_recommendations",
    grain="One row per user, model (als, popularity) and rank.",
    key=("as_of", "user_id", "model", "rank"),
    columns=_RECOMMENDED,
    partition_by=("as_of",),
    writer="recommend_items",
    readers=("evaluate_models",),
)

NEXT_ITEM_RECOMMENDATIONS = Table(
    name="gold.next_item_recommendations",
    grain="One row per user, model (sequence) and rank.",
    key=("as_of", "user_id", "model", "rank"),
    columns=_RECOMMENDED,
    partition_by=("as_of",),
    writer="recommend_next_items",
    readers=("evaluate_models",),
)

MODEL_QUALITY = Table(
    name="gold.model_quality",
    grain="One row per task, model and metric, measured on what happened after as_of; none before the outcome is in the lake.",
    key=("as_of", "task", "model", "metric"),
    columns=(
        AS_OF,
        Column("task", "STRING", "churn, items or sessions"),
        Column("model", "STRING", "The model measured"),
        Column("metric", "STRING", "auc, log_loss, ndcg@10, hit_rate@10, adjusted_rand_index, ..."),
        Column("value", "DOUBLE", "The metric"),
        Column("value_low", "DOUBLE", "2.5% bootstrap bound over users; null where none is made", nullable=True),
        Column("value_high", "DOUBLE", "97.5% bootstrap bound", nullable=True),
        Column("baseline", "STRING", "What it is held against", nullable=True),
        Column("baseline_value", "DOUBLE", "The baseline's metric on the same users", nullable=True),
        Column("difference_low", "DOUBLE", "2.5% bound of the paired difference to the baseline", nullable=True),
        Column("difference_high", "DOUBLE", "97.5% bound of the paired difference", nullable=True),
        Column("n", "BIGINT", "Users, or events, measured"),
        Column("protocol", "STRING", "How it was measured, in words"),
    ),
    partition_by=("as_of",),
    writer="evaluate_models",
    readers=("build_report",),
    looking_back=("build_report",),
)

CHURN_OUTCOMES = Table(
    name="gold.churn_outcomes",
    grain="One row per decile of churn risk, when the horizon after as_of is over in the lake.",
    key=("as_of", "risk_decile"),
    columns=(
        AS_OF,
        Column("risk_decile", "INT", "1 the lowest tenth of risk to 10 the highest"),
        Column("n_users", "BIGINT", "Users scored", unit="users"),
        Column("mean_p_churn", "DOUBLE", "Mean of the forecast"),
        Column("churn_rate", "DOUBLE", "Share that did not buy in the horizon"),
    ),
    partition_by=("as_of",),
    writer="evaluate_models",
    readers=("build_report",),
    looking_back=("build_report",),
)

RECOMMENDATION_EXAMPLES = Table(
    name="gold.recommendation_examples",
    grain="One row per example user, list (history or a model) and place in it.",
    key=("as_of", "user_id", "list_name", "place"),
    columns=(
        AS_OF,
        USER,
        Column("list_name", "STRING", "history, als, popularity or sequence"),
        Column("place", "INT", "1 first; history begins with the latest"),
        Column("product_id", "STRING", "The product"),
        Column("title", "STRING", "Its title", nullable=True),
        Column("is_hit", "BOOLEAN", "True where the user bought it in the test window after as_of"),
    ),
    partition_by=("as_of",),
    writer="evaluate_models",
    readers=("build_report",),
    looking_back=("build_report",),
)

DAILY_ACTIVITY = Table(
    name="gold.daily_activity",
    grain="One row per local day up to as_of.",
    key=("as_of", "day_on"),
    columns=(
        AS_OF,
        Column("day_on", "DATE", "Local day in the shop's zone"),
        Column("n_events", "BIGINT", "Shopper events", unit="events"),
        Column("n_sessions", "BIGINT", "Sessions begun", unit="sessions"),
        Column("n_users", "BIGINT", "Distinct users with an event", unit="users"),
        Column("n_orders", "BIGINT", "Orders, guests' too", unit="orders"),
        Column("gross_revenue", MONEY, "Purchases", unit="currency"),
        Column("net_revenue", MONEY, "Purchases less returns lined that day", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code; null on a day without lines", nullable=True),
    ),
    partition_by=("as_of",),
    writer="build_metrics",
    readers=("build_report",),
)

FUNNEL = Table(
    name="gold.funnel",
    grain="One row per step of the shopping funnel over the sessions of the last 30 days.",
    key=("as_of", "step"),
    columns=(
        AS_OF,
        Column("step", "INT", "1 visit, 2 view or click, 3 cart, 4 purchase"),
        Column("step_name", "STRING", "The step in words"),
        Column("n_sessions", "BIGINT", "Closed sessions that reached this step or a later one", unit="sessions"),
        Column("n_users", "BIGINT", "Distinct users of those sessions", unit="users"),
    ),
    partition_by=("as_of",),
    writer="build_metrics",
    readers=("build_report",),
)

RETENTION = Table(
    name="gold.retention",
    grain="One row per cohort (month of first purchase) and whole months since.",
    key=("as_of", "cohort_on", "months_since"),
    columns=(
        AS_OF,
        Column("cohort_on", "DATE", "First day of the month of the users' first purchase"),
        Column("months_since", "INT", "Calendar months since; 0 is the cohort's own", unit="months"),
        Column("n_users", "BIGINT", "Users of the cohort", unit="users"),
        Column("n_retained", "BIGINT", "Those who bought in that month", unit="users"),
        Column("is_complete", "BOOLEAN", "True where the month was over by as_of"),
    ),
    partition_by=("as_of",),
    writer="build_metrics",
    readers=("build_report",),
)

DATA_QUALITY = Table(
    name="gold.data_quality",
    grain="One row per source and outcome of its rows: kept, or the reason of quarantine.",
    key=("as_of", "source", "outcome"),
    columns=(
        AS_OF,
        Column("source", "STRING", "Name of the adapter in conf/sources"),
        Column("outcome", "STRING", "kept, or the reason of quarantine"),
        Column("n_rows", "BIGINT", "Rows in the lake when the run was made", unit="rows"),
    ),
    partition_by=("as_of",),
    writer="build_metrics",
    readers=("build_report",),
)
