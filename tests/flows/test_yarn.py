"""Jobs submitted to a real YARN, with lake and files on a real HDFS, as the README's "On a cluster" says."""

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyspark
import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from jobs import ingest_events, sessionize
from tests.flows import sequence_tables
from tests.flows.hadoop_cluster import HOST, Hadoop, running_hdfs, running_yarn
from tests.flows.jobs import ROOT
from tests.flows.settings import write_config
from tests.flows.test_kill import INGEST_TABLES, raw_lines
from ulm_spark.config.load import load
from ulm_spark.contracts.ops import RUNS, SEQUENCE_MODELS
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.files import HadoopFiles
from ulm_spark.lake.fingerprint import code_version
from ulm_spark.lake.store import Lake, LakeConf

pytestmark = [pytest.mark.flow, pytest.mark.slow, pytest.mark.timeout(1800)]
AS_OF = date(2024, 3, 31)
SUBMIT_TIMEOUT_S = 600


@dataclass(frozen=True)
class Cluster:
    """A running YARN."""

    hadoop: Hadoop

    def submit(self, mode: str, job: str, config: Path, as_of: date) -> None:
        """spark-submit of a job, which must end well."""
        before = {found["id"] for found in self.hadoop.applications()}
        # A driver on the cluster finds the config where the archive is unpacked.
        named = f"ulm/conf/{config.name}" if mode == "cluster" else str(config)
        done = subprocess.run(
            [
                *self._command(mode, packed_code(config)),
                *(str(ROOT / "jobs" / f"{job}.py"), "--config", named, "--as-of", as_of.isoformat()),
            ],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=SUBMIT_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr[-4000:]}\n{self._container_logs()}"
        deadline = time.monotonic() + 60
        while (ended := self._ended_since(before)) is None and time.monotonic() < deadline:
            time.sleep(0.5)  # in client mode the driver is gone a moment before YARN has heard of it
        assert ended == "SUCCEEDED"

    def _ended_since(self, before: set[object]) -> str | None:
        """How the one application that is new ended, None where it runs on."""
        (application,) = (found for found in self.hadoop.applications() if found["id"] not in before)
        return str(application["finalStatus"]) if application["state"] == "FINISHED" else None

    def _command(self, mode: str, code: Path) -> list[str]:
        settings = {
            # Python and the jars of this machine are those of all nodes.
            "spark.pyspark.python": sys.executable,
            "spark.yarn.jars": f"local:{Path(pyspark.__file__).parent}/jars/*",
            "spark.executorEnv.PYTHONPATH": "ulm",
            "spark.yarn.appMasterEnv.PYTHONPATH": "ulm",
            "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": HOST,
            "spark.sql.shuffle.partitions": "2",
            "spark.ui.enabled": "false",
            **({"spark.driver.host": HOST} if mode == "client" else {}),
        }
        return [
            *("spark-submit", "--master", "yarn", "--deploy-mode", mode),
            *("--num-executors", "2", "--executor-memory", "1g", "--driver-memory", "1g"),
            *("--archives", f"{code}#ulm"),
            *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
        ]

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK", "PYTHON"))}
        inherited["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # what activating .venv does
        ours = {"HADOOP_CONF_DIR": str(self.hadoop.conf_dir), "SPARK_LOCAL_IP": HOST}
        return {**inherited, **ours}

    def _container_logs(self) -> str:
        logs = sorted(self.hadoop.folder.glob("containers/*/*/std*"), key=lambda path: path.stat().st_mtime)
        return "\n".join(f"{path}: {path.read_text(errors='replace')[-1500:]}" for path in logs[-4:])


def packed_code(config: Path) -> Path:
    """The project, with this config among its own, as an archive that each container unpacks."""
    packed = config.with_suffix(".tar.gz")
    with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
        for part in ("ulm_spark", "jobs", "conf"):
            archive.add(ROOT / part, part, filter=lambda entry: None if "__pycache__" in entry.name else entry)
        archive.add(config, f"conf/{config.name}")
    return packed


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_hdfs(tmp_path_factory.mktemp("hadoop")) as hdfs, running_yarn(hdfs) as yarn:
        yield Cluster(yarn)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    for day in (1, 2, 3):
        (folder / f"2024-03-0{day}.json").write_text("\n".join(raw_lines(day)) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def expected(spark: SparkSession, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """What the same jobs leave on this machine's disk, in one process."""
    folder = tmp_path_factory.mktemp("expected")
    sections: dict[str, dict[str, object]] = {"lake": {"root": f"{folder}/lake"}, "source": {"path": str(landing)}}
    path = write_config(folder / "conf.yaml", sections)
    ingest_events.run(spark, load(path, ingest_events.Conf), AS_OF)
    sessionize.run(spark, load(path, sessionize.Conf), AS_OF)
    return Lake(spark, load(path, sessionize.Conf).lake)


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_submitted_jobs_leave_the_tables_of_a_run_on_one_machine(
    spark: SparkSession, cluster: Cluster, landing: Path, expected: Lake, tmp_path: Path, mode: str
) -> None:
    HadoopFiles(spark, f"{cluster.hadoop.uri}/{mode}").upload(landing, "landing")
    sections: dict[str, dict[str, object]] = {
        "lake": {"root": f"hdfs:///{mode}/lake"},
        "source": {"path": f"hdfs:///{mode}/landing"},
    }
    config = write_config(tmp_path / "submitted.yaml", sections)
    cluster.submit(mode, "ingest_events", config, AS_OF)
    cluster.submit(mode, "sessionize", config, AS_OF)
    lake = Lake(spark, LakeConf(root=f"{cluster.hadoop.uri}/{mode}/lake"))
    of_one_copy = ("batch_id", "received_at", "modified_at", "fingerprint")  # follow from the files' times
    for table in (*INGEST_TABLES, SESSIONS):
        found, wanted = (a_lake.read(table).drop(*of_one_copy) for a_lake in (lake, expected))
        assert not wanted.isEmpty()
        assertDataFrameEqual(found, wanted)
    runs = lake.read(RUNS).select("job", "status", "code_version").collect()
    assert {tuple(row) for row in runs} == {(job, "done", code_version()) for job in ("ingest_events", "sessionize")}


def test_ranks_on_executors_train_on_files_of_hdfs(spark: SparkSession, cluster: Cluster, tmp_path: Path) -> None:
    lake = Lake(spark, LakeConf(root=f"{cluster.hadoop.uri}/training/lake"))
    sequence_tables.fill(spark, lake, 24)
    config = sequence_tables.small_training(tmp_path, "hdfs:///training/lake", launcher="spark")
    cluster.submit("client", "train_sequence", config, sequence_tables.AS_OF)
    model = lake.read(SEQUENCE_MODELS).first()
    assert model is not None
    assert model["metrics"]["n_rows"] == 24
    assert model["metrics"]["n_ranks"] == 2
    assert lake.files.read_bytes(f"{model['path']}/saved_model/saved_model.pb")
