"""Which identifiers became another person's, and which events name them?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.identity import KINDS
from ulm_spark.events.identity import node_of

_IDENTIFIER = ("id_kind", "id_value")


def known_now(identities: DataFrame) -> DataFrame:
    """Whose each identifier is by the latest day resolved, as far as it matters to attribute_users.

    In:   silver.identities, at any version.
    Out:  id_kind, id_value (unique together), person_id.
    Edge: a log-in that names its own person is absent: events keep it all the same, and most log-ins do.
    """
    return identities.where(_matters()).select(*_IDENTIFIER, "person_id")


def list_moved(feed: DataFrame) -> DataFrame:
    """The identifiers whose person may be another than before, by the commits that moved them.

    In:   what changed in silver.identities, as Lake.changes tells it.
    Out:  node, version (unique together).
    Rule: those of which known_now lost or gained a row. Of a stretch that ended or was forgotten the
          row as it was tells it.
    """
    node = node_of(F.col("id_kind"), F.col("id_value")).alias("node")
    return feed.where(_matters()).select(node, F.col("_commit_version").alias("version")).distinct()


def name_moved(events: DataFrame, nodes: DataFrame) -> DataFrame:
    """The events that any of the identifiers may attribute to somebody else.

    In:   silver.events, any span, with any further columns; nodes: node (unique).
    Out:  grain and columns of events; an event that names several of the identifiers is there as often.
    Rule: a log-in decides alone; the cookie and the device are asked of events without one.
    """
    is_anonymous = F.col("user_id").isNull()
    asked = [
        F.when(F.lit(True) if kind == "user" else is_anonymous, node_of(F.lit(kind), F.col(f"{kind}_id")))
        for kind in KINDS
    ]
    named = events.select("*", F.explode(F.array_compact(F.array(*asked))).alias("node"))
    return named.join(nodes, on="node", how="left_semi").select(*events.columns)


def _matters() -> Column:
    is_own = (F.col("id_kind") == "user") & (F.col("id_value") == F.col("person_id"))
    return F.col("known_until").isNull() & ~is_own
