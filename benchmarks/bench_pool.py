"""Gain of workers that stay, on Metaflow runs of this machine.

A successive halving search with four rounds: with a run for each round, with workers that stay, and
with workers that an earlier search has left. Then ``joblib.Parallel`` on workers that wait, beside
joblib's own processes: eight trivial calls, 1,000 trivial calls, eight calls of 0.25 s, and four
calls on 100 MB.
"""

import statistics
import time

import joblib
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import skdistsearch
from benchmarks.competitors import JOBS
from benchmarks.results import Measurement
from skdistsearch import DistributedHalvingGridSearchCV, MetaflowBackend
from skdistsearch.backends import close_pools

COLD, WARM = "halving, cold / a run each round", "halving, warm / a run each round"
TARGETS = {COLD: 0.35, WARM: 0.1}


def measure(options):
    n_runs = options.runs(default=3)
    halving = [time_halving() for _ in range(n_runs)]
    rows = [
        {"case": f"halving, {case}", "s": round(statistics.median(runs), 2)}
        for case, runs in zip(
            ("a run each round", "workers that stay", "workers that wait"),
            zip(*halving, strict=True),
            strict=True,
        )
    ]
    ratios = {
        COLD: round(statistics.median(cold / each for each, cold, _ in halving), 3),
        WARM: round(statistics.median(warm / each for each, _, warm in halving), 3),
    }
    return Measurement(rows + compare_calls(options.quick), ratios, n_runs)


def time_halving():
    """Return the seconds of a search with a run each round, on new workers, and on warm ones."""
    staying = MetaflowBackend(max_workers=JOBS, keep_alive_s=60)
    each_round = MetaflowBackend(max_workers=JOBS, keep_alive_s=0)
    seconds = [halving_s(backend) for backend in (each_round, staying, staying)]
    close_pools()
    return seconds


def halving_s(backend):
    X, y = load_diabetes(return_X_y=True)
    grid = {"alpha": np.logspace(-3, 3, 27)}
    search = DistributedHalvingGridSearchCV(
        Ridge(), grid, factor=3, cv=2, random_state=0, refit=False, backend=backend
    )
    begin = time.perf_counter()
    search.fit(X, y)
    return time.perf_counter() - begin


def compare_calls(quick):
    """Return a row for each kind of calls: seconds on workers that stay, and on loky."""
    big = np.zeros(100_000 if quick else 12_500_000)
    cases = {
        "8 trivial calls": (8, len, "a"),
        "1,000 trivial calls": (1000, len, "a"),
        "8 calls of 0.25 s": (8, time.sleep, 0.25),
        f"4 calls on {big.nbytes / 1e6:g} MB": (4, first_item, big),
    }
    with skdistsearch.parallel("metaflow", n_jobs=JOBS, min_remote_s=0):
        pool = {case: median_s(*calls) for case, calls in cases.items()}
    with joblib.parallel_config("loky", n_jobs=JOBS):
        loky = {case: median_s(*calls) for case, calls in cases.items()}
    return [{"case": case, "s": pool[case], "loky s": loky[case]} for case in cases]


def median_s(n_calls, function, argument):
    """Return the median of five times, after one that starts the workers and sends the data."""
    seconds = []
    for _ in range(6):
        begin = time.perf_counter()
        joblib.Parallel()(joblib.delayed(function)(argument) for _ in range(n_calls))
        seconds.append(time.perf_counter() - begin)
    return round(statistics.median(seconds[1:]), 3)


def first_item(array):
    return float(array[0])
