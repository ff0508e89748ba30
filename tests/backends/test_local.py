import gc
import os
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes, make_regression
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_info

from skdistsearch import DistributedSearchCV, LocalBackend
from skdistsearch.exceptions import BackendError
from skdistsearch.scheduling._chunks import consecutive_chunks, interleaved_chunks
from skdistsearch.testing import FaultyRegressor

X, y = load_diabetes(return_X_y=True)
GRID = {"alpha": np.logspace(-3, 3, 12)}
SCORES = GridSearchCV(Ridge(), GRID).fit(X, y).cv_results_["mean_test_score"]


class WhereAmI(RegressorMixin, BaseEstimator):
    """Scores with what ``probe`` finds where the fit runs."""

    def __init__(self, probe=None, number=0):
        self.probe = probe
        self.number = number

    def fit(self, X, y):
        self.found_ = self.probe()
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return self.found_


def found(probe, **params):
    search = DistributedSearchCV(WhereAmI(), {"probe": [probe] * 4}, cv=2, refit=False, **params)
    results = search.fit(X, y).cv_results_
    return {results[f"split{split}_test_score"][n] for split in range(2) for n in range(4)}


def pid():
    return os.getpid()


def thread():
    return threading.get_ident()


def blas_threads():
    return max(info["num_threads"] for info in threadpool_info())


def test_fits_run_here_without_n_jobs_and_with_one():
    assert found(pid) == found(pid, n_jobs=1) == {pid()}


def test_n_jobs_is_the_number_of_worker_processes():
    workers = found(pid, n_jobs=2)
    assert pid() not in workers
    assert len(workers) <= 2


def test_workers_stay_warm_for_the_next_search():
    assert len(found(pid, n_jobs=2) | found(pid, n_jobs=2)) <= 2


def test_workers_share_the_cores():
    share = max(joblib.cpu_count() // 2, 1)
    assert found(blas_threads, n_jobs=2) == {share}


def test_parallel_config_gives_n_jobs():
    with joblib.parallel_config(n_jobs=2):
        assert pid() not in found(pid)


def test_parallel_config_gives_threads():
    with joblib.parallel_config("threading", n_jobs=2):
        assert found(pid) == {pid()}
        assert threading.get_ident() not in found(thread)


def test_parallel_config_limits_threads_of_workers():
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=3):
        assert found(blas_threads) == {3}


def test_other_joblib_backends_get_the_fits():
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        assert pid() not in found(pid)
        scores = DistributedSearchCV(Ridge(), GRID).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, SCORES)


def test_dask_gets_the_fits():
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    with (
        distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=None),
        joblib.parallel_config("dask"),
    ):
        scores = DistributedSearchCV(Ridge(), GRID).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, SCORES)


@pytest.mark.filterwarnings("ignore:n_jobs=2 in 2 processes asks for 4 threads")
def test_search_within_a_search_and_within_a_parallel():
    inner = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2)
    expected = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    np.testing.assert_array_equal(
        cross_val_score(inner, X, y, n_jobs=2), cross_val_score(expected, X, y)
    )
    outer = DistributedSearchCV(inner, {"estimator__alpha": [1.0]}, cv=2, n_jobs=2).fit(X, y)
    assert outer.best_estimator_.best_params_ == {"alpha": 0.1}


def test_search_in_a_thread():
    results = []

    def fit():
        search = DistributedSearchCV(Ridge(), GRID, n_jobs=2).fit(X, y)
        results.append(search.cv_results_["mean_test_score"])

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results[0], SCORES)


def test_searches_in_two_threads_at_once():
    results = []

    def fit():
        search = DistributedSearchCV(Ridge(), GRID, n_jobs=2).fit(X, y)
        results.append(search.cv_results_["mean_test_score"])

    threads = [threading.Thread(target=fit) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    np.testing.assert_array_equal(results, [SCORES, SCORES])


@pytest.mark.parametrize("backend", ["local", "metaflow"])
def test_n_jobs_of_zero_is_refused(backend):
    with pytest.raises(ValueError, match="n_jobs == 0"):
        DistributedSearchCV(Ridge(), GRID, n_jobs=0, backend=backend).fit(X, y)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_workers_of_a_search_that_failed_are_gone_at_once(tmp_path):
    """Not when garbage is collected: that came amid a later search, and it never ended."""
    X, y = make_regression(20, 2, random_state=0)
    grid = {"behavior": ["sleep", "raise"], "folder": [str(tmp_path)]}
    search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, n_jobs=3, error_score="raise")
    gc.disable()
    try:
        with pytest.raises(ZeroDivisionError) as info:
            search.fit(X, y)
        assert info.value.__traceback__ is not None  # it holds the frames of the search
        assert workers() == []
    finally:
        gc.enable()


