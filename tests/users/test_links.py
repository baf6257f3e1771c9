"""Links between users: Adamic and Adar's weight beside plain loops, what counts as evidence, and what does not."""

import math
import random
from collections import defaultdict
from datetime import date, timedelta
from itertools import combinations

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of, texts_of
from tests.users.shop_rows import AS_OF, ZONE, Row, at, event, line
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.relations import USER_LINKS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES
from ulm_spark.lake.literal import frame_of
from ulm_spark.users.links import link_users, list_known, list_referrals, list_uses
from ulm_spark.users.relations_conf import RelationsConf

PAIR = 1 / math.log(2)
Link = tuple[float, dict[str, tuple[float, int]]]


def links_frame(
    spark: SparkSession, events: list[Row], lines: list[Row], conf: RelationsConf | None = None, as_of: date = AS_OF
) -> DataFrame:
    seen, bought = rows_of(spark, EVENTS, events), rows_of(spark, ORDER_LINES, lines)
    uses = list_uses(bought, seen, as_of, ZONE)
    referrals, known = list_referrals(seen, as_of, ZONE), list_known(seen, as_of, ZONE)
    return link_users(uses, referrals, known, conf or RelationsConf(), as_of)


def as_links(frame: DataFrame) -> dict[tuple[str, str], Link]:
    return {
        (row["left_id"], row["right_id"]): (
            row["weight"],
            {one["kind"]: (one["weight"], one["n"]) for one in row["evidence"]},
        )
        for row in frame.collect()
    }


def seen(event_id: str, user_id: str | None, **more: object) -> Row:
    return event(event_id, user_id, at(-1), "view", **more)


def bought(line_id: str, user_id: str | None, product_id: str, **more: object) -> Row:
    return line(line_id, user_id, at(-1), product_id=product_id, **more)


def random_facts(seed: int, n_users: int) -> tuple[list[Row], list[Row]]:
    draw = random.Random(seed)
    lines = [
        line(f"l{n}", f"u{draw.randrange(n_users)}", at(draw.randint(-9, 4)), product_id=f"p{draw.randrange(25)}")
        for n in range(n_users * 4)
    ]
    events = [
        event(
            f"e{n}",
            f"u{draw.randrange(n_users)}",
            at(draw.randint(-9, 4)),
            "view",
            device_id=draw.choice((None, f"d{draw.randrange(n_users)}")),
            cookie_id=draw.choice((None, f"d{draw.randrange(n_users)}")),
            attributes=draw.choice((None, {}, {"address_hash": f"a{draw.randrange(9)}"})),
        )
        for n in range(n_users * 3)
    ]
    return events, lines


def plain_links(events: list[Row], lines: list[Row], most_users: int) -> dict[tuple[str, str], int]:
    """Billionths of weight by pair, by loops over things and pairs."""
    users_of = defaultdict(set)
    for row in lines:
        if row["lined_at"] < at(1, 0):  # type: ignore[operator]
            users_of["product", row["product_id"]].add(str(row["user_id"]))
    for row in events:
        if row["event_at"] < at(1, 0):  # type: ignore[operator]
            attributes = row["attributes"] or {}
            assert isinstance(attributes, dict)
            values = row["device_id"], row["cookie_id"], attributes.get("address_hash")
            for kind, value in zip(("device", "cookie", "address"), values, strict=True):
                if value is not None:
                    users_of[kind, value].add(str(row["user_id"]))
    weights: dict[tuple[str, str], int] = defaultdict(int)
    for users in users_of.values():
        if 2 <= len(users) <= most_users:
            for pair in combinations(sorted(users), 2):
                weights[pair] += round(1e9 / math.log(len(users)))
    return weights


def test_weights_are_exactly_those_of_plain_loops(spark: SparkSession) -> None:
    events, lines = random_facts(1, 40)
    plain = plain_links(events, lines, most_users=8)
    frame = links_frame(spark, events, lines, RelationsConf(max_users_per_thing=8, max_links_per_user=1000))
    assert {pair: weight for pair, (weight, _) in as_links(frame).items()} == {k: v / 1e9 for k, v in plain.items()}


def test_only_the_heaviest_links_of_either_end_stay(spark: SparkSession) -> None:
    events, lines = random_facts(2, 30)
    plain = plain_links(events, lines, most_users=200)
    neighbours = defaultdict(list)
    for (left, right), weight in plain.items():
        neighbours[left].append((-weight, right))
        neighbours[right].append((-weight, left))
    kept = {tuple(sorted((user, other))) for user, others in neighbours.items() for _, other in sorted(others)[:3]}
    frame = links_frame(spark, events, lines, RelationsConf(max_links_per_user=3))
    assert set(as_links(frame)) == kept
    assert len(kept) < len(plain)


def test_each_kind_of_evidence_has_its_share_and_its_count(spark: SparkSession) -> None:
    events = [
        seen("1", "a", device_id="x", cookie_id="x", attributes={"address_hash": "h"}),
        seen("2", "b", device_id="x", cookie_id="x", attributes={"address_hash": "h", "referred_by": "a"}),
        seen("3", "c", device_id="x"),
    ]
    lines = [bought("1", "a", "p"), bought("2", "b", "p"), bought("3", "a", "q"), bought("4", "b", "q")]
    weight, evidence = as_links(links_frame(spark, events, lines))["a", "b"]
    trio = 1 / math.log(3)
    expected = {"co_purchase": (2 * PAIR, 2), "device": (trio + PAIR, 2), "address": (PAIR, 1), "referral": (PAIR, 1)}
    assert {kind: n for kind, (_, n) in evidence.items()} == {kind: n for kind, (_, n) in expected.items()}
    for kind, (share, _) in evidence.items():
        assert share == pytest.approx(expected[kind][0], abs=2e-9)
    assert list(evidence) == ["co_purchase", "device", "address", "referral"]
    assert weight == pytest.approx(sum(share for share, _ in evidence.values()), abs=1e-9)


