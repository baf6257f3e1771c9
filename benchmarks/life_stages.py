"""How well stages of life are told, beside the best possible, on shops whose shoppers' lives are planted.

Draws the demo's shoppers with several seeds: sign-ups, purchases, dropouts and visits of the planted laws, by week. The
true stage at a week's end: acquisition until the first purchase, growth until the third, then maturity; decline from
dropout, or from the end of interest of who never buys, until looking has faded to a tenth, then churned. In a
second shop some of those who dropped out are planted to come back as another shopper did; they are won back for eight
weeks. The best possible: a forest that is taught the true stages of two thirds of the shoppers and knows the planted
rates of all, cross-validated; and one that knows what the rules and the model know. Settings were chosen on seed 1,
which is not among those measured; seeds 2 and 3 were seen before it was settled when a win-back is believed (``cuts``).
"""

import math
import sys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from benchmarks.form import Result, main, progress
from ulm_spark.contracts.stages import STAGES
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.people import draw_people
from ulm_spark.shop.plan import make_plan
from ulm_spark.shop.purchases import draw_purchases
from ulm_spark.shop.seasons import DAY_MS
from ulm_spark.shop.visits import BUY, draw_visits
from ulm_spark.stats.hidden_stages import Activity, stages_by_model
from ulm_spark.stats.hidden_stages_fit import fit_stages
from ulm_spark.stats.stages import (
    ACQUISITION,
    CHURNED,
    DECLINE,
    GROWTH,
    MATURITY,
    UNKNOWN,
    WON_BACK,
    stages_by_rules,
)
from ulm_spark.users.stage_conf import StageConf

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
N_DAYS, WEEK = 210, 7
WON_BACK_WEEKS = 8
RETURNING_SHARE = 0.3
SPANS = (1, 2, 3, 4, 6, 8, 12, 20)


@dataclass(frozen=True)
class Planted:
    """Shoppers by week, the true stage at each week's end, and what is planted in each: [users, parameters]."""

    seen: Activity
    stage: Ints
    known: Floats

    @property
    def is_told(self) -> NDArray[np.bool_]:
        return np.asarray(self.stage != UNKNOWN)


