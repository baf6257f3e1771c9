"""How long a command takes, and the most memory its processes hold together."""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Timed:
    """One command: wall seconds, peak resident memory of its process tree sampled each half second, what it printed.

    was_ended: True where it was not done when its time was over.
    """

    seconds: float
    peak_gb: float
    stdout: str
    was_ended: bool = False


def run_ulm(arguments: Sequence[str]) -> Timed:
    """Runs ``ulm`` with the arguments; stops the benchmark where it fails."""
    return run_timed([str(Path(sys.executable).with_name("ulm")), *arguments])


def run_timed(
    command: Sequence[str], environment: Mapping[str, str] | None = None, most_s: float | None = None
) -> Timed:
    """Runs the command; stops the benchmark where it fails.

    most_s: seconds after which the command and its children are ended, and what it took so long is told.
    """
    peak_bytes = 0
    began_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        stop = threading.Event()

        def watch() -> None:
            nonlocal peak_bytes
            while not stop.wait(0.5):
                peak_bytes = max(peak_bytes, _tree_bytes(process.pid))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        is_ended = False
        try:
            stdout, _ = process.communicate(timeout=most_s)
        except subprocess.TimeoutExpired:
            is_ended = True
            _end_tree(process.pid)
            stdout, _ = process.communicate()
        stop.set()
        watcher.join()
    if process.returncode != 0 and not is_ended:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Timed(time.monotonic() - began_s, peak_bytes / 2**30, stdout, is_ended)


def _end_tree(pid: int) -> None:
    parent = psutil.Process(pid)
    for process in (*parent.children(recursive=True), parent):
        process.kill()


def _tree_bytes(pid: int) -> int:
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # one that ended between the two looks holds no memory
        pass
    return total
