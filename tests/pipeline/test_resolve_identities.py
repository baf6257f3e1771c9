"""Identities day by day: at once, again, late, cut, guarded and killed, over tables in memory."""

from datetime import date

import pytest
from pyspark.sql import SparkSession

from tests.events.identifiers import Home, events_of
from ulm_spark.contracts.identity import IDENTITIES, IDENTITY_CHANGES
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity import IdentityRules

D1, D2, D3, D4 = (date(2024, 5, day) for day in (1, 2, 3, 4))
# Day 1: an anonymous visitor, a shopper, a lone pair. Day 2: the visitor logs in. Day 3: d2 turns out to be shared.
DAYS = {
    D1: ("c1 d1", "c1", "u2 c2 d2", "c3 d3"),
    D2: ("u1 c1", "u1 d4", "u2 c4"),
    D3: ("u3 c5 d2", "c4 d9"),
    D4: ("u1 d1",),
}
FIRST = {
    **dict.fromkeys(("cookie:c1", "device:d1"), "cookie:c1"),
    **dict.fromkeys(("user:u2", "cookie:c2", "device:d2"), "u2"),
    **dict.fromkeys(("cookie:c3", "device:d3"), "cookie:c3"),
}
SECOND = {**FIRST, **dict.fromkeys(("user:u1", "cookie:c1", "device:d1", "device:d4"), "u1"), "cookie:c4": "u2"}
THIRD = {**SECOND, "user:u3": "u3", "cookie:c5": "u3", "device:d9": "u2"}
del THIRD["device:d2"]


def test_days_one_by_one_end_where_one_run_does_and_each_days_answer_stays(spark: SparkSession) -> None:
    home = Home(spark, DAYS)
    home.arrive(D2, D1)
    home.run(D1)
    home.run(D2)
    home.arrive(D3)
    home.run(D3)
    assert [home.known(day) for day in (D1, D2, D3)] == [FIRST, SECOND, THIRD]
    assert home.changes(D2) == [("cookie:c1", "u1", 0, 1, 1, "link")]
    assert home.changes(D3) == [("u2", "", 0, 0, 1, "guard")]
    before = home.tables()
    home.run(D3)
    home.run(D2)  # before the latest: left as it is
    assert home.tables() == before
    assert home.ledger.said[-1].startswith(f"found identities known as of {D3} already")


def test_a_cut_takes_a_merge_back_and_without_it_the_day_is_as_if_it_had_never_been(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, rules = Home(spark, DAYS), IdentityRules(cut_links=("user:u1|cookie:c1",))
    home.arrive(D1, D2)
    home.run(D2)
    assert home.known(D2) == SECOND
    home.run(D3, rules)  # no link of u1 is left to c1 and d1
    assert home.known(D3) == {**SECOND, "cookie:c1": "cookie:c1", "device:d1": "cookie:c1"}
    assert home.changes(D3) == [("u1", "cookie:c1", 0, 1, 1, "cut")]
    when_cut = {name: [*rows] for name, rows in home.ledger.rows.items()}
    home.run(D3)
    assert (home.known(D3), home.changes(D3)) == (SECOND, [])
    assert home.known(D2) == SECOND
    home.ledger.rows = when_cut
    home.arrive(D4)
    monkeypatch.setattr("ulm_spark.pipeline.resolve_identities.code_version", lambda: "newer")
    home.run(D4, rules)  # the cut befell a day that other code resolved, and is none of the day's causes
    assert home.changes(D4) == [("cookie:c1", "u1", 0, 1, 1, "link")]


def test_a_killed_run_and_late_events_end_in_the_same_and_what_is_gone_is_nobodys(spark: SparkSession) -> None:
    home = Home(spark, DAYS)
    home.arrive(D3, D1)
    home.run(D3)
    home.arrive(D2)  # late
    home.ledger.dies_at = IDENTITY_CHANGES  # after the links and the identities
    with pytest.raises(KeyboardInterrupt):
        home.run(D3)
    home.ledger.dies_at = None
    home.run(D3)
    assert (home.known(D3), home.changes(D3)) == (THIRD, [])
    home.ledger.rows[EVENTS.name] = []  # a source that was read again, without them
    home.run(D4)
    assert (home.known(D4), home.known(D3)) == ({}, THIRD)
    assert {row[-1] for row in home.changes(D4)} == {"gone"}


@pytest.mark.parametrize("died", [D2, D1], ids=["a new day", "a day that was resolved before"])
def test_the_next_day_finds_what_a_run_that_died_had_found(spark: SparkSession, died: date) -> None:
    home = Home(spark, DAYS)
    home.arrive(D1)
    home.run(D1)
    home.ledger.append(events_of(spark, *DAYS[D2], on=str(died)), EVENTS)
    home.ledger.dies_at = IDENTITIES  # after the links, which say that they are of that day
    with pytest.raises(KeyboardInterrupt):
        home.run(died)
    home.ledger.dies_at = None
    home.run(D3)
    before = home.tables()
    assert home.known(D3) == SECOND
    assert home.changes(D3) == [("cookie:c1", "u1", 0, 1, 1, "link")]
    home.run(D3)
    assert home.tables() == before
