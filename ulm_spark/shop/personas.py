"""Who shops here: the kinds of shopper, each with its own habits. The planted segments."""

from dataclasses import dataclass, fields

import numpy as np

from ulm_spark.shop.counter_rng import Floats

DEPARTMENTS = ("electronics", "fashion", "home", "grocery", "beauty", "sports")
DEVICES = ("desktop", "mobile", "tablet", "app")
CHANNELS = ("direct", "search", "ads", "email", "social")
COUNTRIES = ("DE", "FR", "CN", "GB", "US")
BOT_PERSONA = "bot"


@dataclass(frozen=True)
class Persona:
    """One kind of shopper.

    share: of all shoppers. affinity: by department, any scale. price_tilt: exponent of an item's
    price, relative to its category's, in its popularity. price_sensitivity: 0 none to 1 strong.
    visits_per_week: mean rate of browsing visits. mean_items: items looked at in a visit. The
    rates are probabilities per item looked at (search, click, cart), per item in the cart (remove)
    or per line bought (return, review). extra_units: mean units of a line beyond the first.
    dwell_s: median seconds between two events. devices, channels: shares in the order of DEVICES
    and CHANNELS. peak_hour, peak_width: hour of day (UTC) and how sharp it is. weekend: rate on
    Saturday and Sunday relative to other days.
    """

    name: str
    share: float
    affinity: tuple[float, ...]
    price_tilt: float
    price_sensitivity: float
    visits_per_week: float
    mean_items: float
    search_rate: float
    click_rate: float
    cart_rate: float
    remove_rate: float
    extra_units: float
    return_rate: float
    review_rate: float
    dwell_s: float
    devices: tuple[float, ...]
    channels: tuple[float, ...]
    peak_hour: float
    peak_width: float
    weekend: float


PERSONAS = (
    Persona(
        name="bargain_hunter",
        share=0.22,
        affinity=(1, 3, 2, 1, 2, 2),
        price_tilt=-1.0,
        price_sensitivity=1.0,
        visits_per_week=0.65,
        mean_items=5.0,
        search_rate=0.45,
        click_rate=0.50,
        cart_rate=0.30,
        remove_rate=0.40,
        extra_units=0.6,
        return_rate=0.04,
        review_rate=0.06,
        dwell_s=14,
        devices=(0.10, 0.75, 0.05, 0.10),
        channels=(0.10, 0.15, 0.40, 0.20, 0.15),
        peak_hour=20,
        peak_width=2.5,
        weekend=1.2,
    ),
    Persona(
        name="loyal_regular",
        share=0.22,
        affinity=(0.3, 0.3, 1, 9, 2, 0.4),
        price_tilt=0.0,
        price_sensitivity=0.2,
        visits_per_week=0.5,
        mean_items=2.2,
        search_rate=0.10,
        click_rate=0.75,
        cart_rate=0.55,
        remove_rate=0.03,
        extra_units=2.0,
        return_rate=0.01,
        review_rate=0.05,
        dwell_s=9,
        devices=(0.05, 0.10, 0.02, 0.83),
        channels=(0.60, 0.05, 0.05, 0.25, 0.05),
        peak_hour=8,
        peak_width=3.0,
        weekend=0.8,
    ),
    Persona(
        name="window_shopper",
        share=0.18,
        affinity=(1, 1, 1, 1, 1, 1),
        price_tilt=0.3,
        price_sensitivity=0.5,
        visits_per_week=0.5,
        mean_items=6.5,
        search_rate=0.08,
        click_rate=0.20,
        cart_rate=0.05,
        remove_rate=0.20,
        extra_units=0.1,
        return_rate=0.05,
        review_rate=0.02,
        dwell_s=22,
        devices=(0.10, 0.25, 0.60, 0.05),
        channels=(0.15, 0.15, 0.10, 0.10, 0.50),
        peak_hour=15,
        peak_width=1.5,
        weekend=2.2,
    ),
    Persona(
        name="premium_buyer",
        share=0.12,
        affinity=(3, 2, 3, 0.3, 3, 1),
        price_tilt=1.5,
        price_sensitivity=0.0,
        visits_per_week=0.35,
        mean_items=3.0,
        search_rate=0.30,
        click_rate=0.80,
        cart_rate=0.40,
        remove_rate=0.05,
        extra_units=0.1,
        return_rate=0.08,
        review_rate=0.12,
        dwell_s=45,
        devices=(0.80, 0.12, 0.05, 0.03),
        channels=(0.45, 0.30, 0.05, 0.15, 0.05),
        peak_hour=11,
        peak_width=3.0,
        weekend=0.5,
    ),
    Persona(
        name="fashion_explorer",
        share=0.14,
        affinity=(0.2, 9, 0.6, 0.2, 4, 1),
        price_tilt=0.2,
        price_sensitivity=0.5,
        visits_per_week=0.6,
        mean_items=5.5,
        search_rate=0.12,
        click_rate=0.60,
        cart_rate=0.35,
        remove_rate=0.15,
        extra_units=0.3,
        return_rate=0.35,
        review_rate=0.25,
        dwell_s=12,
        devices=(0.03, 0.45, 0.07, 0.45),
        channels=(0.15, 0.05, 0.15, 0.10, 0.55),
        peak_hour=22,
        peak_width=2.5,
        weekend=1.4,
    ),
    Persona(
        name="tech_researcher",
        share=0.12,
        affinity=(10, 0.3, 1, 0.2, 0.3, 1.5),
        price_tilt=0.5,
        price_sensitivity=0.3,
        visits_per_week=0.4,
        mean_items=6.0,
        search_rate=0.75,
        click_rate=0.90,
        cart_rate=0.12,
        remove_rate=0.30,
        extra_units=0.0,
        return_rate=0.03,
        review_rate=0.30,
        dwell_s=60,
        devices=(0.85, 0.08, 0.05, 0.02),
        channels=(0.15, 0.65, 0.10, 0.05, 0.05),
        peak_hour=23,
        peak_width=2.0,
        weekend=1.1,
    ),
)

PERSONA_NAMES = tuple(persona.name for persona in PERSONAS)


def persona_values(name: str) -> Floats:
    """One number, or one row of shares, per persona, in the order of PERSONAS."""
    values = np.asarray([getattr(persona, name) for persona in PERSONAS], dtype=np.float64)
    if values.ndim == 2:
        values = values / values.sum(axis=1, keepdims=True)
    return values


def persona_parameters() -> dict[str, str]:
    """Every number of every persona, for truth.laws."""
    return {
        f"{persona.name}.{field.name}": str(getattr(persona, field.name))
        for persona in PERSONAS
        for field in fields(persona)
        if field.name != "name"
    }
