from dataclasses import replace
from datetime import date

import pandas as pd
from pandas.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from tests.shop.conftest import SMALL, Shop, simulated
from ulm_spark.contracts import truth
from ulm_spark.shop.funnel import CODE_NAMES
from ulm_spark.shop.personas import PERSONAS

TINY = replace(SMALL, n_users=40, n_items=40, n_days=28)


def _sorted(frame: DataFrame) -> pd.DataFrame:
    rows = frame.toPandas()
    return rows.sort_values(list(rows.columns), ignore_index=True)


def test_the_shop_does_not_depend_on_the_partitioning(spark: SparkSession) -> None:
    one_coded, one = simulated(spark, TINY, 1)
    seven_coded, seven = simulated(spark, TINY, 7)
    assert_frame_equal(_sorted(one_coded), _sorted(seven_coded))
    assert_frame_equal(_sorted(one.lines), _sorted(seven.lines))
    for table, frame in one.truth:
        if table.name in ("truth.users", "truth.successors", "truth.persona_items"):
            assert_frame_equal(_sorted(frame), _sorted(dict(seven.truth)[table]))


def test_another_seed_is_another_shop(spark: SparkSession) -> None:
    events, others = (_sorted(simulated(spark, replace(TINY, seed=seed), 1)[0]) for seed in (7, 8))
    same = events.merge(others, on=["user_index", "at_ms", "item_index"])
    assert len(same) < 0.01 * len(events)


def test_a_shopper_does_not_depend_on_how_many_there_are(spark: SparkSession) -> None:
    few, _ = simulated(spark, replace(TINY, n_users=20), 1)
    many, _ = simulated(spark, TINY, 1)
    assert_frame_equal(_sorted(few.where("user_index < 20")), _sorted(many.where("user_index < 20")))


def _visits(shop: Shop) -> pd.DataFrame:
    events = shop.table(truth.EVENTS)
    users = shop.table(truth.USERS)
    shoppers = users[users.persona != "bot"].user_id
    events = events[events.user_id.isin(shoppers)]
    visits = events.groupby(["user_id", "session_id"]).agg(
        start=("event_at", "min"), end=("event_at", "max"), is_ambiguous=("is_ambiguous", "max")
    )
    return visits.reset_index().sort_values(["user_id", "start"], ignore_index=True)


def test_visits_are_clearly_apart_but_for_the_planted_ones(shop: Shop) -> None:
    visits = _visits(shop)
    follows = (visits.user_id == visits.user_id.shift()).to_numpy()
    minutes = ((visits.start - visits.end.shift()).dt.total_seconds() / 60).to_numpy()
    is_close = follows & (minutes <= 35)
    assert 30 < is_close.sum() < 0.05 * len(visits)
    assert minutes[follows].min() >= 25
    assert not (follows & (minutes > 35) & (minutes < 40)).any()
    flagged = is_close | pd.Series(is_close).shift(-1, fill_value=False).to_numpy()
    assert visits.is_ambiguous.to_numpy().tolist() == flagged.tolist()


def test_events_of_a_visit_lie_close_together(shop: Shop) -> None:
    events = shop.table(truth.EVENTS).sort_values(["session_id", "event_at"])
    pause = events.groupby("session_id").event_at.diff().dt.total_seconds()
    assert pause.min() >= 1
    assert pause.max() <= 12 * 60


def test_ids_rise_with_time_within_a_user(shop: Shop) -> None:
    events = shop.table(truth.EVENTS).sort_values(["user_id", "event_at"])
    assert events.groupby("user_id").event_id.apply(lambda ids: ids.is_monotonic_increasing).all()


def test_the_funnel_is_ordered_inside_every_visit(shop: Shop) -> None:
    events = shop.table(truth.EVENTS)
    bots = shop.table(truth.USERS).query("persona == 'bot'").user_id
    events = events[~events.user_id.isin(bots) & events.product_id.notna()]
    first = events.pivot_table(
        index=["session_id", "product_id"], columns="event_type", values="event_at", aggfunc="min"
    )
    for earlier, later in (("view", "click"), ("click", "cart"), ("cart", "remove"), ("cart", "purchase")):
        reached = first[first[later].notna()]
        assert len(reached) > 100
        assert (reached[earlier] < reached[later]).all()
    bought = events[events.event_type == "purchase"].groupby(["user_id", "product_id"]).event_at.min()
    after = events[events.event_type.isin(["return", "review"])]
    ordered_at = bought.reindex(pd.MultiIndex.from_frame(after[["user_id", "product_id"]])).to_numpy()
    assert len(after) > 50
    assert (after.event_at.to_numpy() > ordered_at).all()


def test_purchases_end_the_visit_that_makes_them(shop: Shop) -> None:
    events = shop.table(truth.EVENTS)
    bought_from = events[events.event_type == "purchase"].groupby("session_id").event_at.min()
    others = events[(events.event_type != "purchase") & events.session_id.isin(bought_from.index)]
    assert (others.event_at < others.session_id.map(bought_from)).all()


def test_all_kinds_of_events_and_personas_appear(shop: Shop) -> None:
    assert set(shop.table(truth.EVENTS).event_type) == set(CODE_NAMES)
    assert set(shop.table(truth.USERS).persona) == {"bot", *(persona.name for persona in PERSONAS)}


def test_nothing_happens_before_an_item_is_listed_or_outside_the_simulation(shop: Shop) -> None:
    events = shop.table(truth.EVENTS)
    listed_at = shop.table(truth.ITEMS).set_index("product_id").listed_at
    seen = events[events.product_id.notna()]
    assert (seen.event_at >= seen.product_id.map(listed_at)).all()
    assert (listed_at >= pd.Timestamp(SMALL.starts_on)).mean() > 0.05
    assert events.event_at.min() >= pd.Timestamp(SMALL.starts_on)
    assert events.event_at.dt.date.max() == SMALL.ends_on == date(2025, 6, 28)


def test_bots_are_fast_and_regular(shop: Shop) -> None:
    bots = shop.table(truth.USERS).query("persona == 'bot'").user_id
    events = shop.table(truth.EVENTS)
    views = events[events.user_id.isin(bots)].sort_values(["session_id", "event_at"])
    pause = views.groupby("session_id").event_at.diff().dropna().dt.total_seconds()
    assert len(bots) == 1
    assert (pause == 2).all()
    agents = shop.kept().groupby("user_id").user_agent.first()
    assert agents[bots].str.contains("bot|crawl", case=False).all()
    assert not agents.drop(bots).str.contains("bot|crawl", case=False).any()