def workers():
    """Command lines of this process's worker processes."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    return [line for line in lines if "-m\0loky." in line]  # not joblib's own


def test_lost_fit_has_all_that_scikit_learn_records_of_a_failed_one():
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


def test_collateral_fits_are_not_lost(tmp_path):
    """A death kills the other worker too: its fit is only suspect, and succeeds alone."""
    X, y = make_regression(20, 2, random_state=0)
    grid = [{"behavior": ["exit"], "folder": [str(tmp_path)]}, {"factor": np.linspace(1, 2, 40)}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, n_jobs=2).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 1


def test_worker_that_cannot_load_the_fits_is_one_error():
    class Wrong:
        def __reduce__(self):
            return _explode, ()

    search = DistributedSearchCV(Ridge(), {"alpha": [1.0, Wrong()]}, n_jobs=2)
    with pytest.raises(BackendError, match=r"failed outside of a fit: .*cannot be imported there"):
        search.fit(X, y)


def _explode():
    raise ModuleNotFoundError("this cannot be imported there")


def test_backend_is_comparable():
    assert LocalBackend() == LocalBackend()


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
def test_chunks_hold_each_fit_once(n):
    for chunks in (interleaved_chunks(range(n), 3), consecutive_chunks(range(n), 4)):
        assert sorted(fit for chunk in chunks for fit in chunk) == list(range(n))
        assert all(chunks)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="callbacks came with 1.9"
)
@pytest.mark.parametrize(
    "options",
    [{}, {"n_jobs": 2}, pytest.param({"backend": "metaflow"}, marks=pytest.mark.slow)],
    ids=["here", "processes", "metaflow"],
)
class TestCallbacks:
    @pytest.mark.filterwarnings("ignore:The estimator Ridge does not support callbacks")
    def test_progress_bar_advances_to_the_end(self, options, capsys):
        pytest.importorskip("rich", reason="scikit-learn's ProgressBar draws with rich")
        from sklearn.callback import ProgressBar

        search = DistributedSearchCV(Ridge(), GRID, cv=2, **options)
        search.set_callbacks(ProgressBar()).fit(X, y)
        lines = capsys.readouterr().out.splitlines()
        assert "100%" in [line for line in lines if "search #0" in line][-1]
        assert "100%" in [line for line in lines if "- fit" in line][-1]

    def test_callbacks_hear_of_fits_as_they_finish(self, options, tmp_path):
        X, y = make_regression(20, 2, random_state=0)
        heard = Heard(str(tmp_path))
        grid = {"factor": np.arange(4.0), "folder": [heard.folder], "duration_s": [0.3]}
        search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, refit=False, **options)
        search.set_callbacks(heard).fit(X, y)
        assert heard.begun == len(heard.fits_begun_when_one_ended) == 8
        assert heard.fits_begun_when_one_ended[0] < 8
        assert heard.rows == {10}
        assert heard.searches == {id(search)}


class Heard:
    """Notes what scikit-learn tells of the fits of a search."""

    def __init__(self, folder):
        self.folder, self.begun, self.fits_begun_when_one_ended = folder, 0, []
        self.rows, self.searches = set(), set()

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None):
        if context.task_name == "candidate-split-evaluation":
            self.begun += 1
            self.rows.add(len(X))
            self.searches.add(id(estimator))

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "candidate-split-evaluation":
            self.fits_begun_when_one_ended.append(FaultyRegressor.fits_begun(self.folder, "fit"))


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"])
def test_workers_share_the_cores_whoever_counts_them(name, monkeypatch):
    monkeypatch.delenv(name, raising=False)
    share = max(joblib.cpu_count() // 2, 1)
    assert found(joblib.cpu_count, n_jobs=2) == {share}
    assert found(partial(variable, name), n_jobs=2) == {share}


def variable(name):
    return int(os.environ[name])


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (RandomForestRegressor(2, n_jobs=3), {"max_depth": [1]}),
        (RandomForestRegressor(2), {"n_jobs": [3]}),
        (Pipeline([("m", Ridge())]), {"m": [RandomForestRegressor(2, n_jobs=3)]}),
    ],
)
def test_threads_that_the_user_has_set_stay_and_are_warned_of(estimator, grid, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    search = DistributedSearchCV(estimator, grid, cv=2, n_jobs=2, refit=False)
    with pytest.warns(UserWarning, match=r"n_jobs=3 in 2 processes uses 6 threads on 4 cores"):
        search.fit(X, y)


def grows_as_if_by_tensorflow(mb=0, limit_mb=-1):
    from skdistsearch.backends import _worker as worker

    sys.modules.setdefault("tensorflow", sys)
    worker._LEAK_MB = limit_mb
    worker.leaked = np.ones(int(mb * 1e6) // 8)
    time.sleep(0.2)  # so that each process gets some fits
    return os.getpid()


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_worker_that_leaks_is_replaced_and_no_fit_is_lost():
    probe = {"probe": [grows_as_if_by_tensorflow], "number": list(range(6))}
    search = DistributedSearchCV(WhereAmI(), probe, cv=2, n_jobs=2, refit=False).fit(X, y)
    pids = [search.cv_results_[f"split{split}_test_score"] for split in range(2)]
    assert len(np.unique(pids)) >= 6  # two processes at a time, each for a fit
    assert np.isfinite(pids).all()


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_worker_that_leaks_a_little_in_each_search_is_replaced_too():
    def fitted_by(mb):
        probe = {"probe": [partial(grows_as_if_by_tensorflow, mb, 50)]}
        search = DistributedSearchCV(WhereAmI(), probe, cv=6, n_jobs=2, refit=False).fit(X, y)
        return {search.cv_results_[f"split{split}_test_score"][0] for split in range(6)}

    before, later = fitted_by(0), fitted_by(100)
    assert before & later  # the processes were warm from the search before
    assert later - before  # and were replaced
