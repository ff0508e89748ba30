"""Wall and CPU seconds of two sides, in turn, and their ratio."""

import os
import statistics
import time


def cpu_s() -> float:
    """CPU seconds of this process, of its live workers and of those that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system + workers_cpu_s()


def workers_cpu_s() -> float:
    """CPU seconds of the live descendants of this process (Linux)."""
    ticks = os.sysconf("SC_CLK_TCK")
    total, stack = 0.0, [os.getpid()]
    while stack:
        pid = stack.pop()
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                children = [int(child) for child in file.read().split()]
            if pid != os.getpid():
                with open(f"/proc/{pid}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / ticks
        except FileNotFoundError:  # not Linux, or ended meanwhile
            continue
        stack += children
    return total


def alternate(sides, runs):
    """``{name: [(wall_s, cpu_s), ...]}`` of calls in turn: A B, then B A, and so on."""
    found = {name: [] for name in sides}
    for number in range(runs):
        order = list(sides.items())
        for name, call in order if number % 2 == 0 else reversed(order):
            wall, cpu = time.perf_counter(), cpu_s()
            call()
            found[name].append((time.perf_counter() - wall, cpu_s() - cpu))
    return found


def report(title, found, base):
    """A table of medians, and of ratios to ``base`` (median over pairs)."""
    print(f"\n{title}\n{'side':<28}{'wall s':>9}{'CPU s':>9}{'wall ratio':>12}{'CPU ratio':>11}")
    for name, pairs in found.items():
        walls, cpus = zip(*pairs, strict=True)
        ratios = [
            statistics.median(
                mine[k] / theirs[k] for mine, theirs in zip(pairs, found[base], strict=True)
            )
            for k in range(2)
        ]
        print(
            f"{name:<28}{statistics.median(walls):>9.3f}{statistics.median(cpus):>9.3f}"
            f"{ratios[0]:>12.2f}{ratios[1]:>11.2f}"
        )
