"""What was known of each identifier from which day on, and what changed on a day?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.identity import IDENTITIES, IDENTITY_CHANGES, KINDS
from ulm_spark.events.identity import CUT, GONE, LINKED, SHARED, kind_of, node_of, value_of

_CAUSES = {CUT: "cut", SHARED: "guard", LINKED: "link", GONE: "gone"}  # the first of them names a change
_OTHER_CODE = "code"


def list_touched(links: DataFrame, after: date | None) -> DataFrame:
    """Links that came to be in their state after a day, by the identifiers that they touch.

    In:   silver.identity_links; after: None for all.
    Out:  node, state; a link of two identifiers has two rows.
    """
    recent = links if after is None else links.where(F.col("state_since") > F.lit(after))
    sides = [node_of(F.col(f"{side}_kind"), F.col(f"{side}_value")) for side in ("left", "right")]
    return recent.select(F.explode(F.array_distinct(F.array(*sides))).alias("node"), "state")


def list_affected(identities: DataFrame, touched: DataFrame) -> DataFrame:
    """The identifiers whose person may change: those touched, and all that are known as one person's with them.

    In:   silver.identities; list_touched's frame.
    Out:  node (unique).
    """
    open_now = identities.where(F.col("known_until").isNull()).select(_node(), "person_id")
    nodes = touched.select("node").distinct()
    persons = open_now.join(nodes, on="node", how="left_semi").select("person_id").distinct()
    members = open_now.join(persons, on="person_id", how="left_semi").select("node")
    return members.union(nodes).distinct()


def restate_identities(identities: DataFrame, affected: DataFrame, persons: DataFrame, as_of: date) -> DataFrame:
    """The history of all identifiers, with what is known now of the affected ones from as_of on.

    In:   silver.identities, without a day after as_of; node (unique); node (unique), person_id of
          those of the affected that are some person's.
    Out:  silver.identities.
    Rule: what a run of the same day had written of the affected is forgotten first, so that the
          last run of a day counts. A stretch ends on as_of where the person is another or none.
    """
    is_affected = affected.select("node", F.lit(True).alias("is_affected"))
    now = persons.select("node", F.col("person_id").alias("person_now"))
    joined = identities.withColumn("node", _node()).join(is_affected, on="node", how="left")
    kept = joined.where(F.col("is_affected").isNull() | (F.col("known_from") < F.lit(as_of)))
    history = kept.join(now, on="node", how="left")
    is_current = F.col("is_affected") & F.coalesce(F.col("known_until") >= F.lit(as_of), F.lit(True))
    is_still = F.col("person_id").eqNullSafe(F.col("person_now"))
    until = F.when(is_current, F.when(~is_still, F.lit(as_of))).otherwise(F.col("known_until"))
    known = history.select(*IDENTITIES.column_names[:-1], until.alias("known_until"))
    same = history.where(is_current & is_still).select("node")
    begun = persons.join(same, on="node", how="left_anti").select(
        kind_of(F.col("node")).alias("id_kind"),
        value_of(F.col("node")).alias("id_value"),
        "person_id",
        F.lit(as_of).alias("known_from"),
        F.lit(None).cast("date").alias("known_until"),
    )
    return known.union(begun).select(*IDENTITIES.column_names)


def list_changes(identities: DataFrame, touched: DataFrame, as_of: date) -> DataFrame:
    """Who became whom on a day, and why.

    In:   silver.identities with the day's answers; touched: list_touched's frame of the links that changed
          since the latest day resolved before, by whatever code.
    Out:  ops.identity_changes of as_of.
    Rule: cause is the first of cut, guard, link, gone that befell a link of the person before.
    Edge: an identifier that was nobody's before did not change: it came. Where none befell a link, the day was
          resolved by other code than those before, and cause is code.
    """
    stretches = identities.select("id_kind", _node(), "person_id", "known_from", "known_until")
    before = stretches.where(F.col("known_until") == F.lit(as_of)).select(
        "id_kind", "node", F.col("person_id").alias("person_before")
    )
    after = stretches.where(F.col("known_from") == F.lit(as_of)).select(
        "node", F.col("person_id").alias("person_after")
    )
    moved = before.join(after, on="node", how="left").fillna("", ["person_after"])
    places = F.array(*(F.lit(state) for state in _CAUSES))
    ranked = touched.select("node", F.array_position(places, F.col("state")).alias("place"))
    befell = before.join(ranked, on="node", how="inner").groupBy("person_before").agg(F.min("place").alias("place"))
    causes = F.array(*(F.lit(cause) for cause in _CAUSES.values()))
    cause = F.coalesce(F.get(causes, F.col("place").cast("int") - 1), F.lit(_OTHER_CODE))
    counts = [F.count_if(F.col("id_kind") == kind).alias(f"n_{kind}s") for kind in KINDS]
    return (
        moved.groupBy("person_before", "person_after")
        .agg(*counts)
        .join(befell, on="person_before", how="left")
        .select("*", F.lit(as_of).alias("as_of"), cause.alias("cause"))
        .select(*IDENTITY_CHANGES.column_names)
    )


def identities_as_of(identities: DataFrame, day: date) -> DataFrame:
    """Whose each identifier was, as known at the end of a day. Out: id_kind, id_value (unique together), person_id."""
    is_known = F.col("known_from") <= F.lit(day)
    is_still = F.coalesce(F.col("known_until") > F.lit(day), F.lit(True))
    return identities.where(is_known & is_still).select("id_kind", "id_value", "person_id")


def attribute_users(events: DataFrame, identities: DataFrame) -> DataFrame:
    """Events with the person in place of the log-in.

    In:   silver.events, any span; identities_as_of's frame.
    Out:  grain and columns of events.
    Rule: user_id becomes the person of the event's log-in; without a log-in, the person of its
          cookie, or where nobody is known for that, of its device.
    Edge: a log-in of which nothing is known stays; an event of which nothing is known stays nobody's.
    """
    known = identities.select("id_kind", F.concat(F.lit("="), F.col("id_value")).alias("_key"), "person_id")
    attributed = events.withColumn("_person", F.col("user_id"))
    for kind in KINDS:
        found = known.where(F.col("id_kind") == kind).select("_key", F.col("person_id").alias("_found"))
        is_asked = F.lit(True) if kind == "user" else F.col("_person").isNull()
        asked = F.when(is_asked, F.concat(F.lit("="), F.col(f"{kind}_id")))
        # Events that do not ask get keys of their own: as nulls they would all meet on one core.
        keyed = attributed.withColumn("_key", F.coalesce(asked, F.concat(F.lit("-"), F.col("event_id"))))
        answered = keyed.join(found, on="_key", how="left")
        attributed = answered.withColumn("_person", F.coalesce("_found", "_person")).drop("_key", "_found")
    columns = [F.col("_person" if name == "user_id" else name).alias(name) for name in events.columns]
    return attributed.select(*columns)


def _node() -> Column:
    return node_of(F.col("id_kind"), F.col("id_value")).alias("node")
