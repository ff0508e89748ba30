"""Time and memory of many fits on a large X.

1,000,000 x 150 float64 (1.2 GB), Ridge and a histogram booster, 8 candidates x 5 splits. By hand:
two processes that map X, slice each split once and run its fits.

Workers of one competitor may outlive it. For its memory alone, give each a process of its own:
``python -m benchmarks large --runs 1 --cold --competitors DistributedSearchCV``.
"""

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ParameterGrid
from sklearn.pipeline import Pipeline

from benchmarks.competitors import BY_HAND, JOBS, compare, make_searches

CV = KFold(5)
PIPE = Pipeline([("model", Ridge())])
GRID = [
    {"model": [Ridge()], "model__alpha": [0.1, 1.0, 10.0, 100.0]},
    {
        "model": [HistGradientBoostingRegressor(max_iter=5, random_state=0)],
        "model__max_leaf_nodes": [7, 15, 31, 63],
    },
]
TARGETS = {"wall / GridSearchCV": 0.65, "wall / by hand": 1.1}


def measure(options):
    n_rows = 2000 if options.quick else 1_000_000
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 150))
    y = X[:, :5].sum(axis=1) + rng.normal(size=n_rows)
    searches = make_searches(PIPE, GRID, (X, y), cv=CV, with_peers=False)
    return compare({**searches, BY_HAND: lambda: fit_by_hand(X, y)}, options)


def fit_by_hand(X, y):
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(fit_split)(X, y, *indices) for indices in CV.split(X)
    )


def fit_split(X, y, train, test):
    """Return the scores of all fits on one split."""
    X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    return [
        clone(PIPE).set_params(**params).fit(X_train, y_train).score(X_test, y_test)
        for params in ParameterGrid(GRID)
    ]
