"""A law of stages that tests plant, and stages as text."""

from collections.abc import Iterable

from ulm_spark.stats.hidden_stages import Parameters

PLANTED = Parameters(
    weights=(0.6, 0.4),
    first_rates=(0.3, 0.6),
    buy_rates=(0.25, 1.2),
    look_rates=(0.4, 2.0),
    buy_factors=(1.0, 0.2, 0.0, 1.0),
    look_factors=(1.0, 0.4, 0.02, 1.0),
    fades=(0.05, 0.03, 0.08),
    recovers=0.1,
    leaves=0.4,
    returns=0.05,
    settles=0.1,
)


def letters(stages: Iterable[int]) -> str:
    """A letter for each stage, acquisition, growth, maturity, decline, churned, won back, and - for UNKNOWN."""
    return "".join("AGMDCW-"[stage] for stage in stages)
