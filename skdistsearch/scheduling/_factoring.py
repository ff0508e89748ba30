"""Which fits share a task, where each task starts a container."""

from __future__ import annotations

import heapq
import math
import statistics
from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby

from skdistsearch.scheduling._chunks import GOLDEN_RATIO, Chunk

# Constants: benchmarks/bench_chunks.py
_TASK_S = 30.0  # what a task takes before its first fit: a container starts in 5 to 60 s
_WAVE_S = 5 * _TASK_S  # a worker's work is worth one more wave of tasks for each so many seconds
_WAVES_MAX = 4  # the last wave has 1/15 of the work: more of them cost more than they balance
_SHRINK = 0.5  # a wave's fits, of those of the wave before: "factoring" of Hummel et al., 1992


def factoring_chunks(
    fits: Sequence[int],
    workers: int,
    *,
    tasks_max: int = 200,
    seconds: Mapping[int, float] | None = None,
) -> list[Chunk]:
    """Chunks in the order in which their tasks should start, ``workers`` at a time.

    Up to ``tasks_max`` fits have a task each. More of them share at most ``tasks_max`` tasks, or
    ``workers`` if that is more.

    Parameters
    ----------
    fits : sequence of int
        Numbers of fits, in the order of the grid: neighbours tend to take equally long.
    workers : int
        How many tasks run at the same time.
    tasks_max : int, default=200
        How many tasks a run may have.
    seconds : mapping of int to float, optional
        How long each fit takes, as far as that is known. Then the longest chunks come first, and
        no task is made for less work than its own start, except that few fits still have one each.
    """
    tasks_max = max(tasks_max, workers)
    known = {fit: seconds[fit] for fit in fits if fit in seconds} if seconds else {}
    usual = statistics.fmean(known.values()) if known else 0.0
    expected = {fit: known.get(fit, usual) for fit in fits}
    if len(fits) <= tasks_max:
        return [(fit,) for fit in sorted(fits, key=lambda fit: -expected[fit])]
    n_tasks = min(tasks_max, workers * _WAVES_MAX)
    if not known:
        return _dealt(fits, workers, n_tasks)
    # A fit that nobody has timed is worth a task: those that were timed may be the short ones
    work_s = sum(known.values()) + max(usual, _TASK_S) * (len(fits) - len(known))
    n_queues = min(workers, math.ceil(work_s / _TASK_S))
    waves = min(n_tasks // workers, int(work_s / workers / _WAVE_S))
    return _packed(expected, max(1, n_queues), max(1, waves))


def seconds_by_candidate(
    candidates: Sequence[int], seconds: Mapping[int, float]
) -> dict[int, float]:
    """Seconds of each fit that was timed, or whose candidate was timed on other splits."""
    timed = defaultdict(list)
    for fit, duration in seconds.items():
        timed[candidates[fit]].append(duration)
    usual = {candidate: statistics.median(durations) for candidate, durations in timed.items()}
    return {
        fit: seconds.get(fit, usual[candidate])
        for fit, candidate in enumerate(candidates)
        if candidate in usual
    }


def _dealt(fits: Sequence[int], workers: int, n_tasks: int) -> list[Chunk]:
    """Waves of ever smaller chunks, each over the whole grid: nobody knows how long a fit takes.

    The first wave, which has most rounds, gets the first and the last fits of the grid: where
    times grow along the grid, the longest fits start first.
    """
    chunks: list[list[int]] = []
    rounds: list[tuple[float, list[list[int]], int]] = []
    for n_chunks, n_fits in _waves(len(fits), workers, n_tasks):
        wave: list[list[int]] = [[] for _ in range(n_chunks)]
        chunks += wave
        n_rounds = math.ceil(n_fits / n_chunks)
        for number in range(n_rounds):
            place = (number + 0.5) / n_rounds
            rounds.append((place, wave, min(n_chunks, n_fits - number * n_chunks)))
    first = 0
    for number, (_, wave, size) in enumerate(sorted(rounds, key=lambda of: of[0])):
        # Each round begins at another chunk: a grid repeats itself, and the long fits of its
        # repetitions would meet in one chunk
        begin = int(number * GOLDEN_RATIO % 1 * len(wave))
        for position, fit in enumerate(fits[first : first + size], begin):
            wave[position % len(wave)].append(fit)
        first += size
    return [tuple(chunk) for chunk in chunks]


def _waves(n_fits: int, workers: int, n_tasks: int) -> list[tuple[int, int]]:
    """Number of chunks and of fits of each wave; every chunk has a fit."""
    counts = [min(workers, n_tasks - first) for first in range(0, n_tasks, workers)]
    # count * count: chunks of a last wave that is not for all workers are smaller again
    shares = [count * count * _SHRINK**number for number, count in enumerate(counts)]
    ends = [round((n_fits - n_tasks) * end / sum(shares)) for end in accumulate(shares)]
    return [
        (count, count + end - begin)
        for count, begin, end in zip(counts, [0, *ends], ends, strict=False)
    ]


def _packed(expected: Mapping[int, float], n_queues: int, waves: int) -> list[Chunk]:
    """Longest first to the queue that ends first; then each queue is cut, for what was wrong."""
    queues: list[list[int]] = [[] for _ in range(n_queues)]
    ends = [(0.0, number) for number in range(n_queues)]
    # Equal times: in no order that repeats itself, see _dealt
    order = sorted(expected, key=lambda fit: (-expected[fit], fit * GOLDEN_RATIO % 1))
    for fit in order:
        end, number = ends[0]
        queues[number].append(fit)
        heapq.heapreplace(ends, (end + expected[fit], number))
    chunks = [chunk for queue in queues for chunk in _cut(queue, expected, waves)]
    return sorted(chunks, key=lambda chunk: -sum(expected[fit] for fit in chunk))


def _cut(queue: Sequence[int], expected: Mapping[int, float], waves: int) -> list[Chunk]:
    """At most ``waves`` chunks, each with ``_SHRINK`` of the seconds of the one before."""
    begins, total = {}, 0.0
    for fit in queue:
        begins[fit] = total
        total += expected[fit]
    shares = list(accumulate(_SHRINK**wave for wave in range(waves)))
    bounds = [total * share / shares[-1] for share in shares[:-1]]
    cut = groupby(queue, key=lambda fit: bisect(bounds, begins[fit]))
    return [tuple(chunk) for _, chunk in cut]
