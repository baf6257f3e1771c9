"""Which communities do the links between users make, and who matters in them?"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.relations import USER_COMMUNITIES
from ulm_spark.stats.communities import build_graph, find_communities
from ulm_spark.stats.pagerank import rank_nodes
from ulm_spark.users.chunks import joined
from ulm_spark.users.community_rounds import Keep, count_degrees, fit_influence, fit_labels, number_labels
from ulm_spark.users.relations_conf import RelationsConf

DIGITS = 9
_MEMBERS = "user_id STRING, community INT, n_members BIGINT, influence DOUBLE, degree BIGINT"
_SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("community", pa.int32()),
        ("n_members", pa.int64()),
        ("influence", pa.float64()),
        ("degree", pa.int64()),
    ]
)


def fit_communities(links: DataFrame, n_links: int, conf: RelationsConf, as_of: date, keep: Keep) -> DataFrame:
    """The day's gold.user_communities.

    In:     gold.user_links of one day, and how many they are; keep: computes a frame once and cuts it from
            what it was made of.
    Rule:   up to max_links_on_one_machine links, one task finds communities by Louvain's method and
            influence by power iteration until nothing moves; above it, all tasks together propagate
            labels and influence for max_rounds rounds. Both number communities alike.
    Edge:   users without links are absent.
    """
    if n_links <= conf.max_links_on_one_machine:
        members = group_in_one_task(links, conf.resolution)
    else:
        members = _fit_by_rounds(links, conf, keep)
    return members.select(F.lit(as_of).alias("as_of"), *USER_COMMUNITIES.column_names[1:])


def group_in_one_task(links: DataFrame, resolution: float) -> DataFrame:
    """user_id, community, n_members, influence, degree: by arrays in the memory of one task, about 200 bytes a link."""
    return links.select("left_id", "right_id", "weight").coalesce(1).mapInArrow(_grouper(resolution), _MEMBERS)


def _fit_by_rounds(links: DataFrame, conf: RelationsConf, keep: Keep) -> DataFrame:
    labels = number_labels(fit_labels(links, conf.resolution, conf.max_rounds, keep))
    influence = fit_influence(links, conf.max_rounds, keep)
    members = labels.join(influence, on="user_id", how="inner").join(count_degrees(links), on="user_id", how="inner")
    return members.withColumn("influence", F.round("influence", DIGITS))


def _grouper(resolution: float) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def group(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        links = [batch for batch in batches if batch.num_rows]
        if links:
            yield _grouped(pa.Table.from_batches(links), resolution)

    return group


def _grouped(links: pa.Table, resolution: float) -> pa.RecordBatch:
    """The users of the links with what is found of them, whatever the order of the links."""
    users, left, right = _indexed(links)
    order = np.lexsort((right, left))
    weight = links["weight"].to_numpy()
    graph = build_graph(left[order], right[order], weight[order], len(users))
    community = find_communities(graph, resolution)
    influence = np.round(rank_nodes(graph) * len(users), DIGITS)
    n_members = np.bincount(community)[community]
    columns = (users, community.astype(np.int32), n_members, influence, np.diff(graph.indptr).astype(np.int64))
    return pa.record_batch([pa.array(column) if i else column for i, column in enumerate(columns)], schema=_SCHEMA)


def _indexed(links: pa.Table) -> tuple[pa.Array, NDArray[np.int64], NDArray[np.int64]]:
    """The users in order of their ids' bytes, as Spark sorts them; and each link's ends as places in it."""
    sides = [joined(links[name].cast(pa.string())) for name in ("left_id", "right_id")]
    users = pc.unique(pa.concat_arrays(sides))
    users = users.take(pa.array(pc.sort_indices(users)))
    left, right = (pc.index_in(side, value_set=users).to_numpy(zero_copy_only=False) for side in sides)
    return users, left.astype(np.int64), right.astype(np.int64)
