"""What does the config say about segments?"""

from dataclasses import dataclass
from typing import Literal

from ulm_spark.config.require import require
from ulm_spark.users.segment_scale import NUMERIC_FEATURES

MODELS = ("kmeans", "bisecting_kmeans", "gaussian_mixture")

# How users shop. What they brought and when is the grid's of recency, frequency and money.
HABITS = ("search_share_life", "click_rate", "cart_rate", "mean_dwell_s", "mean_session_events_life")
# What is left to tell users apart where a source knows purchases alone.
PURCHASES = (
    "recency_days",
    "inactive_days",
    "n_orders_life",
    "net_revenue_life",
    "return_rate",
    "discount_share",
    "n_sessions_30d",
    "cart_abandon_rate",
    "n_categories_90d",
)


@dataclass(frozen=True)
class SegmentConf:
    """Section ``segments``.

    model: kmeans, bisecting_kmeans, gaussian_mixture, or auto, which tries all three. k_min, k_max: numbers of
    segments tried, both included. seed: of the starts and resamples. features: numeric columns of
    gold.user_features that say who is alike; without any HABITS do or, where fewer than half of these differ from
    user to user, as in a shop whose looks are not recorded, PURCHASES. max_sample: users that models are fitted and
    measured on; all users are assigned. max_iter: iterations of a fit at most. n_finalists: so many models, those
    with the best silhouettes, have their stability measured. n_resamples: bootstrap resamples for it, 0 to go by
    silhouette alone. min_stability: mean adjusted Rand index below which a model is not chosen while another
    reaches it.
    """

    model: Literal["auto", "kmeans", "bisecting_kmeans", "gaussian_mixture"] = "auto"
    k_min: int = 4
    k_max: int = 7
    seed: int = 7
    features: tuple[str, ...] = ()
    max_sample: int = 20_000
    max_iter: int = 20
    n_finalists: int = 2
    n_resamples: int = 5
    min_stability: float = 0.6

    def __post_init__(self) -> None:
        found = f"{self.k_min} and {self.k_max}"
        require(2 <= self.k_min <= self.k_max, "segments.k_min, segments.k_max", found, "2 <= k_min <= k_max")
        unknown = [name for name in self.features if name not in NUMERIC_FEATURES]
        are_features = not unknown and len(set(self.features)) == len(self.features)
        expected = f"distinct numeric columns of gold.user_features: {', '.join(NUMERIC_FEATURES)}"
        require(are_features, "segments.features", ", ".join(unknown or self.features), expected)
        is_enough = self.max_sample >= 100 and self.max_iter >= 1
        found = f"{self.max_sample} and {self.max_iter}"
        expected = "at least 100 users and one iteration"
        require(is_enough, "segments.max_sample, segments.max_iter", found, expected)
        is_measurable = self.n_finalists >= 1 and self.n_resamples >= 0
        found = f"{self.n_finalists} and {self.n_resamples}"
        expected = "at least one finalist and no negative number of resamples"
        require(is_measurable, "segments.n_finalists, segments.n_resamples", found, expected)
        require(0 <= self.min_stability <= 1, "segments.min_stability", self.min_stability, "a number from 0 to 1")

    @property
    def models(self) -> tuple[str, ...]:
        """The models to try, in the order that breaks ties."""
        return MODELS if self.model == "auto" else (self.model,)
