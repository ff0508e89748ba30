"""What does a fit cost beside its own work?

1,000 fits of Ridge on 200 x 10, workers warm. By hand: two processes that each run half of
scikit-learn's own calls, handed over once.

Last answer (two cores that had other work too, two sets of seven pairs): 0.64 and 0.81 x the wall
of GridSearchCV(n_jobs=2), 1.4 x by hand. A worker spends 10 % on its record; before it begins,
0.1 s go to scikit-learn's own clones in the caller.

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
