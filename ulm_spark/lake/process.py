"""Is a process that was seen before still the same one?"""

import os
import socket
from functools import cache
from pathlib import Path


@cache
def this_machine() -> str:
    """Where a pid means the same process: the host since it was booted, and the container on it."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    container = Path("/proc/self/ns/pid")
    booted = boot.read_text(encoding="ascii").strip()[:8] if boot.exists() else ""
    return "/".join(filter(None, (socket.gethostname(), booted, os.readlink(container) if booted else "")))


def process_start(pid: int) -> str:
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
