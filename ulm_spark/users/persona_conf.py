"""What does the config say about personas?"""

from dataclasses import dataclass

from ulm_spark.config.clock import MOST_DAYS
from ulm_spark.config.require import require
from ulm_spark.users.segment_scale import NUMERIC_FEATURES

_BEHAVIOUR = (
    "tenure_days",
    "inactive_days",
    "recency_days",
    "n_active_days_30d",
    "n_active_days_90d",
    "n_views_30d",
    "n_views_90d",
    "n_searches_90d",
    "n_carts_90d",
    "n_sessions_30d",
    "n_sessions_90d",
    "n_orders_90d",
    "n_orders_life",
    "n_purchase_days",
    "mean_purchase_gap_days",
    "net_revenue_90d",
    "net_revenue_life",
    "mean_order_value",
    "discount_share",
    "return_rate",
    "cart_abandon_rate",
    "bounce_rate",
    "mean_session_events",
    "mean_session_s",
    "session_conversion_90d",
    "morning_share",
    "evening_share",
    "night_share",
    "weekend_share",
    "search_share",
    "filter_share",
    "n_categories_90d",
    "category_entropy",
    "n_brands_90d",
    "brand_entropy",
    "top_category_share",
)


@dataclass(frozen=True)
class PersonaConf:
    """Section ``personas``.

    refit_days: days for which an encoding serves before a new one is fitted. refit: true fits one with every run.
    window_days: days of views and touches that tell interests. features: numeric columns of gold.user_features that
    are behaviour. explained: share of their variance that the components keep. max_components: of those at most.
    n_topics: topics of the titles' words, 0 for none. vocabulary: words known at most. min_users: users whose views
    hold a word, for it to be known. max_sample: users that an encoding is fitted on; all are described.
    topic_iterations: passes of the topics' fit. seed: of its start.
    """

    refit_days: int = 28
    refit: bool = False
    window_days: int = 90
    features: tuple[str, ...] = _BEHAVIOUR
    explained: float = 0.8
    max_components: int = 12
    n_topics: int = 8
    vocabulary: int = 2_000
    min_users: int = 3
    max_sample: int = 20_000
    topic_iterations: int = 30
    seed: int = 7

    def __post_init__(self) -> None:
        least = {"refit_days": 1, "window_days": 1, "max_components": 1, "vocabulary": 1, "min_users": 1}
        for name, lowest in {**least, "max_sample": 100, "topic_iterations": 1}.items():
            require(getattr(self, name) >= lowest, f"personas.{name}", getattr(self, name), f"{lowest} or more")
        for name in ("refit_days", "window_days"):
            require(getattr(self, name) <= MOST_DAYS, f"personas.{name}", getattr(self, name), f"{MOST_DAYS} at most")
        require(0 < self.explained <= 1, "personas.explained", self.explained, "a share above 0, 1 at most")
        require(self.n_topics == 0 or self.n_topics >= 2, "personas.n_topics", self.n_topics, "0, or 2 or more")
        unknown = [name for name in self.features if name not in NUMERIC_FEATURES]
        are_features = not unknown and 0 < len(set(self.features)) == len(self.features)
        expected = f"distinct numeric columns of gold.user_features: {', '.join(NUMERIC_FEATURES)}"
        require(are_features, "personas.features", ", ".join(unknown or self.features) or "none", expected)
