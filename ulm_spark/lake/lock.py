"""One writer for a table and a day: a lock file with a heartbeat, which dies with its run.

A lock is a small JSON file made atomically. Its owner rewrites it while it lives. A lock whose
process is gone on this machine is dead at once; one of another machine is dead when no sign of
life came for lock_expiry_s. Two machines' clocks may differ by less than that.
"""

import json
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


@contextmanager
def held_locks(
    files: Files, tables: Sequence[Table], job: str, as_of: date, run_id: str, expiry_s: int
) -> Iterator[list[Holder]]:
    """Holds the locks of all the tables; yields the dead runs whose locks it found.

    Errors: LockedError where another run that lives holds one of them.
    """
    now = time.time()
    holder = Holder(
        run_id,
        job,
        as_of.isoformat(),
        socket.gethostname(),
        os.getpid(),
        _process_start(os.getpid()),
        now,
        now,
    )
    names = sorted(lock_name(table, as_of) for table in tables)
    taken: list[str] = []
    dead: dict[str, Holder] = {}
    stop = threading.Event()
    try:
        for name in names:
            former = _take(files, name, holder, expiry_s)
            taken.append(name)
            if former is not None:
                dead[former.run_id] = former
        beat = threading.Thread(target=_beat, args=(files, taken, holder, expiry_s / 4, stop), daemon=True)
        beat.start()
        yield list(dead.values())
        stop.set()
        beat.join()
    finally:
        stop.set()
        for name in taken:
            files.delete(name)


def _take(files: Files, name: str, holder: Holder, expiry_s: int) -> Holder | None:
    """Takes one lock; gives back the dead run that held it before, None where nobody did."""
    former: Holder | None = None
    while not files.create(name, _encode(holder)):
        found = _decode(files.read_bytes(name))
        if found is None:  # released, or half written by a machine that died: look again
            time.sleep(0.05)
            if _decode(files.read_bytes(name)) is None and files.read_bytes(name) is not None:
                files.delete(name)
            continue
        if not found.is_dead(expiry_s):
            raise LockedError(
                f"{name}: found the lock of job {found.job} for {found.as_of} (process {found.pid} on {found.host}); "
                f"expected no other writer. Wait for it to end, or for {expiry_s} seconds after its machine died."
            )
        former = found
        files.delete(name)
    return former


def _beat(files: Files, names: list[str], holder: Holder, every_s: float, stop: threading.Event) -> None:
    while not stop.wait(every_s):
        for name in names:
            files.write_bytes(name, _encode(replace(holder, beaten_at_s=time.time())))


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
