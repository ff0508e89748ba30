"""No fit begins after the time budget of a search."""

import time
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.transformers import assert_same_results
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV, MetaflowBackend
from skdistsearch.backends import close_pools
from skdistsearch.exceptions import PlanError, SkDistSearchError, TimeBudgetError

X, Y = load_diabetes(return_X_y=True)
FITS = []


class Slow(RegressorMixin, BaseEstimator):
    """Ridge that takes a time of its own."""

    def __init__(self, alpha=1.0, seconds=0.0):
        self.alpha = alpha
        self.seconds = seconds

    def fit(self, X, y):
        FITS.append(self.alpha)
        sleep(self.seconds)
        self.model_ = Ridge(alpha=self.alpha).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


ALPHAS = np.logspace(-3, 3, 40)


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances by the duration of each fit of this process, and by nothing else."""

    class Clock:
        now = 0.0

    fake = SimpleNamespace(time=time.time, monotonic=lambda: Clock.now)
    for module in ("_batch", "budgets._time_budget"):
        monkeypatch.setattr(f"skdistsearch.{module}.time", fake)

    def sleep(seconds):
        Clock.now += seconds

    monkeypatch.setitem(Slow.fit.__globals__, "sleep", sleep)


def make_search(seconds, **options):
    FITS.clear()
    options = {"cv": 3, "refit": True, **options}
    return DistributedSearchCV(Slow(seconds=seconds), {"alpha": ALPHAS}, **options)


@pytest.mark.usefixtures("clock")
def test_search_ends_with_the_best_of_the_complete_candidates():
    search = make_search(1.0, time_budget_s=20).fit(X, Y)
    counts = search.cv_results_["n_splits_done"]
    assert search.stopped_ == "time_budget_s"
    assert sorted(counts[counts > 0]) == [2, *[3] * 6]
    assert counts[search.best_index_] == 3
    assert np.isnan(search.cv_results_["mean_test_score"][counts < 3]).all()


def test_all_candidates_are_tried_in_time():
    expected = GridSearchCV(Slow(), {"alpha": ALPHAS}, cv=3).fit(X, Y)
    search = make_search(0.0, time_budget_s=600).fit(X, Y)
    columns = dict(search.cv_results_)
    assert set(columns.pop("n_splits_done")) == {3}
    assert_same_results(columns, expected.cv_results_)
    assert search.stopped_ == ""


def test_candidates_are_not_tried_in_the_order_of_the_grid():
    make_search(0.0, time_budget_s=600, refit=False).fit(X, Y)
    assert sorted(FITS) != FITS
    assert [FITS[n] for n in range(0, 9, 3)] == [
        FITS[n] for n in range(1, 9, 3)
    ]  # whole candidates


def test_running_fit_of_a_worker_process_is_ended():
    make_search(0.0, n_jobs=2, refit=False).fit(X, Y)  # starts the workers
    search = make_search(0.0, time_budget_s=5.0, n_jobs=2, cv=2, refit=False)
    search.param_grid = [{"alpha": [1.0], "seconds": [0.0]}, {"alpha": [2.0], "seconds": [600.0]}]
    search.fit(X, Y)  # a limit of the test run would end it otherwise
    assert list(search.cv_results_["n_splits_done"]) == [2, 0]


@pytest.mark.slow
@pytest.mark.parametrize("keep_alive_s", [pytest.param(0, marks=pytest.mark.campaign), 60])
def test_running_fit_of_a_metaflow_task_is_ended(keep_alive_s):
    backend = MetaflowBackend(max_workers=2, keep_alive_s=keep_alive_s)
    search = make_search(0.0, time_budget_s=30.0, backend=backend, cv=2, refit=False)
    search.param_grid = [{"alpha": [1.0], "seconds": [0.0]}, {"alpha": [2.0], "seconds": [600.0]}]
    try:
        search.fit(X, Y)  # a limit of the test run would end it otherwise
    finally:
        close_pools()
    assert list(search.cv_results_["n_splits_done"]) == [2, 0]
    assert search.stopped_ == "time_budget_s"


@pytest.mark.usefixtures("clock")
def test_no_complete_candidate_is_an_error_that_counts():
    search = make_search(1.0, time_budget_s=2)
    message = r"time_budget_s=2 was too short: 2 of 120 fits ended, and no candidate .* 3 splits"
    with pytest.raises(TimeBudgetError, match=message) as caught:
        search.fit(X, Y)
    assert isinstance(caught.value, SkDistSearchError | TimeoutError)


@pytest.mark.usefixtures("clock")
def test_checkpoint_goes_on_and_then_equals_the_whole_search(tmp_path):
    expected = GridSearchCV(Slow(), {"alpha": ALPHAS}, cv=3, refit=False).fit(X, Y)
    options = {"checkpoint": str(tmp_path), "refit": False}
    make_search(1.0, time_budget_s=20, **options).fit(X, Y)
    assert len(FITS) == 20
    whole = make_search(1.0, **options).fit(X, Y)
    assert len(FITS) == 100
    assert_same_results(whole.cv_results_, expected.cv_results_)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_invalid_budget_is_an_error(seconds):
    with pytest.raises(ValueError, match="must be None or more than 0 seconds"):
        make_search(0.0, time_budget_s=seconds).fit(X, Y)
    assert FITS == []


def test_budget_cannot_be_planned():
    with pytest.raises(PlanError, match="time_budget_s decide while fits run"):
        make_search(0.0, time_budget_s=5).plan(X, Y)


@pytest.mark.usefixtures("clock")
def test_halving_leaves_out_the_round_that_is_not_complete():
    options = {"factor": 2, "cv": 3, "min_resources": 50, "random_state": 0, "refit": False}
    grid = {"alpha": ALPHAS[::5]}  # 8, 4 and 2 candidates
    whole = DistributedHalvingGridSearchCV(Slow(), grid, **options).fit(X, Y)
    search = DistributedHalvingGridSearchCV(Slow(seconds=1.0), grid, time_budget_s=40, **options)
    search.fit(X, Y)
    assert search.stopped_ == "time_budget_s"
    assert search.n_candidates_ == [8, 4]
    assert search.n_resources_ == whole.n_resources_[:2]
    assert (search.n_remaining_candidates_, search.n_iterations_) == (2, 2)
    for name in ("n_required_iterations_", "n_possible_iterations_"):
        assert getattr(search, name) == getattr(whole, name)
    scores = "mean_test_score"
    np.testing.assert_array_equal(search.cv_results_[scores], whole.cv_results_[scores][:12])
    assert search.cv_results_["iter"][search.best_index_] == 1


@pytest.mark.usefixtures("clock")
def test_halving_without_a_complete_round_is_an_error():
    search = DistributedHalvingGridSearchCV(Slow(seconds=1.0), {"alpha": ALPHAS}, time_budget_s=5)
    with pytest.raises(TimeBudgetError, match="5 of 200 fits of the first round ended"):
        search.fit(X, Y)
