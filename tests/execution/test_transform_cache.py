"""Values are looked up while they are unchanged, and are evicted in time."""

import gc
import weakref

import numpy as np
import pytest
from helpers.transformers import (
    CALLS,
    CONTAINERS,
    RecordingTransformer,
    assert_same_results,
    make_data,
)
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV
from skdistsearch.execution._transform_cache import FitKey, SharedSeconds, TransformCache


def make_cache(budget_mb=100.0):
    return TransformCache(budget_mb, lambda token: 1)


def share_new(cache, value, part="train"):
    """Return a value as a fit gets it."""
    return cache.share(cache.protect(value, part))


def test_value_has_a_key_until_it_is_changed():
    cache = make_cache()
    shared = share_new(cache, ["a", "b"])
    assert cache.find_data_key(shared).part == "train"
    shared.append("c")
    assert cache.find_data_key(shared) is None


def test_values_are_forgotten_when_the_next_fit_begins():
    cache = make_cache()
    shared = share_new(cache, ["a", "b"])
    cache.begin_fit({})
    assert cache.find_data_key(shared) is None


def test_equal_values_that_are_not_shared_have_no_key():
    cache = make_cache()
    X = share_new(cache, make_data()[0])
    assert cache.find_data_key(X) is not None
    assert cache.find_data_key(X.copy()) is None
    assert cache.find_data_key(None).part == ""


class StatefulTransformer(StandardScaler):
    """Counts its transforms."""

    def transform(self, X):
        self.n_transforms_ = getattr(self, "n_transforms_", 0) + 1
        return super().transform(X)


def fit_and_transform(cache, transformer):
    """Fit a transformer by way of a cache, and transform the same data."""
    X = share_new(cache, make_data()[0])
    data_key = cache.find_data_key(X)
    key = FitKey(0, (data_key,), "fit", ())
    cached_fit, _ = cache.get_or_fit(key, transformer, [X], lambda: transformer.fit(X))
    return cache.get_or_transform(cached_fit, data_key, X, lambda: transformer.transform(X))


@pytest.mark.parametrize(
    ("transformer", "is_spoiled"), [(StandardScaler(), False), (StatefulTransformer(), True)]
)
def test_transformer_that_changes_in_transform_spoils_the_fit(transformer, is_spoiled):
    cache = make_cache()
    fit_and_transform(cache, transformer)
    assert cache.is_spoiled is is_spoiled
    assert cache.unshareable == ({0} if is_spoiled else set())
    cache.begin_fit({})
    assert not cache.is_spoiled


@pytest.mark.parametrize(
    ("second_output", "is_same_key"), [([2.0, 3.0], True), ([2.0, 4.0], False)]
)
def test_output_computed_again_after_eviction_has_its_old_key_only_if_it_is_equal(
    second_output, is_same_key
):
    cache = make_cache(budget_mb=0.0)
    X = share_new(cache, np.array([1.0, 2.0]))
    key = FitKey(0, (cache.find_data_key(X),), "fit_transform", ())
    keys = []
    for output in ([2.0, 3.0], second_output):
        result = cache.get_or_fit(key, StandardScaler(), [X], lambda: np.array(output))[1]  # noqa: B023
        keys.append(cache.find_data_key(result))
    assert (keys[0] == keys[1]) is is_same_key


def test_seconds_of_work_that_is_done_again_are_charged_too():
    seconds = SharedSeconds()
    seconds.add(4.0)
    parts = [seconds.charge(1, 4)]
    seconds.add(6.0)
    parts += [seconds.charge(1, n_left) for n_left in (3, 2, 1)]
    assert parts == [1.0, 3.0, 3.0, 3.0]


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
        cached_fit, output = get_or_fit(self, *args)
        alive.add(cached_fit)
        gc.collect()
        n_alive.append(len(alive))
        return cached_fit, output

    monkeypatch.setattr(TransformCache, "get_or_fit", watch_get_or_fit)
    grid = {"a__factor": list(np.arange(1.0, 9.0)), "model__alpha": [0.1, 1.0]}
    pipe = Pipeline([("a", RecordingTransformer()), ("model", Ridge())])
    DistributedSearchCV(pipe, grid, cv=2, refit=False).fit(*make_data())
    assert max(n_alive) <= 2
    assert len(n_alive) == 8 * 2 * 2


def test_memory_stays_within_the_budget(monkeypatch):
    cached_mb = []
    enforce_budget = TransformCache._enforce_budget

    def watch_enforce_budget(self, cached_fit):
        enforce_budget(self, cached_fit)
        cached_mb.append(sum(cached.memory_mb for cached in self._fits.values()))

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
    n_calls_limited = len(CALLS)
    CALLS.clear()
    DistributedSearchCV(pipe, grid, cv=2, refit=False).fit(X, y)
    assert max(cached_mb) > budget_mb
    assert len(CALLS) < n_calls_limited
