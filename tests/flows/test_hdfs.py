"""Files, locks and the whole graph on a real HDFS: the tables are those of a lake on this machine's disk."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import train_sequence
from tests.flows.hadoop_cluster import Hadoop, running_hdfs
from tests.flows.shop import WITHOUT_ROWS, Shop
from tests.lake.test_lock import DAY, hold, left_behind
from ulm_spark.config.errors import LockedError
from ulm_spark.config.load import load
from ulm_spark.contracts.sequences import SEQUENCES
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import TABLES
from ulm_spark.lake.files import HadoopFiles
from ulm_spark.lake.lock import Holder, held_locks, lock_name
from ulm_spark.pipeline.graph import job_names
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.snapshot import Snapshot

pytestmark = [
    *(pytest.mark.flow, pytest.mark.slow, pytest.mark.timeout(2400)),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # petastorm's, of pyarrow's older interface
]
# One process, for which the order of files means nothing: its weights are the same on both lakes.
ONE_RANK = ("training.launch.launcher=inline",)
# Names of runs and of files, and what a clock has measured.
OF_ONE_RUN = ("run_id", "path", "snapshot", "size_bytes")
MEASURED_TIME = ("seconds", "rows_per_s")


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    with running_hdfs(tmp_path_factory.mktemp("hadoop")) as cluster:
        yield cluster


@pytest.fixture
def files(spark: SparkSession, hdfs: Hadoop) -> HadoopFiles:
    """An empty tree."""
    return HadoopFiles(spark, f"{hdfs.uri}/trees/{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def there(spark: SparkSession, hdfs: Hadoop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Raw files and lake on HDFS."""
    return Shop(spark, tmp_path_factory.mktemp("there"), f"{hdfs.uri}/shop", ONE_RANK)


