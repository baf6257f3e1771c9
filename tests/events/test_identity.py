"""Links between identifiers, whom they make one person, and what was known when."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from tests.events.identifiers import events_of, identities_of, links_of, persons, union_find
from ulm_spark.config.errors import ConfigError
from ulm_spark.events.identity import IdentityRules, guard_links, observe_links
from ulm_spark.events.identity_history import attribute_users, identities_as_of, list_changes, list_touched
from ulm_spark.events.identity_stars import list_edges
from ulm_spark.pipeline.resolve_identities import connect, keep_frame

D1, D2, D3 = date(2024, 5, 1), date(2024, 5, 2), date(2024, 5, 3)


def links(frame: DataFrame, *columns: str) -> set[tuple[object, ...]]:
    rows = frame.select("left_value", "right_value", *columns).collect()
    assert len(rows) == len({row[:2] for row in rows})
    return {tuple(row) for row in rows}


def test_an_event_links_each_two_of_its_identifiers_and_one_named_alone_to_itself(spark: SparkSession) -> None:
    events = events_of(spark, "u1 c1 d1", "u1 c1", "c2", "u2", "d1 c1")
    seen = observe_links(events).selectExpr("*", "second(first_seen_at) first", "second(last_seen_at) last")
    assert links(seen, "n_events", "first", "last") == {
        ("u1", "c1", 2, 0, 1),
        ("u1", "d1", 1, 0, 0),
        ("c1", "d1", 2, 0, 4),
        ("c2", "c2", 1, 2, 2),
    }


def test_what_too_many_log_ins_share_links_nobody_unless_a_cut_frees_it(spark: SparkSession) -> None:
    seen = observe_links(events_of(spark, "u1 c1 d1", "u2 c2 d1", "u2 d2", "d2")).cache()
    shared, linked, cut = "shared", "linked", "cut"
    own = {("u1", "c1", linked), ("u2", "c2", linked), ("u2", "d2", linked), ("d2", "d2", linked)}
    of_d1 = [("u1", "d1"), ("u2", "d1"), ("c1", "d1"), ("c2", "d1")]
    assert links(guard_links(seen, IdentityRules()), "state") == own | {(*pair, shared) for pair in of_d1}
    assert links(guard_links(seen, IdentityRules(2)), "state") == own | {(*pair, linked) for pair in of_d1}
    rules = IdentityRules(cut_links=("device:d1|user:u2", "cookie:c2|device:d1"))
    freed = {("u1", "d1", linked), ("c1", "d1", linked), ("u2", "d1", cut), ("c2", "d1", cut)}
    assert links(guard_links(seen, rules), "state") == own | freed


@pytest.mark.parametrize("wrong", ["cookie:abc", "cookie:abc|login:42", "cookie:|user:42"])
def test_a_cut_that_names_no_two_identifiers_is_refused_without_saying_them(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"identity.cut_links: found no such pair at 2; expected") as refused:
        IdentityRules(cut_links=("user:1|device:2", wrong))
    assert "abc" not in str(refused.value)


@settings(max_examples=4, deadline=None, database=None)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 25), st.integers(0, 25)), min_size=1, max_size=30),
    kinds=st.lists(st.sampled_from(["user", "cookie", "device"]), min_size=26, max_size=26),
)
def test_persons_are_those_of_union_find(spark: SparkSession, pairs: set[tuple[int, int]], kinds: list[str]) -> None:
    named = [(f"{kinds[left]}:{left}", f"{kinds[right]}:{right}") for left, right in pairs]
    found, _ = connect(list_edges(links_of(spark, named)), keep_frame, many=len(named) % 2 * 100)
    rows = found.selectExpr("element_at(array('user', 'cookie', 'device'), int(left(node, 1)) + 1)", "*").collect()
    assert {f"{row[0]}:{row[1][1:]}": row[2] for row in rows} == union_find(named)


def test_a_long_chain_and_a_hub_take_few_rounds(spark: SparkSession) -> None:
    chain = [(f"cookie:{(n * 7919) % 1000}", f"cookie:{((n + 1) * 7919) % 1000}") for n in range(999)]
    hub = [("device:hub", f"cookie:h{n}") for n in range(5000)]
    found, n_rounds = connect(list_edges(links_of(spark, chain + hub)), keep_frame, many=1)
    counts = dict(found.groupBy("person_id").count().collect())
    assert counts == {"cookie:0": 1000, "cookie:h0": 5001}
    assert n_rounds <= 11  # log2 of the chain, and the round that changes nothing


def test_an_answer_holds_from_its_first_day_to_before_the_next_one(spark: SparkSession) -> None:
    known = identities_of(spark, [("cookie:c1", "cookie:c1", D1, D2), ("cookie:c1", "u1", D2, None)])
    assert [persons(identities_as_of(known, day)) for day in (date(2024, 4, 30), D1, D2, D3)] == [
        {},
        {"cookie:c1": "cookie:c1"},
        {"cookie:c1": "u1"},
        {"cookie:c1": "u1"},
    ]


def test_a_person_who_changed_though_no_link_did_changed_by_other_code(spark: SparkSession) -> None:
    known = identities_of(spark, [("cookie:c1", "cookie:c1", D1, D2), ("cookie:c1", "u1", D2, None)])
    changes = list_changes(known, list_touched(links_of(spark, []), None), D2).drop("as_of").collect()
    assert [tuple(row) for row in changes] == [("cookie:c1", "u1", 0, 1, 0, "code")]


def test_an_event_is_its_log_ins_persons_else_its_cookies_else_its_devices(spark: SparkSession) -> None:
    events = events_of(spark, "u2 c9", "u7 c1", "c1 d9", "c8 d9", "c8", "")
    known = [("user:u2", "u1"), ("user:u1", "u1"), ("cookie:c1", "u1"), ("cookie:c9", "u9"), ("device:d9", "cookie:c5")]
    answer = identities_of(spark, [(name, person, D1, None) for name, person in known])
    found = attribute_users(events, identities_as_of(answer, D1))
    assert found.columns == events.columns
    rows = found.orderBy("event_id").select("user_id", "cookie_id").collect()
    assert [row[0] for row in rows] == ["u1", "u7", "u1", "cookie:c5", None, None]
    assert [row[1] for row in rows] == ["c9", "c1", "c1", "c8", "c8", None]
