"""Use workers that stay on AWS Batch, as `LocalAWS` simulates it; print times and requests as JSON.

The arguments are the seconds that a container takes to start, the number of calls of the longest
``Parallel``, the size of an array in MB, and the seconds that workers are idle.
"""

import json
import os
import statistics
import sys
import time
from dataclasses import replace

import joblib
import numpy as np

from skdistsearch.testing import LocalAWS

N_SLOTS = 2
FITS_PER_TASK = 27  # half of the first round: no more containers than necessary
START_S, N_CALLS, SIZE_MB, IDLE_S = map(float, sys.argv[1:])


def measure(aws):
    import skdistsearch
    from skdistsearch import MetaflowBackend
    from skdistsearch.backends import close_pools

    each_round = MetaflowBackend(
        compute="batch",
        image="any",
        max_workers=N_SLOTS,
        fits_per_task=FITS_PER_TASK,
        keep_alive_s=0,
    )
    staying = replace(each_round, keep_alive_s=300)
    halving = {
        "a run each round": halving_s(each_round),
        "workers that stay": halving_s(staying),
        "workers that wait": halving_s(staying),
    }
    with skdistsearch.parallel(staying, n_jobs=N_SLOTS, min_remote_s=0):
        wave_s(8)
        waves = [counted(aws, wave_s, 8) for _ in range(6)]
        idle = counted(aws, time.sleep, IDLE_S)
        many = counted(aws, wave_s, int(N_CALLS))
        array = np.random.default_rng(0).normal(size=int(SIZE_MB * 125_000))
        first = counted(aws, call_on_s, array)
        again = counted(aws, call_on_s, array)
    close_pools()
    return {
        "halving": halving,
        "wave_s": statistics.median(wave["s"] for wave in waves),
        "wave": waves[-1],
        "idle": idle,
        "many": many,
        "first": first,
        "again": again,
        "jobs": len(aws.jobs()),
    }


def halving_s(backend):
    from benchmarks.bench_pool import halving_s

    return halving_s(backend)


def counted(aws, function, *arguments):
    """Return the time of a call, the requests to S3 that it made, and the bytes that were sent.

    ``own`` are the requests for this package's objects, ``all`` includes Metaflow's.
    """
    before, before_own = aws.traffic(), aws.traffic(url="/skdistsearch/")
    begin = time.perf_counter()
    function(*arguments)
    seconds = time.perf_counter() - begin
    after, after_own = aws.traffic(), aws.traffic(url="/skdistsearch/")
    return {
        "s": seconds,
        "all": difference(before, after, "requests"),
        "own": difference(before_own, after_own, "requests"),
        "bytes_in": sum(difference(before, after, "bytes_in").values()),
    }


def difference(before, after, field):
    """Return by how much a quantity of each operation of S3 has grown."""
    growth = {
        name.removeprefix("s3."): getattr(traffic, field)
        - (getattr(before[name], field) if name in before else 0)
        for name, traffic in after.items()
        if name.startswith("s3.")
    }
    return {name: n for name, n in growth.items() if n}


def wave_s(n_calls):
    """Return the seconds of a ``Parallel`` with trivial calls."""
    begin = time.perf_counter()
    joblib.Parallel()(joblib.delayed(len)("a") for _ in range(n_calls))
    return time.perf_counter() - begin


def call_on_s(array):
    """Return the seconds of four calls on an array."""
    begin = time.perf_counter()
    joblib.Parallel()(joblib.delayed(np.mean)(array) for _ in range(4))
    return time.perf_counter() - begin


with LocalAWS(slots=N_SLOTS, start_s=START_S) as server:
    os.environ.update(server.environment())
    print(json.dumps(measure(server)))
