"""Memory that a worker keeps for each Keras model that it has fitted.

200 fits in two workers. The score of each fit is the resident memory of its worker, so the sorted
scores show how the workers grow.
"""

import os

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from benchmarks.bench_keras import make_data, make_model
from benchmarks.results import Measurement
from skdistsearch import DistributedSearchCV


class MemoryRegressor(RegressorMixin, BaseEstimator):
    """A net whose score is the resident memory of the process that fitted it, in MB."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y):
        self.net_ = make_model(epochs=1).set_params(random_state=self.seed).fit(X, y)
        return self

    def predict(self, X):
        return self.net_.predict(X)

    def score(self, X, y):
        self.predict(X)
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(options):
    n_seeds = 4 if options.quick else 100
    grid = {"seed": list(range(n_seeds))}
    search = DistributedSearchCV(MemoryRegressor(), grid, cv=2, n_jobs=2, refit=False)
    results = search.fit(*make_data(200)).cv_results_
    sizes = np.sort([results[f"split{split}_test_score"] for split in range(2)], axis=None)
    steps = np.linspace(0, len(sizes) - 1, 11).round().astype(int)
    rows = [{"fits in all workers": int(at) + 1, "RSS MB": round(sizes[at])} for at in steps]
    growth = sizes[-1] / sizes[0]
    return Measurement(rows, {"memory after the last fit / after the first": round(growth, 2)})
