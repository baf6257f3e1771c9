"""Truth: what the synthetic shop planted. No job reads these tables; only tests and benchmarks do."""

from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import Column, Table

WRITER = "simulate_shop"

LAWS = Table(
    name="truth.laws",
    grain="One row per parameter of the simulation, and per law one row for its formula and one for its source.",
    key=("law", "name"),
    columns=(
        Column("law", "STRING", "The law, or simulation for sizes and dates, or personas"),
        Column("name", "STRING", "formula, source, or the parameter as the config names it"),
        Column("value", "STRING", "Its value as text"),
    ),
    writer=WRITER,
)

USERS = Table(
    name="truth.users",
    grain="One row per simulated shopper, and per bot (persona bot).",
    key=("user_id",),
    columns=(
        Column("user_id", "STRING", "The shopper"),
        Column("persona", "STRING", "The planted segment, or bot"),
        Column("channel", "STRING", "Channel of acquisition"),
        Column("device", "STRING", "Main device"),
        Column("country", "STRING", "Country"),
        Column("signed_up_at", "TIMESTAMP", "First visit as planned", unit="UTC"),
        Column(
            "is_buyer", "BOOLEAN", "True where the shopper was meant to buy at all, within the simulation or after it"
        ),
        Column("visits_per_week", "DOUBLE", "Rate of visits to look on the persona's clock while alive", unit="1/week"),
        Column(
            "purchases_per_week",
            "DOUBLE",
            "BG/NBD lambda: rate of repeat purchases on the persona's clock while alive",
            unit="1/week",
        ),
        Column("p_drop", "DOUBLE", "BG/NBD p: probability of dropping out after a repeat purchase"),
        Column("n_purchases", "INT", "Purchases (orders) seen in the simulation, the first included", unit="orders"),
        Column("first_purchase_at", "TIMESTAMP", "First purchase event; null without one", nullable=True, unit="UTC"),
        Column(
            "last_purchase_at",
            "TIMESTAMP",
            "First event of the last purchase; null without one",
            nullable=True,
            unit="UTC",
        ),
        Column(
            "dropped_at",
            "TIMESTAMP",
            "The purchase after which the shopper buys no more, first event of it; null while alive",
            nullable=True,
            unit="UTC",
        ),
    ),
    writer=WRITER,
)

ITEMS = Table(
    name="truth.items",
    grain="One row per item of the catalogue.",
    key=("product_id",),
    columns=(
        Column("product_id", "STRING", "The item"),
        Column("category", "STRING", "Category path from the root, joined by /"),
        Column("brand", "STRING", "Brand"),
        Column("list_price", MONEY, "Price before promotion", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of list_price"),
        Column("listed_at", "TIMESTAMP", "From then on shoppers see it", unit="UTC"),
        Column("popularity", "DOUBLE", "Zipf weight before persona taste; any scale"),
    ),
    writer=WRITER,
)

SUCCESSORS = Table(
    name="truth.successors",
    grain="One row per item and item that follows it in the chain part of the next-item law.",
    key=("product_id", "successor_id"),
    columns=(
        Column("product_id", "STRING", "The item looked at"),
        Column("successor_id", "STRING", "An item looked at next"),
        Column("probability", "DOUBLE", "S of the law next_item; sums to 1 over an item's successors"),
    ),
    writer=WRITER,
)

PERSONA_ITEMS = Table(
    name="truth.persona_items",
    grain="One row per persona and item: the taste part of the next-item law.",
    key=("persona", "product_id"),
    columns=(
        Column("persona", "STRING", "The persona"),
        Column("product_id", "STRING", "The item"),
        Column("probability", "DOUBLE", "Q of the law next_item; sums to 1 over a persona's items, unlisted ones too"),
    ),
    writer=WRITER,
)

CLOCKS = Table(
    name="truth.clocks",
    grain="One row per persona and whole hour from the start to the end of the simulation.",
    key=("persona", "hour_at"),
    columns=(
        Column("persona", "STRING", "The persona"),
        Column("hour_at", "TIMESTAMP", "The instant", unit="UTC"),
        Column("clock_weeks", "DOUBLE", "What the persona's clock shows: C of the law seasons", unit="weeks"),
    ),
    writer=WRITER,
)

PROMOTIONS = Table(
    name="truth.promotions",
    grain="One row per department and day on promotion.",
    key=("department", "promoted_on"),
    columns=(
        Column("department", "STRING", "First part of the category path"),
        Column("promoted_on", "DATE", "Day, UTC; a visit pays the prices of the day it starts on"),
        Column("discount_percent", "INT", "Off the list price", unit="percent"),
    ),
    writer=WRITER,
)

EVENTS = Table(
    name="truth.events",
    grain="One row per well-formed event of a shopper or bot in the raw files, copies not counted; listings are in truth.items.",
    key=("event_id",),
    columns=(
        Column("event_id", "STRING", "The event; ids of a user rise with time"),
        Column("user_id", "STRING", "The shopper or bot"),
        Column("session_id", "STRING", "The planted visit"),
        Column("event_at", "TIMESTAMP", "When it happened", unit="UTC"),
        Column("received_at", "TIMESTAMP", "When it first arrived", unit="UTC"),
        Column("event_type", "STRING", "As in silver.events"),
        Column("product_id", "STRING", "The item; null for a search", nullable=True),
        Column(
            "chain_step",
            "BIGINT",
            "Place of a view in the shopper's item chain, from 0; null off the chain",
            nullable=True,
        ),
        Column("is_ambiguous", "BOOLEAN", "True where the visit lies 25 to 35 minutes from another of the shopper"),
    ),
    writer=WRITER,
)

ANOMALIES = Table(
    name="truth.anomalies",
    grain="One row per planted disorder of a raw line: kind and the event it was made from.",
    key=("kind", "event_id"),
    columns=(
        Column(
            "kind",
            "STRING",
            "On the event's own line: late, out_of_order. An extra line that repeats it: duplicate, resent. An "
            "extra line that "
            "no reader should keep: broken_json, missing_event_at, missing_event_type, impossible_date, "
            "negative_price, "
            "wrong_type, not_utf8",
        ),
        Column("event_id", "STRING", "The event in truth.events"),
        Column("received_at", "TIMESTAMP", "When the line arrived", unit="UTC"),
        Column("line_sha256", "STRING", "SHA-256 of the line's bytes without the line end, hexadecimal"),
    ),
    writer=WRITER,
)

IDENTITIES = Table(
    name="truth.identities",
    grain="One row per device or cookie that events carry and shopper who used it; empty unless simulation.identities.sends_ids.",
    key=("id_kind", "id_value", "user_id"),
    columns=(
        Column("id_kind", "STRING", "device or cookie"),
        Column("id_value", "STRING", "As in silver.events"),
        Column("user_id", "STRING", "The shopper, logged in or not"),
        Column("is_shared", "BOOLEAN", "True where more than one shopper used it"),
    ),
    writer=WRITER,
)

TABLES: tuple[Table, ...] = (
    LAWS,
    USERS,
    ITEMS,
    SUCCESSORS,
    PERSONA_ITEMS,
    CLOCKS,
    PROMOTIONS,
    EVENTS,
    IDENTITIES,
    ANOMALIES,
)
