"""Who is linked with whom, how strongly, and by what?"""

import math
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.relations import LINK_KINDS, USER_LINKS
from ulm_spark.users.relations_conf import RelationsConf
from ulm_spark.users.windows import known_before_end

CO_PURCHASE, DEVICE, ADDRESS, REFERRAL = LINK_KINDS
_BILLION = 1_000_000_000
_PAIR = ("left_id", "right_id")


def list_uses(order_lines: DataFrame, events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """Which user had which thing, as known at the end of as_of.

    In:     silver.order_lines and silver.events, any span; of events user_id, event_at, device_id, cookie_id
            and attributes.
    Out:    kind, thing, user_id, no row twice. Things are raw values: no table may hold them.
    Rule:   an item is a thing of who bought it, whatever came back; so is a device or cookie of who was seen
            by it, and attributes' address_hash of who gave it.
    Edge:   guests' orders and events without a user link nobody; nor do empty texts.
    """
    bought = known_before_end(order_lines, "lined_at", as_of, zone)
    items = bought.where((F.col("line_type") == "purchase") & F.col("is_item"))
    seen = known_before_end(events, "event_at", as_of, zone)
    things = F.array(
        _thing(DEVICE, "device:", F.col("device_id")),
        _thing(DEVICE, "cookie:", F.col("cookie_id")),
        _thing(ADDRESS, "", F.try_element_at("attributes", F.lit("address_hash"))),
    )
    named = seen.select("user_id", F.explode(things).alias("_use")).select("_use.*", "user_id")
    uses = items.select(_thing(CO_PURCHASE, "", F.col("product_id")).alias("_use"), "user_id").select(
        "_use.*", "user_id"
    )
    return uses.unionByName(named).where(F.col("thing").isNotNull()).distinct()


def list_known(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The users of whom an event is known at the end of as_of. Out: user_id, unique."""
    return known_before_end(events, "event_at", as_of, zone).select("user_id").distinct()


def list_referrals(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """Who was brought by whom, as known at the end of as_of.

    In:   silver.events, any span; the log-in of who brought stands in attributes' referred_by.
    Out:  referred_id, the event's user; and as events name them, so that log-ins can become persons:
          event_id, user_id (who brought), device_id and cookie_id (none).
    """
    referrer = F.try_element_at("attributes", F.lit("referred_by"))
    told = known_before_end(events, "event_at", as_of, zone).where(referrer.isNotNull())
    nobody = F.lit(None).cast("string")
    renamed = (F.col("user_id").alias("referred_id"), referrer.alias("user_id"))
    return told.select("event_id", *renamed, nobody.alias("device_id"), nobody.alias("cookie_id"))


def link_users(uses: DataFrame, referrals: DataFrame, known: DataFrame, conf: RelationsConf, as_of: date) -> DataFrame:
    """The day's gold.user_links.

    In:     list_uses' frame; referrals: list_referrals' frame; known: list_known's.
    Rule:   a thing of n users adds 1 / ln(n) to each pair of them, in whole billionths, so that the sum
            depends on no order; a referral counts once, as a thing of two. A link stays that is
            among the max_links_per_user heaviest of one of its ends, ties to the other end's id.
    Edge:   a thing of one user, or of more than max_users_per_thing, links nobody; nor does a referrer of
            whom nothing else is known: that text may be anything.
    Source: Adamic & Adar (2003), Social Networks 25, 211-230, section 3.
    """
    pairs = _pairs_by_thing(uses, conf.max_users_per_thing).unionByName(_referred_pairs(referrals, known))
    sums = [_total(kind).alias(f"_{kind}") for kind in LINK_KINDS]
    counts = [F.count_if(F.col("kind") == kind).alias(f"_n_{kind}") for kind in LINK_KINDS]
    linked = pairs.groupBy(*_PAIR).agg(F.sum("billionths").alias("_all"), *sums, *counts)
    kept = _keep_heaviest(linked, conf.max_links_per_user)
    evidence = F.filter(F.array(*(_evidence(kind) for kind in LINK_KINDS)), lambda one: one["n"] > 0)
    return kept.select(
        F.lit(as_of).alias("as_of"), *_PAIR, _as_weight("_all").alias("weight"), evidence.alias("evidence")
    ).select(*USER_LINKS.column_names)


def _thing(kind: str, prefix: str, name: Column) -> Column:
    """A use's kind and thing; an empty text is no thing."""
    return F.struct(F.lit(kind).alias("kind"), F.when(name != "", F.concat(F.lit(prefix), name)).alias("thing"))


def _pairs_by_thing(uses: DataFrame, most_users: int) -> DataFrame:
    """Each pair of users of each thing that few enough have: left_id, right_id, kind, billionths."""
    thing = ("kind", "thing")
    # Counted before users are listed: a thing that all have would be one row of all users.
    n_users = uses.groupBy(*thing).agg(F.count(F.lit(1)).alias("n"))
    shared = n_users.where(F.col("n").between(2, most_users)).select(*thing)
    users = (
        uses.join(shared, on=list(thing), how="left_semi")
        .groupBy(*thing)
        .agg(F.array_sort(F.collect_list("user_id")).alias("users"))
    )
    others = F.slice("users", F.col("place") + 2, F.size("users"))
    lefts = users.select("kind", "users", F.posexplode("users").alias("place", "left_id"))
    return lefts.select(
        "left_id", F.explode(others).alias("right_id"), "kind", _billionths(F.size("users")).alias("billionths")
    )


def _referred_pairs(referrals: DataFrame, known: DataFrame) -> DataFrame:
    told = referrals.where(F.col("user_id") != F.col("referred_id")).join(known, on="user_id", how="left_semi")
    sides = (F.least("user_id", "referred_id").alias("left_id"), F.greatest("user_id", "referred_id").alias("right_id"))
    alone = told.select(*sides).distinct()
    return alone.select(*_PAIR, F.lit(REFERRAL).alias("kind"), F.lit(round(_BILLION / math.log(2))).alias("billionths"))


def _billionths(n_users: Column) -> Column:
    return F.round(F.lit(float(_BILLION)) / F.log(n_users.cast("double"))).cast("bigint")


def _total(kind: str) -> Column:
    return F.sum(F.when(F.col("kind") == kind, F.col("billionths")).otherwise(F.lit(0).cast("bigint")))


def _as_weight(name: str) -> Column:
    return F.col(name) / F.lit(float(_BILLION))


def _evidence(kind: str) -> Column:
    return F.struct(F.lit(kind).alias("kind"), _as_weight(f"_{kind}").alias("weight"), F.col(f"_n_{kind}").alias("n"))


def _keep_heaviest(linked: DataFrame, most: int) -> DataFrame:
    """The links that are among the heaviest of either end, each once."""
    ends = F.array(*(F.struct(F.col(a).alias("user_id"), F.col(b).alias("other_id")) for a, b in (_PAIR, _PAIR[::-1])))
    both = linked.select("*", F.explode(ends).alias("_end"))
    heaviest = Window.partitionBy("_end.user_id").orderBy(F.desc("_all"), "_end.other_id")
    ranked = both.withColumn(
        "_rank", F.row_number().over(heaviest.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    )
    return ranked.where(F.col("_rank") <= most).drop("_end", "_rank").distinct()
