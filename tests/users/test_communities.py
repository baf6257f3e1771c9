"""Communities of users, by one task and by all: planted groups, numbers, influence, and nothing of the order."""

from datetime import date

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of, texts_of
from ulm_spark.contracts.relations import USER_COMMUNITIES, USER_LINKS
from ulm_spark.lake.literal import frame_of
from ulm_spark.pipeline.resolve_identities import keep_frame
from ulm_spark.users.communities import fit_communities
from ulm_spark.users.community_rounds import fit_labels, number_labels
from ulm_spark.users.relations_conf import RelationsConf

AS_OF = date(2024, 3, 31)
ONE_TASK, ALL_TASKS = RelationsConf(), RelationsConf(max_links_on_one_machine=0, max_rounds=8)
Pairs = list[tuple[str, str, float]]


def clique(letters: str, weight: float = 2.0) -> Pairs:
    return [(a, b, weight) for a in letters for b in letters if a < b]


# Two groups and a pair; one weak link between the groups.
GROUPS = [*clique("prst"), *clique("cdefg"), *clique("ab"), ("g", "p", 0.5)]


def links_of(spark: SparkSession, pairs: Pairs) -> DataFrame:
    rows = [{"as_of": AS_OF, "left_id": a, "right_id": b, "weight": weight} for a, b, weight in pairs]
    return rows_of(spark, USER_LINKS, rows)


def communities(spark: SparkSession, pairs: Pairs, conf: RelationsConf) -> DataFrame:
    return fit_communities(links_of(spark, pairs), len(pairs), conf, AS_OF, keep_frame)


@pytest.fixture(scope="module", params=[ONE_TASK, ALL_TASKS], ids=["one task", "all tasks"])
def found(request: pytest.FixtureRequest, spark: SparkSession) -> DataFrame:
    return communities(spark, GROUPS, request.param).cache()


def test_planted_groups_are_numbered_by_size(found: DataFrame) -> None:
    rows = {row["user_id"]: row for row in found.collect()}
    assert {user: (row["community"], row["n_members"]) for user, row in rows.items()} == {
        **dict.fromkeys("cdefg", (0, 5)),
        **dict.fromkeys("prst", (1, 4)),
        **dict.fromkeys("ab", (2, 2)),
    }
    assert {user: row["degree"] for user, row in rows.items() if user in "agps"} == {"a": 1, "g": 5, "p": 4, "s": 3}


def test_influence_is_pagerank_with_a_mean_of_one(found: DataFrame, request: pytest.FixtureRequest) -> None:
    rows = {row["user_id"]: row["influence"] for row in found.collect()}
    users = sorted(rows)
    matrix = np.zeros((len(users), len(users)))
    for a, b, weight in GROUPS:
        matrix[users.index(a), users.index(b)] = matrix[users.index(b), users.index(a)] = weight
    step = matrix / matrix.sum(axis=1, keepdims=True)
    solved = np.linalg.solve(np.eye(len(users)) - 0.85 * step.T, np.full(len(users), 0.15))
    is_one_task = "one task" in request.node.name
    np.testing.assert_allclose([rows[user] for user in users], solved, atol=1e-8 if is_one_task else 0.02)
    assert np.mean(list(rows.values())) == pytest.approx(1, abs=1e-6)


def test_the_frame_is_the_contracts(spark: SparkSession, found: DataFrame) -> None:
    expected = frame_of(spark, USER_COMMUNITIES, []).schema
    assert [(f.name, f.dataType) for f in found.schema] == [(f.name, f.dataType) for f in expected]


def test_the_order_and_partitions_of_the_links_do_not_matter(spark: SparkSession) -> None:
    shuffled = links_of(spark, GROUPS[::-1]).repartition(3)
    for conf in (ONE_TASK, RelationsConf(max_links_on_one_machine=0, max_rounds=2)):
        again = fit_communities(shuffled, len(GROUPS), conf, AS_OF, keep_frame)
        assert texts_of(again) == texts_of(communities(spark, GROUPS, conf))


def test_communities_of_one_size_are_numbered_by_the_smallest_member(spark: SparkSession) -> None:
    rows = communities(spark, [("y", "z", 1.0), ("B", "a", 1.0), ("É", "é", 1.0)], ONE_TASK).collect()
    # By the bytes of the ids: capitals, small letters, accents.
    expected = {"B": 0, "a": 0, "y": 1, "z": 1, "É": 2, "é": 2}
    assert {row["user_id"]: row["community"] for row in rows} == expected
    labels = rows_of(
        spark, "user_id STRING, label STRING", [{"user_id": u, "label": f"{c}"} for u, c in expected.items()]
    )
    assert {row["user_id"]: row["community"] for row in number_labels(labels).collect()} == expected


def test_users_that_only_follow_each_other_settle(spark: SparkSession) -> None:
    """A star and a pair: where all moved at once, labels would swap for ever."""
    pairs = [*(("hub", f"tip{n}", 1.0) for n in range(6)), ("y", "z", 1.0)]
    rows = fit_labels(links_of(spark, pairs), 0.5, 12, keep_frame).collect()
    labels = {row["user_id"]: row["label"] for row in rows}
    assert len({label for user, label in labels.items() if user in "yz"}) == 1
    assert len({label for user, label in labels.items() if user not in "yz"}) == 1


def test_no_links_are_no_communities_and_one_link_is_one(spark: SparkSession) -> None:
    assert communities(spark, [], ONE_TASK).count() == 0
    rows = communities(spark, [("a", "b", 1.0)], ONE_TASK).collect()
    assert [tuple(row)[1:] for row in sorted(rows)] == [("a", 0, 2, 1.0, 1), ("b", 0, 2, 1.0, 1)]
