import dataclasses

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

import ulm_spark.shop as package
from tests.shop.conftest import Shop
from ulm_spark.contracts import truth
from ulm_spark.lake.store import check_frame
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.laws import LAWS, law_rows
from ulm_spark.shop.personas import DEPARTMENTS
from ulm_spark.shop.prices import PriceLaw
from ulm_spark.shop.truth import list_promotions


def test_frames_are_what_the_contracts_promise(spark: SparkSession, shop: Shop) -> None:
    by_name = {table.name: table for table in truth.TABLES}
    for name, frame in shop.truth.items():
        check_frame(frame, by_name[name])
        keys = frame.groupBy(*by_name[name].key).count().where("count > 1")
        assert keys.count() == 0, name
    assert set(shop.truth) | {truth.LAWS.name} == set(by_name)


def test_no_job_may_read_the_truth() -> None:
    assert all(table.readers == () and table.writer == "simulate_shop" for table in truth.TABLES)


def test_users_carry_the_purchases_that_were_seen(shop: Shop) -> None:
    users = shop.table(truth.USERS).set_index("user_id")
    bought = shop.table(truth.EVENTS).query("event_type == 'purchase'")
    orders = bought.groupby(["user_id", "session_id"]).event_at.min()
    n_orders = orders.groupby("user_id").size().reindex(users.index).fillna(0)
    assert (users.n_purchases == n_orders).all()
    dropped = users[users.dropped_at.notna()]
    assert len(dropped) > 50
    assert (dropped.dropped_at == orders.groupby("user_id").max().reindex(dropped.index)).all()
    assert (users.n_purchases[users.dropped_at.notna()] >= 2).all()
    assert not users.is_buyer[users.persona == "bot"].any()


def test_a_shop_without_promotions_has_none(spark: SparkSession) -> None:
    conf = SimulationConf(prices=PriceLaw(promotion_share=0.0))
    assert list_promotions(spark.range(len(DEPARTMENTS)), conf).count() == 0


def test_probabilities_sum_to_one(shop: Shop) -> None:
    assert np.allclose(shop.table(truth.SUCCESSORS).groupby("product_id").probability.sum(), 1)
    assert np.allclose(shop.table(truth.PERSONA_ITEMS).groupby("persona").probability.sum(), 1)


def test_shoppers_who_dropped_out_soon_stop_looking(shop: Shop) -> None:
    users = shop.table(truth.USERS).set_index("user_id")
    events = shop.table(truth.EVENTS)
    views = events[events.event_type == "view"]
    since = (views.event_at - views.user_id.map(users.dropped_at)).dt.total_seconds() / 86_400
    assert (since > 30).sum() < 0.1 * since.between(0, 30).sum()


def test_every_setting_is_in_the_laws() -> None:
    conf = SimulationConf()
    named = {(law, name) for law, name, _ in law_rows(conf)}
    for field in dataclasses.fields(conf):
        value = getattr(conf, field.name)
        if dataclasses.is_dataclass(value):
            assert {(field.name, f.name) for f in dataclasses.fields(value)} <= named
        elif field.name not in ("landing", "files_per_day", "compression", "n_partitions"):
            assert ("simulation", field.name) in named
    assert len(named) == len(law_rows(conf))


def test_every_law_is_registered() -> None:
    import importlib
    import pkgutil

    modules = [importlib.import_module(f"ulm_spark.shop.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    planted = {m.FORMULA for m in modules if hasattr(m, "FORMULA")}
    assert planted == {law.formula for law in LAWS}


def test_personas_behave_differently_enough_to_be_told_apart(shop: Shop) -> None:
    events = shop.table(truth.EVENTS)
    persona = shop.table(truth.USERS).set_index("user_id").persona
    mix = pd.crosstab(events.user_id.map(persona), events.event_type, normalize="index")
    assert mix.search["tech_researcher"] > 3 * mix.search["window_shopper"]
    assert mix.cart["loyal_regular"] > 2 * mix.cart["window_shopper"]
    assert mix["return"]["fashion_explorer"] > 3 * mix["return"]["loyal_regular"]
