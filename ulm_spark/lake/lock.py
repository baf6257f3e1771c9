"""One writer for a table and a day: a lock file with a heartbeat, which dies with its run.

A lock is a small JSON file made atomically. Its owner rewrites it while it lives. A lock whose
process is gone on this machine is dead at once; one of another machine is dead when no sign of
life came for lock_expiry_s. Two machines' clocks may differ by less than that. An owner that was
taken for dead and lives after all finds another's lock, leaves it alone, and fails.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date

from ulm_spark.config.errors import LockedError
from ulm_spark.contracts.table import Table
from ulm_spark.lake.files import Files
from ulm_spark.lake.process import process_start, this_machine

_LOG = logging.getLogger("ulm")
_PAUSE_S = 0.05
_LOOKS = 20


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, since when, and when it last gave a sign of life (Unix seconds).

    is_stream: true where the job's work is done by a stream, for as long as that runs.
    """

    run_id: str
    job: str
    as_of: str
    host: str
    pid: int
    process_start: str
    taken_at_s: float
    beaten_at_s: float
    is_stream: bool = False

    def is_dead(self, expiry_s: int) -> bool:
        """True where the run can't be alive any more."""
        if self.host == this_machine():
            return process_start(self.pid) != self.process_start
        return time.time() - self.beaten_at_s > expiry_s


def lock_name(table: Table, as_of: date) -> str:
    """The lock's file: of a table's one day where it has days, else of the whole table."""
    return f"_locks/{table.name}@{as_of}.json" if table.is_as_of else f"_locks/{table.name}.json"


def live_holder(files: Files, name: str, expiry_s: int) -> Holder | None:
    """Who holds a lock and lives, None where nobody does."""
    found = _decode(files.read_bytes(name))
    return None if found is None or found.is_dead(expiry_s) else found


class HeldLocks:
    """The locks that a run holds. dead_runs: those whose locks it found and removed."""

    def __init__(self, files: Files, holder: Holder, expiry_s: int) -> None:
        self.dead_runs: list[Holder] = []
        self._files, self._holder, self._expiry_s = files, holder, expiry_s
        self._names: list[str] = []
        self._alive_at_s = time.monotonic()
        self._is_late = False

    def take(self, name: str) -> None:
        """Takes one lock more. Errors: LockedError where a run that lives holds it."""
        _take(self._files, name, self._holder, self._expiry_s, self._note_dead)
        self._names.append(name)

    def beat(self) -> None:
        """A sign of life in each lock that is still the run's; what fails is tried at the next beat.

        Rule: after a silence above expiry_s others may have taken the locks for dead, so from then on
              all are lost, and no sign is given any more.
        """
        began_s = time.monotonic()
        if self._was_silent():
            return
        is_written = [_beat(self._files, name, self._holder) for name in self._names]
        # A write that hung may have come after another's: the time that counts is when it began.
        if all(is_written) and not self._was_silent():
            self._alive_at_s = began_s

    def refuse_lost(self) -> None:
        """Errors: LockedError where another run has one of the locks by now, or may have had it."""
        if self._was_silent():
            self.refuse(self._names)
        self.refuse([name for name in self._names if _own_content(self._files, name, self._holder) is None])

    def release(self) -> list[str]:
        """Frees the locks; the names of those that another run got in the meantime."""
        return [name for name in self._names if not _release(self._files, name, self._holder)]

    def leave(self) -> None:
        """Lets the locks lie when the block ends, as a dead run does: the next one that wants them records it."""
        self._names = []

    def refuse(self, lost: list[str]) -> None:
        """Errors: LockedError for locks that were lost, where there are any."""
        if lost:
            job, as_of, run_id = self._holder.job, self._holder.as_of, self._holder.run_id
            raise LockedError(
                f"{', '.join(lost)}: found the lock lost to another run; expected run {run_id} to hold it to its end. "
                f"No sign of life came for {self._expiry_s} seconds, or the file was deleted. "
                f"Run {job} for {as_of} again."
            )

    def _note_dead(self, dead: Holder) -> None:
        if dead.run_id not in {run.run_id for run in self.dead_runs}:
            self.dead_runs.append(dead)

    def _was_silent(self) -> bool:
        self._is_late = self._is_late or time.monotonic() - self._alive_at_s > self._expiry_s
        return self._is_late


