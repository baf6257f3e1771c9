"""Metrics: who comes back, who goes on to buy, what a user brings and costs. Gold tables of a day of as_of."""

from dataclasses import dataclass

from ulm_spark.contracts.gold import AS_OF
from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import Column, Table

_JOB = "build_shop_metrics"
_SHOWN = ("build_report",)

USER_RETENTION = Table(
    name="gold.user_retention",
    grain="One row per cohort (week of first event), kind of retention and period of days since, from the day on which "
    "the period is over for one user of the cohort.",
    key=("as_of", "cohort_on", "kind", "first_day"),
    columns=(
        AS_OF,
        Column("cohort_on", "DATE", "Monday of the local week of the users' first event"),
        Column(
            "kind",
            "STRING",
            "classic: active on day first_day itself. rolling: on it or on any later day up to as_of. bracket: on any day "
            "from first_day to last_day",
        ),
        Column("first_day", "INT", "Local days since the first event's own, which is day 0", unit="days"),
        Column(
            "last_day",
            "INT",
            "Last day that counts; first_day for classic, null for rolling, which has no end",
            nullable=True,
            unit="days",
        ),
        Column("n_cohort_users", "BIGINT", "Users of the cohort", unit="users"),
        Column("n_users", "BIGINT", "Those whose period (of rolling: first_day) was over by as_of", unit="users"),
        Column("n_retained", "BIGINT", "Those of n_users who were active in the period", unit="users"),
        Column(
            "is_complete",
            "BOOLEAN",
            "True where the period was over for all who could be of the cohort: its week too was over",
        ),
    ),
    partition_by=("as_of",),
    writer=_JOB,
    readers=_SHOWN,
)

DAILY_CONVERSION = Table(
    name="gold.daily_conversion",
    grain="One row per local day from the first closed session's to as_of. A session reached a step with an event of it "
    "or of a later one.",
    key=("as_of", "day_on"),
    columns=(
        AS_OF,
        Column("day_on", "DATE", "Local day in the shop's zone"),
        Column("n_sessions", "BIGINT", "Sessions begun on the day and closed by the end of as_of", unit="sessions"),
        Column("n_view_sessions", "BIGINT", "Those that reached view, or a click", unit="sessions"),
        Column("n_cart_sessions", "BIGINT", "Those that reached cart", unit="sessions"),
        Column("n_purchase_sessions", "BIGINT", "Those that reached purchase", unit="sessions"),
        Column("view_rate", "DOUBLE", "n_view_sessions over n_sessions; null without one", nullable=True),
        Column("cart_rate", "DOUBLE", "n_cart_sessions over n_view_sessions; null without one", nullable=True),
        Column("purchase_rate", "DOUBLE", "n_purchase_sessions over n_cart_sessions; null without one", nullable=True),
        Column("conversion_rate", "DOUBLE", "n_purchase_sessions over n_sessions; null without one", nullable=True),
    ),
    partition_by=("as_of",),
    writer=_JOB,
    readers=_SHOWN,
)

DAILY_CUSTOMERS = Table(
    name="gold.daily_customers",
    grain="One row per local day from the first user's first event to as_of.",
    key=("as_of", "day_on"),
    columns=(
        AS_OF,
        Column("day_on", "DATE", "Local day in the shop's zone"),
        Column("n_active_users", "BIGINT", "Distinct users with an event", unit="users"),
        Column("n_new_users", "BIGINT", "Those whose first event in the lake is of the day", unit="users"),
        Column("n_buyers", "BIGINT", "Distinct users with a purchase line; guests are no users", unit="users"),
        Column("n_new_buyers", "BIGINT", "Those whose first purchase in the lake is of the day", unit="users"),
    ),
    partition_by=("as_of",),
    writer=_JOB,
    readers=_SHOWN,
)

