"""Worker processes divide the cores among them, unless the user sets a number of threads."""

import os
from functools import partial

import joblib
import pytest
from helpers.probing_regressor import probe_fits
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_info

from skdistsearch import DistributedSearchCV


def n_blas_threads():
    return max(info["num_threads"] for info in threadpool_info())


def environment_integer(name):
    return int(os.environ[name])


def cores_per_worker(n_workers):
    return max(joblib.cpu_count() // n_workers, 1)


def test_blas_threads_of_workers_are_limited():
    assert probe_fits(n_blas_threads, n_jobs=2) == {cores_per_worker(2)}


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"])
def test_environment_variables_of_workers_are_set(name, monkeypatch):
    monkeypatch.delenv(name, raising=False)
    assert probe_fits(partial(environment_integer, name), n_jobs=2) == {cores_per_worker(2)}


def test_workers_count_their_share_of_the_cores():
    assert probe_fits(joblib.cpu_count, n_jobs=2) == {cores_per_worker(2)}


def test_inner_max_num_threads_applies():
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=3):
        assert probe_fits(n_blas_threads) == {3}


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (RandomForestRegressor(2, n_jobs=3), {"max_depth": [1]}),
        (RandomForestRegressor(2), {"n_jobs": [3]}),
        (Pipeline([("m", Ridge())]), {"m": [RandomForestRegressor(2, n_jobs=3)]}),
    ],
    ids=["parameter", "candidate", "nested"],
)
def test_more_threads_than_cores_are_a_warning(estimator, grid, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    search = DistributedSearchCV(estimator, grid, cv=2, n_jobs=2, refit=False)
    with pytest.warns(UserWarning, match=r"n_jobs=3 in 2 processes uses 6 threads on 4 cores"):
        search.fit(*load_diabetes(return_X_y=True))
