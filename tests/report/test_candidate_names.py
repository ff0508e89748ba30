"""Readable names of contenders and parameters."""

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Lasso, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdistsearch import EarlyStopping
from skdistsearch.report._candidate_names import (
    contender_name,
    format_parameters,
    short_parameter_names,
)

PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])


@pytest.mark.parametrize(
    ("estimator", "params", "contender"),
    [
        (Ridge(), {"alpha": 1}, "Ridge"),
        (PIPE, {"model__alpha": 1}, "Ridge"),
        (PIPE, {"model": Lasso(), "scale": MinMaxScaler()}, "Lasso"),
        (PIPE, {"model": "passthrough"}, "passthrough"),
        (TransformedTargetRegressor(), {}, "TransformedTargetRegressor"),
        (TransformedTargetRegressor(Lasso()), {"regressor__alpha": 1}, "Lasso"),
        (TransformedTargetRegressor(), {"regressor": PIPE}, "Ridge"),
        (EarlyStopping(PIPE), {"estimator__model": TransformedTargetRegressor(Lasso())}, "Lasso"),
        (
            Pipeline([("model", EarlyStopping(TransformedTargetRegressor()))]),
            {"model__estimator__regressor": DummyRegressor(), "model__patience": 3},
            "DummyRegressor",
        ),
    ],
)
def test_contender_is_the_innermost_model(estimator, params, contender):
    assert contender_name(estimator, params) == contender


def test_ambiguous_parameters_keep_more_of_their_names():
    params = {"a__scale__n": 1, "a__model__n": 2.00001, "a__model__f": np.sqrt, "n": "x\n y"}
    names = short_parameter_names(Ridge(), [params])
    assert format_parameters(params, names) == "scale__n=1, model__n=2, f=sqrt, n=x y"
