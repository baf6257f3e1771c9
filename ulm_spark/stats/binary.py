"""How good are probabilities of a yes-or-no outcome? AUC and log loss, with bootstrap over users."""

import numpy as np
from numpy.typing import NDArray

from ulm_spark.stats.bootstrap import Interval, percentile_interval, resample_counts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_CLIP = 1e-15  # a forecast of exactly 0 or 1 that fails would cost infinitely much


def area_under_curve(score: Floats, outcome: Bools) -> float:
    """Probability that a user with the outcome scores above one without; a tie is half a win.

    Edge:   NaN where all or none have the outcome.
    Source: Hanley & McNeil (1982), Radiology 143(1), 29-36: the area under the ROC curve is
    the Wilcoxon statistic.
    """
    return float(_areas(score, outcome, np.ones((1, len(score))))[0])


def area_interval(score: Floats, outcome: Bools, n_resamples: int, seed: int) -> Interval:
    """The area under the curve with its interval over users."""
    return percentile_interval(area_under_curve(score, outcome), _resampled(score, outcome, n_resamples, seed))


def area_difference_interval(score: Floats, baseline: Floats, outcome: Bools, n_resamples: int, seed: int) -> Interval:
    """Area of score less area of baseline, with its interval over the same resampled users."""
    value = area_under_curve(score, outcome) - area_under_curve(baseline, outcome)
    resampled = _resampled(score, outcome, n_resamples, seed) - _resampled(baseline, outcome, n_resamples, seed)
    return percentile_interval(value, resampled)


def log_losses(probability: Floats, outcome: Bools) -> Floats:
    """Each user's negative log likelihood in nats; the mean is the log loss."""
    clipped = np.clip(probability, _CLIP, 1 - _CLIP)
    return np.asarray(-np.log(np.where(outcome, clipped, 1 - clipped)), dtype=np.float64)


def _resampled(score: Floats, outcome: Bools, n_resamples: int, seed: int) -> Floats:
    blocks = resample_counts(len(score), n_resamples, seed)
    return np.concatenate([_areas(score, outcome, counts) for counts in blocks])


def _areas(score: Floats, outcome: Bools, counts: Floats) -> Floats:
    """One area per row of counts [n_resamples, n_users], where a user counts as often as drawn."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    first_of_tie = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    is_yes = outcome[order].astype(np.float64)
    drawn = counts[:, order]
    yes = np.add.reduceat(drawn * is_yes, first_of_tie, axis=1)
    no = np.add.reduceat(drawn * (1 - is_yes), first_of_tie, axis=1)
    below = np.cumsum(no, axis=1) - no
    pairs = yes.sum(axis=1) * no.sum(axis=1)
    won = (yes * (below + no / 2)).sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
