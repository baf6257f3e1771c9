"""Golden replay by person: whoever turns out to be whom, each run leaves the tables of one full run."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import (
    build_metrics,
    build_orders,
    build_sequences,
    build_user_days,
    build_user_features,
    resolve_identities,
    sessionize,
)
from tests.jobs.test_increments import TABLES, Replay, bought
from tests.sessions.shoppers import at, event
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import DAILY_ACTIVITY
from ulm_spark.contracts.identity import IDENTITIES
from ulm_spark.contracts.sequences import SEQUENCES
from ulm_spark.contracts.silver import ORDERS, SESSIONS
from ulm_spark.events.identity import IdentityRules
from ulm_spark.events.identity_history import attribute_users, identities_as_of
from ulm_spark.lake.store import LakeConf
from ulm_spark.pipeline.attributed import Attribution

pytestmark = [pytest.mark.flow, pytest.mark.slow]
FOREVER = date(9999, 1, 1)


class PersonReplay(Replay):
    """A replay whose jobs go by person; a device makes up to two log-ins one person."""

    day = date(2024, 3, 5)
    cuts: tuple[str, ...] = ()

    def run(self) -> None:
        self.resolve()
        self.restate()

    def resolve(self) -> None:
        rules = IdentityRules(max_users_per_device=2, cut_links=self.cuts)
        resolve_identities.run(self.spark, resolve_identities.Conf(lake=self.conf, identity=rules), self.day)

    def restate(self) -> None:
        by_person = Attribution(attributes_users=True, cut_links=self.cuts)
        for job in (sessionize, build_orders, build_user_days):
            job.run(self.spark, job.Conf(lake=self.conf, identity=by_person), self.day)

    def next_day(self, *cuts: str) -> None:
        self.day, self.cuts = self.day + timedelta(days=1), cuts

    def events(self) -> DataFrame:
        return attribute_users(super().events(), identities_as_of(self.lake.read(IDENTITIES), FOREVER))

    def users(self) -> list[set[str]]:
        """Whose the visits are, and the orders."""
        return [{row[0] for row in self.lake.read(t).select("user_id").collect()} for t in (SESSIONS, ORDERS)]


@pytest.fixture(scope="module")
def replay(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> PersonReplay:
    """u and w, each with a cookie, a visitor without a log-in, and x, of whom no cookie is known."""
    folder: Path = tmp_path_factory.mktemp("persons")
    replay = PersonReplay(spark, LakeConf(root=str(folder / "lake")))
    replay.arrive([])
    assert replay.kept() == [[]] * len(TABLES)
    rows = [
        event("a1", at(0), user_id="u", cookie_id="c1"),
        bought("a2", 10, 3, user_id="u", cookie_id="c1"),
        event("b1", at(20), user_id="w", cookie_id="c2"),
        bought("b2", 25, 2, user_id="w", cookie_id="c2", order_id="o"),
        event("n1", at(45), user_id=None, cookie_id="c3"),
        bought("n2", 47, 1, user_id=None, cookie_id="c3"),
        event("g1", at(48), user_id=None),
        event("x1", at(30), user_id="x"),
        bought("x2", 31, 1, user_id="x"),
    ]
    replay.arrive(rows)
    return replay


def test_a_visitor_who_logs_in_and_a_device_of_two_join_the_visits_and_orders_of_before(replay: PersonReplay) -> None:
    assert replay.kept() == replay.anew()
    assert replay.users() == [{"u", "w", "x", "cookie:c3"}] * 2
    replay.next_day()
    logs_in = event("n3", at(1500), user_id="u", cookie_id="c3")
    shared = [event("d1", at(3000), user_id="u", device_id="d"), event("d2", at(3010), user_id="w", device_id="d")]
    replay.arrive([logs_in, *shared, bought("r1", 3020, 4, "return", user_id="w")])  # both changes in one pass
    assert replay.kept() == replay.anew()
    assert replay.users() == [{"u", "x"}] * 2


def test_a_run_without_a_change_writes_nothing_and_a_newcomer_leaves_others_alone(replay: PersonReplay) -> None:
    before = replay.versions()
    replay.day -= timedelta(days=1)
    replay.run()  # a day before the latest: by what is known now
    assert replay.versions() == before
    replay.day += timedelta(days=2)
    replay.arrive([event("y1", at(5000), user_id="y", cookie_id="c7")])
    written = replay.rows_written()
    assert (written["build_orders"], written["sessionize"], written["build_user_days"]) == (0, 1, 2)
    assert replay.users() == [{"u", "x", "y"}, {"u", "x"}]


def test_a_cut_takes_the_two_apart_and_late_events_find_their_person(replay: PersonReplay) -> None:
    replay.next_day("user:w|device:d")
    replay.arrive([event("l1", at(12), user_id=None, cookie_id="c2"), bought("l2", 26, 1, "return", user_id="w")])
    assert replay.kept() == replay.anew()
    assert replay.users()[0] == {"u", "w", "x", "y"}


def test_a_third_log_in_makes_the_device_a_shared_one_and_what_is_gone_takes_its_link_along(
    replay: PersonReplay,
) -> None:
    replay.next_day()  # without the cut the two are one again, in a state that visits never see
    replay.resolve()
    replay.next_day()
    third = [event("d3", at(6000), user_id="z", device_id="d"), event("d4", at(6001), user_id=None, device_id="d")]
    replay.arrive(third, gone=["n3", "b2"])
    assert replay.kept() == replay.anew()
    assert replay.users()[0] == {"u", "w", "x", "y", "z", "cookie:c3"}


def test_what_is_described_and_counted_are_the_persons_of_the_visits(replay: PersonReplay) -> None:
    by_person = Attribution(attributes_users=True)
    for job in (build_sequences, build_metrics):
        job.run(replay.spark, job.Conf(lake=replay.conf, identity=by_person), replay.day)
    # Features are made of silver.user_days, whose users are the persons.
    build_user_features.run(replay.spark, build_user_features.Conf(lake=replay.conf), replay.day)
    users = {row[0] for row in replay.lake.read(USER_FEATURES).select("user_id").collect()}
    assert users == replay.users()[0]
    assert {row[0] for row in replay.lake.read(SEQUENCES).select("user_id").collect()} <= users
    days = {str(row[0]): row[1] for row in replay.lake.read(DAILY_ACTIVITY).select("day_on", "n_users").collect()}
    known = replay.events().where("user_id is not null").groupBy("event_on").agg(F.count_distinct("user_id"))
    assert days.items() >= {str(row[0]): row[1] for row in known.collect()}.items()
