"""Wall and CPU seconds of sides that take turns; peaks of a tree of processes."""

import os
import sys
import threading
import time
from dataclasses import dataclass

_PSS_SHARE = 0.02  # of the time


@dataclass
class Run:
    """What one call took."""

    wall_s: float
    cpu_s: float
    """Of this process and its descendants."""
    pss_mb: float
    """The most that they had together."""


def in_turn(sides, runs):
    """``{name: [Run, ...]}`` of calls in turn: A B, then B A, and so on."""
    found = {name: [] for name in sides}
    for number in range(runs):
        order = list(sides.items())
        for name, call in order if number % 2 == 0 else reversed(order):
            found[name].append(_one(call))
            print(f"  {name}: {found[name][-1].wall_s:.2f} s", file=sys.stderr)
    return found


def _one(call):
    with Watch(os.getpid()) as watch:
        begin = time.perf_counter()
        call()
        wall = time.perf_counter() - begin
    return Run(wall, watch.cpu_s, watch.all_pss_mb)


@dataclass
class Peaks:
    """The most that was seen of a process."""

    command: str
    rss_mb: float = 0.0
    """Resident memory, from the kernel's own high-water mark."""
    pss_mb: float = 0.0
    """... where what several processes share counts in parts."""
    written_mb: float = 0.0
    """What it wrote to files, pipes and sockets."""
    cpu_s: float = 0.0
    """CPU seconds, its own."""
    seen_s: float = 0.0
    """How long it was there."""


class Watch:
    """Peaks of a process and all its descendants, sampled while a block runs (Linux).

    PSS is looked at ever less often where it takes long: the kernel counts the pages one by one
    and holds up the process meanwhile. Ten times a second it made fits with TensorFlow 1.4 times as
    slow.
    """

    def __init__(self, pid, every_s=0.1):
        self._pid, self._every_s, self._end = pid, every_s, threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._before_s = {}  # CPU seconds by process id, of those that were there already
        self.processes = {}
        """`Peaks` by process id."""
        self.all_pss_mb = 0.0
        """The most that all had together."""

    @property
    def cpu_s(self):
        """CPU seconds of all, as far as they were seen, while the block ran."""
        return sum(
            seen.cpu_s - self._before_s.get(pid, 0.0) for pid, seen in self.processes.items()
        )

    def __enter__(self):
        self._look_at_all()
        self._before_s = {pid: seen.cpu_s for pid, seen in self.processes.items()}
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._end.set()
        self._thread.join()
        self._look_at_all()

    def _go_on(self):
        looked_s, took_s = time.perf_counter(), 0.0
        while not self._end.wait(self._every_s):
            begin_s = time.perf_counter()
            if begin_s - looked_s < took_s / _PSS_SHARE:
                self._look_at_all(pss=False)
            else:
                self._look_at_all()
                looked_s = time.perf_counter()
                took_s = looked_s - begin_s

    def _look_at_all(self, pss=True):
        all_pss_mb = sum(self._look_at(pid, pss) for pid in self._tree())
        self.all_pss_mb = max(self.all_pss_mb, all_pss_mb)

    def _tree(self):
        stack = [self._pid]
        while stack:
            pid = stack.pop()
            yield pid
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    stack += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
            except OSError:  # ended meanwhile
                continue

    def _look_at(self, pid, pss):
        """Take note of a process; its PSS now, if it is asked for."""
        try:
            command = _read(f"/proc/{pid}/cmdline").replace("\0", " ")
            rss_mb = _field(f"/proc/{pid}/status", "VmHWM") / 1e3
            pss_mb = _field(f"/proc/{pid}/smaps_rollup", "Pss") / 1e3 if pss else 0.0
            written_mb = _field(f"/proc/{pid}/io", "wchar") / 1e6
            fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        except (OSError, KeyError):  # ended meanwhile
            return 0.0
        seen = self.processes.setdefault(pid, Peaks(command))
        ticks = os.sysconf("SC_CLK_TCK")
        seen.cpu_s = (int(fields[11]) + int(fields[12])) / ticks
        seen.seen_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / ticks
        seen.command = command  # of a fork's, the last
        seen.rss_mb, seen.written_mb = rss_mb, written_mb
        seen.pss_mb = max(seen.pss_mb, pss_mb)
        return pss_mb


def _read(path):
    with open(path) as file:
        return file.read()


def _field(path, name):
    """A number of a file of "name: number" lines; kB where the kernel says so."""
    for line in _read(path).splitlines():
        found, _, value = line.partition(":")
        if found == name:
            return int(value.split()[0])
    raise KeyError(name)
