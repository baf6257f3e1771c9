"""One writer for a table and a day: a lock file with a heartbeat, which dies with its run.

A lock is a small JSON file made atomically. Its owner rewrites it while it lives. A lock whose
process is gone on this machine is dead at once; one of another machine is dead when no sign of
life came for lock_expiry_s. Two machines' clocks may differ by less than that. An owner that was
taken for dead and lives after all finds another's lock, leaves it alone, and fails.
"""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date

from ulm_spark.config.errors import LockedError
from ulm_spark.contracts.table import Table
from ulm_spark.lake.files import Files

_LOG = logging.getLogger("ulm")
_PAUSE_S = 0.05
_LOOKS = 20


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, since when, and when it last gave a sign of life (Unix seconds)."""

    run_id: str
    job: str
    as_of: str
    host: str
    pid: int
    process_start: str
    taken_at_s: float
    beaten_at_s: float

    def is_dead(self, expiry_s: int) -> bool:
        """True where the run can't be alive any more."""
        if self.host == socket.gethostname():
            return _process_start(self.pid) != self.process_start
        return time.time() - self.beaten_at_s > expiry_s


def lock_name(table: Table, as_of: date) -> str:
    """The lock's file: of a table's one day where it has days, else of the whole table."""
    return f"_locks/{table.name}@{as_of}.json" if table.is_as_of else f"_locks/{table.name}.json"


@dataclass(frozen=True)
class HeldLocks:
    """The locks that a run holds. dead_runs: those whose locks it found and removed."""

    files: Files
    names: list[str]
    holder: Holder
    dead_runs: list[Holder]
    expiry_s: int

    def refuse_lost(self) -> None:
        """Errors: LockedError where another run has one of the locks by now."""
        self.refuse([name for name in self.names if _own_content(self.files, name, self.holder) is None])

    def release(self) -> list[str]:
        """Frees the locks; the names of those that another run got in the meantime."""
        return [name for name in self.names if not _release(self.files, name, self.holder)]

    def refuse(self, lost: list[str]) -> None:
        """Errors: LockedError for locks that were lost, where there are any."""
        if lost:
            job, as_of, run_id = self.holder.job, self.holder.as_of, self.holder.run_id
            raise LockedError(
                f"{', '.join(lost)}: found the lock lost to another run; expected run {run_id} to hold it to its end. "
                f"No sign of life came for {self.expiry_s} seconds, or the file was deleted. "
                f"Run {job} for {as_of} again."
            )


@contextmanager
def held_locks(
    files: Files, tables: Sequence[Table], job: str, as_of: date, run_id: str, expiry_s: int
) -> Iterator[HeldLocks]:
    """Holds the locks of all the tables while the block runs.

    Errors: LockedError where another run that lives holds one of them, or got one in the meantime.
    """
    held = HeldLocks(files, [], _holder(job, as_of, run_id), [], expiry_s)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(files, held.names, held.holder, expiry_s / 4, stop), daemon=True)
    try:
        for name in sorted(lock_name(table, as_of) for table in tables):
            former = _take(files, name, held.holder, expiry_s)
            held.names.append(name)
            if former is not None and former.run_id not in {run.run_id for run in held.dead_runs}:
                held.dead_runs.append(former)
        beat.start()
        yield held
    finally:
        stop.set()
        if beat.is_alive():
            beat.join()  # a beat in flight must not bring a released lock back
        lost = held.release()
    held.refuse(lost)


def _holder(job: str, as_of: date, run_id: str) -> Holder:
    now, pid = time.time(), os.getpid()
    return Holder(run_id, job, as_of.isoformat(), socket.gethostname(), pid, _process_start(pid), now, now)


def _take(files: Files, name: str, holder: Holder, expiry_s: int) -> Holder | None:
    """Takes one lock; gives back the dead run whose lock it removed, None where there was none."""
    former: Holder | None = None
    while True:
        files.create(name, _encode(holder))
        content = files.read_bytes(name)  # read even what was just made: only what lies there counts
        if content is None:  # released, or put aside for an instant by another taker
            time.sleep(_PAUSE_S)
            continue
        found = _decode(content)
        if found is not None and found.run_id == holder.run_id:
            return former
        if found is None:
            _refuse_fresh(files, name, expiry_s)
        elif not found.is_dead(expiry_s):
            raise LockedError(
                f"{name}: found the lock of job {found.job} for {found.as_of} (process {found.pid} on {found.host}); "
                f"expected no other writer. Wait for it to end, or for {expiry_s} seconds after its machine died."
            )
        if files.remove_if(name, content):
            former = found


def _refuse_fresh(files: Files, name: str, expiry_s: int) -> None:
    """An unreadable lock may be one that is being written, so it holds until it is old."""
    modified_at_s = files.modified_at_s(name)
    if modified_at_s is not None and time.time() - modified_at_s <= expiry_s:
        raise LockedError(
            f"{name}: found a lock file that can't be read; expected none, or the JSON of its owner. "
            f"Wait until it is {expiry_s} seconds old, then run again."
        )


def _beat(files: Files, names: list[str], holder: Holder, every_s: float, stop: threading.Event) -> None:
    """Rewrites the locks that are still the holder's, until stopped; what fails is tried at the next beat."""
    while not stop.wait(every_s):
        for name in names:
            try:
                if _own_content(files, name, holder) is None:
                    _LOG.error("%s: the lock is no longer that of run %s", name, holder.run_id)
                else:
                    files.write_bytes(name, _encode(replace(holder, beaten_at_s=time.time())))
            except Exception as error:
                _LOG.warning("%s: no sign of life written, trying again: %s", name, type(error).__name__)


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


def _encode(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _decode(content: bytes | None) -> Holder | None:
    if not content:
        return None
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _process_start(pid: int) -> str:
    """When a process began, in the kernel's own count, so that a pid used anew is not taken for the old one."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except OSError:
        return _alive_without_proc(pid)
    return "" if fields[0] == "Z" else fields[19]


def _alive_without_proc(pid: int) -> str:
    """The same where there is no /proc (macOS): only whether the process lives."""
    if os.path.isdir("/proc/self"):
        return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "alive"
