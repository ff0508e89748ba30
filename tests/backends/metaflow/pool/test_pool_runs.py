"""Workers that stay serve the next batch, and end when they should. Real Metaflow runs."""

import base64
import importlib
import os
import re
import signal
import sys
import threading
import time

import numpy as np
import pytest
from helpers.probing_regressor import ProbingRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV, MetaflowBackend
from skdistsearch.backends import close_pools
from skdistsearch.backends.metaflow._environment import import_metaflow
from skdistsearch.backends.metaflow.pool import warm_workers
from skdistsearch.testing import FaultyRegressor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
X, y = load_diabetes(return_X_y=True)
STAYS = MetaflowBackend(max_workers=2, keep_alive_s=60)


@pytest.fixture(autouse=True, scope="module")
def end_pools():
    """End all workers after the last test. Until then, tests with equal backends share them."""
    yield
    close_pools()


def fit(backend=STAYS, estimator=None, grid=None, **params):
    grid = {"alpha": [0.1, 1.0]} if grid is None else grid
    search = DistributedSearchCV(
        estimator or Ridge(), grid, **{"cv": 2, "backend": backend, "refit": False, **params}
    )
    return search.fit(X, y)


def probe(function, n_fits=4, backend=STAYS, **params):
    """Return what ``function`` returns in each fit of a search."""
    grid = {"probe": [function], "number": list(range(n_fits))}
    cv = [([0, 1], [2, 3])]
    results = fit(backend, ProbingRegressor(), grid, cv=cv, **params).cv_results_
    return list(results["split0_test_score"])


def is_alive(process):
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_rounds_of_a_search_are_one_run():
    """By default, a search with several rounds keeps its workers."""
    params = {"factor": 3, "random_state": 0, "cv": 2, "refit": False}
    grid = {"alpha": [*np.logspace(-3, 3, 9)]}
    expected = HalvingGridSearchCV(Ridge(), grid, **params).fit(X, y)
    backend = MetaflowBackend(max_workers=2)
    search = DistributedHalvingGridSearchCV(Ridge(), grid, backend=backend, **params).fit(X, y)
    assert len(search.n_candidates_) > 1
    assert len(search.runs_) == 1
    for key, values in expected.cv_results_.items():
        if not key.endswith("_time"):
            np.testing.assert_array_equal(search.cv_results_[key], values, err_msg=key)


def test_card_and_results_of_the_run_have_all_rounds():
    backend = MetaflowBackend(max_workers=1, keep_alive_s=60)
    first = fit(backend, grid={"alpha": [0.1, 1.0]})
    second = fit(backend, grid={"alpha": [3.0]})
    close_pools()
    metaflow = import_metaflow()
    from metaflow.cards import get_cards

    metaflow.namespace(None)
    assert first.runs_ == second.runs_
    run = metaflow.Run(first.runs_[0])
    assert len(run.data.outcomes) == 6
    html = get_cards(run["join"].task)[0].get()
    page = max(map(base64.b64decode, re.findall(r'"([A-Za-z0-9+/=]{1000,})"', html)), key=len)
    assert b"alpha=0.1" in page
    assert b"alpha=3.0" in page


def test_search_with_one_round_ends_with_its_run():
    backend = MetaflowBackend(max_workers=2)
    first, second = fit(backend), fit(backend)
    assert first.runs_ != second.runs_
    assert warm_workers(backend) == 0


def test_equal_backend_has_the_same_workers():
    first = set(probe(os.getpid))
    second = set(probe(os.getpid, backend=MetaflowBackend(max_workers=2, keep_alive_s=60)))
    other = set(probe(os.getpid, backend=MetaflowBackend(max_workers=1, keep_alive_s=60)))
    assert first & second
    assert not first & other


def test_outer_search_in_this_process_shares_the_workers_of_inner_ones():
    def inner(backend):
        return DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, backend=backend)

    runs = []

    class Noting(DistributedSearchCV):
        def fit(self, X, y):
            super().fit(X, y)
            runs.extend(self.runs_)
            return self

    noting = Noting(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, backend=STAYS)
    scores = cross_val_score(noting, X, y, cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(inner("local"), X, y, cv=3))
    assert len(runs) == 3
    assert len(set(runs)) == 1


