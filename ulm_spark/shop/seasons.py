"""When do shoppers come: the hour, the weekday, the time of year and promotions, as a clock per persona."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from ulm_spark.shop.counter_rng import Floats, Ints
from ulm_spark.shop.personas import PERSONAS, persona_values

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FORMULA = (
    "visits and purchases of persona k are Poisson processes run on the clock C_k(t) = integral of s_k(u) du, in "
    "weeks; s_k = hour_k * weekday_k * (1 + yearly_amplitude * cos(2 pi (day of year - peak_day_of_year) / "
    "365.25)) * promotion_k, scaled so that C_k equals calendar time over the whole simulation"
)
SOURCE = (
    "time change of a Poisson process: Daley & Vere-Jones (2003), An Introduction to the Theory of Point Processes, 7.4"
)


@dataclass(frozen=True)
class SeasonLaw:
    """Section ``simulation.seasons``.

    yearly_amplitude: relative swing over the year. peak_day_of_year: 1 to 366.
    """

    yearly_amplitude: float = 0.2
    peak_day_of_year: int = 340


@dataclass(frozen=True)
class Clock:
    """The clock of each persona, piecewise linear between whole hours.

    starts_ms: first instant simulated, in milliseconds since 1970, UTC. weeks: [personas, hours + 1].
    """

    starts_ms: int
    weeks: Floats

    @property
    def ends_ms(self) -> int:
        """The first instant that is no longer simulated."""
        return self.starts_ms + (self.weeks.shape[1] - 1) * HOUR_MS

    @property
    def total_weeks(self) -> float:
        """Length of the simulation, the same on every persona's clock."""
        return float(self.weeks[0, -1])

    def read(self, persona: Ints, at_ms: Ints) -> Floats:
        """What the personas' clocks show at instants."""
        shown = np.zeros(at_ms.shape, dtype=np.float64)
        edges = np.arange(self.weeks.shape[1], dtype=np.float64)
        for k in range(len(PERSONAS)):
            mine = persona == k
            shown[mine] = np.interp((at_ms[mine] - self.starts_ms) / HOUR_MS, edges, self.weeks[k])
        return shown

    def when(self, persona: Ints, weeks: Floats) -> Ints:
        """The instants at which the personas' clocks show so many weeks; past the end, the end."""
        hours = np.zeros(weeks.shape, dtype=np.float64)
        edges = np.arange(self.weeks.shape[1], dtype=np.float64)
        for k in range(len(PERSONAS)):
            mine = persona == k
            hours[mine] = np.interp(weeks[mine], self.weeks[k], edges)
        return np.asarray(self.starts_ms + np.floor(hours * HOUR_MS), dtype=np.int64)


def first_instant_ms(day: date) -> int:
    """Midnight UTC of a day, in milliseconds since 1970."""
    return int(datetime.combine(day, time(), tzinfo=UTC).timestamp()) * 1000


def build_clock(law: SeasonLaw, starts_on: date, promotion: Floats) -> Clock:
    """The clocks of a simulation. promotion: [personas, n_days], how much more often a persona comes."""
    n_days = promotion.shape[1]
    days = [starts_on + timedelta(days=d) for d in range(n_days)]
    phase = np.asarray([day.timetuple().tm_yday - law.peak_day_of_year for day in days]) * 2 * np.pi / 365.25
    yearly = 1 + law.yearly_amplitude * np.cos(phase)
    is_weekend = np.asarray([day.weekday() >= 5 for day in days])
    weekly = np.where(is_weekend[None, :], persona_values("weekend")[:, None], 1.0)
    hours = np.arange(24) + 0.5
    distance = np.cos(2 * np.pi * (hours[None, :] - persona_values("peak_hour")[:, None]) / 24) - 1
    # The floor keeps the clock strictly rising, so that it can be read backwards.
    hourly = 0.08 + np.exp(persona_values("peak_width")[:, None] * distance)
    rate = ((weekly * yearly * promotion)[:, :, None] * hourly[:, None, :]).reshape(len(PERSONAS), n_days * 24)
    risen = np.concatenate([np.zeros((len(PERSONAS), 1)), np.cumsum(rate, axis=1)], axis=1)
    return Clock(first_instant_ms(starts_on), risen / risen[:, -1:] * (n_days / 7))
