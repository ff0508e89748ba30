"""A runner frees data in time, divides the time of shared work, and reruns fits that need it."""

import gc
import time
import weakref

import numpy as np
import pytest
from helpers.transformers import RecordingTransformer, assert_same_results, make_data
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l1

from skdistsearch import DistributedSearchCV


def test_times_add_up_to_the_work_that_was_done():
    pipe = Pipeline([("a", RecordingTransformer(duration_s=0.1)), ("model", Ridge())])
    search = DistributedSearchCV(pipe, {"model__alpha": [1.0, 2.0, 3.0, 4.0]}, cv=2, refit=False)
    times = search.fit(*make_data()).cv_results_["mean_fit_time"]
    assert 2 * 0.1 < sum(times) * 2 < 4 * 0.1  # without sharing: 8 * 0.1
    assert times.max() < 2 * times.min()  # each fit is charged its part


@pytest.mark.parametrize(
    "steps", [[], [("scale", StandardScaler())]], ids=["slices", "transformed"]
)
def test_data_of_a_split_is_freed_before_the_next_split(steps):
    references, n_alive = [], []

    class WatchingRidge(Ridge):
        def fit(self, X, y):
            owner = X if X.base is None else X.base  # fits get views of it
            if not any(owner is reference() for reference in references):
                references.append(weakref.ref(owner))
            n_alive.append(sum(reference() is not None for reference in references))
            return super().fit(X, y)

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 100)), rng.normal(size=2000)
    pipe = Pipeline([*steps, ("model", WatchingRidge())])
    gc.collect()
    gc.disable()  # data in a reference cycle would stay in memory until the next collection
    try:
        DistributedSearchCV(pipe, {"model__alpha": [0.1, 1.0]}, cv=4, refit=False).fit(X, y)
    finally:
        gc.enable()
    assert n_alive == [1] * 8
    assert len(references) == 4


def normalize_in_cython(X):
    columns, row_starts = np.arange(X.size) % 4, np.arange(0, X.size + 1, 4)
    inplace_csr_row_normalize_l1(sparse.csr_matrix((X.ravel(), columns, row_starts)))


MODIFICATIONS = {
    "numpy assignment": lambda X: X.__setitem__(0, 1.0),
    "numpy output": lambda X: np.add(X, 1.0, out=X),
    "numpy sort": lambda X: X.sort(axis=0),
    "numpy generator": lambda X: np.random.default_rng(0).shuffle(X),
    "memoryview": lambda X: memoryview(X).__setitem__((0, 0), 1.0),
    "cython buffer": normalize_in_cython,
}


class ModifyingTransformer(TransformerMixin, BaseEstimator):
    """Modifies its input by one of `MODIFICATIONS`, and returns it."""

    def __init__(self, modification):
        self.modification = modification

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        MODIFICATIONS[self.modification](X)
        return X


@pytest.mark.parametrize("modification", MODIFICATIONS)
def test_fit_that_writes_to_read_only_data_is_run_on_its_own_data(modification):
    X, y = make_data()
    pipe = Pipeline([("a", ModifyingTransformer(modification)), ("model", Ridge())])
    grid = {"model__alpha": [0.1, 1.0]}
    options = {"cv": 2, "refit": False, "error_score": "raise"}
    search = DistributedSearchCV(pipe, grid, **options).fit(X, y)
    expected = GridSearchCV(pipe, grid, **options).fit(X, y)
    assert_same_results(search.cv_results_, expected.cv_results_)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self):
        self.now = 1000.0

    def sleep(self, seconds):
        self.now += seconds

    def read(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Replace the clocks of Python by one that does not depend on the load of the machine."""
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    for name in ("time", "perf_counter"):
        monkeypatch.setattr(time, name, clock.read)
    return clock


class TimedTransformer(RecordingTransformer):
    """Takes as long to transform as to fit. Writes to its input if ``writes``."""

    def __init__(self, factor=2.0, duration_s=0.0, writes=False):
        super().__init__(factor, duration_s)
        self.writes = writes

    def transform(self, X):
        time.sleep(self.duration_s)
        if self.writes:
            X[0] = 0.0
        return super().transform(X)


@pytest.mark.parametrize(("cache_mb", "writes"), [(None, False), (0.0001, False), (None, True)])
def test_times_add_up_with_evictions_and_second_runs(clock, cache_mb, writes):
    first, second = (TimedTransformer(factor, 1.0, writes) for factor in (1.0, 2.0))
    pipe = Pipeline([("a", first), ("b", second), ("model", Ridge())])
    grid = {"model__alpha": [1.0, 2.0, 3.0]}
    search = DistributedSearchCV(pipe, grid, cv=2, refit=False, cache_mb=cache_mb)
    begin = clock.now
    results = search.fit(*make_data()).cv_results_
    total_s = 2 * (sum(results["mean_fit_time"]) + sum(results["mean_score_time"]))
    assert total_s == pytest.approx(clock.now - begin)
