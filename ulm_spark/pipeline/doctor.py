"""Is this machine fit to run the jobs, and what to do where it is not."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SETUP = "Run scripts/setup.sh."
NEEDED_MEMORY_GB = 6
NEEDED_DISK_GB = 5


@dataclass(frozen=True)
class Finding:
    """What one check found; remedy is empty where all is well."""

    check: str
    found: str
    remedy: str = ""

    @property
    def is_ok(self) -> bool:
        """True where nothing has to be done."""
        return not self.remedy


def check_python() -> Finding:
    """Python 3.11: the pinned set was proved on it."""
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", found, "" if sys.version_info[:2] == (3, 11) else "Install Python 3.11. " + SETUP)


def check_java() -> Finding:
    """Java 17, as Spark 4.0 wants it."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if java is None or not Path(java).exists():
        return Finding("Java", "none", "Install JDK 17 and put java on PATH or set JAVA_HOME.")
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', printed)
    major = int(version.group(1)) if version else 0
    found = printed.splitlines()[0] if printed else "no version"
    return Finding("Java", found, "" if major == 17 else "Install JDK 17 and set JAVA_HOME to it.")


def check_memory() -> Finding:
    """Enough memory for Spark's driver and two training processes."""
    total_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    remedy = (
        ""
        if total_gb >= NEEDED_MEMORY_GB
        else f"{NEEDED_MEMORY_GB} GB are wanted: lower spark.driver.memory and training.n_ranks in the config."
    )
    return Finding("Memory", f"{total_gb:.1f} GB", remedy)


def check_disk(root: str) -> Finding:
    """Enough free disk where the lake is."""
    if "://" in root:
        return Finding("Disk", f"the lake is not on this machine: {root}")
    folder = Path(root.removeprefix("file:"))
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free_gb = shutil.disk_usage(existing).free / 2**30
    remedy = "" if free_gb >= NEEDED_DISK_GB else f"{NEEDED_DISK_GB} GB are wanted: free some, or move lake.root."
    return Finding("Disk", f"{free_gb:.1f} GB free at {existing}", remedy)


def check_jars() -> Finding:
    """Delta's and Kafka's jars beside Spark's own, so that nothing is resolved at run time."""
    import pyspark

    jars = os.listdir(Path(pyspark.__file__).parent / "jars")
    wanted = ("delta-spark_", "delta-storage-", "spark-sql-kafka-0-10_", "kafka-clients-")
    missing = [name for name in wanted if not any(jar.startswith(name) for jar in jars)]
    found = f"missing {', '.join(missing)}" if missing else "Delta and Kafka"
    return Finding("Jars", found, SETUP if missing else "")


def check_blas() -> Finding:
    """A native BLAS that Spark ML can load; without it, it works, in Java and slower."""
    ldconfig = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin")
    if ldconfig is None:
        return Finding("Native BLAS", "unknown: no ldconfig here")
    printed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    is_there = "libblas.so.3" in printed
    remedy = "" if is_there else "Install OpenBLAS (Debian: apt-get install libopenblas0-pthread)."
    return Finding("Native BLAS", "libblas.so.3" if is_there else "none", remedy)


def check_training() -> Finding:
    """TensorFlow, Petastorm, and a Horovod built for them with Gloo."""
    versions = []
    for package in ("keras", "petastorm", "horovod"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            return Finding("Training", f"{package} is missing", SETUP)
    probe = "import horovod.tensorflow as h; h.init(); raise SystemExit(0 if h.gloo_built() else 3)"
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, env=quiet)
    if result.returncode == 0:
        return Finding("Training", ", ".join(versions) + ", Gloo built")
    last = (result.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding("Training", f"Horovod does not start: {last}", SETUP)


def check_machine(lake_root: str) -> list[Finding]:
    """Every check, in the order in which a user should mend what fails."""
    checks: tuple[Callable[[], Finding], ...] = (
        check_python,
        check_java,
        check_memory,
        lambda: check_disk(lake_root),
        check_jars,
        check_blas,
        check_training,
    )
    return [check() for check in checks]
