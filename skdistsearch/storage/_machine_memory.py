"""Memory of this machine, or of the container around this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)
"""Files with the limit and the usage, of both versions of cgroups."""
_MEMINFO = "/proc/meminfo"


def memory_mb() -> float:
    """Return the memory of this machine, or of the container around this process, in MB."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6]
    limits += (limit for limit, _ in _cgroups_mb())
    return min(limits)


def free_memory_mb() -> float:
    """Return the memory that processes can still take, in MB. 0 if that is not known."""
    free = [limit - usage for limit, usage in _cgroups_mb()]
    with suppress(OSError, ValueError, IndexError):
        text = Path(_MEMINFO).read_text()
        free.append(int(text.partition("MemAvailable:")[2].split()[0]) * 1024 / 1e6)
        return min(free)
    return 0.0


def _cgroups_mb() -> Iterator[tuple[float, float]]:
    """Yield limit and usage of the container."""
    for limit, usage in _CGROUPS:
        with suppress(OSError, ValueError):  # the other version of cgroups, or "max"
            yield int(Path(limit).read_text()) / 1e6, int(Path(usage).read_text()) / 1e6
