"""The sides of a comparison: the same search by this package, by scikit-learn and by its peers.

Peers that are not installed are left out: ``pip install dask-ml ray``.
"""

import contextlib
import importlib.util
import os
import tempfile

import joblib
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV

JOBS = 2
BASE, OURS, LIMIT = "GridSearchCV", "DistributedSearchCV", "by hand"


def searches(estimator, grid, data, *, memory=False, peers=True, **options):
    """``{name: call}``; ``memory``: also scikit-learn with the pipeline's own cache."""
    options = {"refit": False, **options}

    def fit(search, **where):
        return lambda: search(clone(estimator), grid, **options, **where).fit(*data)

    sides = {
        BASE: fit(GridSearchCV, n_jobs=JOBS),
        "GridSearchCV, n_jobs=1": fit(GridSearchCV, n_jobs=1),
        OURS: fit(DistributedSearchCV, n_jobs=JOBS),
    }
    if memory:
        sides["GridSearchCV, memory="] = lambda: _with_memory(estimator, grid, data, options)
    return sides | (_peers(estimator, grid, data, options) if peers else {})


def _with_memory(estimator, grid, data, options):
    with tempfile.TemporaryDirectory() as folder:
        cached = clone(estimator).set_params(memory=folder)
        GridSearchCV(cached, grid, n_jobs=JOBS, **options).fit(*data)


def _peers(estimator, grid, data, options):
    found = {}
    if importlib.util.find_spec("distributed"):
        import distributed

        client = distributed.Client(n_workers=JOBS, threads_per_worker=1, dashboard_address=None)
        found["joblib over dask"] = _through("dask", estimator, grid, data, options)
        if importlib.util.find_spec("dask_ml"):
            import dask_ml.model_selection

            search = dask_ml.model_selection.GridSearchCV
            found["dask-ml"] = lambda: search(
                clone(estimator), grid, scheduler=client, **options
            ).fit(*data)
    if importlib.util.find_spec("ray"):
        import ray
        from ray.util.joblib import register_ray

        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        with contextlib.suppress(RuntimeError):  # there is one already
            ray.init(num_cpus=JOBS, include_dashboard=False, log_to_driver=False)
        register_ray()
        found["joblib over ray"] = _through("ray", estimator, grid, data, options)
    return found


def _through(backend, estimator, grid, data, options):
    def call():
        with joblib.parallel_config(backend, n_jobs=JOBS):
            GridSearchCV(clone(estimator), grid, **options).fit(*data)

    return call
