import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import simulate_shop
from ulm_spark.contracts import truth
from ulm_spark.lake.landing import Landing
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.identities import IdentityLaw

_SEEN = IdentityLaw(sends_ids=True)  # so that every table of the truth has rows
SIM = SimulationConf(seed=3, n_users=30, n_items=30, n_days=14, starts_on=date(2025, 3, 1), identities=_SEEN)


def _files(folder: Path) -> dict[str, tuple[str, float]]:
    return {
        file.name: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime)
        for file in folder.glob("*.json")
    }


@pytest.mark.slow
def test_a_killed_and_repeated_simulation_ends_in_the_same_files_and_tables(
    spark: SparkSession, lake_conf: LakeConf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = tmp_path / "landing"
    conf = simulate_shop.Conf(lake=lake_conf, simulation=replace(SIM, landing=str(landing)))
    simulate_shop.run(spark, conf, SIM.ends_on)
    lake = Lake(spark, lake_conf)
    first = _files(landing)
    rows = {table.name: lake.read(table).count() for table in truth.TABLES}
    assert min(rows.values()) > 0
    assert rows["truth.users"] == SIM.n_users + 1
    n_extra = lake.read(truth.ANOMALIES).where("kind NOT IN ('late', 'out_of_order')").count()
    n_lines = sum(len(file.read_bytes().splitlines()) for file in landing.glob("*.json"))
    assert n_lines == rows["truth.events"] + n_extra + SIM.n_items

    version = lake.version(truth.EVENTS)
    simulate_shop.run(spark, conf, SIM.ends_on)
    assert lake.version(truth.EVENTS) == version  # nothing to do

    Landing(spark, str(landing)).begin()  # as a run leaves it that was killed half way
    lake.delete(truth.EVENTS, "event_type = 'view'")
    simulate_shop.run(spark, replace(conf, simulation=replace(conf.simulation, n_partitions=3)), SIM.ends_on)
    assert _files(landing) == first
    assert {table.name: lake.read(table).count() for table in truth.TABLES} == rows
