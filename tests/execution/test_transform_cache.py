"""Cached values are protected from changes, and are evicted in time."""

import gc
import weakref

import numpy as np
import pandas as pd
import pytest
from helpers.transformers import (
    CALLS,
    CONTAINERS,
    RecordingTransformer,
    assert_same_results,
    make_data,
)
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV
from skdistsearch.execution._transform_cache import FitKey, ProtectedValue, TransformCache


def make_cache(budget_mb=100.0):
    return TransformCache(budget_mb, lambda token: 1)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0),
        np.arange(6.0)[::2],
        np.arange(6.0).reshape(2, 3).T,
        np.array(["a", "b"]),
        np.array(["a", None, 1.5], dtype=object),
    ],
    ids=["array", "view", "transposed", "strings", "objects"],
)
def test_shared_arrays_are_read_only(value):
    protected = ProtectedValue.protect(value, "key")
    shared = protected.share()
    assert shared is value
    with pytest.raises(ValueError, match="read-only"):
        shared[0] = shared[1]


def test_arrays_that_a_shared_array_is_a_view_of_are_read_only():
    owner = np.arange(6.0)
    ProtectedValue.protect(owner[1:][::2], "key")
    with pytest.raises(ValueError, match="read-only"):
        owner[1] = 0.0


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_shared_sparse_matrices_are_read_only(convert):
    matrix = convert(np.eye(3))
    assert ProtectedValue.protect(matrix, "key").share() is matrix
    with pytest.raises(ValueError, match="read-only"):
        matrix.data += 1.0


@pytest.mark.parametrize(
    "value",
    [
        np.array([[1], None], dtype=object),
        [[1.0], [2.0]],
        sparse.lil_matrix((3, 3)),
        np.ma.masked_array([1.0, 2.0], [True, False]),
        {"a": 1},
    ],
    ids=["array of lists", "list of lists", "lil", "masked", "dict"],
)
def test_values_of_other_types_are_not_shared(value):
    assert ProtectedValue.protect(value, "key") is None
    assert make_cache().add_input(value, "key") is None


@pytest.mark.parametrize(
    ("value", "modify"),
    [
        (["a", "b"], lambda copied: copied.append("c")),
        (pd.DataFrame({"a": [1.0, 2.0]}), lambda copied: copied.insert(0, "b", 0.0)),
        (pd.Series([1.0, 2.0]), lambda copied: copied.__setitem__(0, 5.0)),
    ],
    ids=["list", "frame", "series"],
)
def test_copy_is_recognised_until_it_is_changed(value, modify):
    cache = make_cache()
    protected = cache.add_input(value, "key")
    copied = cache.share(protected, value.copy)
    assert copied is not value
    assert cache.find_data_key(copied) == "key"
    modify(copied)
    assert cache.find_data_key(copied) is None
    assert len(value) == 2
    other = cache.share(protected, value.copy)
    assert cache.find_data_key(other) == "key"


def test_copies_are_forgotten_when_the_next_fit_begins():
    cache = make_cache()
    protected = cache.add_input(["a", "b"], "key")
    copied = cache.share(protected)
    cache.begin_fit()
    assert cache.find_data_key(copied) is None


def test_equal_values_that_are_not_shared_have_no_key():
    cache = make_cache()
    X, _ = make_data()
    cache.add_input(X, "train")
    assert cache.find_data_key(X) == "train"
    assert cache.find_data_key(X.copy()) is None
    assert cache.find_data_key(None) == "None"


class StatefulTransformer(StandardScaler):
    """Counts its transforms."""

    def transform(self, X):
        self.n_transforms_ = getattr(self, "n_transforms_", 0) + 1
        return super().transform(X)