@pytest.fixture(scope="module")
def here(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The same on this machine's disk."""
    folder = tmp_path_factory.mktemp("here")
    return Shop(spark, folder, str(folder), ONE_RANK)


def at_once(call: Callable[[], bool], n_callers: int = 4) -> int:
    """How many of several callers at once got True."""
    start, won = threading.Barrier(n_callers), []

    def act() -> None:
        start.wait(20)
        won.append(call())

    threads = [threading.Thread(target=act) for _ in range(n_callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(won) == n_callers
    return sum(won)


def test_of_several_creators_one_makes_the_file(files: HadoopFiles) -> None:
    assert at_once(lambda: files.create("a/b.json", threading.current_thread().name.encode())) == 1
    made = files.read_bytes("a/b.json")
    assert not files.create("a/b.json", b"later")
    assert files.read_bytes("a/b.json") == made


def test_a_reader_of_a_file_that_is_replaced_sees_one_or_the_other_whole(files: HadoopFiles) -> None:
    contents = [letter * 100_000 for letter in (b"a", b"b")]
    files.write_bytes("a/b.json", contents[0])
    writer = threading.Thread(target=lambda: [files.write_bytes("a/b.json", contents[n % 2]) for n in range(30)])
    writer.start()
    while writer.is_alive():
        assert files.read_bytes("a/b.json") in contents
    writer.join()
    assert files.read_bytes("a/b.json") == contents[1]


def test_of_several_removers_one_removes_and_none_removes_another_content(files: HadoopFiles) -> None:
    files.write_bytes("a/b.json", b"new")
    assert at_once(lambda: files.remove_if("a/b.json", b"old")) == 0
    assert files.read_bytes("a/b.json") == b"new"
    assert at_once(lambda: files.remove_if("a/b.json", b"new")) == 1
    assert files.read_bytes("a/b.json") is None


def test_age_absence_and_deletion(files: HadoopFiles) -> None:
    assert files.read_bytes("a/b") is None
    assert files.modified_at_s("a/b") is None
    files.delete("a")
    files.write_bytes("a/b", b"1")
    assert files.modified_at_s("a/b") == pytest.approx(time.time(), abs=60)
    assert files.local("a/b") is None
    files.delete("a")
    assert files.read_bytes("a/b") is None


def test_a_folder_goes_up_and_comes_down_whole(files: HadoopFiles, tmp_path: Path) -> None:
    (tmp_path / "source" / "inner").mkdir(parents=True)
    (tmp_path / "source" / "inner" / "y").write_bytes(b"y" * 1_000_000)
    (tmp_path / "source" / "x").write_bytes(b"")
    files.write_bytes("models/m/before", b"gone")
    files.upload(tmp_path / "source", "models/m")
    files.download("models/m", tmp_path / "fetched" / "m")
    fetched = {path.name: path.stat().st_size for path in (tmp_path / "fetched" / "m").rglob("*") if path.is_file()}
    assert fetched == {"x": 0, "y": 1_000_000}


def test_a_held_lock_refuses_and_beats_and_is_freed(files: HadoopFiles) -> None:
    with hold(files, expiry_s=4):
        first = json.loads(files.read_bytes(lock_name(SESSIONS, DAY)) or b"")["beaten_at_s"]
        with pytest.raises(LockedError, match="expected no other writer"), hold(files, run_id="other"):
            pass
        deadline = time.monotonic() + 30
        while json.loads(files.read_bytes(lock_name(SESSIONS, DAY)) or b"")["beaten_at_s"] == first:
            assert time.monotonic() < deadline, "no heartbeat came"
            time.sleep(0.1)
    with hold(files, run_id="later") as held:
        assert held.dead_runs == []


def test_of_several_takers_of_a_dead_lock_one_wins(files: HadoopFiles) -> None:
    left_behind(files)
    all_tried = threading.Barrier(4)
    buried: list[str] = []

    def bury(dead_runs: Sequence[Holder]) -> None:
        buried.extend(holder.run_id for holder in dead_runs)

    def take() -> bool:
        try:
            with held_locks(files, (SESSIONS,), "job", DAY, uuid.uuid4().hex, 120, bury):
                all_tried.wait(30)
                return True
        except LockedError:
            all_tried.wait(30)
            return False

    assert at_once(take) == 1
    assert buried == ["old"]  # by whoever removed its lock, which need not be who got the next one
    assert files.read_bytes(lock_name(SESSIONS, DAY)) is None


def test_every_job_ran_and_a_second_run_does_nothing(there: Shop) -> None:
    assert [job for job in job_names() if f"{job}: done in" not in there.first] == []
    said = there.run()
    assert [job for job in job_names() if f"{job}: already done" not in said] == []


def comparable(shop: Shop, table: Table) -> pd.DataFrame:
    """The table's rows in the order of its key, without what names one run."""
    frame = shop.read(table.name)
    if "metrics" in frame.columns:
        frame = frame.withColumn("metrics", F.map_filter("metrics", lambda name, _: ~name.isin(*MEASURED_TIME)))
    kept = frame.drop(*OF_ONE_RUN) if table.name.startswith("ops.") else frame
    by = [name for name in table.key if name in kept.columns]
    rows: pd.DataFrame = kept.toPandas()
    return rows.sort_values(by, ignore_index=True)


@pytest.mark.parametrize("table", [t for t in TABLES if t.name != "ops.runs"], ids=lambda table: table.name)
def test_every_table_is_that_of_a_lake_on_disk(there: Shop, here: Shop, table: Table) -> None:
    found = comparable(there, table)
    assert (len(found) == 0) == (table.name in WITHOUT_ROWS)
    pd.testing.assert_frame_equal(found, comparable(here, table), check_exact=False, rtol=1e-4)


def test_the_page_is_on_hdfs(there: Shop) -> None:
    row = there.read("ops.reports").first()
    assert row is not None
    page = there.lake.files.read_bytes(row["path"])
    assert page is not None
    assert len(page) == row["size_bytes"] > 100_000


def test_two_ranks_read_the_active_rows_and_no_other(there: Shop) -> None:
    model = there.read("ops.sequence_models").first()
    assert model is not None
    snapshot = Snapshot.from_json(model["snapshot"])
    assert snapshot.files
    assert all(path.startswith(there.lake.root) for path in snapshot.files)
    users = [row[0] for row in there.lake.read(SEQUENCES).select("user_id").collect()]
    expected = pd.util.hash_array(pd.Series(users).to_numpy(dtype=object)) >> 1
    read = [int(key) for rank in range(2) for rows in Feed(snapshot, 6, 2, rank, 2).read() for key in rows.user_key]
    assert len(read) == snapshot.n_rows == model["n_rows"] > 0
    assert sorted(read) == sorted(int(key) for key in expected)


# Last, since it trains the day's model anew. Training itself refuses an epoch that misses a row or has one twice.
@pytest.mark.parametrize("launcher", ["horovodrun", "spark"])
def test_two_ranks_train_on_it(there: Shop, spark: SparkSession, launcher: str) -> None:
    conf = load(
        there.config, train_sequence.Conf, (f"training.launch.launcher={launcher}", "training.launch.n_ranks=2")
    )
    train_sequence.run(spark, conf, there.as_of)
    model = there.read("ops.sequence_models").first()
    assert model is not None
    assert model["metrics"]["n_ranks"] == 2
    assert model["metrics"]["n_rows"] == there.read("silver.sequences").count()
    assert there.lake.files.read_bytes(f"{model['path']}/saved_model/saved_model.pb")
