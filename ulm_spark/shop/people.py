"""Who are the shoppers: persona, sign-up, channel, device, country, and how often each comes to look."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from ulm_spark.config.require import require
from ulm_spark.shop.counter_rng import Bools, Draws, Floats, Ints, Stream
from ulm_spark.shop.personas import PERSONAS, persona_values
from ulm_spark.shop.seasons import Clock

FORMULA = (
    "persona by its share; sign-up at sign_up_share * U ** sign_up_tilt of the simulation; a share conversion of "
    "the shoppers ever buys; browsing visits a week = the persona's rate * Gamma(visit_shape, mean 1)"
)
SOURCE = "gamma heterogeneity of a Poisson rate: Ehrenberg (1959), Applied Statistics 8(1), 26-41"
COUNTRY_SHARES = np.asarray((0.45, 0.15, 0.2, 0.12, 0.08))


@dataclass(frozen=True)
class PeopleLaw:
    """Section ``simulation.people``.

    conversion: share of shoppers who ever buy. sign_up_share: part of the simulation in which
    shoppers come for the first time. sign_up_tilt: above 1 means more of them early.
    visit_shape: shape of the gamma law of visit rates. main_device_share: visits from the
    shopper's main device. first_purchase_weeks: mean wait from sign-up to the first purchase.
    interest_weeks: mean time that a shopper who never buys keeps looking.
    """

    conversion: float = 0.85
    sign_up_share: float = 0.85
    sign_up_tilt: float = 1.5
    visit_shape: float = 4.0
    main_device_share: float = 0.85
    first_purchase_weeks: float = 1.0
    interest_weeks: float = 4.0

    def __post_init__(self) -> None:
        are_shares = 0 < self.conversion <= 1 and 0 < self.sign_up_share < 1
        found = f"conversion {self.conversion} and sign_up_share {self.sign_up_share}"
        require(are_shares, "simulation.people", found, "shares above 0, conversion at most 1, sign_up_share below 1")
        least = min(self.sign_up_tilt, self.visit_shape, self.first_purchase_weeks, self.interest_weeks)
        expected = "sign_up_tilt, visit_shape, first_purchase_weeks and interest_weeks above 0"
        require(not least <= 0, "simulation.people", "a value of zero or less", expected)


@dataclass(frozen=True)
class People:
    """Some shoppers, as arrays of equal length.

    index: number of the shopper. channel, device, country: place in personas.CHANNELS, DEVICES,
    COUNTRIES. visit_rate: browsing visits a week. interest_weeks: how long one who never buys looks.
    """

    index: Ints
    persona: Ints
    signed_up_ms: Ints
    channel: Ints
    device: Ints
    country: Ints
    is_buyer: Bools
    visit_rate: Floats
    interest_weeks: Floats


def draw_people(draws: Draws, law: PeopleLaw, clock: Clock, index: Ints) -> People:
    """The shoppers of these numbers; who they are does not depend on who else is drawn."""
    shares = np.asarray([persona.share for persona in PERSONAS])
    persona = draws.choice(Stream.PERSONA, index, shares / shares.sum())
    span = (clock.ends_ms - clock.starts_ms) * law.sign_up_share
    came = np.floor(draws.uniform(Stream.SIGN_UP, index) ** law.sign_up_tilt * span).astype(np.int64)
    rate = gammaincinv(law.visit_shape, draws.uniform(Stream.VISIT_RATE, index)) / law.visit_shape
    return People(
        index=index,
        persona=persona,
        signed_up_ms=clock.starts_ms + came,
        channel=draws.choice(Stream.CHANNEL, index, persona_values("channels")[persona]),
        device=draws.choice(Stream.DEVICE, index, persona_values("devices")[persona]),
        country=draws.choice(Stream.COUNTRY, index, COUNTRY_SHARES),
        is_buyer=draws.uniform(Stream.BUYER, index) < law.conversion,
        visit_rate=persona_values("visits_per_week")[persona] * rate,
        interest_weeks=-np.log(draws.uniform(Stream.INTEREST, index)) * law.interest_weeks,
    )
