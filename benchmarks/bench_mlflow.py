"""Seconds to log a search of 1,000 candidates and 5 splits to MLflow, in a new SQLite store.

By default the best 50 candidates get runs of their own. A run is three requests, and about four
transactions that SQLite writes to the disk one by one. So the disk decides on the wall time, and
the time of one commit is measured beside it.
"""

import os
import sqlite3
import statistics
import tempfile
import time

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from benchmarks.measure import run_interleaved
from benchmarks.results import Measurement
from skdistsearch import DistributedSearchCV
from skdistsearch.report import to_mlflow

DEFAULT, ALL = "50 children and the report", "1,000 children"
TARGETS = {f"s: {DEFAULT}": 15.0, f"s: {ALL}": 15.0}


def measure(options):
    import mlflow

    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    n_runs, search = options.runs(default=3), fit(20 if options.quick else 1000)
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.create_experiment("benchmark", artifact_location=folder)
        mlflow.set_experiment("benchmark")
        competitors = {
            DEFAULT: lambda: to_mlflow(search),
            ALL: lambda: to_mlflow(search, children=None, report=False),
        }
        runs = run_interleaved(competitors, n_runs)
        commit_ms = round(1e3 * time_of_commit(f"{folder}/empty.db"), 1)
    medians = {
        name: [
            statistics.median(getattr(run, field) for run in of) for field in ("wall_s", "cpu_s")
        ]
        for name, of in runs.items()
    }
    rows = [
        {"": name, "wall s": round(wall_s, 1), "CPU s": round(cpu_s, 1), "commit ms": commit_ms}
        for name, (wall_s, cpu_s) in medians.items()
    ]
    seconds = {f"s: {name}": round(wall_s, 1) for name, (wall_s, _) in medians.items()}
    return Measurement(rows, seconds, n_runs)


def fit(n_candidates):
    X, y = load_diabetes(return_X_y=True)
    grid = {"alpha": np.linspace(0.1, 1.0, n_candidates)}
    return DistributedSearchCV(Ridge(), grid, cv=5).fit(X[:60], y[:60])


def time_of_commit(path, n_commits=50):
    """Return the median seconds of a transaction that inserts one row."""
    database = sqlite3.connect(path)
    database.execute("create table numbers (number)")
    seconds = []
    for number in range(n_commits):
        database.execute("insert into numbers values (?)", [number])
        begin = time.perf_counter()
        database.commit()
        seconds.append(time.perf_counter() - begin)
    database.close()
    return statistics.median(seconds)
