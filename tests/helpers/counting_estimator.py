"""Estimators in a module of the user's own that count their fits."""

import time
from pathlib import Path
from secrets import token_hex

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class CountingRegressor(RegressorMixin, BaseEstimator):
    """Predict the mean of y times ``factor``. Each fit creates a file in ``folder``."""

    def __init__(self, factor=1.0, folder=None, behavior="fit", duration_s=0.0):
        self.factor = factor
        self.folder = folder
        self.behavior = behavior
        self.duration_s = duration_s

    def fit(self, X, y, sample_weight=None, power=1):
        Path(self.folder, f"{self.factor}-{token_hex(8)}").touch()
        if self.behavior == "raise":
            raise ZeroDivisionError("meant to fail")
        time.sleep(self.duration_s)
        self.mean_ = np.average(y, weights=sample_weight) * self.factor**power
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class RandomRegressor(CountingRegressor):
    """Predict a random number that no seed controls."""

    def fit(self, X, y):
        super().fit(X, y)
        self.mean_ = np.random.default_rng().normal()
        return self
