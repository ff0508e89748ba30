"""Overhead of trivial fits, compared with GridSearchCV.

1,000 fits of Ridge on 200 x 10, with warm workers. By hand: two processes that each make half of
the calls that scikit-learn makes for a fit, sent to them once.
"""

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ParameterGrid

from benchmarks.competitors import BY_HAND, JOBS, OURS, compare, make_searches
from skdistsearch import DistributedSearchCV

TARGETS = {"wall / GridSearchCV": 0.65, "wall / by hand": 1.4}


def measure(options):
    n_candidates = 4 if options.quick else 200
    grid, data = (
        {"alpha": np.logspace(-3, 3, n_candidates)},
        make_regression(200, 10, random_state=0),
    )
    searches = make_searches(Ridge(), grid, data, cv=KFold(5))
    search = DistributedSearchCV(Ridge(), grid, cv=KFold(5), refit=False, n_jobs=1)
    searches[f"{OURS}, n_jobs=1"] = lambda: clone(search).fit(*data)
    return compare({**searches, BY_HAND: lambda: fit_by_hand(*data, grid)}, options)


def fit_by_hand(X, y, grid):
    splits = list(KFold(5).split(X))
    fits = [(params, split) for params in ParameterGrid(grid) for split in splits]
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(fit_and_score)(X, y, fits[number::JOBS]) for number in range(JOBS)
    )


def fit_and_score(X, y, fits):
    """Return the scores of some fits."""
    return [
        clone(Ridge()).set_params(**params).fit(X[train], y[train]).score(X[test], y[test])
        for params, (train, test) in fits
    ]
