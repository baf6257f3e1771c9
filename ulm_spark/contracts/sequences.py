"""Silver: what users did, as numbers in an order, and the vocabularies that the numbers are of."""

from ulm_spark.contracts.table import Column, Table

VOCABULARY_VERSION = Column(
    "vocabulary_version",
    "STRING",
    "Hash of the day's numbers and what they mean (items, categories, price bands): equal where these are, on any day",
)

ITEM_VOCABULARY = Table(
    name="silver.item_vocabulary",
    grain="One row per item that a sequence model of that day can name.",
    key=("as_of", "item_index"),
    columns=(
        Column("as_of", "DATE", "What was known at the end of this day"),
        Column("item_index", "INT", "1 to n by falling count of events, ties by product_id; 0 is padding"),
        Column("product_id", "STRING", "The product"),
        Column("n_events", "BIGINT", "Events of the product in sequences by then", unit="events"),
        Column("category_index", "INT", "Its category's number in silver.category_vocabulary; 0 where none was known"),
        Column(
            "price_band",
            "INT",
            "1 to sequences.n_price_bands, bands of as many items of one currency each, the cheapest first, by the latest list price, else unit price; equal prices share a band; 0 where no price above 0 was known",
        ),
        VOCABULARY_VERSION,
    ),
    partition_by=("as_of",),
    writer="build_sequences",
    readers=("train_sequence", "recommend_next_items", "embed_users"),
)

CATEGORY_VOCABULARY = Table(
    name="silver.category_vocabulary",
    grain="One row per category of the items in that day's silver.item_vocabulary.",
    key=("as_of", "category_index"),
    columns=(
        Column("as_of", "DATE", "What was known at the end of this day"),
        Column("category_index", "INT", "1 to n by falling count of events, ties by category; 0 is padding or unknown"),
        Column("category", "STRING", "Category path from the root, joined by /"),
        Column("n_events", "BIGINT", "Events of its items in sequences by then", unit="events"),
        VOCABULARY_VERSION,
    ),
    partition_by=("as_of",),
    writer="build_sequences",
    readers=("train_sequence",),
)

SEQUENCES = Table(
    name="silver.sequences",
    grain="One row per user and day of as_of: the user's last events on items, oldest first.",
    key=("as_of", "user_id"),
    columns=(
        Column("as_of", "DATE", "What was known at the end of this day"),
        Column("user_id", "STRING", "The shopper"),
        Column(
            "n_items",
            "INT",
            "Length of the arrays, at least 1 and at most the configured length",
            unit="events",
        ),
        Column("item_indices", "ARRAY<INT>", "item_index of each event, oldest first, ties in time by event_id"),
        Column("event_codes", "ARRAY<INT>", "Kind of each event: 1 plus its place in SHOPPER_EVENT_TYPES"),
        Column("gap_seconds", "ARRAY<BIGINT>", "Time since the event before; 0 for the first", unit="s"),
        Column("category_indices", "ARRAY<INT>", "category_index of each event's item as of the day; 0 unknown"),
        Column("price_bands", "ARRAY<INT>", "price_band of each event's item as of the day; 0 unknown"),
        Column(
            "dwell_seconds",
            "ARRAY<BIGINT>",
            "Whole time to the user's next event of any kind; 0 where none was known by then within sessions.gap_s",
            unit="s",
        ),
        Column(
            "amounts",
            "ARRAY<DOUBLE>",
            "quantity times unit_price of a purchase in the shop's currency, one unit where no quantity is said; 0 for other events, and for a purchase without a price or in another currency",
            unit="shop currency",
        ),
        Column("last_event_at", "TIMESTAMP", "Instant of the last event", unit="UTC"),
        VOCABULARY_VERSION,
    ),
    partition_by=("as_of",),
    properties=(("delta.enableDeletionVectors", "false"),),
    keeps_files=True,
    writer="build_sequences",
    readers=("train_sequence", "recommend_next_items", "embed_users"),
)
