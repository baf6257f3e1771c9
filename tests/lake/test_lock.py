"""One writer for a table and a day."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from ulm_spark.config.errors import LockedError
from ulm_spark.contracts.gold import FUNNEL
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.files import Files, LocalFiles
from ulm_spark.lake.lock import Holder, held_locks, lock_name

DAY = date(2020, 1, 1)


def hold(files: Files, day: date = DAY, run_id: str = "r", expiry_s: int = 120):  # type: ignore[no-untyped-def]
    return held_locks(files, (SESSIONS, FUNNEL), "job", day, run_id, expiry_s)


def left_behind(files: Files, **changes: object) -> None:
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
    with hold(files, run_id="later") as held:
        assert held.dead_runs == []


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
    with hold(files) as held:
        assert [holder.run_id for holder in held.dead_runs] == ["old"]


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


def test_locks_live_on_while_a_dead_run_is_buried_for_longer_than_they_would(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    left_behind(files)
    expiry_s, buried = 2, []

    def bury_slowly(dead_runs: Sequence[Holder]) -> None:
        time.sleep(expiry_s + 0.3)
        buried.extend(dead_runs)

    with held_locks(files, (SESSIONS, FUNNEL), "job", DAY, "r", expiry_s, bury_slowly) as held:
        held.refuse_lost()
        for table in (SESSIONS, FUNNEL):  # as another machine sees it
            found = json.loads(files.read_bytes(lock_name(table, DAY)) or b"")
            assert not Holder(**(found | {"host": "elsewhere"})).is_dead(expiry_s)
    assert [holder.run_id for holder in buried] == ["old"]


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
    with hold(files) as held:
        assert [holder.run_id for holder in held.dead_runs] == ["killed"]


def test_a_lock_of_another_container_on_this_host_is_respected_while_it_is_fresh(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    left_behind(files, host=f"{socket.gethostname()}/12345678/pid:[1]", beaten_at_s=time.time())
    with pytest.raises(LockedError, match="expected no other writer"), hold(files):
        pass


def test_an_owner_that_gave_no_sign_for_too_long_is_told_before_it_writes(tmp_path: Path) -> None:
    class Hanging(LocalFiles):
        def write_bytes(self, relative: str, content: bytes) -> None:
            time.sleep(1.5)
            super().write_bytes(relative, content)

    with pytest.raises(LockedError, match="No sign of life came for 1 seconds"):  # noqa: SIM117, PT012
        with held_locks(Hanging(tmp_path), (SESSIONS,), "job", DAY, "r", 1) as held:
            time.sleep(1.9)
            held.refuse_lost()
    assert list((tmp_path / "_locks").iterdir()) == []


def test_a_fresh_torn_lock_holds_and_an_old_one_does_not(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    name = lock_name(SESSIONS, DAY)
    files.write_bytes(name, b'{"run_id": "o')
    with pytest.raises(LockedError, match="can't be read"), hold(files):
        pass
    os.utime(tmp_path / name, (time.time() - 121, time.time() - 121))
    with hold(files) as held:
        assert held.dead_runs == []


class PausedReader(LocalFiles):
    """Stops after one of its reads until it is let go."""

    def __init__(self, root: Path, pauses_after: int) -> None:
        super().__init__(root)
        self.pauses_after = pauses_after
        self.paused, self.go_on = threading.Event(), threading.Event()

    def read_bytes(self, relative: str) -> bytes | None:
        content = super().read_bytes(relative)
        self.pauses_after -= 1
        if self.pauses_after == 0:
            self.paused.set()
            assert self.go_on.wait(20)
        return content


# The second read is that of remove_if, so there the living lock has been put aside and is put back.
@pytest.mark.parametrize("pauses_after", [1, 2])
def test_a_slow_taker_of_a_dead_lock_does_not_remove_the_new_one(tmp_path: Path, pauses_after: int) -> None:
    left_behind(LocalFiles(tmp_path))
    slow, refused = PausedReader(tmp_path, pauses_after), []

    def take_slowly() -> None:
        try:
            with held_locks(slow, (SESSIONS,), "job", DAY, "slow", 120):
                pass
        except LockedError as error:
            refused.append(error)

    taker = threading.Thread(target=take_slowly)
    taker.start()
    assert slow.paused.wait(20)
    quick = LocalFiles(tmp_path)
    with held_locks(quick, (SESSIONS,), "job", DAY, "quick", 120) as held:
        slow.go_on.set()
        taker.join(20)
        assert [holder.run_id for holder in held.dead_runs] == ["old"]
        assert json.loads(quick.read_bytes(lock_name(SESSIONS, DAY)) or b"")["run_id"] == "quick"
    assert len(refused) == 1
    assert list((tmp_path / "_locks").iterdir()) == []


def test_of_two_takers_at_once_one_wins(tmp_path: Path) -> None:
    left_behind(LocalFiles(tmp_path))
    both_read, one_refused = threading.Barrier(2), threading.Event()
    outcomes: list[str] = []

    class Meeting(LocalFiles):
        has_met = False

        def read_bytes(self, relative: str) -> bytes | None:
            content = super().read_bytes(relative)
            if not self.has_met:
                self.has_met = True
                both_read.wait(20)
            return content

    def take(run_id: str) -> None:
        try:
            with held_locks(Meeting(tmp_path), (SESSIONS,), "job", DAY, run_id, 120):
                outcomes.append("won")
                one_refused.wait(5)
        except LockedError:
            outcomes.append("refused")
            one_refused.set()

    takers = [threading.Thread(target=take, args=(run_id,)) for run_id in ("a", "b")]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(30)
    assert sorted(outcomes) == ["refused", "won"]


def test_an_owner_that_lost_its_lock_fails_and_leaves_the_others(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    name = lock_name(SESSIONS, DAY)
    with pytest.raises(LockedError, match="lost to another run"), hold(files, expiry_s=1):  # noqa: PT012
        left_behind(files, run_id="other")
        others = files.read_bytes(name)
        time.sleep(0.7)  # two beats
        assert files.read_bytes(name) == others
    assert files.read_bytes(name) == others
    assert files.read_bytes(lock_name(FUNNEL, DAY)) is None


def test_an_owner_whose_lock_was_taken_and_freed_again_fails_too(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    with pytest.raises(LockedError, match="lost to another run"), hold(files):
        files.delete(lock_name(SESSIONS, DAY))


def test_a_beat_that_fails_once_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class FailingOnce(LocalFiles):
        has_failed = False

        def write_bytes(self, relative: str, content: bytes) -> None:
            if not self.has_failed:
                self.has_failed = True
                raise OSError("no such luck")
            super().write_bytes(relative, content)

    files = FailingOnce(tmp_path)
    name = lock_name(FUNNEL, DAY)  # the first that a beat writes
    with caplog.at_level("WARNING", logger="ulm"), hold(files, expiry_s=1):
        first = files.read_bytes(name)
        deadline = time.monotonic() + 20
        while files.read_bytes(name) == first:
            assert time.monotonic() < deadline, "no heartbeat came"
            time.sleep(0.05)
    assert f"{name}: no sign of life written, trying again: OSError" in caplog.text


def test_a_beat_in_flight_does_not_bring_a_freed_lock_back(tmp_path: Path) -> None:
    class SlowWriter(LocalFiles):
        is_writing = threading.Event()

        def write_bytes(self, relative: str, content: bytes) -> None:
            self.is_writing.set()
            time.sleep(0.3)
            super().write_bytes(relative, content)

    files = SlowWriter(tmp_path)
    with pytest.raises(RuntimeError), hold(files, expiry_s=1):  # noqa: PT012
        assert files.is_writing.wait(20)
        raise RuntimeError
    assert list((tmp_path / "_locks").iterdir()) == []
