"""Chunks of decreasing size, for tasks that each start a container."""

from __future__ import annotations

import heapq
import math
import statistics
from bisect import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby

from skdistsearch.scheduling._chunks import GOLDEN_RATIO, Chunk

# Constants from benchmarks/bench_chunks.py
_TASK_START_S = 30.0  # before a task's first fit: a container starts in 5 to 60 s
_WAVE_S = 5 * _TASK_START_S  # seconds of work per worker that justify one more wave of tasks
_WAVES_MAX = 4  # the last wave has 1/15 of the work: more waves cost more than they balance
_SHRINK = 0.5  # fits of a wave relative to the wave before: "factoring", Hummel et al., 1992


def factoring_chunks(
    fits: Sequence[int],
    n_workers: int,
    *,
    tasks_max: int = 200,
    seconds: Mapping[int, float] | None = None,
) -> list[Chunk]:
    """Return chunks in the order in which their tasks should start, ``n_workers`` at a time.

    Up to ``tasks_max`` fits have a task each. More fits share at most ``tasks_max`` tasks, or
    ``n_workers`` if that is more.

    Parameters
    ----------
    fits : sequence of int
        Numbers of fits, in the order of the grid: neighbours tend to take equally long.
    n_workers : int
        Number of tasks that run at the same time.
    tasks_max : int, default=200
        Number of tasks that a run may have.
    seconds : mapping of int to float, optional
        Expected durations in seconds, as far as they are known. The longest chunks then come
        first, and no task is made for less work than it takes to start it, except that few fits
        still have one each.
    """
    tasks_max = max(tasks_max, n_workers)
    known = {fit: seconds[fit] for fit in fits if fit in seconds} if seconds else {}
    mean = statistics.fmean(known.values()) if known else 0.0
    expected = {fit: known.get(fit, mean) for fit in fits}
    if len(fits) <= tasks_max:
        return [(fit,) for fit in sorted(fits, key=lambda fit: -expected[fit])]
    n_tasks = min(tasks_max, n_workers * _WAVES_MAX)
    if not known:
        return _factoring_waves(fits, n_workers, n_tasks)
    # A fit of unknown duration is worth a task: the known ones may be the short ones
    work_s = sum(known.values()) + max(mean, _TASK_START_S) * (len(fits) - len(known))
    n_queues = min(n_workers, math.ceil(work_s / _TASK_START_S))
    n_waves = min(n_tasks // n_workers, int(work_s / n_workers / _WAVE_S))
    return _longest_first(expected, max(1, n_queues), max(1, n_waves))


def seconds_by_candidate(
    candidates: Sequence[int], seconds: Mapping[int, float]
) -> dict[int, float]:
    """Return expected durations of fits whose candidate has run, on this or on other splits.

    Parameters
    ----------
    candidates : sequence of int
        The candidate of each fit.
    seconds : mapping of int to float
        Durations of the fits that have run, in seconds.
    """
    durations = defaultdict(list)
    for fit, duration in seconds.items():
        durations[candidates[fit]].append(duration)
    medians = {candidate: statistics.median(values) for candidate, values in durations.items()}
    return {
        fit: seconds.get(fit, medians[candidate])
        for fit, candidate in enumerate(candidates)
        if candidate in medians
    }


def _factoring_waves(fits: Sequence[int], n_workers: int, n_tasks: int) -> list[Chunk]:
    """Return waves of chunks of decreasing size, each over the whole grid, for unknown durations.

    The first wave, which has most rounds, gets the first and the last fits of the grid: if
    durations grow along the grid, the longest fits start first.
    """
    chunks: list[list[int]] = []
    rounds: list[tuple[float, list[list[int]], int]] = []
    for n_chunks, n_fits in _wave_sizes(len(fits), n_workers, n_tasks):
        wave: list[list[int]] = [[] for _ in range(n_chunks)]
        chunks += wave
        n_rounds = math.ceil(n_fits / n_chunks)
        for number in range(n_rounds):
            position = (number + 0.5) / n_rounds
            rounds.append((position, wave, min(n_chunks, n_fits - number * n_chunks)))
    first = 0
    for number, (_, wave, size) in enumerate(sorted(rounds, key=lambda round_: round_[0])):
        # Each round starts at another chunk: a grid repeats itself, and the long fits of its
        # repetitions would meet in one chunk
        start = int(number * GOLDEN_RATIO % 1 * len(wave))
        for position_in_wave, fit in enumerate(fits[first : first + size], start):
            wave[position_in_wave % len(wave)].append(fit)
        first += size
    return [tuple(chunk) for chunk in chunks]


def _wave_sizes(n_fits: int, n_workers: int, n_tasks: int) -> list[tuple[int, int]]:
    """Return the number of chunks and of fits of each wave. Each chunk has at least one fit."""
    counts = [min(n_workers, n_tasks - first) for first in range(0, n_tasks, n_workers)]
    # count * count: chunks of a last wave that has fewer chunks than workers are smaller again
    shares = [count * count * _SHRINK**number for number, count in enumerate(counts)]
    ends = [round((n_fits - n_tasks) * end / sum(shares)) for end in accumulate(shares)]
    return [
        (count, count + end - start)
        for count, start, end in zip(counts, [0, *ends], ends, strict=False)
    ]


def _longest_first(expected: Mapping[int, float], n_queues: int, n_waves: int) -> list[Chunk]:
    """Give the longest fit to the shortest queue; split queues, as expectations may be wrong."""
    queues: list[list[int]] = [[] for _ in range(n_queues)]
    ends = [(0.0, number) for number in range(n_queues)]
    # Fits of equal duration: in an order that does not repeat itself, see _factoring_waves
    order = sorted(expected, key=lambda fit: (-expected[fit], fit * GOLDEN_RATIO % 1))
    for fit in order:
        end, number = ends[0]
        queues[number].append(fit)
        heapq.heapreplace(ends, (end + expected[fit], number))
    chunks = [chunk for queue in queues for chunk in _split_queue(queue, expected, n_waves)]
    return sorted(chunks, key=lambda chunk: -sum(expected[fit] for fit in chunk))


def _split_queue(queue: Sequence[int], expected: Mapping[int, float], n_waves: int) -> list[Chunk]:
    """Split a queue into at most ``n_waves`` chunks of decreasing duration."""
    starts, total = {}, 0.0
    for fit in queue:
        starts[fit] = total
        total += expected[fit]
    shares = list(accumulate(_SHRINK**wave for wave in range(n_waves)))
    bounds = [total * share / shares[-1] for share in shares[:-1]]
    cut = groupby(queue, key=lambda fit: bisect(bounds, starts[fit]))
    return [tuple(chunk) for _, chunk in cut]
