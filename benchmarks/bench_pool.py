"""Gain of workers that stay, on Metaflow runs of this machine and on a simulated AWS Batch.

A successive halving search with four rounds: with a run for each round, with workers that stay, and
with workers that an earlier search has left. On Batch, each container takes 20 s to start. Then
``joblib.Parallel`` on workers that wait, beside joblib's own processes: eight trivial calls, 1,000
trivial calls, eight calls of 0.25 s, and four calls on 100 MB. Requests to S3 are counted on Batch,
with the price of AWS in us-east-1: $5 for a million PUT and LIST, $0.40 for a million GET.
"""

import statistics
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import skdistsearch
from benchmarks.competitors import JOBS
from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script
from skdistsearch import DistributedHalvingGridSearchCV, MetaflowBackend
from skdistsearch.backends import close_pools

EACH, COLD, WARM = "a run each round", "workers that stay", "workers that wait"
WAVE, MANY, LONG, BIG = (
    "8 trivial calls",
    "1,000 trivial calls",
    "8 calls of 0.25 s",
    "4 calls on 100 MB",
)
TARGETS = {
    f"halving: {COLD} / {EACH}": 0.35,
    f"halving: {WARM} / {EACH}": 0.1,
    f"halving on Batch: {COLD} / {EACH}": 0.35,
    f"halving on Batch: {WARM} / {EACH}": 0.1,
    f"{WAVE} s": 0.06,
    f"{WAVE} on Batch s": 2.5,
    f"{MANY} s": 1.5,
    f"{LONG} s": 1.15,
    f"{BIG} on Batch: sent again / size": 0.01,
}
DEAR = (
    "PutObject",
    "ListObjectsV2",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
)


def measure(options):
    n_runs = options.runs(default=3)
    halving = [time_halving() for _ in range(n_runs)]
    here = {case: statistics.median(run[case] for run in halving) for case in (EACH, COLD, WARM)}
    size_mb = 1 if options.quick else 100
    calls = compare_calls(size_mb)
    with tempfile.TemporaryDirectory() as folder:
        arguments = (1, 100, 1, 5) if options.quick else (20, 10_000, 100, 60)
        batch = run_script("pool_on_batch.py", *arguments, folder=Path(folder)).output
    rows = [
        {"case": f"halving, {case}", "s": round(here[case], 2), "LocalAWS s": round(s, 1)}
        for case, s in batch["halving"].items()
    ]
    rows += [*calls, *rows_of_requests(batch, arguments[1])]
    for row in rows:
        if row["case"] == WAVE:
            row["LocalAWS s"] = round(batch["wave_s"], 2)
    ratios = {
        **ratios_of("halving", here),
        **ratios_of("halving on Batch", batch["halving"]),
        **{f"{row['case']} s": row["s"] for row in calls[:3]},
        f"{WAVE} on Batch s": round(batch["wave_s"], 2),
        f"{BIG} on Batch: sent again / size": round(batch["again"]["bytes_in"] / size_mb / 1e6, 3),
    }
    return Measurement(rows, ratios, n_runs)


def ratios_of(name, halving):
    return {
        f"{name}: {case} / {EACH}": round(halving[case] / halving[EACH], 3) for case in (COLD, WARM)
    }


def rows_of_requests(batch, n_calls):
    """Return the requests of a wave, of idle workers and of many calls, with their price."""
    cases = {
        "requests: wave of 8 calls": batch["wave"],
        "requests: 2 workers idle for a minute": batch["idle"],
        f"requests: {n_calls:,} calls": batch["many"],
        f"requests: {BIG}, first": batch["first"],
        f"requests: {BIG}, again": batch["again"],
    }
    return [
        {
            "case": case,
            "LocalAWS s": round(counted["s"], 2),
            "S3 PUT and LIST": sum(n for name, n in counted["all"].items() if name in DEAR),
            "S3 others": sum(n for name, n in counted["all"].items() if name not in DEAR),
            "own": sum(counted["own"].values()),
            "MB sent": round(counted["bytes_in"] / 1e6, 2),
            "US cents": round(100 * price(counted["all"]), 4),
        }
        for case, counted in cases.items()
    ]


def price(requests):
    """Return the price in US dollars. Deletions are free, but too few to matter."""
    return sum(n * (5e-6 if name in DEAR else 0.4e-6) for name, n in requests.items())


def time_halving():
    """Return the seconds of a search with a run each round, on new workers, and on warm ones."""
    staying = MetaflowBackend(max_workers=JOBS, keep_alive_s=60)
    each_round = MetaflowBackend(max_workers=JOBS, keep_alive_s=0)
    times = {EACH: halving_s(each_round), COLD: halving_s(staying), WARM: halving_s(staying)}
    close_pools()
    return times


def halving_s(backend):
    X, y = load_diabetes(return_X_y=True)
    grid = {"alpha": np.logspace(-3, 3, 27)}
    search = DistributedHalvingGridSearchCV(
        Ridge(), grid, factor=3, cv=2, random_state=0, refit=False, backend=backend
    )
    begin = time.perf_counter()
    search.fit(X, y)
    return time.perf_counter() - begin


def compare_calls(size_mb):
    """Return a row for each kind of calls: seconds on workers that stay, and on loky."""
    big = np.zeros(size_mb * 125_000)
    cases = {
        WAVE: (8, len, "a"),
        MANY: (1000, len, "a"),
        LONG: (8, time.sleep, 0.25),
        BIG: (4, first_item, big),
    }
    with skdistsearch.parallel("metaflow", n_jobs=JOBS, min_remote_s=0):
        pool = {case: median_s(*calls) for case, calls in cases.items()}
    with joblib.parallel_config("loky", n_jobs=JOBS):
        loky = {case: median_s(*calls) for case, calls in cases.items()}
    return [{"case": case, "s": pool[case], "loky s": loky[case]} for case in cases]


def median_s(n_calls, function, argument):
    """Return the median of five times, after one that starts the workers and sends the data."""
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        joblib.Parallel()(joblib.delayed(function)(argument) for _ in range(n_calls))
        times.append(time.perf_counter() - begin)
    return round(statistics.median(times[1:]), 3)


def first_item(array):
    return float(array[0])
