"""Identity in few words: identifiers as kind:value, links as two of them, an oracle in plain Python."""

from collections.abc import Iterable, Sequence

from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of, utc
from ulm_spark.contracts.identity import IDENTITIES, KINDS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.lake.literal import frame_of

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
