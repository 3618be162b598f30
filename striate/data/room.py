"""How much memory this process may still take."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SHARE_FOR_PICTURES = 0.25
"""The share of the free memory that the pictures of a set may take; larger sets stay in a file."""


def free_memory() -> int:
    """Bytes that are free on the machine, in its control group and within the process's limits."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024 * int(line.split()[1]))
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text())
        found.append(int((group / "memory.max").read_text()) - used)
    with suppress(OSError, ValueError, ImportError):
        import resource

        size, *_, data, _ = Path("/proc/self/statm").read_text().split()
        for limit, pages in ((resource.RLIMIT_AS, size), (resource.RLIMIT_DATA, data)):
            most, _ = resource.getrlimit(limit)
            if most != resource.RLIM_INFINITY:
                found.append(most - int(pages) * resource.getpagesize())
    if not found:
        found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(0, min(found))
