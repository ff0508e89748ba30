"""LocalBackend: fits in this process, in worker processes, and through joblib backends."""

import gc
import os
import sys
import threading
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers.probing_regressor import probe_fits
from sklearn.datasets import load_diabetes, make_regression
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from skdistsearch import DistributedSearchCV, LocalBackend
from skdistsearch.exceptions import BackendError
from skdistsearch.testing import FaultyRegressor

X, y = load_diabetes(return_X_y=True)
GRID = {"alpha": np.logspace(-3, 3, 12)}
EXPECTED_SCORES = GridSearchCV(Ridge(), GRID).fit(X, y).cv_results_["mean_test_score"]


def mean_scores(**params):
    return DistributedSearchCV(Ridge(), GRID, **params).fit(X, y).cv_results_["mean_test_score"]


def process_id():
    return os.getpid()


def thread_id():
    return threading.get_ident()


def test_backends_with_equal_settings_are_equal():
    assert LocalBackend() == LocalBackend()


def test_fits_run_in_this_process_by_default_and_with_n_jobs_1():
    assert probe_fits(process_id) == probe_fits(process_id, n_jobs=1) == {process_id()}


def test_n_jobs_is_the_number_of_worker_processes():
    workers = probe_fits(process_id, n_jobs=2)
    assert process_id() not in workers
    assert len(workers) <= 2


def test_workers_are_reused_by_the_next_search():
    assert len(probe_fits(process_id, n_jobs=2) | probe_fits(process_id, n_jobs=2)) <= 2


@pytest.mark.parametrize("backend", ["local", "metaflow"])
def test_n_jobs_of_zero_is_an_error(backend):
    with pytest.raises(ValueError, match="n_jobs == 0"):
        DistributedSearchCV(Ridge(), GRID, n_jobs=0, backend=backend).fit(X, y)


class TestParallelConfig:
    """`joblib.parallel_config` applies as it does to scikit-learn's searches."""

    def test_n_jobs_applies(self):
        with joblib.parallel_config(n_jobs=2):
            assert process_id() not in probe_fits(process_id)

    def test_threading_runs_fits_in_threads(self):
        with joblib.parallel_config("threading", n_jobs=2):
            assert probe_fits(process_id) == {process_id()}
            assert thread_id() not in probe_fits(thread_id)

    def test_multiprocessing_runs_the_fits(self):
        with joblib.parallel_config("multiprocessing", n_jobs=2):
            assert process_id() not in probe_fits(process_id)
            np.testing.assert_array_equal(mean_scores(), EXPECTED_SCORES)

    def test_dask_runs_the_fits(self):
        distributed = pytest.importorskip("distributed", reason="dask is not installed")
        with (
            distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=None),
            joblib.parallel_config("dask"),
        ):
            np.testing.assert_array_equal(mean_scores(), EXPECTED_SCORES)


@pytest.mark.filterwarnings("ignore:n_jobs=2 in 2 processes uses 4 threads")
def test_nested_searches_and_parallels_give_equal_scores():
    inner = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2)
    expected = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    np.testing.assert_array_equal(
        cross_val_score(inner, X, y, n_jobs=2), cross_val_score(expected, X, y)
    )
    outer = DistributedSearchCV(inner, {"estimator__alpha": [1.0]}, cv=2, n_jobs=2).fit(X, y)
    assert outer.best_estimator_.best_params_ == {"alpha": 0.1}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_searches_run_in_threads_other_than_the_main_one(n_threads):
    scores = []
    threads = [
        threading.Thread(target=lambda: scores.append(mean_scores(n_jobs=2)))
        for _ in range(n_threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(scores, [EXPECTED_SCORES] * n_threads)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_workers_of_a_failed_search_end_at_once(tmp_path):
    """They do not wait for a garbage collection, which once hung a later search."""
    X, y = make_regression(20, 2, random_state=0)
    grid = {"behavior": ["sleep", "raise"], "folder": [str(tmp_path)]}
    search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, n_jobs=3, error_score="raise")
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError) as info:
            search.fit(X, y)
        assert info.value.__traceback__ is not None  # it refers to the frames of the search
        assert worker_processes() == []
    finally:
        gc.enable()


def worker_processes():
    """Return the command lines of the worker processes of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    return [line for line in lines if "-m\0loky." in line]  # without those of joblib's own loky


def test_lost_fit_has_all_results_of_a_failed_one():
    X, y = make_regression(20, 2, random_state=0)
    options = {
        "cv": 2,
        "scoring": ["r2", "neg_mean_absolute_error"],
        "refit": False,
        "error_score": -3,
    }
    search = DistributedSearchCV(
        FaultyRegressor(),
        {"behavior": ["exit", "fit"]},
        n_jobs=2,
        return_train_score=True,
        **options,
    )
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        search.fit(X, y)
    for name in ("test_r2", "train_r2", "test_neg_mean_absolute_error"):
        assert search.cv_results_[f"split0_{name}"][0] == -3
        assert search.cv_results_[f"split0_{name}"][1] != -3


def test_fit_of_another_worker_survives_a_death(tmp_path):
    """A death ends the other worker too. Its fit is then a suspect, and succeeds alone."""
    X, y = make_regression(20, 2, random_state=0)
    grid = [{"behavior": ["exit"], "folder": [str(tmp_path)]}, {"factor": np.linspace(1, 2, 40)}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, n_jobs=2).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 1


def test_batch_that_workers_cannot_load_is_a_backend_error():
    class FailsToLoad:
        def __reduce__(self):
            return _raise_import_error, ()

    search = DistributedSearchCV(Ridge(), {"alpha": [1.0, FailsToLoad()]}, n_jobs=2)
    with pytest.raises(BackendError, match=r"failed outside of a fit: .*cannot be imported there"):
        search.fit(X, y)


def _raise_import_error():
    raise ModuleNotFoundError("this cannot be imported there")
