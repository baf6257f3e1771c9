"""The job that links users, over real Delta tables."""

from datetime import timedelta

import pytest
from pyspark.sql import SparkSession

from jobs import link_users
from tests.frames import rows_of, texts_of
from tests.users.shop_rows import AS_OF, ZONE, Row, at, event, line
from ulm_spark.config.shop import ShopConf
from ulm_spark.contracts.identity import IDENTITIES
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.relations import USER_COMMUNITIES, USER_LINKS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES
from ulm_spark.contracts.table import Table
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.pipeline.attributed import Attribution

DEVICES = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "z"}


def fill(spark: SparkSession, lake: Lake, table: Table, rows: list[Row]) -> None:
    lake.create(table)
    lake.append(rows_of(spark, table, rows), table)


def events() -> list[Row]:
    named = [event(user, user, at(-2), "view", device_id=device) for user, device in DEVICES.items()]
    told = event("e2", "e", at(-1), "view", attributes={"referred_by": "alias of d"})
    return [*named, told, event("late", "e", at(1), "view", device_id="x")]


def test_links_and_communities_of_a_day_stay_when_it_runs_again(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake, conf = Lake(spark, lake_conf), link_users.Conf(lake=lake_conf, shop=ShopConf(zone=ZONE))
    fill(spark, lake, EVENTS, events())
    fill(spark, lake, ORDER_LINES, [line(f"l{user}", user, at(-3)) for user in "abc"])
    link_users.run(spark, conf, AS_OF)
    before = [texts_of(lake.read(table)) for table in (USER_LINKS, USER_COMMUNITIES)]
    pairs = {(row["left_id"], row["right_id"]) for row in lake.read(USER_LINKS).collect()}
    assert pairs == {("a", "b"), ("a", "c"), ("b", "c"), ("c", "d")}
    members = {row["user_id"]: row["n_members"] for row in lake.read(USER_COMMUNITIES).collect()}
    assert set(members) == {"a", "b", "c", "d"}
    link_users.run(spark, conf, AS_OF)
    assert [texts_of(lake.read(table)) for table in (USER_LINKS, USER_COMMUNITIES)] == before
    link_users.run(spark, conf, AS_OF + timedelta(days=1))
    assert lake.read(USER_LINKS).where(f"as_of = DATE'{AS_OF}'").count() == len(pairs)
    assert lake.read(USER_LINKS).count() == 2 * len(pairs) + 2  # the day after, e came from device x


def test_an_empty_lake_gives_empty_tables(spark: SparkSession, lake_conf: LakeConf) -> None:
    link_users.run(spark, link_users.Conf(lake=lake_conf), AS_OF)
    lake = Lake(spark, lake_conf)
    assert [lake.read(table).count() for table in (USER_LINKS, USER_COMMUNITIES)] == [0, 0]
    assert [row["status"] for row in lake.read(RUNS).collect()] == ["done"]


@pytest.mark.flow
def test_log_ins_of_one_person_are_one_user(spark: SparkSession, lake_conf: LakeConf) -> None:
    """Also the log-in that another names as the one who brought him."""
    lake = Lake(spark, lake_conf)
    fill(spark, lake, EVENTS, events())
    fill(spark, lake, ORDER_LINES, [])
    logins = {"b": "a", "alias of d": "d"}
    known = [
        {"id_kind": "user", "id_value": login, "person_id": person, "known_from": AS_OF}
        for login, person in logins.items()
    ]
    fill(spark, lake, IDENTITIES, known)
    conf = link_users.Conf(lake=lake_conf, shop=ShopConf(zone=ZONE), identity=Attribution(attributes_users=True))
    link_users.run(spark, conf, AS_OF)
    links = {(row["left_id"], row["right_id"]): row["evidence"][0]["kind"] for row in lake.read(USER_LINKS).collect()}
    assert links == {("c", "d"): "device", ("d", "e"): "referral"}
