"""Makespan of rounds that are cut into chunks, relative to the ideal, on 50 workers.

A simulation: tasks start in their order, the next one when a worker is free. Fit times are
lognormal with sigma 1.5 and a median of 10 s. The ideal is max(sum / workers, longest fit); with
independent times of such a tail not even a task for each fit reaches it, because the longest fit
starts somewhere in the middle.
"""

import heapq
import statistics
from itertools import product

import numpy as np

from benchmarks.results import Measurement
from skdistsearch.scheduling import factoring_chunks, interleaved_chunks, seconds_by_candidate

N_WORKERS = 50
N_SPLITS = 5


# Fit times


def independent(n, rng):
    return rng.lognormal(np.log(10), 1.5, n)


def equal_within_candidate(n, rng):
    """All splits of a candidate take equally long, within 5 %."""
    return np.repeat(independent(n // N_SPLITS, rng), N_SPLITS) * rng.lognormal(0, 0.05, n)


def growing(n, rng):
    """... and candidates take longer along the grid."""
    times = np.sort(independent(n // N_SPLITS, rng))
    return np.repeat(times, N_SPLITS) * rng.lognormal(0, 0.05, n)


def repeating(n, rng):
    """... and the parameter that decides, with ten values, is the one that changes fastest."""
    values = np.repeat(np.sort(independent(10, rng)), N_SPLITS)
    return np.resize(values, n) * rng.lognormal(0, 0.05, n)


def mild(n, rng):
    """Independent times, sigma 0.5."""
    return rng.lognormal(np.log(10), 0.5, n)


# Schemes that cut fits into chunks


def task_per_fit(times, rng):
    return interleaved_chunks(range(len(times)), len(times))


def chunk_per_worker(times, rng):
    return interleaved_chunks(range(len(times)), N_WORKERS)


def unknown_times(times, rng):
    return factoring_chunks(range(len(times)), N_WORKERS)


def known_times(times, rng):
    return factoring_chunks(range(len(times)), N_WORKERS, seconds=dict(enumerate(times)))


def times_within_30_percent(times, rng):
    estimates = times * rng.lognormal(0, 0.3, len(times))
    return factoring_chunks(range(len(times)), N_WORKERS, seconds=dict(enumerate(estimates)))


def half_of_times_known(times, rng):
    """Use the times of a random half, and for other fits those of the same candidate."""
    known = {fit: times[fit] for fit in np.flatnonzero(rng.random(len(times)) < 0.5)}
    candidates = [fit // N_SPLITS for fit in range(len(times))]
    seconds = seconds_by_candidate(candidates, known)
    return factoring_chunks(range(len(times)), N_WORKERS, seconds=seconds)


KINDS = (independent, equal_within_candidate, growing, repeating, mild)
SCHEMES = (
    task_per_fit,
    chunk_per_worker,
    unknown_times,
    known_times,
    times_within_30_percent,
    half_of_times_known,
)


def measure(options):
    n_seeds = options.runs(default=11)
    rows = [
        make_row(task_s, n_fits, kind, n_seeds)
        for task_s, n_fits, kind in product(
            (0, 30), (1000,) if options.quick else (1000, 3000, 10_000), KINDS
        )
    ]
    ratios = {  # the largest medians
        f"{readable(scheme)}, task start {task_s} s: makespan / ideal": max(
            float(row[readable(scheme)].split()[0]) for row in rows if row["task start s"] == task_s
        )
        for task_s, scheme in product((0, 30), SCHEMES)
    }
    return Measurement(rows, ratios, n_seeds)


def make_row(task_s, n_fits, kind, n_seeds):
    """Return makespan / ideal of each scheme: the median over seeds and, in brackets, the worst."""
    cells = {}
    for scheme in SCHEMES:
        makespans = [
            relative_makespan(kind, scheme, n_fits, task_s, seed) for seed in range(n_seeds)
        ]
        cells[readable(scheme)] = f"{statistics.median(makespans):.2f} ({max(makespans):.2f})"
    return {"task start s": task_s, "fits": n_fits, "fit times": readable(kind), **cells}


def readable(function):
    return function.__name__.replace("_", " ")


def relative_makespan(kind, scheme, n_fits, task_s, seed):
    rng = np.random.default_rng(seed)
    times = kind(n_fits, rng)
    ideal = max(times.sum() / N_WORKERS, times.max())
    return makespan(scheme(times, rng), times.tolist(), task_s) / ideal


def makespan(chunks, times, task_s):
    """Return the time at which the last task ends."""
    ends = [0.0] * N_WORKERS
    for chunk in chunks:
        heapq.heapreplace(ends, ends[0] + task_s + sum(times[fit] for fit in chunk))
    return max(ends)
