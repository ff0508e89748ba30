"""Time and memory of many fits on a large X.

1,000,000 x 150: Ridge on float64 (1.2 GB), and a histogram booster on float32 (0.6 GB), 8
candidates x 5 splits. By hand: two processes that map X, slice each split once and run its fits.

Workers of one competitor may outlive it. For its memory alone, give each a process of its own:
``python -m benchmarks large --runs 1 --cold --competitors DistributedSearchCV``.
"""

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ParameterGrid

from benchmarks.competitors import BY_HAND, JOBS, compare_cases, make_searches

CV = KFold(5)
CASES = {
    "Ridge": (Ridge(), {"alpha": list(np.logspace(-2, 2, 8))}, np.float64),
    "histogram booster": (
        HistGradientBoostingRegressor(max_iter=5, random_state=0),
        {"max_leaf_nodes": [7, 15, 31, 63], "learning_rate": [0.1, 0.2]},
        np.float32,
    ),
}
TARGETS = {
    "Ridge: wall / GridSearchCV": 0.9,
    "Ridge: wall / by hand": 1.1,
    "histogram booster: wall / GridSearchCV": 0.9,
    "histogram booster: wall / by hand": 1.1,
}


def measure(options):
    n_rows = 2000 if options.quick else 1_000_000
    cases = {case: make_competitors(n_rows, *parts) for case, parts in CASES.items()}
    return compare_cases(cases, options)


def make_competitors(n_rows, estimator, grid, dtype):
    X, y = make_data(n_rows, dtype)
    searches = make_searches(estimator, grid, (X, y), cv=CV, with_peers=False)
    return {**searches, BY_HAND: lambda: fit_by_hand(estimator, grid, X, y)}


def make_data(n_rows, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 150), dtype)
    return X, X[:, :5].sum(axis=1) + rng.standard_normal(n_rows)


def fit_by_hand(estimator, grid, X, y):
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(fit_split)(estimator, grid, X, y, *indices) for indices in CV.split(X)
    )


def fit_split(estimator, grid, X, y, train, test):
    """Return the scores of all fits on one split."""
    X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    return [
        clone(estimator).set_params(**params).fit(X_train, y_train).score(X_test, y_test)
        for params in ParameterGrid(grid)
    ]
