"""The boosted trees that benchmarks.shared_trunk holds networks against, where Spark ML has no job of ours for it."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from benchmarks.trunk_examples import Asked, Shop, ask_day, ask_visits, day_features
from benchmarks.trunk_judges import Floats, Run
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.sequence.rows import N_CODES

_N_LIVE = 2 * (N_CODES - 1)  # of the facts: what was done in the last half hour, and in the last day
Bools = NDArray[np.bool_]


def boosted_trees(shop: Shop, seed: int) -> Run:
    """scikit-learn's boosted trees on gold.user_features as of a day; of a visit also on what it has done so far.

    Rule: learned on the label days before the judged one, whose outcomes are known by then; a tenth of their rows
          stops the boosting. Churn and value are learned from the users whose are judged, the buyers of late.
    """
    began_s = time.monotonic()
    days = {day: ask_day(shop, day) for day in shop.label_days}
    active = {day: shop.is_active(day, asked.user) for day, asked in days.items()}
    said = {
        "churn": _said(shop, days, active, "is_gone", _classifier(seed)),
        "value": _said(shop, days, active, "value", _regressor(seed)),
    }
    if shop.has_visits:
        visits = {day: ask_visits(shop, day) for day in shop.label_days}
        ended = {day: asked.queries.has_visit > 0 for day, asked in visits.items()}
        said["conversion"] = _said(shop, visits, ended, "is_buying", _classifier(seed), n_live=_N_LIVE)
    return Run(said, time.monotonic() - began_s, 0, 0)


def _said(
    shop: Shop,
    asked: dict[str, Asked],
    is_known: dict[str, Bools],
    answer: str,
    fit: Callable[[Floats, Floats], Callable[[Floats], Floats]],
    n_live: int = 0,
) -> Floats:
    """What trees of the earlier days say of everyone who is asked on the judged one."""

    def table(day: str) -> Floats:
        features = day_features(shop, day, asked[day].user, USER_FEATURES.numeric_names).to_numpy()
        return np.concatenate([features, asked[day].queries.facts[:, :n_live]], axis=1)

    past = shop.label_days[:-1]
    known = np.concatenate([table(day)[is_known[day]] for day in past])
    truth = np.concatenate([getattr(asked[day].queries, answer)[is_known[day]] for day in past])
    has_values = ~np.isnan(known).all(axis=0)
    return fit(known[:, has_values], truth.astype(np.float64))(table(shop.judged_on)[:, has_values])


def _classifier(seed: int) -> Callable[[Floats, Floats], Callable[[Floats], Floats]]:
    trees = HistGradientBoostingClassifier(
        early_stopping=True, validation_fraction=0.1, learning_rate=0.05, random_state=seed
    )
    return lambda known, truth: trees.fit(known, truth > 0).decision_function


def _regressor(seed: int) -> Callable[[Floats, Floats], Callable[[Floats], Floats]]:
    trees = HistGradientBoostingRegressor(
        early_stopping=True, validation_fraction=0.1, learning_rate=0.05, random_state=seed
    )
    return lambda known, truth: trees.fit(known, truth).predict
