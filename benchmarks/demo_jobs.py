"""How long each job of the demo takes, the whole of it, and a second run with nothing new.

Runs ``ulm simulate`` and ``ulm run`` as a user does, in a folder of its own, and reads the jobs'
seconds from ops.runs. Peak memory is that of the whole process tree, sampled each half second.
"""

import csv
import io
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.form import Result, at_most, main, progress

CONFIG = Path(__file__).parent.parent / "conf" / "demo.yaml"
QUICK = ("--set", "simulation.n_users=400")
JOB_SECONDS = "select job, seconds, rows_in, rows_out from ops.runs where status = 'done' order by started_at"


@dataclass(frozen=True)
class Timed:
    """One command: wall seconds, peak resident memory of its process tree, and what it printed."""

    seconds: float
    peak_gb: float
    stdout: str


def run_timed(arguments: list[str]) -> Timed:
    """Runs ``ulm`` with the arguments; stops the benchmark where it fails."""
    peak_bytes = 0
    began_s = time.monotonic()
    command = [str(Path(sys.executable).with_name("ulm")), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
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
        raise SystemExit(f"ulm {' '.join(arguments)} ended with {process.returncode}")
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


def measure(quick: bool) -> Result:
    """The demo, twice."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        options = ["--config", str(CONFIG), *_placed(Path(folder)), *(QUICK if quick else ())]
        progress("simulating")
        simulated = run_timed(["simulate", *options])
        progress("running all jobs")
        first = run_timed(["run", *options])
        progress("running again with nothing new")
        second = run_timed(["run", *options])
        progress("reading the jobs' seconds")
        jobs = list(csv.DictReader(io.StringIO(run_timed(["sql", JOB_SECONDS, *options]).stdout)))
    rows = [(job["job"], f"{float(job['seconds']):.1f}", job["rows_in"], job["rows_out"]) for job in jobs]
    rows += [("ulm run", f"{first.seconds:.1f}", "", ""), ("ulm run again", f"{second.seconds:.1f}", "", "")]
    total_s = simulated.seconds + first.seconds
    peak_gb = max(simulated.peak_gb, first.peak_gb)
    figures = {f"{job['job']}_s": float(job["seconds"]) for job in jobs}
    figures |= {"demo_s": round(total_s, 1), "second_run_s": round(second.seconds, 1), "peak_gb": round(peak_gb, 2)}
    goals = (
        at_most("demo, seconds", total_s, 720),
        at_most("second run, seconds", second.seconds, 90),
        at_most("peak memory, GB", peak_gb, 8),
    )
    return Result("demo_jobs", ("job", "seconds", "rows in", "rows out"), tuple(rows), figures, goals)


def _placed(folder: Path) -> list[str]:
    places = {"lake.root": folder / "lake", "simulation.landing": folder / "landing", "source.path": folder / "landing"}
    return [part for key, value in places.items() for part in ("--set", f"{key}={value}")]


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
