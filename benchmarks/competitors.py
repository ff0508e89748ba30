"""The same search by this package, by scikit-learn and by its peers, and how they compare.

Peers that are not installed are left out: ``pip install dask-ml ray``.
"""

import contextlib
import importlib.util
import os
import statistics
import tempfile

import joblib
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from benchmarks.measure import run_interleaved
from benchmarks.results import Measurement
from skdistsearch import DistributedSearchCV

JOBS = 2
BASE, OURS, BY_HAND = "GridSearchCV", "DistributedSearchCV", "by hand"


def make_searches(estimator, grid, data, *, with_memory=False, with_peers=True, **options):
    """Return a function for each competitor that fits the search once.

    Parameters
    ----------
    estimator, grid
        The search.
    data : tuple
        The arguments of ``fit``.
    with_memory : bool, default=False
        Add `GridSearchCV` with the cache of the pipeline (``memory=``).
    with_peers : bool, default=True
        Add dask-ml, and joblib over dask and over ray, if they are installed.
    **options
        Further parameters of the searches.
    """
    options = {"refit": False, **options}

    def fit_with(search, **more):
        return lambda: search(clone(estimator), grid, **options, **more).fit(*data)

    searches = {
        BASE: fit_with(GridSearchCV, n_jobs=JOBS),
        f"{BASE}, n_jobs=1": fit_with(GridSearchCV, n_jobs=1),
        OURS: fit_with(DistributedSearchCV, n_jobs=JOBS),
    }
    if with_memory:
        searches[f"{BASE}, memory="] = lambda: _fit_with_memory(estimator, grid, data, options)
    return searches | (_make_peers(estimator, grid, data, options) if with_peers else {})


def _fit_with_memory(estimator, grid, data, options):
    with tempfile.TemporaryDirectory() as folder:
        cached = clone(estimator).set_params(memory=folder)
        GridSearchCV(cached, grid, n_jobs=JOBS, **options).fit(*data)


def _make_peers(estimator, grid, data, options):
    peers = {}
    if importlib.util.find_spec("distributed"):
        import distributed

        client = distributed.Client(n_workers=JOBS, threads_per_worker=1, dashboard_address=None)
        peers["joblib over dask"] = _over_joblib("dask", estimator, grid, data, options)
        if importlib.util.find_spec("dask_ml"):
            import dask_ml.model_selection

            search = dask_ml.model_selection.GridSearchCV
            peers["dask-ml"] = lambda: search(
                clone(estimator), grid, scheduler=client, **options
            ).fit(*data)
    if importlib.util.find_spec("ray"):
        import ray
        from ray.util.joblib import register_ray

        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        with contextlib.suppress(RuntimeError):  # ray is running already
            ray.init(num_cpus=JOBS, include_dashboard=False, log_to_driver=False)
        register_ray()
        peers["joblib over ray"] = _over_joblib("ray", estimator, grid, data, options)
    return peers


def _over_joblib(backend, estimator, grid, data, options):
    def fit():
        with joblib.parallel_config(backend, n_jobs=JOBS):
            GridSearchCV(clone(estimator), grid, **options).fit(*data)

    return fit


def compare(competitors, options):
    """Run all competitors alternately; return a row for each, and the ratios of this package.

    Rows have medians of wall seconds, CPU seconds and peak memory, and the wall time relative to
    `BASE` and to `BY_HAND`: medians over pairs of runs.
    """
    chosen = {
        name: call
        for name, call in competitors.items()
        if not options.competitors or name in options.competitors
    }
    if options.warm_up:
        run_interleaved(chosen, 1)  # starts workers and fills caches
    n_runs = options.runs(default=3)
    runs = run_interleaved(chosen, n_runs)
    rows = [_make_row(name, runs) for name in runs]
    ratios = _wall_ratios(OURS, runs) if OURS in runs else {}
    return Measurement(rows, ratios, n_runs)


def compare_cases(cases, options):
    """Compare the competitors of several cases, given as ``{case: competitors}``."""
    rows, ratios = [], {}
    for case, competitors in cases.items():
        measured = compare(competitors, options)
        rows += [{"case": case, **row} for row in measured.rows]
        ratios |= {f"{case}: {name}": ratio for name, ratio in measured.ratios.items()}
    return Measurement(rows, ratios, options.runs(default=3))


def _make_row(name, runs):
    return {
        "competitor": name,
        "wall s": round(statistics.median(run.wall_s for run in runs[name]), 2),
        "CPU s": round(statistics.median(run.cpu_s for run in runs[name]), 2),
        "peak PSS MB": round(statistics.median(run.pss_mb for run in runs[name])),
        **{f"wall / {other}": None for other in (BASE, BY_HAND) if other in runs},
        **_wall_ratios(name, runs),
    }


def _wall_ratios(name, runs):
    ratios = {}
    for other in (BASE, BY_HAND):
        if other in runs and other != name:
            pairs = zip(runs[name], runs[other], strict=True)
            median = statistics.median(own.wall_s / others.wall_s for own, others in pairs)
            ratios[f"wall / {other}"] = round(median, 2)
    return ratios
