"""Draw the shoppers of a partition and all that they do. Each shopper depends on the seed and its number alone."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from ulm_spark.shop.aftersales import draw_aftersales
from ulm_spark.shop.bots import crawl
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.counter_rng import Ints, Stream
from ulm_spark.shop.funnel import VIEW, Events, draw_funnel, steps_of
from ulm_spark.shop.next_item import walk
from ulm_spark.shop.people import People, draw_people
from ulm_spark.shop.personas import CHANNELS, DEVICES, PERSONAS, persona_values
from ulm_spark.shop.plan import Plan, make_plan
from ulm_spark.shop.prices import cart_multiplier
from ulm_spark.shop.purchases import draw_purchases
from ulm_spark.shop.seasons import DAY_MS
from ulm_spark.shop.timing import Timeline, join_visits, lay_out
from ulm_spark.shop.visits import Visits, draw_visits

CHUNK = 1_000
BOT_CODE = len(PERSONAS)

CODED_DDL = (
    "user_index BIGINT, number BIGINT, visit BIGINT, at_ms BIGINT, code INT, item_index BIGINT, step BIGINT, "
    "units INT, "
    "rating INT, discount INT, channel INT, device INT, country INT, persona INT, is_ambiguous BOOLEAN"
)
SHOPPERS_DDL = (
    "user_index BIGINT, persona INT, channel INT, device INT, country INT, signed_up_ms BIGINT, is_buyer BOOLEAN, "
    "visits_per_week DOUBLE, purchases_per_week DOUBLE, p_drop DOUBLE, first_purchase_ms BIGINT, "
    "n_purchases INT, is_dropped BOOLEAN"
)


def simulate_events(user_indices: DataFrame, conf: SimulationConf) -> DataFrame:
    """All events of the shoppers and bots of these numbers, in codes.

    In:     id, the number of a shopper (below n_users) or bot (the n_bots from n_users on).
    Out:    CODED_DDL; at_ms in milliseconds since 1970, UTC; step is -1 off the item chain.
    Rule:   a shopper's rows depend on the config and the number alone, never on the partition.
    """

    def draw(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        plan = make_plan(conf)
        for index in _chunks(batches):
            shoppers, bots = index[index < conf.n_users], index[index >= conf.n_users]
            if shoppers.size:
                yield _draw_shoppers(plan, shoppers)
            if bots.size:
                yield _draw_bots(plan, bots)

    return user_indices.mapInPandas(draw, CODED_DDL)


def simulate_shoppers(user_indices: DataFrame, conf: SimulationConf) -> DataFrame:
    """What is planted in each shopper and bot, in codes: SHOPPERS_DDL; a bot has neither rate nor purchase."""

    def draw(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        plan = make_plan(conf)
        for index in _chunks(batches):
            yield _describe_shoppers(plan, index)

    return user_indices.mapInPandas(draw, SHOPPERS_DDL)


def _chunks(batches: Iterable[pd.DataFrame]) -> Iterator[Ints]:
    for batch in batches:
        index = batch["id"].to_numpy(dtype=np.int64)
        for start in range(0, len(index), CHUNK):
            yield np.sort(index[start : start + CHUNK])


def _draw_shoppers(plan: Plan, index: Ints) -> pd.DataFrame:
    conf, draws = plan.conf, plan.draws
    people = draw_people(draws, conf.people, plan.clock, index)
    purchases = draw_purchases(draws, conf.purchases, conf.people, people, plan.clock)
    visits = draw_visits(draws, conf.visits, people, purchases, plan.clock)
    steps = steps_of(visits)
    n_listed = plan.catalogue.n_listed(visits.planned_ms)[steps.visit]
    items = walk(plan.chain, draws, index, people.persona, steps.user, n_listed)
    discount = _discount(plan, items, visits.planned_ms[steps.visit])
    response = cart_multiplier(people.persona[steps.user], discount, conf.prices)
    events, lines = draw_funnel(draws, people, visits, steps, items, response)
    service_visits, service_events = draw_aftersales(draws, conf.aftersales, people, visits, lines)
    visits, events = _merge(visits, events, service_visits, service_events)
    timeline = lay_out(draws, conf.visits, people, visits, events, plan.clock.ends_ms)
    return _coded(plan, people, events, timeline)


def _discount(plan: Plan, items: Ints, at_ms: Ints) -> Ints:
    day = np.clip((at_ms - plan.clock.starts_ms) // DAY_MS, 0, plan.conf.n_days - 1)
    return np.asarray(plan.discounts[plan.catalogue.department[items], day], dtype=np.int64)


def _merge(first: Visits, first_events: Events, second: Visits, second_events: Events) -> tuple[Visits, Events]:
    visits, place = join_visits(first, second)
    pairs = [
        np.concatenate([getattr(first_events, name), getattr(second_events, name)])
        for name in ("place", "code", "item", "step", "units", "rating")
    ]
    visit = np.concatenate([place[first_events.visit], place[len(first.user) + second_events.visit]])
    priced = np.concatenate([place[first_events.priced_visit], place[second_events.priced_visit]])
    return visits, Events(visit, priced, *pairs)


def _coded(plan: Plan, people: People, events: Events, timeline: Timeline) -> pd.DataFrame:
    rows, user = timeline.rows, timeline.user
    index, persona = people.index[user], people.persona[user]
    channel = plan.draws.choice(Stream.VISIT_CHANNEL, index, persona_values("channels")[persona], timeline.visit)
    draw = plan.draws.uniform(Stream.VISIT_DEVICE, index, timeline.visit)
    main_share = plan.conf.people.main_device_share
    other = np.floor((draw - main_share) / (1 - main_share + 1e-12) * len(DEVICES)).astype(np.int64)
    device = np.where(draw < main_share, people.device[user], np.clip(other, 0, len(DEVICES) - 1))
    return pd.DataFrame(
        {
            "user_index": index,
            "number": timeline.number,
            "visit": timeline.visit,
            "at_ms": timeline.at_ms,
            "code": events.code[rows].astype(np.int32),
            "item_index": events.item[rows],
            "step": events.step[rows],
            "units": events.units[rows].astype(np.int32),
            "rating": events.rating[rows].astype(np.int32),
            "discount": _discount(plan, events.item[rows], timeline.priced_ms).astype(np.int32),
            "channel": np.where(timeline.visit == 1, people.channel[user], channel).astype(np.int32),
            "device": device.astype(np.int32),
            "country": people.country[user].astype(np.int32),
            "persona": persona.astype(np.int32),
            "is_ambiguous": timeline.is_ambiguous,
        }
    )


def _draw_bots(plan: Plan, index: Ints) -> pd.DataFrame:
    views = crawl(plan.draws, plan.conf.bots, plan.catalogue, plan.clock, index)
    size = len(views.bot)
    return pd.DataFrame(
        {
            "user_index": index[views.bot],
            "number": views.number,
            "visit": views.visit,
            "at_ms": views.at_ms,
            "code": np.full(size, VIEW, dtype=np.int32),
            "item_index": views.item,
            "step": np.full(size, -1, dtype=np.int64),
            "units": np.zeros(size, dtype=np.int32),
            "rating": np.zeros(size, dtype=np.int32),
            "discount": _discount(plan, views.item, views.at_ms).astype(np.int32),
            "channel": np.full(size, CHANNELS.index("direct"), dtype=np.int32),
            "device": np.full(size, DEVICES.index("desktop"), dtype=np.int32),
            "country": np.zeros(size, dtype=np.int32),
            "persona": np.full(size, BOT_CODE, dtype=np.int32),
            "is_ambiguous": np.zeros(size, dtype=bool),
        }
    )


def _describe_shoppers(plan: Plan, index: Ints) -> pd.DataFrame:
    conf = plan.conf
    people = draw_people(plan.draws, conf.people, plan.clock, index)
    purchases = draw_purchases(plan.draws, conf.purchases, conf.people, people, plan.clock)
    is_bot = index >= conf.n_users
    has_bought = np.isfinite(purchases.first_weeks) & ~is_bot
    first_ms = plan.clock.when(people.persona, np.where(has_bought, purchases.first_weeks, 0.0))
    n_purchases = np.bincount(purchases.user, minlength=len(index))
    return pd.DataFrame(
        {
            "user_index": index,
            "persona": np.where(is_bot, BOT_CODE, people.persona).astype(np.int32),
            "channel": np.where(is_bot, CHANNELS.index("direct"), people.channel).astype(np.int32),
            "device": np.where(is_bot, DEVICES.index("desktop"), people.device).astype(np.int32),
            "country": np.where(is_bot, 0, people.country).astype(np.int32),
            "signed_up_ms": people.signed_up_ms,
            "is_buyer": people.is_buyer & ~is_bot,
            "visits_per_week": np.where(is_bot, 0.0, people.visit_rate),
            "purchases_per_week": np.where(is_bot, 0.0, purchases.rate),
            "p_drop": np.where(is_bot, 0.0, purchases.p_drop),
            "first_purchase_ms": pd.Series(first_ms).astype("Int64").where(pd.Series(has_bought)),
            "n_purchases": np.where(is_bot, 0, n_purchases).astype(np.int32),
            "is_dropped": np.isfinite(purchases.dropped_weeks) & ~is_bot,
        }
    )
