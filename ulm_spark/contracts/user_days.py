"""Silver, by day: what each user and each product did on a local day. Features of any day and window are sums of it."""

from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import RESTATED_IN_PLACE, Column, Table

NAMED_COUNTS = "ARRAY<STRUCT<name: STRING, n: BIGINT>>"
"""Names with their counts, sorted by name; each name once, each count above 0."""

FILTERS_ATTRIBUTE = "filters"
"""Key of silver.events.attributes under which a source says how a search was filtered."""
SENTIMENT_ATTRIBUTE = "sentiment"
"""Key of silver.events.attributes under which a source, or a model before it, says how kind a review is, -1 to 1."""

DAY = Column("day_on", "DATE", "Local day in the shop's zone")


def _counted(name: str, meaning: str, unit: str = "events") -> Column:
    return Column(name, "INT", meaning, unit=unit)


def _named(name: str, meaning: str) -> Column:
    return Column(name, NAMED_COUNTS, f"{meaning}; sorted by name, empty where none is known", unit="events")


USER_DAYS = Table(
    name="silver.user_days",
    grain="One row per user and local day on which the user did something, a visit of theirs closed or an order line of theirs lies; known as of every day from day_on on.",
    key=("user_id", "day_on"),
    columns=(
        Column("user_id", "STRING", "The shopper, as in silver.sessions"),
        DAY,
        _counted("n_events", "Events of the user"),
        _counted("n_views", "view events"),
        _counted("n_searches", "search events"),
        _counted("n_clicks", "click events"),
        _counted("n_carts", "cart events"),
        _counted("n_removes", "remove events"),
        _counted("n_purchases", "purchase events, one per order line"),
        _counted("n_returns", "return events, one per returned line"),
        _counted("n_reviews", "review events"),
        _counted("n_filtered_searches", f"search events whose attributes name {FILTERS_ATTRIBUTE}"),
        _counted("n_ratings", "review events with a rating"),
        _counted("rating_sum", "Sum of their ratings, each 1 to 5", "stars"),
        _counted("n_sentiments", f"review events whose attributes give {SENTIMENT_ATTRIBUTE} as a number from -1 to 1"),
        Column("sentiment_sum", "DECIMAL(18,4)", "Sum of these numbers"),
        _counted("morning_events", "Events from 06:00 to 11:59, local time"),
        _counted("afternoon_events", "Events from 12:00 to 17:59, local time"),
        _counted("evening_events", "Events from 18:00 to 23:59, local time"),
        _counted("night_events", "Events from 00:00 to 05:59, local time"),
        Column("first_channel", "STRING", "Channel of the first event that has one, ties by name", nullable=True),
        _named("hours", "Events by local hour, 00 to 23"),
        _named("categories", "Events by category"),
        _named("brands", "Events by brand"),
        _named("price_bands", "Events by floor(log2(unit_price)) of a unit_price above 0"),
        _named("devices", "Events by device"),
        _named("channels", "Events by channel"),
        _counted("n_sessions", "Visits that closed on this day: no event after it can extend them", "sessions"),
        _counted("n_bounces", "Those of a single event", "sessions"),
        _counted("n_cart_sessions", "Those with a cart event", "sessions"),
        _counted("n_abandoned_sessions", "Those with has_abandoned_cart", "sessions"),
        _counted("n_buying_sessions", "Those with has_purchase", "sessions"),
        Column("session_events", "BIGINT", "Sum of their n_events", unit="events"),
        Column("session_steps", "BIGINT", "Sum of their n_events less 1: the steps from event to event", unit="steps"),
        Column("session_s", "BIGINT", "Sum of their duration_s", unit="s"),
        _counted("n_orders", "Orders whose first purchase line lies on this day", "orders"),
        _counted("n_lines", "Purchase lines", "lines"),
        Column("n_units", "BIGINT", "Units of items bought", unit="units"),
        Column("n_units_returned", "BIGINT", "Units of items that came back", unit="units"),
        _counted("n_listed_lines", "Purchase lines of items that have a list price", "lines"),
        _counted("n_discounted_lines", "Those paid below it", "lines"),
        Column("gross_amount", MONEY, "Sum of the purchase lines' amounts", unit="currency"),
        Column("net_amount", MONEY, "Sum of all lines' amounts: purchases less returns", unit="currency"),
        Column(
            "currency",
            "STRING",
            "ISO 4217 code of the latest purchase line, else of the latest return, ties the last by name; null without a line",
            nullable=True,
        ),
        Column(
            "products",
            NAMED_COUNTS,
            "Units bought by product_id, items only; sorted by name, empty where none",
            unit="units",
        ),
    ),
    cluster_by=("day_on",),
    properties=RESTATED_IN_PLACE,
    writer="build_user_days",
    readers=("build_user_features", "train_churn", "value_users", "stage_users", "build_shop_metrics"),
)

DECIMALS = tuple(column.name for column in USER_DAYS.columns if column.type == MONEY)
NAMED = tuple(column.name for column in USER_DAYS.columns if column.type == NAMED_COUNTS)
"""Columns of silver.user_days by kind: those with four decimals, and those of named counts."""

PRODUCT_DAYS = Table(
    name="silver.product_days",
    grain="One row per product and local day with an event of a shopper on it; known as of every day from day_on on.",
    key=("product_id", "day_on"),
    columns=(
        Column("product_id", "STRING", "The product"),
        DAY,
        Column("category", "STRING", "Category that most of the day's events name, ties by name", nullable=True),
        Column("n_events", "BIGINT", "Events of shoppers and guests", unit="events"),
        Column("n_views", "BIGINT", "view events", unit="events"),
        Column("n_carts", "BIGINT", "cart events", unit="events"),
        Column("n_purchases", "BIGINT", "purchase events", unit="events"),
        Column("n_units", "BIGINT", "Units bought", unit="units"),
        Column("n_priced", "BIGINT", "Events with a unit_price above 0", unit="events"),
        Column("price_sum", MONEY, "Sum of their unit prices", unit="currency"),
        Column("currency", "STRING", "ISO 4217 code of the prices, the first by name", nullable=True),
    ),
    cluster_by=("day_on",),
    properties=RESTATED_IN_PLACE,
    writer="build_user_days",
    readers=("build_user_features", "train_churn"),
)

TABLES: tuple[Table, ...] = (USER_DAYS, PRODUCT_DAYS)
