"""Time that a Metaflow run on this machine adds to a search.

50 and 1,000 fits of Ridge on diabetes. Each search is a process of its own, because both backends
then start alike: with two fresh workers that import scikit-learn.
"""

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.results import Measurement
from benchmarks.subprocesses import run_script


def measure(options):
    n_runs = options.runs(default=7)
    rows = [compare_backends(n_fits, n_runs) for n_fits in ((10,) if options.quick else (50, 1000))]
    ratios = {
        f"{row['fits']:,} fits: Metaflow run / worker processes": round(
            row["Metaflow run s"] / row["worker processes s"], 2
        )
        for row in rows
    }
    return Measurement(rows, ratios, n_runs)


def compare_backends(n_fits, n_runs):
    """Return the median wall times of both backends, and the median of their difference."""
    pairs = [(wall_s("local", n_fits), wall_s("metaflow", n_fits)) for _ in range(n_runs)]
    local, metaflow = zip(*pairs, strict=True)
    return {
        "fits": n_fits,
        "worker processes s": round(statistics.median(local), 2),
        "Metaflow run s": round(statistics.median(metaflow), 2),
        "added s": round(statistics.median(there - here for here, there in pairs), 2),
    }


def wall_s(backend, n_fits):
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        run_script("small_search.py", backend, n_fits, folder=Path(folder), every_s=1.0)
        return time.perf_counter() - begin