def draw_shop(seed: int, n_users: int) -> Planted:
    """The shoppers of one seed who signed up in the first N_DAYS days."""
    conf = SimulationConf(seed=seed, n_users=n_users)
    plan = make_plan(conf)
    people = draw_people(plan.draws, conf.people, plan.clock, np.arange(n_users))
    bought = draw_purchases(plan.draws, conf.purchases, conf.people, people, plan.clock)
    visits = draw_visits(plan.draws, conf.visits, people, bought, plan.clock)
    day = (visits.planned_ms - plan.clock.starts_ms) // DAY_MS
    shown = day < N_DAYS
    came, orders = np.zeros((n_users, N_DAYS), dtype=np.int64), np.zeros((n_users, N_DAYS), dtype=np.int64)
    came[visits.user[shown], day[shown]] = 1
    buying = shown & (visits.kind == BUY)
    np.add.at(orders, (visits.user[buying], day[buying]), 1)
    buys, looks = _by_week(orders), _by_week(came * (orders == 0))

    def on_day(weeks: Floats) -> Floats:
        is_within = weeks < plan.clock.total_weeks
        at_ms = plan.clock.when(people.persona, np.where(is_within, weeks, plan.clock.total_weeks))
        return np.where(is_within, (at_ms - plan.clock.starts_ms) / DAY_MS, np.inf)

    signed_up = (people.signed_up_ms - plan.clock.starts_ms) / DAY_MS
    interest_ends = plan.clock.read(people.persona, people.signed_up_ms) + people.interest_weeks
    lost = on_day(np.where(np.isinf(bought.first_weeks), interest_ends, bought.dropped_weeks))[:, None]
    first = on_day(bought.first_weeks)[:, None]
    ends = WEEK * np.arange(1, N_DAYS // WEEK + 1)[None, :]
    alive = np.where(first > ends, ACQUISITION, np.where(np.cumsum(buys, axis=1) < 3, GROWTH, MATURITY))
    fades_until = lost + conf.visits.fade_days * math.log2(10)
    stage = np.where(lost > ends, alive, np.where(fades_until > ends, DECLINE, CHURNED))
    stage = np.where(signed_up[:, None] >= ends, UNKNOWN, stage)
    known = np.stack([bought.rate, bought.p_drop, people.visit_rate, people.is_buyer], axis=1)
    kept = signed_up < N_DAYS
    born = (signed_up // WEEK).astype(np.int64)
    return Planted(Activity(buys[kept], looks[kept], born[kept]), stage[kept], known[kept])


def plant_returns(shop: Planted, seed: int) -> Planted:
    """A share of the churned come back: from then on they do what a buyer did from a first purchase on."""
    draw = np.random.default_rng(seed)
    buys, looks, stage = shop.seen.buys.copy(), shop.seen.looks.copy(), shop.stage.copy()
    had = shop.seen.has_bought
    n_weeks = buys.shape[1]
    donors = np.flatnonzero(had.any(axis=1))
    for user in np.flatnonzero((stage == CHURNED).any(axis=1) & had.any(axis=1)):
        back = int(np.argmax(stage[user] == CHURNED)) + int(draw.integers(4, 13))
        donor = int(draw.choice(donors))
        begins = int(np.argmax(had[donor]))
        n = min(n_weeks - back, n_weeks - begins)
        if draw.random() >= RETURNING_SHARE or n < 1:
            continue
        theirs = shop.stage[donor, begins : begins + n]
        buys[user, back:], looks[user, back:] = 0, 0
        buys[user, back : back + n] = shop.seen.buys[donor, begins : begins + n]
        looks[user, back : back + n] = shop.seen.looks[donor, begins : begins + n]
        n_bought = np.cumsum(buys[user])[back : back + n]
        alive = np.where(np.arange(n) < WON_BACK_WEEKS, WON_BACK, np.where(n_bought < 3, GROWTH, MATURITY))
        stage[user, back : back + n] = np.where(np.isin(theirs, (DECLINE, CHURNED)), theirs, alive)
        stage[user, back + n :] = UNKNOWN  # nobody knows how the donor's life goes on
    return replace(shop, seen=replace(shop.seen, buys=buys, looks=looks), stage=stage)


def _by_week(days: Ints) -> Ints:
    return np.asarray(days.reshape(len(days), -1, WEEK).sum(axis=2))


def tell_all(shop: Planted, conf: StageConf) -> dict[str, Ints]:
    """The stage by the rules and by the model, fitted on the first users as a job does."""
    seen, model = shop.seen, conf.model
    part = slice(0, model.max_users)
    sample = Activity(seen.buys[part], seen.looks[part], seen.born[part])
    fit = fit_stages(sample, model.n_classes, WEEK / conf.rules.won_back_days, model.max_rounds, model.tolerance)
    return {
        "rules": stages_by_rules(seen.buys, seen.looks, seen.born, conf.rules, WEEK),
        "model": stages_by_model(seen, fit.model, conf.rules.mature_purchases, model.cuts).stage,
    }


def teach_forest(shop: Planted, known: Floats | None) -> Ints:
    """The stage by a forest that is taught the truth of other shoppers."""
    n_users, n_weeks = shop.stage.shape
    seen, week = shop.seen, np.arange(n_weeks)[None, :]
    columns = [week - seen.born[:, None]]
    for counts in (seen.buys, seen.looks):
        so_far = np.cumsum(counts, axis=1)
        last = np.maximum.accumulate(np.where(counts > 0, week, -1), axis=1)
        columns += [so_far, np.where(last >= 0, week - last, n_weeks)]
        columns += [so_far - np.pad(so_far, ((0, 0), (span, 0)))[:, :n_weeks] for span in SPANS]
    features = np.stack(columns, axis=2).astype(np.float64)
    if known is not None:
        features = np.concatenate([features, np.repeat(known[:, None, :], n_weeks, axis=1)], axis=2)
    user = np.repeat(np.arange(n_users)[:, None], n_weeks, axis=1)
    told = shop.is_told
    forest = RandomForestClassifier(40, min_samples_leaf=8, max_features=0.4, n_jobs=2, random_state=7)
    found = np.full(shop.stage.shape, UNKNOWN)
    found[told] = cross_val_predict(forest, features[told], shop.stage[told], groups=user[told], cv=GroupKFold(3))
    return found


def score(shop: Planted, told: Ints) -> dict[str, float]:
    """Share of weeks told rightly, the mean share over stages, and the share of each stage's weeks."""
    right, told_weeks = told == shop.stage, shop.is_told
    recalls = {
        STAGES[stage]: float(right[shop.stage == stage].mean())
        for stage in range(len(STAGES))
        if np.any(shop.stage == stage)
    }
    return {"accuracy": float(right[told_weeks].mean()), "mean_recall": float(np.mean([*recalls.values()])), **recalls}


def measure(quick: bool) -> Result:
    """Each shop, told in each way."""
    seeds, n_users = ((2, 3), 600) if quick else ((2, 3, 4, 5), 3_000)
    conf = StageConf()
    scores: dict[tuple[str, str, str], list[float]] = {}
    for seed in seeds:
        progress(f"shop of seed {seed}")
        shop = draw_shop(seed, n_users)
        for name, planted in (("shop", shop), ("shop with returns", plant_returns(shop, seed))):
            ways = tell_all(planted, conf)
            ways |= {"forest, history": teach_forest(planted, None), "forest, rates": teach_forest(planted, shop.known)}
            for way, told in ways.items():
                for metric, value in score(planted, told).items():
                    scores.setdefault((name, metric, way), []).append(value)
    order = ("rules", "model", "forest, history", "forest, rates")
    rows = [
        (name, metric, *(_spread(scores[name, metric, way]) for way in order))
        for name, metric in dict.fromkeys((name, metric) for name, metric, _ in scores)
    ]
    figures = {
        "_".join((*name.split(), metric, *way.replace(",", "").split())): round(float(np.mean(values)), 4)
        for (name, metric, way), values in scores.items()
    }
    return Result("life_stages", ("planted", "share told rightly", *order), tuple(rows), figures)


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
