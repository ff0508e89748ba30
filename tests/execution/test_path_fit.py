"""Candidates of a path need one fit, and their results equal scikit-learn's bit for bit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.path_models import FITS, STEPPING, SteppingRegressor
from helpers.transformers import assert_same_results, make_data
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest, SelectPercentile, f_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import DistributedRandomizedSearchCV, DistributedSearchCV
from skdistsearch.model_paths import register_path_family
from skdistsearch.testing import find_differences

X, Y = make_data(n_rows=60)
GRID = {"n_steps": [1, 2, 4], "rate": [0.5, 0.7]}
LONGEST = [4, 4] * 3


@pytest.fixture(autouse=True)
def family(monkeypatch):
    """Register the family of `SteppingRegressor`, and forget earlier fits."""
    monkeypatch.setattr("skdistsearch.model_paths._registry._REGISTERED", [])
    register_path_family(STEPPING)
    FITS.clear()


def in_grid(prefix, grid=GRID):
    return {prefix + name: values for name, values in grid.items()}


def check_equal(estimator, grid, data=(X, Y), *, fit_params=None, **options):
    """Compare with GridSearchCV; return the search and the fits that it ran."""
    options = {"cv": 3, "refit": False, "return_train_score": True, **options}
    expected = GridSearchCV(clone(estimator), grid, **options).fit(*data, **fit_params or {})
    FITS.clear()
    search = DistributedSearchCV(clone(estimator), grid, **options).fit(*data, **fit_params or {})
    assert_same_results(search.cv_results_, expected.cv_results_)
    return search, sorted(FITS, reverse=True)


def test_longest_candidate_is_fitted_for_all():
    assert check_equal(SteppingRegressor(), GRID)[1] == LONGEST


def test_no_work_is_shared_without_a_cache():
    search = DistributedSearchCV(SteppingRegressor(), GRID, cv=3, refit=False, cache_mb=0)
    search.fit(X, Y)
    assert len(FITS) == 18


def test_refit_fits_the_best_candidate_itself():
    search = DistributedSearchCV(SteppingRegressor(), GRID, cv=3).fit(X, Y)
    assert FITS[len(LONGEST) :] == [search.best_params_["n_steps"]]
    assert len(search.best_estimator_.levels_) == search.best_params_["n_steps"]


NESTED = {
    "pipeline": (make_pipeline(StandardScaler(), SteppingRegressor()), "steppingregressor__"),
    "pipeline in a pipeline": (
        Pipeline([("a", StandardScaler()), ("b", Pipeline([("c", SteppingRegressor())]))]),
        "b__c__",
    ),
    "transformed target": (TransformedTargetRegressor(SteppingRegressor()), "regressor__"),
    "pipeline with a transformed target": (
        TransformedTargetRegressor(make_pipeline(StandardScaler(), SteppingRegressor())),
        "regressor__steppingregressor__",
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_models_in_composites_are_on_a_path_too(name):
    estimator, prefix = NESTED[name]
    assert check_equal(estimator, in_grid(prefix))[1] == LONGEST


def test_models_of_several_outputs():
    _, fits = check_equal(
        MultiOutputRegressor(SteppingRegressor()), in_grid("estimator__"), (X, np.c_[Y, -Y])
    )
    assert fits == LONGEST * 2


FOREST = RandomForestClassifier(max_depth=3, random_state=0)


@pytest.mark.parametrize(
    "estimator",
    [OneVsRestClassifier(FOREST), OneVsOneClassifier(FOREST), MultiOutputClassifier(FOREST)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_models_of_several_classes(estimator):
    if isinstance(estimator, MultiOutputClassifier):
        data = make_multilabel_classification(60, 6, n_classes=2, random_state=0)
    else:
        data = make_classification(60, 6, n_informative=4, n_classes=3, random_state=0)
    check_equal(estimator, {"estimator__n_estimators": [1, 2, 4]}, data)


def test_class_that_a_split_lacks():
    classes = np.repeat([0, 1, 2], [30, 29, 1])  # the last one is in one test part only
    search = OneVsRestClassifier(FOREST)
    with pytest.warns(UserWarning, match="present in all training examples|least populated"):
        check_equal(search, {"estimator__n_estimators": [1, 3]}, (X, classes), scoring="accuracy")


class Draws(TransformerMixin, BaseEstimator):
    """Adds random numbers without a seed, and counts how often it is fitted."""

    draws = 0

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        Draws.draws += 1
        self.n_ = Draws.draws
        return self

    def transform(self, X):
        self.n_ += 1  # which makes the cache give it up
        return X + self.n_ * self.by


def test_model_behind_a_transformer_that_cannot_be_shared_is_fitted_each_time():
    pipe = make_pipeline(Draws(), SteppingRegressor())
    grid = {"steppingregressor__n_steps": [1, 2, 4]}
    DistributedSearchCV(pipe, grid, cv=3, refit=False).fit(X, Y)
    assert {n: FITS.count(n) for n in (1, 2, 4)} == {1: 3, 2: 3, 4: 4}  # the first ran twice


def test_fit_parameters_that_see_the_number_of_steps_are_not_shared():
    _, fits = check_equal(SteppingRegressor(), GRID, fit_params={"eval_set": "rows"})
    assert len(fits) == 18


def test_weights_are_shared():
    weights = np.linspace(0.1, 2, len(Y))
    assert check_equal(SteppingRegressor(), GRID, fit_params={"sample_weight": weights})[1] == (
        LONGEST
    )


def test_list_of_grids_and_other_values():
    grid = [
        {"n_steps": [3, 1]},
        {"n_steps": np.array([2, 5]), "rate": [0.5]},
        {"n_steps": [4], "rate": [0.9]},
    ]
    assert check_equal(SteppingRegressor(), grid)[1] == [5, 5, 5, 4, 4, 4, 3, 3, 3]


def test_sampled_candidates():
    options = {"n_iter": 8, "cv": 3, "random_state": 0, "refit": False}
    search = DistributedRandomizedSearchCV(
        SteppingRegressor(), {"n_steps": range(1, 9)}, **options
    ).fit(X, Y)
    assert FITS == [8, 8, 8]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the"
)
def test_longest_fit_that_fails_costs_the_others_nothing_but_a_fit():
    _, fits = check_equal(SteppingRegressor(fail_above=2), {"n_steps": [1, 2, 4]})
    assert fits == [4, 4, 4, 4, 2, 2, 2]  # the first one that fails runs again, as everywhere


@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the"
)
def test_invalid_values_are_fitted_by_themselves():
    forest = RandomForestRegressor(random_state=0)
    search, _ = check_equal(forest, {"n_estimators": [2, 0, 4, "five"]})
    assert np.isnan(search.cv_results_["mean_test_score"][[1, 3]]).all()


def test_prefix_that_raises_is_replaced_by_a_fit(caplog):
    def fail(model, n_steps):
        raise AttributeError("levels_")

    register_path_family(replace(STEPPING, prefix=fail))
    assert len(check_equal(SteppingRegressor(), {"n_steps": [1, 2]})[1]) == 6
    assert "SteppingRegressor is fitted for each value of n_steps" in caplog.text


def test_prefix_of_none_is_replaced_by_a_fit():
    register_path_family(replace(STEPPING, prefix=lambda model, n_steps: None))
    assert len(check_equal(SteppingRegressor(), {"n_steps": [1, 2]})[1]) == 6


def test_scorer_that_changes_the_model():
    def spoil(estimator, X, y):
        error = mean_absolute_error(y, estimator.predict(X))
        estimator.levels_[0] = 1e6
        estimator.levels_.append(estimator.n_steps)
        return error

    check_equal(SteppingRegressor(), GRID, scoring=spoil, return_train_score=False)


def test_scorers_of_scikit_learn_and_of_metrics():
    scoring = {"r2": "r2", "error": make_scorer(mean_absolute_error, greater_is_better=False)}
    assert check_equal(SteppingRegressor(), GRID, scoring=scoring)[1] == LONGEST


def test_kept_models_equal_those_of_fits():
    forest, grid = RandomForestRegressor(random_state=0), {"n_estimators": [1, 3, 5]}
    search = DistributedSearchCV(forest, grid, cv=2, keep="estimators", refit=False).fit(X, Y)
    alone = DistributedSearchCV(forest, grid, cv=2, keep="estimators", refit=False, cache_mb=0)
    alone.fit(X, Y)
    for models, expected in zip(search.fold_estimators_, alone.fold_estimators_, strict=True):
        assert find_differences(list(models), list(expected)) == []


def test_family_that_differs_is_not_used_for_kept_models():
    register_path_family(replace(STEPPING, differs_in=("levels_",)))
    options = {"cv": 3, "refit": False}
    DistributedSearchCV(SteppingRegressor(), GRID, keep="estimators", **options).fit(X, Y)
    assert len(FITS) == 18


def test_extracted_values_are_those_of_each_candidate():
    search = DistributedSearchCV(
        SteppingRegressor(),
        {"n_steps": [1, 2, 4]},
        cv=3,
        refit=False,
        extract={"n": "n_steps", "levels": lambda model: len(model.levels_)},
    ).fit(X, Y)
    assert FITS == [4, 4, 4]
    for name in ("n", "levels"):
        assert list(search.cv_results_[f"mean_{name}"]) == [1, 2, 4]


def test_fit_times_are_parts_of_the_longest_fit():
    model = SteppingRegressor(seconds=0.4)
    search = DistributedSearchCV(model, {"n_steps": [1, 2, 7]}, cv=2, refit=False).fit(X, Y)
    short, middle, longest = search.cv_results_["mean_fit_time"]
    assert 0.4 <= short + middle + longest < 0.8  # and not three times as much
    assert short < middle < longest


def test_checkpoint_leaves_the_longest_missing_candidate(tmp_path):
    options = {"cv": 3, "refit": False, "checkpoint": str(tmp_path)}
    DistributedSearchCV(SteppingRegressor(), {"n_steps": [4]}, **options).fit(X, Y)
    FITS.clear()
    DistributedSearchCV(SteppingRegressor(), {"n_steps": [1, 2, 4]}, **options).fit(X, Y)
    assert FITS == [2, 2, 2]


def test_plan_keeps_a_path_in_one_chunk():
    search = DistributedSearchCV(SteppingRegressor(), GRID, cv=3, refit=False)
    plan = search.plan(X, Y)
    assert len(plan) == 6
    outcomes = [plan.run(number) for number in range(len(plan))]
    assert sorted(FITS) == [4] * 6
    expected = GridSearchCV(SteppingRegressor(), GRID, cv=3, refit=False).fit(X, Y)
    assert_same_results(search.assemble(plan, outcomes).cv_results_, expected.cv_results_)


def test_selection_scores_are_computed_once():
    calls = []

    def f_counted(X, y):
        calls.append(1)
        return f_regression(X, y)

    f_counted.__module__ = "sklearn.of_the_tests"  # deterministic, as scikit-learn's own
    pipe = make_pipeline(SelectKBest(f_counted), Ridge())
    grid = {"selectkbest__k": [1, 2, "all"], "ridge__alpha": [0.1, 10.0]}
    expected = GridSearchCV(pipe, grid, cv=3, refit=False).fit(X, Y)
    calls.clear()
    search = DistributedSearchCV(pipe, grid, cv=3, refit=False).fit(X, Y)
    assert_same_results(search.cv_results_, expected.cv_results_)
    assert len(calls) == 3


def test_two_paths_in_one_pipeline():
    pipe = make_pipeline(SelectPercentile(f_regression), SteppingRegressor())
    grid = {"selectpercentile__percentile": [50, 100], "steppingregressor__n_steps": [1, 2, 4]}
    assert check_equal(pipe, grid)[1] == LONGEST


def test_pruned_trees():
    data = make_classification(200, 6, random_state=0)
    tree = DecisionTreeClassifier(random_state=0)
    check_equal(tree, {"ccp_alpha": [0.0, 0.003, 0.01, 0.1], "max_depth": [None, 3]}, data)


def test_transformer_that_writes_to_its_input():
    writer = FunctionTransformer(lambda X: np.multiply(X, 2, out=X))
    pipe = make_pipeline(writer, SteppingRegressor())
    check_equal(pipe, in_grid("steppingregressor__"))


@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    rates=st.lists(st.sampled_from([0.05, 0.1, 0.3]), min_size=1, max_size=2, unique=True),
    subsample=st.sampled_from([0.6, 1.0]),
    scaled=st.booleans(),
)
def test_generated_grids(values, rates, subsample, scaled):
    model = GradientBoostingRegressor(max_depth=2, subsample=subsample, random_state=0)
    steps = [("scale", StandardScaler())] * scaled + [("model", model)]
    grid = {"model__n_estimators": values, "model__learning_rate": rates}
    check_equal(Pipeline(steps), grid)


@settings(max_examples=3, deadline=None)
@given(values=st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_generated_grids_in_worker_processes(values):
    model = RandomForestRegressor(max_depth=3, random_state=0)
    check_equal(model, {"n_estimators": values, "max_features": [0.5, 1.0]}, n_jobs=2)


@pytest.mark.slow
def test_paths_in_a_metaflow_run():
    model = make_pipeline(StandardScaler(), HistGradientBoostingRegressor())
    grid = in_grid("histgradientboostingregressor__", {"max_iter": [2, 5, 9], "max_depth": [2, 3]})
    options = {"cv": 3, "refit": False}
    expected = GridSearchCV(model, grid, **options).fit(X, Y)
    search = DistributedSearchCV(model, grid, backend="metaflow", n_jobs=2, **options).fit(X, Y)
    assert_same_results(search.cv_results_, expected.cv_results_)
    total = math.fsum(search.cv_results_["mean_fit_time"])
    assert total > 0
