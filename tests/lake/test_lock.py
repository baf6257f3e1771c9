"""One writer for a table and a day."""

import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from ulm_spark.config.errors import LockedError
from ulm_spark.contracts.gold import FUNNEL
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.files import LocalFiles
from ulm_spark.lake.lock import held_locks, lock_name

DAY = date(2020, 1, 1)


def hold(files: LocalFiles, day: date = DAY, run_id: str = "r", expiry_s: int = 120):  # type: ignore[no-untyped-def]
    return held_locks(files, (SESSIONS, FUNNEL), "job", day, run_id, expiry_s)


def left_behind(files: LocalFiles, **changes: object) -> None:
    """A lock as a run that is gone leaves it."""
    holder = {
        "run_id": "old",
        "job": "job",
        "as_of": DAY.isoformat(),
        "host": "elsewhere",
        "pid": 1,
        "process_start": "1",
        "taken_at_s": time.time() - 500,
        "beaten_at_s": time.time() - 400,
    }
    files.write_bytes(lock_name(SESSIONS, DAY), json.dumps(holder | changes).encode())


def test_a_second_writer_of_the_same_table_is_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    with hold(files), pytest.raises(LockedError, match="expected no other writer"), hold(files, run_id="other"):
        pass
    with hold(files, run_id="later") as dead:
        assert dead == []


def test_an_as_of_table_is_locked_by_day(tmp_path: Path) -> None:
    assert lock_name(FUNNEL, DAY) != lock_name(FUNNEL, date(2020, 1, 2))
    assert lock_name(SESSIONS, DAY) == lock_name(SESSIONS, date(2020, 1, 2))


def test_a_failure_inside_frees_the_locks(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    with pytest.raises(RuntimeError), hold(files):
        raise RuntimeError
    assert list((tmp_path / "_locks").iterdir()) == []


def test_another_machines_lock_dies_when_no_sign_of_life_comes(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    left_behind(files)
    with hold(files) as dead:
        assert [holder.run_id for holder in dead] == ["old"]


def test_another_machines_fresh_lock_is_respected(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    left_behind(files, beaten_at_s=time.time())
    with pytest.raises(LockedError), hold(files):
        pass
    assert files.read_bytes(lock_name(SESSIONS, DAY)) is not None


def test_a_heartbeat_keeps_the_lock_fresh(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    with hold(files, expiry_s=4):
        first = json.loads(files.read_bytes(lock_name(SESSIONS, DAY)) or b"")["beaten_at_s"]
        deadline = time.monotonic() + 20
        while json.loads(files.read_bytes(lock_name(SESSIONS, DAY)) or b"")["beaten_at_s"] == first:
            assert time.monotonic() < deadline, "no heartbeat came"
            time.sleep(0.1)


def test_a_killed_process_on_this_machine_frees_its_lock_at_once(tmp_path: Path) -> None:
    script = (
        "import sys, time, datetime, pathlib\n"
        "from ulm_spark.lake.files import LocalFiles\n"
        "from ulm_spark.lake.lock import held_locks\n"
        "from ulm_spark.contracts.silver import SESSIONS\n"
        "files, day = LocalFiles(pathlib.Path(sys.argv[1])), datetime.date(2020, 1, 1)\n"
        "with held_locks(files, (SESSIONS,), 'job', day, 'killed', 120):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "held"
        files = LocalFiles(tmp_path)
        with pytest.raises(LockedError), hold(files):
            pass
        process.kill()
    with hold(files) as dead:
        assert [holder.run_id for holder in dead] == ["killed"]


def test_a_torn_lock_file_is_no_lock(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    files.write_bytes(lock_name(SESSIONS, DAY), b'{"run_id": "o')
    with hold(files) as dead:
        assert dead == []
