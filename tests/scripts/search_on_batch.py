"""Searches on AWS Batch for test_aws_batch.py; the argument names one of the functions.

Each fit leaves a file in the folder of the environment variable FITS.
"""

import ctypes
import importlib.metadata
import multiprocessing
import os
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

import skdistsearch
from skdistsearch import DistributedHyperbandSearchCV, DistributedSearchCV, MetaflowBackend
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.testing import FaultyRegressor

FITS = Path(os.environ["FITS"])
X, y = make_regression(60, 4, random_state=0)


class Mine(FaultyRegressor):
    """A class of the script, which is pickled by value."""


class HoldingLock(FaultyRegressor):
    """With behavior "hold", sleeps without releasing the interpreter lock."""

    def fit(self, X, y):
        super().fit(X, y)
        if self.behavior == "hold":
            ctypes.PyDLL(None).usleep(600_000_000)
        return self


def on_batch(**options):
    return MetaflowBackend(compute="batch", image="any", **options)


def assert_same_results(search, expected):
    for key, values in expected.cv_results_.items():
        if not key.endswith("_time") and not key.startswith("param"):
            np.testing.assert_array_equal(search.cv_results_[key], values, err_msg=key)


def search_with_local_modules():
    from shop import Markup

    model = make_pipeline(Markup(), Mine(folder=str(FITS), duration_s=1.5))
    grid = {"markup__rate": [0.5, 1.0, 2.0, 4.0], "mine__factor": [1.0, 1.5]}
    search = DistributedSearchCV(
        model, grid, cv=2, backend=on_batch(fits_per_task=4), checkpoint="night", refit=False
    ).fit(X, y)
    model.set_params(mine__folder=None, mine__duration_s=0)
    assert_same_results(search, GridSearchCV(model, grid, cv=2).fit(X, y))
    assert len(search.runs_) == 1


def small_search():
    grid = {"factor": [1.0, 1.5, 2.0]}
    search = DistributedSearchCV(Mine(), grid, cv=2, backend=on_batch(fits_per_task=3)).fit(X, y)
    assert_same_results(search, GridSearchCV(Mine(), grid, cv=2).fit(X, y))


def search_with_another_version():
    """Pretend that this machine has another version of scikit-learn than the containers."""
    version = importlib.metadata.version
    importlib.metadata.version = lambda name: "0.1" if name == "scikit-learn" else version(name)
    backend = on_batch(fits_per_task=2)
    DistributedSearchCV(Mine(), {"factor": [1.0, 2.0]}, cv=2, backend=backend).fit(X, y)


def search_without_settings():
    DistributedSearchCV(Mine(), {"factor": [1.0]}, cv=2, backend="batch").fit(X, y)


def search_with_deadly_fits():
    warnings.simplefilter("always")
    model = HoldingLock(folder=str(FITS), duration_s=0.5)
    grid = [{"factor": [1.0, 2.0]}, {"behavior": ["kill", "hold"]}, {"factor": [4.0]}]
    backend = on_batch(fits_per_task=5, fit_timeout_s=4)
    cv = ShuffleSplit(1, random_state=0)
    search = DistributedSearchCV(model, grid, cv=cv, backend=backend, refit=False).fit(X, y)
    factors = {"factor": [1.0, 2.0, 4.0]}
    expected = GridSearchCV(FaultyRegressor(), factors, cv=cv).fit(X, y).cv_results_
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores[[0, 1, 4]], expected["mean_test_score"])
    assert np.isnan(scores[[2, 3]]).all()
    assert len(search.runs_) == 1


def search_that_leaves_children():
    model = make_pipeline(FunctionTransformer(leave_children), Mine())
    backend, cv = on_batch(fits_per_task=1), ShuffleSplit(1, random_state=0)
    search = DistributedSearchCV(model, {}, cv=cv, backend=backend, refit=False).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def leave_children(X):
    """Start a program that inherits stdout, and a process that Python waits for at its exit."""
    program = subprocess.Popen(["sleep", "300"])
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
    process.start()
    for child in (program, process):
        Path(FITS, str(child.pid)).touch()
    return X


def search_that_keeps_models():
    """Without a checkpoint, with one in S3 (twice), and with one on this machine."""
    tree, grid = DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2]}
    outputs = {"extract": {"leaves": "tree___n_leaves"}, "keep": ("predictions", "estimators")}
    expected = [cross_val_predict(tree.set_params(max_depth=n), X, y, cv=2) for n in (1, 2)]
    for checkpoint in (None, "night", "night", str(Path("here").absolute())):
        backend = on_batch(fits_per_task="auto" if checkpoint is None else 4)
        search = DistributedSearchCV(
            tree, grid, cv=2, backend=backend, checkpoint=checkpoint, **outputs
        ).fit(X, y)
        np.testing.assert_array_equal(search.oof_predictions_["predict"], expected)
        leaves = [[model.get_n_leaves() for model in folds] for folds in search.fold_estimators_]
        np.testing.assert_array_equal(search.cv_results_["mean_leaves"], np.mean(leaves, axis=1))
        urls = [model.url for model in search.fold_estimators_._files.values()]
        in_s3 = checkpoint in (None, "night")
        assert [url.startswith("s3://") for url in urls] == [in_s3] * 4


def call_that_searches_on_batch():
    """The image has the whole configuration: without it, the message would be another one."""
    inner = DistributedSearchCV(Mine(), {"factor": [1.0]}, cv=2, backend=on_batch())
    with (
        skdistsearch.parallel(on_batch(), n_jobs=1, min_remote_s=0),
        pytest.raises(BackendConfigError, match="cannot be used within a fit"),
    ):
        joblib.Parallel(n_jobs=2)([joblib.delayed(inner.fit)(X, y)])


def search_by_hyperband():
    """Two brackets: three rungs, then two. Prints how many runs there were."""
    space = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 5, 9]}
    options = {"cv": 2, "n_brackets": 2, "max_resources": 27, "min_resources": 3, "random_state": 0}
    make = partial(
        DistributedHyperbandSearchCV, DecisionTreeRegressor(random_state=0), space, **options
    )
    search = make(backend=on_batch(max_workers=2)).fit(X, y)
    assert_same_results(search, make().fit(X, y))
    print("runs:", len(search.runs_))  # noqa: T201


if __name__ == "__main__":
    globals()[sys.argv[1]]()
