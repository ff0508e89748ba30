"""What do many fits on a large X cost in time and memory?

1,000,000 x 150 float64 (1.2 GB), Ridge and a histogram booster, 8 candidates x 5 splits. By hand:
two processes that map X, slice each split once and run its fits. ``ROWS`` in the environment
makes it smaller.

Last answer (two cores). 1,000,000 rows, one run: 193 s, 0.87 x GridSearchCV, 0.92 x by hand: the
trees' binning and Ridge's products are most of it, and the same for all. Memory at 200,000 rows
(240 MB), each side in a process of its own: 2.2 GB, GridSearchCV and by hand 2.0. All hold one
split's training part in each worker; ours is read-only, and of that Ridge makes one more copy
(scikit-learn asks for writeable data there).

    python -m benchmarks bench_large --runs 1
"""

import os

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ParameterGrid
from sklearn.pipeline import Pipeline

from benchmarks.sides import JOBS, LIMIT, searches

ROWS, SPLITS = int(os.environ.get("ROWS", 1_000_000)), KFold(5)
PIPE = Pipeline([("model", Ridge())])
GRID = [
    {"model": [Ridge()], "model__alpha": [0.1, 1.0, 10.0, 100.0]},
    {
        "model": [HistGradientBoostingRegressor(max_iter=5, random_state=0)],
        "model__max_leaf_nodes": [7, 15, 31, 63],
    },
]
TARGETS = {"GridSearchCV": 0.65, LIMIT: 1.1}


def split(X, y, train, test):
    """Scores of the fits on one split."""
    X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    return [
        clone(PIPE).set_params(**parameters).fit(X_train, y_train).score(X_test, y_test)
        for parameters in ParameterGrid(GRID)
    ]


def by_hand(X, y):
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(split)(X, y, *indices) for indices in SPLITS.split(X)
    )


def sides():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 150))
    y = X[:, :5].sum(axis=1) + rng.normal(size=ROWS)
    found = searches(PIPE, GRID, (X, y), cv=SPLITS, peers=False)
    return {**found, LIMIT: lambda: by_hand(X, y)}
