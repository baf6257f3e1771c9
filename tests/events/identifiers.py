"""Identity in few words: identifiers as kind:value, links as two of them, an oracle in plain Python."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import cast

from pyspark.sql import DataFrame, SparkSession

from tests.events.ingesting import MemoryLedger
from tests.frames import rows_of, utc
from ulm_spark.contracts.identity import IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS, KINDS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.events.identity import IdentityRules
from ulm_spark.events.identity_history import identities_as_of
from ulm_spark.lake.fingerprint import code_version
from ulm_spark.lake.literal import frame_of
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.resolve_identities import resolve_day

LINKS_DDL = "left_kind STRING, left_value STRING, right_kind STRING, right_value STRING, state STRING"


def events_of(spark: SparkSession, *named: str, on: str = "2024-05-01") -> DataFrame:
    """One event for each text such as ``u1 c1 d1``: its log-in, cookie and device, by their first letters."""
    letters = {"u": "user_id", "c": "cookie_id", "d": "device_id"}
    rows = []
    for place, text in enumerate(named):
        values = {letters[value[0]]: value for value in text.split()}
        rows.append({"event_id": f"{on}-{place:03}", "event_at": utc(f"{on} 10:00:{place % 60:02}"), **values})
    return rows_of(spark, EVENTS, rows)


def links_of(spark: SparkSession, pairs: Iterable[tuple[str, str]], state: str = "linked") -> DataFrame:
    """Links between identifiers such as ``user:u1``; only what the stars read of them."""
    rows = [(*left.split(":"), *right.split(":"), state) for left, right in map(ordered, pairs)]
    return frame_of(spark, LINKS_DDL, rows)


def ordered(pair: tuple[str, str]) -> list[str]:
    """The two identifiers, the better kind first."""
    return sorted(pair, key=lambda text: (KINDS.index(text.split(":")[0]), text))


def union_find(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The person of each identifier, by the rule of silver.identities."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for left, right in map(ordered, pairs):
        first, second = ordered((root(left), root(right)))
        parent[second] = first
    return {name: root(name).removeprefix("user:") for name in parent}


def persons(identities: DataFrame) -> dict[str, str]:
    """person_id by identifier."""
    rows = identities.select("id_kind", "id_value", "person_id").collect()
    assert len({(row[0], row[1]) for row in rows}) == len(rows)
    return {f"{row[0]}:{row[1]}": row[2] for row in rows}


def identities_of(spark: SparkSession, rows: Sequence[tuple[object, ...]]) -> DataFrame:
    """Rows of silver.identities as (identifier, person_id, known_from, known_until)."""
    return frame_of(spark, IDENTITIES, [(*str(row[0]).split(":"), *row[1:]) for row in rows])


class IdentityLedger(MemoryLedger):
    """The lake as far as resolving a day uses it, in memory."""

    job, as_of = "resolve_identities", date(1970, 1, 1)

    def __init__(self, spark: SparkSession) -> None:
        super().__init__(spark)
        self.lake = self
        self.dies_at: Table | None = None
        self.written: set[str] = set()

    def is_empty(self, table: Table) -> bool:
        return not self.rows.get(table.name)

    def restate(self, frame: DataFrame, table: Table) -> None:
        if table is self.dies_at:
            raise KeyboardInterrupt
        self.written.add(table.name)
        fresh = MemoryLedger(self.spark)
        fresh.append(frame, table)
        self.rows[table.name] = fresh.rows[table.name]

    def replace(self, frame: DataFrame, table: Table) -> None:
        self.restate(self.read(table).where(f"as_of <> DATE'{self.as_of}'").union(frame), table)

    def note(self, text: str) -> None:
        self.progress(text)


class Home:
    """Days of events, and what was found of them."""

    def __init__(self, spark: SparkSession, days: dict[date, tuple[str, ...]]) -> None:
        self.spark, self.days, self.ledger = spark, days, IdentityLedger(spark)

    def arrive(self, *days: date) -> None:
        for day in days:
            self.ledger.append(events_of(self.spark, *self.days[day], on=str(day)), EVENTS)

    def run(self, day: date, rules: IdentityRules | None = None) -> None:
        self.ledger.as_of, self.ledger.written = day, set()
        status = "killed"
        try:
            resolve_day(cast(Run, self.ledger), rules or IdentityRules(), "UTC")
            status = "done"
        finally:
            outputs = dict.fromkeys(self.ledger.written, "1")
            ended = {"job": self.ledger.job, "as_of": day, "status": status, "outputs": outputs}
            ended["code_version"], ended["started_at"] = code_version(), datetime.now(UTC)
            self.ledger.append(rows_of(self.spark, RUNS, [ended]), RUNS)

    def known(self, day: date) -> dict[str, str]:
        return persons(identities_as_of(self.ledger.read(IDENTITIES), day))

    def changes(self, day: date) -> list[tuple[object, ...]]:
        return sorted(row[1:] for row in self.ledger.rows.get(IDENTITY_CHANGES.name, []) if row[0] == day)

    def tables(self) -> dict[str, list[str]]:
        names = [table.name for table in (IDENTITY_LINKS, IDENTITIES, IDENTITY_CHANGES)]
        return {name: sorted(map(repr, self.ledger.rows.get(name, []))) for name in names}
