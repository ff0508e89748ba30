"""Regressors on a path that count their fits."""

import copy
import time

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from skdistsearch.model_paths import PathFamily

FITS = []
"""Number of steps of each fit in this process."""


class SteppingRegressor(RegressorMixin, BaseEstimator):
    """Goes to the mean of y step by step. Records each fit."""

    def __init__(self, n_steps=4, rate=0.5, fail_above=None, seconds=0.0):
        self.n_steps = n_steps
        self.rate = rate
        self.fail_above = fail_above
        self.seconds = seconds

    def fit(self, X, y, sample_weight=None, eval_set=None):
        FITS.append(self.n_steps)
        time.sleep(self.seconds)
        if self.fail_above is not None and self.n_steps > self.fail_above:
            raise ValueError("too many steps")
        target = np.average(y, weights=sample_weight) + np.asarray(X).mean()
        self.levels_ = [target * (1 - self.rate**step) for step in range(1, self.n_steps + 1)]
        return self

    def predict(self, X):
        return np.asarray(X).mean(axis=1) + self.levels_[-1]


def shorten(model, n_steps):
    """Return the model with fewer steps."""
    shorter = copy.copy(model).set_params(n_steps=n_steps)
    shorter.levels_ = model.levels_[:n_steps]
    return shorter


STEPPING = PathFamily(
    "stepping", lambda model: type(model) is SteppingRegressor, "n_steps", shorten
)
