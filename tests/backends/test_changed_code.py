"""Searches with modules that are edited, and classes that are changed, while Python runs."""

import importlib
import logging
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from loky import get_reusable_executor
from sklearn.base import RegressorMixin
from sklearn.dummy import DummyRegressor

from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import BackendError

SOURCE = """
from sklearn.base import BaseEstimator, RegressorMixin

WEIGHTS = [1.0]

class Edited(RegressorMixin, BaseEstimator):
    def __init__(self, number=0):
        self.number = number

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return VALUE
""".replace("VALUE", "1.0 * WEIGHTS[0]")
X, y = np.arange(10.0)[:, None], np.arange(10.0)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "edited_estimator.py").write_text(SOURCE)
    get_reusable_executor().shutdown(kill_workers=True)  # those of other tests have another path
    yield importlib.import_module("edited_estimator")
    del sys.modules["edited_estimator"]


def edit(module, old="1.0 *", new="2.0 *"):
    path = Path(module.__file__)
    path.write_text(path.read_text().replace(old, new))
    later = os.stat(path).st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def scores(module, **options):
    grid = {"number": [0, 1]}
    search = DistributedSearchCV(module.Edited(), grid, cv=2, refit=False, **options)
    return set(search.fit(X, y).cv_results_["mean_test_score"])


@pytest.mark.parametrize("checkpoint", [False, True])
def test_reloaded_module_runs_its_new_code_in_kept_workers(checkpoint, module, tmp_path):
    options = {"n_jobs": 2, "checkpoint": tmp_path / "kept" if checkpoint else None}
    assert scores(module, **options) == {1.0}
    edit(module)
    importlib.reload(module)
    assert scores(module, **options) == {2.0}


@pytest.mark.parametrize("old", ["1.0 *", "WEIGHTS = [1"])
def test_old_code_is_not_recorded_as_that_of_an_edited_file(old, module, tmp_path, caplog):
    edit(module, old, old.replace("1", "2"))
    with caplog.at_level(logging.WARNING, "skdistsearch"):
        assert scores(module, checkpoint=tmp_path / "kept") == {1.0}
    assert "edited_estimator was edited after it was imported: later searches will" in caplog.text
    importlib.reload(module)
    assert scores(module, checkpoint=tmp_path / "kept") == {2.0}


def test_workers_with_an_edited_file_are_one_error(module, tmp_path):
    edit(module)
    message = "cannot be saved to the checkpoint: edited_estimator.* Reload edited modules with imp"
    with pytest.raises(BackendError, match=message):
        scores(module, n_jobs=2, checkpoint=tmp_path / "kept")


@pytest.fixture(params=["method", "wrapper", "attribute", "base"])
def change(request, monkeypatch):
    """A function that changes an installed class at run time."""

    def fit(self, X, y, sample_weight=None):
        return original(self, X, y * 2, sample_weight)

    original = DummyRegressor.fit
    if request.param == "wrapper":
        fit.__wrapped__, fit.__module__, fit.__qualname__ = (
            original,
            original.__module__,
            original.__qualname__,
        )
    changes = {
        "method": (DummyRegressor, "fit", fit),
        "wrapper": (DummyRegressor, "fit", fit),
        "attribute": (DummyRegressor, "__sklearn_threshold__", 3),
        "base": (RegressorMixin, "score", lambda self, X, y, sample_weight=None: 7.0),
    }
    return lambda: monkeypatch.setattr(*changes[request.param], raising=False)


def dummy_search(folder, **options):
    grid = {"strategy": ["mean"]}
    model = DummyRegressor()
    return DistributedSearchCV(model, grid, cv=2, refit=False, checkpoint=folder, **options)


def n_journals(folder):
    return len(list(folder.glob("fits/*")))


def test_fits_of_a_changed_class_are_not_reused(change, tmp_path):
    dummy_search(tmp_path).fit(X, y)
    dummy_search(tmp_path).fit(X, y)
    assert n_journals(tmp_path) == 1
    change()
    dummy_search(tmp_path).fit(X, y)
    assert n_journals(tmp_path) == 2


def test_class_that_is_changed_only_here_is_one_error(change, tmp_path):
    change()
    with pytest.raises(BackendError, match=r"sklearn\.\w+:\w+.*changed at run time"):
        dummy_search(tmp_path, n_jobs=2).fit(X, y)


def test_joblib_workers_check_their_code_too(module, tmp_path):
    edit(module)
    with parallel_config("multiprocessing"):  # forks, which have the code of this process
        assert scores(module, n_jobs=2, checkpoint=tmp_path / "kept") == {1.0}


@pytest.mark.slow
def test_metaflow_task_with_an_edited_file_is_one_error(module, tmp_path):
    edit(module)
    with pytest.raises(BackendError, match="cannot be saved to the checkpoint: edited_estimator"):
        scores(module, backend="metaflow", checkpoint=tmp_path / "kept")