def test_no_raw_value_is_in_the_links(spark: SparkSession) -> None:
    events = [seen(str(n), user, device_id="RAW1", attributes={"address_hash": "RAW2"}) for n, user in enumerate("ab")]
    frame = links_frame(spark, events, [bought("1", "a", "RAW3"), bought("2", "b", "RAW3")])
    (text,) = texts_of(frame)
    assert "RAW" not in text
    expected = frame_of(spark, USER_LINKS, []).schema
    assert [(f.name, f.dataType.simpleString()) for f in frame.schema] == [
        (f.name, f.dataType.simpleString()) for f in expected
    ]


def test_a_device_and_a_cookie_of_one_name_are_two_things(spark: SparkSession) -> None:
    assert as_links(links_frame(spark, [seen("1", "a", device_id="x"), seen("2", "b", cookie_id="x")], [])) == {}


def test_postage_returns_guests_and_empty_texts_link_nobody(spark: SparkSession) -> None:
    lines = [
        *(bought(f"1{user}", user, "post", is_item=False) for user in "ab"),
        *(bought(f"2{user}", user, "back", line_type="return") for user in "ab"),
        *(bought(f"3{user}", user, "guest") for user in ("a", None)),
    ]
    nothing = {"device_id": "", "cookie_id": "", "attributes": {"address_hash": "", "referred_by": ""}}
    events = [*(seen(user, user, **nothing) for user in "ab"), seen("3", None, device_id="x")]
    assert as_links(links_frame(spark, [*events, seen("4", "a", device_id="x")], lines)) == {}


def test_a_thing_of_more_users_than_the_bound_links_nobody(spark: SparkSession) -> None:
    lines = [
        *(bought(f"1{user}", user, "all") for user in "abcd"),
        *(bought(f"2{user}", user, "few") for user in "abc"),
    ]
    links = as_links(links_frame(spark, [], lines, RelationsConf(max_users_per_thing=3)))
    assert set(links) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert {evidence["co_purchase"][1] for _, evidence in links.values()} == {1}


def test_a_referral_counts_once_between_two_who_are_known(spark: SparkSession) -> None:
    events = [
        seen("1", "a"),
        seen("2", "b", attributes={"referred_by": "a"}),
        seen("3", "b", attributes={"referred_by": "a"}),
        seen("4", "a", attributes={"referred_by": "b"}),
        seen("5", "b", attributes={"referred_by": "b"}),
        seen("6", "b", attributes={"referred_by": "somebody@example.org"}),
    ]
    link = (pytest.approx(PAIR, abs=1e-9), {"referral": (pytest.approx(PAIR, abs=1e-9), 1)})
    assert as_links(links_frame(spark, events, [])) == {("a", "b"): link}


def test_facts_after_the_end_of_the_day_move_nothing(spark: SparkSession) -> None:
    events, lines = random_facts(3, 15)
    late = at(1, 0)  # the first instant after the day
    future = [
        *(event(f"f{user}", user, late, "view", device_id="late", cookie_id="late") for user in ("u1", "u2", "u9")),
        event("f", "u1", late, "view", attributes={"referred_by": "u2", "address_hash": "late"}),
        event("g", "newcomer", late + timedelta(days=3), "view"),
    ]
    bought_later = [line(f"f{user}", user, late, product_id="p1") for user in ("u1", "u2", "u3", "u4")]
    before = texts_of(links_frame(spark, events, lines))
    assert texts_of(links_frame(spark, events + future, lines + bought_later)) == before
    assert (
        texts_of(links_frame(spark, events + future, lines + bought_later, as_of=AS_OF + timedelta(days=1))) != before
    )


def test_order_and_partitions_do_not_matter(spark: SparkSession) -> None:
    events, lines = random_facts(4, 20)
    before = texts_of(links_frame(spark, events, lines))
    random.Random(1).shuffle(events)
    random.Random(2).shuffle(lines)
    seen, bought = rows_of(spark, EVENTS, events).repartition(3), rows_of(spark, ORDER_LINES, lines).repartition(3)
    uses = list_uses(bought, seen, AS_OF, ZONE)
    referrals, known = list_referrals(seen, AS_OF, ZONE), list_known(seen, AS_OF, ZONE)
    assert texts_of(link_users(uses, referrals, known, RelationsConf(), AS_OF)) == before


@pytest.mark.parametrize("users", ["", "a"])
def test_nobody_and_a_single_user_have_no_links(spark: SparkSession, users: str) -> None:
    events = [seen(user, user, device_id="x", attributes={"referred_by": user}) for user in users]
    assert as_links(links_frame(spark, events, [bought(user, user, "p") for user in users])) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_users_per_thing": 1}, r"relations\.max_users_per_thing: found 1; expected at least 2"),
        ({"max_links_per_user": 0}, r"relations\.max_links_per_user"),
        ({"max_rounds": 0}, r"relations\.max_rounds"),
        ({"resolution": 0.0}, r"relations\.resolution: found 0\.0; expected a number above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RelationsConf(**settings)  # type: ignore[arg-type]
