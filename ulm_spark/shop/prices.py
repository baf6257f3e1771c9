"""When does a department cost less, and who minds?"""

from dataclasses import dataclass

import numpy as np

from ulm_spark.config.require import require
from ulm_spark.shop.counter_rng import Draws, Floats, Ints, Stream
from ulm_spark.shop.personas import DEPARTMENTS, persona_values

DISCOUNT_STEPS = np.asarray((10, 20, 30), dtype=np.int64)
FORMULA = (
    "department d is on promotion in week w with probability promotion_share, by 10, 20 or 30 percent alike; in "
    "it the chance that persona k puts an item into the cart is multiplied by 1 + cart_response * "
    "price_sensitivity_k * discount / 0.2, and all its visits by 1 + visit_response * price_sensitivity_k * "
    "(discount / 0.2 averaged over departments by affinity_k)"
)
SOURCE = "own; multiplicative response as in Wittink, Addona, Hawkes & Porter (1988), SCAN*PRO"


@dataclass(frozen=True)
class PriceLaw:
    """Section ``simulation.prices``.

    promotion_share: share of department-weeks on promotion. cart_response, visit_response: relative
    rise at price sensitivity 1 and a discount of 20 percent.
    """

    promotion_share: float = 0.15
    cart_response: float = 1.0
    visit_response: float = 0.6

    def __post_init__(self) -> None:
        require(0 <= self.promotion_share <= 1, "simulation.prices.promotion_share", self.promotion_share, "0 to 1")


def discount_calendar(draws: Draws, law: PriceLaw, n_days: int) -> Ints:
    """Discount in percent: [departments, n_days]; a week is seven days from the first simulated day."""
    departments = np.arange(len(DEPARTMENTS), dtype=np.int64)[:, None]
    weeks = np.arange(-(-n_days // 7), dtype=np.int64)[None, :]
    index, draw = np.broadcast_arrays(departments, weeks)
    is_on = draws.uniform(Stream.PROMOTION, index.ravel(), draw.ravel()) < law.promotion_share
    step = (draws.uniform(Stream.DISCOUNT, index.ravel(), draw.ravel()) * len(DISCOUNT_STEPS)).astype(np.int64)
    weekly = np.where(is_on, DISCOUNT_STEPS[step], 0).reshape(index.shape)
    return np.asarray(np.repeat(weekly, 7, axis=1)[:, :n_days], dtype=np.int64)


def visit_multiplier(calendar: Ints, law: PriceLaw) -> Floats:
    """How much more often each persona comes on each day: [personas, n_days]."""
    appeal = persona_values("affinity") @ (calendar / 20.0)
    return np.asarray(1 + law.visit_response * persona_values("price_sensitivity")[:, None] * appeal, dtype=np.float64)


def cart_multiplier(persona: Ints, discount: Ints, law: PriceLaw) -> Floats:
    """How much more readily a persona takes an item at a discount in percent."""
    sensitivity = persona_values("price_sensitivity")[persona]
    return np.asarray(1 + law.cart_response * sensitivity * discount / 20.0, dtype=np.float64)
