"""Outputs of models that fail, lack an attribute, or are refitted in several rounds."""

import numpy as np
import pytest
from helpers.all_outputs import tree_depth
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV, EarlyStopping

IRIS = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 3]}


def test_failed_fit_has_nan_and_none():
    search = DistributedSearchCV(
        TREE,
        {"max_depth": [2, -1]},
        cv=3,
        extract={"depth": tree_depth},
        keep=("predict", "predict_proba", "estimators"),
    )
    with pytest.warns(match="fits failed|non-finite"):
        search.fit(*IRIS)
    assert np.isnan(search.cv_results_["mean_depth"]).tolist() == [False, True]
    assert np.isnan(search.oof_predictions_["predict"]).all(axis=1).tolist() == [False, True]
    assert np.isnan(search.oof_predictions_["predict_proba"][1]).all()
    assert search.fold_estimators_[1][0] is None


def test_missing_method_gives_nan_and_one_warning():
    pipe = Pipeline([("model", DummyClassifier())])
    grid = {"model": [DummyClassifier(), RidgeClassifier()]}
    search = DistributedSearchCV(
        pipe, grid, cv=3, keep="predict_proba", extract={"alpha": "model__alpha"}
    )
    message = "keep='predict_proba' failed for 3 of 6 models; their values are NaN or None"
    with pytest.warns(UserWarning, match=message) as warnings:
        search.fit(*IRIS)
    assert len(warnings) == 1  # none about alpha, which the other model has
    predictions = search.oof_predictions_["predict_proba"]
    assert np.isnan(predictions).all(axis=(1, 2)).tolist() == [False, True]
    assert np.isnan(search.cv_results_["mean_alpha"]).tolist() == [True, False]


def raise_error(model):
    raise ZeroDivisionError("meant to fail")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (raise_error, "ZeroDivisionError: meant to fail"),
        (lambda model: "much", "'much' of type str, not a number"),
        ("get_depth", "of type method, not a number"),
    ],
    ids=["raises", "string", "method"],
)
def test_value_that_no_model_has_is_an_error(source, reason):
    search = DistributedSearchCV(TREE, GRID, cv=3, extract={"x": source})
    message = rf"extract={{'x': .*}} failed for 6 of 6 models\. First failure: candidate .*{reason}"
    with pytest.raises(ValueError, match=message):
        search.fit(*IRIS)


def test_attribute_that_no_model_has_is_a_warning():
    search = DistributedSearchCV(TREE, GRID, cv=3, extract={"x": "best_iter_"})
    message = "extract={'x': 'best_iter_'} failed for 6 of 6 models"
    with pytest.warns(UserWarning, match=message):
        search.fit(*IRIS)
    assert np.isnan(search.best_x_)


def test_attribute_path_leads_into_nested_models():
    early_stopping = EarlyStopping(HistGradientBoostingRegressor(max_iter=20, random_state=0))
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), early_stopping))
    extract = {"n": "regressor___earlystopping__best_iteration_"}
    search = DistributedSearchCV(model, {}, cv=2, extract=extract, keep="estimators")
    search.fit(*load_diabetes(return_X_y=True))
    iterations = [m.regressor_[-1].best_iteration_ for m in search.fold_estimators_[0]]
    assert search.best_n_ == np.mean(iterations)


def test_halving_search_has_outputs_of_all_rounds():
    search = DistributedHalvingGridSearchCV(
        TREE,
        {"max_depth": [1, 2, 3, 4]},
        cv=3,
        min_resources=45,
        extract={"depth": tree_depth},
        keep="estimators",
        random_state=0,
    ).fit(*IRIS)
    depths = [[tree_depth(model) for model in folds] for folds in search.fold_estimators_]
    assert len(depths) == 4 + 2
    np.testing.assert_array_equal(search.cv_results_["mean_depth"], np.mean(depths, axis=1))
