"""The same of graphs that no one machine holds: labels and influence that spread from user to user, round by round."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.stats.pagerank import DAMPING

Keep = Callable[[DataFrame], DataFrame]
_DIGITS = 12


def fit_labels(links: DataFrame, resolution: float, max_rounds: int, keep: Keep) -> DataFrame:
    """A label for each user, the same for users among whom much more weight lies than by chance.

    In:     left_id, right_id, weight, each link once; keep: computes a frame once and cuts it from what
            it was made of.
    Out:    user_id (unique), label.
    Rule:   at first a label of his own; then users take the label that spread_labels finds for them. Half
            of the users do so first and then the others, each round other halves, so that neighbours do
            not swap labels for ever; until a round changes nothing, or max_rounds.
    Source: Raghavan, Albert & Kumara (2007), Physical Review E 76, 036106, whose labels alone flood graphs
            without sharp borders; with the weight by chance taken off: Barber & Clark (2009), Physical Review
            E 80, 026129, equation 13.
    """
    edges = keep(_with_strength(links))
    # The sums of whole numbers are the same in any order.
    total = edges.agg(F.coalesce(F.sum("billionths"), F.lit(0))).collect()[0][0]
    labels = keep(edges.select("user_id", F.col("user_id").alias("label"), "strength").distinct())
    for n_round in range(max_rounds):
        before = labels
        for half in (0, 1):
            is_asked = F.pmod(F.xxhash64("user_id", F.lit(n_round)), F.lit(2)) == half
            labels = keep(spread_labels(edges, labels, is_asked, resolution / max(total, 1)))
        if labels.join(before, on=["user_id", "label"], how="left_anti").isEmpty():
            break
    return labels.select("user_id", "label")


def fit_influence(links: DataFrame, n_rounds: int, keep: Keep) -> DataFrame:
    """PageRank of each user over the links by weight, times the number of users.

    Out:    user_id (unique), influence.
    Rule:   n_rounds of power iteration from 1 each; what is left to move is below 0.85 ^ n_rounds of all.
    Source: as stats.pagerank.
    """
    share = (F.col("billionths") / F.col("strength")).alias("share")
    shares = keep(_with_strength(links).select("user_id", "other_id", share))
    influence = keep(shares.select("user_id", F.lit(1.0).alias("influence")).distinct())
    for _ in range(n_rounds):
        influence = keep(spread_influence(shares, influence))
    return influence


def spread_labels(edges: DataFrame, labels: DataFrame, is_asked: Column, by_chance: float) -> DataFrame:
    """The labels after those users moved who are asked.

    In:   edges: user_id, other_id, billionths, strength (of user_id); labels: user_id, label, strength;
          by_chance: the resolution over all strength.
    Out:  labels' columns, of all users.
    Rule: of a user's own label and his neighbours' the one with the greatest weight to its users but him, less
          by_chance times his strength times theirs; ties to the smallest label by text.
    """
    neighbours = labels.select(F.col("user_id").alias("other_id"), "label")
    told = edges.where(is_asked).join(neighbours, on="other_id", how="inner")
    own = labels.where(is_asked).select("user_id", "label", "strength", F.lit(0).cast("bigint"), F.lit(True))
    offers = told.select("user_id", "label", "strength", "billionths", F.lit(False).alias("_is_own")).union(own)
    votes = offers.groupBy("user_id", "label", "strength").agg(
        F.sum("billionths").alias("_votes"), F.max("_is_own").alias("_is_own")
    )
    totals = labels.groupBy("label").agg(F.sum("strength").alias("_total"))
    others = F.col("_total") - F.when(F.col("_is_own"), F.col("strength")).otherwise(F.lit(0))
    gain = F.col("_votes") - F.lit(by_chance) * F.col("strength") * others
    won = Window.partitionBy("user_id").orderBy(F.desc("_gain"), "label")
    rank = F.row_number().over(won.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    weighed = votes.join(totals, on="label", how="inner").withColumn("_gain", gain).withColumn("_rank", rank)
    columns = ("user_id", "label", "strength")
    return labels.where(~is_asked).select(*columns).unionByName(weighed.where("_rank = 1").select(*columns))


def spread_influence(shares: DataFrame, influence: DataFrame) -> DataFrame:
    """One round of fit_influence. In: user_id, other_id, share of the user's weight; user_id, influence."""
    sent = shares.join(influence, on="user_id", how="inner")
    part = F.round(F.col("share") * F.col("influence"), _DIGITS).cast("decimal(28,12)")
    received = sent.groupBy(F.col("other_id").alias("user_id")).agg(F.sum(part).cast("double").alias("received"))
    return received.select("user_id", (F.lit(1 - DAMPING) + DAMPING * F.col("received")).alias("influence"))


def number_labels(labels: DataFrame) -> DataFrame:
    """The communities of the labels, numbered from 0 by size, ties by the smallest member.

    In:   user_id (unique), label.
    Out:  user_id, community, n_members. The communities, far fewer than users, are sorted on one core.
    """
    groups = labels.groupBy("label").agg(F.count(F.lit(1)).alias("n_members"), F.min("user_id").alias("_first"))
    by_size = Window.orderBy(F.desc("n_members"), "_first").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = groups.withColumn("community", (F.row_number().over(by_size) - 1).cast("int"))
    return labels.join(numbered, on="label", how="inner").select("user_id", "community", "n_members")


def count_degrees(links: DataFrame) -> DataFrame:
    """user_id, degree: the links of each user."""
    return both_ways(links).groupBy("user_id").agg(F.count(F.lit(1)).alias("degree"))


def both_ways(links: DataFrame) -> DataFrame:
    """user_id, other_id, weight: each link from either end."""
    there = links.select(F.col("left_id").alias("user_id"), F.col("right_id").alias("other_id"), "weight")
    return there.unionByName(
        there.select(F.col("other_id").alias("user_id"), F.col("user_id").alias("other_id"), "weight")
    )


def _with_strength(links: DataFrame) -> DataFrame:
    """user_id, other_id, billionths (the weight in them), strength (all of the user's)."""
    both = both_ways(links)
    counted = both.select("user_id", "other_id", F.round(F.col("weight") * 1e9).cast("bigint").alias("billionths"))
    strength = counted.groupBy("user_id").agg(F.sum("billionths").alias("strength"))
    return counted.join(strength, on="user_id", how="inner")
