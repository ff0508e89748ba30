"""A regressor that reports a value from the process or thread in which it is fitted."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes

from skdistsearch import DistributedSearchCV


class ProbingRegressor(RegressorMixin, BaseEstimator):
    """Call ``probe`` in ``fit``; return its value as the score."""

    def __init__(self, probe=None, number=0):
        self.probe = probe
        self.number = number

    def fit(self, X, y):
        self.value_ = self.probe()
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return self.value_


def probe_fits(probe, **params):
    """Return the set of values that ``probe`` returns in the eight fits of a search."""
    search = DistributedSearchCV(ProbingRegressor(), {"probe": [probe] * 4}, cv=2, **params)
    results = search.set_params(refit=False).fit(*load_diabetes(return_X_y=True)).cv_results_
    return {results[f"split{split}_test_score"][n] for split in range(2) for n in range(4)}