SHOP_METRICS = Table(
    name="gold.shop_metrics",
    grain="One row per metric and window of days that ends with as_of.",
    key=("as_of", "metric", "window_days"),
    columns=(
        AS_OF,
        Column(
            "metric",
            "STRING",
            "active_users, repeat_rate, arpu, cac, nps, ... as below",
        ),
        Column("window_days", "INT", "Local days, as_of the last of them", unit="days"),
        Column("value", "DOUBLE", "The metric; null where there is nothing to divide by or no source", nullable=True),
        Column(
            "numerator",
            "DOUBLE",
            "What is divided, or the count or sum itself; null without spend or ratings, 0 without answers",
            nullable=True,
        ),
        Column("denominator", "DOUBLE", "What it is divided by; null for a count or a sum", nullable=True),
        Column(
            "unit", "STRING", "users, orders, share, stars, points, or the ISO 4217 code of money, several joined by /"
        ),
    ),
    partition_by=("as_of",),
    writer=_JOB,
    readers=_SHOWN,
)

CHANNEL_ACQUISITION = Table(
    name="gold.channel_acquisition",
    grain="One row per channel with spend or a new buyer and window of days that ends with as_of.",
    key=("as_of", "window_days", "channel"),
    columns=(
        AS_OF,
        Column("window_days", "INT", "Local days, as_of the last of them", unit="days"),
        Column(
            "channel", "STRING", "Channel of the user's first event that has one, ties by name; unknown where none has"
        ),
        Column("n_new_buyers", "BIGINT", "Users of the channel whose first purchase is in the window", unit="users"),
        Column(
            "spend",
            MONEY,
            "Spend on the channel in the window; null where the lake has none",
            nullable=True,
            unit="currency",
        ),
        Column("currency", "STRING", "ISO 4217 code of spend and cac; null without spend", nullable=True),
        Column("cac", "DOUBLE", "spend over n_new_buyers; null without either", nullable=True, unit="currency"),
    ),
    partition_by=("as_of",),
    writer=_JOB,
    readers=_SHOWN,
)

TABLES = (USER_RETENTION, DAILY_CONVERSION, DAILY_CUSTOMERS, SHOP_METRICS, CHANNEL_ACQUISITION)


@dataclass(frozen=True)
class ShopMetric:
    """What one metric of gold.shop_metrics is. unit: as the table's; money for amounts. formula: over the window."""

    name: str
    title: str
    formula: str
    unit: str


SHOP_METRIC_CATALOGUE = (
    ShopMetric("active_users", "Active users", "distinct users with a shopper's event; guests are no users", "users"),
    ShopMetric("new_users", "New users", "users whose first event in the lake is in the window", "users"),
    ShopMetric("buyers", "Buyers", "distinct users with a purchase line, whatever came back later", "users"),
    ShopMetric("new_buyers", "New buyers", "users whose first purchase in the lake is in the window", "users"),
    ShopMetric(
        "repeat_rate",
        "Repeat rate",
        "buyers who also bought on a local day before their last purchase day, in the window or before it, over buyers",
        "share",
    ),
    ShopMetric("orders", "Orders", "orders whose first line is in the window, guests' too", "orders"),
    ShopMetric("gross_revenue", "Gross revenue", "amounts of purchase lines, guests' too", "money"),
    ShopMetric(
        "net_revenue", "Net revenue", "gross revenue less amounts of return lines of the window, guests' too", "money"
    ),
    ShopMetric(
        "arpu", "Revenue per active user (ARPU)", "net revenue of users, without guests', over active users", "money"
    ),
    ShopMetric("arppu", "Revenue per buyer (ARPPU)", "net revenue of users, without guests', over buyers", "money"),
    ShopMetric("average_order_value", "Average order value", "gross revenue over orders, guests' too", "money"),
    ShopMetric(
        "conversion_rate",
        "Sessions that buy",
        "closed sessions begun in the window with a purchase over closed sessions begun in it",
        "share",
    ),
    ShopMetric("marketing_spend", "Marketing spend", "spend of all channels in silver.marketing_spend", "money"),
    ShopMetric("cac", "Acquisition cost (CAC)", "marketing spend over new buyers, whatever brought them", "money"),
    ShopMetric("review_score", "Review score", "mean rating of review events with a rating of 1 to 5", "stars"),
    ShopMetric("satisfied_share", "Reviews of 4 or 5 stars", "ratings of 4 and 5 over ratings", "share"),
    ShopMetric(
        "nps",
        "Net promoter score (NPS)",
        "100 times (promoters, who answer 9 or 10, less detractors, who answer 0 to 6) over answers to attributes['nps'], "
        "a user's last one; never made of stars (Reichheld 2003, Harvard Business Review 81(12), 46-54)",
        "points",
    ),
)
