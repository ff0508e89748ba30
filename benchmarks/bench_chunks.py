"""How far from the ideal do the chunks of a round end, on 50 workers?

A simulation: tasks start in their order, the next one when a worker is free. Fit times are
lognormal with sigma 1.5 and a median of 10 s; the ideal is max(sum / workers, longest fit).
Last answer (1,000 to 10,000 fits, medians of 11 seeds over the kinds of times below). Times known:
1.00 to 1.01 of the ideal; within 30 %: 1.00 to 1.14. Times unknown: 1.03 to 1.45. Independent times
with this tail end at 1.2 to 1.5 even with a task for each fit and free starts: the longest fit
starts somewhere in the middle. With 30 s for a task's start, unknown times end at 1.1 to 1.7, and
a task for each fit at 1.8 to 3.8. A chunk per worker that takes every 50th fit: up to 8.5 times
the ideal on a grid that repeats itself every 50 fits.

    python -m benchmarks.bench_chunks
"""

import heapq
import statistics

import numpy as np

from skdistsearch.scheduling._chunks import interleaved_chunks
from skdistsearch.scheduling._factoring import factoring_chunks, seconds_by_candidate

WORKERS = 50
SPLITS = 5


def independent(n, random):
    return random.lognormal(np.log(10), 1.5, n)


def alike(n, random):
    """Splits of a candidate take equally long, within 5 %."""
    return np.repeat(independent(n // SPLITS, random), SPLITS) * random.lognormal(0, 0.05, n)


def growing(n, random):
    """... and candidates take longer along the grid."""
    times = np.sort(independent(n // SPLITS, random))
    return np.repeat(times, SPLITS) * random.lognormal(0, 0.05, n)


def repeating(n, random):
    """... and the parameter that decides, of ten values, is the one that changes fastest."""
    values = np.repeat(np.sort(independent(10, random)), SPLITS)
    return np.resize(values, n) * random.lognormal(0, 0.05, n)


def mild(n, random):
    """Independent, sigma 0.5."""
    return random.lognormal(np.log(10), 0.5, n)


def one_each(times, random):
    return interleaved_chunks(range(len(times)), len(times))


def one_per_worker(times, random):
    return interleaved_chunks(range(len(times)), WORKERS)


def unknown(times, random):
    return factoring_chunks(range(len(times)), WORKERS)


def known(times, random):
    return factoring_chunks(range(len(times)), WORKERS, seconds=dict(enumerate(times)))


def roughly(times, random):
    """Each time known within 30 %."""
    recorded = times * random.lognormal(0, 0.3, len(times))
    return factoring_chunks(range(len(times)), WORKERS, seconds=dict(enumerate(recorded)))


def half(times, random):
    """Times of a random half are known; of the others, those of the same candidate may be."""
    recorded = {fit: times[fit] for fit in np.flatnonzero(random.random(len(times)) < 0.5)}
    candidates = [fit // SPLITS for fit in range(len(times))]
    seconds = seconds_by_candidate(candidates, recorded)
    return factoring_chunks(range(len(times)), WORKERS, seconds=seconds)


def makespan(chunks, times, task_s):
    """When the last task ends."""
    ends = [0.0] * WORKERS
    for chunk in chunks:
        heapq.heapreplace(ends, ends[0] + task_s + sum(times[fit] for fit in chunk))
    return max(ends)


def ratios(draw, chunked, n, task_s, runs):
    found = []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        times = draw(n, random)
        ideal = max(times.sum() / WORKERS, times.max())
        found.append(makespan(chunked(times, random), times.tolist(), task_s) / ideal)
    return found


def main(runs=11):
    schemes = (one_each, one_per_worker, unknown, known, roughly, half)
    for task_s in (0, 30):
        print(f"\nmakespan / ideal, median (worst) of {runs}; a task's start takes {task_s} s")
        print(f"{'fits':>6} {'times':<12}" + "".join(f"{s.__name__:>16}" for s in schemes))
        for n in (1000, 3000, 10000):
            for draw in (independent, alike, growing, repeating, mild):
                cells = [ratios(draw, scheme, n, task_s, runs) for scheme in schemes]
                cells = [f"{statistics.median(cell):9.2f} ({max(cell):4.2f})" for cell in cells]
                print(f"{n:>6} {draw.__name__:<12}" + "".join(cells))


if __name__ == "__main__":
    main()
