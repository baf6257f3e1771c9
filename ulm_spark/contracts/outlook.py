"""Gold: what the behaviour model makes of each user's history, and what it expects next."""

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.table import Column, Table

_MODEL_PATH = Column("model_path", "STRING", "path of the model in ops.sequence_models")

USER_EMBEDDINGS = Table(
    name="gold.user_embeddings",
    grain="One row per user with a row in silver.sequences of the day; none without a model.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("embedding", "ARRAY<FLOAT>", "State of the network after the user's last event; near ones act alike"),
        Column("n_events", "INT", "Events that the network read", unit="events"),
        _MODEL_PATH,
    ),
    partition_by=("as_of",),
    writer="embed_users",
    readers=("find_lookalikes",),
)

USER_OUTLOOK = Table(
    name="gold.user_outlook",
    grain="One row per user with a row in silver.sequences of the day; none where the model learned no task.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("hours_since_last", "DOUBLE", "From the last event of the sequence to the end of as_of", unit="h"),
        Column("horizon_days", "INT", "Days after as_of that p_churn and expected_value speak of", unit="days"),
        Column("p_churn", "DOUBLE", "Probability that nothing is bought in them; null if not learned", nullable=True),
        Column(
            "expected_value",
            "DOUBLE",
            "Mean of what is paid in them; null if not learned",
            unit="currency",
            nullable=True,
        ),
        Column("currency", "STRING", "The shop's, of expected_value"),
        Column(
            "p_conversion",
            "DOUBLE",
            "Probability that the visit that is open at the end of as_of goes on to a purchase; null without one, or "
            "if not learned",
            nullable=True,
        ),
        Column(
            "next_action",
            "STRING",
            "Likeliest kind of the next event, of SHOPPER_EVENT_TYPES; null if not learned",
            nullable=True,
        ),
        Column("p_next_action", "DOUBLE", "Its probability", nullable=True),
        Column(
            "hours_to_next",
            "DOUBLE",
            "Median time from the end of as_of to the next event; null if not learned",
            unit="h",
            nullable=True,
        ),
        _MODEL_PATH,
    ),
    partition_by=("as_of",),
    writer="embed_users",
)

USER_LOOKALIKES = Table(
    name="gold.user_lookalikes",
    grain="One row per user who is like the seed users, of those whom the day has embedded and who are no seed.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("rank", "INT", "1 for the user most like a seed, ties by user_id"),
        Column("similarity", "DOUBLE", "Cosine of the embedding with that of the nearest seed user"),
        Column("seed_user_id", "STRING", "That seed user, of several the first"),
        _MODEL_PATH,
    ),
    partition_by=("as_of",),
    writer="find_lookalikes",
)

TABLES = (USER_EMBEDDINGS, USER_OUTLOOK, USER_LOOKALIKES)
