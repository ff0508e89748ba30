"""What does a search over Keras models cost, and does a worker that fits many of them leak?

scikeras, a net of one hidden layer, 4 candidates x 5 splits. By hand: two warm processes with one
thread each, which take fits one by one.

Last answer (two cores, warm workers, medians of 3 that vary by a quarter): 20.0 s, GridSearchCV
20.2 (0.99 x), by hand 18.5 (1.11 x), dask-ml 19.7, joblib over dask 22.1; one run each of one
process 37, joblib over ray 45. By hand is 0.90 x GridSearchCV: there is next to nothing to save. Of
the 1.25 s that a fit takes alone, in a warm process with one thread, 0.45 are 21 iterators over the
data (tf.data makes one an epoch), 0.35 the training function's tracing, 0.2 its 260 steps, 0.1 the
tracing of predict: all of it TensorFlow's, and of a model of its own. Two processes at once take
1.5 s. XLA, and so a cache of its programs, has no part in it (``jit_compile`` is off here); nor has
garbage collection (0.005 s).

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
