"""What does a fit cost beside its own work?

1,000 fits of Ridge on 200 x 10, workers warm. By hand: two processes that each run half of
scikit-learn's own calls, handed over once.

Last answer (two cores, medians of 7): 0.99 s, 0.83 x the wall of GridSearchCV(n_jobs=2), 1.36 x by
hand, which is 0.61 x GridSearchCV. dask-ml 2.9 x, joblib over dask 2.6 x, over ray 3.4 x.
What is left: of a worker's 1.47 ms a fit, 1.22 are the fit itself; scikit-learn's own function
around it slices, clones and checks for 0.15, and 0.1 are ours (a third of that the record). Before
a worker can begin, the caller is at scikit-learn's own clones for 0.12 s: with its loop kept they
cannot be saved, and with by hand they are 0.7 x GridSearchCV.

    python -m benchmarks bench_trivial
"""

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ParameterGrid

from benchmarks.sides import JOBS, LIMIT, searches
from skdistsearch import DistributedSearchCV

GRID = {"alpha": np.logspace(-3, 3, 200)}
TARGETS = {"GridSearchCV": 0.65, LIMIT: 1.4}


def half(X, y, fits):
    """Scores of some fits."""
    return [
        clone(Ridge()).set_params(**parameters).fit(X[train], y[train]).score(X[test], y[test])
        for parameters, (train, test) in fits
    ]


def by_hand(X, y):
    splits = list(KFold(5).split(X))
    fits = [(parameters, split) for parameters in ParameterGrid(GRID) for split in splits]
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(half)(X, y, fits[number::JOBS]) for number in range(JOBS)
    )


def sides():
    data = make_regression(200, 10, random_state=0)
    found = searches(Ridge(), GRID, data, cv=KFold(5))
    one = DistributedSearchCV(Ridge(), GRID, cv=KFold(5), refit=False, n_jobs=1)
    found["DistributedSearchCV, n_jobs=1"] = lambda: clone(one).fit(*data)
    return {**found, LIMIT: lambda: by_hand(*data)}
