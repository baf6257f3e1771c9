"""Events by person: what is read, what is told of a change, and what costs nothing."""

from datetime import date
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs import sessionize, stream_events
from tests.events.identifiers import identities_of
from tests.frames import rows_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.config.load import load
from ulm_spark.contracts.identity import IDENTITIES
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.fingerprint import config_hash
from ulm_spark.lake.literal import frame_of
from ulm_spark.lake.run import Run, input_tables
from ulm_spark.pipeline.attributed import MOST_STATES, Attribution, attributed_changes, attributed_events

D1 = date(2024, 5, 1)
BY_PERSON = Attribution(attributes_users=True)
FEED = "_change_type STRING, _commit_version BIGINT"
State = dict[str, str]
Attributed = set[tuple[str, str | None]]


def whose(named: list[str], state: State) -> Attributed:
    """The oracle: an event is its log-in's person, else its cookie's, else its device's, else nobody's."""
    found: Attributed = set()
    for text in named:
        user, cookie, device = (next((word for word in text.split() if word[0] == kind), None) for kind in "ucd")
        person = state.get(f"user:{user}", user) if user else None
        found.add((text, person or state.get(f"cookie:{cookie}") or state.get(f"device:{device}")))
    return found


class Ledger:
    """The lake as far as attribution uses it; the states of identities are its versions 1, 2 and so on."""

    def __init__(self, spark: SparkSession, states: list[State], before: list[str], now: list[str]) -> None:
        self.spark, self.states, self.before, self.now, self.lake = spark, states, before, now, self
        self.inputs = {IDENTITIES.name: str(len(states))}
        self.asked: list[str] = []

    def progress(self, text: str) -> None:
        """Nobody listens."""

    def read(self, table: Table, version: int = 0) -> DataFrame:
        self.asked.append(table.name)
        if table is EVENTS:
            return rows_of(self.spark, EVENTS, [_event(text) for text in self.now])
        return identities_of(self.spark, [(name, who, D1, None) for name, who in self.states[version - 1].items()])

    def changes(self, table: Table) -> DataFrame:
        if table is EVENTS:
            came = [(text, "insert", 3) for text in self.now if text not in self.before]
            went = [(text, "delete", 2) for text in self.before if text not in self.now]
            rows = [{**_event(text), "_change_type": kind, "_commit_version": n} for text, kind, n in came + went]
            return rows_of(self.spark, f"{EVENTS.schema_ddl}, {FEED}", rows)
        feed: list[tuple[object, ...]] = []
        for version, (old, new) in enumerate(zip(self.states, self.states[1:], strict=False), 2):
            for kind, had, has in (("delete", old, new), ("insert", new, old)):
                moved = [(name, who) for name, who in had.items() if has.get(name) != who]
                feed += [(*name.split(":"), who, D1, None, kind, version) for name, who in moved]
        return frame_of(self.spark, f"{IDENTITIES.schema_ddl}, {FEED}", feed)

    def told(self) -> tuple[Attributed, Attributed]:
        """Whose the changed events were, and whose they are, as attributed_changes tells it."""
        changes = attributed_changes(cast(Run, self), BY_PERSON)
        assert changes is not None
        assert changes.columns == [*EVENTS.column_names, "_change_type", "_commit_version"]
        rows = changes.select("event_id", "user_id", "_change_type").collect()
        gone = {(row[0], row[1]) for row in rows if row[2] in ("delete", "update_preimage")}
        return gone, {(row[0], row[1]) for row in rows if row[2] in ("insert", "update_postimage")}


def _event(text: str) -> dict[str, object]:
    """An event whose id says whom it names, such as ``u1 c1 d1``."""
    letters = {"u": "user_id", "c": "cookie_id", "d": "device_id"}
    return {"event_id": text, **{letters[word[0]]: word for word in text.split()}}


def drawn_state(random: Random) -> State:
    """Some identifiers, each some person's."""
    names = ("user:u1", "user:u2", "user:u3", "cookie:c1", "cookie:c2", "device:d1", "device:d2")
    drawn = {name: random.choice(("", "u1", "u2", "cookie:c1")) for name in names}
    return {name: person for name, person in drawn.items() if person}


EVERY_EVENT = [
    text.strip() for u in ("", "u1 ", "u2 ", "u3 ") for c in ("", "c1 ", "c2 ", "c3 ") for d in ("", "d1", "d2")
    if (text := f"{u}{c}{d}").strip()
]  # fmt: skip


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 6))])
def test_what_is_told_of_a_change_makes_the_events_as_they_were_those_of_now(spark: SparkSession, seed: int) -> None:
    random = Random(seed)
    states = [drawn_state(random) for _ in range(3)]
    before, now = random.sample(EVERY_EVENT, 36), random.sample(EVERY_EVENT, 36)
    ledger = Ledger(spark, states, before, now)
    gone, came = ledger.told()
    events = attributed_events(cast(Run, ledger), BY_PERSON).select("event_id", "user_id").collect()
    assert {tuple(row) for row in events} == whose(now, states[-1])
    assert (whose(before, states[0]) - gone) | came == whose(now, states[-1])
    for state in states[:-1]:  # a run that failed may have written any of them
        assert whose(before, state) - whose(now, states[-1]) <= gone


def test_a_merge_and_its_cut_touch_the_events_of_who_moved_alone(spark: SparkSession) -> None:
    apart = {"user:u1": "u1", "user:u2": "u2", "cookie:c2": "u2", "device:d3": "u3", "user:u3": "u3"}
    merged = {**apart, "user:u2": "u1", "cookie:c2": "u1"}
    events = ["u1", "u2 c2", "c2 d3", "u3 c2", "d3", "c9 d3"]
    was, becomes = ({("u2 c2", who), ("c2 d3", who)} for who in ("u2", "u1"))
    assert Ledger(spark, [apart, merged], events, events).told() == (was, becomes)
    assert Ledger(spark, [merged, apart], events, events).told() == (becomes, was)


def test_without_the_setting_and_without_identifiers_events_stay_as_they_are(spark: SparkSession) -> None:
    for states, identity in (([{"user:u2": "u1"}] * 2, Attribution()), ([], BY_PERSON)):
        ledger = Ledger(spark, states, [], ["u2"])
        assert attributed_events(cast(Run, ledger), identity).columns == list(EVENTS.column_names)
        assert ledger.asked == [EVENTS.name]


def test_more_states_than_are_looked_through_ask_for_a_full_run(spark: SparkSession) -> None:
    states = [{"user:u2": f"u{n % 2}"} for n in range(MOST_STATES + 2)]
    assert attributed_changes(cast(Run, Ledger(spark, states, [], [])), BY_PERSON) is None


def test_of_the_section_only_the_setting_itself_makes_another_configuration() -> None:
    cut = load(None, sessionize.Conf, ["identity.cut_links=['user:u1|cookie:c1']", "identity.max_users_per_device=2"])
    asks = load(None, sessionize.Conf, ["identity.attributes_users=true"])
    assert config_hash(cut) == config_hash(sessionize.Conf()) != config_hash(asks)
    read = [IDENTITIES in input_tables("sessionize", conf) for conf in (cut, asks, SimpleNamespace())]
    assert read == [False, True, False]


def test_a_stream_refuses_to_attribute(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"identity\.attributes_users: found true for stream_events"):
        stream_events.run(spark, stream_events.Conf(identity=BY_PERSON), D1)
