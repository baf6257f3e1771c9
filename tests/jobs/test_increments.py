"""Golden replay: whatever arrives in whatever order, each run leaves the tables of one full run over all events."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import build_orders, build_user_days, sessionize
from tests.frames import rows_of, texts_of
from tests.sessions.shoppers import Row, at, event
from ulm_spark.config.errors import ContractError
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.order_lines import list_order_lines
from ulm_spark.sessions.orders import summarise_orders
from ulm_spark.sessions.sessionize import sessionize as cut_all
from ulm_spark.users.product_days import summarise_product_days
from ulm_spark.users.user_days import summarise_user_days

pytestmark = pytest.mark.flow
DAY = date(2024, 3, 5)
TABLES = (SESSIONS, ORDER_LINES, ORDERS, USER_DAYS, PRODUCT_DAYS)


class Replay:
    """A lake that events come to, and the jobs that stand on them."""

    def __init__(self, spark: SparkSession, conf: LakeConf) -> None:
        self.spark, self.conf, self.lake = spark, conf, Lake(spark, conf)
        self.lake.create(EVENTS)
        self._arrived: dict[str, Row] = {}

    def arrive(self, rows: Sequence[Row], gone: Sequence[str] = ()) -> None:
        """A change of silver.events, then the jobs."""
        if rows:
            self.lake.append(rows_of(self.spark, EVENTS, rows), EVENTS)
            self._arrived |= {str(row["event_id"]): row for row in rows}
        for event_id in gone:
            self.lake.delete(EVENTS, f"event_id = '{event_id}'")
            del self._arrived[event_id]
        self.run()

    def run(self) -> None:
        """The jobs."""
        for job in (sessionize, build_orders, build_user_days):
            job.run(self.spark, job.Conf(lake=self.conf), DAY)

    def events(self) -> DataFrame:
        """All that arrived, as the jobs read it."""
        return rows_of(self.spark, EVENTS, list(self._arrived.values()))

    def kept(self) -> list[list[str]]:
        """The rows of the tables."""
        return [texts_of(self.lake.read(table)) for table in TABLES]

    def anew(self) -> list[list[str]]:
        """What one full run makes of all that arrived."""
        events = self.events()
        lines, sessions = list_order_lines(events, "UTC", "EUR"), cut_all(events, SessionRules(), "UTC")
        days = summarise_user_days(events, sessions, lines, "UTC")
        of_products = summarise_product_days(events)
        return [texts_of(frame) for frame in (sessions, lines, summarise_orders(lines), days, of_products)]

    def versions(self) -> list[int]:
        """The version of each table."""
        return [self.lake.version(table) for table in TABLES]

    def rows_written(self) -> dict[str, int]:
        """Rows that the last run of each job wrote, by job."""
        last = self.lake.read(RUNS).groupBy("job").agg(F.max_by("rows_out", "started_at").alias("rows_out"))
        return {row["job"]: row["rows_out"] for row in last.collect()}


def bought(event_id: str, minutes: float, units: int, event_type: str = "purchase", **columns: object) -> Row:
    return event(event_id, at(minutes), event_type=event_type, quantity=units, unit_price=2, **columns)


@pytest.fixture(scope="module")
def replay(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """A lake with two days of visits and orders by two users and a guest."""
    folder: Path = tmp_path_factory.mktemp("replay")
    replay = Replay(spark, LakeConf(root=str(folder / "lake")))
    days = [
        event(f"v{day}{user}{place}", at(1440 * day + 20 * place), user_id=user)
        for day in range(2)
        for user in ("u", "w")
        for place in range(3)
    ]
    orders = [bought("b1", 5, 3), bought("b2", 1500, 2, user_id="w"), bought("g1", 7, 1, user_id=None, order_id="g")]
    replay.arrive([*days, *orders])
    return replay


def test_late_events_extend_bridge_and_net_and_only_what_they_touch_is_written(replay: Replay) -> None:
    assert replay.kept() == replay.anew()
    replay.arrive([event("late", at(65)), event("end", at(90)), bought("r1", 3000, 1, "return")])
    assert replay.kept() == replay.anew()
    # One line netted and one new, with their one order; one visit longer and one new; of days two of u, by events
    # and by the return, and two of the product.
    assert replay.rows_written() == {"build_orders": 3, "sessionize": 2, "build_user_days": 4}


@pytest.mark.slow
def test_an_event_that_is_gone_splits_its_visit_and_brings_back_what_it_took(replay: Replay) -> None:
    replay.arrive([bought("r2", 3000, 2, "return")])
    replay.arrive([], gone=["v0w1", "r2"])
    assert replay.kept() == replay.anew()


def test_a_run_without_a_change_and_one_of_another_user_leave_the_rest_alone(replay: Replay) -> None:
    versions = replay.versions()
    replay.arrive([event("guest", at(10), user_id=None), event("listing", at(10), event_type="listing")])
    assert replay.versions()[:-1] == versions[:-1]
    assert replay.rows_written()["build_user_days"] == 1  # the guest's view of the product
    replay.arrive([event("x", at(9000), user_id="x")])
    assert replay.rows_written() == {"build_orders": 0, "sessionize": 1, "build_user_days": 2}
    assert replay.kept() == replay.anew()


@pytest.mark.slow
def test_a_table_that_was_taken_away_is_made_anew_also_after_a_run_without_a_change(replay: Replay) -> None:
    replay.arrive([])
    for table in (SESSIONS, ORDER_LINES, USER_DAYS):
        replay.lake.files.delete(f"{table.layer}/{table.noun}")
    replay.arrive([])
    assert replay.kept() == replay.anew()
    assert all(replay.kept())


@pytest.mark.slow
def test_two_lines_of_one_id_are_refused_and_the_table_stays(replay: Replay) -> None:
    before = replay.kept()
    with pytest.raises(ContractError, match="found a frame with 2 rows of one key"):
        replay.arrive([bought("b1", 20_000, 5, user_id="other")])
    assert replay.kept()[1:] == before[1:]
