"""Estimators, scorers and parameters with bad habits get the scores that GridSearchCV gives."""

import numpy as np
import pytest
from helpers.hostile import CASES, LIMITS, Counter, CountsInObject, arrays, pipe
from helpers.transformers import assert_same_results
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection

from skdistsearch import DistributedSearchCV
from skdistsearch.execution import _shared_work, _slice_files

pytestmark = pytest.mark.filterwarnings("ignore")


def run(search_class, case, **options):
    """Return ``cv_results_`` of a case."""
    estimator, grid, data, arguments = case
    search = search_class(clone(estimator), grid, **arguments, **options)
    return search.fit(*data()).cv_results_


def assert_same_as_grid_search(case, **options):
    assert_same_results(run(DistributedSearchCV, case, **options), run(GridSearchCV, case))


@pytest.mark.parametrize("cache_mb", [None, 0.001])
@pytest.mark.parametrize("name", CASES)
def test_scores_equal_those_of_grid_search(name, cache_mb, monkeypatch):
    monkeypatch.setattr(_shared_work, "_DATA_MIN_MB", 0.0)
    assert_same_as_grid_search(CASES[name], cache_mb=cache_mb)


@pytest.mark.parametrize(
    "name",
    [
        "modifies its input: sets sparse data",
        "modifies its input: own error",
        "keeps and changes: object in columns",
        "scorer: occlude",
        "parameter: ordered dict",
    ],
)
def test_scores_are_equal_in_two_processes(name):
    assert_same_as_grid_search(CASES[name], n_jobs=2)


@pytest.mark.parametrize("name", CASES)
def test_scores_on_slices_in_files_equal_those_of_grid_search(name, monkeypatch):
    monkeypatch.setattr(_shared_work, "_LARGE_DATA_MIN_MB", 0.0)
    monkeypatch.setattr(_slice_files, "_FILE_MIN_MB", 0.0)
    assert_same_as_grid_search(CASES[name])


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.xfail(strict=True, reason="documented limit of shared work")
def test_limit_is_still_one(name):
    assert_same_as_grid_search(LIMITS[name])


@pytest.mark.parametrize("cache_mb", [0.1, 0.02])
def test_evicted_transformer_without_a_seed_is_drawn_with_all_that_was_fitted_on_it(cache_mb):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 20))
    y = X @ rng.normal(size=20) + 0.1 * rng.normal(size=200)
    steps = GaussianRandomProjection(60), SelectKBest(f_regression, k=50)
    grid = {"m__alpha": np.logspace(-3, 0, 6)}
    search = DistributedSearchCV(pipe(*steps), grid, cv=3, refit=False, cache_mb=cache_mb)
    np.random.seed(0)
    assert search.fit(X, y).cv_results_["mean_test_score"].min() > 0.5


def test_extract_functions_get_the_fitted_model_as_it_was_fitted():
    def spoil_scaler(model):
        mean = float(model[0].mean_[0])
        model[0].mean_ += 1
        return mean

    extract = {"first": spoil_scaler, "second": spoil_scaler}
    options = {"cv": 2, "refit": False, "extract": extract}
    grid = {"m__alpha": [0.1, 1.0, 10.0]}
    search, unshared = (
        DistributedSearchCV(pipe(StandardScaler()), grid, cache_mb=cache_mb, **options)
        for cache_mb in (None, 0)
    )
    expected = unshared.fit(*arrays()).cv_results_
    assert_same_results(search.fit(*arrays()).cv_results_, expected)


class Uncopyable(Counter):
    """Cannot be copied."""

    def __deepcopy__(self, memo):
        raise TypeError("no copies")


class KeepsUncopyable(StandardScaler):
    """A scaler with a part that cannot be copied."""

    def fit(self, X, y=None, sample_weight=None):
        self.counter_ = Uncopyable()
        return super().fit(X, y)


def test_transformer_that_cannot_be_copied_for_a_scorer_is_not_shared():
    estimator, grid, data, options = CASES["scorer: set attribute"]
    case = estimator.set_params(a=KeepsUncopyable()), grid, data, options
    assert_same_as_grid_search(case)


def test_transformer_that_changes_itself_costs_one_more_fit_in_each_process():
    created = []

    class Recording(CountsInObject):
        def fit(self, X, y=None):
            created.append(1)
            return super().fit(X, y)

    grid = {"m__alpha": np.logspace(-3, 3, 10)}
    DistributedSearchCV(pipe(Recording()), grid, cv=2, refit=False).fit(*arrays())
    assert len(created) == 10 * 2 + 1
