"""Cost and memory of calls, measured by the process that makes them (Linux only)."""

import time

from benchmarks.measure import read_field


def timed(call):
    """Call a function; return its cost and its result."""
    wall, cpu, written_mb = time.perf_counter(), time.process_time(), _written_mb()
    result = call()
    cost = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "written_mb": _written_mb() - written_mb,
    }
    return cost, result


def memory_mb():
    """Return the resident memory."""
    return read_field("/proc/self/status", "VmRSS") / 1e3


def peak_memory_mb():
    """Return the peak of the resident memory since the start or `reset_peak_memory`."""
    return read_field("/proc/self/status", "VmHWM") / 1e3


def reset_peak_memory():
    """Reset the kernel's high-water mark."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _written_mb():
    return read_field("/proc/self/io", "wchar") / 1e6
