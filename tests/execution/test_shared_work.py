"""Shared work is done once, and the results equal scikit-learn's bit for bit."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.transformers import (
    CALLS,
    CONTAINERS,
    GRID,
    PIPELINE,
    RecordingTransformer,
    assert_same_results,
    make_data,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistsearch import DistributedSearchCV
from skdistsearch.backends import LocalBackend


class InputModifier(TransformerMixin, BaseEstimator):
    """Modifies its input and returns it."""

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if isinstance(X, list):
            X[:] = [[value + self.by for value in row] for row in X]
        elif sparse.issparse(X):
            X.data += self.by
        elif isinstance(X, pd.DataFrame):
            X[X.columns[0]] = X[X.columns[0]] + self.by
        else:
            X += self.by
        return X


class InputKeeper(TransformerMixin, BaseEstimator):
    """Keeps its input and its last output, and changes its state in each transform."""

    def fit(self, X, y=None):
        self.X_ = X
        self.n_calls_ = 0
        return self

    def transform(self, X):
        self.n_calls_ += 1
        kept = self.X_.toarray() if sparse.issparse(self.X_) else np.asarray(self.X_, dtype=float)
        X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=float)
        self.output_ = X + kept.mean() * self.n_calls_
        return self.output_


class NoiseAdder(TransformerMixin, BaseEstimator):
    """Draws noise from its own generator, in ``fit`` and again in each ``transform``."""

    def __init__(self, generator=None):
        self.generator = generator

    def fit(self, X, y=None):
        self.noise_ = self.generator.normal()
        return self

    def transform(self, X):
        X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=float)
        return X + self.noise_ + self.generator.normal(size=X.shape)


class ModifyingRidge(Ridge):
    """Modifies the data that it predicts for."""

    def predict(self, X):
        predictions = super().predict(X)
        if not sparse.issparse(X):
            X[:] = 0
        return predictions


def predict_twice(estimator, X, y):
    """Score the test part by two predictions, for each of which it is transformed."""
    return r2_score(y, estimator.predict(X)) + 2 * r2_score(y, estimator.predict(X))


STEPS = {
    "scale": [StandardScaler(with_mean=False)],
    "scale in place": [StandardScaler(with_mean=False, copy=False), MaxAbsScaler(copy=False)],
    "modify input": [InputModifier(), InputModifier(3.0)],
    "keep input": [InputKeeper()],
    "noise": [NoiseAdder(np.random.RandomState(3)), NoiseAdder(np.random.RandomState(4))],
    "function": [FunctionTransformer(abs), FunctionTransformer()],
    "passthrough": ["passthrough", MaxAbsScaler()],
    "select": [SelectKBest(f_regression, k=2), SelectKBest(f_regression, k=3)],
    "union": [
        FeatureUnion([("abs", MaxAbsScaler()), ("keep", InputKeeper())]),
        FeatureUnion([("abs", MaxAbsScaler()), ("pipe", Pipeline([("m", InputModifier())]))]),
    ],
    "nested": [Pipeline([("abs", MaxAbsScaler()), ("modify", InputModifier())])],
    "columns": [
        ColumnTransformer([("a", InputModifier(), [0, 1]), ("b", StandardScaler(), slice(1, 4))]),
        ColumnTransformer([("a", InputModifier(), [0, 1]), ("b", "passthrough", [3])]),
    ],
}
SCORINGS = [
    None,
    predict_twice,
    {"r2": "r2", "twice": predict_twice, "made": make_scorer(r2_score)},
]


@st.composite
def searches(draw):
    """Draw a container for X, and the parameters of a search over a pipeline."""
    container = draw(st.sampled_from(list(CONTAINERS)))
    names = draw(st.lists(st.sampled_from(list(STEPS)), min_size=1, max_size=3, unique=True))
    if container in ("csr", "csc"):
        names = [name for name in names if name != "columns"]
    grid = {f"s{number}": STEPS[name] for number, name in enumerate(names)}
    for number, name in enumerate(names):
        if draw(st.booleans()) or not names:
            grid[f"s{number}"] = STEPS[name][:1]
    model = draw(
        st.sampled_from([Ridge(), ModifyingRidge(), DecisionTreeRegressor(random_state=0)])
    )
    steps = [(name, "passthrough") for name in grid]
    options = {
        "scoring": draw(st.sampled_from(SCORINGS)),
        "return_train_score": draw(st.booleans()),
        "cv": draw(st.sampled_from([2, ShuffleSplit(2, random_state=0)])),
        "refit": False,
    }
    is_tree = isinstance(model, DecisionTreeRegressor)
    model_grid = {"model__max_depth": [1, 2]} if is_tree else {"model__alpha": [0.1, 10.0]}
    return container, Pipeline([*steps, ("model", model)]), {**grid, **model_grid}, options


@pytest.mark.filterwarnings("ignore:Scoring failed")
@pytest.mark.filterwarnings("ignore:.* fits failed:sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the")
@settings(deadline=None, derandomize=True, max_examples=60)
@given(case=searches())
def test_results_equal_those_of_scikit_learn(case):
    container, pipeline, grid, options = case
    expected = GridSearchCV(pipeline, grid, **options).fit(*make_data(container)).cv_results_
    for cache_mb in (None, 0.001, 0):
        X, y = make_data(container)
        before = pickle.dumps(X), pickle.dumps(y)
        search = DistributedSearchCV(pipeline, grid, cache_mb=cache_mb, **options).fit(X, y)
        assert_same_results(search.cv_results_, expected)
        assert (pickle.dumps(X), pickle.dumps(y)) == before
        if isinstance(X, np.ndarray):
            assert X.flags.writeable
    plan = DistributedSearchCV(pipeline, grid, **options).plan(*make_data(container))
    outcomes = [plan.run(chunk) for chunk in range(len(plan))]
    assembled = DistributedSearchCV(pipeline, grid, **options).assemble(plan, outcomes)
    assert_same_results(assembled.cv_results_, expected)


def test_results_are_equal_for_one_and_two_processes():
    pipe = Pipeline([("a", StandardScaler()), ("b", PCA(random_state=0)), ("model", Ridge())])
    grid = {"b__n_components": [1, 2, 3], "model__alpha": [0.1, 1.0, 10.0]}
    X, y = make_data(n_rows=200)
    expected = GridSearchCV(pipe, grid, cv=KFold(4)).fit(X, y).cv_results_
    for n_jobs in (1, 2):
        search = DistributedSearchCV(pipe, grid, cv=KFold(4), n_jobs=n_jobs).fit(X, y)
        assert_same_results(search.cv_results_, expected)


def test_each_prefix_of_a_pipeline_is_computed_once_per_split():
    DistributedSearchCV(PIPELINE, GRID, cv=3, refit=False).fit(*make_data())
    assert len(CALLS) == 3 * (2 + 2 * 2) * (1 + 2)
    assert CALLS.count(("fit", 1.0)) == 3
    assert CALLS.count(("fit", 3.0)) == 3 * 2  # after each of two other transformers
    assert CALLS.count(("transform", 1.0)) == 3 * 2


@pytest.mark.parametrize(
    "estimator",
    [
        Pipeline(
            [
                (
                    "u",
                    FeatureUnion([("x", RecordingTransformer(5.0)), ("y", RecordingTransformer())]),
                ),
                ("m", Ridge()),
            ]
        ),
        Pipeline(
            [
                (
                    "u",
                    ColumnTransformer(
                        [
                            ("x", RecordingTransformer(5.0), [0, 1]),
                            ("y", RecordingTransformer(), [1, 2]),
                        ]
                    ),
                ),
                ("m", Ridge()),
            ]
        ),
    ],
    ids=["union", "columns"],
)
@pytest.mark.parametrize("container", ["array", "frame"])
def test_branch_with_fixed_parameters_is_fitted_once_per_split(estimator, container):
    grid = {"u__y__factor": [1.0, 2.0, 3.0]}
    X, y = make_data(container)
    search = DistributedSearchCV(estimator, grid, cv=3, refit=False).fit(X, y)
    calls = list(CALLS)
    expected = GridSearchCV(estimator, grid, cv=3, refit=False).fit(X, y)
    assert_same_results(search.cv_results_, expected.cv_results_)
    assert calls.count(("fit", 5.0)) == 3
    assert calls.count(("transform", 5.0)) == 3 * 2
    assert calls.count(("fit", 1.0)) == 3


class RecordingScaler(MaxAbsScaler):
    """A scaler for sparse data that records its fits."""

    def fit(self, X, y=None):
        CALLS.append("fit")
        return super().fit(X, y)


def test_transformers_of_a_list_of_texts_are_shared():
    texts = [f"word{number % 7} word{number % 5}" for number in range(40)]
    y = np.arange(40) % 7
    pipe = Pipeline([("a", CountVectorizer()), ("b", RecordingScaler()), ("model", Ridge())])
    grid = {"model__alpha": [0.1, 1.0, 10.0]}
    search = DistributedSearchCV(pipe, grid, cv=2, refit=False).fit(texts, y)
    assert len(CALLS) == 2
    expected = GridSearchCV(pipe, grid, cv=2, refit=False).fit(texts, y)
    assert_same_results(search.cv_results_, expected.cv_results_)


def test_equal_candidates_are_fitted_once():
    grid = {
        "model__alpha": [1.0, 1.0, 2.0],
        "a": [RecordingTransformer(7.0), RecordingTransformer(7.0)],
    }
    pipe = clone(PIPELINE).set_params(b="passthrough")
    search = DistributedSearchCV(pipe, grid, cv=2, refit=False, cache_mb=None).fit(*make_data())
    calls = list(CALLS)
    expected = GridSearchCV(pipe, grid, cv=2, refit=False).fit(*make_data())
    assert_same_results(search.cv_results_, expected.cv_results_)
    assert calls.count(("fit", 7.0)) == 2
    assert len(search.cv_results_["params"]) == 6


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        (DecisionTreeRegressor(), ""),
        (Pipeline([("model", DecisionTreeRegressor())]), "model__"),
    ],
    ids=["tree", "pipeline"],
)
def test_equal_candidates_without_a_seed_are_fitted_separately(model, prefix):
    grid = {f"{prefix}max_depth": [2, 2, 2], f"{prefix}max_features": [1]}
    search = DistributedSearchCV(model, grid, cv=2, refit=False).fit(*make_data())
    assert len(set(search.cv_results_["mean_test_score"])) > 1


def test_cache_mb_zero_disables_sharing():
    DistributedSearchCV(PIPELINE, GRID, cv=3, refit=False, cache_mb=0).fit(*make_data())
    assert CALLS.count(("fit", 1.0)) == 3 * 2 * 3


def test_negative_cache_mb_raises_before_any_fit():
    with pytest.raises(ValueError, match="cache_mb=-1 must be None or at least 0"):
        DistributedSearchCV(PIPELINE, GRID, cache_mb=-1).fit(*make_data())
    assert CALLS == []


def test_fits_of_a_plan_chunk_share_work():
    plan = DistributedSearchCV(PIPELINE, GRID, cv=2).plan(*make_data())
    chunk = max(range(len(plan)), key=lambda chunk: len(plan.chunks[chunk]))
    assert len(plan.batch.context.shared_work.tokens) == len(plan.batch.fits)
    plan.run(chunk)
    assert CALLS.count(("fit", 1.0)) + CALLS.count(("fit", 2.0)) <= len(plan.chunks[chunk])


def test_fits_on_a_joblib_backend_share_work():
    search = DistributedSearchCV(PIPELINE, GRID, cv=3, refit=False, backend=LocalBackend())
    with parallel_config("threading", n_jobs=2):
        search.fit(*make_data())
    assert CALLS.count(("fit", 1.0)) < 3 * 2 * 3
