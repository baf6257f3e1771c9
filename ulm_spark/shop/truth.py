"""What was planted, as the truth tables keep it."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts import truth
from ulm_spark.contracts.silver import MONEY
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.personas import (
    BOT_PERSONA,
    CHANNELS,
    COUNTRIES,
    DEPARTMENTS,
    DEVICES,
    PERSONA_NAMES,
)
from ulm_spark.shop.plan import make_plan
from ulm_spark.shop.seasons import HOUR_MS
from ulm_spark.shop.wire import instant, named, user_id


def list_users(shoppers: DataFrame, delivered: DataFrame) -> DataFrame:
    """truth.users.

    In:     shoppers as generate.SHOPPERS_DDL; delivered from disorder.deliver.
    Rule:   a purchase is dated by its first event; dropped_at is the last purchase of a shopper who
            dropped out, null where the end of the simulation cut that purchase off.
    """
    orders = (
        delivered.where(F.col("event_type") == "purchase")
        .groupBy("user_id", "order_id")
        .agg(F.min("event_at").alias("ordered_at"))
    )
    seen = orders.groupBy("user_id").agg(
        F.count("order_id").cast("int").alias("n_seen"),
        F.min("ordered_at").alias("first_purchase_at"),
        F.max("ordered_at").alias("last_purchase_at"),
    )
    planted = shoppers.withColumn("user_id", user_id("user_index"))
    is_over = F.col("is_dropped") & (F.col("n_seen") == F.col("n_purchases"))
    joined = planted.join(seen, on="user_id", how="left").select(
        "user_id",
        named((*PERSONA_NAMES, BOT_PERSONA), F.col("persona")).alias("persona"),
        named(CHANNELS, F.col("channel")).alias("channel"),
        named(DEVICES, F.col("device")).alias("device"),
        named(COUNTRIES, F.col("country")).alias("country"),
        instant("signed_up_ms").alias("signed_up_at"),
        "is_buyer",
        "visits_per_week",
        "purchases_per_week",
        "p_drop",
        F.coalesce("n_seen", F.lit(0)).alias("n_purchases"),
        "first_purchase_at",
        "last_purchase_at",
        F.when(is_over, F.col("last_purchase_at")).alias("dropped_at"),
    )
    return joined.select(*truth.USERS.column_names)


def list_events(delivered: DataFrame) -> DataFrame:
    """truth.events, from disorder.deliver."""
    return delivered.withColumn("chain_step", F.when(F.col("step") >= 0, F.col("step"))).select(
        *truth.EVENTS.column_names
    )


def list_truth_items(items: DataFrame, currency: str) -> DataFrame:
    """truth.items, from catalogue.list_items."""
    return items.select(
        "product_id",
        "category",
        "brand",
        (F.col("list_cents") / 100).cast(MONEY).alias("list_price"),
        F.lit(currency).alias("currency"),
        instant("listed_ms").alias("listed_at"),
        "popularity",
    )


def list_successors(items: DataFrame, conf: SimulationConf) -> DataFrame:
    """truth.successors: the chain part of the next-item law."""
    ids = items.select("item_index", "product_id")

    def pairs(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        chain = make_plan(conf).chain
        for batch in batches:
            index = batch["item_index"].to_numpy()
            yield pd.DataFrame(
                {
                    "product_id": np.repeat(batch["product_id"].to_numpy(), len(chain.shares)),
                    "item_index": chain.successors[index].ravel(),
                    "probability": np.tile(chain.shares, len(index)),
                }
            )

    numbered = ids.mapInPandas(pairs, "product_id STRING, item_index BIGINT, probability DOUBLE")
    followers = ids.withColumnRenamed("product_id", "successor_id")
    return numbered.join(followers, on="item_index", how="inner").select(*truth.SUCCESSORS.column_names)


def list_persona_items(items: DataFrame, conf: SimulationConf) -> DataFrame:
    """truth.persona_items: the taste part of the next-item law."""

    def tastes(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        chain = make_plan(conf).chain
        for batch in batches:
            index = batch["item_index"].to_numpy()
            yield pd.DataFrame(
                {
                    "persona": np.repeat(np.asarray(PERSONA_NAMES, dtype=object), len(index)),
                    "product_id": np.tile(batch["product_id"].to_numpy(), len(PERSONA_NAMES)),
                    "probability": chain.taste[:, index].ravel(),
                }
            )

    ids = items.select("item_index", "product_id")
    return ids.mapInPandas(tastes, "persona STRING, product_id STRING, probability DOUBLE")


def list_clocks(persona_indices: DataFrame, conf: SimulationConf) -> DataFrame:
    """truth.clocks. In: id, the place of a persona."""

    def hours(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        clock = make_plan(conf).clock
        for batch in batches:
            for k in batch["id"]:
                weeks = clock.weeks[k]
                hour_ms = clock.starts_ms + np.arange(len(weeks)) * HOUR_MS
                yield pd.DataFrame({"persona": PERSONA_NAMES[k], "hour_ms": hour_ms, "clock_weeks": weeks})

    drawn = persona_indices.mapInPandas(hours, "persona STRING, hour_ms BIGINT, clock_weeks DOUBLE")
    return drawn.select("persona", instant("hour_ms").alias("hour_at"), "clock_weeks")


def list_promotions(department_indices: DataFrame, conf: SimulationConf) -> DataFrame:
    """truth.promotions. In: id, the place of a department."""

    def days(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        discounts = make_plan(conf).discounts
        for batch in batches:
            for d in batch["id"]:
                promoted = np.flatnonzero(discounts[d])
                days_on = [conf.starts_on + timedelta(days=int(day)) for day in promoted]
                yield pd.DataFrame(
                    {
                        "department": DEPARTMENTS[d],
                        # An empty list would count as numbers.
                        "promoted_on": pd.Series(days_on, dtype=object),
                        "discount_percent": discounts[d][promoted].astype(np.int32),
                    }
                )

    return department_indices.mapInPandas(days, "department STRING, promoted_on DATE, discount_percent INT")
