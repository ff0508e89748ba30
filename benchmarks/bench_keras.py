"""What does a search over Keras models cost, and does a worker that fits many of them leak?

scikeras, a net of one hidden layer, 4 candidates x 5 splits. By hand: two warm processes with one
thread each, which take fits one by one.

Last answer (two cores, one run, in which all workers had to import TensorFlow): 33 s, by hand 29
(1.14 x), one process 54, dask-ml 31, joblib over dask 37, over ray 39. GridSearchCV's 65 s do not
count: other work came in between. To be run again, with warm workers.

Last answer, leak: 744 MB after the first of 100 fits in a worker, 1,070 after the last: 3.3 MB a
fit, native memory of TensorFlow's that neither ``gc.collect``, ``clear_session``, removing its
functions nor ``malloc_trim`` gives back, with and without jit_compile. So workers are replaced.

    python -m benchmarks bench_keras
    python -m benchmarks.bench_keras     200 fits in one worker: resident memory after each 20
"""

import os
from itertools import product

import joblib
import numpy as np
from scikeras.wrappers import KerasRegressor
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold

from benchmarks.sides import JOBS, LIMIT, searches
from skdistsearch import DistributedSearchCV

SPLITS = KFold(5)
GRID = {"hidden": [8, 16, 32, 64]}
TARGETS = {"GridSearchCV": 0.85, LIMIT: 1.15}


def net(meta, hidden):
    from keras import Input, Sequential, layers

    width = meta["n_features_in_"]
    return Sequential([Input((width,)), layers.Dense(hidden, activation="relu"), layers.Dense(1)])


def model(epochs=20):
    return KerasRegressor(
        net, hidden=8, loss="mse", epochs=epochs, fit__batch_size=128, random_state=0, verbose=0
    )


def data(rows=2000):
    return make_regression(rows, 20, noise=10, random_state=0)


def one(X, y, train, test, hidden):
    return clone(model()).set_params(hidden=hidden).fit(X[train], y[train]).score(X[test], y[test])


def by_hand(X, y):
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        return joblib.Parallel(JOBS, batch_size=1)(
            joblib.delayed(one)(X, y, *indices, hidden)
            for hidden, indices in product(GRID["hidden"], SPLITS.split(X))
        )


def sides():
    X, y = data()
    found = searches(model(), GRID, (X, y), cv=SPLITS)
    return {**found, LIMIT: lambda: by_hand(X, y)}


class Resident(RegressorMixin, BaseEstimator):
    """A net; its score is the resident memory of the process that fitted it, in MB."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y):
        self.net_ = model(epochs=1).set_params(random_state=self.seed).fit(X, y)
        return self

    def predict(self, X):
        return self.net_.predict(X)

    def score(self, X, y):
        self.predict(X)
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main():
    grid = {"seed": list(range(100))}
    search = DistributedSearchCV(Resident(), grid, cv=2, n_jobs=2, refit=False).fit(*data(200))
    found = np.sort([search.cv_results_[f"split{split}_test_score"] for split in range(2)], None)
    print("MB:", *found[:: len(found) // 10].round(), found[-1].round())


if __name__ == "__main__":
    main()
