"""The whole graph for one day, over a shop whose future is not there yet, and over one where it is: the same tables.

Nightly: it runs every job twice. Tables are taken from the contracts, so that one that comes later is held too.
"""

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import Row, SparkSession

from jobs import simulate_shop
from tests.flows.settings import small_shop_config
from tests.session import compiling
from ulm_spark.config.clock import end_of
from ulm_spark.config.load import load
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import BY_NAME, TABLES
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.pipeline.display import Display
from ulm_spark.pipeline.graph import job_names
from ulm_spark.pipeline.runner import plan, run_jobs

pytestmark = [pytest.mark.flow, pytest.mark.slow]

LOOKS_AHEAD = {
    "gold.data_quality": "tells of the rows in the lake when the run was made, whatever their day",
    "gold.model_quality": "measures models on what came after",
    "gold.churn_outcomes": "measures the forecast on what came after",
    "gold.recommendation_examples": "shows users who bought afterwards, with what they bought",
    "ops.reports": "the page shows how good the models were on what came after",
    "ops.maintenance": "tells how the lake's files lie",
}
"""Tables of a day that may differ, with the reason."""
OF_THE_RUN = {"run_id", "path", "snapshot"}
"""Columns of models that name the run and the versions of tables that it read."""
CLOCKS = {"seconds", "rows_per_s"}
"""Metrics of models that tell how fast the machine was."""
ZONE = "Europe/Berlin"
BYTES = "surrogateescape"
RELATIVE = 1e-6  # of numbers with decimals: another count of files adds them up in another order
HELD = [table for table in TABLES if table.is_as_of and table.name not in LOOKS_AHEAD]
Event = dict[str, object]


def shop_lines(landing: Path) -> list[str]:
    """Every raw line of the shop, in the order in which the lake gets them; what is no UTF-8 stays as it is."""
    texts = [file.read_bytes().decode(errors=BYTES) for file in sorted(landing.glob("*.json"))]
    return [line for text in texts for line in text.split("\n") if line]


