"""Starting a job as a cluster does, in a process of its own, and killing it at a chosen moment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_S = 300


def start_job(name: str, config: Path, as_of: str) -> subprocess.Popen[str]:
    """jobs/NAME.py in a process group of its own."""
    command = [sys.executable, str(ROOT / "jobs" / f"{name}.py"), "--config", str(config), "--as-of", as_of]
    return subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def run_job_alone(name: str, config: Path, as_of: str) -> tuple[int, str]:
    """Runs the job to its end; gives its exit code and what it said on stderr."""
    with start_job(name, config, as_of) as process:
        _, said = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, said


def kill_job_when(name: str, config: Path, as_of: str, sign: Path) -> None:
    """Starts the job and ends its whole process group by SIGKILL as soon as the sign is there."""
    process = start_job(name, config, as_of)
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not sign.exists():
            if process.poll() is not None:
                _, said = process.communicate()
                raise AssertionError(
                    f"{name} ended with {process.returncode} before {sign.name} was there: {said[-2000:]}"
                )
            assert time.monotonic() < deadline, f"{sign} did not come"
            time.sleep(0.01)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
