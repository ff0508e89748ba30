"""Is ``backend="local"`` ever slower than GridSearchCV with the same ``n_jobs``?

1,000 trivial fits (Ridge on 200 x 10), where all but the dispatch is small; workers are warm.
Last answer (2 cores, medians of 9): no. n_jobs=1: 0.97 x wall, 0.97 x CPU. n_jobs=2: 0.80 x wall,
0.81 x CPU: workers map the data once and get numbers of fits, not pickled calls.

    python -m benchmarks.bench_overhead
"""

import numpy as np
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from benchmarks.measure import alternate, report
from skdistsearch import DistributedSearchCV

X, y = make_regression(200, 10, random_state=0)
GRID = {"alpha": np.logspace(-3, 3, 200)}


def main(runs=9):
    for n_jobs in (1, 2):
        sides = {
            "GridSearchCV": GridSearchCV(Ridge(), GRID, cv=5, n_jobs=n_jobs),
            "DistributedSearchCV": DistributedSearchCV(Ridge(), GRID, cv=5, n_jobs=n_jobs),
        }
        calls = {name: lambda search=search: search.fit(X, y) for name, search in sides.items()}
        alternate(calls, 1)  # workers start
        report(f"1,000 trivial fits, n_jobs={n_jobs}", alternate(calls, runs), base="GridSearchCV")


if __name__ == "__main__":
    main()
