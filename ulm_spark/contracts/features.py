"""The catalogue of features: each with its meaning, unit, window, null rule, owner, and the rule that computes it.

A rule is a value: one engine reads the catalogue and computes all features in one pass (users/features.py). What a
rule names are columns of silver.user_days. A window of n days ends with as_of; without one it is the whole life.
"""

from dataclasses import dataclass
from typing import Literal

from ulm_spark.contracts.gold import AS_OF, USER
from ulm_spark.contracts.silver import MONEY
from ulm_spark.contracts.table import Column, Table
from ulm_spark.contracts.user_days import USER_DAYS

WINDOWS_DAYS: tuple[int | None, ...] = (1, 7, 30, 90, 365, None)
"""Days of each window; None is the user's life."""


@dataclass(frozen=True)
class Sum:
    """Sum of a column over the window."""

    column: str


@dataclass(frozen=True)
class Share:
    """Sum of a column over the sum of another; null where the latter is 0."""

    column: str
    over: str


@dataclass(frozen=True)
class Days:
    """Distinct days of the window on which a column is above 0."""

    column: str


@dataclass(frozen=True)
class Weekend:
    """Share of a column's sum that lies on Saturdays and Sundays; null where the sum is 0."""

    column: str


@dataclass(frozen=True)
class Since:
    """Local days from the first, or the last, day on which a column is above 0 to as_of; null without one."""

    column: str
    which: Literal["first", "last"]


@dataclass(frozen=True)
class Rate:
    """Sum of a column a month: times 30 over the days since the first event, that day and as_of included."""

    column: str


@dataclass(frozen=True)
class Gap:
    """The gaps in days between successive days on which a column is above 0, over the whole life.

    mean: their mean. sd: their standard deviation (n - 1). last: the last of them. trend: slope of the least
    squares line of gap k over k. overdue: days since the last such day over the mean gap. Null where there are fewer
    gaps than 1 (mean, last, overdue), 2 (sd) or 3 (trend).
    """

    column: str
    which: Literal["mean", "sd", "last", "trend", "overdue"]


@dataclass(frozen=True)
class Names:
    """The names of a column of named counts, their counts summed over the window.

    n: distinct names. entropy: -sum p ln p over the shares p of the counts; null without a name. top: the name with
    the largest count, ties the first by name; null without a name. share: the share of that name.
    """

    column: str
    which: Literal["n", "entropy", "top", "share"]


@dataclass(frozen=True)
class First:
    """The earliest value of a text column that is not null."""

    column: str


@dataclass(frozen=True)
class Latest:
    """A text column on the last day on which another is above 0."""

    column: str
    where: str


@dataclass(frozen=True)
class Market:
    """What the shop as a whole did, from silver.product_days (users/market.py).

    trend: ln((a + 1) / (b + 1)) with the events a of the user's top category of 90 days in the last 30 days and b in
    the 30 days before. price_index: geometric mean, over that category's products priced in both, of the mean price of the last
    30 days over that of the 30 days before (Jevons index). season: events a day of the whole shop in the last
    7 days over those of the last 364, or of its life where that is shorter.
    """

    which: Literal["trend", "price_index", "season"]


Rule = Sum | Share | Days | Weekend | Since | Rate | Gap | Names | First | Latest | Market


