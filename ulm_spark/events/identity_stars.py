"""Which identifiers hang together? Connected components by stars, a round of two shuffles at a time."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.identity import KINDS
from ulm_spark.events.identity import LINKED, kind_of, node_of, value_of

_EDGE = ("node", "parent")


def list_edges(links: DataFrame) -> DataFrame:
    """The links that link, as edges between nodes.

    In:   silver.identity_links.
    Out:  node, parent; node is the later of the two by text, or both are one identifier's.
    """
    sides = [node_of(F.col(f"{side}_kind"), F.col(f"{side}_value")) for side in ("left", "right")]
    linked = links.where(F.col("state") == LINKED)
    return linked.select(F.greatest(*sides).alias("node"), F.least(*sides).alias("parent"))


def pull_stars(edges: DataFrame) -> DataFrame:
    """One round towards stars: the large star, then the small star.

    In:     node, parent, with parent before node; any repeats.
    Out:    the same kind of edges, no more of them, of the same components.
    Rule:   large star: each node hangs its later neighbours under the least of all its neighbours and
            itself; small star: it hangs its earlier neighbours and itself under the least of those.
            A round that changes nothing leaves one star a component, around its least node.
    Edge:   a node of any degree is sorted on disk where it must be, and its neighbours stream by.
    Source: Kiveris, Lattanzi, Mirrokni, Rastogi & Vassilvitskii (2014), Connected Components in
            MapReduce and Beyond, SoCC '14: O(log n) rounds as measured, O(log^2 n) proven.
    """
    return _small_star(_large_star(edges.select(*_EDGE)))


def measure_edges(edges: DataFrame) -> tuple[int, ...]:
    """How many edges there are, and two sums of their hashes: equal where a round changed nothing. Computes."""
    hashed = F.xxhash64(*_EDGE)
    sums = (F.sum(F.shiftright(hashed, 32)), F.bit_xor(hashed))  # shifted, so that billions of them have a sum
    row = edges.agg(F.count(F.lit(1)), *(F.coalesce(total, F.lit(0)) for total in sums)).collect()[0]
    return tuple(int(value) for value in row)


def list_leaves(edges: DataFrame) -> DataFrame:
    """The edges of nodes that hang under one other and have none under them: their component can do without them.

    In:   node, parent, with parent before node; any repeats.
    Out:  node (unique), parent.
    """
    both = edges.select(*_EDGE).union(edges.select("parent", "node")).toDF("node", "neighbour")
    nodes = both.groupBy("node").agg(F.min("neighbour").alias("parent"), F.max("neighbour").alias("latest"))
    is_leaf = (F.col("parent") == F.col("latest")) & (F.col("parent") < F.col("node"))
    return nodes.where(is_leaf).select(*_EDGE)


def hang_back(leaves: DataFrame, stars: DataFrame) -> DataFrame:
    """Stars with the leaves that were taken off before they were finished. In: list_leaves' frame; node, parent."""
    roots = stars.select(F.col("node").alias("parent"), F.col("parent").alias("root"))
    hung = leaves.join(roots, on="parent", how="left").select("node", F.coalesce("root", "parent").alias("parent"))
    return hung.union(stars.select(*_EDGE))


def name_persons(edges: DataFrame, stars: DataFrame) -> DataFrame:
    """The person of every node.

    In:   edges: list_edges' frame; stars: what rounds of pull_stars made of it, until nothing changed.
    Out:  node (unique), person_id.
    Rule: the smallest log-in of the component by text; where it has none ``cookie:`` and the smallest
          cookie, else ``device:`` and the smallest device. Nodes sort by kind first, so it is the
          component's least node.
    """
    alone = edges.where(F.col("node") == F.col("parent")).select(*_EDGE)
    everyone = stars.select(*_EDGE).union(stars.select("parent", "parent")).union(alone)
    least = everyone.groupBy("node").agg(
        F.min("parent").alias("least")
    )  # an identifier linked to others may be alone too
    return least.select("node", person_of(F.col("least")).alias("person_id"))


def person_of(node: Column) -> Column:
    """The person_id of a component whose least node this is."""
    prefixed = F.concat(kind_of(node), F.lit(":"), value_of(node))
    return F.when(kind_of(node) == KINDS[0], value_of(node)).otherwise(prefixed)


def _large_star(edges: DataFrame) -> DataFrame:
    both = edges.union(edges.select("parent", "node")).toDF("node", "neighbour")
    in_order = Window.partitionBy("node").orderBy("neighbour")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    ranked = both.select(
        "node",
        "neighbour",
        F.first("neighbour").over(so_far).alias("first"),
        F.lag("neighbour").over(in_order).alias("last"),
    )
    is_later = (F.col("neighbour") > F.col("node")) & ~F.col("neighbour").eqNullSafe(F.col("last"))
    return ranked.where(is_later).select(F.col("neighbour").alias("node"), F.least("node", "first").alias("parent"))


def _small_star(edges: DataFrame) -> DataFrame:
    in_order = Window.partitionBy("node").orderBy("parent")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    ranked = edges.select(
        "node", "parent", F.first("parent").over(so_far).alias("first"), F.lag("parent").over(in_order).alias("last")
    )
    distinct = ranked.where(~F.col("parent").eqNullSafe(F.col("last")))
    # The node itself for its least neighbour, then each of the others: one edge out for one edge in.
    hung = F.when(F.col("last").isNull(), F.col("node")).otherwise(F.col("parent"))
    return distinct.select(hung.alias("node"), F.col("first").alias("parent"))
