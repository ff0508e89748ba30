"""Models that were paused, pickled and trained further are equal to models fitted at once."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import make_classification, make_regression
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch.adaptive._continuation import PASSES, find_continuation, find_model

N_ROWS = 90
SEED = {"random_state": 0}
WARM = [
    (HistGradientBoostingClassifier(**SEED), "max_iter"),
    (HistGradientBoostingRegressor(max_features=0.5, **SEED), "max_iter"),
    (GradientBoostingClassifier(subsample=0.7, **SEED), "n_estimators"),
    (GradientBoostingRegressor(max_features=2, **SEED), "n_estimators"),
    (RandomForestClassifier(**SEED), "n_estimators"),
    (RandomForestRegressor(max_samples=0.5, **SEED), "n_estimators"),
    (ExtraTreesClassifier(**SEED), "n_estimators"),
    (ExtraTreesRegressor(bootstrap=True, **SEED), "n_estimators"),
    (BaggingClassifier(**SEED), "n_estimators"),
    (BaggingRegressor(max_features=0.5, **SEED), "n_estimators"),
]
PARTIAL = [
    MLPClassifier(hidden_layer_sizes=(4,), **SEED),
    MLPRegressor(hidden_layer_sizes=(4,), **SEED),
    SGDClassifier(**SEED),
    SGDRegressor(**SEED),
    Perceptron(**SEED),
    GaussianNB(),
]


def data_sets(model):
    if not is_classifier(model):
        X, y = make_regression(N_ROWS, 6, noise=10, random_state=0)
        yield X, (y - y.mean()) / y.std()
        return
    for n_classes in (2, 3):
        yield make_classification(
            N_ROWS, 6, n_informative=4, n_classes=n_classes, random_state=n_classes
        )


def train_in_parts(model, resource, amounts, X, y):
    """Train a clone, and pickle it after each amount."""
    continuation = find_continuation(model, resource, N_ROWS)
    model, had = clone(model), 0
    for amount in amounts:
        continuation.train(model, had, amount, X, y, y, {})
        model, had = pickle.loads(pickle.dumps(model)), amount
    return model


def assert_equal_predictions(model, other, X):
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(model, method)(X), getattr(other, method)(X))


@pytest.mark.parametrize(("model", "parameter"), WARM, ids=lambda value: type(value).__name__)
def test_warm_start_equals_a_fit(model, parameter):
    assert find_continuation(model, parameter, N_ROWS).is_equal
    for X, y in data_sets(model):
        parts = train_in_parts(model, parameter, (1, 3, 9), X, y)
        assert parts.get_params() == clone(model).set_params(**{parameter: 9}).get_params()
        assert_equal_predictions(parts, clone(model).set_params(**{parameter: 9}).fit(X, y), X)


@pytest.mark.parametrize("model", PARTIAL, ids=lambda model: type(model).__name__)
def test_passes_in_parts_equal_passes_at_once(model):
    assert find_continuation(model, PASSES, N_ROWS).is_equal
    for X, y in data_sets(model):
        parts = train_in_parts(model, PASSES, (1, 3, 9), X, y)
        assert parts.get_params() == model.get_params()
        assert_equal_predictions(parts, train_in_parts(model, PASSES, (9,), X, y), X)


@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "learning_rate": "adaptive"}], ids=str)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_passes_equal_calls_of_partial_fit(kind, options):
    model = kind(hidden_layer_sizes=(4,), batch_size=20, n_iter_no_change=2, **options)
    X, y = next(data_sets(model))
    by_calls = clone(model).set_params(random_state=np.random.RandomState(0))
    for _ in range(9):
        by_calls.partial_fit(X, y, **({"classes": [0, 1]} if is_classifier(model) else {}))
    passes = train_in_parts(clone(model).set_params(**SEED), PASSES, (2, 9), X, y)
    assert passes.loss_curve_ == by_calls.loss_curve_
    assert passes.n_iter_ == by_calls.n_iter_
    assert_equal_predictions(passes, by_calls, X)


def test_passes_of_a_perceptron_check_the_rows_once(monkeypatch):
    X, y = make_regression(N_ROWS, 6, noise=10, random_state=0)
    calls, partial_fit = [], MLPRegressor.partial_fit
    monkeypatch.setattr(
        MLPRegressor, "partial_fit", lambda *args: calls.append(args) or partial_fit(*args)
    )
    train_in_parts(MLPRegressor(hidden_layer_sizes=(4,), **SEED), PASSES, (5,), X, y)
    assert len(calls) == 1


def test_passes_shuffle_the_rows_in_new_orders():
    X, y = make_regression(N_ROWS, 6, noise=10, random_state=0)
    same_order = SGDRegressor(random_state=0).partial_fit(X, y).partial_fit(X, y)
    passes = train_in_parts(SGDRegressor(random_state=0), PASSES, (2,), X, y)
    assert not np.array_equal(passes.coef_, same_order.coef_)


@pytest.mark.parametrize("options", [{}, {"min_child_samples": 5, "class_weight": "balanced"}])
def test_lightgbm_without_sampling_equals_a_fit(options):
    lightgbm = pytest.importorskip("lightgbm")
    for kind in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor):
        if kind is lightgbm.LGBMRegressor:
            options = {name: value for name, value in options.items() if name != "class_weight"}
        model = kind(n_jobs=1, verbose=-1, **options)
        assert find_continuation(model, "n_estimators", N_ROWS).is_equal
        for X, y in data_sets(model):
            parts = train_in_parts(model, "n_estimators", (1, 3, 9), X, y)
            assert_equal_predictions(parts, clone(model).set_params(n_estimators=9).fit(X, y), X)
            assert parts.n_estimators == 9


@pytest.mark.parametrize(
    "options",
    [
        {"subsample": 0.5, "subsample_freq": 1},
        {"colsample_bytree": 0.5},
        {"boosting_type": "dart"},
        {"extra_trees": True},
    ],
    ids=str,
)
def test_lightgbm_with_sampling_does_not_go_on(options):
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(verbose=-1, **options)
    assert not find_continuation(model, "n_estimators", N_ROWS).is_equal


@pytest.mark.parametrize(
    ("model", "resource", "n_rows"),
    [
        (MLPClassifier(**SEED), "max_iter", N_ROWS),
        (SGDClassifier(**SEED), "max_iter", N_ROWS),
        (LogisticRegression(), "max_iter", N_ROWS),
        (RandomForestClassifier(), "n_estimators", N_ROWS),
        (RandomForestClassifier(class_weight="balanced", **SEED), "n_estimators", N_ROWS),
        (RandomForestClassifier(oob_score=True, **SEED), "n_estimators", N_ROWS),
        (GradientBoostingRegressor(n_iter_no_change=2, **SEED), "n_estimators", N_ROWS),
        (HistGradientBoostingRegressor(early_stopping=True, **SEED), "max_iter", N_ROWS),
        (HistGradientBoostingRegressor(**SEED), "max_iter", 20_000),
        (RandomForestClassifier(**SEED), "max_depth", N_ROWS),
    ],
    ids=str,
)
def test_models_that_would_differ_do_not_go_on(model, resource, n_rows):
    assert not find_continuation(model, resource, n_rows).is_equal


@pytest.mark.parametrize("model", [AdaBoostRegressor(**SEED), MiniBatchKMeans(**SEED)])
def test_models_that_cannot_go_on(model):
    assert find_continuation(model, "n_estimators", N_ROWS) is None


class OwnForest(RandomForestRegressor):
    pass


def test_subclass_may_do_anything():
    assert not find_continuation(OwnForest(**SEED), "n_estimators", N_ROWS).is_equal


@pytest.mark.parametrize(
    ("steps", "is_equal"),
    [
        ([StandardScaler(), PCA(2, random_state=0)], True),
        ([StandardScaler(), PCA(2)], False),
        (["passthrough"], True),
    ],
)
def test_steps_before_the_model_must_be_repeatable(steps, is_equal):
    names = [(f"step{number}", step) for number, step in enumerate(steps)]
    pipe = Pipeline([*names, ("model", RandomForestRegressor(**SEED))])
    assert find_continuation(pipe, "model__n_estimators", N_ROWS).is_equal is is_equal


def test_model_is_found_in_a_pipeline():
    model = RandomForestRegressor()
    inner = Pipeline([("scale", StandardScaler()), ("forest", model)])
    pipe = Pipeline([("scale", StandardScaler()), ("inner", inner)])
    assert find_model(pipe, "inner__forest__n_estimators") is model
    assert find_model(pipe, PASSES) is model
    assert find_model(model, "n_estimators") is model
    assert find_model(pipe, "scale__with_mean") is None
    assert find_model(clone(pipe).set_params(memory="x"), PASSES) is None
