"""How long each job of the demo takes, the whole of it, and a second run with nothing new.

Runs ``ulm simulate`` and ``ulm run`` as a user does, in a folder of its own, and reads the jobs'
seconds from ops.runs. Peak memory is that of the whole process tree.
"""

import csv
import io
import sys
import tempfile
from pathlib import Path

from benchmarks.form import Result, at_most, main, progress
from benchmarks.timed import run_ulm

CONFIG = Path(__file__).parent.parent / "conf" / "demo.yaml"
QUICK = ("--set", "simulation.n_users=400")
JOB_SECONDS = "select job, seconds, rows_in, rows_out from ops.runs where status = 'done' order by started_at"


def measure(quick: bool) -> Result:
    """The demo, twice."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        options = ["--config", str(CONFIG), *_placed(Path(folder)), *(QUICK if quick else ())]
        progress("simulating")
        simulated = run_ulm(["simulate", *options])
        progress("running all jobs")
        first = run_ulm(["run", *options])
        progress("running again with nothing new")
        second = run_ulm(["run", *options])
        progress("reading the jobs' seconds")
        jobs = list(csv.DictReader(io.StringIO(run_ulm(["sql", JOB_SECONDS, *options]).stdout)))
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