@pytest.mark.parametrize(
    ("transformer", "is_shareable"), [(StandardScaler(), True), (StatefulTransformer(), False)]
)
def test_transformer_that_changes_in_transform_is_evicted(transformer, is_shareable):
    cache = make_cache()
    X, _ = make_data()
    cache.add_input(X, "train")
    key = FitKey(0, ("train",), "fit", ())
    cached_fit, is_new = cache.get_or_fit(key, transformer, X, lambda: transformer.fit(X))
    assert is_new
    cache.get_or_transform(cached_fit, "train", X, lambda: transformer.transform(X))
    assert cached_fit.is_shareable is is_shareable
    _, is_new = cache.get_or_fit(key, transformer, X, lambda: transformer.fit(X))
    assert is_new is not is_shareable


@pytest.mark.parametrize("container", list(CONTAINERS))
def test_scorer_may_predict_for_other_data(container):
    pipe = Pipeline([("a", StandardScaler(with_mean=False)), ("model", Ridge())])
    scoring = predict_modified_frame if container == "frame" else predict_reversed
    options = {"cv": 2, "refit": False, "scoring": scoring}
    grid = {"model__alpha": [0.1, 1.0]}
    search = DistributedSearchCV(pipe, grid, **options).fit(*make_data(container))
    expected = GridSearchCV(pipe, grid, **options).fit(*make_data(container))
    assert_same_results(search.cv_results_, expected.cv_results_)


def predict_reversed(estimator, X, y):
    """Score by other data than the test part."""
    reversed_X = X[::-1] if isinstance(X, list | np.ndarray) else X[np.arange(len(y))[::-1]]
    return estimator.predict(reversed_X)[0]


def predict_modified_frame(estimator, X, y):
    """Score by the test part, modified in place."""
    X.iloc[0, 0] = 100.0
    return estimator.predict(X)[0]


def test_fits_that_no_remaining_fit_needs_are_evicted(monkeypatch):
    alive, n_alive = weakref.WeakSet(), []
    get_or_fit = TransformCache.get_or_fit

    def watch_get_or_fit(self, *args):
        cached_fit, is_new = get_or_fit(self, *args)
        if cached_fit.output is not None:
            alive.add(cached_fit)
        gc.collect()
        n_alive.append(len(alive))
        return cached_fit, is_new

    monkeypatch.setattr(TransformCache, "get_or_fit", watch_get_or_fit)
    grid = {"a__factor": list(np.arange(1.0, 9.0)), "model__alpha": [0.1, 1.0]}
    pipe = Pipeline([("a", RecordingTransformer()), ("model", Ridge())])
    DistributedSearchCV(pipe, grid, cv=2, refit=False).fit(*make_data())
    assert max(n_alive) <= 2
    assert len(n_alive) == 8 * 2 * 2


def test_memory_stays_within_the_budget(monkeypatch):
    cached_mb, known_mb = [], []
    enforce_budget = TransformCache._enforce_budget

    def watch_enforce_budget(self, cached_fit):
        enforce_budget(self, cached_fit)
        cached_mb.append(sum(cached.memory_mb for cached in self._fits.values()))
        known_mb.append(sum(value.nbytes for value, _ in self._known.values()) / 1e6)

    monkeypatch.setattr(TransformCache, "_enforce_budget", watch_enforce_budget)
    # All combinations of the two branches are needed again and again
    union = FeatureUnion([("x", RecordingTransformer()), ("y", RecordingTransformer())])
    pipe = Pipeline([("u", union), ("model", Ridge())])
    factors = list(np.arange(1.0, 5.0))
    grid = {"u__x__factor": factors, "u__y__factor": factors, "model__alpha": [0.1, 1.0]}
    X, y = make_data(n_rows=5000)
    X_mb = X.nbytes / 1e6
    budget_mb = 6 * X_mb
    DistributedSearchCV(pipe, grid, cv=2, refit=False, cache_mb=budget_mb).fit(X, y)
    assert X_mb < max(cached_mb) <= budget_mb
    assert max(known_mb) <= budget_mb + 1.25 * X_mb  # X and y of the split
    n_calls_limited = len(CALLS)
    CALLS.clear()
    DistributedSearchCV(pipe, grid, cv=2, refit=False).fit(X, y)
    assert max(cached_mb) > budget_mb
    assert len(CALLS) < n_calls_limited
