"""Run competitors alternately and measure the wall time, CPU time and memory of each."""

import os
import sys
import threading
import time
from dataclasses import dataclass

_PSS_SHARE = 0.02
"""The share of the time that may go into reading PSS."""


@dataclass
class Run:
    """Cost of one call."""

    wall_s: float
    """Wall time in seconds."""
    cpu_s: float
    """CPU seconds of this process and its descendants."""
    pss_mb: float
    """Peak of the memory that all of these processes had together (PSS)."""


def run_interleaved(competitors, n_runs):
    """Call all competitors ``n_runs`` times, in the order A B, B A, A B, ...

    Parameters
    ----------
    competitors : dict of str to callable
        Functions without arguments.
    n_runs : int
        Number of calls of each.

    Returns
    -------
    runs : dict of str to list of Run
    """
    runs = {name: [] for name in competitors}
    for number in range(n_runs):
        order = list(competitors.items())
        for name, call in order if number % 2 == 0 else reversed(order):
            runs[name].append(_measure(call))
            print(f"  {name}: {runs[name][-1].wall_s:.2f} s", file=sys.stderr)
    return runs


def _measure(call):
    with ProcessTreeMonitor(os.getpid()) as monitor:
        begin = time.perf_counter()
        call()
        wall_s = time.perf_counter() - begin
    return Run(wall_s, monitor.cpu_s, monitor.total_pss_mb)


@dataclass
class PeakUsage:
    """Peak resources of one process."""

    command: str
    """Its command line."""
    rss_mb: float = 0.0
    """Peak of the resident memory: the kernel's own high-water mark."""
    pss_mb: float = 0.0
    """Peak of the proportional set size, in which shared pages count in parts."""
    written_mb: float = 0.0
    """Bytes written to files, pipes and sockets."""
    cpu_s: float = 0.0
    """CPU seconds, without those of child processes."""
    age_s: float = 0.0
    """Seconds between its start and the last sample."""


class ProcessTreeMonitor:
    """Sample a process and all its descendants while a block runs (Linux only).

    PSS is sampled less often where it takes long, because the kernel counts the pages one by one
    and stops the process while it does so. Sampled ten times a second, it made fits with
    TensorFlow take 1.4 times as long.

    Parameters
    ----------
    pid : int
        The root of the tree.
    every_s : float, default=0.1
        Seconds between samples.

    Attributes
    ----------
    processes : dict of int to PeakUsage
        Peaks by process id.
    total_pss_mb : float
        Peak of the memory of all processes together.
    """

    def __init__(self, pid, every_s=0.1):
        self._pid, self._every_s, self._stop = pid, every_s, threading.Event()
        self._thread = threading.Thread(target=self._sample_until_stopped, daemon=True)
        self._cpu_s_before = {}  # by process id, of the processes that ran before the block
        self.processes = {}
        self.total_pss_mb = 0.0

    @property
    def cpu_s(self):
        """CPU seconds of all sampled processes while the block ran."""
        return sum(
            usage.cpu_s - self._cpu_s_before.get(pid, 0.0) for pid, usage in self.processes.items()
        )

    def __enter__(self):
        self._sample_tree()
        self._cpu_s_before = {pid: usage.cpu_s for pid, usage in self.processes.items()}
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._stop.set()
        self._thread.join()
        self._sample_tree()

    def _sample_until_stopped(self):
        sampled_at, duration_s = time.perf_counter(), 0.0
        while not self._stop.wait(self._every_s):
            begin = time.perf_counter()
            if begin - sampled_at < duration_s / _PSS_SHARE:
                self._sample_tree(with_pss=False)
            else:
                self._sample_tree()
                sampled_at = time.perf_counter()
                duration_s = sampled_at - begin

    def _sample_tree(self, with_pss=True):
        pss_mb = sum(self._sample_process(pid, with_pss) for pid in self._process_ids())
        self.total_pss_mb = max(self.total_pss_mb, pss_mb)

    def _process_ids(self):
        stack = [self._pid]
        while stack:
            pid = stack.pop()
            yield pid
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    stack += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
            except OSError:  # the process has ended
                continue

    def _sample_process(self, pid, with_pss):
        """Update the peaks of a process; return its current PSS, or 0 if that is not sampled."""
        try:
            command = _read(f"/proc/{pid}/cmdline").replace("\0", " ")
            rss_mb = read_field(f"/proc/{pid}/status", "VmHWM") / 1e3
            pss_mb = read_field(f"/proc/{pid}/smaps_rollup", "Pss") / 1e3 if with_pss else 0.0
            written_mb = read_field(f"/proc/{pid}/io", "wchar") / 1e6
            fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        except (OSError, KeyError):  # the process has ended
            return 0.0
        usage = self.processes.setdefault(pid, PeakUsage(command))
        ticks = os.sysconf("SC_CLK_TCK")
        usage.cpu_s = (int(fields[11]) + int(fields[12])) / ticks
        usage.age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks
        usage.command = command  # a forked process changes it when it executes a program
        usage.rss_mb, usage.written_mb = rss_mb, written_mb
        usage.pss_mb = max(usage.pss_mb, pss_mb)
        return pss_mb


def _read(path):
    with open(path) as file:
        return file.read()


def read_field(path, name):
    """Return a number from a file of "name: number" lines, in kB where the kernel says kB."""
    for line in _read(path).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(name)
