"""`WithFitParams`: parameters of ``fit`` as parameters of an estimator."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from skdistsearch.contenders._fit_params import FitParams, WithFitParams

DIABETES = load_diabetes(return_X_y=True)


class FitValueRegressor(RegressorMixin, BaseEstimator):
    """Predicts a value that is a parameter of its ``fit``."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y, value=0.0, other=None):
        self.value_ = value * self.factor
        return self

    def predict(self, X):
        return np.full(len(X), self.value_)


def test_fit_params_are_parameters_of_the_estimator():
    model = WithFitParams(FitValueRegressor(), FitParams(value=2.0))
    assert clone(model).get_params()["fit_params__value"] == 2.0
    model.set_params(fit_params__value=4.0, estimator__factor=0.5)
    assert model.fit(*DIABETES).predict(DIABETES[0][:2]).tolist() == [2.0, 2.0]
    assert repr(model.fit_params) == "FitParams(value=4.0)"
    assert model.fit_params == FitParams(value=4.0) != FitParams(value=3.0)
    with pytest.raises(ValueError, match=r"Not parameters of fit: vlaue\. Known: value\."):
        model.set_params(fit_params__vlaue=1)
    assert not hasattr(model, "best_iteration_")


def test_sample_weights_are_passed_on():
    weights = np.linspace(1, 2, len(DIABETES[1]))
    model = WithFitParams(Ridge(), FitParams()).fit(*DIABETES, sample_weight=weights)
    expected = Ridge().fit(*DIABETES, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(DIABETES[0]), expected.predict(DIABETES[0]))
