"""A model and its family that record the rows they are given.

Column 0 of X must hold the number of each row.
"""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin

from skdistsearch.early_stopping import EarlyStopping, Family

N = 40
X = np.column_stack([np.arange(N), np.random.default_rng(0).normal(size=N)])
Y = X[:, 1] * 2.0

CALLS = []
"""``(action, row numbers, parameters)`` of each fit, validation and transform, in order."""


def record_call(action, X, **params):
    CALLS.append((action, [int(number) for number in np.asarray(X)[:, 0]], params))


def rows_of(action):
    """Return the row numbers of each call of an action."""
    return [rows for name, rows, _ in CALLS if name == action]


class ProbeRegressor(RegressorMixin, BaseEstimator):
    """Predicts the mean target, and stops early after a given number of iterations."""

    def __init__(self, iterations=50, stops_at=7):
        self.iterations = iterations
        self.stops_at = stops_at

    def fit(self, X, y, sample_weight=None, extra=None, known=None):
        params = {"extra": extra, "iterations": self.iterations, "known": known}
        record_call("fit", X, weights=sample_weight, **params)
        self.mean_ = np.average(y, axis=0, weights=sample_weight)
        self.n_features_in_ = np.asarray(X).shape[1]
        return self

    def predict(self, X):
        record_call("predict", X)
        return np.repeat([self.mean_], len(X), axis=0)


class ProbeScaler(TransformerMixin, BaseEstimator):
    """Returns X unchanged, and records the rows it is given."""

    def fit(self, X, y=None):
        record_call("scaler fit", X)
        return self

    def transform(self, X):
        record_call("scaler transform", X)
        return X

    def __sklearn_is_fitted__(self):
        return True


def fit_with_validation(model, train, validation, patience):
    record_call("validate", validation.X, **validation.params)
    model.fit(train.X, train.y, **train.params)
    return min(model.stops_at, model.iterations)


FAMILY = Family(
    "probe",
    matches=lambda estimator: isinstance(estimator, ProbeRegressor),
    fit_with_validation=fit_with_validation,
    set_iterations=lambda model, n: model.set_params(iterations=n),
)


def fit_one_iteration(model, train, validation, patience):
    record_call("validate", validation.X)
    record_call("train", train.X)
    model.fit(train.X, train.y)
    return 1


ANY_MODEL = Family(
    "any model",
    matches=lambda estimator: True,
    fit_with_validation=fit_one_iteration,
    set_iterations=lambda model, n: None,
)


def stopping(estimator=None, **params):
    """Return an `EarlyStopping` over a probe."""
    model = ProbeRegressor() if estimator is None else estimator
    return EarlyStopping(model, **{"family": FAMILY, "random_state": 0, **params})
