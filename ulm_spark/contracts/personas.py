"""Each user as a person would describe them, and the same in numbers of one lasting encoding."""

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.table import Column, Table

_NO_TOPIC = "null for a user without a view of a product with a title in the window, or where no topic was found"

USER_PERSONAS = Table(
    name="gold.user_personas",
    grain="One row per user with features and day of as_of.",
    key=("as_of", "user_id"),
    columns=(
        AS_OF,
        USER,
        Column("summary", "STRING", "One sentence: basics, interests and habits"),
        Column("basics", "STRING", "Tenure, device and channel in words"),
        Column("interests", "STRING", "Categories, brands and topic in words"),
        Column("habits", "STRING", "When, how often and at which prices, in words"),
        Column("channel", "STRING", "As in gold.user_features", nullable=True),
        Column("device", "STRING", "As in gold.user_features", nullable=True),
        Column("tenure_days", "INT", "As in gold.user_features", unit="days"),
        Column(
            "categories",
            "ARRAY<STRING>",
            "The three categories touched most in personas.window_days, ties by name; empty without one",
        ),
        Column("brands", "ARRAY<STRING>", "The three brands touched most in them, ties by name"),
        Column("topic", "INT", f"Topic of the largest share, ties to the lower; {_NO_TOPIC}", nullable=True),
        Column("topic_name", "STRING", "Its name", nullable=True),
        Column("topic_shares", "ARRAY<DOUBLE>", f"Share of each topic, by its number; {_NO_TOPIC}", nullable=True),
        Column(
            "components",
            "ARRAY<DOUBLE>",
            "Scores on the principal components of behaviour, the widest first; comparable within one encoding_version",
        ),
        Column(
            "category_codes",
            "ARRAY<INT>",
            "channel, device, top_category, top_brand and top_price_band as numbers from 1 in the encoding; 0 none, or unknown to it",
        ),
        Column("encoding_version", "STRING", "Hash of the encoding's content: one version codes one user alike on any day"),
    ),
    partition_by=("as_of",),
    writer="describe_users",
)  # fmt: skip

PERSONA_TOPICS = Table(
    name="gold.persona_topics",
    grain="One row per topic of the words of viewed products' titles and day of as_of.",
    key=("as_of", "topic"),
    columns=(
        AS_OF,
        Column(
            "topic", "INT", "The topic; a new encoding gives it to the topic that is most like that of the last one"
        ),
        Column("name", "STRING", "Its first terms"),
        Column("terms", "ARRAY<STRING>", "Its ten most relevant terms, the first the most"),
        Column("encoding_version", "STRING", "The encoding that it is of"),
    ),
    partition_by=("as_of",),
    writer="describe_users",
)