@dataclass(frozen=True)
class Feature:
    """One column of gold.user_features.

    window_days: None is the whole life. null_rule: in words, when the value is null; empty where it never is.
    """

    name: str
    type: str
    meaning: str
    rule: Rule
    window_days: int | None = None
    unit: str = ""
    null_rule: str = ""
    owner: str = "users"

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that it is made of, as table.column."""
        if isinstance(self.rule, Market):
            return tuple(f"silver.product_days.{name}" for name in ("category", "n_events", "price_sum", "n_priced"))
        names = (getattr(self.rule, field, None) for field in ("column", "over", "where"))
        return tuple(f"{USER_DAYS.name}.{name}" for name in names if name)

    @property
    def as_column(self) -> Column:
        """The feature as a column of its table."""
        rule = f"; null {self.null_rule}" if self.null_rule else ""
        return Column(self.name, self.type, self.meaning + rule, nullable=bool(self.null_rule), unit=self.unit)


def _suffix(window_days: int | None) -> str:
    return "life" if window_days is None else f"{window_days}d"


def _several(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _in_words(window_days: int | None) -> str:
    return "life" if window_days is None else "as_of itself" if window_days == 1 else f"{window_days} days"


def _sums(
    name: str, column: str, meaning: str, unit: str, windows: tuple[int | None, ...] = WINDOWS_DAYS, dtype: str = "INT"
) -> tuple[Feature, ...]:
    return tuple(
        Feature(f"{name}_{_suffix(w)}", dtype, f"{meaning}, {_in_words(w)}", Sum(column), w, unit) for w in windows
    )


def _share(
    name: str, column: str, over: str, meaning: str, window_days: int | None, null_rule: str, unit: str = ""
) -> Feature:
    words = f"{meaning}, {_in_words(window_days)}"
    return Feature(name, "DOUBLE", words, Share(column, over), window_days, unit, null_rule)


def _tastes(noun: str, plural: str, what: str) -> tuple[Feature, ...]:
    none = f"where no event names a {what}"
    return (
        Feature(f"n_{plural}_90d", "INT", f"Distinct {_several(what)} touched, 90 days", Names(plural, "n"), 90, plural),
        Feature(f"{noun}_entropy", "DOUBLE", f"Shannon entropy of the {_several(what)} touched, 90 days", Names(plural, "entropy"), 90, "nats", none),
        Feature(f"top_{noun}", "STRING", f"{what.capitalize()} touched most, 90 days, ties by name", Names(plural, "top"), 90, "", none),
        Feature(f"top_{noun}_share", "DOUBLE", f"Its share of the touches of a {what}, 90 days", Names(plural, "share"), 90, "", none),
        Feature(f"n_{plural}_life", "INT", f"Distinct {_several(what)} touched, life", Names(plural, "n"), None, plural),
    )  # fmt: skip


_NO_PURCHASE = "before the first purchase"
_NO_EVENT = "without an event in it"
_NO_SESSION = "without a closed session"

_TIMING = (
    Feature("tenure_days", "INT", "Local days from the first event to as_of", Since("n_events", "first"), None, "days"),
    Feature("inactive_days", "INT", "Local days from the last event of any kind to as_of", Since("n_events", "last"), None, "days"),
    Feature("recency_days", "INT", "Local days from the last purchase to as_of", Since("n_lines", "last"), None, "days", _NO_PURCHASE),
    Feature("first_purchase_age_days", "INT", "Local days from the first purchase to as_of", Since("n_lines", "first"), None, "days", _NO_PURCHASE),
    Feature("n_purchase_days", "INT", "Distinct local days with a purchase, life", Days("n_lines"), None, "days"),
    Feature("n_purchase_days_365d", "INT", "Distinct local days with a purchase, 365 days", Days("n_lines"), 365, "days"),
    Feature("mean_purchase_gap_days", "DOUBLE", "Mean days between purchase days, life", Gap("n_lines", "mean"), None, "days", "below two of them"),
    Feature("sd_purchase_gap_days", "DOUBLE", "Standard deviation of the days between purchase days, life", Gap("n_lines", "sd"), None, "days", "below three of them"),
    Feature("last_purchase_gap_days", "INT", "Days between the last two purchase days", Gap("n_lines", "last"), None, "days", "below two of them"),
    Feature("purchase_gap_trend", "DOUBLE", "Days by which each gap between purchase days exceeds the one before: least squares slope, life", Gap("n_lines", "trend"), None, "days", "below four of them"),
    Feature("purchase_overdue", "DOUBLE", "recency_days over mean_purchase_gap_days", Gap("n_lines", "overdue"), None, "", "below two purchase days"),
    Feature("orders_per_month", "DOUBLE", "Orders in 30 days of tenure, life", Rate("n_orders"), None, "orders"),
)  # fmt: skip

_COUNTS = (
    *(
        Feature(f"n_active_days_{_suffix(w)}", "INT", f"Distinct local days with an event, {_in_words(w)}", Days("n_events"), w, "days")
        for w in WINDOWS_DAYS
    ),
    *_sums("n_events", "n_events", "Events of any kind", "events"),
    *_sums("n_views", "n_views", "view events", "events"),
    *_sums("n_searches", "n_searches", "search events", "events"),
    *_sums("n_carts", "n_carts", "cart events", "events"),
    *_sums("n_sessions", "n_sessions", "Sessions that closed", "sessions"),
    *_sums("n_clicks", "n_clicks", "click events", "events", (30,)),
    *_sums("n_removes", "n_removes", "remove events", "events", (30,)),
    *_sums("n_filtered_searches", "n_filtered_searches", "search events with a filter", "events", (90,)),
    *_sums("n_reviews", "n_reviews", "review events", "events", (90, None)),
)  # fmt: skip

_PURCHASES = (
    *_sums("n_orders", "n_orders", "Orders", "orders"),
    *_sums("net_revenue", "net_amount", "Purchases less returns", "currency", dtype=MONEY),
    *_sums("gross_revenue", "gross_amount", "Purchases", "currency", (90, 365, None), MONEY),
    Feature("currency", "STRING", "ISO 4217 code of the money columns: that of the latest purchase", Latest("currency", "n_lines"), None, "", _NO_PURCHASE),
    _share("mean_order_value_90d", "gross_amount", "n_orders", "Gross purchases over orders", 90, "without an order", "currency"),
    _share("mean_order_value_365d", "gross_amount", "n_orders", "Gross purchases over orders", 365, "without an order", "currency"),
    _share("mean_order_value", "gross_amount", "n_orders", "Gross purchases over orders", None, "before the first order", "currency"),
    *_sums("n_units", "n_units", "Units of items bought", "units", (90, None), "BIGINT"),
    *(
        Feature(f"n_products_{_suffix(w)}", "INT", f"Distinct items bought, {_in_words(w)}", Names("products", "n"), w, "products")
        for w in (90, 365, None)
    ),
    _share("return_rate_365d", "n_units_returned", "n_units", "Returned over bought units of items", 365, "without a purchase of one"),
    _share("return_rate", "n_units_returned", "n_units", "Returned over bought units of items", None, "before the first purchase of one"),
    _share("discount_share_365d", "n_discounted_lines", "n_listed_lines", "Share of bought item lines with a list price that were paid below it", 365, "where no line has one"),
    _share("discount_share", "n_discounted_lines", "n_listed_lines", "Share of bought item lines with a list price that were paid below it", None, "where no line has one"),
)  # fmt: skip

_VISITS = (
    _share("mean_session_events", "session_events", "n_sessions", "Mean events a closed session", 90, _NO_SESSION, "events"),
    _share("mean_session_s", "session_s", "n_sessions", "Mean length of a closed session", 90, _NO_SESSION, "s"),
    _share("mean_session_events_life", "session_events", "n_sessions", "Mean events a closed session", None, _NO_SESSION, "events"),
    _share("mean_dwell_s", "session_s", "session_steps", "Mean time from event to event in closed sessions", None, "without two events in one", "s"),
    _share("bounce_rate", "n_bounces", "n_sessions", "Closed sessions of a single event over all closed", 90, _NO_SESSION),
    _share("cart_abandon_rate", "n_abandoned_sessions", "n_cart_sessions", "Closed sessions with an abandoned cart over those with a cart", 90, "without one with a cart"),
    _share("cart_abandon_rate_life", "n_abandoned_sessions", "n_cart_sessions", "Closed sessions with an abandoned cart over those with a cart", None, "without one with a cart"),
    _share("session_conversion_90d", "n_buying_sessions", "n_sessions", "Closed sessions with a purchase over all closed", 90, _NO_SESSION),
    _share("session_conversion_life", "n_buying_sessions", "n_sessions", "Closed sessions with a purchase over all closed", None, _NO_SESSION),
)  # fmt: skip

_HABITS = (
    *(
        _share(f"{part}_share", f"{part}_events", "n_events", f"Share of the events that lie in the {part}, local time", 90, _NO_EVENT)
        for part in ("morning", "afternoon", "evening", "night")
    ),
    Feature("weekend_share", "DOUBLE", "Share of the events that lie on Saturdays and Sundays, 90 days", Weekend("n_events"), 90, "", _NO_EVENT),
    Feature("top_hour", "STRING", "Local hour with most events, 00 to 23, 90 days, ties the earlier", Names("hours", "top"), 90, "", _NO_EVENT),
    Feature("hour_entropy", "DOUBLE", "Shannon entropy of the local hours of the events, 90 days", Names("hours", "entropy"), 90, "nats", _NO_EVENT),
    _share("search_share", "n_searches", "n_events", "Share of the events that are searches", 90, _NO_EVENT),
    _share("search_share_life", "n_searches", "n_events", "Share of the events that are searches", None, "without an event"),
    _share("click_rate", "n_clicks", "n_views", "Clicks a view", None, "without a view"),
    _share("cart_rate", "n_carts", "n_views", "Cart events a view", None, "without a view"),
    _share("filter_share", "n_filtered_searches", "n_searches", "Share of the searches that have a filter", 90, "without a search in it"),
)  # fmt: skip

_TASTES = (
    *_tastes("category", "categories", "category"),
    *_tastes("brand", "brands", "brand"),
    *_tastes("price_band", "price_bands", "price band"),
    _share("mean_rating", "rating_sum", "n_ratings", "Mean rating in reviews", None, "without one", "stars"),
    _share("mean_sentiment", "sentiment_sum", "n_sentiments", "Mean sentiment of reviews, -1 to 1", None, "without one"),
    Feature("device", "STRING", "Device used most, life, ties by name", Names("devices", "top"), None, "", "where none is known"),
    Feature("n_devices_life", "INT", "Distinct kinds of device, life", Names("devices", "n"), None, "devices"),
    Feature("channel", "STRING", "Channel of the user's first event that has one, ties by name", First("first_channel"), None, "", "where none is known"),
    Feature("top_channel", "STRING", "Channel of most events, 90 days, ties by name", Names("channels", "top"), 90, "", "where none is known"),
    Feature("n_channels_life", "INT", "Distinct channels, life", Names("channels", "n"), None, "channels"),
)  # fmt: skip

_MARKET = (
    Feature("category_trend", "DOUBLE", "Shop-wide growth of the user's top category: ln of the events of 30 days over those of the 30 before, each plus 1", Market("trend"), 30, "", "without a top_category that a product still has", "market"),
    Feature("category_price_index", "DOUBLE", "Shop-wide price level of the user's top category: 30 days over the 30 before, matched products, geometric mean", Market("price_index"), 30, "", "where no product of it was priced in both", "market"),
    Feature("season_index", "DOUBLE", "The shop's events a day: 7 days over 364, each over its life where that is shorter", Market("season"), 7, "", "where no product had an event in them", "market"),
)  # fmt: skip

CATALOGUE: tuple[Feature, ...] = (*_TIMING, *_COUNTS, *_PURCHASES, *_VISITS, *_HABITS, *_TASTES, *_MARKET)

USER_FEATURES = Table(
    name="gold.user_features",
    grain="One row per user who did anything by the end of as_of. Windows of n days end with the day as_of.",
    key=("as_of", "user_id"),
    columns=(AS_OF, USER, *(feature.as_column for feature in CATALOGUE)),
    partition_by=("as_of",),
    writer="build_user_features",
    readers=("segment_users", "score_churn", "describe_users"),
)
