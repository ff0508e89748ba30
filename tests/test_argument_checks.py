"""Checks of arguments that several packages make."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch._validation import did_you_mean, estimator_type, is_integer


def test_most_similar_name_is_suggested():
    assert did_you_mean("locla", ["batch", "local"]) == " Did you mean 'local'?"
    assert did_you_mean("xyz", ["batch", "local"]) == ""
    assert did_you_mean("locla", []) == ""


@pytest.mark.parametrize("value", [1, np.int64(7)])
def test_integers(value):
    assert is_integer(value)
    assert is_integer(value, least=1)
    assert not is_integer(value, least=8)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_other_values_are_not_integers(value):
    assert not is_integer(value)


class UntaggedClassifier(BaseEstimator):
    """A classifier with the attribute that scikeras 0.13 sets, and without tags."""

    _estimator_type = "classifier"

    def fit(self, X, y):
        return self


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (Ridge(), "regressor"),
        (LogisticRegression(), "classifier"),
        (UntaggedClassifier(), "classifier"),
        (StandardScaler(), None),
    ],
)
def test_estimator_type_is_that_of_the_last_step(estimator, expected):
    assert estimator_type(estimator) == expected
    assert estimator_type(make_pipeline(StandardScaler(), estimator)) == expected


def test_clusterer_is_neither_classifier_nor_regressor():
    assert estimator_type(KMeans()) not in ("classifier", "regressor")