def test_two_searches_at_once_share_the_workers():
    found = {}

    def search(name):
        found[name] = probe(os.getpid, 6)

    threads = [threading.Thread(target=search, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found["a"]) == len(found["b"]) == 6
    assert len({*found["a"], *found["b"]}) <= 2


def test_idle_workers_end_and_the_next_search_starts_others():
    backend = MetaflowBackend(max_workers=1, keep_alive_s=0.5)
    first = probe(os.getpid, backend=backend)
    wait_until(lambda: not is_alive(first[0]))
    wait_until(lambda: warm_workers(backend) == 0)
    assert is_alive(probe(os.getpid, backend=backend)[0])


def test_close_pools_ends_all_workers():
    workers = probe(os.getpid)
    close_pools()
    assert not any(map(is_alive, workers))


def test_closed_pool_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    fit()
    close_pools()
    assert list(tmp_path.iterdir()) == []


def test_early_end_of_a_search_ends_the_workers(tmp_path):
    """They might run fits whose results are not needed any more."""
    (worker,) = set(probe(os.getpid, backend=MetaflowBackend(max_workers=1, keep_alive_s=60)))
    grid = {"behavior": ["raise"], "factor": [1.0, 2.0]}
    backend = MetaflowBackend(max_workers=1, keep_alive_s=60)
    with pytest.raises(ZeroDivisionError):
        fit(backend, FaultyRegressor(), grid, error_score="raise")
    assert not is_alive(worker)
    assert len(fit(backend).runs_) == 1


def test_early_end_of_a_search_leaves_workers_that_another_one_needs(tmp_path):
    def wait_for_the_end_of_the_other():
        (tmp_path / "begun").touch()
        wait_until((tmp_path / "ended").exists)
        return os.getpid()

    found = []
    other = threading.Thread(target=lambda: found.extend(probe(wait_for_the_end_of_the_other, 1)))
    other.start()
    wait_until((tmp_path / "begun").exists)
    grid = {"behavior": ["raise"], "factor": [1.0, 2.0, 3.0]}
    with pytest.raises(ZeroDivisionError):
        fit(STAYS, FaultyRegressor(), grid, error_score="raise")
    (tmp_path / "ended").touch()
    other.join()
    assert is_alive(found[0])


def test_worker_killed_while_idle_is_replaced():
    workers = set(probe(os.getpid))
    os.kill(int(workers.pop()), signal.SIGKILL)
    assert len(probe(os.getpid, 8)) == 8


def test_search_goes_on_while_a_worker_is_replaced():
    """The fit of the killed worker runs again; no other does."""
    victims = set(probe(os.getpid))
    killed = int(victims.pop())
    timer = threading.Timer(0.5, os.kill, (killed, signal.SIGKILL))
    timer.start()
    processes = probe(sleep_and_return_process, 10)
    assert len(processes) == 10
    timer.join()
    assert not is_alive(killed)


def sleep_and_return_process():
    time.sleep(0.2)
    return os.getpid()


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_all_workers_gone_is_a_new_run(tmp_path):
    """A worker that dies is replaced four times; then a new run begins."""
    grid = [
        {"behavior": ["exit"], "factor": [1.0, 2.0, 3.0], "folder": [str(tmp_path)]},
        {"behavior": ["fit"]},
    ]
    backend = MetaflowBackend(max_workers=1, keep_alive_s=60)
    with pytest.warns(FitFailedWarning, match="its worker died 2 times"):
        search = fit(backend, FaultyRegressor(), grid)
    assert FaultyRegressor.fits_begun(str(tmp_path), "exit") == 12
    assert len(search.runs_) >= 2
    assert np.isfinite(search.cv_results_["mean_test_score"][3])


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_fit_that_takes_too_long_ends_its_worker_and_no_other_fit():
    backend = MetaflowBackend(max_workers=1, keep_alive_s=60, fit_timeout_s=1)
    grid = {"behavior": ["fit", "sleep"], "factor": [1.0, 2.0]}
    with pytest.warns(FitFailedWarning, match="ran longer than fit_timeout_s=1"):
        search = fit(backend, FaultyRegressor(), grid, cv=[([0, 1], [2, 3])])
    assert np.isfinite(search.cv_results_["mean_test_score"]).sum() == 2
    assert len(fit(backend).runs_) == 1


def test_workers_save_fits_in_the_checkpoint_of_each_search(tmp_path):
    first = fit(checkpoint=tmp_path / "first")
    fit(checkpoint=tmp_path / "second", grid={"alpha": [2.0]})
    again = fit("local", checkpoint=tmp_path / "first")
    np.testing.assert_array_equal(
        again.cv_results_["mean_fit_time"], first.cv_results_["mean_fit_time"]
    )


def test_module_that_was_imported_later_is_found(tmp_path, monkeypatch):
    fit()
    (tmp_path / "late_estimator.py").write_text(
        "from sklearn.linear_model import Ridge\nclass LateRidge(Ridge):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import late_estimator

    search = fit(estimator=late_estimator.LateRidge())
    expected = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


def test_module_that_was_edited_and_reloaded_gets_new_workers(tmp_path, monkeypatch):
    module = tmp_path / "edited_in_pool.py"
    source = "from sklearn.linear_model import Ridge\nclass Edited(Ridge):\n"
    module.write_text(source + "    def score(self, X, y):\n        return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    import edited_in_pool

    first = fit(estimator=edited_in_pool.Edited())
    module.write_text(source + "    def score(self, X, y):\n        return 2.0 + 0.0\n")
    importlib.reload(edited_in_pool)
    second = fit(estimator=edited_in_pool.Edited())
    assert set(first.cv_results_["mean_test_score"]) == {1.0}
    assert set(second.cv_results_["mean_test_score"]) == {2.0}
    assert first.runs_ != second.runs_


def grow_and_return_process():
    """Let this worker find that it has grown."""
    from skdistsearch.backends import _worker

    _worker._memory_growth.exceeds_limit = lambda: True
    return os.getpid()


def test_worker_whose_memory_has_grown_is_replaced():
    backend = MetaflowBackend(max_workers=1, keep_alive_s=60)
    processes = probe(grow_and_return_process, 3, backend)
    assert len(set(processes)) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python warns of forks with threads")
def test_fork_leaves_the_workers_to_its_parent():
    (worker,) = set(probe(os.getpid, backend=MetaflowBackend(max_workers=1, keep_alive_s=60)))
    child = os.fork()
    if not child:
        close_pools()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    time.sleep(0.5)
    assert is_alive(worker)