@contextmanager
def held_locks(
    files: Files,
    tables: Sequence[Table],
    job: str,
    as_of: date,
    run_id: str,
    expiry_s: int,
    bury: Callable[[Sequence[Holder]], None] = lambda dead_runs: None,
    is_stream: bool = False,
) -> Iterator[HeldLocks]:
    """Holds the locks of all the tables while the block runs; signs of life go on from the first lock taken.

    bury is told of the dead runs whose locks were removed, also where another run then gets the locks:
    nobody else knows of them.
    Errors: LockedError where another run that lives holds one of them, or got one in the meantime.
    """
    held = HeldLocks(files, _holder(job, as_of, run_id, is_stream), expiry_s)
    stop = threading.Event()

    def beat_until_stopped() -> None:
        while not stop.wait(expiry_s / 4):
            held.beat()

    beats = threading.Thread(target=beat_until_stopped, daemon=True)
    # Before the first lock: to take the others and to bury may take longer than the first one would live.
    beats.start()
    try:
        try:
            for name in sorted(lock_name(table, as_of) for table in tables):
                held.take(name)
        finally:
            if held.dead_runs:
                bury(held.dead_runs)
        yield held
    finally:
        stop.set()
        beats.join()  # a beat in flight must not bring a released lock back
        lost = held.release()
    held.refuse(lost)


def _holder(job: str, as_of: date, run_id: str, is_stream: bool) -> Holder:
    now, pid = time.time(), os.getpid()
    return Holder(run_id, job, as_of.isoformat(), this_machine(), pid, process_start(pid), now, now, is_stream)


def _take(files: Files, name: str, holder: Holder, expiry_s: int, note_dead: Callable[[Holder], None]) -> None:
    """Takes one lock; notes each dead run whose lock it removed."""
    while True:
        files.create(name, _signed(holder))
        content = files.read_bytes(name)  # read even what was just made: only what lies there counts
        if content is None:  # released, or put aside for an instant by another taker
            time.sleep(_PAUSE_S)
            continue
        found = _decode(content)
        if found is not None and found.run_id == holder.run_id:
            return
        if found is None:
            _refuse_fresh(files, name, expiry_s)
        elif not found.is_dead(expiry_s):
            raise LockedError(
                f"{name}: found the lock of job {found.job} for {found.as_of} (process {found.pid} on {found.host}); "
                f"expected no other writer. Wait for it to end, or for {expiry_s} seconds after its machine died."
            )
        if files.remove_if(name, content) and found is not None:
            note_dead(found)


def _refuse_fresh(files: Files, name: str, expiry_s: int) -> None:
    """An unreadable lock may be one that is being written, so it holds until it is old."""
    modified_at_s = files.modified_at_s(name)
    if modified_at_s is not None and time.time() - modified_at_s <= expiry_s:
        raise LockedError(
            f"{name}: found a lock file that can't be read; expected none, or the JSON of its owner. "
            f"Wait until it is {expiry_s} seconds old, then run again."
        )


def _beat(files: Files, name: str, holder: Holder) -> bool:
    """Rewrites a lock that is still the holder's; False where that failed, or it is another's."""
    try:
        if _own_content(files, name, holder) is None:
            _LOG.error("%s: the lock is no longer that of run %s", name, holder.run_id)
            return False
        files.write_bytes(name, _signed(holder))
        return True
    except Exception as error:
        _LOG.warning("%s: no sign of life written, trying again: %s", name, type(error).__name__)
        return False


def _release(files: Files, name: str, holder: Holder) -> bool:
    """Deletes a lock that is the holder's; False where it is not, and it is left alone."""
    try:
        content = _own_content(files, name, holder)
        return content is not None and files.remove_if(name, content)
    except Exception as error:  # the other locks must be freed too, and this one dies with the process
        _LOG.warning("%s: the lock could not be deleted: %s", name, type(error).__name__)
        return True


def _own_content(files: Files, name: str, holder: Holder) -> bytes | None:
    """What lies in the holder's lock, None where it is not the holder's any more.

    Edge: a taker that judged an older lock may have put this one aside for an instant.
    """
    for _ in range(_LOOKS):
        content = files.read_bytes(name)
        if content is not None:
            found = _decode(content)
            return content if found is not None and found.run_id == holder.run_id else None
        time.sleep(_PAUSE_S)
    return None


def _signed(holder: Holder) -> bytes:
    """A lock's content with a sign of life of now."""
    return json.dumps(asdict(replace(holder, beaten_at_s=time.time()))).encode()


def _decode(content: bytes | None) -> Holder | None:
    if not content:
        return None
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None
