"""A transformer that records its calls, and searches over pipelines of it."""

import time

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

CALLS = []
"""Calls of all `RecordingTransformer` in this process, as (method, factor)."""


class RecordingTransformer(TransformerMixin, BaseEstimator):
    """Multiplies by ``factor`` and adds the mean of the training data. Records each call."""

    def __init__(self, factor=2.0, duration_s=0.0):
        self.factor = factor
        self.duration_s = duration_s

    def fit(self, X, y=None):
        CALLS.append(("fit", self.factor))
        time.sleep(self.duration_s)
        self.shift_ = np.float64(np.asarray(X).mean())
        return self

    def transform(self, X):
        CALLS.append(("transform", self.factor))
        return np.asarray(X) * self.factor + self.shift_


PIPELINE = Pipeline(
    [("a", RecordingTransformer()), ("b", RecordingTransformer()), ("model", Ridge())]
)
GRID = {"a__factor": [1.0, 2.0], "b__factor": [3.0, 4.0], "model__alpha": [0.1, 1.0, 10.0]}
"""Twelve candidates: two ways to fit the first step of `PIPELINE`, four to fit the second."""

CONTAINERS = {
    "array": np.array,
    "fortran": np.asfortranarray,
    "frame": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
}
"""Functions that convert an array of four columns to another container."""


def make_data(container="array", n_rows=40):
    """Return X, in one of `CONTAINERS`, and y of a regression problem."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    y = X[:, 0] + rng.normal(size=n_rows)
    return CONTAINERS[container](X), y


def assert_same_results(actual, expected):
    """Compare two ``cv_results_`` bit for bit, without times and parameters."""
    assert actual.keys() == expected.keys()
    for name in expected:
        if "_time" not in name and "param" not in name:
            np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)
