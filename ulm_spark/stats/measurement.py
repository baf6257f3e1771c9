"""One measured quality of a model: the value, how sure it is, and what it is held against."""

from dataclasses import dataclass, replace

from ulm_spark.stats.bootstrap import Interval


@dataclass(frozen=True)
class Measurement:
    """One row of gold.model_quality without its day; the fields are its columns.

    n: users or events measured. protocol: how it was measured, in words.
    """

    task: str
    model: str
    metric: str
    value: float
    value_low: float | None
    value_high: float | None
    baseline: str | None
    baseline_value: float | None
    difference_low: float | None
    difference_high: float | None
    n: int
    protocol: str


def measured(task: str, model: str, metric: str, interval: Interval, n: int, protocol: str) -> Measurement:
    """A measurement held against nothing."""
    return Measurement(
        task, model, metric, interval.value, interval.low, interval.high, None, None, None, None, n, protocol
    )


def held_against(mine: Measurement, baseline: str, baseline_value: float, difference: Interval) -> Measurement:
    """The measurement beside its baseline on the same users."""
    return replace(
        mine,
        baseline=baseline,
        baseline_value=baseline_value,
        difference_low=difference.low,
        difference_high=difference.high,
    )


def sentence(m: Measurement) -> str:
    """The measurement as one line for a person."""
    interval = "" if m.value_low is None else f" [{m.value_low:.4f}, {m.value_high:.4f}]"
    text = f"{m.task}: {m.model} {m.metric} {m.value:.4f}{interval}, n {m.n}"
    if m.baseline_value is None:
        return text
    text += f"; {m.baseline} {m.baseline_value:.4f}"
    if m.difference_low is None:
        return text
    difference = m.value - m.baseline_value
    return f"{text}; difference {difference:+.4f} [{m.difference_low:+.4f}, {m.difference_high:+.4f}]"
