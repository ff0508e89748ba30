"""Finding the path of a parameter within composites."""

import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor, StackingRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skdistsearch.model_paths import find_path

FOREST = RandomForestRegressor(random_state=0)
NAME = "randomforestregressor__n_estimators"


class OwnPipeline(Pipeline):
    """A subclass may fit its steps in any way."""


class OwnScaler(StandardScaler):
    """A transformer of unknown code."""


def test_steps_of_pipelines_come_before_parts_of_meta_estimators():
    inner = TransformedTargetRegressor(make_pipeline(StandardScaler(), FOREST))
    pipe = make_pipeline(StandardScaler(), MultiOutputRegressor(inner))
    path = find_path(pipe, f"multioutputregressor__estimator__regressor__{NAME}", 100)
    assert path.steps == ("multioutputregressor",)
    assert path.parts == ("estimator", "regressor", "randomforestregressor")
    assert path.parameter == f"estimator__regressor__{NAME}"
    assert path.find_fitted_part(pipe) is pipe[-1]
    assert path.value_of(pipe[-1]) == 100


UNSHARED = {
    "another parameter": (FOREST, "max_depth"),
    "model before the last step": (make_pipeline(FOREST, "passthrough"), NAME),
    "pipeline with a cache": (make_pipeline(FOREST, memory="folder"), NAME),
    "subclass of Pipeline": (OwnPipeline([("randomforestregressor", FOREST)]), NAME),
    "other meta-estimator": (StackingRegressor([("f", FOREST)]), "f__n_estimators"),
    "model without a seed": (RandomForestRegressor(), "n_estimators"),
    "random transformer of y": (
        TransformedTargetRegressor(FOREST, transformer=QuantileTransformer()),
        "regressor__n_estimators",
    ),
    "unknown transformer of y": (
        TransformedTargetRegressor(FOREST, transformer=OwnScaler()),
        "regressor__n_estimators",
    ),
    "unknown transformer within a meta-estimator": (
        TransformedTargetRegressor(make_pipeline(OwnScaler(), FOREST)),
        f"regressor__{NAME}",
    ),
}


@pytest.mark.parametrize("name", UNSHARED)
def test_no_path(name):
    estimator, parameter = UNSHARED[name]
    assert find_path(estimator, parameter, 100) is None


def test_estimator_that_callbacks_follow_has_no_path():
    forest = RandomForestRegressor(random_state=0)
    forest._skl_callbacks = [print]
    assert find_path(forest, "n_estimators", 100) is None
