"""Planted devices and cookies: nothing of them by default, and found again where the config asks for them."""

import hashlib
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.events.identifiers import persons
from tests.shop.conftest import SMALL, Shop, simulated
from ulm_spark.contracts import truth
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity import IdentityRules, guard_links, kind_of, observe_links, value_of
from ulm_spark.events.identity_stars import list_edges
from ulm_spark.lake.literal import schema_of
from ulm_spark.pipeline.resolve_identities import connect, keep_frame
from ulm_spark.shop.identities import IdentityLaw

# All lines of the small shop, sorted, as they were before there was a law of identities.
LINES_SHA256 = "b05cea1a8afac6e56879a99075830235feef58d1edc86ed8fa2e71eb569e8783"
SEEN = replace(
    SMALL,
    n_users=60,
    n_items=40,
    n_days=60,
    identities=IdentityLaw(sends_ids=True, household_share=0.3, library_share=0.05),
)


def test_by_default_the_lines_are_what_they_always_were(shop: Shop) -> None:
    text = b"\n".join(sorted(bytes(line) for line in shop.lines.line))
    assert hashlib.sha256(text).hexdigest() == LINES_SHA256
    assert len(shop.table(truth.IDENTITIES)) == 0


@pytest.mark.slow
def test_planted_identifiers_are_found_again_and_no_log_in_becomes_another(spark: SparkSession) -> None:
    coded, made = simulated(spark, SEEN, 2)
    coded.persist()
    own = made.lines.where("kind = 'event' AND event_id NOT LIKE 'l%'")
    events = own.select(F.from_json(F.decode("line", "UTF-8"), schema_of(EVENTS)).alias("e")).select("e.*").persist()
    rows = events.groupBy("event_type").agg(F.avg(F.col("user_id").isNotNull().cast("int"))).collect()
    logged_in = {row[0]: row[1] for row in rows}
    assert {logged_in[kind] for kind in ("purchase", "return", "review")} == {1.0}
    assert 0.5 < logged_in["view"] < 0.75

    named, _ = connect(list_edges(guard_links(observe_links(events), IdentityRules())), keep_frame)
    node = F.col("node")
    found = persons(named.select(kind_of(node).alias("id_kind"), value_of(node).alias("id_value"), "person_id"))
    planted = dict(made.truth)[truth.IDENTITIES].toPandas()
    assert planted.is_shared.sum() > 5
    of_one = planted[~planted.is_shared]
    names = (of_one.id_kind + ":" + of_one.id_value).tolist()
    pairs = [(found.get(name), user) for name, user in zip(names, of_one.user_id, strict=True)]
    assert len(pairs) > 100
    assert sum(person == user for person, user in pairs) > 0.9 * len(pairs)
    # On a shared device where one shopper alone ever logged in, the others' visits are taken for theirs.
    wrong = [person for person, user in pairs if person and person.startswith("u") and person != user]
    assert len(wrong) < 0.05 * len(pairs)
    assert all(person == name[5:] for name, person in found.items() if name.startswith("user:"))
