"""One Spark session for each process that tests: local, small, UTC, with Delta."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.session import small_session
from ulm_spark.lake.store import LakeConf


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session of the process."""
    logging.getLogger("py4j").setLevel(logging.ERROR)
    session = small_session(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture
def lake_conf(tmp_path: Path) -> LakeConf:
    """An empty lake of the test's own."""
    return LakeConf(root=str(tmp_path / "lake"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with flows first: they are the longest, so both processes have work to the end."""
    with_flows = {item.path for item in items if item.get_closest_marker("flow") is not None}
    items.sort(key=lambda item: item.path not in with_flows)
