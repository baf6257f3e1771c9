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
    """One command: wall seconds, peak resident memory of its process tree sampled each half second, what it printed."""

    seconds: float
    peak_gb: float
    stdout: str


def run_ulm(arguments: Sequence[str]) -> Timed:
    """Runs ``ulm`` with the arguments; stops the benchmark where it fails."""
    return run_timed([str(Path(sys.executable).with_name("ulm")), *arguments])


def run_timed(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Timed:
    """Runs the command; stops the benchmark where it fails."""
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
        stdout, _ = process.communicate()
        stop.set()
        watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Timed(time.monotonic() - began_s, peak_bytes / 2**30, stdout)


def _tree_bytes(pid: int) -> int:
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # one that ended between the two looks holds no memory
        pass
    return total