def happened_at(line: str) -> datetime | None:
    """When a line's event happened; None where it does not say."""
    try:
        when = datetime.fromisoformat(str(json.loads(line)["event_at"]))
    except (ValueError, KeyError, TypeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def visits_over_midnight(users: Iterable[str], end: datetime, is_later: bool) -> Iterator[Event]:
    """A look five minutes before the day's end; later a purchase five minutes after it, in the same visit."""
    minutes = timedelta(minutes=5)
    for number, user in enumerate(users):
        core: Event = {"user_id": user, "product_id": f"midnight{number}", "channel": "email", "device": "mobile"}
        if is_later:
            bought: Event = {"unit_price": "9.5", "quantity": 3, "order_id": f"m{number}", "currency": "EUR"}
            yield {**core, **bought, "event_id": f"after{number}", "event_type": "purchase", "event_at": end + minutes}
        else:
            yield {**core, "event_id": f"before{number}", "event_type": "view", "event_at": end - minutes}


def future_facts(known: list[Event], end: datetime) -> Iterator[Event]:
    """Events of every kind from the first instant after the day on, by shoppers known and new.

    Products come and change price, name and category; orders known by then come back; cookies join shoppers.
    """
    users = sorted({str(event["user_id"]) for event in known if event.get("user_id")})[:40]
    bought = [event for event in known if event.get("event_type") == "purchase"][-60:]
    products = sorted({str(event["product_id"]) for event in known if event.get("product_id")})
    kinds = ("view", "search", "click", "cart", "remove", "purchase", "return", "review")
    number = 0
    for day in range(0, 21, 2):
        for place, user in enumerate((*users, "newcomer1", "newcomer2")):
            kind = kinds[(place + day) % len(kinds)]
            product = (*products, "newthing")[(place * 7 + day) % (len(products) + 1)]
            number += 1
            event: Event = {
                "event_id": f"future{number}", "event_type": kind, "user_id": user,
                "channel": "social", "device": "tablet", "event_at": end + timedelta(days=day, minutes=place),
                "cookie_id": f"shared{place // 2}", "device_id": f"shared{place // 3}",
            }  # fmt: skip
            if kind != "search":
                event |= {"product_id": product, "category": "future/kind", "brand": "later", "title": "Future name"}
            if kind in ("cart", "remove", "purchase", "return"):
                event |= {"unit_price": "999", "list_price": "1999", "quantity": 9, "currency": "EUR"}
                event |= {"order_id": f"future{number // 3}"}
            yield event | ({"rating": 1, "review_text": "worse than before"} if kind == "review" else {})
    for place, event in enumerate(bought):
        back = {"event_id": f"back{place}", "event_type": "return", "event_at": end + timedelta(hours=place)}
        yield {key: value for key, value in event.items() if key != "received_at"} | back
    for place, product in enumerate(products):
        listing: Event = {"event_type": "listing", "product_id": product, "category": "moved/away", "title": "Renamed"}
        listing |= {"unit_price": "0.5", "currency": "EUR", "event_id": f"listed{place}", "event_at": end}
        yield listing


def write_lines(folder: Path, name: str, lines: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode(errors=BYTES))


def as_lines(events: Iterable[Event]) -> list[str]:
    return [json.dumps(event, default=lambda when: cast(datetime, when).isoformat()) for event in events]


class Canary:
    """The shop's lines as known by the end of the day, and with its own and the planted future; a lake of each."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.config = small_shop_config(folder, str(folder))
        simulated = load(self.config, simulate_shop.Conf)
        self.as_of: date = simulated.simulation.ends_on - timedelta(days=30)
        simulate_shop.run(spark, simulated, simulated.simulation.ends_on)
        end = end_of(self.as_of, ZONE)
        timed = [(line, happened_at(line)) for line in shop_lines(folder / "landing")]
        # A line that does not say when is quarantined, in both.
        known = [line for line, when in timed if when is None or when < end]
        later = [line for line, when in timed if when is not None and when >= end]
        events = [json.loads(line) for line, when in timed if when is not None and when < end]
        users = sorted({str(event["user_id"]) for event in events if event.get("user_id")})[-10:]
        known += as_lines(visits_over_midnight(users, end, is_later=False))
        planted = [*visits_over_midnight(users, end, is_later=True), *future_facts(events, end)]
        for name in ("now", "later"):
            write_lines(folder / name, "1-known.json", known)
        write_lines(folder / "later", "2-future.json", [*later, *as_lines(planted)])
        self.now, self.later = (self._run(spark, folder, name) for name in ("now", "later"))

    def _run(self, spark: SparkSession, folder: Path, name: str) -> Lake:
        root = f"{folder}/{name}_lake"
        overrides = (f"lake.root={root}", f"source.path={folder / name}")
        lake = Lake(spark, LakeConf(root=root))
        jobs = plan(job_names(), self.config, overrides)
        run_jobs(lake, jobs, self.as_of, Display(len(jobs)))
        return lake


@pytest.fixture(scope="module")
def canary(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Canary:
    with compiling(spark):
        return Canary(spark, tmp_path_factory.mktemp("canary"))


def rows_of_day(lake: Lake, table: Table, as_of: date) -> dict[tuple[object, ...], Row]:
    kept = [name for name in table.column_names if name not in OF_THE_RUN]
    found = lake.read(table).where(f"as_of = date '{as_of}'").select(*kept).collect()
    return {tuple(row[name] for name in table.key if name in kept): row for row in found}


def is_same(one: object, other: object) -> bool:
    """Equal; numbers with decimals but for their last digits."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=RELATIVE) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one if key not in CLOCKS)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(is_same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def test_the_future_came_into_one_lake_alone(canary: Canary) -> None:
    events = BY_NAME["silver.events"]
    end = end_of(canary.as_of, ZONE)
    n_known, n_later = (
        lake.read(events).where(f"event_at >= timestamp '{end}'").count() for lake in (canary.now, canary.later)
    )
    assert n_known == 0
    assert n_later > 500
    kinds = canary.later.read(events).where("event_id like 'future%' or event_id like 'listed%'").select("event_type")
    assert kinds.distinct().count() == 9


@pytest.mark.parametrize("table", HELD, ids=lambda table: table.name)
def test_a_days_table_knows_nothing_of_what_came_after(canary: Canary, table: Table) -> None:
    now, later = (rows_of_day(lake, table, canary.as_of) for lake in (canary.now, canary.later))
    gone, come = now.keys() - later.keys(), later.keys() - now.keys()
    changed = {
        name: (key, now[key][name], later[key][name])
        for key in now.keys() & later.keys()
        for name in now[key].asDict()
        if not is_same(now[key][name], later[key][name])
    }
    assert (len(gone), len(come), changed) == (0, 0, {}), f"{sorted(gone, key=str)[:3]} {sorted(come, key=str)[:3]}"


def test_a_table_that_looks_ahead_is_seen_to_do_so(canary: Canary) -> None:
    quality = BY_NAME["gold.model_quality"]
    now, later = (rows_of_day(lake, quality, canary.as_of) for lake in (canary.now, canary.later))
    assert later.keys() - now.keys()


@pytest.mark.parametrize("name", sorted(LOOKS_AHEAD))
def test_every_exception_is_a_table_of_a_day(name: str) -> None:
    assert BY_NAME[name].is_as_of
