"""An adaptive search ends at its time budget with the best of what is complete."""

import importlib.util
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from skdistsearch import DistributedHyperbandSearchCV, DistributedOptunaSearchCV
from skdistsearch.exceptions import TimeBudgetError

X, Y = load_diabetes(return_X_y=True)
N_FITS = []


class OneSecond(RegressorMixin, BaseEstimator):
    """Ridge whose fit takes a second on the clock of the test."""

    def __init__(self, alpha=1.0, n_rounds=1):
        self.alpha = alpha
        self.n_rounds = n_rounds

    def fit(self, X, y):
        N_FITS.append(1)
        self.model_ = Ridge(alpha=self.alpha / self.n_rounds).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that advances by a second with each fit."""
    N_FITS.clear()
    fake = SimpleNamespace(time=time.time, monotonic=lambda: float(len(N_FITS)))
    for module in ("_batch", "budgets._time_budget"):
        monkeypatch.setattr(f"skdistsearch.{module}.time", fake)


def hyperband(**options):
    space = {"alpha": loguniform(0.001, 1000)}
    settings = {"resource": "n_rounds", "max_resources": 9, "cv": 3, "random_state": 0}
    return DistributedHyperbandSearchCV(OneSecond(), space, **settings, refit=False, **options)


def bayesian(**options):
    space = {"alpha": loguniform(0.001, 1000)}
    settings = {"n_trials": 20, "n_pending": 5, "cv": 3, "random_state": 0}
    return DistributedOptunaSearchCV(OneSecond(), space, **settings, refit=False, **options)


SEARCHES = [
    hyperband,
    pytest.param(
        bayesian,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("optuna") is None, reason="Optuna is optional"
        ),
    ),
]


@pytest.mark.parametrize("make_search", SEARCHES)
def test_search_ends_with_the_best_of_the_complete_rows(make_search):
    search = make_search(time_budget_s=20).fit(X, Y)
    results = search.cv_results_
    n_done = results["n_splits_done"]
    amounts = np.asarray(results.get("n_resources", np.zeros(len(n_done))))
    assert search.stopped_ == "time_budget_s"
    assert n_done.sum() == len(N_FITS) == 20
    assert n_done[search.best_index_] == 3
    assert amounts[search.best_index_] == amounts[n_done == 3].max()
    assert np.isnan(results["mean_test_score"][n_done < 3]).all()


@pytest.mark.parametrize("make_search", SEARCHES)
def test_search_that_is_done_in_time_equals_one_without_a_budget(make_search):
    search, expected = make_search(time_budget_s=10_000).fit(X, Y), make_search().fit(X, Y)
    assert search.stopped_ == ""
    assert search.cv_results_["params"] == expected.cv_results_["params"]
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert search.best_index_ == expected.best_index_


@pytest.mark.parametrize("make_search", SEARCHES)
def test_checkpoint_goes_on_where_the_time_was_up(make_search, tmp_path):
    expected = make_search().fit(X, Y)
    n_all = len(N_FITS)
    N_FITS.clear()
    make_search(time_budget_s=20, checkpoint=str(tmp_path)).fit(X, Y)
    whole = make_search(checkpoint=str(tmp_path)).fit(X, Y)
    assert len(N_FITS) == n_all
    np.testing.assert_array_equal(
        whole.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("make_search", SEARCHES)
def test_no_complete_candidate_is_an_error(make_search):
    message = "time_budget_s=2 was too short: 2 fits ended, and no candidate .* 3 splits"
    with pytest.raises(TimeBudgetError, match=message):
        make_search(time_budget_s=2).fit(X, Y)


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="Optuna is optional")
def test_study_has_the_scores_of_all_complete_candidates():
    search = bayesian(time_budget_s=20).fit(X, Y)
    done = search.cv_results_["n_splits_done"] == 3
    is_told = [trial.value is not None for trial in search.study_.trials]
    assert is_told == done.tolist()
    assert search.study_.best_trial.number == search.best_index_


@pytest.mark.parametrize("make_search", SEARCHES)
def test_invalid_time_is_an_error_before_any_fit(make_search):
    with pytest.raises(ValueError, match="must be None or more than 0 seconds"):
        make_search(time_budget_s=-1.0).fit(X, Y)
    assert not N_FITS
