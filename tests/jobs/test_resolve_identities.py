"""The identity job over real Delta tables: day by day, at once, again, cut, guarded and killed."""

from dataclasses import replace
from datetime import date

import pytest
from pyspark.sql import SparkSession

from jobs import resolve_identities
from tests.events.identifiers import events_of, persons
from ulm_spark.contracts.identity import IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity import IdentityRules
from ulm_spark.events.identity_history import identities_as_of
from ulm_spark.lake.ledger import Run
from ulm_spark.lake.store import Lake, LakeConf

D1, D2, D3, D4 = (date(2024, 5, day) for day in (1, 2, 3, 4))
TABLES = (IDENTITY_LINKS, IDENTITIES, IDENTITY_CHANGES)
# Day 1: an anonymous visitor, two shoppers, a lone pair. Day 2: the visitor logs in. Day 3: d2 turns out to be shared.
DAYS = {
    D1: ("c1 d1", "c1", "u2 c2 d2", "c3 d3"),
    D2: ("u1 c1", "u1 d4", "u2 c4"),
    D3: ("u3 c5 d2", "c4 d9"),
}


class Home:
    """A lake with events, and the job run on it."""

    def __init__(self, spark: SparkSession, conf: LakeConf, **rules: object) -> None:
        self.spark, self.lake = spark, Lake(spark, conf)
        self.conf = resolve_identities.Conf(lake=conf, identity=IdentityRules(**rules))  # type: ignore[arg-type]
        self.lake.create(EVENTS)

    def arrive(self, *days: date) -> None:
        for day in days:
            self.lake.append(events_of(self.spark, *DAYS[day], on=str(day)), EVENTS)

    def run(self, day: date, **rules: object) -> None:
        identity = replace(self.conf.identity, **rules)  # type: ignore[arg-type]
        resolve_identities.run(self.spark, replace(self.conf, identity=identity), day)

    def known(self, day: date) -> dict[str, str]:
        return persons(identities_as_of(self.lake.read(IDENTITIES), day))

    def changes(self, day: date) -> list[tuple[object, ...]]:
        rows = self.lake.read(IDENTITY_CHANGES).where(f"as_of = '{day}'").drop("as_of").collect()
        return sorted(tuple(row) for row in rows)

    def rows(self) -> dict[str, list[str]]:
        return {table.name: sorted(self.lake.read(table).toJSON().collect()) for table in TABLES}


FIRST = {
    "cookie:c1": "cookie:c1",
    "device:d1": "cookie:c1",
    **dict.fromkeys(("user:u2", "cookie:c2", "device:d2"), "u2"),
    **dict.fromkeys(("cookie:c3", "device:d3"), "cookie:c3"),
}
SECOND = {
    **FIRST,
    **dict.fromkeys(("user:u1", "cookie:c1", "device:d1", "device:d4"), "u1"),
    "cookie:c4": "u2",
}
THIRD = {**SECOND, "user:u3": "u3", "cookie:c5": "u3", "device:d9": "u2"}
del THIRD["device:d2"]


@pytest.mark.flow
def test_days_one_by_one_end_where_one_run_does_and_each_days_answer_stays(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    home = Home(spark, lake_conf)
    home.arrive(D2, D1)
    home.run(D1)
    home.run(D2)
    home.arrive(D3)
    home.run(D3)
    assert [home.known(day) for day in (D1, D2, D3)] == [FIRST, SECOND, THIRD]
    assert home.changes(D2) == [("cookie:c1", "u1", 0, 1, 1, "link")]
    assert home.changes(D3) == [("u2", "", 0, 0, 1, "guard")]

    before = home.rows()
    home.run(D3)
    home.run(D2)  # before the latest: left as it is
    assert home.rows() == before
    said = home.lake.read(RUNS).orderBy("started_at").collect()[-1]
    assert said["message"].startswith(f"found identities known as of {D3} already")

    home.run(D4, cut_links=("user:u1|cookie:c1",))  # no link of u1 is left to c1 and d1
    assert home.known(D4) == {**THIRD, "cookie:c1": "cookie:c1", "device:d1": "cookie:c1"}
    assert home.changes(D4) == [("u1", "cookie:c1", 0, 1, 1, "cut")]
    home.run(D4)  # the same day without the cut: as if it had never been
    assert (home.known(D4), home.changes(D4)) == (THIRD, [])
    assert home.known(D3) == THIRD


@pytest.mark.flow
def test_all_days_at_once_after_a_killed_run_and_with_late_events_end_in_the_same(
    spark: SparkSession, lake_conf: LakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(spark, lake_conf)
    home.arrive(D3, D1)
    home.run(D3)
    home.arrive(D2)  # late
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Run, "replace", die)  # after the links and the identities
        with pytest.raises(KeyboardInterrupt):
            home.run(D3)
    home.run(D3)
    assert home.known(D3) == THIRD
    assert home.changes(D3) == []

    home.lake.delete(EVENTS, f"event_on >= '{date(1970, 1, 1)}'")  # a source that was read again, without them
    home.run(D4)
    assert home.known(D4) == {}
    assert {row[-1] for row in home.changes(D4)} == {"gone"}


def test_where_no_event_names_a_cookie_or_a_device_nothing_is_known(spark: SparkSession, lake_conf: LakeConf) -> None:
    home = Home(spark, lake_conf)
    home.lake.append(events_of(spark, "u1", ""), EVENTS)
    home.run(D2)
    home.run(D1)
    assert home.rows() == {table.name: [] for table in TABLES}
    assert {row["message"] for row in home.lake.read(RUNS).collect()} == {None}
