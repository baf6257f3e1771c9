"""Is there a GPU, and how busy is it? As nvidia-smi says."""

import shutil
import subprocess
from collections.abc import Callable
from statistics import median
from typing import TypeVar

FoundT = TypeVar("FoundT")
_SMI = ("nvidia-smi", "--format=csv,noheader,nounits")


def gpu_name() -> str:
    """The first GPU's, empty where there is none."""
    if shutil.which(_SMI[0]) is None:
        return ""
    said = subprocess.run([*_SMI, "--query-gpu=name"], capture_output=True, text=True, check=False)
    return said.stdout.splitlines()[0].strip() if said.returncode == 0 and said.stdout else ""


def while_busy(work: Callable[[], FoundT]) -> tuple[FoundT, float]:
    """What work gives, and the share of time that the first GPU was busy in the second half of it: the median of
    looks, four a second."""
    with subprocess.Popen(
        [*_SMI, "--query-gpu=utilization.gpu", "-i", "0", "-lms", "250"], stdout=subprocess.PIPE, text=True
    ) as watcher:
        try:
            found = work()
        finally:
            watcher.terminate()
        said, _ = watcher.communicate()
    shares = [float(line) / 100 for line in said.split() if line.isdigit()]
    return found, median(shares[len(shares) // 2 :] or [0.0])
