"""Silver: clean facts. Pure functions of the lake's events, restated when late ones arrive.

Silver tables without ``as_of`` hold all that the lake knows, also of later days; whoever reads
them for a day filters by the instant column that the grain names.
"""

from ulm_spark.contracts.bronze import LINEAGE
from ulm_spark.contracts.table import CHANGES_ARE_KEPT, RESTATED_IN_PLACE, Column, Table

MONEY = "DECIMAL(18,4)"
SHOPPER_EVENT_TYPES = ("view", "search", "click", "cart", "remove", "purchase", "return", "review")
EVENT_TYPES = (*SHOPPER_EVENT_TYPES, "listing")

EVENTS = Table(
    name="silver.events",
    grain="One row per event that happened; known as of a day when event_at is before the end of that day.",
    key=("event_id",),
    columns=(
        Column("event_id", "STRING", "The source's event id, else a hash of the row's content"),
        Column("event_at", "TIMESTAMP", "When it happened", unit="UTC"),
        Column("event_on", "DATE", "Local day of event_at in the shop's zone"),
        Column(
            "event_type",
            "STRING",
            "view, search, click, cart, remove, purchase, return, review, or listing: the shop listed or changed a product",
        ),
        Column(
            "user_id",
            "STRING",
            "The shopper's log-in, as the source said it; null where it does not know (a guest's order, a listing)",
            nullable=True,
        ),
        Column("device_id", "STRING", "The device, as the source named it", nullable=True),
        Column("cookie_id", "STRING", "The browser's cookie, as the source named it", nullable=True),
        Column("product_id", "STRING", "The product, null for a search", nullable=True),
        Column(
            "is_item",
            "BOOLEAN",
            "True where the product is one a shopper can choose, not postage, a fee or a correction; false without a product",
        ),
        Column("title", "STRING", "Product title as the row said it", nullable=True),
        Column("category", "STRING", "Category path from the root, joined by /", nullable=True),
        Column("brand", "STRING", "Brand", nullable=True),
        Column("unit_price", MONEY, "Price of one unit, never negative", nullable=True, unit="currency"),
        Column("list_price", MONEY, "Price of one unit before promotion", nullable=True, unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of the prices", nullable=True),
        Column(
            "quantity",
            "INT",
            "Units, always above zero; a return's units come back",
            nullable=True,
            unit="units",
        ),
        Column("order_id", "STRING", "The order or invoice of a purchase or return", nullable=True),
        Column("query", "STRING", "Search words", nullable=True),
        Column("rating", "INT", "Review score, 1 to 5", nullable=True),
        Column("review_text", "STRING", "Review words", nullable=True),
        Column("channel", "STRING", "How the visit came: direct, search, ads, email, social, ...", nullable=True),
        Column("campaign", "STRING", "Campaign of the visit", nullable=True),
        Column("device", "STRING", "desktop, mobile, tablet or app", nullable=True),
        Column("user_agent", "STRING", "The client as it named itself", nullable=True),
        Column("country", "STRING", "Country as the source wrote it", nullable=True),
        Column("source_session_id", "STRING", "The source's own session id, for comparison only", nullable=True),
        Column(
            "attributes",
            "MAP<STRING,STRING>",
            "What else the source said, such as title_zh and description of a listing",
            nullable=True,
        ),
        *LINEAGE,
    ),
    cluster_by=("event_on",),
    properties=CHANGES_ARE_KEPT,
    writer="ingest_events",
    readers=(
        "resolve_identities",
        "build_products",
        "sessionize",
        "build_orders",
        "build_sequences",
        "build_user_days",
        "describe_users",
        "build_metrics",
        "build_shop_metrics",
        "evaluate_models",
        "train_als",
        "recommend_items",
        "recommend_next_items",
        "flag_anomalies",
        "check_quality",
        "link_users",
    ),
)

EVENT_ANOMALIES = Table(
    name="silver.event_anomalies",
    grain="One row per event and rule that it breaks; the event stays in silver.events. Known as of a day when event_on is no later.",
    key=("event_id", "rule"),
    columns=(
        Column("event_id", "STRING", "The event"),
        Column("event_on", "DATE", "Its local day in the shop's zone"),
        Column("user_id", "STRING", "Its user; null for a guest", nullable=True),
        Column(
            "rule",
            "STRING",
            "Of the event: arrived_late, clock_ahead. Of its user: impossible_rate, too_many_looks, regular_gaps, bot_agent",
        ),
        Column(
            "score", "DOUBLE", "What was measured, as detail says; null where the rule measures nothing", nullable=True
        ),
        Column("threshold", "DOUBLE", "What score was held against", nullable=True),
        Column("detail", "STRING", "What was measured and expected, in words; never values of the event"),
    ),
    cluster_by=("event_on",),
    writer="flag_anomalies",
)

PRODUCTS = Table(
    name="silver.products",
    grain="One row per product ever seen; known as of a day when first_seen_at is before the end of that day.",
    key=("product_id",),
    columns=(
        Column("product_id", "STRING", "The product"),
        Column("title", "STRING", "Latest title", nullable=True),
        Column("title_zh", "STRING", "Latest Chinese title", nullable=True),
        Column("description", "STRING", "Latest description", nullable=True),
        Column("category", "STRING", "Latest category path", nullable=True),
        Column("brand", "STRING", "Latest brand", nullable=True),
        Column(
            "list_price",
            MONEY,
            "Latest list price, else latest unit price; for display, never for a feature",
            nullable=True,
            unit="currency",
        ),
        Column("currency", "STRING", "ISO 4217 code of list_price", nullable=True),
        Column("is_item", "BOOLEAN", "True where a shopper can choose it, not postage, a fee or a correction"),
        Column("first_seen_at", "TIMESTAMP", "First event or listing of the product", unit="UTC"),
        Column("last_seen_at", "TIMESTAMP", "Last event or listing of the product", unit="UTC"),
    ),
    writer="build_products",
    readers=("check_quality", "evaluate_models"),
)

SESSIONS = Table(
    name="silver.sessions",
    grain="One row per user and visit; known as of a day when closes_at is not after the end of that day.",
    key=("session_id",),
    columns=(
        Column("session_id", "STRING", "Hash of user_id and started_at, and of campaign where campaigns cut"),
        Column(
            "user_id",
            "STRING",
            "The shopper: a log-in, or with identity.attributes_users the person of silver.identities as known now",
        ),
        Column("started_at", "TIMESTAMP", "First event", unit="UTC"),
        Column("ended_at", "TIMESTAMP", "Last event", unit="UTC"),
        Column(
            "closes_at",
            "TIMESTAMP",
            "The session gap and one microsecond after ended_at: from then on no event can extend it",
            unit="UTC",
        ),
        Column("session_on", "DATE", "Local day of started_at in the shop's zone"),
        Column("duration_s", "BIGINT", "ended_at less started_at in whole seconds", unit="s"),
        Column("mean_dwell_s", "DOUBLE", "Mean time from event to event; null for a bounce", nullable=True, unit="s"),
        Column("n_events", "INT", "Events of the visit", unit="events"),
        Column("n_views", "INT", "view events", unit="events"),
        Column("n_searches", "INT", "search events", unit="events"),
        Column("n_clicks", "INT", "click events", unit="events"),
        Column("n_carts", "INT", "cart events", unit="events"),
        Column("n_removes", "INT", "remove events", unit="events"),
        Column("n_purchases", "INT", "purchase events, one per order line", unit="events"),
        Column("n_returns", "INT", "return events, one per returned line", unit="events"),
        Column("n_reviews", "INT", "review events", unit="events"),
        Column("funnel_step", "STRING", "The furthest of visit, view (a click too), cart and purchase"),
        Column("landing_product_id", "STRING", "Product of the first event that has one", nullable=True),
        Column("exit_product_id", "STRING", "Product of the last event that has one", nullable=True),
        Column("channel", "STRING", "Channel of the first event that has one", nullable=True),
        Column("campaign", "STRING", "Campaign of the first event that has one", nullable=True),
        Column("device", "STRING", "Device of the first event that has one", nullable=True),
        Column(
            "cart_value",
            MONEY,
            "Sum of unit_price times quantity over cart events less remove events, at least 0",
            unit="currency",
        ),
        Column("revenue", MONEY, "Sum of unit_price times quantity over purchases", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of revenue; null without a purchase", nullable=True),
        Column("is_bounce", "BOOLEAN", "True where the visit is a single event"),
        Column("has_purchase", "BOOLEAN", "True where something was bought"),
        Column("has_abandoned_cart", "BOOLEAN", "True where something was put in the cart and nothing was bought"),
    ),
    cluster_by=("session_on",),
    properties=RESTATED_IN_PLACE,
    writer="sessionize",
    readers=("build_user_days", "build_metrics", "build_shop_metrics"),
)

ORDER_LINES = Table(
    name="silver.order_lines",
    grain="One row per product line bought or returned; known as of a day when lined_at is before the end of that day.",
    key=("line_id",),
    columns=(
        Column("line_id", "STRING", "event_id of the purchase or return"),
        Column("order_id", "STRING", "The order or invoice; a cancellation has its own"),
        Column("line_type", "STRING", "purchase or return"),
        Column("user_id", "STRING", "The shopper, as in silver.sessions; null for a guest", nullable=True),
        Column("product_id", "STRING", "The product"),
        Column(
            "is_item",
            "BOOLEAN",
            "True where a shopper can choose the product, not postage, a fee or a correction",
        ),
        Column("lined_at", "TIMESTAMP", "When it was bought or returned", unit="UTC"),
        Column("lined_on", "DATE", "Local day of lined_at in the shop's zone"),
        Column("quantity", "INT", "Units, above zero on both kinds of line", unit="units"),
        Column("unit_price", MONEY, "Price paid for one unit", unit="currency"),
        Column("list_price", MONEY, "Price of one unit before promotion", nullable=True, unit="currency"),
        Column(
            "amount",
            MONEY,
            "quantity times unit_price; below zero for a return, so that a sum is net",
            unit="currency",
        ),
        Column("currency", "STRING", "ISO 4217 code of the amounts"),
        Column(
            "netted_quantity",
            "INT",
            "Units of a purchase that later returns took back, first bought first; units of a return that found a purchase. Restated: looks ahead on purchases",
            unit="units",
        ),
        Column("country", "STRING", "Country as the source wrote it", nullable=True),
    ),
    cluster_by=("lined_on",),
    properties=RESTATED_IN_PLACE,
    writer="build_orders",
    readers=("build_user_days", "train_churn", "build_metrics", "evaluate_models", "build_shop_metrics", "link_users"),
)

ORDERS = Table(
    name="silver.orders",
    grain="One row per order (documents that only return are no orders); known as of a day when ordered_at is before its end.",
    key=("order_id",),
    columns=(
        Column("order_id", "STRING", "The order or invoice"),
        Column("user_id", "STRING", "The shopper; null for a guest", nullable=True),
        Column("ordered_at", "TIMESTAMP", "First purchase line", unit="UTC"),
        Column("ordered_on", "DATE", "Local day of ordered_at in the shop's zone"),
        Column("n_lines", "INT", "Purchase lines", unit="lines"),
        Column("n_units", "BIGINT", "Units bought", unit="units"),
        Column("gross_amount", MONEY, "Sum of the purchase lines' amounts", unit="currency"),
        Column(
            "netted_amount",
            MONEY,
            "What later returns took back of them, at the price paid. Restated: looks ahead",
            unit="currency",
        ),
        Column("net_amount", MONEY, "gross_amount less netted_amount. Restated: looks ahead", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of the amounts"),
        Column("is_cancelled", "BOOLEAN", "True where every unit was taken back. Restated: looks ahead"),
        Column("country", "STRING", "Country as the source wrote it", nullable=True),
    ),
    cluster_by=("ordered_on",),
    properties=RESTATED_IN_PLACE,
    writer="build_orders",
    readers=("build_metrics", "build_shop_metrics"),
)
